// Protocol v2, which the clients of Karma 1.x speak: `{"v":2,"op":"counter.sum","series":"t","key":1}`
// answered by `{"protocol_version":2,"success":true,"response":3,"error_code":null}` and LF.
//
// Checks are made in this order: the envelope (`v`, `op`), the token, whether the operation exists, whether the
// token allows it, the shape of each field in the order of the table of operations, and then the values of the
// fields. A client without a right token learns nothing about an operation.

import {
  ABSENT,
  equals,
  FRACTION,
  type Frame,
  INTEGER,
  type Line,
  NameTable,
  NEGATIVE,
  type ReceiveBuffer,
  type SendBuffer,
  STRING,
} from "../../bytes/mod.ts";
import {
  type Access,
  FINGERPRINT_BYTES_MAX,
  IDEMPOTENCY_KEY_BYTES_MAX,
  KEYS_AS_TEXT,
  NUMBERS_AS_TEXT,
  OPERATIONS,
  type Reply,
  type Request,
} from "../../command/mod.ts";
import type { Envelope, Protocol } from "../protocol.ts";
import { isAuthenticated } from "./authenticate.ts";
import type { ErrorCode } from "../../errors.ts";
import { Fields } from "./fields.ts";
import { frameLine } from "./frame_line.ts";
import { MEMBER } from "./members.ts";
import type { RequestLine } from "./request_line.ts";
import type { JsonReplyWriter } from "./response.ts";
import { unknownMember } from "./strict_members.ts";
import { TextForm } from "./text_form.ts";

const VERSION = 2;

/** An id of a request: enough for whatever names one, and its reply needs no room of note. */
const ID_BYTES_MAX = 255;

/** How much of a member's name an error tells. */
const NAME_SHOWN = 64;

const NO_ZONE = 'Field timezone must be the name of a time zone, such as "Europe/Berlin"';

const UNSUPPORTED = "Karma 1.0 accepts only protocol v2 requests with field v=2";

const NAMES = OPERATIONS.flatMap((operation) => {
  return (operation.v2?.ops ?? []).map((name) => ({ name, operation }));
});
const NAME_TABLE = new NameTable(NAMES.map(({ name }) => name));

const encoder = new TextEncoder();
const SUCCESS = encoder.encode('{"protocol_version":2,"success":true,"response":');
const FAILURE = encoder.encode('{"protocol_version":2,"success":false,"response":"');
const FIRST = encoder.encode(',"idempotent":false');
const REPEATED = encoder.encode(',"idempotent":true');
const NO_ERROR = encoder.encode(',"error_code":null');
const END = encoder.encode(',"error_code":null}\n');
const ID = encoder.encode(',"id":');
const CLOSE = encoder.encode("}\n");
const TEXT = encoder.encode("text");

export class V2 implements Protocol {
  readonly name = "v2";
  readonly isBounded = true;
  readonly isPerFrame = true;
  readonly #requestLine: RequestLine;
  readonly #replies: JsonReplyWriter;
  readonly #access: Access;
  readonly #fields: Fields;
  readonly #textForm = new TextForm();

  /** `requestLine` and `replies` may be shared with other protocols of the same codec. */
  constructor(
    requestLine: RequestLine,
    replies: JsonReplyWriter,
    access: Access,
    itemsMax: number,
  ) {
    this.#requestLine = requestLine;
    this.#replies = replies;
    this.#access = access;
    this.#fields = new Fields(requestLine, itemsMax);
  }

  meet(): null {
    return null;
  }

  frame(received: ReceiveBuffer, isEnded: boolean): Frame {
    return frameLine(received, isEnded);
  }

  recognizes(line: Line): boolean {
    const requestLine = this.#requestLine;
    requestLine.scan(line);
    return requestLine.has(MEMBER.v) || requestLine.has(MEMBER.op);
  }

  decode(
    line: Line,
    request: Request,
    reply: Reply,
    envelope: Envelope | null = null,
  ): boolean {
    const requestLine = this.#requestLine;
    if (!requestLine.scan(line)) return requestLine.refuse(reply);
    if (requestLine.isBeyond) {
      reply.fail("invalid_json", "Invalid JSON: a number is too large");
      return false;
    }
    const { bytes } = line;
    if (requestLine.has(MEMBER.id)) this.#noteId(bytes, request);
    const { kinds, starts, ends, lanes } = requestLine;
    const v = MEMBER.v;
    const isVersion = kinds[v] === INTEGER && lanes[2 * v] === VERSION && lanes[2 * v + 1] === 0;
    if (!isVersion && (envelope === null || kinds[v] !== ABSENT)) {
      reply.fail("unsupported_protocol", UNSUPPORTED);
      return false;
    }
    const op = MEMBER.op;
    const named = envelope === null ? null : envelope.operation;
    if (named === null && kinds[op] !== STRING) return refuse(reply, "Field op is required");
    if (!isAuthenticated(this.#requestLine, bytes, this.#access, reply, envelope)) return false;
    const name = named === null ? NAME_TABLE.find(bytes, starts[op], ends[op]) : 0;
    if (name < 0) {
      reply.fail("unknown_command", "Unknown op ");
      reply.subject = bytes.slice(starts[op], ends[op]);
      return false;
    }
    const operation = named ?? NAMES[name].operation;
    if (!this.#access.allows(operation, reply)) return false;
    if (named !== null && kinds[op] !== ABSENT) {
      return refuse(reply, "Field op must not be there: the path names the operation");
    }
    request.operation = operation;
    request.missing = operation.v2!.missing ?? "refuse";
    request.touches = false;
    request.bytes = bytes;
    const fault = this.#read(request);
    const unknown = unknownMember(requestLine, operation) ?? this.#fields.unknown;
    if (unknown !== null) return refuseMember(reply, unknown, operation.v2!.ops[0]);
    return fault === null || refuse(reply, fault, this.#fields.code);
  }

  /** Reads all fields; null, or what is wrong. */
  #read(request: Request): string | null {
    const fields = this.#fields;
    const { operation } = request;
    fields.valueError = fields.unknown = null;
    fields.code = "validation_error";
    if (this.#requestLine.has(MEMBER.id) && !request.hasId) {
      return `Field id must be a string or a number of up to ${ID_BYTES_MAX} bytes`;
    }
    for (let index = 0; index < operation.fields.length; index++) {
      const fault = fields.read(operation.fields[index], request);
      if (fault !== null) return fault;
    }
    if (this.#requestLine.has(MEMBER.idempotency_key)) {
      const fault = this.#readOnce(request);
      if (fault !== null) return fault;
    }
    if (this.#requestLine.has(MEMBER.timezone)) this.#readZone(request);
    return this.#readForms(request) ?? fields.valueError;
  }

  /** The time zone counts where a day may be left out, or limits are about days. */
  #readZone(request: Request): void {
    const { fields } = request.operation;
    if (!fields.includes("day?") && !fields.includes("limits")) return;
    const member = MEMBER.timezone;
    if (this.#requestLine.kinds[member] === STRING) {
      request.zone = this.#requestLine.timeZone(member, request.bytes);
    }
    if (request.zone === null) this.#fields.valueError ??= NO_ZONE;
  }

  /** Notes what the reply is to be told apart by, for errors as well. */
  #noteId(bytes: Line["bytes"], request: Request): void {
    const { kinds, starts, ends } = this.#requestLine;
    const { id } = MEMBER;
    const kind = kinds[id];
    request.isIdString = kind === STRING;
    request.hasId = ends[id] - starts[id] <= ID_BYTES_MAX && (kind === STRING || kind === INTEGER ||
      kind === NEGATIVE || kind === FRACTION);
    request.idStart = starts[id];
    request.idEnd = ends[id];
    request.bytes = bytes;
  }

  /** Reads which numbers of the reply are to be text; null, or what is wrong. */
  #readForms(request: Request): string | null {
    const line = this.#requestLine;
    const { keys_as, numbers_as } = MEMBER;
    if (line.has(keys_as)) {
      if (!this.#isText(keys_as, request)) return 'Field keys_as must be "text"';
      request.textForm |= KEYS_AS_TEXT;
    }
    if (line.has(numbers_as)) {
      if (!this.#isText(numbers_as, request)) return 'Field numbers_as must be "text"';
      request.textForm |= NUMBERS_AS_TEXT;
    }
    return null;
  }

  #isText(member: number, { bytes }: Request): boolean {
    const { kinds, starts, ends } = this.#requestLine;
    return kinds[member] === STRING && ends[member] - starts[member] === TEXT.length &&
      equals(TEXT, bytes, starts[member], ends[member]);
  }

  /** The idempotency key is looked at in every request, and counts where the operation is done once. */
  #readOnce(request: Request): string | null {
    const fault = this.#textOrInteger("idempotency_key", IDEMPOTENCY_KEY_BYTES_MAX);
    if (fault !== null) return fault;
    const { kinds, starts, ends, lanes } = this.#requestLine;
    if (request.operation.fingerprint !== undefined) {
      request.idempotencyKeyStart = starts[MEMBER.idempotency_key];
      request.idempotencyKeyEnd = ends[MEMBER.idempotency_key];
    }
    if (this.#requestLine.has(MEMBER.fingerprint)) {
      const fault = this.#textOrInteger("fingerprint", FINGERPRINT_BYTES_MAX);
      if (fault !== null) return fault;
      request.fingerprintStart = starts[MEMBER.fingerprint];
      request.fingerprintEnd = ends[MEMBER.fingerprint];
    }
    const created = MEMBER.idempotency_created_at_unix; // of no use: the time is ours to tell
    const kind = kinds[created];
    if (kind === ABSENT || kind === INTEGER) return null;
    if (kind !== NEGATIVE) return "Field idempotency_created_at_unix must be an integer";
    if (lanes[2 * created] === 0 && lanes[2 * created + 1] === 0) return null;
    return "Field idempotency_created_at_unix must be greater than or equal to 0";
  }

  /** Checks a text, or an integer, which stands for its digits. */
  #textOrInteger(name: "idempotency_key" | "fingerprint", bytesMax: number): string | null {
    const { kinds, starts, ends } = this.#requestLine;
    const member = MEMBER[name];
    const kind = kinds[member];
    if (kind !== STRING && kind !== INTEGER && kind !== NEGATIVE) {
      return `Field ${name} must be a string or integer`;
    }
    const length = ends[member] - starts[member];
    if (length === 0) this.#fields.valueError ??= `Field ${name} must not be empty`;
    if (length > bytesMax) this.#fields.valueError ??= `Field ${name} exceeds max size`;
    return null;
  }

  encode(request: Request, reply: Reply, out: SendBuffer): void {
    if (reply.code === null) {
      out.raw(SUCCESS);
      const start = out.length;
      this.#replies.write(reply, out);
      if (request.textForm !== 0) this.#toText(request, reply, out, start);
      if (!reply.isWalked) this.encodeEnd(request, reply, out);
      return;
    }
    out.raw(FAILURE);
    out.jsonText(encoder.encode(reply.text));
    if (reply.code === "not_found") out.text(' \\"');
    out.jsonText(reply.subject);
    out.text(reply.code === "not_found" ? '\\" not found"' : '"');
    out.text(`,"error_code":"${reply.code}"`);
    if (request.hasId) this.#writeId(request, reply, out);
    out.raw(CLOSE);
  }

  more(request: Request, reply: Reply, out: SendBuffer): "more" | "end" {
    const start = out.length;
    const rest = this.#replies.more(request, reply, out);
    if (request.textForm !== 0) this.#toText(request, reply, out, start);
    return rest;
  }

  encodeEnd(request: Request, reply: Reply, out: SendBuffer): void {
    if (reply.isRepeated !== null) out.raw(reply.isRepeated ? REPEATED : FIRST);
    if (!request.hasId) return out.raw(END);
    out.raw(NO_ERROR);
    this.#writeId(request, reply, out);
    out.raw(CLOSE);
  }

  /** The response, or a piece of it, from `start` on. */
  #toText({ textForm }: Request, reply: Reply, out: SendBuffer, start: number): void {
    reply.uncountedBytes += this.#textForm.apply(textForm, out, start);
  }

  #writeId({ bytes, idStart, idEnd, isIdString }: Request, reply: Reply, out: SendBuffer): void {
    const start = out.length;
    const id = bytes.subarray(idStart, idEnd);
    out.raw(ID);
    if (isIdString) out.jsonString(id);
    else out.raw(id);
    reply.uncountedBytes += out.length - start;
  }
}

/** A member that is not known may be a known one that is misspelt: that tells more than what is missing then. */
function refuseMember(reply: Reply, name: string, operation: string): false {
  reply.fail("unknown_field", `Field ${name.slice(0, NAME_SHOWN)} is unknown to ${operation}`);
  return false;
}

function refuse(reply: Reply, sentence: string, code: ErrorCode = "validation_error"): false {
  reply.fail(code, sentence);
  return false;
}
