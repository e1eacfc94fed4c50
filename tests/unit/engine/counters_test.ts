// What requests do to counters: single ones, batches, whole trees, and random histories of all of
// them beside a model, with kills.

import { assert, assertEquals, assertMatch } from "@std/assert";
import { checkTree } from "../../../lib/tree/check.ts";
import { type Contents, contentsOf } from "../../fuzz/dump_fuzz.ts";
import { LocalKarma } from "../../support/local_karma.ts";
import { MemoryDisk } from "../../support/memory_disk.ts";
import { Random } from "../../support/random.ts";
import { V2Client } from "../../support/v2_client.ts";

const MOST = "18446744073709551615";
const TODAY = 20261122;

class World {
  readonly karma: LocalKarma;
  readonly client: V2Client;

  private constructor(karma: LocalKarma) {
    this.karma = karma;
    this.client = new V2Client(karma);
  }

  static async start(disk = new MemoryDisk("/dumps")): Promise<World> {
    return new World(await LocalKarma.start(disk));
  }

  ask(op: string, members = ""): Promise<string> {
    return this.client.ask(op, members);
  }

  /** Asserts what each request answers. */
  async tell(...table: [op: string, members: string, told: string][]): Promise<void> {
    for (const [op, members, told] of table) {
      assertEquals(await this.ask(op, members), told, `${op} ${members}`);
    }
  }

  /** Asserts what requests answer that change nothing. */
  async refuse(...table: [op: string, members: string, told: string][]): Promise<void> {
    for (const row of table) {
      const before = [this.state(), this.karma.wal.lsn];
      await this.tell(row);
      assertEquals([this.state(), this.karma.wal.lsn], before, row.join(" "));
    }
  }

  state(): [name: string, contents: Contents][] {
    return this.karma.forest.trees().map((tree) => {
      checkTree(tree);
      return [tree.name, contentsOf(tree)];
    });
  }

  cells(name = "t"): string {
    const tree = this.karma.forest.named(name);
    if (tree === null) return "none";
    return [...contentsOf(tree)].map(([key, days]) => {
      return [key, ...[...days].map(([day, value]) => `${day}=${value}`)].join(" ");
    }).join("; ");
  }

  async restarted(): Promise<World> {
    await this.karma.wal.settled();
    const disk = this.karma.disk.clone();
    disk.kill();
    return await World.start(disk);
  }
}

const T = '"series":"t"';
const RANGE = '"range":{"from":20260101,"to":20260102}';

Deno.test("counters: one is added to, taken from and never below zero", async () => {
  const world = await World.start();
  await world.tell(
    ["counter.increment", `${T},"key":1`, "1"],
    ["counter.increment", `${T},"key":1,"date":20260101,"value":5`, "5"],
    ["counter.decrement", `${T},"key":1,"date":20260101,"value":3`, "3"],
    ["counter.sum", `${T},"key":1`, "3"],
    ["counter.decrement", `${T},"key":1,"date":20260101,"value":${MOST}`, MOST],
    ["counter.decrement", `${T},"key":1,"date":20260105`, "1"],
    ["counter.decrement", `${T},"key":2`, "1"],
    ["counter.decrement", '"series":"new","key":9', "1"],
    ["counter.sum", `${T},"key":7`, "0"],
  );
  assertEquals([world.cells(), world.cells("new")], [`1 ${TODAY}=1; 2`, "9"]);
  assertEquals((await world.restarted()).state(), world.state());
});

Deno.test("counters: today is the day of the moment, in batches as in single ones", async () => {
  const world = await World.start();
  await world.ask("counter.increment", `${T},"key":1`);
  world.karma.today = 20261123;
  await world.ask("counter.increment", `${T},"key":1`);
  await world.ask("counter.decrement", `${T},"key":1`);
  await world.ask("counter.increment", `${T},"key":1,"value":2`);
  assertEquals(world.cells(), "1 20261122=1 20261123=2");
});

Deno.test("counters: what would pass 2^64-1 is refused, and nothing has happened", async () => {
  const world = await World.start();
  await world.tell(
    ["counter.increment", `${T},"key":1,"date":20260101,"value":${MOST}`, MOST],
    [
      "counter.increment",
      `${T},"key":2,"date":20260101,"value":"9223372036854775808"`,
      "9223372036854775808",
    ],
  );
  const beyond = (key: number, day = 20260101, where = "") =>
    `validation_error: Counter overflow ${where}key=${key} bucket=${day}`;
  const item = "in batch item ";
  await world.refuse(
    ["counter.increment", `${T},"key":1,"date":20260101`, beyond(1)],
    ["counter.increment", `${T},"key":1,"date":20260102`, beyond(1, 20260102)],
    [
      "counter.increment",
      `${T},"key":2,"date":20260109,"value":"9223372036854775808"`,
      beyond(2, 20260109),
    ],
    [
      "series.batch_add",
      `${T},"items":[[3,20260101,1],[2,20260101,1],[1,20260101,1]]`,
      beyond(1, 20260101, item),
    ],
    ["series.batch_set", `${T},"items":[[3,20260101,1],[1,20260102,1]]`, beyond(1, 20260102, item)],
    [
      "series.batch_add",
      `"series":"new","items":[[1,20260101,${MOST}],[1,20260101,1]]`,
      "validation_error: Batch total overflow",
    ],
    [
      "series.batch_set",
      `"series":"new","items":[[1,20260101,${MOST}],[2,20260101,1]]`,
      "validation_error: Batch total overflow",
    ],
    [
      "series.batch_add",
      `${T},"items":[[1,20260101,0]]`,
      "validation_error: Batch item value must be greater than 0",
    ],
  );
  // Sums of different counters may be more than that, and a set may make room.
  await world.tell(
    ["series.batch_set", `${T},"items":[[1,20260101,1],[1,20260102,4]]`, '{"applied":2}'],
    ["counter.sum", `${T},"key":1`, "5"],
  );
});

Deno.test("counters: a tree that a batch would have created is not there if it is refused", async () => {
  const world = await World.start();
  const half = "9223372036854775808";
  const told = "validation_error: Batch total overflow";
  assertEquals(
    await world.ask("series.batch_add", `${T},"items":[[1,20260101,${half}],[1,20260102,${half}]]`),
    told,
  );
  assertEquals([world.cells(), world.karma.forest.trees().length], ["none", 0]);
  assertEquals((await world.restarted()).karma.forest.trees().length, 0);
});

Deno.test("counters: batches add, set and count what they did", async () => {
  const world = await World.start();
  await world.tell(
    ["series.batch_set", `${T},"items":[]`, '{"applied":0}'],
    ["tree.info", `${T}`, 'not_found: Tree "t" not found'],
    ["series.batch_add", `${T},"items":[]`, '{"applied":0,"total":0}'],
    ["tree.list", "", '["t"]'],
    [
      "series.batch_add",
      `${T},"items":[[1,20260101,5],[1,20260101,5],[2,20260102,1]]`,
      '{"applied":3,"total":11}',
    ],
    [
      "series.batch_set",
      `${T},"items":[[1,20260101,7],[2,20260102,9],[2,20260102,0],[3,20260101,0]]`,
      '{"applied":4}',
    ],
    ["series.batch_set", `"series":"u","items":[[3,20260101,0]]`, '{"applied":1}'],
    [
      "counter.batch_sum",
      `${T},"keys":[2,1,1,8]`,
      '[{"key":2,"value":0},{"key":1,"value":7},{"key":1,"value":7},{"key":8,"value":0}]',
    ],
    ["counter.batch_sum", `${T},"keys":[]`, "[]"],
    ["counter.batch_sum", '"series":"none","keys":[]', 'not_found: Tree "none" not found'],
    [
      "counter.batch_sum",
      `${T},"keys":[1],"range":{"from":20260102,"to":20260103}`,
      '[{"key":1,"value":0}]',
    ],
  );
  assertEquals([world.cells(), world.cells("u")], ["1 20260101=7; 2; 3", "3"]);
  const { batchWrites, batchReads, batchReadKeys } = world.karma.engine.statistics;
  assertEquals([batchReads, batchReadKeys], [3, 5]);
  assert(batchWrites >= 4, `${batchWrites}`);
});

Deno.test("counters: sums across trees, whole or not at all", async () => {
  const world = await World.start();
  const odd = '"a\\"\\\\ день"';
  await world.ask("counter.increment", `${T},"key":1,"value":3,"date":20260101`);
  await world.ask(
    "counter.increment",
    `"series":${odd},"key":${MOST},"value":${MOST},"date":20260103`,
  );
  const items =
    `"items":[{"series":"t","key":1},{"key":"${MOST}","series":${odd}},{"series":"t","key":2}]`;
  const told = (value: number, other: string) =>
    `[{"series":"t","key":1,"value":${value}},{"series":${odd},"key":${MOST},"value":${other}},{"series":"t","key":2,"value":0}]`;
  await world.tell(
    ["counter.multi_sum", items, told(3, MOST)],
    ["counter.multi_sum", `${items},${RANGE}`, told(3, "0")],
    ["counter.multi_sum", '"items":[]', "[]"],
    [
      "counter.multi_sum",
      '"items":[{"series":"t","key":1},{"series":"x","key":1}]',
      'not_found: Tree "x" not found',
    ],
  );
});

Deno.test("counters: what is taken away, and what is said to have been", async () => {
  const make = async () => {
    const world = await World.start();
    const items = "[1,20260101,1],[1,20260103,2],[2,20260103,4],[3,20260102,8],[4,20260101,0]";
    await world.ask("series.batch_set", `${T},"items":[${items}]`);
    return world;
  };
  const all = "1 20260101=1 20260103=2; 2 20260103=4; 3 20260102=8; 4";
  const table: [op: string, members: string, told: string, cells: string][] = [
    ["counter.reset", `${T},"key":1`, '"OK"', "1; 2 20260103=4; 3 20260102=8; 4"],
    ["counter.reset", `${T},"key":9`, '"OK"', all],
    [
      "counter.delete_range",
      `${T},"key":1,${RANGE}`,
      "true",
      "1 20260103=2; 2 20260103=4; 3 20260102=8; 4",
    ],
    ["counter.delete_range", `${T},"key":9,${RANGE}`, "true", all],
    ["tree.delete_range", `${T},${RANGE}`, "true", "1 20260103=2; 2 20260103=4; 3; 4"],
    ["tree.reset", T, '"OK"', "1; 2; 3; 4"],
    [
      "counter.batch_reset",
      `${T},"keys":[1,4,9,1,3]`,
      '{"reset":2,"missing":3}',
      "1; 2 20260103=4; 3; 4",
    ],
    ["counter.batch_reset", `${T},"keys":[]`, '{"reset":0,"missing":0}', all],
    [
      "counter.batch_delete_range",
      `${T},"keys":[1,2,3,3,4,9],${RANGE}`,
      '{"deleted":2,"missing":3}', // 2 has days, and none of them there
      "1 20260103=2; 2 20260103=4; 3; 4",
    ],
    ["series.compact", T, '"OK"', "1 20260101=1 20260103=2; 2 20260103=4; 3 20260102=8"],
    ["system.compact", "", '"OK"', "1 20260101=1 20260103=2; 2 20260103=4; 3 20260102=8"],
    [
      "series.delete_before",
      `${T},"before":20260102`,
      '"OK"',
      "1 20260103=2; 2 20260103=4; 3 20260102=8",
    ],
    ["tree.delete_before", `${T},"before":20260103`, '"OK"', "1 20260103=2; 2 20260103=4"],
    [
      "series.delete_before",
      `${T},"before":0`,
      '"OK"',
      "1 20260101=1 20260103=2; 2 20260103=4; 3 20260102=8",
    ],
    ["series.delete_before", `${T},"date":"2026-01-03"`, '"OK"', "1 20260103=2; 2 20260103=4"],
    ["series.delete_before", `${T},"before":${MOST}`, '"OK"', ""],
    ["tree.drop", T, '"OK"', "none"],
  ];
  for (const [op, members, told, cells] of table) {
    const world = await make();
    assertEquals(world.cells(), all);
    await world.tell([op, members, told]);
    assertEquals(world.cells(), cells, `${op} ${members}`);
    assertEquals((await world.restarted()).cells(), cells, `${op} ${members}, after a kill`);
  }
});

Deno.test("counters: a tree that isn't there is created, or missed", async () => {
  const N = '"series":"new"';
  const created = [
    "tree.create",
    "tree.reset",
    "counter.reset",
    "counter.delete_range",
    "tree.delete_range",
    "counter.increment",
    "counter.decrement",
  ];
  for (const op of created) {
    const world = await World.start();
    const told = await world.ask(op, `${N},"key":5,${RANGE}`);
    assert(!told.includes("error"), told);
    const cells = op === "counter.increment"
      ? `5 ${TODAY}=1`
      : op === "counter.decrement"
      ? "5"
      : "";
    assertEquals(world.cells("new"), cells, op);
    assertEquals((await world.restarted()).cells("new"), cells, op);
    const rule = "Field tree_name must be 1 to 255 bytes of UTF-8 without control characters";
    await world.refuse([op, `"series":"a\\nb","key":5,${RANGE}`, `validation_error: ${rule}`]);
    await world.refuse([
      op,
      `"series":"","key":5,${RANGE}`,
      "validation_error: Field tree_name is required",
    ]);
  }
  const missed = [
    "tree.drop",
    "series.compact",
    "series.delete_before",
    "counter.batch_reset",
    "counter.batch_delete_range",
    "counter.sum",
    "counter.series",
    "tree.series",
    "tree.info",
    "tree.keys",
    "tree.top",
    "tree.summary",
  ];
  const world = await World.start();
  for (const op of missed) {
    const members = `${N},"key":5,"keys":[5],"before":20260101,${RANGE}`;
    await world.refuse([op, members, 'not_found: Tree "new" not found']);
  }
});

Deno.test("counters: protocol v1 creates less, and leaves counters behind", async () => {
  const karma = await LocalKarma.start(new MemoryDisk("/dumps"));
  const client = karma.connect();
  const range = { time_from: 20260101, time_to: 20260102 };
  for (const command of ["reset", "delete", "sum", "find"]) {
    await client.ask({ command, tree_name: "new", key: 5, ...range });
    await client.ask({ command, tree_name: "new", ...range });
  }
  assertEquals(karma.forest.trees().length, 0);
  await client.ask({ command: "create", tree_name: "t" });
  await client.ask({ command: "reset", tree_name: "t", key: 5 });
  await client.ask({ command: "delete", tree_name: "t", key: 6, ...range });
  await client.ask({ command: "sum", tree_name: "t", key: 7 });
  assertEquals([...contentsOf(karma.forest.named("t")!).keys()], [5n, 6n]);
  await client.end();
  await LocalKarma.timersDone();
});

Deno.test("counters: without space nothing is half done", async () => {
  const requests: [op: string, members: string][] = [
    ["counter.increment", '"series":"new","key":5'],
    ["counter.reset", '"series":"newer","key":5'],
    ["tree.reset", '"series":"newest"'],
    ["series.batch_add", '"series":"other","items":[[1,20260101,1],[2,20260101,1]]'],
    ["series.batch_set", `${T},"items":[[1,20260101,7],[2,20260101,7]]`],
    ["counter.batch_reset", `${T},"keys":[1,2]`],
    ["counter.batch_delete_range", `${T},"keys":[1,2],${RANGE}`],
    ["series.delete_before", `${T},"before":20260102`],
    ["system.compact", ""],
  ];
  const FULL = "storage_full: The disk is full: nothing was changed";
  /** A world with so little space that only so many increments were possible. */
  const filled = async (increments: number) => {
    const disk = new MemoryDisk("/dumps");
    disk.bytesMax = 2500;
    const world = await World.start(disk);
    await world.ask(
      "series.batch_set",
      `${T},"items":[[1,20260101,1],[2,20260101,1],[3,20260101,0]]`,
    );
    let count = 0;
    while (count < increments && await world.ask("counter.increment", `${T},"key":9`) !== FULL) {
      count++;
    }
    return { world, count };
  };
  const { count: most } = await filled(Infinity);
  for (const [op, members] of requests) {
    let outcomes = "";
    for (let left = 0; left < 30; left++) {
      const { world } = await filled(most - left);
      const before = [world.state(), world.karma.wal.lsn];
      const told = await world.ask(op, members);
      if (told === FULL) assertEquals([world.state(), world.karma.wal.lsn], before, op);
      else assert(!/^\w+_\w+: /.test(told), told);
      outcomes += told === FULL ? "f" : "d";
      assertEquals((await world.restarted()).state(), world.state(), op);
    }
    assertMatch(outcomes, /^f+d+$/, `${op}: ${outcomes}`);
  }
});

type Days = Map<number, bigint>;

Deno.test("counters: random histories beside a model, with kills and dumps", async () => {
  const seed = crypto.getRandomValues(new Uint32Array(1))[0];
  for (let round = 0; round < 10; round++) {
    const random = new Random(seed + round);
    const where = `seed ${seed + round}`;
    let world = await World.start();
    const trees = new Map<string, Map<bigint, Days>>();
    for (let step = 0; step < 120; step++) {
      const name = random.pick(["t", "u"]);
      const key = BigInt(random.below(6));
      const day = 20260101 + random.below(5);
      const [from, to] = [day, day + random.below(3)];
      const value = random.chance(0.1) ? random.u64() >> 1n : BigInt(1 + random.below(9));
      const members =
        `"series":"${name}","key":${key},"date":${day},"value":${value},"range":{"from":${from},"to":${to}}`;
      const tree = trees.get(name);
      const held = tree?.get(key);
      const created = () => {
        if (!trees.has(name)) trees.set(name, new Map());
        return trees.get(name)!;
      };
      const touched = () => {
        const tree = created();
        if (!tree.has(key)) tree.set(key, new Map());
        return tree.get(key)!;
      };
      const remove = (days: Days, first: number, last: number) => {
        for (const day of [...days.keys()]) if (day >= first && day <= last) days.delete(day);
      };
      switch (random.below(11)) {
        case 0:
        case 1:
        case 2: {
          const total = [...held?.values() ?? []].reduce((a, b) => a + b, 0n);
          const told = await world.ask("counter.increment", members);
          const isBeyond = total + value >= 1n << 64n;
          const told2 = `validation_error: Counter overflow key=${key} bucket=${day}`;
          assertEquals(told, isBeyond ? told2 : `${value}`, where);
          if (!isBeyond) touched().set(day, (held?.get(day) ?? 0n) + value);
          break;
        }
        case 3: {
          assertEquals(await world.ask("counter.decrement", members), `${value}`, where);
          const left = (held?.get(day) ?? 0n) - value;
          const days = touched();
          if (left > 0n) days.set(day, left);
          else days.delete(day);
          break;
        }
        case 4:
          assertEquals(await world.ask("counter.delete_range", members), "true", where);
          if (created().has(key)) remove(held!, from, to);
          break;
        case 5:
          assertEquals(await world.ask("tree.delete_range", members), "true", where);
          for (const days of created().values()) remove(days, from, to);
          break;
        case 6:
          assertEquals(await world.ask("counter.reset", members), '"OK"', where);
          if (created().has(key)) held!.clear();
          break;
        case 7:
          await world.ask("series.delete_before", `${members},"before":${day}`);
          for (const [key, days] of tree ?? []) {
            remove(days, 0, day - 1);
            if (days.size === 0) tree!.delete(key);
          }
          break;
        case 8:
          if (random.chance(0.3)) {
            await world.ask("tree.drop", members);
            trees.delete(name);
          } else {
            await world.ask("system.compact");
            for (const tree of trees.values()) {
              for (const [key, days] of tree) if (days.size === 0) tree.delete(key);
            }
          }
          break;
        case 9:
          if (random.chance(0.3)) await world.ask("snapshot.create_all");
          if (random.chance(0.3)) world = await world.restarted();
          break;
        default: {
          if (tree === undefined) break;
          const sum = [...held ?? []].reduce((sum, [other, value]) => {
            return other >= from && other <= to ? sum + value : sum;
          }, 0n);
          assertEquals(await world.ask("counter.sum", members), `${sum}`, where);
          const cells = [...held ?? []].filter(([other]) => other >= from && other <= to);
          const told = cells.sort(([a], [b]) => a - b).map(([day, value]) => `"${day}":${value}`);
          assertEquals(await world.ask("counter.series", members), `{${told.join(",")}}`, where);
        }
      }
      const expected = [...trees].map(([name, tree]) => {
        const days = (days: Days) => new Map([...days].sort(([a], [b]) => a - b));
        const keys = [...tree].sort(([a], [b]) => a < b ? -1 : 1);
        return [name, new Map(keys.map(([key, held]) => [key, days(held)]))];
      });
      assertEquals<unknown>(world.state(), expected, `${where}, step ${step}`);
    }
  }
});
