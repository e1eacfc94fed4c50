// Batch reading: reads the items of a request one after the other, and gives way to other requests if that
// takes long.
//
// Invariant: items are read in order, each as it is at that moment; the reply is complete when all have been read.
// Trade-off: time decides what is long, whatever the items touch. The clock is read once for several items, since
// reading it costs as much as half a sum.

import type { Reply } from "./reply.ts";
import { pace } from "../host/mod.ts";

/** Reading that takes longer goes on in slices of later turns. */
const AT_ONCE_MS = 2;

/**
 * Reads so many items, then ends; looks at the clock after every `stride` of them. `read` returns false if
 * there is nothing more to do.
 */
export function readBatch(
  reply: Reply,
  count: number,
  stride: number,
  read: (index: number) => boolean,
  end: () => void,
): void {
  const until = count > stride ? performance.now() + AT_ONCE_MS : Infinity;
  for (let from = 0; from < count; from += stride) {
    if (from > 0 && performance.now() > until) {
      reply.pending = readRest(from, count, stride, read, end);
      return;
    }
    if (!readSome(from, Math.min(count, from + stride), read)) return;
  }
  end();
}

async function readRest(
  from: number,
  count: number,
  stride: number,
  read: (index: number) => boolean,
  end: () => void,
): Promise<void> {
  const rest = pace();
  for (; from < count; from += stride) {
    await rest();
    if (!readSome(from, Math.min(count, from + stride), read)) return;
  }
  end();
}

function readSome(from: number, to: number, read: (index: number) => boolean): boolean {
  for (let index = from; index < to; index++) if (!read(index)) return false;
  return true;
}
