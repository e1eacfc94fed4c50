// RESP, the protocol of Redis, in its versions 2 and 3: clients of Redis are clients of Karma.
//
// A connection speaks it from its first byte to its last, or not at all: one that begins with `*`, or with a line that
// begins with a command's name.
//
// Invariant: after a frame that is broken the connection ends, since nothing behind it can be understood. The peer has
// what outlasts a command; all else is in the frame.
// Trade-off: words of commands about the connection are made strings of; operations allocate nothing.

import type { Frame, Line, ReceiveBuffer, SendBuffer } from "../../bytes/mod.ts";
import {
  type Access,
  OPERATIONS,
  Peer,
  type Reply,
  type Request,
  type TimeZones,
} from "../../command/mod.ts";
import type { ErrorCode } from "../../errors.ts";
import type { Protocol } from "../protocol.ts";
import { isHttpLine } from "../http_line.ts";
import { Arguments } from "./arguments.ts";
import { type Command, commandOf, isCommand, isForeign } from "./commands.ts";
import { arityFault, ConnectionCommands, isOpenCommand } from "./connection.ts";
import { Fields } from "./fields.ts";
import { RespReplyWriter } from "./response.ts";

const STAR = 0x2a;
const LINE_FEED = 0x0a;
const LETTER_MIN = 0x41;
const LETTER_MAX = 0x7a;

/** How errors begin where Redis has a word of its own for them; others begin with the code, or with ERR. */
const PREFIXES: Partial<Record<ErrorCode, string>> = {
  unauthorized: "NOAUTH",
  forbidden: "NOPERM",
  loading: "LOADING",
  not_found: "NOTFOUND",
  idempotency_conflict: "CONFLICT",
  query_timeout: "TIMEOUT",
  storage_full: "MISCONF",
  memory_full: "OOM",
  too_many_trees: "TOOMANYTREES",
  response_too_large: "TOOLARGE",
};

/** Errors that clients know by their whole beginning. */
const WRONG_TOKEN = "WRONGPASS";
const NO_VERSION = "NOPROTO unsupported protocol version";

/** The answer to whoever wants to do several things at once. */
const NO_STEPS = "transactions and scripts are not supported: each command is atomic by itself, " +
  "KARMA.MADD and the like take lists, and KARMA.CONSUME takes several limits";

const PING = OPERATIONS.find(({ id }) => id === "ping")!;
const STATS = OPERATIONS.find(({ id }) => id === "stats")!;

const decoder = new TextDecoder();

/** The most of an unknown name that is told. */
const NAME_BYTES_TOLD = 64;

export class Resp implements Protocol {
  readonly name = "resp";
  readonly isBounded = true;
  readonly isPerFrame = false;
  readonly #access: Access;
  readonly #args = new Arguments();
  readonly #fields: Fields;
  readonly #replies = new RespReplyWriter();
  readonly #connection: ConnectionCommands;
  readonly #nextId: () => number;

  /** `nextId` tells connections apart. */
  constructor(access: Access, itemsMax: number, zones: TimeZones, nextId: () => number) {
    this.#access = access;
    this.#fields = new Fields(this.#args, itemsMax, zones);
    this.#connection = new ConnectionCommands(access);
    this.#nextId = nextId;
  }

  meet(bytes: Uint8Array, start: number, end: number): Peer | null {
    return begins(bytes, start, end) ? new Peer(this.name, this.#nextId()) : null;
  }

  frame(received: ReceiveBuffer, isEnded: boolean): Frame {
    return this.#args.take(received, isEnded);
  }

  recognizes({ bytes, start, end }: Line): boolean {
    return bytes[start] === STAR || isCommand(bytes, start, wordEnd(bytes, start, end));
  }

  /** Decodes the frame that was taken last. */
  decode(frame: Line, request: Request, reply: Reply): boolean {
    const { bytes } = frame;
    const args = this.#args;
    request.bytes = bytes;
    request.form = "plain";
    if (args.fault !== null) {
      reply.isLast = true;
      return refuse(`Protocol error: ${args.fault}`, reply);
    }
    const { peer } = request;
    const isAdmitted = this.#access.isOpen ||
      this.#access.resume(peer === null ? null : peer.grant);
    const command = commandOf(bytes, args.starts[0], args.ends[0]);
    const isOpen = command !== null && command.operation === null && isOpenCommand(command.name);
    if (!isAdmitted && !isOpen) {
      reply.fail("unauthorized", "Authentication required.");
      return false;
    }
    if (command === null) return this.#refuseUnknown(bytes, reply);
    if (args.count < command.least) return refuse(arityFault(command.name), reply);
    if (command.operation === null) return this.#answer(command, request, reply);
    const { operation } = command;
    if (!this.#access.allows(operation, reply)) return false;
    request.operation = operation;
    request.missing = operation.v2!.missing ?? "refuse";
    request.touches = false;
    const fault = command.plan === "throttle"
      ? this.#throttle(request)
      : this.#fields.read(command.plan, request);
    return fault === null || refuse(fault, reply);
  }

  #throttle(request: Request): string | null {
    request.form = "throttle";
    return this.#fields.readThrottle(request);
  }

  #answer(command: Command & { operation: null }, request: Request, reply: Reply): boolean {
    const { starts, ends, count } = this.#args;
    const words: string[] = [];
    for (let at = 0; at < count; at++) {
      words.push(decoder.decode(request.bytes.subarray(starts[at], ends[at])));
    }
    if (count > 1) reply.subject = request.bytes.slice(starts[1], ends[1]);
    const peer = request.peer ?? new Peer(this.name, 0);
    const asked = this.#connection.answer(command.name, words, peer, request, reply);
    if (asked === null) return false;
    request.operation = asked === "ping" ? PING : STATS;
    return true;
  }

  #refuseUnknown(bytes: Uint8Array, reply: Reply): false {
    const start = this.#args.starts[0];
    if (isForeign(bytes, start, this.#args.ends[0])) {
      reply.fail("unknown_command", NO_STEPS);
      return false;
    }
    const end = Math.min(this.#args.ends[0], start + NAME_BYTES_TOLD);
    reply.fail(
      "unknown_command",
      `unknown command '${decoder.decode(bytes.subarray(start, end))}'`,
    );
    return false;
  }

  encode(request: Request, reply: Reply, out: SendBuffer): void {
    if (reply.code === null) this.#replies.write(request, reply, out);
    else out.text(`-${errorOf(reply)}\r\n`);
  }

  more(request: Request, reply: Reply, out: SendBuffer): "more" | "end" {
    return this.#replies.more(request, reply, out);
  }

  encodeEnd(): void {} // a reply ends with its last element
}

/** Whether a connection that begins with bytes[start..end) speaks RESP, as far as these tell. */
function begins(bytes: Uint8Array, start: number, end: number): boolean {
  if (start === end) return false;
  const first = bytes[start];
  if (first === STAR) return true;
  if (first < LETTER_MIN || first > LETTER_MAX) return false;
  const lineEnd = bytes.subarray(0, end).indexOf(LINE_FEED, start);
  if (lineEnd < 0 || !isCommand(bytes, start, wordEnd(bytes, start, lineEnd))) return false;
  return !isHttpLine(bytes, start, lineEnd); // which may begin as a command does
}

/** Where the first word of a line ends. */
function wordEnd(bytes: Uint8Array, start: number, end: number): number {
  let at = start;
  while (at < end && bytes[at] > 0x20) at++;
  return at;
}

function refuse(sentence: string, reply: Reply): false {
  reply.fail("validation_error", sentence);
  return false;
}

/** An error as a line without its end. */
function errorOf({ code, text, subject }: Reply): string {
  if (code === "unauthorized" && text === WRONG_TOKEN) {
    return `${WRONG_TOKEN} invalid username-password pair or user is disabled.`;
  }
  if (code === "unsupported_protocol") return NO_VERSION;
  const name = code === "not_found" ? ` "${decoder.decode(subject)}" not found` : "";
  const sentence = `${PREFIXES[code!] ?? "ERR"} ${text}${name}`;
  return sentence.replace(/[\r\n]/g, " ");
}
