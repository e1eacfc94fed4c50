// The command line and the environment → one frozen Config.
//
// Invariant: a Config holds only values within their limits, so nobody checks them again.
//
// The trade: parseArgs takes `-1` for an option, makes numbers of some strings and drops or swallows
// words, so a command line is first rewritten until each value hangs on its option. What does not
// fit that form is refused here and never reaches parseArgs.

import { parseArgs } from "@std/cli";
import { type Config, type Option, OPTIONS, type Size } from "./options.ts";

export type CommandLine =
  | { kind: "run" | "check"; config: Config; notes: readonly string[] }
  /** `isMeant`: it is to be done, and not only told. */
  | { kind: "repair"; isMeant: boolean; config: Config; notes: readonly string[] }
  | { kind: "help" }
  | { kind: "version" };

/** A command line or environment that cannot be used; the message is for the operator. */
export class UsageError extends Error {
  override name = "UsageError";
}

/** The words that ask for something else than a start. */
const CHECK = "check";
const REPAIR = "repair";
/** The switch that repair alone knows. */
const YES = "--yes";

type AnyOption = Option<Config[keyof Config]>;

const ALL: readonly AnyOption[] = Object.values(OPTIONS);
const BY_WORD = new Map(ALL.flatMap((option) => {
  const long: [string, AnyOption] = [`--${option.flag}`, option];
  return option.short ? [long, [`-${option.short}`, option]] : [long];
}));
const SWITCHES = new Map([["-h", "--help"], ["--help", "--help"], ["--version", "--version"]]);

/**
 * Reads the command line; what it leaves open comes from the environment, then from the defaults.
 *
 * A request for help wins over everything that is wrong around it.
 *
 * @param args The words after the program's name
 * @param environment Looks a variable up; one set to the empty string counts as unset, but for tokens
 * @returns What the operator asked for, and notes on variables that were passed over
 * @throws {UsageError} If an option, an argument or a value cannot be used
 */
export function parseCommandLine(
  args: readonly string[],
  environment: (name: string) => string | undefined,
): CommandLine {
  const [word] = args;
  const kind = word === CHECK || word === REPAIR ? word : "run";
  const others = kind === "run" ? args : args.slice(1);
  const isMeant = kind === REPAIR && others.includes(YES);
  const { words, complaint } = rewrite(isMeant ? others.filter((word) => word !== YES) : others);
  const given: Record<string, unknown> = parseArgs(words, {
    string: ALL.map((option) => option.flag),
    boolean: ["help", "version"],
  });
  if (given.help) return { kind: "help" };
  if (given.version) return { kind: "version" };
  if (complaint !== undefined) throw new UsageError(complaint);

  const notes: string[] = [];
  const lookUp = (name: string) => {
    const value = environment(name);
    if (value === undefined || !isOfService(name, value)) return value;
    notes.push(
      `Environment variable ${name} is passed over: ${value} tells of a Kubernetes service`,
    );
    return undefined;
  };
  const fields = Object.entries(OPTIONS).map(([field, option]) => {
    return [field, choose(option, given, lookUp)];
  });
  const config = Object.freeze(Object.fromEntries(fields) as Config);
  return kind === REPAIR ? { kind, isMeant, config, notes } : { kind, config, notes };
}

/** How much memory may be held, in bytes. */
export interface MemoryLimits {
  readonly bytesMax: number;
  /** Of those, for the buffers of all connections. */
  readonly bufferBytesMax: number;
  /** Of those, for answers under idempotency keys. */
  readonly answerBytesMax: number;
}

/**
 * How much memory a configuration allows.
 *
 * @param config Its sizes, which may be shares
 * @param machineBytes What this process may have at most: of this the shares are taken
 */
export function memoryLimits(config: Config, machineBytes: number): MemoryLimits {
  const bytesMax = bytesOf(config.memoryMax, machineBytes);
  const part = (size: Size) => Math.min(bytesOf(size, bytesMax), bytesMax);
  return {
    bytesMax,
    bufferBytesMax: part(config.bufferMemoryMax),
    answerBytesMax: part(config.idempotencyBytesMax),
  };
}

function bytesOf(size: Size, whole: number): number {
  return "bytes" in size ? size.bytes : Math.floor(whole * size.percent / 100);
}

/** The text of `--help`: the options with their built-in defaults, then their variables. */
export function usage(): string {
  const options = ALL.map(({ short, flag, value, help, fallback }) =>
    row(`${short ? `-${short} ${value}, ` : "    "}--${flag}=${value}`, help, fallback)
  );
  const variables = ALL.map(({ variable, flag }) => row(variable, `Instead of --${flag}`));
  return [
    "Usage: karma [arguments]",
    ...options,
    row("-h, --help", "Show this help"),
    row("    --version", "Show the version"),
    "To look for damage in dumps and log, changing nothing: karma check --directory=path",
    "To tell what can be kept of a damaged directory: karma repair --directory=path; to do it: --yes",
    "Environment, for options that are not given:",
    ...variables,
    "",
  ].join("\n");
}

function row(name: string, help: string, fallback?: string): string {
  const suffix = fallback === undefined || fallback === "" ? "" : ` (default: ${fallback})`;
  return `    ${name.padEnd(32)} ${help}${suffix}`;
}

/** Leaves parseArgs nothing to guess: every word is `--switch` or `--name=value`, never empty. */
function rewrite(args: readonly string[]): { words: string[]; complaint?: string } {
  const words: string[] = [];
  const complaints: string[] = [];
  for (let i = 0; i < args.length; i++) {
    const word = args[i];
    const known = SWITCHES.get(word);
    if (known !== undefined) {
      words.push(known);
      continue;
    }
    if (word === "--") {
      complaints.push(...args.slice(i + 1).map(unexpected));
      break;
    }
    const { option, attached } = split(word);
    if (option === undefined) {
      complaints.push(unexpected(word));
      continue;
    }
    // The next word is the value whatever it looks like, so that `--port -1` is a bad port.
    const value = attached ?? args[++i];
    if (value) words.push(`--${option.flag}=${value}`);
    else complaints.push(`Option --${option.flag} needs a value${value === "" ? ': ""' : ""}`);
  }
  return { words, complaint: complaints[0] };
}

/** Takes `--name`, `--name=value`, `-n` and `-nvalue` apart. */
function split(word: string): { option?: AnyOption; attached?: string } {
  const equals = word.indexOf("=");
  if (word.startsWith("--") && equals > 0) {
    return { option: BY_WORD.get(word.slice(0, equals)), attached: word.slice(equals + 1) };
  }
  const whole = BY_WORD.get(word);
  // `-p=1` is not the port "=1": nobody means that.
  if (whole || word.startsWith("--") || word[2] === "=") return { option: whole };
  return { option: BY_WORD.get(word.slice(0, 2)), attached: word.slice(2) };
}

function unexpected(word: string): string {
  return `${word.startsWith("-") ? "Unknown option" : "Unexpected argument"}: ${quoted(word)}`;
}

/** Whether a variable is what Kubernetes sets in every pod beside a service, for one called `karma`. */
function isOfService(name: string, value: string): boolean {
  return name.endsWith("_PORT") && /^(tcp|udp|sctp):\/\//.test(value);
}

function choose(
  option: AnyOption,
  given: Record<string, unknown>,
  environment: (name: string) => string | undefined,
): Config[keyof Config] {
  const flag = given[option.flag];
  if (typeof flag === "string") return read(option.kind, flag, `Option --${option.flag}`);
  const rival = option.rival === undefined ? undefined : OPTIONS[option.rival];
  if (rival === undefined || given[rival.flag] === undefined) {
    const value = environment(option.variable);
    if (value) return read(option.kind, value, `Environment variable ${option.variable}`);
    if (value === "" && rival !== undefined && !environment(rival.variable)) {
      throw new UsageError(
        `Environment variable ${option.variable} is empty: unset it if no token is wanted`,
      );
    }
  }
  return read(option.kind, option.fallback, `Default of --${option.flag}`);
}

function read(
  kind: AnyOption["kind"],
  text: string,
  source: string,
): Config[keyof Config] {
  const value = kind.read(text);
  if (value === undefined) {
    throw new UsageError(`${source} must be ${kind.expected}: ${quoted(text)}`);
  }
  return value;
}

function quoted(text: string): string {
  return JSON.stringify(text);
}
