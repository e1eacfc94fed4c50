// The texts of help: `karma --help`, and `karma help COMMAND`, which `karma COMMAND --help` prints too.
//
// Invariant: all that they tell of commands and options is in the tables.

import { COMMANDS } from "./commands.ts";
import { OPTIONS } from "./options.ts";

/** An option, as far as help tells it. */
interface Told {
  readonly flag: string;
  readonly short?: string;
  readonly value: string;
  readonly variable?: string;
  readonly fallback: string;
  readonly isSwitch?: boolean;
  readonly help: string;
}

/** The text of `--help`: the server's options with their built-in defaults, the commands, the options' variables. */
export function usage(): string {
  const commands = Object.entries(COMMANDS).map(([name, { summary }]) => {
    return row(`karma ${name}`, summary);
  });
  return [
    "Usage: karma [arguments]",
    ...optionsOf(OPTIONS),
    row("    --version", "Show the version"),
    "Commands; karma help COMMAND tells more:",
    ...commands,
    ...variablesOf(OPTIONS),
    "",
  ].join("\n");
}

/** The text of `karma help COMMAND`. */
export function helpOf(name: string): string {
  const { summary, words, options, about, examples } = COMMANDS[name];
  const more = about.length > 0 ? ["", ...about] : [];
  return [
    `Usage: karma ${name} [arguments]${words === "" ? "" : ` ${words}`}`,
    `${summary}.`,
    ...more,
    "",
    "Arguments:",
    ...optionsOf(options),
    ...variablesOf(options),
    "",
    "Examples:",
    ...examples.map((line) => `    ${line}`),
    "",
  ].join("\n");
}

function optionsOf(options: Readonly<Record<string, Told>>): string[] {
  const rows = Object.values(options).map(({ short, flag, value, isSwitch, help, fallback }) => {
    if (isSwitch) return row(`    --${flag}`, help);
    return row(`${short ? `-${short} ${value}, ` : "    "}--${flag}=${value}`, help, fallback);
  });
  return [...rows, row("-h, --help", "Show this help")];
}

function variablesOf(options: Readonly<Record<string, Told>>): string[] {
  const rows = Object.values(options).flatMap(({ variable, flag }) => {
    return variable === undefined ? [] : [row(variable, `Instead of --${flag}`)];
  });
  return rows.length === 0 ? [] : ["Environment, for options that are not given:", ...rows];
}

function row(name: string, help: string, fallback = ""): string {
  const suffix = fallback === "" ? "" : ` (default: ${fallback})`;
  return `    ${name.padEnd(32)} ${help}${suffix}`;
}
