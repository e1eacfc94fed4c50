// Known heads: what the head of a request means, of those that one connection has sent before.
//
// Clients send the same head again and again, to the byte, with other bodies of the same length. What the runtime has
// once made of a head it would make of it again, so a request with such a head need not be relayed to it.
//
// Invariant: a head is learned only if the runtime has understood it, as the first and only thing that was sent, and
// its end is beyond doubt: an empty line, no line before which ends without a carriage return. Heads of others' connections
// are none of ours: they have tokens in them, and the time of a comparison would tell of those.
// Trade-off: a connection remembers HEADS_MAX heads, the oldest of which goes for a new one.

import { equals } from "../../bytes/mod.ts";
import type { Envelope } from "../../protocol/mod.ts";

/** As many as lengths of bodies that one client's requests commonly have. */
const HEADS_MAX = 8;

/** Longer ones, and those of longer bodies, are not worth remembering. */
const HEAD_BYTES_MAX = 1024;
const BODY_BYTES_MAX = 1024;

const LINE_FEED = 10;
const CARRIAGE_RETURN = 13;

/** What the runtime has made of a head, and we of that. */
export interface Meaning {
  readonly envelope: Envelope;
  /** How many bytes come behind the head. */
  readonly bodyBytes: number;
  readonly wants429: boolean;
  /** Headers of the response, beside those that all have. */
  readonly extra: readonly (readonly [name: string, value: string])[];
}

export interface Head extends Meaning {
  readonly bytes: Uint8Array;
}

export class KnownHeads {
  readonly #heads: Head[] = [];
  #next = 0;

  /** Finds the head that bytes[start..end) begin with; "part": they may, once more has come. */
  find(bytes: Uint8Array, start: number, end: number): Head | "part" | null {
    let isPart = false;
    for (const head of this.#heads) {
      const length = Math.min(head.bytes.length, end - start);
      if (length < head.bytes.length) {
        isPart ||= equals(head.bytes.subarray(0, length), bytes, start, end);
      } else if (equals(head.bytes, bytes, start, start + length)) return head;
    }
    return isPart ? "part" : null;
  }

  /** Learns what a request means. False: it is not known where its head ends, or it is too long. */
  learn(request: Uint8Array, meaning: Meaning): boolean {
    const length = headBytes(request);
    const isWhole = length > 0 && request.length === length + meaning.bodyBytes;
    if (!isWhole || length > HEAD_BYTES_MAX || meaning.bodyBytes > BODY_BYTES_MAX) return false;
    this.#heads[this.#next] = { ...meaning, bytes: request.slice(0, length) };
    this.#next = (this.#next + 1) % HEADS_MAX;
    return true;
  }
}

/** Whether the headers of a request are such that its head says all about it. */
export function isPlain({ headers, method }: Request): boolean {
  const isAlone = !headers.has("transfer-encoding") && !headers.has("expect") &&
    !headers.has("upgrade");
  const stays = (headers.get("connection") ?? "keep-alive").toLowerCase() === "keep-alive";
  return method === "POST" && isAlone && stays &&
    /^\d{1,4}$/.test(headers.get("content-length") ?? "");
}

/** How long the head of a request of HTTP/1.1 is, its empty line included; 0: that is not beyond doubt. */
export function headBytes(bytes: Uint8Array): number {
  let lineStart = 0;
  for (let at = 0; at < bytes.length; at++) {
    if (bytes[at] !== LINE_FEED) continue;
    if (at === 0 || bytes[at - 1] !== CARRIAGE_RETURN) return 0;
    if (lineStart === 0 && !isRequestLine(bytes.subarray(0, at - 1))) return 0;
    if (at - 1 === lineStart) return at + 1;
    lineStart = at + 1;
  }
  return 0;
}

const decoder = new TextDecoder("latin1");

/** Whether a line begins a request with a body, over a connection that stays. */
function isRequestLine(line: Uint8Array): boolean {
  return /^POST \S+ HTTP\/1\.1$/.test(decoder.decode(line));
}
