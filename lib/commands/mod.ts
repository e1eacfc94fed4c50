// The commands of the binary that run beside a server or a directory and end by themselves, a file each.

import { parseTool, type ToolLine, UsageError } from "../cli/mod.ts";
import { RefusedError } from "../client/mod.ts";
import { DamagedError, HostError } from "../errors.ts";
import { ask } from "./ask.ts";
import { backup } from "./backup.ts";
import { bench } from "./bench.ts";
import { exportTree } from "./export.ts";
import { importFile } from "./import.ts";
import { restore } from "./restore.ts";
import { top } from "./top.ts";
import { EXIT, type ExitCode, print, type ToolHost, toolHost } from "./tool_host.ts";

/**
 * Runs the command that a command line asks for, and tells what went wrong.
 *
 * @param args The words after the program's name
 * @param environment Looks a variable up
 * @returns What the process exits with; null if the line asks for something of the server's own
 */
export async function runTool(
  args: readonly string[],
  environment: (name: string) => string | undefined,
): Promise<ExitCode | null> {
  const host = toolHost();
  try {
    const request = parseTool(args, environment);
    if (request === null) return null;
    if (!("text" in request)) return await run(request, host);
    await print(host.terminal, request.text.trimEnd());
    return EXIT.done;
  } catch (error) {
    const code = exitOf(error);
    host.terminal.tell(`${(error as Error).message}\n`);
    return code;
  }
}

function run(line: ToolLine, host: ToolHost): Promise<ExitCode> {
  switch (line.name) {
    case "ask":
      return ask(line, host);
    case "backup":
      return backup(line, host);
    case "restore":
      return restore(line, host);
    case "top":
      return top(line, host);
    case "bench":
      return bench(line, host);
    case "import":
      return importFile(line, host);
    case "export":
      return exportTree(line, host);
  }
}

/** What a failure exits with; our own mistakes are thrown again. */
function exitOf(error: unknown): ExitCode {
  if (error instanceof UsageError) return EXIT.usage;
  if (error instanceof DamagedError) return EXIT.damaged;
  if (error instanceof HostError || error instanceof RefusedError) return EXIT.failed;
  throw error;
}
