// Receipts: what a request was charged and where, so that it can be refunded once.
//
// Invariant: a receipt is kept as an idempotency record is, for as long, in the WAL and in dumps. A refund and the
// note that it was made are one group of the WAL. A refund takes at most what was charged and what the day still
// holds, and only from the tree that was charged, not from a later tree of the same name. Its reply says what it
// took. An unknown or expired receipt refunds nothing.

import { highLane, lowLane, u64ToBigInt } from "../bytes/mod.ts";
import {
  COST,
  type Data,
  fineWindowOf,
  type Limits,
  type Reply,
  type ReplyBound,
  type Request,
  SUBJECT,
} from "../command/mod.ts";
import {
  type AgeClock,
  answerWords,
  type DedupState,
  IDEMPOTENCY_RECORD,
  writeAnswer,
} from "../idempotency/mod.ts";
import { isApplied, NamedCounters, type StateWriter } from "../state/mod.ts";
import type { Forest, Tree } from "../tree/mod.ts";
import type { FineCounters } from "./fine_counters.ts";

/** The first byte of a receipt's key. UTF-8 has no such byte, so no idempotency key of a client begins with it. */
const PREFIX = 0xff;

/** The most bytes of one charge in JSON, without its series, which may need escapes. */
const CHARGE_BYTES = 128;

const encoder = new TextEncoder();
const decoder = new TextDecoder("utf-8", { ignoreBOM: true });
const NO_PRINT = new Uint32Array(4);

interface Charge {
  readonly series: string;
  /** The tree's serial. Receipts of older versions have none; the name decides for them. */
  readonly serial?: number;
  readonly key: string;
  /** Whether the key is a name. */
  readonly isName?: true;
  /** What was charged; after the refund, what was given back. */
  readonly amount: string;
  /** What was charged below the day, until it is refunded: windows by their ids, and the cells in them. */
  readonly fine?: readonly {
    readonly id: string;
    readonly cell: number;
    readonly amount: string;
  }[];
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
  readonly #ages: AgeClock;
  readonly #fine: FineCounters;
  readonly #bound: ReplyBound;
  readonly #named: NamedCounters;

  constructor(
    forest: Forest,
    dedup: DedupState,
    stateWriter: StateWriter,
    ages: AgeClock,
    fine: FineCounters,
    bound: ReplyBound,
  ) {
    this.#forest = forest;
    this.#dedup = dedup;
    this.#stateWriter = stateWriter;
    this.#ages = ages;
    this.#fine = fine;
    this.#bound = bound;
    this.#named = new NamedCounters(forest, stateWriter);
  }

  /** The most bytes that a receipt takes in the WAL. */
  bytesMax({ limits }: Request): number {
    let bytes = CHARGE_BYTES;
    for (let index = 0; index < limits.count; index++) {
      bytes += CHARGE_BYTES +
        6 * (limits.name(index).length + (limits.keyName(index)?.length ?? 0));
      if (limits.fine(index) !== null) bytes += CHARGE_BYTES;
    }
    return bytes;
  }

  /** Whether there is memory for a receipt of this many bytes. */
  hasMemory(bytes: number): boolean {
    return this.#dedup.records.hasRoom(Math.ceil(bytes / 4));
  }

  /** Keeps what was just charged, and returns the text of the receipt. There must be room for `bytesMax`. */
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
        ...keyOfLimit(limits, index),
        amount: String(u64ToBigInt(lo, hi)),
        fine: limits.fineCount > 0 ? this.#fineCharges(limits, index, lo, hi) : undefined,
      });
    }
    const text = crypto.randomUUID();
    this.#keep(text, { day, charges, isRefunded: false }, this.#ages.seconds());
    return text;
  }

  /** What the limits on the counter of one charge below the day. */
  #fineCharges(limits: Limits, first: number, lo: number, hi: number): Charge["fine"] {
    const name = limits.name(first);
    const owner = this.#forest.find(name, 0, name.length);
    const [keyLo, keyHi] = [limits.lo(first, SUBJECT), limits.hi(first, SUBJECT)];
    const charges = [];
    for (let index = first; index < limits.count; index++) {
      const window = limits.fine(index);
      if (window === null || limits.first(index) !== first || limits.isFineCharged(index)) continue;
      const tree = limits.keyName(first) === null ? owner! : owner!.named!;
      const cell = this.#fine.cellOf(window, tree, keyLo, keyHi);
      charges.push({ id: window.id, cell, amount: String(u64ToBigInt(lo, hi)) });
    }
    return charges;
  }

  /** Refunds a receipt, unless that has been done; then it repeats the reply. */
  refund(request: Request, reply: Reply): void {
    const text = request.text("receipt");
    const { records: answers } = this.#dedup;
    const key = keyOf(text);
    const isKnown = answers.find(key, 0, key.length, this.#ages.seconds());
    // A client's key that is not UTF-8 may begin with PREFIX too; its answers have fingerprints.
    if (!isKnown || answers.fingerprint.some((word) => word !== 0)) {
      return reply.notFound("Receipt", encoder.encode(text));
    }
    const { created } = answers;
    const receipt = JSON.parse(decoder.decode(answers.response)) as Receipt;
    const { day, isRefunded } = receipt;
    const charges = receipt.charges.map((charge) => {
      const back = isRefunded ? BigInt(charge.amount) : this.#refundable(charge, day);
      return { ...charge, amount: String(back), fine: undefined };
    });
    reply.object({ refunded: !isRefunded, day, charges: charges.map(toldOf) });
    reply.isKept = false; // the receipt itself makes a refund idempotent
    if (isRefunded || !this.#bound.fits(reply)) return;
    const bytes = charges.reduce((sum, { series, key }) => {
      return sum + 6 * (series.length + key.length) + CHARGE_BYTES;
    }, 512);
    const fine = receipt.charges.reduce((sum, charge) => sum + (charge.fine?.length ?? 0), 0);
    const amounts = charges.length + 2 * fine;
    if (!isApplied(this.#stateWriter.reserve(1, bytes, amounts) ? "done" : "full", reply)) return;
    this.#stateWriter.undo.begin();
    for (const charge of receipt.charges) this.#refundFine(charge);
    this.#stateWriter.undo.end();
    for (const charge of charges) {
      const back = BigInt(charge.amount);
      if (back === 0n) continue;
      const [tree, keyLo, keyHi] = this.#counterOf(charge, this.#forest.named(charge.series)!)!;
      this.#stateWriter.subtract(tree, keyLo, keyHi, day, lowLane(back), highLane(back));
    }
    this.#keep(text, { day, charges, isRefunded: true }, created);
  }

  /** Gives back what was charged below the day, where that is still seen. */
  #refundFine(charge: Charge): void {
    const owner = this.#chargedTree(charge);
    const counter = owner === null ? null : this.#counterOf(charge, owner);
    if (counter === null) return;
    const [tree, keyLo, keyHi] = counter;
    for (const { id, cell, amount } of charge.fine ?? []) {
      const window = fineWindowOf(id);
      const [lo, hi] = [lowLane(BigInt(amount)), highLane(BigInt(amount))];
      if (window !== null) this.#fine.refund(window, tree, keyLo, keyHi, cell, lo, hi);
    }
  }

  /** The tree that was charged; null: it is gone. */
  #chargedTree({ series, serial }: Charge): Tree | null {
    const tree = this.#forest.named(series);
    return tree === null || serial !== undefined && serial !== tree.serial ? null : tree;
  }

  /** How much of a charge can still be refunded. */
  #refundable(charge: Charge, day: number): bigint {
    const { amount } = charge;
    const tree = this.#chargedTree(charge);
    if (tree === null) return 0n;
    const counter = this.#counterOf(charge, tree);
    if (counter === null) return 0n;
    const [counters, keyLo, keyHi] = counter;
    const held = new Uint32Array(2);
    counters.sum(keyLo, keyHi, day, day, held);
    const left = u64ToBigInt(held[0], held[1]);
    return left < BigInt(amount) ? left : BigInt(amount);
  }

  /** Where the counter of a charge is, and its key there; null: there is none of that name. */
  #counterOf(
    { key, isName }: Charge,
    owner: Tree,
  ): [tree: Tree, keyLo: number, keyHi: number] | null {
    if (isName !== true) return [owner, lowLane(BigInt(key)), highLane(BigInt(key))];
    const [name, id] = [encoder.encode(key), new Uint32Array(2)];
    const tree = this.#named.find(owner, name, 0, name.length, id);
    return tree === null ? null : [tree, id[0], id[1]];
  }

  #keep(text: string, receipt: Receipt, created: number): void {
    const key = keyOf(text);
    const response = encoder.encode(JSON.stringify(receipt));
    const words = new Uint32Array(answerWords(key.length, response.length));
    writeAnswer(words, 0, created, 0, NO_PRINT, key, 0, key.length, response);
    this.#stateWriter.note(IDEMPOTENCY_RECORD, new Uint8Array(words.buffer));
  }
}

function toldOf({ series, key, isName, amount }: Charge): Data {
  return { series, key: isName === true ? key : BigInt(key), amount: BigInt(amount) };
}

function keyOfLimit(limits: Limits, index: number): Pick<Charge, "key" | "isName"> {
  const name = limits.keyName(index);
  if (name !== null) return { key: decoder.decode(name), isName: true };
  return { key: String(u64ToBigInt(limits.lo(index, SUBJECT), limits.hi(index, SUBJECT))) };
}

function keyOf(text: string): Uint8Array {
  const bytes = encoder.encode(text);
  const key = new Uint8Array(Math.min(bytes.length + 1, 256));
  key[0] = PREFIX;
  key.set(bytes.subarray(0, key.length - 1), 1);
  return key;
}
