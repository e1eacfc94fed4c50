// Long replies, and those that take time. Those of protocol v2 are written whole before any of it is sent, since they
// may turn out to be too late or too long; those of protocol v1 are sent as they are written.
//
// Invariant: the first kind gives way as all long work does, a branch at a time; the second is written in the turns
// of its session.
// Trade-off: the first kind is held in memory until it is sent; `--max-response-bytes` bounds it.

import type { SendBuffer } from "../bytes/mod.ts";
import { pace } from "../host/mod.ts";
import type { Backend } from "./backend.ts";
import { type CallContext, type Exchange, SEND_BYTES } from "./exchange.ts";
import type { Payer } from "./in_turn.ts";
import type { Job, TurnBudget } from "./turn_budget.ts";

/** Sends what was answered before a reply that takes time or is long, the one that `exchange` keeps, and completes it. */
export async function complete(
  exchange: Exchange,
  backend: Backend,
  turnBudget: TurnBudget,
  payer: Payer,
  flush: (exchange: Exchange) => Promise<void>,
): Promise<void> {
  const kept = exchange.kept!;
  const { request, reply, codec } = kept;
  const { pending } = reply;
  const began = performance.now();
  try {
    await flush(exchange);
  } finally {
    await pending; // it fills in the reply, which must stay ours until then
  }
  codec.encode(request, reply, exchange.out);
  if (reply.isWalked) {
    await walk(kept, exchange.out, backend, turnBudget, payer, () => flush(exchange));
  }
  if (reply.code !== null) backend.statistics.errors++;
  backend.statistics.turn(1, performance.now() - began);
}

/** Writes the rest of a reply about a whole tree, a branch at a time. */
async function walk(
  records: CallContext,
  out: SendBuffer,
  backend: Backend,
  turnBudget: TurnBudget,
  payer: Payer,
  flush: () => Promise<void>,
): Promise<void> {
  const { request, reply, codec } = records;
  if (!request.isBounded) { // however long it is, it is sent
    payer.tag = await stream(records, out, turnBudget, payer.tag, flush);
    return codec.encodeEnd(request, reply, out, 0);
  }
  const end = await backend.read(reply.deadline, () => writeWhole(records, out));
  if (end === "end") return codec.encodeEnd(request, reply, out, 0);
  if (end === "timeout") backend.timeOut(reply);
  codec.refuse(request, reply, out, 0);
}

/** Writes all that a reply's walk tells, but for the end of the reply. */
async function writeWhole(
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
async function stream(
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
