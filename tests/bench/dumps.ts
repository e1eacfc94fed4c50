// Measures dumps: a million keys with seven days each, written, restored and compared cell by cell,
// and how long other clients wait meanwhile.
//
//   deno run -A $(deno run -q lib/npm/flags.ts) tests/bench/dumps.ts [keys] [directory]

import { DumpStore } from "../../lib/dump/store.ts";
import { HostClock } from "../../lib/host/clock.ts";
import { HostDisk } from "../../lib/host/disk.ts";
import { checkTree } from "../../lib/tree/check.ts";
import { Tree } from "../../lib/tree/tree.ts";
import { Walk } from "../../lib/tree/walk.ts";
import { Columns } from "../../lib/tree/columns.ts";

const KEYS = Number(Deno.args[0] ?? 1_000_000);
const DAYS = 7;
const RUNS = 5;

/** A value that depends on key and day, mostly small as counts are, one in a thousand large. */
function valueOf(key: number, day: number): number {
  const mixed = Math.imul(key * 31 + day, 0x9e3779b1) >>> 0;
  return mixed % 1000 === 0 ? mixed : 1 + mixed % 200;
}

function filled(): Tree {
  const tree = new Tree("bench");
  for (let key = 1; key <= KEYS; key++) {
    for (let day = 0; day < DAYS; day++) tree.add(key, 0, 20260101 + day, valueOf(key, day), 0);
  }
  return tree;
}

/** Compares every cell with what `filled` put there. */
function compare(tree: Tree): void {
  const walk = new Walk(tree);
  const columns = new Columns();
  let keys = 0;
  for (let branch = walk.next(); branch !== null; branch = walk.next()) {
    columns.take(walk, branch);
    keys += columns.keyCount;
    for (let index = 0; index < columns.keyCount; index++) {
      const key = columns.keys[2 * index];
      if (columns.counts[index] !== DAYS) throw new Error(`key ${key} has lost days`);
      for (let day = 0; day < DAYS; day++) {
        const at = index * DAYS + day;
        if (columns.days[at] !== 20260101 + day || columns.lows[at] !== valueOf(key, day)) {
          throw new Error(`key ${key} differs`);
        }
      }
    }
  }
  if (keys !== KEYS) throw new Error(`${keys} keys instead of ${KEYS}`);
  checkTree(tree);
}

/** Counts how late a timer of a millisecond comes while work goes on: what a client would wait. */
async function worstDelay(work: Promise<unknown>): Promise<number> {
  let done = false;
  let worst = 0;
  work.finally(() => done = true);
  for (let before = performance.now(); !done; before = performance.now()) {
    await new Promise((resolve) => setTimeout(resolve, 1));
    worst = Math.max(worst, performance.now() - before);
  }
  return worst;
}

const directory = Deno.args[1] ?? Deno.makeTempDirSync({ prefix: "karma-bench-" });
const store = new DumpStore(
  directory,
  new HostDisk(),
  new HostClock("UTC"),
  0,
  console.log,
);
const tree = filled();
for (let run = 0; run < RUNS; run++) {
  let began = performance.now();
  const writing = store.write(tree, { id: "0", lsn: 0, sync: () => Promise.resolve() });
  const delay = await worstDelay(writing);
  const file = await writing;
  const writeMs = performance.now() - began;
  const bytes = Deno.statSync(`${directory}/${file}`).size;
  began = performance.now();
  const restored = await store.load(file);
  const readMs = performance.now() - began;
  if (restored === null) throw new Error("the dump has gone");
  compare(restored.tree);
  console.log(
    `dump ${writeMs.toFixed(0)} ms, restore ${readMs.toFixed(0)} ms, ${
      (bytes / KEYS).toFixed(1)
    } bytes a key, ` +
      `longest turn while dumping ${delay.toFixed(1)} ms`,
  );
  Deno.removeSync(`${directory}/${file}`);
}
if (Deno.args[1] === undefined) Deno.removeSync(directory, { recursive: true });
