// Receipts: what was charged where, so that it can be given back, once.
//
// Invariant: a receipt is kept among the answers, and so for as long as they are, in the log and in
// dumps; what is given back, and that it was, are one group of the log. A refund takes no more than
// was charged, nor more than the day still holds, and only from the tree that was charged: not from
// another one that has its name by now. It answers what it took. A receipt that is not known (any
// more) gives nothing back.

import { highLane, lowLane, u64ToBigInt } from "../bytes/mod.ts";
import {
  COST,
  type Data,
  type Reply,
  type ReplyBound,
  type Request,
  SUBJECT,
} from "../command/mod.ts";
import type { Clock } from "../host/mod.ts";
import {
  answerWords,
  type DedupState,
  IDEMPOTENCY_RECORD,
  writeAnswer,
} from "../idempotency/mod.ts";
import { isApplied, type StateWriter } from "../state/mod.ts";
import type { Forest } from "../tree/mod.ts";

/** What the key of a receipt begins with: no text does, and so no client's idempotency key. */
const PREFIX = 0xff;

/** Of one charge, beside its series, which may be escaped. */
const CHARGE_BYTES = 128;

const encoder = new TextEncoder();
const decoder = new TextDecoder();
const NO_PRINT = new Uint32Array(4);

interface Charge {
  readonly series: string;
  /** The tree's serial; receipts of before it was kept have none, and go by the name. */
  readonly serial?: number;
  readonly key: string;
  /** What was charged; once it is refunded, what was given back. */
  readonly amount: string;
}

interface Receipt {
  readonly day: number;
  readonly charges: readonly Charge[];
  readonly isRefunded: boolean;
}

export class Receipts {
  readonly #forest: Forest;
  readonly #dedup: DedupState;
  readonly #stateWriter: StateWriter;
  readonly #clock: Clock;
  readonly #bound: ReplyBound;

  constructor(
    forest: Forest,
    dedup: DedupState,
    stateWriter: StateWriter,
    clock: Clock,
    bound: ReplyBound,
  ) {
    this.#forest = forest;
    this.#dedup = dedup;
    this.#stateWriter = stateWriter;
    this.#clock = clock;
    this.#bound = bound;
  }

  /** The most bytes that a receipt takes in the log. */
  bytesMax({ limits }: Request): number {
    let bytes = CHARGE_BYTES;
    for (let index = 0; index < limits.count; index++) {
      bytes += CHARGE_BYTES + 6 * limits.name(index).length;
    }
    return bytes;
  }

  /** Whether there is memory for a receipt of so many bytes. */
  hasMemory(bytes: number): boolean {
    return this.#dedup.records.hasRoom(Math.ceil(bytes / 4));
  }

  /** Notes what was just charged; returns the receipt's text. There must be room (`bytesMax`). */
  issue(request: Request, day: number, applied: Uint32Array): string {
    const { limits, mode } = request;
    const charges: Charge[] = [];
    for (let index = 0; index < limits.count; index++) {
      if (limits.first(index) < index) continue;
      const isPart = mode === "saturate";
      const lo = isPart ? applied[0] : limits.lo(index, COST);
      const hi = isPart ? applied[1] : limits.hi(index, COST);
      const name = limits.name(index);
      charges.push({
        series: decoder.decode(name),
        serial: this.#forest.find(name, 0, name.length)?.serial,
        key: String(u64ToBigInt(limits.lo(index, SUBJECT), limits.hi(index, SUBJECT))),
        amount: String(u64ToBigInt(lo, hi)),
      });
    }
    const text = crypto.randomUUID();
    this.#keep(text, { day, charges, isRefunded: false }, this.#seconds());
    return text;
  }

  /** Gives back what a receipt is for, unless that was done. */
  refund(request: Request, reply: Reply): void {
    const text = request.text("receipt");
    const { records: answers } = this.#dedup;
    const key = keyOf(text);
    const isKnown = answers.find(key, 0, key.length, this.#seconds());
    // Bytes that are no text may be a client's key and begin as ours do; its answers have fingerprints.
    if (!isKnown || answers.fingerprint.some((word) => word !== 0)) {
      return reply.notFound("Receipt", encoder.encode(text));
    }
    const { created } = answers;
    const receipt = JSON.parse(decoder.decode(answers.response)) as Receipt;
    const { day, isRefunded } = receipt;
    const charges = receipt.charges.map((charge) => {
      const back = isRefunded ? BigInt(charge.amount) : this.#refundable(charge, day);
      return { ...charge, amount: String(back) };
    });
    reply.object({ refunded: !isRefunded, day, charges: charges.map(toldOf) });
    reply.isKept = false; // a receipt is used up once, and needs no key for that
    if (isRefunded || !this.#bound.fits(reply)) return;
    const bytes = charges.reduce((sum, { series }) => sum + 6 * series.length + CHARGE_BYTES, 512);
    if (!isApplied(this.#stateWriter.reserve(1, bytes, charges.length) ? "done" : "full", reply)) {
      return;
    }
    for (const { series, key, amount } of charges) {
      const [back, number] = [BigInt(amount), BigInt(key)];
      if (back === 0n) continue;
      const tree = this.#forest.named(series)!;
      const [keyLo, keyHi] = [lowLane(number), highLane(number)];
      this.#stateWriter.subtract(tree, keyLo, keyHi, day, lowLane(back), highLane(back));
    }
    this.#keep(text, { day, charges, isRefunded: true }, created);
  }

  /** How much of a charge can be given back now. */
  #refundable({ series, serial, key, amount }: Charge, day: number): bigint {
    const tree = this.#forest.named(series);
    if (tree === null || serial !== undefined && serial !== tree.serial) return 0n;
    const held = new Uint32Array(2);
    tree.sum(lowLane(BigInt(key)), highLane(BigInt(key)), day, day, held);
    const left = u64ToBigInt(held[0], held[1]);
    return left < BigInt(amount) ? left : BigInt(amount);
  }

  #keep(text: string, receipt: Receipt, created: number): void {
    const key = keyOf(text);
    const response = encoder.encode(JSON.stringify(receipt));
    const words = new Uint32Array(answerWords(key.length, response.length));
    writeAnswer(words, 0, created, 0, NO_PRINT, key, 0, key.length, response);
    this.#stateWriter.note(IDEMPOTENCY_RECORD, new Uint8Array(words.buffer));
  }

  #seconds(): number {
    return Math.floor(this.#clock.now() / 1000);
  }
}

function toldOf({ series, key, amount }: Charge): Data {
  return { series, key: BigInt(key), amount: BigInt(amount) };
}

function keyOf(text: string): Uint8Array {
  const bytes = encoder.encode(text);
  const key = new Uint8Array(Math.min(bytes.length + 1, 256));
  key[0] = PREFIX;
  key.set(bytes.subarray(0, key.length - 1), 1);
  return key;
}
