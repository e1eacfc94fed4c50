// The past of a simulated Karma: all changes, what of them was promised, and so what a restart may
// find.
//
//   changes   | ... | acked | ...         | lsn       by their LSNs; `synced` lies before or behind
//             '- must be there -'- may be -'
//
// Invariant: what was acknowledged is there after a crash of the process; after a power cut it is
// with `always`, and else as far as a sync has come that was waited for, or a second ago was told
// with `everysec`. And what is there is exactly the state after the record that the log ends with.
// What belongs together is there whole, or not at all. Trade-off: without counts in the log, each counter
// may be as it was at any time since the last dump.

import { dumpedName, dumpFileName, parseDumpFileName } from "../../lib/dump/file_name.ts";
import type { SyncPolicy } from "../../lib/wal/hooks.ts";
import type { DedupLimits, DedupState } from "../../lib/idempotency/dedup_state.ts";
import { isHidden } from "../../lib/tree/tree_name.ts";
import { type Counter, type Counters, difference, isSame, type State } from "./model.ts";
import { registryDifference, registryOf, type RegistryState } from "./registry_model.ts";

/** Dumps that were not made here are older than all others. */
const IMPORTED_SECONDS_MAX = 9999;

/** A second, and the time that syncs take. */
const EVERYSEC_MS = 3000;

/** How a process ends: alone, or with the machine, which leaves sectors of what was not synced. */
export type Ending = "kill" | "power" | "holes";

export interface Change {
  /** The last record of the log when it had happened. */
  readonly lsn: number;
  readonly state: State;
  readonly dedup: RegistryState;
}

/** A dump that was completed, or that was there before. */
export interface KnownDump {
  readonly file: string;
  readonly tree: string;
  readonly serial: number;
  /** What each counter may be in it. */
  readonly counters: ReadonlyMap<bigint, readonly Counter[]>;
  /** The counters that must be in it: they were there from its beginning to its end. */
  readonly kept: ReadonlySet<bigint>;
  /** The changes that it may have seen, of that past. */
  readonly past: Past | null;
  readonly from: number;
}

/** What is known at a moment. */
export interface Bounds {
  readonly past: Past;
  /** How many changes there were. */
  readonly count: number;
  /** The last record, which may not even be written. */
  readonly lsn: number;
  /** The last record that somebody was told of. */
  readonly acked: number;
  /** The last record that no power cut takes. */
  readonly synced: number;
  /** How many of the dumps were there. */
  readonly dumps: number;
}

export class Past {
  readonly changes: Change[] = [];
  readonly policy: SyncPolicy;
  /** Whether counts are in the log. */
  readonly isCounted: boolean;
  /** Of this past and those before, in the order of their completion. */
  readonly dumps: KnownDump[];
  /** Records that belong together: behind the first LSN, up to the second. */
  readonly spans: (readonly [from: number, to: number])[] = [];
  acked: number;
  synced: number;
  readonly #acks: { time: number; lsn: number }[] = [];

  /** A past that begins with a state that nothing takes any more. */
  constructor(
    lsn: number,
    state: State,
    dedup: RegistryState,
    policy: SyncPolicy,
    isCounted: boolean,
    dumps: readonly KnownDump[],
  ) {
    this.changes.push({ lsn, state, dedup });
    this.policy = policy;
    this.isCounted = isCounted;
    this.acked = this.synced = lsn;
    this.dumps = [...dumps];
  }

  get state(): State {
    return this.changes[this.changes.length - 1].state;
  }

  get dedup(): RegistryState {
    return this.changes[this.changes.length - 1].dedup;
  }

  change(lsn: number, state: State): void {
    this.changes.push({ lsn, state, dedup: this.dedup });
  }

  note(lsn: number, dedup: RegistryState): void {
    this.changes.push({ lsn, state: this.state, dedup });
  }

  ack(lsn: number, time: number): void {
    this.acked = Math.max(this.acked, lsn);
    this.#acks.push({ time, lsn: this.acked });
  }

  /** A dump of a tree was completed that began behind change `from`. */
  dumped(file: string, serial: number, from: number): void {
    const tree = dumpedName(file);
    const counters = new Map<bigint, Counter[]>();
    const all: Counters[] = [];
    for (const { state } of this.changes.slice(from)) {
      // Not by its name: it may get another one meanwhile.
      const found = [...state.values()].find((other) => other.serial === serial);
      if (found === undefined) continue;
      all.push(found.counters);
      for (const [key, counter] of found.counters) {
        const others = counters.get(key);
        if (others === undefined) counters.set(key, [counter]);
        else if (others[others.length - 1] !== counter) others.push(counter);
      }
    }
    const kept = new Set([...counters.keys()].filter((key) => all.every((each) => each.has(key))));
    this.dumps.push({ file, tree, serial, counters, kept, past: this, from });
  }

  /** What is known now, when the log's last record is that one. */
  bounds(lsn: number, time: number): Bounds {
    let { synced } = this;
    if (this.policy === "always") synced = Math.max(synced, this.acked);
    if (this.policy === "everysec") {
      const old = this.#acks.findLast((ack) => ack.time <= time - EVERYSEC_MS);
      synced = Math.max(synced, old?.lsn ?? 0);
    }
    const { acked, changes, dumps } = this;
    return { past: this, count: changes.length, lsn, acked, synced, dumps: dumps.length };
  }
}

/** What there must be if the log ends with that record. */
export function expectedAt({ past, count }: Bounds, lsn: number): Change {
  let index = count - 1;
  while (past.changes[index].lsn > lsn) index--;
  return past.changes[index];
}

/** What is wrong with the end of the log that a restart found; null if nothing. */
export function faultOfEnd(bounds: Bounds, ending: Ending, lsn: number): string | null {
  const { past } = bounds;
  const least = ending === "kill" ? bounds.acked : bounds.synced;
  if (lsn < least) return `record ${least} was safe, and the log ends at ${lsn}`;
  if (lsn > bounds.lsn) return `the log ends at ${lsn}, and record ${bounds.lsn} was the last`;
  const cut = past.spans.find(([from, to]) => from < lsn && lsn < to);
  if (cut === undefined) return null;
  return `records ${cut[0] + 1} to ${cut[1]} belong together, and the log ends at ${lsn}`;
}

/** What is wrong with the registry that it found; null if nothing. */
export function faultOfRegistry(
  bounds: Bounds,
  lsn: number,
  dedup: DedupState,
  limits: DedupLimits,
): string | null {
  const { dedup: expected } = expectedAt(bounds, lsn);
  const fault = registryDifference(expected, registryOf(dedup), limits);
  return fault && `after record ${lsn}, ${fault}`;
}

/** What is wrong with the trees that it found; null if nothing. */
export function faultOfTrees(bounds: Bounds, lsn: number, found: State): string | null {
  const { state: expected } = expectedAt(bounds, lsn);
  if (bounds.past.isCounted) {
    const fault = difference(expected, found);
    return fault && `after record ${lsn}, ${fault}`;
  }
  const bare = (state: State) => {
    return new Map([...state].map(([name, { serial }]) => [name, { serial, counters: new Map() }]));
  };
  const fault = difference(bare(expected), bare(found)) ?? faultOfCounters(bounds, found);
  return fault && `after record ${lsn} of trees, ${fault}`;
}

/** Each counter must be as it was at some time since the last dump of its tree began. */
function faultOfCounters({ past, count, dumps }: Bounds, found: State): string | null {
  for (const [name, { serial, counters }] of found) {
    const dump = past.dumps.slice(0, dumps).findLast((other) => {
      return other.past === past && other.serial === serial;
    });
    const from = dump?.from ?? 0;
    const possible: Counters[] = [];
    for (const { state } of past.changes.slice(from, count)) {
      const tree = state.get(name);
      if (tree?.serial === serial) possible.push(tree.counters);
    }
    const keys = new Set(possible.flatMap((each) => [...each.keys()]));
    for (const key of [...keys, ...counters.keys()]) {
      const counter = counters.get(key);
      if (possible.some((each) => isSame(each.get(key), counter))) continue;
      return `tree ${name}, key ${key} is as it never was since its last dump`;
    }
  }
  return null;
}

/** What is wrong with counters that were loaded from a dump that is known; null if nothing. */
export function faultOfDump(
  { file, counters: known, kept }: KnownDump,
  loaded: Counters,
): string | null {
  for (const key of kept) {
    if (!loaded.has(key)) return `dump ${file} lacks key ${key}, which was there all the time`;
  }
  for (const [key, counter] of loaded) {
    if (known.get(key)?.some((other) => isSame(other, counter))) continue;
    return `dump ${file}, key ${key} is as it never was while it was dumped`;
  }
  return null;
}

/** Of each tree's dumps that were complete as many must be there as are to be kept, 0 being all. */
export function faultOfFiles(
  { past, dumps }: Bounds,
  files: readonly string[],
  dumpsKept: number,
): string | null {
  const own = past.dumps.slice(0, dumps).filter(({ past, tree }) =>
    past !== null && !isHidden(tree)
  );
  for (const tree of new Set(own.map(({ tree }) => tree))) {
    const { group } = parseDumpFileName(dumpFileName(0, tree))!;
    const there = files.map(parseDumpFileName).filter((dump) => dump?.group === group);
    const found = there.filter((dump) => dump!.seconds > IMPORTED_SECONDS_MAX).length;
    const made = own.filter((dump) => dump.tree === tree).length;
    const least = Math.min(made, dumpsKept || Infinity);
    if (found < least) return `of tree ${tree} there are ${found} dumps, and ${made} were made`;
  }
  return null;
}
