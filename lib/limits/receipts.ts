// Receipts: what a request was charged and where, so that it can be refunded once, or in parts.
//
// Invariant: a receipt is kept as an idempotency record is, for as long, in the WAL and in dumps. A refund and the
// note that it was made are one group of the WAL. All refunds of a receipt together take at most what was charged, each
// at most what the day still holds, and only from the tree that was charged, not from a later tree of the same name.
// The reply says what was taken. An unknown or expired receipt refunds nothing.

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
  /** What was charged; after a refund of all, what was given back. */
  readonly amount: string;
  /** How much of it refunds of parts have asked for so far, and how much of that they could give back. */
  readonly back?: string;
  readonly given?: string;
  /** Where below the day it was charged, until all is refunded: windows by their ids, and the cells in them. */
  readonly fine?: readonly { readonly id: string; readonly cell: number }[];
}

/** What a refund takes of a charge. */
interface Refund {
  readonly charge: Charge;
  readonly due: bigint;
  /** Likewise, of what the day holds: after a decrement it may be less. */
  readonly given: bigint;
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
        fine: limits.fineCount > 0 ? this.#fineCharges(limits, index) : undefined,
      });
    }
    const text = crypto.randomUUID();
    this.#keep(text, { day, charges, isRefunded: false }, this.#ages.seconds());
    return text;
  }

  /** Where the limits on the counter of one charge below the day. */
  #fineCharges(limits: Limits, first: number): Charge["fine"] {
    const name = limits.name(first);
    const owner = this.#forest.find(name, 0, name.length);
    const [keyLo, keyHi] = [limits.lo(first, SUBJECT), limits.hi(first, SUBJECT)];
    const charges = [];
    for (let index = first; index < limits.count; index++) {
      const window = limits.fine(index);
      if (window === null || limits.first(index) !== first || limits.isFineCharged(index)) continue;
      const tree = limits.keyName(first) === null ? owner! : owner!.named!;
      const cell = this.#fine.cellOf(window, tree, keyLo, keyHi);
      charges.push({ id: window.id, cell });
    }
    return charges;
  }

  /** Refunds a receipt, or a part of it; one that was refunded whole repeats what was given back. */
  refund(request: Request, reply: Reply): void {
    const text = request.text("receipt");
    const part = (request.details.get("refund") ?? null) as bigint | null;
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
    const refunds = isRefunded ? [] : receipt.charges.map((charge) => {
      return this.#refundOf(charge, part, day);
    });
    const told = isRefunded ? receipt.charges : refunds.map(({ charge, given }) => {
      return { ...charge, amount: String(given) };
    });
    reply.object({ refunded: !isRefunded, day, charges: told.map(toldOf) });
    reply.isKept = part !== null; // of all, the receipt itself makes a refund idempotent
    if (isRefunded || !this.#bound.fits(reply)) return;
    if (!isApplied(this.#hasRoomFor(receipt) ? "done" : "full", reply)) return;
    this.#stateWriter.undo.begin();
    for (const { charge, due } of refunds) this.#refundFine(charge, due);
    this.#stateWriter.undo.end();
    for (const { charge, given } of refunds) {
      if (given === 0n) continue;
      const [tree, keyLo, keyHi] = this.#counterOf(charge, this.#forest.named(charge.series)!)!;
      this.#stateWriter.subtract(tree, keyLo, keyHi, day, lowLane(given), highLane(given));
    }
    this.#keep(text, after(receipt, refunds), created);
  }

  /** Whether the log has room for what a refund changes, and for what is left of its receipt. */
  #hasRoomFor({ charges }: Receipt): boolean {
    const bytes = charges.reduce((sum, { series, key, fine = [] }) => {
      return sum + 6 * (series.length + key.length) + (1 + fine.length) * CHARGE_BYTES;
    }, 512);
    const fine = charges.reduce((sum, charge) => sum + (charge.fine?.length ?? 0), 0);
    return this.#stateWriter.reserve(1, bytes, charges.length + 2 * fine);
  }

  /** What of a charge is refunded: `part` of it, or all (null), and no more than what is left. */
  #refundOf(charge: Charge, part: bigint | null, day: number): Refund {
    const left = BigInt(charge.amount) - BigInt(charge.back ?? 0);
    const due = part === null || part > left ? left : part;
    const held = this.#held(charge, day);
    return { charge, due, given: held < due ? held : due };
  }

  /** Gives back what was charged below the day, where that is still seen. */
  #refundFine(charge: Charge, due: bigint): void {
    const owner = this.#chargedTree(charge);
    const counter = owner === null ? null : this.#counterOf(charge, owner);
    if (counter === null) return;
    const [tree, keyLo, keyHi] = counter;
    for (const { id, cell } of charge.fine ?? []) {
      const window = fineWindowOf(id);
      const [lo, hi] = [lowLane(due), highLane(due)];
      if (window !== null) this.#fine.refund(window, tree, keyLo, keyHi, cell, lo, hi);
    }
  }

  /** The tree that was charged; null: it is gone. */
  #chargedTree({ series, serial }: Charge): Tree | null {
    const tree = this.#forest.named(series);
    return tree === null || serial !== undefined && serial !== tree.serial ? null : tree;
  }

  /** What the day of a charge still holds; nothing if its tree is gone. */
  #held(charge: Charge, day: number): bigint {
    const tree = this.#chargedTree(charge);
    const counter = tree === null ? null : this.#counterOf(charge, tree);
    if (counter === null) return 0n;
    const [counters, keyLo, keyHi] = counter;
    const held = new Uint32Array(2);
    counters.sum(keyLo, keyHi, day, day, held);
    return u64ToBigInt(held[0], held[1]);
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

/** A receipt after refunds: one that has nothing left tells what was given back in all. */
function after({ day, charges }: Receipt, refunds: readonly Refund[]): Receipt {
  const isRefunded = refunds.every(({ charge, due }) => {
    return BigInt(charge.back ?? 0) + due === BigInt(charge.amount);
  });
  return {
    day,
    isRefunded,
    charges: charges.map((charge, index) => {
      const { due, given } = refunds[index];
      const back = String(BigInt(charge.back ?? 0) + due);
      const all = String(BigInt(charge.given ?? 0) + given);
      if (!isRefunded) return { ...charge, back, given: all };
      return { ...charge, amount: all, back: undefined, given: undefined, fine: undefined };
    }),
  };
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
