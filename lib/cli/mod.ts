// The command line: the tables of commands and options, what is read from them, and the environment variables and
// token files that go with it.

export type { ConnectionOptions } from "./commands.ts";
export { type CommandLine, memoryLimits, parseCommandLine, UsageError } from "./config.ts";
export { usage } from "./help.ts";
export type { Config } from "./options.ts";
export { reload } from "./reload.ts";
export { acceptorOptions, databaseOptions } from "./settings.ts";
export { type TlsTexts, tlsTextsOf } from "./tls.ts";
export { tokenOf, tokensOf } from "./tokens.ts";
export { parseTool, type ToolLine } from "./tools.ts";
