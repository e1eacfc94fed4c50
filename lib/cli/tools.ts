// The command line of the commands beside the server's own → what is to be done.
//
// Invariant: a ToolLine holds only values within their limits, as a Config does.

import { COMMANDS, type ToolName, TOOLS, type Values } from "./commands.ts";
import { completions } from "./completions.ts";
import { UsageError } from "./config.ts";
import { helpOf, usage } from "./help.ts";
import { readWords } from "./words.ts";

/** A command, with what its options say and the words behind it. */
export type ToolLine = {
  [N in Exclude<ToolName, "completions">]: {
    readonly name: N;
    readonly options: Values<(typeof TOOLS)[N]["options"]>;
    readonly words: readonly string[];
  };
}[Exclude<ToolName, "completions">];

/** What the operator asked for: a text to be printed, or a command. */
type ToolRequest = { readonly text: string } | ToolLine;

/** One that cannot be used, of a command whose help tells more. */
export class ToolUsageError extends UsageError {
  constructor(sentence: string, name: string) {
    super(`${sentence}\nkarma help ${name} tells more`);
  }
}

/**
 * Reads the command line of a command.
 *
 * @param args The words after the program's name
 * @param environment Looks a variable up; one set to the empty string counts as unset
 * @returns null if the line asks for something that the server's own command line is for
 * @throws {UsageError} If an option, an argument or a value cannot be used
 */
export function parseTool(
  args: readonly string[],
  environment: (name: string) => string | undefined,
): ToolRequest | null {
  const [name, ...rest] = args;
  if (!Object.hasOwn(COMMANDS, name ?? "")) return null;
  const command = COMMANDS[name];
  const list = Object.values(command.options);
  const { values, others, isHelp, complaint } = readWords(rest, list, command.wordsMax);
  if (isHelp) return { text: helpOf(name) };
  if (name !== "help" && !isTool(name)) return null;
  if (complaint !== undefined) throw new ToolUsageError(complaint, name);
  if (others.length < command.wordsMin) {
    throw new ToolUsageError(`karma ${name} needs ${command.words}`, name);
  }
  if (name === "help") return { text: helpAbout(others) };
  if (name === "completions") return { text: completionsFor(others[0]) };
  const options = Object.fromEntries(
    Object.entries(command.options).map(([field, { flag, variable, fallback, kind, rival }]) => {
      const given = values[flag];
      const isSet = variable !== undefined && (rival === undefined || values[rival] === undefined);
      const named = given === undefined && isSet ? environment(variable) : undefined;
      const source = named ? `Environment variable ${variable}` : `Option --${flag}`;
      const text = given === undefined ? named || fallback : String(given);
      const value = kind.read(text);
      if (value !== undefined) return [field, value];
      const fault = text === "" && given === undefined ? "is needed" : `must be ${kind.expected}`;
      const quoted = text === "" ? "" : `: ${JSON.stringify(text)}`;
      throw new ToolUsageError(`${source} ${fault}${quoted}`, name);
    }),
  );
  return { name, options, words: others } as unknown as ToolLine;
}

function isTool(name: string): name is ToolName {
  return Object.hasOwn(TOOLS, name);
}

function helpAbout([name]: readonly string[]): string {
  if (name === undefined) return usage();
  if (Object.hasOwn(COMMANDS, name)) return helpOf(name);
  throw new ToolUsageError(`There is no command ${JSON.stringify(name)}`, "help");
}

function completionsFor(shell: string): string {
  const text = completions(shell);
  if (text !== null) return text;
  const fault = `karma completions needs ${TOOLS.completions.words}`;
  throw new ToolUsageError(`${fault}: ${JSON.stringify(shell)}`, "completions");
}
