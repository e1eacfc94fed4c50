// The commands of RESP: those of the table of operations, and those about the connection, which is what clients and
// their pools begin with.

import { NameTable } from "../../bytes/mod.ts";
import { type Operation, OPERATIONS } from "../../command/mod.ts";
import { capitals } from "./argument_reader.ts";
import { leastOf, type Plan, planOf } from "./plan.ts";

/** Commands that are answered where they are decoded, or are an operation by another name. */
const OF_CONNECTION = [
  "PING",
  "ECHO",
  "SELECT",
  "QUIT",
  "RESET",
  "HELLO",
  "AUTH",
  "CLIENT",
  "COMMAND",
  "CONFIG",
  "INFO",
  "DBSIZE",
] as const;
export type ConnectionCommand = (typeof OF_CONNECTION)[number];

/** The fewest arguments of each, with its name. */
const LEAST: Readonly<Record<ConnectionCommand, number>> = {
  PING: 1,
  ECHO: 2,
  SELECT: 2,
  QUIT: 1,
  RESET: 1,
  HELLO: 1,
  AUTH: 2,
  CLIENT: 2,
  COMMAND: 1,
  CONFIG: 2,
  INFO: 1,
  DBSIZE: 1,
};

/** Of redis-cell: a consume from the token bucket that each key has. */
const THROTTLE = "CL.THROTTLE";

/** What other servers do in several steps, or let others program; and what only they can. */
const FOREIGN = [
  ...["MULTI", "EXEC", "DISCARD", "WATCH", "UNWATCH"],
  ...["EVAL", "EVALSHA", "EVAL_RO", "EVALSHA_RO", "SCRIPT", "FCALL", "FCALL_RO", "FUNCTION"],
] as const;
const FOREIGN_TABLE = new NameTable(FOREIGN);

/** A command: an operation and how its arguments lie, which for one is as nowhere else; or about the connection. */
export type Command =
  | {
    readonly name: string;
    readonly least: number;
    readonly operation: Operation;
    readonly plan: Plan | "throttle";
  }
  | { readonly name: ConnectionCommand; readonly least: number; readonly operation: null };

export const COMMANDS: readonly Command[] = [
  ...OF_CONNECTION.map((name) => ({ name, least: LEAST[name], operation: null })),
  ...OPERATIONS.map((operation) => {
    const plan = planOf(operation);
    return { name: operation.resp, least: leastOf(plan), operation, plan };
  }),
  {
    name: THROTTLE,
    least: 5,
    operation: OPERATIONS.find(({ id }) => id === "consume")!,
    plan: "throttle",
  },
];
const TABLE = new NameTable(COMMANDS.map(({ name }) => name));

/** The longest name of a command has fewer. */
const NAME_BYTES_MAX = 32;

const encoder = new TextEncoder();
const PREFIX = encoder.encode("KARMA.");

/** A word that is being looked up, in capitals. */
const word = new Uint8Array(NAME_BYTES_MAX);

/** The command of that name, in letters of any case; null: there is none. */
export function commandOf(bytes: Uint8Array, start: number, end: number): Command | null {
  const length = capitals(bytes, start, end, word);
  const index = length < 0 ? -1 : TABLE.find(word, 0, length);
  return index < 0 ? null : COMMANDS[index];
}

/** Whether that is the name of a command, or would be one if there were more operations. */
export function isCommand(bytes: Uint8Array, start: number, end: number): boolean {
  if (commandOf(bytes, start, end) !== null || isForeign(bytes, start, end)) return true;
  const length = capitals(bytes, start, Math.min(end, start + PREFIX.length), word);
  return length === PREFIX.length && PREFIX.every((byte, at) => byte === word[at]);
}

/** Whether that is the name of a command for transactions or scripts, which there are not. */
export function isForeign(bytes: Uint8Array, start: number, end: number): boolean {
  const length = capitals(bytes, start, end, word);
  return length >= 0 && FOREIGN_TABLE.find(word, 0, length) >= 0;
}
