// Protocol v1, what the clients of the first Karma speak: `{"command":"sum","tree_name":"t","key":1}`
// answered by `{"success":true,"response":3}` and CR LF.
//
// The original's words and answers, but where it was wrong: see docs/architecture.md.

import { INTEGER, NULL, STRING } from "../bytes/json_scanner.ts";
import { NameTable } from "../bytes/name_table.ts";
import type { SendBuffer } from "../bytes/send_buffer.ts";
import { type Operation, OPERATIONS } from "../command/operation.ts";
import type { Reply } from "../command/reply.ts";
import { DAY_MAX, KEY, type Request } from "../command/request.ts";
import { COMMAND, MEMBER_KEY, Members, TIME_FROM, TIME_TO, TREE_NAME } from "./members.ts";
import { writeResponse } from "./response.ts";

const COMMANDS = [...new Set(OPERATIONS.map(({ v1 }) => v1.command))];
const COMMAND_TABLE = new NameTable(COMMANDS);

/** The operation of each command, with a key and without one. */
const WITH_KEY = COMMANDS.map((command) => rowOf(command, true));
const WITHOUT_KEY = COMMANDS.map((command) => rowOf(command, false));

function rowOf(command: string, hasKey: boolean): Operation {
  const rows = OPERATIONS.filter(({ v1 }) => v1.command === command);
  return rows.find(({ key }) => (key === "yes") === hasKey) ?? rows[0];
}

const encoder = new TextEncoder();
const SUCCESS = encoder.encode('{"success":true,"response":');
const FAILURE = encoder.encode('{"success":false,"response":');
const END = encoder.encode("}\r\n");

export class V1 {
  readonly #members = new Members();

  /** Decodes the line bytes[start..end). False: `reply` tells why not. */
  decode(
    bytes: Uint8Array,
    start: number,
    end: number,
    request: Request,
    reply: Reply,
  ): boolean {
    const members = this.#members;
    if (!members.scan(bytes, start, end)) {
      const code = members.fault.startsWith("Invalid") ? "invalid_json" : "validation_error";
      reply.fail(code, members.fault);
      return false;
    }
    const wrong = this.#wrongType();
    if (wrong !== null) {
      reply.fail("validation_error", wrong);
      return false;
    }
    const commandStart = members.starts[COMMAND];
    const commandEnd = members.ends[COMMAND];
    const command = COMMAND_TABLE.find(bytes, commandStart, commandEnd);
    if (command < 0) {
      reply.fail("unknown_command", "Unknown command ");
      reply.subject = bytes.slice(commandStart, commandEnd);
      return false;
    }
    const rows = members.kinds[MEMBER_KEY] === INTEGER ? WITH_KEY : WITHOUT_KEY;
    request.operation = rows[command];
    request.bytes = bytes;
    const missing = this.#fill(request);
    if (missing === null) return true;
    reply.fail("validation_error", `Field ${missing} is required`);
    return false;
  }

  /** The sentence about the first member of a wrong type: all are checked, whatever the command. */
  #wrongType(): string | null {
    const { seen, kinds } = this.#members;
    if (kinds[COMMAND] === 0) return "Field command is required";
    if ((seen[COMMAND] & ~(1 << STRING)) !== 0) return "Field command must be a string";
    if ((seen[TREE_NAME] & ~(1 << STRING | 1 << NULL)) !== 0) {
      return "Field tree_name must be a string";
    }
    for (let member = MEMBER_KEY; member <= TIME_TO; member++) {
      if ((seen[member] & ~(1 << INTEGER | 1 << NULL)) !== 0) {
        return `Field ${Members.nameOf(member)} must be an integer from 0 to 18446744073709551615`;
      }
    }
    return null;
  }

  /** Fills in what the operation needs; the name of the first member that is missing, or null. */
  #fill(request: Request): string | null {
    const { kinds, starts, ends, lanes } = this.#members;
    const { tree, key, range } = request.operation;
    if (tree !== "no" && kinds[TREE_NAME] !== STRING) return "tree_name";
    request.nameStart = starts[TREE_NAME];
    request.nameEnd = ends[TREE_NAME];
    if (key === "yes" && kinds[MEMBER_KEY] !== INTEGER) return "key";
    request.lanes[KEY] = lanes[2 * MEMBER_KEY];
    request.lanes[KEY + 1] = lanes[2 * MEMBER_KEY + 1];
    request.dayFrom = 0;
    request.dayTo = DAY_MAX;
    if (range === "no") return null;
    const hasFrom = kinds[TIME_FROM] === INTEGER;
    const hasTo = kinds[TIME_TO] === INTEGER;
    if (range === "may" && !hasFrom && !hasTo) return null;
    if (!hasFrom) return "time_from";
    if (!hasTo) return "time_to";
    // Any number is a day here, but none is stored beyond DAY_MAX.
    const beyond = lanes[2 * TIME_FROM + 1] !== 0;
    request.dayFrom = beyond ? 1 : lanes[2 * TIME_FROM];
    request.dayTo = beyond ? 0 : lanes[2 * TIME_TO + 1] !== 0 ? DAY_MAX : lanes[2 * TIME_TO];
    return null;
  }

  /** Writes a whole reply, or the beginning of one with a walk (see `more`). */
  encode(request: Request, reply: Reply, out: SendBuffer): void {
    if (reply.code === null) {
      out.raw(SUCCESS);
      writeResponse(reply, out);
      if (reply.walk === null) out.raw(END);
      return;
    }
    out.raw(FAILURE);
    out.text('"');
    out.jsonText(encoder.encode(reply.text));
    if (reply.code === "not_found") out.text(' \\"');
    out.jsonText(reply.subject);
    if (reply.code === "not_found") out.text(`\\" ${request.operation.v1.missing}`);
    out.text('"');
    out.raw(END);
  }

  /** Writes the end of a reply with a walk. */
  encodeEnd(out: SendBuffer): void {
    out.raw(END);
  }
}
