// The command line and the environment → one frozen Config.
//
// Invariant: a Config holds only values within their limits, so nobody checks them again.

import { type Config, type Option, OPTIONS, type Size } from "./options.ts";
import { readWords } from "./words.ts";

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

/** The words for a start, which may be left out, and for what a directory can be asked without one. */
const SERVE = "serve";
const CHECK = "check";
const REPAIR = "repair";
/** The switch that repair alone knows. */
const YES = "--yes";

type AnyOption = Option<Config[keyof Config]>;

const ALL: readonly AnyOption[] = Object.values(OPTIONS);

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
  const others = kind === "run" && word !== SERVE ? args : args.slice(1);
  const isMeant = kind === REPAIR && others.includes(YES);
  const words = isMeant ? others.filter((word) => word !== YES) : others;
  const { values: given, isHelp, isVersion, complaint } = readWords(words, ALL);
  if (isHelp) return { kind: "help" };
  if (isVersion) return { kind: "version" };
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
    throw new UsageError(`${source} must be ${kind.expected}: ${JSON.stringify(text)}`);
  }
  return value;
}
