// Protocol v1, which the clients of the first Karma speak: `{"command":"sum","tree_name":"t","key":1}`
// answered by `{"success":true,"response":3}` and CR LF.
//
// It has the words and answers of the original, except where that was wrong: see docs/architecture.md.

import {
  ABSENT,
  type Frame,
  INTEGER,
  type Line,
  NameTable,
  NULL,
  type ReceiveBuffer,
  type SendBuffer,
  STRING,
} from "../../bytes/mod.ts";
import {
  type Access,
  DAY_MAX,
  FILE_NAME_BYTES_MAX,
  KEY,
  type Operation,
  OPERATIONS,
  type Reply,
  type Request,
  VALUE,
} from "../../command/mod.ts";
import type { Protocol } from "../protocol.ts";
import { isAuthenticated } from "./authenticate.ts";
import { frameLine } from "./frame_line.ts";
import { MEMBER } from "./members.ts";
import { RequestLine } from "./request_line.ts";
import type { JsonReplyWriter } from "./response.ts";
import { Value } from "./value.ts";

const { command: COMMAND, tree_name: TREE_NAME, key: MEMBER_KEY } = MEMBER;
const { time_from: TIME_FROM, time_to: TIME_TO } = MEMBER;

/** An operation as this protocol has it. */
interface Row {
  readonly operation: Operation;
  readonly words: NonNullable<Operation["v1"]>;
  readonly hasName: boolean;
  /** Whether the name is that of a dump's file. */
  readonly isFile: boolean;
  readonly hasKey: boolean;
  /** Whether its command takes a key, here or in the row with one. */
  readonly takesKey: boolean;
  readonly range: "yes" | "may" | "no";
}

const ROWS: Row[] = OPERATIONS.flatMap((operation) => {
  const { fields, v1: words } = operation;
  if (words === undefined) return [];
  const hasName = fields.includes("tree") || fields.includes("file");
  const range = fields.includes("range") ? "yes" : fields.includes("range?") ? "may" : "no";
  const takesKey = OPERATIONS.some(({ v1, fields }) => {
    return v1?.command === words.command && fields.includes("key");
  });
  const isFile = fields.includes("file");
  return [{ operation, words, hasName, isFile, hasKey: fields.includes("key"), takesKey, range }];
});

const COMMANDS = [...new Set(ROWS.map(({ words }) => words.command))];
const COMMAND_TABLE = new NameTable(COMMANDS);

/** The row of each command, with a key and without one. */
const WITH_KEY = COMMANDS.map((command) => rowOf(command, true));
const WITHOUT_KEY = COMMANDS.map((command) => rowOf(command, false));

function rowOf(command: string, hasKey: boolean): Row {
  const rows = ROWS.filter(({ words }) => words.command === command);
  return rows.find((row) => row.hasKey === hasKey) ?? rows[0];
}

const encoder = new TextEncoder();
const SUCCESS = encoder.encode('{"success":true,"response":');
const FAILURE = encoder.encode('{"success":false,"response":');
const END = encoder.encode("}\r\n");

export class V1 implements Protocol {
  readonly name = "v1";
  readonly isBounded = false;
  readonly isPerFrame = true;
  readonly #requestLine: RequestLine;
  readonly #replies: JsonReplyWriter;
  readonly #access: Access;
  readonly #value = new Value();

  /** `requestLine` and `replies` may be shared with other protocols of the same codec. */
  constructor(requestLine: RequestLine, replies: JsonReplyWriter, access: Access) {
    this.#requestLine = requestLine;
    this.#replies = replies;
    this.#access = access;
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
    return requestLine.has(COMMAND) && !requestLine.has(MEMBER.v) && !requestLine.has(MEMBER.op);
  }

  decode(line: Line, request: Request, reply: Reply): boolean {
    const requestLine = this.#requestLine;
    if (!requestLine.scan(line)) return requestLine.refuse(reply);
    const { bytes } = line;
    if (!isAuthenticated(requestLine, bytes, this.#access, reply)) return false;
    const wrong = this.#wrongType();
    if (wrong !== null) return refuse(reply, wrong);
    const commandStart = requestLine.starts[COMMAND];
    const commandEnd = requestLine.ends[COMMAND];
    const command = COMMAND_TABLE.find(bytes, commandStart, commandEnd);
    if (command < 0) {
      reply.fail("unknown_command", "Unknown command ");
      reply.subject = bytes.slice(commandStart, commandEnd);
      return false;
    }
    const kind = requestLine.kinds[MEMBER_KEY];
    const row = (kind === INTEGER || kind === STRING ? WITH_KEY : WITHOUT_KEY)[command];
    if (!this.#access.allows(row.operation, reply)) return false;
    request.operation = row.operation;
    request.missing = row.words.missing ?? "refuse";
    request.touches = row.words.touches === true;
    request.isAwaited = row.words.isAwaited !== false;
    request.bytes = bytes;
    // Not as good as absent: a client that lost the key would reset or delete the whole tree.
    if (row.takesKey && (requestLine.seen[MEMBER_KEY] & 1 << NULL) !== 0) {
      return refuse(reply, mustBeInteger("key"));
    }
    if (row.hasKey && kind === STRING) {
      const fault = this.#value.of(requestLine, MEMBER_KEY, bytes).key("key");
      if (fault !== null) return refuse(reply, fault);
    }
    const missing = this.#fill(row, request);
    const nameBytes = request.nameEnd - request.nameStart;
    if (row.isFile && missing === null && (nameBytes === 0 || nameBytes > FILE_NAME_BYTES_MAX)) {
      return refuse(reply, "Field tree_name must name a dump file");
    }
    return missing === null || refuse(reply, `Field ${missing} is required`);
  }

  /** The sentence about the first member of a wrong type: all are checked, whatever the command. */
  #wrongType(): string | null {
    const { seen, kinds } = this.#requestLine;
    if (kinds[COMMAND] === ABSENT) return "Field command is required";
    if ((seen[COMMAND] & ~(1 << STRING)) !== 0) return "Field command must be a string";
    if ((seen[TREE_NAME] & ~(1 << STRING | 1 << NULL)) !== 0) {
      return "Field tree_name must be a string";
    }
    for (let member = MEMBER_KEY; member <= TIME_TO; member++) {
      const other = member === MEMBER_KEY ? 1 << STRING : 0;
      if ((seen[member] & ~(1 << INTEGER | 1 << NULL | other)) !== 0) {
        return mustBeInteger(RequestLine.nameOf(member));
      }
    }
    return null;
  }

  /** Fills in what the operation needs; the name of the first member that is missing, or null. */
  #fill({ hasName, hasKey, range }: Row, request: Request): string | null {
    const { kinds, starts, ends, lanes } = this.#requestLine;
    if (hasName && kinds[TREE_NAME] !== STRING) return "tree_name";
    request.nameStart = starts[TREE_NAME];
    request.nameEnd = ends[TREE_NAME];
    const hasText = kinds[MEMBER_KEY] === STRING;
    if (hasKey && !hasText && kinds[MEMBER_KEY] !== INTEGER) return "key";
    request.lanes[KEY] = hasText ? this.#value.lanes[0] : lanes[2 * MEMBER_KEY];
    request.lanes[KEY + 1] = hasText ? this.#value.lanes[1] : lanes[2 * MEMBER_KEY + 1];
    request.isNamed = hasKey && hasText && this.#value.isName;
    request.keyStart = starts[MEMBER_KEY];
    request.keyEnd = ends[MEMBER_KEY];
    request.lanes[VALUE] = 1;
    request.lanes[VALUE + 1] = 0;
    if (range === "no") return null;
    const hasFrom = kinds[TIME_FROM] === INTEGER;
    const hasTo = kinds[TIME_TO] === INTEGER;
    if (range === "may" && !hasFrom && !hasTo) return null;
    if (!hasFrom) return "time_from";
    if (!hasTo) return "time_to";
    request.hasRange = true;
    // Any number is a day here, but none is stored beyond DAY_MAX.
    const beyond = lanes[2 * TIME_FROM + 1] !== 0;
    request.dayFrom = beyond ? 1 : lanes[2 * TIME_FROM];
    request.dayTo = beyond ? 0 : lanes[2 * TIME_TO + 1] !== 0 ? DAY_MAX : lanes[2 * TIME_TO];
    return null;
  }

  encode(request: Request, reply: Reply, out: SendBuffer): void {
    if (reply.code === null) {
      out.raw(SUCCESS);
      this.#replies.write(reply, out);
      if (!reply.isWalked) out.raw(END);
      return;
    }
    out.raw(FAILURE);
    out.text('"');
    out.jsonText(encoder.encode(reply.text));
    if (reply.code === "not_found") out.text(' \\"');
    out.jsonText(reply.subject);
    if (reply.code === "not_found") out.text(`\\" ${request.operation.v1?.absent}`);
    out.text('"');
    out.raw(END);
  }

  more(request: Request, reply: Reply, out: SendBuffer): "more" | "end" {
    return this.#replies.more(request, reply, out);
  }

  encodeEnd(_request: Request, _reply: Reply, out: SendBuffer): void {
    out.raw(END);
  }
}

function mustBeInteger(member: string): string {
  return `Field ${member} must be an integer from 0 to 18446744073709551615`;
}

function refuse(reply: Reply, sentence: string): false {
  reply.fail("validation_error", sentence);
  return false;
}
