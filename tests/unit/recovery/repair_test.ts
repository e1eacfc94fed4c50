// Repairs of logs that are damaged at random places, and of dumps: what comes before the damage is kept
// exactly, beside a model; nothing is deleted, and a repair that is not meant changes nothing.

import { assert, assertEquals, assertMatch } from "@std/assert";
import { budget } from "../../support/budget.ts";
import { DedupStore } from "../../../lib/dump/dedup_store.ts";
import { DumpStore } from "../../../lib/dump/store.ts";
import type { Opening } from "../../../lib/recovery/integrity_check.ts";
import { check, repair, type RepairOutcome } from "../../../lib/recovery/repair.ts";
import { Recovery } from "../../../lib/recovery/recovery.ts";
import { DamagedError } from "../../../lib/errors.ts";
import { DedupState } from "../../../lib/idempotency/dedup_state.ts";
import { countersOf } from "../../simulation/model.ts";
import { LocalKarma } from "../../support/local_karma.ts";
import type { MemoryDisk } from "../../support/memory_disk.ts";
import { Random } from "../../support/random.ts";

const DIRECTORY = "/dumps";
const RUNS = Number(Deno.env.get("KARMA_REPAIRS") ?? budget(6, 25));
const NOW = Date.UTC(2026, 10, 22, 12);

const open: Opening = (disk, forest) => {
  const clock = { now: () => NOW, today: () => 20261122 };
  const dumps = new DumpStore(DIRECTORY, disk, clock, 5, () => {});
  const dedupStore = new DedupStore(DIRECTORY, disk, clock);
  const dedup = new DedupState({
    idempotencyRecordsMax: 1000,
    ageMaxSeconds: 0,
    streamsKeptMax: 10,
  });
  const recovery = new Recovery(DIRECTORY, disk, dumps, forest, dedupStore, dedup, clock);
  return { dumps, recovery };
};

function mend(disk: MemoryDisk, isMeant: boolean): Promise<RepairOutcome> {
  return repair({ directory: DIRECTORY, disk, open }, isMeant);
}

/** All trees and counters, as text. */
function stateOf({ forest }: LocalKarma): string {
  const trees = forest.visible().map((tree) => {
    const counters = [...countersOf(tree)].map(([key, days]) => `${key}: ${[...days]}`).sort();
    return `${tree.name} { ${counters.join("; ")} }`;
  });
  return trees.sort().join("\n");
}

/** Counts in a few trees, now and then with a dump of all, or of one. */
async function history(random: Random, steps: number, dumps: "none" | "all" | "some") {
  const karma = await LocalKarma.start(undefined, { segmentBytes: 600, policy: "always" });
  const client = karma.connect();
  const states = new Map([[0, ""]]);
  for (let step = 0; step < steps; step++) {
    const tree_name = random.pick(["a", "b", "c"]);
    const key = random.below(6);
    const command = random.pick(["increment", "increment", "increment", "decrement", "reset"]);
    await client.ask({ command, tree_name, key });
    states.set(karma.wal.lsn, stateOf(karma));
    if (dumps === "all" && step === steps >> 1) {
      assertEquals(await karma.checkpointer.dumpAll("a test"), 0);
    }
    if (dumps === "some" && random.chance(0.1)) {
      await client.ask({ command: "dump", tree_name });
      karma.now += 1000;
    }
  }
  await client.end();
  await LocalKarma.timersDone();
  karma.disk.kill();
  return { disk: karma.disk, states };
}

/** The state that a start finds; the error that refuses it. */
async function startOn(disk: MemoryDisk): Promise<string | DamagedError> {
  const karma = new LocalKarma(disk);
  try {
    await karma.start();
  } catch (error) {
    if (error instanceof DamagedError) return error;
    throw error;
  }
  const state = stateOf(karma);
  await karma.wal.close();
  disk.kill();
  return state;
}

async function contentsOf(disk: MemoryDisk): Promise<[string, string][]> {
  const files = (await disk.list(DIRECTORY)).sort();
  return files.map((file) => [file, disk.bytesOf(`${DIRECTORY}/${file}`).toBase64()]);
}

async function filesOf(disk: MemoryDisk, pattern: RegExp): Promise<string[]> {
  return (await disk.list(DIRECTORY)).filter((file) => pattern.test(file)).sort();
}

/** Changes a byte of a file, in its part that is written. */
async function damage(disk: MemoryDisk, random: Random, pattern: RegExp): Promise<string> {
  const file = random.pick(await filesOf(disk, pattern));
  const path = `${DIRECTORY}/${file}`;
  const bytes = disk.bytesOf(path);
  const at = random.below(bytes.findLastIndex((byte) => byte !== 0) + 1);
  bytes[at] ^= 1 << random.below(8);
  disk.put(path, bytes);
  return `byte ${at} of ${file}`;
}

/** Repairs, asserts what holds after every repair, and returns what was told. */
async function repaired(disk: MemoryDisk, what: string): Promise<string> {
  const before = await contentsOf(disk);
  const plan = await mend(disk, false);
  assertEquals(plan.isWhole, false, what);
  assertMatch(plan.lines.at(-1)!, /^Nothing was changed\. To do it: karma repair .* --yes$/);
  const looked = await check({ directory: DIRECTORY, disk, open });
  assertEquals(looked.isWhole, false, what);
  assertEquals(await contentsOf(disk), before, `${what}: nothing was meant`);
  const done = await mend(disk, true);
  assertEquals(done.isWhole, true, what);
  // Whatever is gone from the directory is kept aside.
  const aside = /in (damaged-\S+):/.exec(done.lines.join("\n"))![1];
  const kept = await disk.list(`${DIRECTORY}/${aside}`);
  const after = new Set((await contentsOf(disk)).map(([file]) => file));
  for (const [file, bytes] of before) {
    if (after.has(file) || file.startsWith(".")) continue;
    assert(kept.includes(file), `${what}: ${file} is gone`);
    assertEquals(disk.bytesOf(`${DIRECTORY}/${aside}/${file}`).toBase64(), bytes, what);
  }
  assertEquals((await check({ directory: DIRECTORY, disk, open })).isWhole, true, what);
  return done.lines.join("\n");
}

for (const dumps of ["none", "all"] as const) {
  Deno.test(`repair: a log damaged anywhere keeps exactly what came before, dumps: ${dumps}`, async () => {
    let repairs = 0;
    for (let seed = 1; seed <= RUNS; seed++) {
      const random = new Random(seed);
      const { disk, states } = await history(random, 30, dumps);
      const what = `seed ${seed}: ${await damage(disk, random, /\.wal$/)}`;
      const refused = await startOn(disk.clone());
      if (!(refused instanceof DamagedError)) continue;
      repairs++;
      const told = await repaired(disk, what);
      const lsn = Number(/as after record (\d+) of the log/.exec(told)?.[1]);
      assertEquals(await startOn(disk), states.get(lsn), `${what}\n${told}`);
      assertEquals(typeof await startOn(disk), "string", what);
      assert(told.includes(refused.message.split(": ")[0]), `${what}\n${told}`);
    }
    assert(repairs > RUNS / 2, `${repairs}`);
  });
}

Deno.test("repair: where dumps are newer than the damage, the state before it is kept all the same", async () => {
  for (let seed = 1; seed <= RUNS; seed++) {
    const random = new Random(1000 + seed);
    const { disk, states } = await history(random, 30, "some");
    const what = `seed ${seed}: ${await damage(disk, random, /\.wal$/)}`;
    if (!(await startOn(disk.clone()) instanceof DamagedError)) continue;
    const told = await repaired(disk, what);
    const lsn = Number(/as after record (\d+) of the log/.exec(told)?.[1]);
    const state = await startOn(disk) as string;
    if (!told.includes("The log does not tell any more which trees there were")) {
      assertEquals(state, states.get(lsn), `${what}\n${told}`);
      continue;
    }
    // Then dumps are all there is: each tree as it was once.
    const once = new Set([...states.values()].flatMap((text) => text.split("\n")));
    for (const tree of state.split("\n")) assert(once.has(tree), `${what}: ${tree}`);
  }
});

Deno.test("repair: a missing last file, or a missing one in between, is repaired to what comes before", async () => {
  for (const which of [-1, -3]) {
    const { disk, states } = await history(new Random(7), 60, "none");
    const files = await filesOf(disk, /\.wal$/);
    const lost = files.at(which)!;
    disk.removeNow(`${DIRECTORY}/${lost}`);
    assert(await startOn(disk.clone()) instanceof DamagedError);
    const told = await repaired(disk, lost);
    assertEquals(await startOn(disk), states.get(Number(lost.slice(0, 20)) - 1), told);
  }
});

Deno.test("repair: a damaged dump that the log can't replace gives way to an older one, and says so", async () => {
  const { disk, states } = await history(new Random(3), 40, "all");
  const [dump] = await filesOf(disk, /_b\.tree$/);
  const path = `${DIRECTORY}/${dump}`;
  const bytes = disk.bytesOf(path);
  bytes[bytes.length >> 1] ^= 4;
  disk.put(path, bytes);
  assert(await startOn(disk.clone()) instanceof DamagedError);
  const told = await repaired(disk, dump);
  assertMatch(told, /^What came before in tree "b" is lost: No dump of tree "b" is there/m);
  assertMatch(told, new RegExp(`^To be kept in damaged-\\S+: ${dump}$`, "m"));
  const state = await startOn(disk) as string;
  const others = (text: string) => text.split("\n").filter((line) => !line.startsWith("b "));
  assertEquals(others(state), others([...states.values()].at(-1)!));
});

Deno.test("repair: a damaged dump of the registry costs what was in it, and nothing else", async () => {
  const { disk, states } = await history(new Random(4), 40, "all");
  const [file] = await filesOf(disk, /\.registry$/);
  const path = `${DIRECTORY}/${file}`;
  const bytes = disk.bytesOf(path);
  bytes[bytes.length >> 1] ^= 4;
  disk.put(path, bytes);
  assert(await startOn(disk.clone()) instanceof DamagedError);
  const told = await repaired(disk, file);
  assertMatch(
    told,
    /^Idempotency keys, ingest streams and checkpoints of before record \d+ are lost/m,
  );
  assertEquals(await startOn(disk), [...states.values()].at(-1));
});

Deno.test("repair: what is whole is left alone; a useless dump that is damaged is only moved away", async () => {
  const { disk, states } = await history(new Random(5), 40, "some");
  const before = await contentsOf(disk);
  const outcome = await mend(disk, true);
  assertEquals(outcome, { lines: ["No damage: there is nothing to repair"], isWhole: true });
  assertEquals(await contentsOf(disk), before);
  disk.put(`${DIRECTORY}/5_other.tree`, new Uint8Array(100));
  const told = await repaired(disk, "other");
  assertMatch(told, /^Nothing that a start needs is damaged, and nothing is lost$/m);
  assertEquals(await filesOf(disk, /other/), []);
  assertEquals(await startOn(disk), [...states.values()].at(-1));
});

Deno.test("repair: one that is broken off anywhere is damaged still, or done", async () => {
  const { disk, states } = await history(new Random(6), 40, "all");
  const random = new Random(8);
  let message = "";
  while (message === "") {
    const clone = disk.clone();
    await damage(clone, random, /\.wal$/);
    const refused = await startOn(clone.clone());
    if (!(refused instanceof DamagedError)) continue;
    message = refused.message;
    let isDone = false;
    for (let stop = 1; !isDone; stop++) {
      const broken = clone.clone();
      broken.stopsAt = broken.operations + stop;
      isDone = await mend(broken, true).then(() => true, () => false);
      broken.crashAt(random);
      if (await startOn(broken.clone()) instanceof DamagedError) await mend(broken, true);
      const state = await startOn(broken);
      assert(
        typeof state === "string" && [...states.values()].includes(state),
        `${stop}: ${state}`,
      );
    }
  }
});

Deno.test("check: all damage of a log is listed, and what lies behind it", async () => {
  const { disk } = await history(new Random(9), 200, "none");
  const files = await filesOf(disk, /\.wal$/);
  assert(files.length > 6);
  for (const file of [files[1], files[3]]) {
    const path = `${DIRECTORY}/${file}`;
    const bytes = disk.bytesOf(path);
    bytes[bytes.findLastIndex((byte) => byte !== 0) - 40] ^= 1;
    disk.put(path, bytes);
  }
  disk.removeNow(`${DIRECTORY}/${files[5]}`);
  const { lines, isWhole } = await check({ directory: DIRECTORY, disk, open });
  const text = lines.join("\n");
  assertEquals(isWhole, false);
  assertMatch(text, new RegExp(`^Log ${files[1]} is damaged at byte \\d+: `, "m"));
  assertMatch(text, new RegExp(`^Log ${files[3]} is damaged from byte \\d+ to \\d+$`, "m"));
  assertMatch(text, new RegExp(`^Records \\d+ to \\d+ cannot be read: .* ${files[6]}$`, "m"));
  assertMatch(
    text,
    /^Behind record \d+, .* \d+ records in \d+ groups \(\d+ bytes\) can still be read/m,
  );
  assertMatch(text, /^They are of trees "[abc]" \(\d+\), "[abc]" \(\d+\), "[abc]" \(\d+\)$/m);
  assertMatch(text, /^What can be done: karma repair --directory=\/dumps$/m);
});
