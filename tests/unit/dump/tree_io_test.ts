// A tree to a dump and back: golden bytes, trees of every shape, dumps that are not whole.

import { assert, assertEquals, assertRejects } from "@std/assert";
import { encode } from "@std/msgpack";
import { highLane, lowLane, u64ToBigInt } from "../../../lib/bytes/u64.ts";
import { encodeBranch, encodeEnd, encodeHead } from "../../../lib/dump/format.ts";
import { framed } from "../../../lib/dump/frame.ts";
import { readHead, readTree, writeTree } from "../../../lib/dump/tree_io.ts";
import { ReadWindow } from "../../../lib/host/read_window.ts";
import { DamagedError } from "../../../lib/errors.ts";
import { checkTree } from "../../../lib/tree/check.ts";
import { Columns } from "../../../lib/tree/columns.ts";
import { Tree } from "../../../lib/tree/tree.ts";
import { assertContents, contentsOf, randomTree } from "../../fuzz/dump_fuzz.ts";
import { MemoryDisk } from "../../support/memory_disk.ts";
import { Random } from "../../support/random.ts";

const FILE = "/dumps/x";
const JOURNAL = { id: "0123456789abcdef", lsn: 258, sync: () => Promise.resolve() };

/** The dump of a tree; `change` is called before each write. */
async function dumped(tree: Tree, change: () => void = () => {}): Promise<Uint8Array> {
  const disk = new MemoryDisk("/dumps");
  const file = await disk.create(FILE);
  const write = (bytes: Uint8Array<ArrayBuffer>) => {
    change();
    return file.write(bytes);
  };
  const written = (await writeTree(tree, 1700000000, { ...file, write }, JOURNAL))!;
  const bytes = disk.bytesOf(FILE);
  assertEquals(written.bytes, bytes.length);
  assertEquals(written.head, await readHead(new ReadWindow((await disk.open(FILE))!)));
  return bytes;
}

async function restored(dump: Uint8Array, readBytesMax = Infinity): Promise<Tree> {
  const disk = new MemoryDisk("/dumps");
  disk.put(FILE, dump);
  disk.readBytesMax = readBytesMax;
  const window = new ReadWindow((await disk.open(FILE))!);
  const { tree } = await readHead(window);
  const { tree: read } = await readTree(window, new Tree(tree));
  checkTree(read);
  return read;
}

// The dump of a small tree as version 1 wrote it before there was a log. It must be read for ever.
const WITHOUT_LOG = `
  92 c404 9f2fe5a5 c6 00000031
  84 a6666f726d6174 aa6b61726d612d64756d70 a776657273696f6e 01 a474726565 c40174
     a77365636f6e6473 ce6553f100
  92 c404 15b94928 c6 00000069
  87 a57374617274 c4080000000000000000 a36c736e c4080000000000000000
     a46b657973 c4080500000000000000 a6636f756e7473 c40402000000 a464617973 c4080525350106253501
     a46c6f7773 c4080300000009000000 a56869676873 c4080000000001000000
  92 c404 d6402d8e c6 00000033
  83 a86272616e63686573 c4080100000000000000 a46b657973 c4080100000000000000
     a563656c6c73 c4080200000000000000
`.replaceAll(/\s/g, "");

// As it was before heads had an LSN. This as well.
const WITHOUT_LSN = `
  92 c404 3f766bc0 c6 00000057
  86 a6666f726d6174 aa6b61726d612d64756d70 a776657273696f6e 01 a474726565 c40174
     a77365636f6e6473 ce6553f100 a36c6f67 b030313233343536373839616263646566
     a673657269616c c4080700000000000000
  92 c404 adbe3a0c c6 00000069
  87 a57374617274 c4080000000000000000 a36c736e c4080201000000000000
     a46b657973 c4080500000000000000 a6636f756e7473 c40402000000 a464617973 c4080525350106253501
     a46c6f7773 c4080300000009000000 a56869676873 c4080000000001000000
  92 c404 d6402d8e c6 00000033
  83 a86272616e63686573 c4080100000000000000 a46b657973 c4080100000000000000
     a563656c6c73 c4080200000000000000
`.replaceAll(/\s/g, "");

// As it is written now. And this.
const GOLDEN = `
  92 c404 e181dd99 c6 00000065
  87 a6666f726d6174 aa6b61726d612d64756d70 a776657273696f6e 01 a474726565 c40174
     a77365636f6e6473 ce6553f100 a36c6f67 b030313233343536373839616263646566
     a673657269616c c4080700000000000000 a36c736e c4080201000000000000
  92 c404 adbe3a0c c6 00000069
  87 a57374617274 c4080000000000000000 a36c736e c4080201000000000000
     a46b657973 c4080500000000000000 a6636f756e7473 c40402000000 a464617973 c4080525350106253501
     a46c6f7773 c4080300000009000000 a56869676873 c4080000000001000000
  92 c404 d6402d8e c6 00000033
  83 a86272616e63686573 c4080100000000000000 a46b657973 c4080100000000000000
     a563656c6c73 c4080200000000000000
`.replaceAll(/\s/g, "");

function smallTree(): Tree {
  const tree = new Tree("t");
  tree.serial = 7;
  tree.add(5, 0, 20260101, 3, 0);
  tree.add(5, 0, 20260102, 9, 1);
  return tree;
}

Deno.test("transfer: the bytes of a small dump", async () => {
  assertEquals((await dumped(smallTree())).toHex(), GOLDEN);
});

Deno.test("transfer: a dump of version 1 is read", async () => {
  for (const golden of [WITHOUT_LOG, WITHOUT_LSN, GOLDEN]) {
    const tree = await restored(Uint8Array.fromHex(golden));
    assertEquals([tree.name, contentsOf(tree)], ["t", contentsOf(smallTree())]);
  }
});

Deno.test("transfer: trees of every shape come back, read in pieces of any size", async () => {
  const random = new Random(16);
  for (let round = 0; round < 30; round++) {
    const tree = randomTree(random);
    const dump = await dumped(tree);
    const back = await restored(dump, random.pick([100 + (dump.length >> 9), 65536, Infinity]));
    assertContents(contentsOf(back), contentsOf(tree));
    assertEquals(await dumped(back).then((again) => again.length), dump.length);
  }
});

Deno.test("transfer: a counter larger than a block, and one of each width", async () => {
  const tree = new Tree("t");
  for (let day = 0; day < 8000; day++) tree.add(1, 0, 10_000_000 + day, 1 + day, day % 2);
  for (let day = 1; day < 20; day++) {
    for (const key of [2, 3, 4]) tree.add(key, 0, 20260100 + day, 1 << 4 * key, key >> 2);
  }
  const back = await restored(await dumped(tree));
  assertContents(contentsOf(back), contentsOf(tree));
});

Deno.test("transfer: a tree that changes while it is dumped", async () => {
  const random = new Random(17);
  const keys = Array.from({ length: 6000 }, (_, index) => BigInt(index) << 40n);
  const tree = new Tree("t");
  for (const key of keys) tree.add(lowLane(key), highLane(key), 20260101, 1, 0);
  const dump = await dumped(tree, () => {
    for (let change = 0; change < 2000; change++) {
      const key = random.chance(0.5) ? random.u64() : random.pick(keys);
      tree.add(lowLane(key), highLane(key), 20260101 + random.below(5), 1, 0);
    }
  });
  const back = contentsOf(await restored(dump));
  const now = contentsOf(tree);
  for (const key of keys) assert(back.has(key), `key ${key} was there all along`);
  for (const [key, days] of back) {
    for (const [day, value] of days) {
      assert(value <= now.get(key)!.get(day)!, `key ${key} has no more than it ever had`);
    }
  }
  checkTree(tree);
});

/** A change to a tree that is a record of its log. */
type Change = (tree: Tree, limitLo: number, limitHi: number) => void;

/** One of the counter of a key is all held by a dump, or not at all; a sweep up to a limit. */
interface Logged {
  readonly lsn: number;
  readonly key: bigint | null;
  readonly change: Change;
}

function randomChange(random: Random, keys: bigint[], lsn: number): Logged {
  const day = 20260101 + random.below(5);
  if (random.chance(0.002)) {
    return { lsn, key: null, change: (tree, lo, hi) => tree.sweep(day, day, lo, hi) };
  }
  const key = random.chance(0.3) ? random.u64() : random.pick(keys);
  const [lo, hi] = [lowLane(key), highLane(key)];
  const change: Change = random.chance(0.1)
    ? (tree) => tree.removeDays(lo, hi, day, day + 1)
    : (tree) => void tree.add(lo, hi, day, 1, 0);
  return { lsn, key, change };
}

Deno.test("transfer: a dump tells which records it holds: the others make the tree of it", async () => {
  for (let seed = 1; seed <= 10; seed++) {
    const random = new Random(seed);
    const keys = Array.from({ length: 6000 }, (_, index) => BigInt(index) << 40n);
    const tree = new Tree("t");
    for (const key of keys) tree.add(lowLane(key), highLane(key), 20260101, 1, 0);
    const records: Logged[] = [];
    const journal = { ...JOURNAL, lsn: 1000 };
    const disk = new MemoryDisk("/dumps");
    const file = await disk.create(FILE);
    const goOn = () => {
      for (let count = random.below(1000); count > 0; count--) {
        const record = randomChange(random, keys, ++journal.lsn);
        record.change(tree, 0, 0);
        records.push(record);
      }
    };
    goOn();
    const begun = journal.lsn;
    const write = (bytes: Uint8Array<ArrayBuffer>) => {
      goOn();
      return file.write(bytes);
    };
    await writeTree(tree, 1700000000, { ...file, write }, journal);
    goOn();

    const window = new ReadWindow((await disk.open(FILE))!);
    assertEquals((await readHead(window)).lsn, begun);
    const { tree: back, coverage } = await readTree(window, new Tree("t"));
    assert(begun <= coverage.least && coverage.least < coverage.most, "branches have their own");
    const limit = new Uint32Array(2);
    for (const { lsn, key, change } of records) {
      limit.fill(0);
      if (!coverage.isPassed(lsn)) {
        coverage.limit(lsn, limit);
        const end = u64ToBigInt(limit[0], limit[1]);
        if (end === 0n || key !== null && key >= end) continue;
      }
      change(back, limit[0], limit[1]);
    }
    assertContents(contentsOf(back), contentsOf(tree), `seed ${seed}`);
    checkTree(back);
  }
});

/** A branch of the given keys, each with one day, whose range begins at `start`. */
function branchFrame(start: number, ...keys: number[]): Uint8Array {
  const columns = Object.assign(new Columns(), {
    keyCount: keys.length,
    cellCount: keys.length,
    keys: Uint32Array.from(keys.flatMap((lo) => [lo, 0])),
    counts: Uint32Array.from(keys, () => 1),
    days: Uint32Array.from(keys, () => 20260101),
    lows: Uint32Array.from(keys, (lo) => lo + 1),
  });
  return framed(encodeBranch(start, 0, columns, 0));
}

function endFrame(branches: number, keys: number, cells = keys): Uint8Array {
  return framed(encodeEnd({ branches, keys, cells }));
}

const HEAD = framed(encodeHead({ tree: "t", seconds: 1, log: "", serial: 0, lsn: 0 }));
const MAP = framed(encode({}));

const FILES: [keys: number[], ...frames: Uint8Array[]][] = [
  [[], HEAD, branchFrame(0), endFrame(1, 0)],
  [[0, 9], HEAD, branchFrame(0, 9, 0), endFrame(1, 2)],
  [[1, 5, 6, 8], HEAD, branchFrame(0, 1), branchFrame(5, 6, 5), branchFrame(7, 8), endFrame(3, 4)],
  [[8], HEAD, branchFrame(0), branchFrame(5), branchFrame(7, 8), endFrame(3, 1)],
  [[8], HEAD, branchFrame(0, 8), branchFrame(9), endFrame(2, 1)],
];

Deno.test("transfer: branches in the order of their ranges make a tree", async () => {
  for (const [keys, ...frames] of FILES) {
    const tree = await restored(joined(frames));
    const expected = keys.map((key): [bigint, Map<number, bigint>] => {
      return [BigInt(key), new Map([[20260101, BigInt(key) + 1n]])];
    });
    assertEquals(contentsOf(tree), new Map(expected));
  }
});

const REFUSED: [fault: string, ...frames: Uint8Array[]][] = [
  ["it is empty"],
  ["it does not begin as a dump of Karma does", branchFrame(0), HEAD, endFrame(1, 0)],
  ["it does not begin as a dump of Karma does", MAP],
  ["its end is missing", HEAD],
  ["its end is missing", HEAD, branchFrame(0, 1)],
  ["its end is missing", HEAD, branchFrame(0, 1), branchFrame(5)],
  ["its first branch is missing", HEAD, endFrame(0, 0)],
  ["its first branch is missing", HEAD, branchFrame(5, 6), endFrame(1, 1)],
  ["its first branch is missing", HEAD, MAP],
  ['its column "branches" is missing', HEAD, branchFrame(0), MAP],
  ['its column "branches" is missing', HEAD, branchFrame(0), HEAD],
  ["it should hold 2 branches and holds 1", HEAD, branchFrame(0, 1), endFrame(2, 1)],
  ["it should hold 1 keys and holds 0", HEAD, branchFrame(0), endFrame(1, 1)],
  ["it should hold 2 cells and holds 1", HEAD, branchFrame(0, 1), endFrame(1, 1, 2)],
  ["something follows its end", HEAD, branchFrame(0), endFrame(1, 0), Uint8Array.of(0)],
  ["something follows its end", HEAD, branchFrame(0), endFrame(1, 0), endFrame(1, 0)],
  ["a key lies outside the range", HEAD, branchFrame(0, 5), branchFrame(5, 6), endFrame(2, 2)],
  ["a key lies outside the range", HEAD, branchFrame(0, 4), branchFrame(5, 4), endFrame(2, 2)],
  ["a key is there twice", HEAD, branchFrame(0, 4, 4), endFrame(1, 2)],
  // Branches that are no ascending ranges, even where no key tells that.
  ["", HEAD, branchFrame(0), branchFrame(0, 1), endFrame(2, 1)],
  ["", HEAD, branchFrame(0), branchFrame(5), branchFrame(5, 6), endFrame(3, 1)],
  ["", HEAD, branchFrame(0), branchFrame(7), branchFrame(5, 6), endFrame(3, 1)],
  ["", HEAD, branchFrame(0, 1), branchFrame(5), branchFrame(0), endFrame(3, 1)],
];

Deno.test("transfer: what is not one whole dump is refused", async () => {
  for (const [fault, ...frames] of REFUSED) {
    await assertRejects(() => restored(joined(frames)), DamagedError, fault);
  }
});

function joined(frames: Uint8Array[]): Uint8Array {
  return new Uint8Array(frames.flatMap((frame) => [...frame]));
}
