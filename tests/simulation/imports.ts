// Dumps that are in the directory before Karma is: of a tree with several branches, which nothing
// else makes as small, and one that the first Karma wrote.

import { encodeBranch, encodeEnd, encodeHead } from "../../lib/dump/format.ts";
import { framed } from "../../lib/dump/frame.ts";
import { highLane, lowLane } from "../../lib/bytes/u64.ts";
import { Columns } from "../../lib/tree/columns.ts";
import { originalDump } from "../support/original_dump.ts";
import type { Counter, Counters, State } from "./model.ts";
import type { KnownDump } from "./past.ts";

const DAY = 20261120;

/** The branches of the first tree, by the first keys of their ranges. */
const BRANCHES: readonly (readonly [start: bigint, counters: Counters])[] = [
  [0n, new Map([[0n, new Map([[DAY, 3n]])], [99n, new Map()]])],
  [100n, new Map([[100n, new Map([[DAY, 1n], [DAY + 1, 2n ** 64n - 4n]])]])],
  [200n, new Map()],
  [201n, new Map([[201n, new Map([[DAY + 2, 2n ** 32n - 1n]])]])],
];

const ORIGINAL: [bigint, Counter][] = [[1n, new Map([[DAY, 5n]])], [200n, new Map([[DAY, 1n]])]];

function branched(): Uint8Array {
  const head = { tree: "a", seconds: 1000, log: "", serial: 0, lsn: 0 };
  const frames = [framed(encodeHead(head))];
  let keys = 0;
  let cells = 0;
  for (const [start, counters] of BRANCHES) {
    const columns = columnsOf(counters);
    frames.push(framed(encodeBranch(lowLane(start), highLane(start), columns, 0)));
    keys += columns.keyCount;
    cells += columns.cellCount;
  }
  frames.push(framed(encodeEnd({ branches: BRANCHES.length, keys, cells })));
  return Uint8Array.from(frames.flatMap((frame) => [...frame]));
}

function columnsOf(counters: Counters): Columns {
  const columns = new Columns();
  const cells = [...counters.values()].flatMap((counter) => [...counter]);
  columns.keyCount = counters.size;
  columns.cellCount = cells.length;
  columns.keys = Uint32Array.from(
    [...counters.keys()].flatMap((key) => [lowLane(key), highLane(key)]),
  );
  columns.counts = Uint32Array.from([...counters.values()].map(({ size }) => size));
  columns.days = Uint32Array.from(cells.map(([day]) => day));
  columns.lows = Uint32Array.from(cells.map(([, value]) => lowLane(value)));
  columns.highs = Uint32Array.from(cells.map(([, value]) => highLane(value)));
  columns.hasHighs = true;
  return columns;
}

/** Their files. */
export const IMPORTED: ReadonlyMap<string, Uint8Array> = new Map([
  ["1000_a.tree", branched()],
  ["1001_b.tree", originalDump(ORIGINAL)],
]);

const CONTENTS: readonly Counters[] = [
  new Map(BRANCHES.flatMap(([, counters]) => [...counters])),
  new Map(ORIGINAL),
];

/** The state when they were taken over. */
export const TAKEN_OVER: State = new Map([
  ["a", { serial: 1, counters: CONTENTS[0] }],
  ["b", { serial: 2, counters: CONTENTS[1] }],
]);

export const KNOWN: readonly KnownDump[] = [...IMPORTED.keys()].map((file, index) => ({
  file,
  tree: ["a", "b"][index],
  serial: 0,
  counters: new Map([...CONTENTS[index]].map(([key, counter]) => [key, [counter]])),
  kept: new Set(CONTENTS[index].keys()),
  past: null,
  from: 0,
}));
