// What each entry of Karma 1.x's log does to the forest, to the answers that are remembered and to
// ingest streams.
//
// Invariant: an entry happens as it did when Karma 1.x carried it out, or not at all. What it wrote
// down and then refused is refused again; so is what would be half done there. What a snapshot holds
// already does not happen twice; its answer is remembered nevertheless.

import { LANE, LANE_MAX, u64ToBigInt } from "../bytes/mod.ts";
import { type Tree, Walk } from "../tree/mod.ts";
import type { Answers } from "./answers.ts";
import { Batch, KEY_WORDS } from "./batch.ts";
import type { Command, Entry } from "./entry.ts";
import { fingerprintOf } from "./fingerprint.ts";
import type { Ingest } from "./ingest.ts";
import type { Series } from "./series.ts";
import {
  HELD,
  leftOut,
  type MigrationReport,
  type Outcome,
  refused,
  REPLAYED,
} from "./migration_report.ts";

/** Commands that are done once under an idempotency key. */
const ONCE: ReadonlySet<Command> = new Set<Command>([
  "increment",
  "decrement",
  "batch_add",
  "batch_set",
  "reset",
  "batch_reset",
  "delete",
  "batch_delete_range",
]);

/** Commands that Karma 1.x refuses where there is no series. */
const NEEDS_SERIES: ReadonlySet<Command> = new Set<Command>([
  "drop",
  "compact",
  "delete_before",
  "batch_reset",
  "batch_delete_range",
]);

const BEYOND = leftOut("its bucket is beyond 4294967295");

export class Replay {
  readonly #series: Series;
  readonly #answers: Answers;
  readonly #ingest: Ingest;
  readonly #report: MigrationReport;
  readonly #nowSeconds: number;
  readonly #batch = new Batch();
  /** The keys that the last command took days of, and those without days. */
  #removed = 0;
  #missing = 0;

  constructor(
    series: Series,
    answers: Answers,
    ingest: Ingest,
    report: MigrationReport,
    nowSeconds: number,
  ) {
    this.#series = series;
    this.#answers = answers;
    this.#ingest = ingest;
    this.#report = report;
    this.#nowSeconds = nowSeconds;
  }

  apply(entry: Entry): void {
    this.#report.count(this.#outcome(entry), entry.lsn);
  }

  #outcome(entry: Entry): Outcome {
    switch (entry.command) {
      case "ingest_begin":
      case "ingest_chunk":
      case "ingest_commit":
      case "ingest_abort":
        return this.#ingest.replay(entry, this.#batch);
      case "idempotency_prune":
        return this.#prune(entry);
      case "compact_all":
        return this.#compactAll(entry);
      default:
        return this.#ofSeries(entry);
    }
  }

  #prune(entry: Entry): Outcome {
    if (entry.lsn <= this.#answers.lsn) return HELD;
    const limit = entry.has("limit") ? entry.integer("limit") : Infinity;
    this.#answers.prune(entry.integer("before"), limit);
    return REPLAYED;
  }

  #compactAll(entry: Entry): Outcome {
    const { forest, coverage } = this.#series;
    let outcome = HELD;
    for (const tree of forest.trees()) {
      if (coverage.holds(tree.name, entry.lsn)) continue;
      compact(tree);
      outcome = REPLAYED;
    }
    return outcome;
  }

  #ofSeries(entry: Entry): Outcome {
    const series = this.#series;
    if (!series.find(entry)) return leftOut("no tree can have its series' name");
    this.#readLists(entry);
    let outcome = HELD;
    if (!series.isHeld) {
      const isMissing = series.tree === null && NEEDS_SERIES.has(entry.command);
      outcome = isMissing ? refused(`${entry.command}, no such series`) : this.#change(entry);
    }
    if (outcome === REPLAYED) this.#report.leaveOut(this.#batch.beyond, entry.lsn);
    const isOnce = ONCE.has(entry.command) && entry.has("idempotency_key");
    if (isOnce && outcome.kind !== "refused") this.#remember(entry, outcome);
    return outcome;
  }

  #readLists(entry: Entry): void {
    const batch = this.#batch;
    const { bytes, command } = entry;
    if (command === "batch_add" || command === "batch_set") {
      batch.readItems(bytes, entry.list("items"));
    } else if (command === "batch_reset" || command === "batch_delete_range") {
      batch.readKeys(bytes, entry.list("keys"));
    } else batch.clear();
  }

  /** What Karma 1.x answered is remembered. */
  #remember(entry: Entry, outcome: Outcome): void {
    if (entry.lsn <= this.#answers.lsn) return;
    if (outcome === HELD) {
      // How many keys had days then can't be known any more; that it was done can.
      this.#removed = this.#batch.count;
      this.#missing = 0;
    }
    this.#answers.put({
      key: entry.textBytes("idempotency_key"),
      created: this.#nowSeconds,
      fingerprintHex: fingerprintOf(entry, this.#series.name, this.#batch),
      response: this.#response(entry),
    });
  }

  #response(entry: Entry): string {
    const { count, total } = this.#batch;
    switch (entry.command) {
      case "batch_add":
        return `{"applied":${count},"total":${total}}`;
      case "batch_set":
        return `{"applied":${count}}`;
      case "batch_reset":
        return `{"reset":${this.#removed},"missing":${this.#missing}}`;
      case "batch_delete_range":
        return `{"deleted":${this.#removed},"missing":${this.#missing}}`;
      case "reset":
        return `"OK"`;
      case "delete":
        return "true";
      default:
        value(entry);
        return `${u64ToBigInt(entry.lo, entry.hi)}`;
    }
  }

  /** Changes the series that was found, and that does not hold the entry. */
  #change(entry: Entry): Outcome {
    const series = this.#series;
    const tree = series.tree!;
    switch (entry.command) {
      case "increment":
      case "decrement":
        return this.#changeDay(entry);
      case "batch_add":
        return series.addAll(entry, this.#batch);
      case "batch_set":
        return series.setAll(entry, this.#batch, false);
      case "reset":
      case "delete":
        this.#remove(entry, series.created());
        return REPLAYED;
      case "batch_reset":
      case "batch_delete_range":
        this.#removeKeys(entry, tree);
        return REPLAYED;
      case "delete_before":
        entry.number("before");
        if (entry.lo === 0 && entry.hi === 0) return REPLAYED;
        sweep(tree, 0, entry.hi > 0 ? LANE_MAX : entry.lo - 1);
        compact(tree);
        return REPLAYED;
      case "compact":
        compact(tree);
        return REPLAYED;
      case "drop":
        series.forest.remove(tree);
        return REPLAYED;
      default:
        series.created();
        return REPLAYED;
    }
  }

  #changeDay(entry: Entry): Outcome {
    const series = this.#series;
    entry.number("key");
    const { lo: keyLo, hi: keyHi } = entry;
    entry.bucket();
    const { lo: day, hi: beyond } = entry;
    value(entry);
    const { lo, hi } = entry;
    if (lo === 0 && hi === 0) return refused(`${entry.command}, its value is zero`);
    if (beyond !== 0) return BEYOND;
    const tree = series.created();
    if (entry.command === "decrement") {
      tree.subtract(keyLo, keyHi, day, lo, hi);
      return REPLAYED;
    }
    if (!tree.add(keyLo, keyHi, day, lo, hi)) {
      return refused("increment, a sum would pass 18446744073709551615");
    }
    series.sums.grow(tree, hi * LANE + lo);
    return REPLAYED;
  }

  /** Takes days of one counter away, or of all. */
  #remove(entry: Entry, tree: Tree): void {
    const [from, to] = days(entry);
    if (from > to) return;
    if (!entry.has("key")) return sweep(tree, from, to);
    entry.number("key");
    tree.removeDays(entry.lo, entry.hi, from, to);
  }

  #removeKeys(entry: Entry, tree: Tree): void {
    const { count, words } = this.#batch;
    const [from, to] = days(entry);
    this.#removed = this.#missing = 0;
    for (let at = 0; at < KEY_WORDS * count; at += KEY_WORDS) {
      const [lo, hi] = [words[at], words[at + 1]];
      if (tree.count(lo, hi) <= 0) this.#missing++;
      else if (from <= to && tree.countIn(lo, hi, from, to) > 0) {
        tree.removeDays(lo, hi, from, to);
        this.#removed++;
      }
    }
  }
}

/** Lays the amount of a change into `lo` and `hi`. */
function value(entry: Entry): void {
  if (entry.has("value")) return entry.number("value");
  entry.lo = 1;
  entry.hi = 0;
}

/** The days of the range in an entry, or all; the first is after the last where there are none. */
function days(entry: Entry): [from: number, to: number] {
  if (!entry.has("range")) return [0, LANE_MAX];
  const from = entry.integer("from");
  const to = entry.integer("to");
  return from > LANE_MAX ? [1, 0] : [from, Math.min(to, LANE_MAX)];
}

function sweep(tree: Tree, from: number, to: number): void {
  tree.sweep(from, to);
  settle(tree);
}

function compact(tree: Tree): void {
  tree.compact();
  settle(tree);
}

function settle(tree: Tree): void {
  const walk = new Walk(tree);
  while (walk.next() !== null);
  tree.settle();
}
