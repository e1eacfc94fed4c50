// A naive Karma 1.x for random histories: maps for the state, and the files that it leaves.
//
// It does what protocol-v2.md says of the original, but for two things: a batch that overflows is
// refused whole, and while a stream is open its log is not cut.

import { createHash } from "node:crypto";
import { diskWith, line, metadata, NOW_SECONDS } from "./karma1.ts";
import type { MemoryDisk } from "./memory_disk.ts";
import { originalDump } from "./original_dump.ts";
import type { Random } from "./random.ts";

type Counters = Map<bigint, Map<number, bigint>>;
type Item = [key: bigint, day: number, value: bigint];

interface Answer {
  key: string;
  created: number;
  response: string;
  /** What is remembered where the counts can't be known any more. */
  assumed: string;
  lsn: number;
  series: string;
}

interface Stream {
  id: string;
  mode: string;
  series: string | null;
  prints: string[];
  chunks: [string, Item[]][];
  staged: Counters | null;
  committed: number | null;
}

const MAX = (1n << 64n) - 1n;
const NAMES = ["a", "b", "ü c", "d_e"];
const hash = (lines: string) => createHash("sha256").update(lines).digest("hex");

export class Karma1World {
  readonly #random: Random;
  readonly #trees = new Map<string, Counters>();
  #answers = new Map<string, Answer>();
  readonly #streams = new Map<string, Stream>();
  #seconds = 1000;
  #lsn = 0;
  #wal = "";
  #walFirst = 1;
  readonly #files: Record<string, string | Uint8Array> = {};
  /** What the newest snapshots hold. */
  readonly #held = new Map<string, number>();
  #idempotencyLsn = 0;
  readonly #kept = new Set<string>();
  #keys = 0;
  #refusals = 0;

  constructor(random: Random) {
    this.#random = random;
  }

  get refusals(): number {
    return this.#refusals;
  }

  /** One thing happens. */
  step(): void {
    const random = this.#random;
    this.#seconds += random.below(3);
    if (random.chance(0.04)) return this.#snapshot(random.pick(NAMES));
    if (random.chance(0.02)) return this.#snapshotAll();
    if (random.chance(0.03)) return this.#rotate();
    if (random.chance(0.2)) return this.#ingest();
    if (random.chance(0.03)) return this.#prune();
    this.#command();
  }

  /** What the original would leave if it were killed now. */
  disk(): MemoryDisk {
    return diskWith({ ...this.#files, "karma.wal": this.#wal });
  }

  contents(): Record<string, string[]> {
    return Object.fromEntries([...this.#trees].map(([name, tree]) => [name, cells(tree)]));
  }

  answers(): { key: string; created: number; response: string }[] {
    return [...this.#answers.values()].map(({ key, created, response, assumed, lsn, series }) => {
      const isKept = lsn <= this.#idempotencyLsn;
      const isHeld = lsn <= (this.#held.get(series) ?? 0);
      const told = isHeld && !isKept ? assumed : response;
      return { key, created: isKept ? created : NOW_SECONDS, response: told };
    });
  }

  streams() {
    const told = [...this.#streams.values()].map((stream) => {
      const { id, mode, series, prints, committed, staged } = stream;
      const isKept = this.#kept.has(id);
      return {
        id,
        mode,
        tree: series,
        chunkFingerprints: prints,
        committed: committed === null || isKept ? committed : NOW_SECONDS,
        staged: committed === null && staged !== null ? cells(staged) : null,
      };
    });
    return told.sort((a, b) => a.id < b.id ? -1 : 1);
  }

  #log(entry: string): void {
    this.#wal += line(++this.#lsn, entry);
  }

  #command(): void {
    const random = this.#random;
    const series = random.pick(NAMES);
    const named = `"series":${JSON.stringify(series)}`;
    const before = structuredClone(this.#trees);
    const [entry, answer, isOnce, assumed] = this.#draw(series, named);
    const isKeyed = random.chance(0.2);
    const key = `k${this.#keys++}`;
    if (answer === null) {
      this.#trees.clear();
      for (const [name, tree] of before) this.#trees.set(name, tree);
      this.#refusals++;
      if (isKeyed && isOnce) return; // found out before it is written
    }
    this.#log(isKeyed ? `${entry},"idempotency_key":"${key}"` : entry);
    if (!isKeyed || !isOnce || answer === null) return;
    const rest = { created: this.#seconds, lsn: this.#lsn, series };
    this.#answers.set(key, { key, response: answer, assumed: assumed ?? answer, ...rest });
  }

  /** An entry, what it is answered with (null: refused), whether keys matter, what may be assumed. */
  #draw(series: string, named: string): [string, string | null, boolean, string?] {
    const random = this.#random;
    const key = this.#key();
    const day = this.#day();
    const value = this.#value(1);
    const [from, to] = [this.#day(), this.#day()].sort((a, b) => a - b);
    const range = `"range":{"from":${from},"to":${to}}`;
    const keys = Array.from({ length: random.below(4) }, () => this.#key());
    const tree = () => this.#tree(series);
    const known = this.#trees.get(series);
    switch (random.below(17)) {
      case 0:
      case 1:
      case 2: {
        const done = add(tree(), [[key, day, value]]);
        const entry =
          `"op":"counter.increment",${named},"key":${key},"bucket":${day},"value":${value}`;
        return [entry, done ? `${value}` : null, true];
      }
      case 3:
      case 4: {
        const days = counter(tree(), key);
        const left = (days.get(day) ?? 0n) - value;
        if (left > 0n) days.set(day, left);
        else days.delete(day);
        const entry =
          `"op":"counter.decrement",${named},"key":${key},"bucket":${day},"value":${value}`;
        return [entry, `${value}`, true];
      }
      case 5:
      case 6: {
        const items = this.#items(1);
        const total = items.reduce((sum, item) => sum + item[2], 0n);
        const done = total <= MAX && add(tree(), items);
        const answer = `{"applied":${items.length},"total":${total}}`;
        return [
          `"op":"series.batch_add",${named},"items":${json(items)}`,
          done ? answer : null,
          true,
        ];
      }
      case 7:
      case 8: {
        const items = this.#items(0);
        const done = items.length === 0 || set(tree(), items);
        const answer = `{"applied":${items.length}}`;
        return [
          `"op":"series.batch_set",${named},"items":${json(items)}`,
          done ? answer : null,
          true,
        ];
      }
      case 9:
        tree().get(key)?.clear();
        return [`"op":"counter.reset",${named},"key":${key}`, '"OK"', true];
      case 10:
        remove(tree(), [key], from, to);
        return [`"op":"counter.delete_range",${named},"key":${key},${range}`, "true", true];
      case 11:
        remove(tree(), [...tree().keys()], from, to);
        return [`"op":"tree.delete_range",${named},${range}`, "true", true];
      case 12: {
        const entry = `"op":"counter.batch_reset",${named},"keys":[${keys}]`;
        if (known === undefined) return [entry, null, true];
        const [count, missing] = remove(known, keys, 0, Infinity);
        const assumed = `{"reset":${keys.length},"missing":0}`;
        return [entry, `{"reset":${count},"missing":${missing}}`, true, assumed];
      }
      case 13: {
        const entry = `"op":"counter.batch_delete_range",${named},"keys":[${keys}],${range}`;
        if (known === undefined) return [entry, null, true];
        const [count, missing] = remove(known, keys, from, to);
        const assumed = `{"deleted":${keys.length},"missing":0}`;
        return [entry, `{"deleted":${count},"missing":${missing}}`, true, assumed];
      }
      default:
        return this.#drawOfTree(series, named);
    }
  }

  #drawOfTree(series: string, named: string): [string, string | null, boolean] {
    const known = this.#trees.get(series);
    switch (this.#random.below(7)) {
      case 0:
        this.#tree(series);
        return [`"op":"tree.create",${named}`, '"OK"', false];
      case 1:
        for (const days of this.#tree(series).values()) days.clear();
        return [`"op":"tree.reset",${named}`, '"OK"', true];
      case 2:
        this.#trees.delete(series);
        return [`"op":"tree.drop",${named}`, known === undefined ? null : '"OK"', false];
      case 3:
        if (known !== undefined) compact(known);
        return [`"op":"series.compact",${named}`, known === undefined ? null : '"OK"', false];
      case 4:
        for (const tree of this.#trees.values()) compact(tree);
        return [`"op":"system.compact"`, '"OK"', false];
      default: {
        const before = this.#day();
        const entry = `"op":"series.delete_before",${named},"before":${before}`;
        if (known === undefined) return [entry, null, false];
        if (before > 0) remove(known, [...known.keys()], 0, before - 1);
        if (before > 0) compact(known);
        return [entry, '"OK"', false];
      }
    }
  }

  #prune(): void {
    const before = this.#random.pick([0, 4_000_000_000]);
    const limit = this.#random.pick([undefined, 1, 3]);
    let left = limit ?? Infinity;
    for (const { key } of [...this.#answers.values()]) {
      if (before > 0 && left-- > 0) this.#answers.delete(key);
    }
    const rest = limit === undefined ? "" : `,"limit":${limit}`;
    this.#log(`"op":"idempotency.prune","before":${before}${rest}`);
  }

  #ingest(): void {
    const random = this.#random;
    const id = `s${random.below(12)}`;
    const stream = this.#streams.get(id);
    const named = `"stream_id":"${id}"`;
    if (stream === undefined) {
      const mode = random.pick(["add", "set", "replace_series"]);
      const empty = { series: null, prints: [], chunks: [], staged: null, committed: null };
      this.#streams.set(id, { id, mode, ...empty });
      return this.#log(`"op":"ingest.begin",${named},"mode":"${mode}"`);
    }
    if (stream.committed !== null || random.chance(0.2)) {
      const again = random.below(stream.prints.length + 1);
      const [series, items] = stream.chunks[again] ?? ["", []];
      if (series === "") return this.#log(`"op":"ingest.begin",${named},"mode":"${stream.mode}"`);
      return this.#log(chunkEntry(id, series, again + 1, items)); // nothing happens again
    }
    if (random.chance(0.1)) {
      this.#streams.delete(id);
      return this.#log(`"op":"ingest.abort",${named}`);
    }
    if (random.chance(0.2)) {
      this.#log(`"op":"ingest.commit",${named}`);
      if (stream.mode === "replace_series") {
        if (stream.series === null) return void this.#refusals++;
        this.#trees.set(stream.series, stream.staged ?? new Map());
      }
      stream.committed = this.#seconds;
      return;
    }
    this.#chunk(stream);
  }

  #chunk(stream: Stream): void {
    const { id, mode, prints, chunks } = stream;
    const items = this.#items(mode === "add" ? 1 : 0);
    stream.series ??= this.#random.pick(NAMES);
    const { series } = stream;
    this.#log(chunkEntry(id, series, prints.length + 1, items));
    const total = items.reduce((sum, item) => sum + item[2], 0n);
    if (mode === "replace_series") stream.staged ??= new Map();
    const isNew = !this.#trees.has(series);
    const tree = mode === "replace_series" ? stream.staged! : this.#tree(series);
    if (total <= MAX && (mode === "add" ? add : set)(tree, items)) {
      prints.push(chunkPrint(id, series, prints.length + 1, items));
      chunks.push([series, items]);
      return;
    }
    this.#refusals++;
    if (isNew && mode !== "replace_series") this.#trees.delete(series);
    this.#streams.delete(id); // its client gives up
    this.#log(`"op":"ingest.abort","stream_id":"${id}"`);
  }

  #snapshot(series: string): void {
    const tree = this.#trees.get(series);
    if (tree === undefined) return;
    const file = `${++this.#seconds}_${series}.tree`;
    this.#files[file] = originalDump(tree);
    this.#files[`${file}.meta.json`] = metadata(series, file, this.#seconds, this.#lsn);
    this.#held.set(series, this.#lsn);
  }

  /** A snapshot of everything, which may be killed anywhere. */
  #snapshotAll(): void {
    for (const series of this.#trees.keys()) {
      this.#snapshot(series);
      if (this.#random.chance(0.05)) return;
    }
    this.#writeIdempotency();
    const isOpen = [...this.#streams.values()].some(({ committed }) => committed === null);
    if (isOpen || this.#random.chance(0.2)) return;
    for (const file of Object.keys(this.#files)) {
      const series = /^\d+_(.*)\.tree/.exec(file)?.[1];
      // Else they would come back.
      if (series !== undefined && !this.#trees.has(series)) delete this.#files[file];
      if (file.endsWith(".segment")) delete this.#files[file];
    }
    this.#wal = "";
    this.#walFirst = this.#lsn + 1;
    this.#files["karma.wal.lsn"] = `${this.#lsn}\n`;
  }

  #writeIdempotency(): void {
    const file = "karma.idempotency.json";
    const records = [...this.#answers.values()].map(({ key, created, response }) =>
      `{"key":"${key}","operation":"x","fingerprint":"${"0".repeat(64)}",` +
      `"response":${response},"created_at_unix":${created}}`
    );
    const committed = [...this.#streams.values()].filter((stream) => stream.committed !== null);
    const streams = committed.map((stream) => {
      this.#kept.add(stream.id);
      return {
        stream_id: stream.id,
        mode: stream.mode,
        ...(stream.series === null ? {} : { series_name: stream.series }),
        last_chunk_seq: stream.prints.length,
        begin_fingerprint: "0".repeat(64),
        chunk_fingerprints: Object.fromEntries(stream.prints.map((print, at) => [at + 1, print])),
        committed_at_unix: stream.committed,
      };
    });
    this.#files[file] = `{"records":[${records}],"committed_streams":${JSON.stringify(streams)}}\n`;
    this.#files[`${file}.meta.json`] = metadata("", file, this.#seconds, this.#lsn);
    this.#idempotencyLsn = this.#lsn;
  }

  #rotate(): void {
    if (this.#wal === "") return;
    this.#files[`karma.wal.${`${this.#walFirst}`.padStart(20, "0")}.segment`] = this.#wal;
    this.#wal = "";
    this.#walFirst = this.#lsn + 1;
  }

  #tree(series: string): Counters {
    const tree = this.#trees.get(series) ?? new Map();
    this.#trees.set(series, tree);
    return tree;
  }

  #key(): bigint {
    return this.#random.pick([0n, 1n, 2n, 3n, 10n, MAX, 1n << 53n]);
  }

  #day(): number {
    return this.#random.pick([0, 7, 20260101, 20260102, 20260105, 4294967295]);
  }

  #value(least: number): bigint {
    if (this.#random.chance(0.03)) return this.#random.u64();
    return BigInt(least + this.#random.below(this.#random.pick([3, 1000])));
  }

  #items(least: number): Item[] {
    return Array.from({ length: this.#random.below(5) }, () => {
      return [this.#key(), this.#day(), this.#value(least)] as Item;
    });
  }
}

function cells(tree: Counters): string[] {
  const keys = [...tree.keys()].sort((a, b) => a < b ? -1 : 1);
  return keys.flatMap((key) => {
    const days = [...tree.get(key)!].sort((a, b) => a[0] - b[0]);
    return days.length === 0 ? [`${key}`] : days.map(([day, value]) => `${key} ${day} ${value}`);
  });
}

function counter(tree: Counters, key: bigint): Map<number, bigint> {
  const days = tree.get(key) ?? new Map();
  tree.set(key, days);
  return days;
}

const sumOf = (days: Map<number, bigint>) =>
  [...days.values()].reduce((sum, value) => sum + value, 0n);

/** False: a counter would be too large; nothing is changed. */
function add(tree: Counters, items: Item[]): boolean {
  const changed = structuredClone(tree);
  for (const [key, day, value] of items) {
    const days = counter(changed, key);
    days.set(day, (days.get(day) ?? 0n) + value);
    if (sumOf(days) > MAX) return false;
  }
  for (const [key, days] of changed) tree.set(key, days);
  return true;
}

/** False: the series would be too large at some step; nothing is changed. */
function set(tree: Counters, items: Item[]): boolean {
  if (items.reduce((sum, item) => sum + item[2], 0n) > MAX) return false;
  const distinct = new Map(items.map((item) => [`${item[0]} ${item[1]}`, item]));
  const changed = structuredClone(tree);
  for (const [key, day, value] of distinct.values()) {
    const days = counter(changed, key);
    if (value === 0n) days.delete(day);
    else days.set(day, value);
    if ([...changed.values()].reduce((sum, each) => sum + sumOf(each), 0n) > MAX) return false;
  }
  for (const [key, days] of changed) tree.set(key, days);
  return true;
}

/** Returns how many keys had days in the range, and how many had none at all. */
function remove(tree: Counters, keys: bigint[], from: number, to: number): [number, number] {
  let [count, missing] = [0, 0];
  for (const key of keys) {
    const days = tree.get(key) ?? new Map<number, bigint>();
    if (days.size === 0) missing++;
    const gone = [...days.keys()].filter((day) => from <= day && day <= to);
    for (const day of gone) days.delete(day);
    if (gone.length > 0) count++;
  }
  return [count, missing];
}

function compact(tree: Counters): void {
  for (const [key, days] of tree) if (days.size === 0) tree.delete(key);
}

function json(items: Item[]): string {
  return `[${items.map((item) => `[${item}]`)}]`;
}

function chunkEntry(id: string, series: string, sequence: number, items: Item[]): string {
  return `"op":"ingest.chunk","stream_id":"${id}","series":"${series}","chunk_seq":${sequence},` +
    `"items":${json(items)}`;
}

function chunkPrint(id: string, series: string, sequence: number, items: Item[]): string {
  const bytes = new TextEncoder().encode(series).length;
  const lines = items.map(([key, day, value]) =>
    `item_key:u:${key}\nitem_bucket:u:${day}\nitem_value:u:${value}\n`
  );
  return hash(
    `command:s:12:ingest_chunk\nstream_id:s:${id.length}:${id}\nseries:s:${bytes}:${series}\n` +
      `chunk_seq:u:${sequence}\nitems_count:i:${items.length}\n${lines.join("")}`,
  );
}
