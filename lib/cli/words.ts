// The words of a command line, taken apart by a table of options.
//
// Invariant: what does not fit a table is refused here and never reaches parseArgs.
//
// The trade: parseArgs takes `-1` for an option, makes numbers of some strings and drops or swallows
// words, so a command line is first rewritten until each value hangs on its option.

import { parseArgs } from "@std/cli";

/** How an option is written. */
export interface OptionWords {
  readonly flag: string;
  readonly short?: string;
  /** Whether it stands alone, without a value. */
  readonly isSwitch?: boolean;
}

/** What a command line says. */
interface Given {
  /** The last value of each option, `true` of a switch. */
  readonly values: Readonly<Record<string, unknown>>;
  /** The words that are no options and no values, in their order. */
  readonly others: readonly string[];
  readonly isHelp: boolean;
  readonly isVersion: boolean;
  /** What is wrong, in a sentence; undefined if all is right. */
  readonly complaint: string | undefined;
}

const SWITCHES = new Map([["-h", "--help"], ["--help", "--help"], ["--version", "--version"]]);

/**
 * Takes a command line apart.
 *
 * @param args The words
 * @param options All options that there are
 * @param othersMax How many words may be there that are no options
 */
export function readWords<O extends OptionWords>(
  args: readonly string[],
  options: readonly O[],
  othersMax = 0,
): Given {
  const { words, others, complaint } = rewrite(args, namesOf(options), othersMax);
  const flags = (isSwitch: boolean) =>
    options.filter((option) => (option.isSwitch ?? false) === isSwitch).map(({ flag }) => flag);
  const { help, version, ...values } = parseArgs(words, {
    string: flags(false),
    boolean: [...flags(true), "help", "version"],
  });
  return { values, others, isHelp: !!help, isVersion: !!version, complaint };
}

function namesOf<O extends OptionWords>(options: readonly O[]): ReadonlyMap<string, O> {
  return new Map(options.flatMap((option) => {
    const long: [string, O] = [`--${option.flag}`, option];
    return option.short ? [long, [`-${option.short}`, option]] : [long];
  }));
}

/** Leaves parseArgs nothing to guess: every word is `--switch` or `--name=value`, never empty. */
function rewrite(
  args: readonly string[],
  byName: ReadonlyMap<string, OptionWords>,
  othersMax: number,
): { words: string[]; others: string[]; complaint?: string } {
  const words: string[] = [];
  const others: string[] = [];
  const complaints: string[] = [];
  const other = (word: string) => {
    if (others.length < othersMax) others.push(word);
    else complaints.push(unexpected(word));
  };
  for (let i = 0; i < args.length; i++) {
    const word = args[i];
    const known = SWITCHES.get(word);
    if (known !== undefined) {
      words.push(known);
      continue;
    }
    if (word === "--") {
      args.slice(i + 1).forEach(other);
      break;
    }
    const { option, attached } = split(word, byName);
    if (option === undefined) {
      if (word.startsWith("-") && word !== "-") complaints.push(unexpected(word));
      else other(word);
      continue;
    }
    if (option.isSwitch) {
      if (attached === undefined) words.push(`--${option.flag}`);
      else complaints.push(`Option --${option.flag} takes no value`);
      continue;
    }
    // The next word is the value whatever it looks like, so that `--port -1` is a bad port.
    const value = attached ?? args[++i];
    if (value) words.push(`--${option.flag}=${value}`);
    else complaints.push(`Option --${option.flag} needs a value${value === "" ? ': ""' : ""}`);
  }
  return { words, others, complaint: complaints[0] };
}

/** Takes `--name`, `--name=value`, `-n` and `-nvalue` apart. */
function split<O extends OptionWords>(
  word: string,
  byName: ReadonlyMap<string, O>,
): { option?: O; attached?: string } {
  const equals = word.indexOf("=");
  if (word.startsWith("--") && equals > 0) {
    return { option: byName.get(word.slice(0, equals)), attached: word.slice(equals + 1) };
  }
  const whole = byName.get(word);
  // `-p=1` is not the port "=1": nobody means that.
  if (whole || word.startsWith("--") || word[2] === "=") return { option: whole };
  const option = byName.get(word.slice(0, 2));
  return option === undefined ? {} : { option, attached: word.slice(2) };
}

function unexpected(word: string): string {
  const what = word.startsWith("-") ? "Unknown option" : "Unexpected argument";
  return `${what}: ${JSON.stringify(word)}`;
}
