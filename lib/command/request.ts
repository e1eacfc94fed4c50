// One request, decoded: the record that a dialect fills and the engine carries out.
//
// It is reused, so nothing is allocated for a request. Invariant: what the operation needs is there
// and valid; the tree's name is a span of `bytes`, the receive buffer, and so good until the next read.

import { type Operation, OPERATIONS } from "./operation.ts";

// Where the lanes of a field are in `lanes`.
export const KEY = 0;

/** The last day that there is: days are unsigned 32-bit numbers, dates as YYYYMMDD among them. */
export const DAY_MAX = 0xffffffff;

export class Request {
  operation: Operation = OPERATIONS[0];
  bytes: Uint8Array<ArrayBufferLike> = new Uint8Array(0);
  /** The span of the tree's name, or of the dump's file name. */
  nameStart = 0;
  nameEnd = 0;
  /** The low and high lane of each number: `lanes[KEY]`, `lanes[KEY + 1]`. */
  readonly lanes = new Uint32Array(2);
  /** The days asked for, both included; an empty range has `dayFrom` above `dayTo`. */
  dayFrom = 0;
  dayTo = DAY_MAX;
}
