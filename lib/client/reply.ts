// Requests and replies of protocol v2 as lines, for a client.
//
// Invariant: a response is kept as the text that came, so that its integers are exact; only who wants data parses it,
// and then integers that a number cannot hold are bigints.

import { HostError } from "../errors.ts";

/** What a reply says. */
export interface Answer {
  /** The whole line. */
  readonly line: string;
  /** The stable code of an error; null: it was done. */
  readonly code: string | null;
  /** The response as JSON; of an error, its sentence. */
  readonly response: string;
}

/** A request that the server refused, with its stable code. */
export class RefusedError extends Error {
  override name = "RefusedError";
  readonly code: string;

  constructor(code: string, sentence: string) {
    super(`${code}: ${sentence}`);
    this.code = code;
  }
}

const encoder = new TextEncoder();
const decoder = new TextDecoder();

/** What stands before a response; the members of a reply come in one order, without spaces. */
const DONE = '{"protocol_version":2,"success":true,"response":';
const END = /(?:,"idempotent":(?:true|false))?,"error_code":null\}$/;

/** The line of a request, with its line end. `token` is null where there is none. */
export function requestLine(
  op: string,
  fields: Readonly<Record<string, unknown>>,
  token: string | null,
): Uint8Array<ArrayBuffer> {
  const shown = token === null ? {} : { token };
  return encoder.encode(JSON.stringify({ v: 2, op, ...shown, ...fields }) + "\n");
}

/**
 * Reads the line of a reply.
 *
 * @throws {HostError} If it is none of protocol v2
 */
export function readAnswer(bytes: Uint8Array<ArrayBuffer>): Answer {
  const line = decoder.decode(bytes);
  const end = line.startsWith(DONE) ? END.exec(line) : null;
  if (end !== null) return { line, code: null, response: line.slice(DONE.length, end.index) };
  try {
    const { success, response, error_code: code } = JSON.parse(line);
    if (success === false && typeof code === "string") return { line, code, response };
    throw new Error(line.slice(0, 200));
  } catch (error) {
    throw new HostError("What answers is not Karma", error);
  }
}

/**
 * The data of a response.
 *
 * @throws {RefusedError} If it is an error
 */
export function dataOf({ code, response }: Answer): unknown {
  if (code !== null) throw new RefusedError(code, response);
  return JSON.parse(response, (_, value, context?: { source: string }) => {
    const isExact = typeof value !== "number" || Number.isSafeInteger(value);
    const source = context?.source ?? "";
    return isExact || !/^-?\d+$/.test(source) ? value : BigInt(source);
  });
}
