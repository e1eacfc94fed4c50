// The command line: one table of options, the environment variables and token files that go with it.

export { type CommandLine, memoryLimits, parseCommandLine, usage, UsageError } from "./config.ts";
export type { Config } from "./options.ts";
export { reload } from "./reload.ts";
export { acceptorOptions, databaseOptions } from "./settings.ts";
export { type TlsTexts, tlsTextsOf } from "./tls.ts";
export { tokensOf } from "./tokens.ts";
