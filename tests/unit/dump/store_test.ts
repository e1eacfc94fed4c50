// The store of dumps on a disk that fails and loses what was not synced, with a clock that jumps.

import { assert, assertEquals, assertMatch, assertRejects } from "@std/assert";
import { dumpFileName, parseDumpFileName } from "../../../lib/dump/file_name.ts";
import { DumpStore } from "../../../lib/dump/store.ts";
import type { WalSource } from "../../../lib/dump/tree_io.ts";
import { AssertionFailed } from "../../../lib/assert.ts";
import { DamagedError, HostError } from "../../../lib/errors.ts";
import { checkTree } from "../../../lib/tree/check.ts";
import { Tree } from "../../../lib/tree/tree.ts";
import { assertContents, contentsOf } from "../../fuzz/dump_fuzz.ts";
import { MemoryDisk, type Survivors } from "../../support/memory_disk.ts";

/** A log that has no records. */
const JOURNAL: WalSource = { id: "00000000000000aa", lsn: 0, sync: () => Promise.resolve() };

/** A store whose dumps all belong to one log, and that gives trees alone. */
class Store {
  readonly #store: DumpStore;

  constructor(store: DumpStore) {
    this.#store = store;
  }

  list(): Promise<string[]> {
    return this.#store.list();
  }

  write(tree: Tree, wal = JOURNAL): Promise<string> {
    return this.#store.write(tree, wal);
  }

  async load(file: string): Promise<Tree | null> {
    return (await this.#store.load(file))?.tree ?? null;
  }

  /** What a start without a log does. */
  async restore(): Promise<Tree[]> {
    const trees: Tree[] = [];
    for (const dump of await this.#store.newest()) {
      trees.push((await this.#store.restore(dump)).tree);
    }
    return trees;
  }

  async find(tree: string, log: string, serial: number): Promise<string | null> {
    return (await this.#store.find(tree, log, serial))?.file ?? null;
  }

  hasNone(tree: string): boolean {
    return this.#store.hasNone(tree);
  }

  async newest(which?: "of the original"): Promise<string[]> {
    return (await this.#store.newest(which)).map(({ file }) => file);
  }

  removeHidden(keep: (tree: string, serial: number) => boolean): Promise<void> {
    return this.#store.removeHidden(keep);
  }

  hold<T>(work: () => Promise<T>): Promise<T> {
    return this.#store.hold(work);
  }
}

/** A disk, a clock and what was logged; `store` is what a process would have of it. */
class World {
  readonly disk = new MemoryDisk("/dumps", "/");
  seconds = 1000;
  readonly lines: string[] = [];
  store = this.restarted();

  /** The store of a new process on the same disk. */
  restarted(retention = 0): Store {
    const clock = { now: () => this.seconds * 1000 + 999, today: () => 20260101 };
    const log = (line: string) => this.lines.push(line);
    return this.store = new Store(
      new DumpStore("/dumps", this.disk, clock, retention, log),
    );
  }

  put(file: string, bytes: Uint8Array | string): void {
    this.disk.put(`/dumps/${file}`, typeof bytes === "string" ? Uint8Array.fromHex(bytes) : bytes);
  }

  bytesOf(file: string): Uint8Array {
    return this.disk.bytesOf(`/dumps/${file}`);
  }

  /** Restores all trees as a new process; their names, and the total of key 1 in each. */
  async restored(): Promise<string[]> {
    const trees = await this.restarted().restore();
    trees.forEach(checkTree);
    return trees.map((tree) => `${tree.name}=${total(tree)}`);
  }
}

/** A tree whose key 1 has a total, and that has a few branches. */
function treeOf(name: string, total: number): Tree {
  const tree = new Tree(name);
  for (let key = 2; key < 3000; key++) tree.add(key, 0, 20260101, key, 0);
  tree.add(1, 0, 20260101, total, 0);
  return tree;
}

function total(tree: Tree): number {
  const sum = new Uint32Array(2);
  tree.sum(1, 0, 0, 4294967295, sum);
  return sum[0];
}

Deno.test("store: that a tree has no dump is said only when it is known", async () => {
  const world = new World();
  const long = "x".repeat(300);
  for (const name of ["t", "a/b", long]) await world.store.write(treeOf(name, 5));
  const store = world.restarted();
  assert(!store.hasNone("u"), "nothing is known before the directory was listed");
  await store.list();
  for (const name of ["t", "a/b", long]) assert(!store.hasNone(name), name);
  for (const name of ["u", "a%2Fb", `${long}y`]) assert(store.hasNone(name), name);
  await store.write(treeOf("u", 5));
  assert(!store.hasNone("u"));
});

Deno.test("store: a dump is written, listed, and loaded as the same tree", async () => {
  for (const name of ["t", "a_b", "a/b", "день", "../x", "x".repeat(255), "я".repeat(127)]) {
    const world = new World();
    const tree = treeOf(name, 5);
    const file = await world.store.write(tree);
    assertEquals(file, dumpFileName(1000, name));
    assertEquals(await world.store.list(), [file]);
    const loaded = await world.store.load(file);
    assertEquals(loaded?.name, name);
    assertContents(contentsOf(loaded!), contentsOf(tree));
    checkTree(loaded!);
    assertEquals(await world.restored(), [`${name}=5`]);
    assertEquals([world.disk.filesOpen, world.lines], [0, []]);
  }
});

Deno.test("store: lists dumps and nothing else, newest first, of one second by name", async () => {
  const world = new World();
  const files = [
    "9_b.tree",
    "10_a.tree",
    "9_a.tree",
    "0_z.tree",
    "999999999999999_t.tree",
    "9_A.tree",
  ];
  const others = [".9_x.tree", ".karma-dump.tmp", "9_x.tree.meta.json", "9_x", "notes.txt"];
  for (const file of [...files, ...others]) world.put(file, "");
  assertEquals(await world.store.list(), [
    ...["999999999999999_t.tree", "10_a.tree", "9_A.tree", "9_a.tree", "9_b.tree", "0_z.tree"],
  ]);
  assertEquals(world.lines, []);
  world.put("x.tree", "");
  world.put("-1_t.tree", "");
  for (let time = 0; time < 3; time++) { // and each is complained of once
    assertEquals((await world.store.list()).length, files.length);
  }
  assertEquals(world.lines, [
    "File x.tree is left alone: it is not named SECONDS_TREE.tree",
    "File -1_t.tree is left alone: it is not named SECONDS_TREE.tree",
  ]);
});

Deno.test("store: dumps of one second take later ones, and none is overwritten", async () => {
  const world = new World();
  world.put("1002_t.tree", "00"); // somebody else's
  const files: string[] = [];
  for (let total = 1; total <= 4; total++) files.push(await world.store.write(treeOf("t", total)));
  const seconds = files.map((file) => parseDumpFileName(file)!.seconds);
  assertEquals(seconds, [...new Set(seconds)].sort((a, b) => a - b));
  assertEquals(await world.store.write(treeOf("other", 9)), "1000_other.tree");
  assertEquals(world.bytesOf("1002_t.tree"), Uint8Array.of(0));
  for (let index = 0; index < 4; index++) {
    assertEquals(total((await world.store.load(files[index]))!), index + 1);
  }
  assertEquals(await world.restored(), ["other=9", "t=4"]);
});

Deno.test("store: the newest dump has the highest seconds when the clock goes back", async () => {
  const RESTARTS: [what: string, restart: (world: World) => Promise<unknown>][] = [
    ["in one process", (world) => Promise.resolve(world)],
    ["after a restart that restores", (world) => world.restarted().restore()],
    ["after a restart that doesn't", (world) => Promise.resolve(world.restarted())],
  ];
  for (const [what, restart] of RESTARTS) {
    const world = new World();
    world.seconds = 2000;
    await world.store.write(treeOf("t", 1));
    world.seconds = 500;
    await restart(world);
    const second = await world.store.write(treeOf("t", 2));
    world.seconds = 1500;
    await restart(world);
    const third = await world.store.write(treeOf("t", 3));
    assertEquals([second, third], ["2001_t.tree", "2002_t.tree"], what);
    world.seconds = 5000;
    assertEquals(await world.store.write(treeOf("t", 4)), "5000_t.tree", what);
    assertEquals(await world.restored(), ["t=4"], what);
  }
});

Deno.test("store: what was loaded is older than the next dump, whatever its file is called", async () => {
  const world = new World();
  await world.store.write(treeOf("t", 1));
  world.put("7000_t.tree", world.bytesOf("1000_t.tree")); // from a machine whose clock is ahead
  assertEquals((await world.store.load("7000_t.tree"))?.name, "t");
  await world.store.write(treeOf("t", 2));
  assertEquals(await world.restored(), ["t=2"]);
});

/** {branches_num: 1, branches: [{1: {table: {20260101: 3}, total: 3}}]} */
const ORIGINAL = "82ac6272616e636865735f6e756d01a86272616e636865739181" +
  "0182a57461626c6581ce0135250503a5746f74616c03";

/** Whether a program broke rather than a disk. */
function isOurs(error: unknown): boolean {
  return error instanceof TypeError || error instanceof AssertionFailed;
}

Deno.test("store: where no later seconds are left a dump is newer all the same, or refused", async () => {
  for (
    const seconds of ["999999999999999", "9007199254740991", "9007199254740993", "9".repeat(16)]
  ) {
    const world = new World();
    const bytes = world.bytesOf(await world.store.write(treeOf("t", 1)));
    world.put(`${seconds}_t.tree`, bytes);
    world.restarted();
    const [written] = await Promise.allSettled([world.store.write(treeOf("t", 2))]);
    if (written.status === "fulfilled") assertEquals(await world.restored(), ["t=2"], seconds);
    else assert(written.reason instanceof HostError && !isOurs(written.reason.cause), seconds);
  }
});

Deno.test("store: load takes the names of files here, and no path", async () => {
  const world = new World();
  await world.store.write(treeOf("t", 1));
  world.disk.put("/1000_t.tree", world.bytesOf("1000_t.tree"));
  world.disk.put("/dumps/sub/1000_t.tree", world.bytesOf("1000_t.tree"));
  const paths = [
    ...[
      "",
      ".",
      "..",
      "/",
      "../1000_t.tree",
      "/dumps/1000_t.tree",
      "./1000_t.tree",
      "sub/1000_t.tree",
    ],
    ...["..\\1000_t.tree", "1000_t.tree\0", "1000_t.tree/", "1001_t.tree", "1000_T.tree", "%2e%2e"],
  ];
  for (const path of paths) assertEquals(await world.store.load(path), null, JSON.stringify(path));
  assertEquals(total((await world.store.load("1000_t.tree"))!), 1);
});

Deno.test("store: a dump with another name is one of another tree", async () => {
  const world = new World();
  for (const name of ["t", "x".repeat(255)]) {
    const bytes = world.bytesOf(await world.store.write(treeOf(name, 7)));
    world.put("5_other.tree", bytes);
    world.put("5_a%2Fb.tree", bytes);
    world.put("copy", bytes);
    const names = ["5_other.tree", "5_a%2Fb.tree", "copy"].map((file) => world.store.load(file));
    assertEquals((await Promise.all(names)).map((tree) => tree?.name), ["other", "a/b", "copy"]);
  }
});

// A file's bytes in hexadecimal, and what is wrong with it.
const DAMAGED: [file: string, bytes: string, fault: RegExp][] = [
  ["1_t.tree", "", /^Dump 1_t\.tree is damaged: it is empty$/],
  ["1_t.tree", "92", /^Dump 1_t\.tree is damaged: it ends within a frame$/],
  [
    "1_t.tree",
    "92c40400000000c600000000",
    /^Dump 1_t\.tree is damaged: a frame is not MessagePack$/,
  ],
  ["1_t.tree", "c0", /^Dump 1_t\.tree is damaged: the file is not a map, at byte 0$/],
  ["1_.tree", "8000", /^Dump 1_\.tree is damaged: its name is not that of a tree$/],
  ["1_%01.tree", "8000", /^Dump 1_%01\.tree is damaged: its name is not that of a tree$/],
];

Deno.test("store: a damaged dump is refused by name, by load and by restore", async () => {
  for (const [file, bytes, fault] of DAMAGED) {
    const world = new World();
    world.put(file, bytes);
    const error = await assertRejects(() => world.store.load(file), DamagedError);
    assertMatch(error.message, fault);
    assertEquals(world.disk.filesOpen, 0);
    if (parseDumpFileName(file) === null) continue; // restore leaves it alone
    await world.store.write(treeOf("whole", 1));
    const again = await assertRejects(() => world.restored(), DamagedError);
    assertMatch(again.message, fault);
  }
});

Deno.test("store: dumps of the original are loaded and restored", async () => {
  const world = new World();
  world.put("1_old_name.tree", ORIGINAL);
  const tree = await world.store.load("1_old_name.tree");
  assertEquals([tree?.name, total(tree!)], ["old_name", 3]);
  assertEquals(await world.restored(), ["old_name=3"]);
});

Deno.test("store: restore takes the newest dump of each tree and looks at no other", async () => {
  const world = new World();
  for (const name of ["b", "a", "a_b"]) {
    for (let total = 1; total <= 3; total++) {
      world.seconds++;
      const file = await world.store.write(treeOf(name, total));
      if (total < 3) world.put(file, world.bytesOf(file).with(200, 0)); // an old one is damaged
    }
  }
  world.put("notes.tree", "00");
  assertEquals(await world.restored(), ["a=3", "a_b=3", "b=3"]);
  assertEquals([world.lines.length, world.disk.filesOpen], [1, 0]);
});

Deno.test("store: old dumps of a long name whose heads are damaged don't matter either", async () => {
  const world = new World();
  const old = await world.store.write(treeOf("y".repeat(255), 1));
  await world.store.write(treeOf("y".repeat(255), 2));
  world.put(old, "");
  assertEquals(await world.restored(), [`${"y".repeat(255)}=2`]);
});

Deno.test("store: an empty directory restores nothing, a missing one is told", async () => {
  const world = new World();
  assertEquals(await world.restored(), []);
  const clock = { now: () => 0, today: () => 0 };
  const store = new Store(
    new DumpStore("/missing", world.disk, clock, 0, () => {}),
  );
  const attempts = [() => store.list(), () => store.restore(), () => store.write(treeOf("t", 1))];
  for (const attempt of attempts) {
    const error = await assertRejects(attempt, HostError, " could not be ");
    assertMatch(error.message, /: No (such )?directory.*\/missing/);
  }
  assertEquals(await store.load("1_t.tree"), null);
});

Deno.test("store: a tree that changes while it is dumped, and dumps that are asked for at once", async () => {
  const world = new World();
  const trees = ["a", "b", "a", "c"].map((name, index) => treeOf(name, index + 1));
  const writing = trees.map((tree) => world.store.write(tree));
  for (const tree of trees) tree.add(1, 0, 20260101, 10, 0);
  const files = await Promise.all(writing);
  assertEquals(files, ["1000_a.tree", "1000_b.tree", "1001_a.tree", "1000_c.tree"]);
  for (const [index, file] of files.entries()) {
    const tree = (await world.store.load(file))!;
    assert([index + 1, index + 11].includes(total(tree)), "as it was at one moment or another");
    assertEquals(tree.keys, 2999);
  }
});

Deno.test("store: a dump that fails does not keep the next one from being written", async () => {
  const world = new World();
  world.disk.failsAt = world.disk.operations + 2;
  const results = await Promise.allSettled(
    ["a", "b", "c"].map((name) => world.store.write(treeOf(name, 1))),
  );
  assertEquals(results.map(({ status }) => status), ["rejected", "fulfilled", "fulfilled"]);
  assertEquals(await world.restored(), ["b=1", "c=1"]);
});

/** A world with two dumps of tree t, the newer one of total 2, and one of a tree u. */
async function inhabited(): Promise<World> {
  const world = new World();
  await world.store.write(treeOf("u", 7));
  for (let total = 1; total <= 2; total++) {
    world.seconds++;
    await world.store.write(treeOf("t", total));
  }
  return world;
}

/** Checks that the old dumps are as they were, and that the new one is there whole or not at all. */
async function checkDumps(world: World, before: Map<string, Uint8Array>): Promise<void> {
  const files = await world.store.list();
  for (const [file, bytes] of before) {
    assert(files.includes(file), `${file} is still there`);
    const now = world.bytesOf(file);
    assert(now.length === bytes.length && now.every((byte, at) => byte === bytes[at]), file);
  }
  const added = files.filter((file) => !before.has(file));
  assert(added.length <= 1, `${added}`);
  for (const file of added) assertEquals(total((await world.store.load(file))!), 3);
}

async function dumpsOf(world: World): Promise<Map<string, Uint8Array>> {
  const files = await world.store.list();
  return new Map(files.map((file) => [file, world.bytesOf(file)]));
}

/** How many operations on the disk a dump of tree t takes. */
async function operationsOfDump(): Promise<number> {
  const world = await inhabited();
  const before = world.disk.operations;
  await world.store.write(treeOf("t", 3));
  return world.disk.operations - before;
}

Deno.test("store: a disk that fails at any moment of a dump destroys nothing", async () => {
  const operations = await operationsOfDump();
  assert(operations > 7, `${operations} operations`);
  for (let operation = 1; operation <= operations; operation++) {
    const world = await inhabited();
    const before = await dumpsOf(world);
    world.disk.failsAt = world.disk.operations + operation;
    const error = await assertRejects(() => world.store.write(treeOf("t", 3)), HostError);
    assertMatch(error.message, /^Tree "t" could not be dumped: Simulated failure of \w+$/);
    assertEquals(world.disk.filesOpen, 0);
    const hidden = (await world.disk.list("/dumps")).filter((file) => file.startsWith("."));
    assertEquals(hidden, [], "what was begun is gone");
    await checkDumps(world, before);
    // The next dump works, and is the newest.
    const next = await world.store.write(treeOf("t", 4));
    assertEquals((await world.store.list())[0], next);
    assertEquals(await world.restored(), ["t=4", "u=7"], `operation ${operation} failed`);
  }
});

const SURVIVORS: Survivors[] = [
  { names: false, bytes: false },
  { names: false, bytes: true },
  { names: true, bytes: false },
  { names: true, bytes: true },
];

Deno.test("store: a crash at any moment of a dump destroys nothing, whatever survives of it", async () => {
  const operations = await operationsOfDump();
  for (let operation = 1; operation <= operations; operation++) {
    for (const survivors of SURVIVORS) {
      const world = await inhabited();
      const before = await dumpsOf(world);
      world.disk.stopsAt = world.disk.operations + operation;
      await assertRejects(() => world.store.write(treeOf("t", 3)), HostError, "The power is off");
      world.disk.crash(survivors);
      world.restarted();
      await checkDumps(world, before);
      const [t, u] = await world.restored();
      assert(t === "t=2" || t === "t=3", t);
      assertEquals(u, "u=7");
      await world.store.write(treeOf("t", 4));
      world.disk.crash(survivors);
      assertEquals(await world.restored(), ["t=4", "u=7"], "the next dump works, and lasts");
    }
  }
});

Deno.test("store: a dump that was promised survives every crash", async () => {
  for (const survivors of SURVIVORS) {
    const world = await inhabited();
    await world.store.write(treeOf("t", 3));
    world.disk.crash(survivors);
    assertEquals(await world.restored(), ["t=3", "u=7"]);
  }
});

Deno.test("store: whatever fails when dumps are read is told as the world's failure", async () => {
  const ATTEMPTS: [what: string, attempt: (store: Store) => Promise<unknown>][] = [
    ["list", (store) => store.list()],
    ["load", (store) => store.load("1000_u.tree")],
    ["restore", (store) => store.restore()],
  ];
  for (const [what, attempt] of ATTEMPTS) {
    const world = await inhabited();
    await world.store.write(treeOf("y".repeat(255), 1));
    const before = world.disk.operations;
    await attempt(world.restarted());
    const operations = world.disk.operations - before;
    for (let operation = 1; operation <= operations; operation++) {
      world.disk.failsAt = world.disk.operations + operation;
      const failing = attempt(world.restarted());
      await assertRejects(() => failing, HostError, "Simulated failure", `${what}, ${operation}`);
      assertEquals(world.disk.filesOpen, 0, `${what}, ${operation}`);
    }
  }
});

Deno.test("store: a broken assertion of ours is not told as the world's failure", async () => {
  const world = await inhabited();
  const broken = () => Promise.reject(new AssertionFailed("something of ours"));
  world.disk.list = world.disk.open = world.disk.create = broken;
  const attempts = [
    () => world.store.list(),
    () => world.store.load("1000_u.tree"),
    () => world.store.restore(),
    () => world.store.write(treeOf("t", 1)),
  ];
  for (const attempt of attempts) {
    await assertRejects(attempt, AssertionFailed, "something of ours");
  }
});

Deno.test("store: of each tree the newest dumps of its log are kept, and all that are not of it", async () => {
  for (const retention of [1, 2, 5]) {
    const world = new World();
    const foreign = await world.store.write(treeOf("t", 100), { ...JOURNAL, id: "bb" });
    world.put("1_t.tree", ORIGINAL);
    world.restarted(retention);
    const files: string[] = [];
    for (let total = 1; total <= 7; total++) {
      files.push(await world.store.write(treeOf("t", total)));
    }
    const other = await world.store.write(treeOf("other", 1));
    const kept = [...files.slice(-retention).reverse(), foreign, other, "1_t.tree"];
    assertEquals((await world.store.list()).sort(), kept.sort());
    assertEquals(await world.restored(), ["other=1", "t=7"]);
    // A new process counts those of the one before.
    world.restarted(retention);
    const last = await world.store.write(treeOf("t", 8));
    const now = (await world.store.list()).filter((file) => files.includes(file));
    assertEquals(now.length, retention - 1);
    assertEquals((await world.store.list())[0], last);
  }
});

Deno.test("store: an old dump that can't be removed is told, and harms nobody", async () => {
  const world = new World();
  world.restarted(1);
  await world.store.write(treeOf("t", 1));
  world.disk.failsFrom.remove = 0;
  const file = await world.store.write(treeOf("t", 2));
  assertEquals((await world.store.list())[0], file);
  assertEquals(world.lines.length, 1);
  assertMatch(
    world.lines[0],
    /^Dump 1000_t\.tree could not be removed: Simulated failure of remove$/,
  );
});

Deno.test("store: one whose head is damaged is told, and stays as those of no log do", async () => {
  const world = new World();
  world.put("1_t.tree", "92c404");
  world.restarted(1);
  await world.store.write(treeOf("t", 1));
  const file = await world.store.write(treeOf("t", 2));
  assertEquals(await world.store.list(), [file, "1_t.tree"]);
  assertEquals(world.lines, ["Dump 1_t.tree is damaged: it ends within a frame"], "told once");
});

Deno.test("store: a dump that fails removes none, at whatever moment it does", async () => {
  const operations = await operationsOfDump();
  for (let operation = 1; operation <= operations; operation++) {
    const world = await inhabited();
    world.restarted(1);
    await world.store.list();
    const before = await dumpsOf(world);
    world.disk.failsAt = world.disk.operations + operation;
    const [written] = await Promise.allSettled([world.store.write(treeOf("t", 3))]);
    world.disk.failsAt = Infinity;
    if (written.status === "rejected") await checkDumps(world, before);
    const [t, u] = await world.restored();
    assert(t === "t=2" || t === "t=3", t);
    assertEquals(u, "u=7");
  }
});

Deno.test("store: dumps that others have removed, or that were loaded again, count as they are", async () => {
  const world = new World();
  world.restarted(2);
  const first = await world.store.write(treeOf("t", 1));
  await world.store.load(first);
  await world.store.load(first);
  const second = await world.store.write(treeOf("t", 2));
  assertEquals(await world.store.list(), [second, first], "it was not counted twice");
  await world.disk.remove(`/dumps/${first}`);
  const third = await world.store.write(treeOf("t", 3));
  assertEquals(await world.store.list(), [third, second]);
  const fourth = await world.store.write(treeOf("t", 4));
  assertEquals(await world.store.list(), [fourth, third]);
  assertEquals(world.lines, [], "what has gone needs no telling");
});

Deno.test("store: find takes the newest dump of a tree's serial in a log, and no other", async () => {
  const world = new World();
  const write = (total: number, serial: number, id = JOURNAL.id) => {
    return world.store.write(Object.assign(treeOf("t", total), { serial }), { ...JOURNAL, id });
  };
  const first = await write(1, 1);
  const second = await write(2, 1);
  const third = await write(3, 2);
  const foreign = await write(4, 1, "bb");
  world.put("9000_t.tree", ORIGINAL);
  const other = await world.store.write(Object.assign(treeOf("u", 1), { serial: 1 }));
  world.put("9001_t.tree", world.bytesOf(other)); // of another name
  for (const store of [world.store, world.restarted()]) {
    assertEquals(await store.find("t", JOURNAL.id, 1), second);
    assertEquals(await store.find("t", JOURNAL.id, 2), third);
    assertEquals(await store.find("t", "bb", 1), foreign);
    assertEquals(await store.find("t", JOURNAL.id, 3), null);
    assertEquals(await store.find("nobody", JOURNAL.id, 1), null);
  }
  world.put(first, ""); // older than what is looked for
  assertEquals(await world.restarted().find("t", JOURNAL.id, 1), second);
  for (const damaged of ["", "00", "92c404"]) {
    world.put("9002_t.tree", damaged);
    const error = await assertRejects(
      () => world.restarted().find("t", JOURNAL.id, 1),
      DamagedError,
    );
    assertMatch(error.message, /^Dump 9002_t\.tree is damaged: /);
  }
});

Deno.test("store: find takes the one before, when the newest has gone since", async () => {
  const world = new World();
  const first = await world.store.write(treeOf("t", 1));
  const second = await world.store.write(treeOf("t", 2));
  await world.disk.remove(`/dumps/${second}`);
  assertEquals(await world.store.find("t", JOURNAL.id, 0), first);
  await world.disk.remove(`/dumps/${first}`);
  assertEquals(await world.store.find("t", JOURNAL.id, 0), null);
});

Deno.test("store: the dump is on the disk, then the log, then its name; old ones go last", async () => {
  const world = new World();
  world.restarted(1);
  await world.store.write(treeOf("t", 1));
  const order: string[] = [];
  const LOOKS = ["list", "exists", "open", "read"];
  world.disk.latency = (kind) => {
    if (order.at(-1) !== kind && !LOOKS.includes(kind)) order.push(kind);
  };
  const sync = () => Promise.resolve(void order.push("log"));
  await world.store.write(treeOf("t", 2), { ...JOURNAL, sync });
  assertEquals(order, ["create", "write", "sync", "log", "rename", "syncDirectory", "remove"]);
  assertEquals((await world.store.list()).length, 1);
});

Deno.test("store: a dump is visible only when the log is on the disk as far as it has seen it", async () => {
  const world = new World();
  const seen: string[][] = [];
  const sync = async () => {
    seen.push((await world.disk.list("/dumps")).filter((file) => file.endsWith(".tree")));
  };
  const file = await world.store.write(treeOf("t", 1), { ...JOURNAL, lsn: 7, sync });
  assertEquals(seen, [[]]);
  assertEquals(await world.store.list(), [file]);
  const failing = { ...JOURNAL, sync: () => Promise.reject(new Error("the log is lost")) };
  await assertRejects(
    () => world.store.write(treeOf("t", 2), failing),
    HostError,
    "the log is lost",
  );
  assertEquals(await world.store.list(), [file]);
});

/** A hidden tree, as ingest streams stage them. */
function hiddenTree(serial: number): Tree {
  return Object.assign(treeOf(`\0staged-${serial}`, serial), { serial });
}

Deno.test("store: dumps of hidden trees are found by whoever knows them, and told to nobody", async () => {
  const world = new World();
  const file = await world.store.write(hiddenTree(12));
  assertEquals(file, "1000_%00staged-12.tree");
  const other = await world.store.write(treeOf("t", 1));
  for (const store of [world.store, world.restarted()]) {
    assertEquals(await store.list(), [other]);
    assertEquals(await store.newest(), [other]);
    assertEquals(await store.load(file), null);
    assertEquals(await store.find("\0staged-12", JOURNAL.id, 12), file);
    assertEquals(await store.find("\0staged-12", JOURNAL.id, 13), null);
    assertEquals(await store.find("staged-12", JOURNAL.id, 12), null);
  }
  assertEquals(world.lines, []);
});

Deno.test("store: hidden trees' dumps go once they are not kept, those of the log and no others", async () => {
  const world = new World();
  const foreign = await world.store.write(hiddenTree(4), { ...JOURNAL, id: "bb" });
  const kept = await world.store.write(hiddenTree(1));
  for (const serial of [2, 2, 3]) await world.store.write(hiddenTree(serial));
  const visible = await world.store.write(treeOf("staged-2", 2));
  world.put("9_%00staged-9.tree", "92c404"); // whose, is not known
  world.restarted();
  const last = await world.store.write(treeOf("t", 1));
  const asked: [string, number][] = [];
  await world.store.removeHidden((tree, serial) => {
    asked.push([tree, serial]);
    return serial === 1;
  });
  const rest = (await world.disk.list("/dumps")).sort();
  assertEquals(rest, [foreign, kept, visible, last, "9_%00staged-9.tree"].sort());
  const expected = [1, 2, 2, 3].map((serial) => [`\0staged-${serial}`, serial]);
  assertEquals(asked.sort(), expected);
  assertEquals(world.lines, ["Dump 9_%00staged-9.tree is damaged: it ends within a frame"]);
  assertEquals(await world.store.find("\0staged-1", JOURNAL.id, 1), kept);
  assertEquals(await world.store.find("\0staged-2", JOURNAL.id, 2), null);
  assertEquals(await world.store.write(hiddenTree(2)), "1000_%00staged-2.tree");
});

Deno.test("store: the newest dumps of the original are those that no Karma with heads wrote", async () => {
  const world = new World();
  world.put("1_t.tree", ORIGINAL);
  world.put("2_t.tree", ORIGINAL);
  world.put("3_u.tree", ORIGINAL);
  const ours = [await world.store.write(treeOf("t", 1)), await world.store.write(treeOf("v", 1))];
  world.restarted();
  assertEquals(await world.store.newest("of the original"), ["2_t.tree", "3_u.tree"]);
  assertEquals(await world.store.newest(), [ours[0], "3_u.tree", ours[1]]);
});

Deno.test("store: a tree that is renamed while it is dumped is in the dump as it was called", async () => {
  const operations = await operationsOfDump();
  for (let operation = 1; operation <= operations; operation++) {
    const world = new World();
    const tree = hiddenTree(5);
    let left = operation;
    await world.store.list(); // from then on its turn has come
    world.disk.latency = () => --left === 0 && tree.rename("t");
    const file = await world.store.write(tree);
    assertEquals(file, "1000_%00staged-5.tree");
    assertEquals(await world.restarted().find("\0staged-5", JOURNAL.id, 5), file);
  }
});

Deno.test("store: while it is held no dump comes, and what fails then holds nobody", async () => {
  const world = new World();
  const { promise, reject } = Promise.withResolvers<never>();
  const held = world.store.hold(() => promise);
  const written = world.store.write(treeOf("t", 1));
  for (let turns = 0; turns < 20; turns++) await Promise.resolve();
  assertEquals(await world.store.list(), []);
  reject(new Error("not whole"));
  await assertRejects(() => held, Error, "not whole");
  const file = await written;
  assertEquals(await world.store.list(), [file]);
});

Deno.test("store: a tree is found by opening its dump once", async () => {
  const world = new World();
  for (const name of ["a", "b", "c"]) await world.store.write(treeOf(name, 1));
  world.restarted();
  await world.store.list();
  const { operations } = world.disk;
  for (const name of ["a", "b", "c"]) assert(await world.store.find(name, JOURNAL.id, 0) !== null);
  assertEquals(world.disk.operations - operations, 3, "each is read in one go");
});
