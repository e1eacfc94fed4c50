// Long replies. Those of protocol v2 are written whole before any of it is sent, since they may turn out to be too late or
// too long; those of protocol v1 are sent as they are written.
//
// Invariant: the first kind gives way as all long work does, a branch at a time; the second is written in the turns
// of its session.
// Trade-off: the first kind is held in memory until it is sent; `--max-response-bytes` bounds it.

import type { SendBuffer } from "../bytes/mod.ts";
import { pace } from "../host/mod.ts";
import { type CallContext, SEND_BYTES } from "./exchange.ts";
import type { Job, TurnBudget } from "./turn_budget.ts";

/** Writes all that a reply's walk tells, but for the end of the reply. */
export async function writeWhole(
  { request, reply, codec }: CallContext,
  out: SendBuffer,
): Promise<"end" | "timeout" | "too long"> {
  const rest = pace();
  while (codec.more(request, reply, out) === "more") {
    if (performance.now() > reply.deadline) return "timeout";
    if (codec.isTooLong(request, reply, out.length)) return "too long";
    await rest();
  }
  return "end";
}

/** Writes and sends all that a reply's walk tells, but for the end of the reply; returns the session's tag. */
export async function stream(
  records: CallContext,
  out: SendBuffer,
  turnBudget: TurnBudget,
  tag: number,
  flush: () => Promise<void>,
): Promise<number> {
  const writing = new Writing(records, out, turnBudget, tag);
  for (;; await flush()) {
    await turnBudget.run(writing);
    if (writing.isOver) return writing.tag;
  }
}

/** Writes as much at a time as is sent at once. */
class Writing implements Job {
  readonly #records: CallContext;
  readonly #out: SendBuffer;
  readonly #turnBudget: TurnBudget;
  tag: number;
  isOver = false;

  constructor(records: CallContext, out: SendBuffer, turnBudget: TurnBudget, tag: number) {
    this.#records = records;
    this.#out = out;
    this.#turnBudget = turnBudget;
    this.tag = tag;
  }

  work(): void {
    const { request, reply, codec } = this.#records;
    const out = this.#out;
    const before = out.length;
    while (!this.isOver && out.length < SEND_BYTES) {
      this.isOver = codec.more(request, reply, out) === "end";
    }
    this.#turnBudget.spend(out.length - before);
  }
}
