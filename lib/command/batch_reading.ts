// Batch reading: the items of a request are read one after the other, and if that takes long, others are served
// in between.
//
// Invariant: items are read in their order, each as it is at that moment; the reply is complete when all are.
// Trade-off: the clock tells what is long, whatever the items touch, and is looked at once in some items: each look
// costs as much as half a sum.

import type { Reply } from "./reply.ts";
import { pace } from "../host/mod.ts";

/** What is read for so long, goes on in slices of turns. */
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
