// Inspection beside a naive model, on trees that change, at its deadline, and while others wait.

import { assert, assertEquals } from "@std/assert";
import { budget } from "../../support/budget.ts";
import { highLane, lowLane } from "../../../lib/bytes/u64.ts";
import {
  infoOf,
  type InspectionResult,
  keysOf,
  type Span,
  summaryOf,
  topOf,
} from "../../../lib/engine/inspection.ts";
import { applyRangeDeletes } from "../../../lib/state/range_delete_sweeper.ts";
import { checkTree } from "../../../lib/tree/check.ts";
import { Tree } from "../../../lib/tree/tree.ts";
import { SendBuffer } from "../../../lib/bytes/send_buffer.ts";
import { writeData } from "../../../lib/protocol/json/data.ts";
import { Random } from "../../support/random.ts";

const U64_MAX = (1n << 64n) - 1n;
const DAY_MAX = 4294967295;

/** All of a tree, however long it takes. */
const WHOLE: Span = { cursor: null, isPartial: false, deadline: Infinity };
const after = (cursor: bigint | null): Span => ({ ...WHOLE, cursor });
const until = (deadline: number): Span => ({ ...WHOLE, deadline });

/** What a tree holds: key, day, value. */
type Model = Map<bigint, Map<number, bigint>>;

/** A tree, the model of it, and how both are changed. */
class Pair {
  readonly tree: Tree;
  readonly model: Model = new Map();

  constructor(tree = new Tree("t")) {
    this.tree = tree;
  }

  add(key: bigint, day: number, value: bigint): void {
    const days = this.touch(key);
    const total = [...days.values()].reduce((sum, one) => sum + one, value);
    const done = this.tree.add(
      lowLane(key),
      highLane(key),
      day,
      lowLane(value),
      highLane(value),
    );
    assertEquals(done, total <= U64_MAX);
    if (done && value > 0n) days.set(day, (days.get(day) ?? 0n) + value);
  }

  touch(key: bigint): Map<number, bigint> {
    this.tree.touch(lowLane(key), highLane(key));
    const days = this.model.get(key) ?? new Map();
    this.model.set(key, days);
    return days;
  }

  sweep(from: number, to: number): void {
    this.tree.sweep(from, to);
    for (const days of this.model.values()) {
      for (const day of days.keys()) if (day >= from && day <= to) days.delete(day);
    }
  }

  /** Each key with the number of its days in a range and their sum, ascending. */
  rows(from = 0, to = DAY_MAX): { key: bigint; cells: number; sum: bigint }[] {
    const rows = [...this.model].map(([key, days]) => {
      const within = [...days].filter(([day]) => day >= from && day <= to);
      return { key, cells: within.length, sum: within.reduce((sum, [, one]) => sum + one, 0n) };
    });
    return rows.sort((a, b) => a.key < b.key ? -1 : 1);
  }
}

/** As a client sees it: this is how members and their order are compared. */
function text(told: InspectionResult): string {
  assert(told !== "timeout", "there was time");
  const out = new SendBuffer(256);
  writeData(told, out);
  return new TextDecoder().decode(out.view(0));
}

/** The number of a member; null: it is null. */
function numberOf(told: InspectionResult, member: string): bigint | null {
  const digits = text(told).match(new RegExp(`"${member}":(\\d+|null)`));
  assert(digits !== null, `there is a ${member}`);
  return digits[1] === "null" ? null : BigInt(digits[1]);
}

/** The list at the end of an answer, each row as its text. */
function rowsOf(told: InspectionResult): string[] {
  return text(told).match(/\{"key":[^}]*\}/g) ?? [];
}

const total = (rows: { sum: bigint }[]) => rows.reduce((all, { sum }) => all + sum, 0n);
const count = (rows: { cells: number }[]) => rows.reduce((all, { cells }) => all + cells, 0);

function info(pair: Pair): string {
  const rows = pair.rows();
  return `{"tree":"t","key_count":${rows.length},"bucket_count":${count(rows)},` +
    `"total":${total(rows)},"branches":9}`;
}

function summary(pair: Pair, from: number, to: number): string {
  const rows = pair.rows(from, to);
  const active = rows.filter(({ sum }) => sum > 0n).length;
  return `{"tree":"t","range_from":${from},"range_to":${to},"total":${total(rows)},` +
    `"active_keys":${active},"bucket_count":${count(rows)}}`;
}

function top(pair: Pair, from: number, to: number, limit: number): string {
  const rows = pair.rows(from, to).filter(({ sum }) => sum > 0n);
  rows.sort((a, b) => a.sum === b.sum ? (a.key < b.key ? -1 : 1) : a.sum > b.sum ? -1 : 1);
  const items = rows.slice(0, limit).map(({ key, sum }) => `{"key":${key},"value":${sum}}`);
  return `{"tree":"t","limit":${limit},"items":[${items}]}`;
}

function keys(pair: Pair, limit: number, cursor: bigint | null): string {
  const rows = pair.rows().filter(({ key }) => cursor === null || key > cursor);
  const page = rows.slice(0, limit);
  const next = rows.length > limit ? page.at(-1)!.key : null;
  const told = page.map(({ key, sum }) => `{"key":${key},"total":${sum}}`);
  return `{"tree":"t","limit":${limit},"cursor":${cursor},"next_cursor":${next},"keys":[${told}]}`;
}

function randomPair(random: Random, size: number): Pair {
  const pair = new Pair();
  const key = random.pick([
    () => BigInt(random.below(size)),
    () => random.u64(),
    () => U64_MAX - BigInt(random.below(size)),
    () => (BigInt(random.below(4)) << 32n) + BigInt(random.below(size)),
  ]);
  const value = random.pick([
    () => BigInt(random.below(4)),
    () => BigInt(random.below(100_000)),
    () => random.u64() >> BigInt(random.below(60)),
  ]);
  for (let change = 0; change < size; change++) {
    if (random.chance(0.1)) pair.touch(key());
    else pair.add(key(), 20260101 + random.below(28), value());
  }
  if (random.chance(0.5)) pair.sweep(20260105, 20260101 + random.below(28));
  return pair;
}

Deno.test("inspection: the answers of the original, byte for byte", async () => {
  const pair = new Pair();
  const { tree } = pair;
  tree.rename("x");
  assertEquals(
    text(await infoOf(tree, WHOLE)),
    '{"tree":"x","key_count":0,"bucket_count":0,"total":0,"branches":9}',
  );
  assertEquals(
    text(await keysOf(tree, 5, WHOLE)),
    '{"tree":"x","limit":5,"cursor":null,"next_cursor":null,"keys":[]}',
  );
  assertEquals(
    text(await summaryOf(tree, null, WHOLE)),
    '{"tree":"x","total":0,"active_keys":0,"bucket_count":0}',
  );
  assertEquals(
    text(await topOf(tree, 0, DAY_MAX, 5, WHOLE)),
    '{"tree":"x","limit":5,"items":[]}',
  );
  for (const [key, day, value] of [[10, 1, 5], [20, 1, 7], [30, 2, 7], [9, 1, 2], [18, 3, 3]]) {
    pair.add(BigInt(key), 20260100 + day, BigInt(value));
  }
  pair.add(10n, 20260102, 1n);
  pair.touch(40n);
  assertEquals(
    text(await infoOf(tree, WHOLE)),
    '{"tree":"x","key_count":6,"bucket_count":6,"total":25,"branches":9}',
  );
  assertEquals(
    text(await keysOf(tree, 2, WHOLE)),
    '{"tree":"x","limit":2,"cursor":null,"next_cursor":10,' +
      '"keys":[{"key":9,"total":2},{"key":10,"total":6}]}',
  );
  assertEquals(
    text(await keysOf(tree, 2, after(20n))),
    '{"tree":"x","limit":2,"cursor":20,"next_cursor":null,' +
      '"keys":[{"key":30,"total":7},{"key":40,"total":0}]}',
  );
  assertEquals(
    text(await summaryOf(tree, null, WHOLE)),
    '{"tree":"x","total":25,"active_keys":6,"bucket_count":6}',
  );
  assertEquals(
    text(await summaryOf(tree, { from: 20260102, to: 20260103 }, WHOLE)),
    '{"tree":"x","range_from":20260102,"range_to":20260103,' +
      '"total":11,"active_keys":3,"bucket_count":3}',
  );
  assertEquals(
    text(await topOf(tree, 0, DAY_MAX, 3, WHOLE)),
    '{"tree":"x","limit":3,"items":[{"key":20,"value":7},{"key":30,"value":7},{"key":10,"value":6}]}',
  );
  checkTree(tree);
});

Deno.test("inspection: random trees, beside a model", async () => {
  for (let seed = 1; seed <= budget(10, 40); seed++) {
    const random = new Random(seed);
    const pair = randomPair(random, random.pick([1, 10, 300, 6000]));
    const { tree } = pair;
    const what = `seed ${seed}, ${tree.branches.length} branches`;
    assertEquals(text(await infoOf(tree, WHOLE)), info(pair), what);
    for (let ask = 0; ask < 4; ask++) {
      const from = random.pick([0, 20260101 + random.below(30)]);
      const to = random.pick([DAY_MAX, 20260101 + random.below(30)]);
      const limit = random.pick([1, 2, 3, 100, 1000]);
      const asked = `${what}, ${from} to ${to}, limit ${limit}`;
      assertEquals(
        text(await summaryOf(tree, { from, to }, WHOLE)),
        summary(pair, from, to),
        asked,
      );
      assertEquals(
        text(await topOf(tree, from, to, limit, WHOLE)),
        top(pair, from, to, limit),
        asked,
      );
      const cursor = random.pick([null, 0n, U64_MAX, random.u64(), ...pair.model.keys()]);
      assertEquals(
        text(await keysOf(tree, limit, after(cursor))),
        keys(pair, limit, cursor),
        asked,
      );
    }
    checkTree(tree);
  }
});

Deno.test("inspection: pages lead through all of a tree", async () => {
  for (const [seed, limit] of [[1, 1], [2, 7], [3, 1000], [4, 10_000]]) {
    const pair = randomPair(new Random(seed), limit === 1 ? 300 : 8000);
    const rows = pair.rows();
    const met: string[] = [];
    for (let cursor: bigint | null = null, pages = 0;; pages++) {
      assert(pages <= rows.length / limit, `seed ${seed}: there are no empty pages`);
      const page = await keysOf(pair.tree, limit, after(cursor));
      met.push(...rowsOf(page));
      cursor = numberOf(page, "next_cursor");
      if (cursor === null) break;
      assertEquals(rowsOf(page).length, limit);
    }
    assertEquals(
      met,
      rows.map(({ key, sum }) => `{"key":${key},"total":${sum}}`),
      `seed ${seed}`,
    );
    checkTree(pair.tree);
  }
});

Deno.test("inspection: a page costs what the page costs, not what the tree does", async () => {
  class WatchedTree extends Tree {
    visits = 0;

    override branchAt(index: number) {
      this.visits++;
      return super.branchAt(index);
    }
  }
  const tree = new WatchedTree("t");
  for (let key = 0; key < 60_000; key++) tree.add(key << 10, 0, 20260101, 1, 0);
  assert(tree.branches.length > 20, `${tree.branches.length} branches`);
  for (const cursor of [null, 0n, 30_000_000n, 1n << 31n, U64_MAX]) {
    for (const limit of [1, 10, 100]) {
      tree.visits = 0;
      await keysOf(tree, limit, after(cursor));
      assert(tree.visits <= 4, `${tree.visits} branches for ${limit} keys after ${cursor}`);
    }
  }
  checkTree(tree);
});

Deno.test("inspection: the top of values that come in any order, with and without equals", async () => {
  const ORDERS: [what: string, value: (index: number) => number][] = [
    ["ascending", (index) => index + 1],
    ["descending", (index) => 3000 - index],
    ["all equal", () => 5],
    ["two values", (index) => 1 + index % 2],
    ["to and fro", (index) => 1 + (index * 7919) % 3000],
  ];
  for (const [what, value] of ORDERS) {
    const pair = new Pair();
    for (let index = 0; index < 3000; index++) {
      pair.add(BigInt((index * 1367) % 3000) << 20n, 20260101, BigInt(value(index)) << 31n);
    }
    for (const limit of [1, 2, 3, 10, 999, 1000]) {
      const found = text(await topOf(pair.tree, 0, DAY_MAX, limit, WHOLE));
      assertEquals(found, top(pair, 0, DAY_MAX, limit), `${what}, limit ${limit}`);
    }
    checkTree(pair.tree);
  }
});

Deno.test("inspection: totals are exact beyond 2^64", async () => {
  const pair = new Pair();
  for (let key = 0n; key < 5000n; key++) pair.add(key << 40n, 20260101, U64_MAX - key % 3n);
  const all = total(pair.rows());
  assert(all > 4999n << 64n);
  const [from, to] = [20260101, 20260101];
  assertEquals(text(await infoOf(pair.tree, WHOLE)), info(pair));
  assertEquals(
    text(await summaryOf(pair.tree, { from, to }, WHOLE)),
    summary(pair, from, to),
  );
  assertEquals(text(await topOf(pair.tree, from, to, 9, WHOLE)), top(pair, from, to, 9));
  checkTree(pair.tree);
});

/** Calls `change` at every turn that others get until the work is done; returns how many they were. */
async function meanwhile(work: Promise<unknown>, change: () => void): Promise<number> {
  let turns = 0;
  let isDone = false;
  work.finally(() => isDone = true);
  while (!isDone) {
    await new Promise((resolve) => setTimeout(resolve, 0));
    turns++;
    if (!isDone) change();
  }
  return turns;
}

Deno.test("inspection: what is there all the time is met once, whatever changes meanwhile", async () => {
  const random = new Random(9);
  const tree = new Tree("t");
  const old = 60_000n;
  const spread = (index: bigint) => index << 48n;
  for (let index = 0n; index < old; index++) {
    const value = index % 64n === 0n ? 2 : 1;
    tree.add(lowLane(spread(index)), highLane(spread(index)), 20260101, value, 0);
  }
  // New counters make branches be laid out anew, but have no days.
  const change = () => {
    for (let count = 0; count < 5000; count++) {
      const key = random.u64() | 1n;
      tree.touch(lowLane(key), highLane(key));
    }
  };
  const range = { from: 20260101, to: 20260101 };
  const large = Array.from({ length: 938 }, (_, index) => {
    return `{"key":${spread(BigInt(index) * 64n)},"value":2}`;
  });
  const sum = old + BigInt(large.length);
  const branches = tree.branches.length;
  // A fast machine gives a reading fewer turns, and so changes less in each.
  for (let attempt = 0; tree.branches.length <= 2 * branches; attempt++) {
    assert(attempt < 200, `${branches} branches became ${tree.branches.length}`);
    const tally = summaryOf(tree, range, WHOLE);
    const top = topOf(tree, 0, DAY_MAX, large.length, WHOLE);
    await meanwhile(Promise.all([tally, top]), change);
    for (
      const [member, expected] of [["total", sum], ["active_keys", old], ["bucket_count", old]]
    ) {
      assertEquals(numberOf(await tally, String(member)), expected);
    }
    assertEquals(rowsOf(await top), large);
  }
  checkTree(tree);
});

const INSPECTIONS: [
  what: string,
  inspect: (tree: Tree, span: Span) => Promise<InspectionResult>,
][] = [
  ["summary of a range", (tree, span) => summaryOf(tree, { from: 1, to: 2 }, span)],
  ["top", (tree, span) => topOf(tree, 0, DAY_MAX, 1000, span)],
  ["keys", (tree, span) => keysOf(tree, 10_000, span)],
];

Deno.test("inspection: ends at its deadline, however far it has come", async () => {
  const tree = new Tree("t");
  for (let key = 0; key < 200_000; key++) tree.add(key * 977, 0, 20260101, key + 1, 0);
  for (const [what, inspect] of INSPECTIONS) {
    assertEquals(await inspect(tree, until(performance.now() - 1)), "timeout", what);
    let [inTime, late] = [0, 0];
    // Sooner or later there is time enough, and before that, never half of an answer.
    const whole = text(await inspect(tree, WHOLE));
    for (let ms = 0.25; inTime === 0; ms *= 1.5) {
      assert(ms < 60_000, what);
      const answer = await inspect(tree, until(performance.now() + ms));
      if (answer === "timeout") late++;
      else {
        inTime++;
        assertEquals(text(answer), whole, what);
      }
    }
    assert(late > 0, `${what}: 0.25 ms were enough for 200 000 counters`);
  }
  checkTree(tree);
});

Deno.test("inspection: a reading is done in several turns, and others have theirs in between", async () => {
  const tree = new Tree("t");
  for (let key = 0; key < 400_000; key++) {
    for (let day = 0; day < 3; day++) tree.add(key * 977, 0, 20260101 + day, 1 + key % 9, 0);
  }
  for (const [what, run] of INSPECTIONS.filter(([what]) => what !== "keys")) {
    let turns = 0;
    await meanwhile(run(tree, WHOLE), () => turns++);
    assert(turns >= TURNS_MIN, `${what}: others had ${turns} turns`);
  }
  checkTree(tree);
});

/** In one piece each reading takes some 20 ms on the machine that this was written on, and a slice 3 ms. */
const TURNS_MIN = 3;

Deno.test("inspection: what is counted is told at once, and after sweeps when they are done", async () => {
  const pair = new Pair();
  for (let key = 0n; key < 30_000n; key++) {
    pair.add(key << 33n, 20260101, key + 1n);
    pair.add(key << 33n, 20260102, U64_MAX >> 1n);
  }
  const late = until(performance.now() - 1);
  assertEquals(text(await infoOf(pair.tree, late)), info(pair));
  pair.sweep(20260102, 20260105);
  assertEquals(await infoOf(pair.tree, late), "timeout", "branches have work before them");
  assertEquals(await summaryOf(pair.tree, null, late), "timeout");
  assertEquals(text(await infoOf(pair.tree, WHOLE)), info(pair), "and do it, if there is time");
  pair.sweep(0, 20260101);
  await applyRangeDeletes(pair.tree);
  assertEquals(text(await infoOf(pair.tree, late)), info(pair));
  const summary = '{"tree":"t","total":0,"active_keys":30000,"bucket_count":0}';
  assertEquals(text(await summaryOf(pair.tree, null, late)), summary);
  checkTree(pair.tree);
});

/** Reads part after part, each without time for more than a step; returns them. */
async function partsOf(
  read: (span: Span) => Promise<InspectionResult>,
): Promise<InspectionResult[]> {
  const parts: InspectionResult[] = [];
  let cursor: bigint | null = null;
  do {
    parts.push(await read({ cursor, isPartial: true, deadline: -1 }));
    const next = numberOf(parts.at(-1)!, "next_cursor");
    assert(next === null || cursor === null || next > cursor, "each part gets somewhere");
    assertEquals(numberOf(parts.at(-1)!, "cursor"), cursor);
    cursor = next;
  } while (cursor !== null);
  return parts;
}

Deno.test("inspection: parts, merged as the protocol says, are the whole", async () => {
  for (let seed = 1; seed <= budget(3, 10); seed++) {
    const pair = randomPair(new Random(seed), 8000);
    const { tree } = pair;
    const [from, to] = [20260103, 20260120];
    const sums = await partsOf((span) => summaryOf(tree, { from, to }, span));
    const added = (member: string) => {
      return sums.reduce<bigint>((sum, part) => sum + numberOf(part, member)!, 0n);
    };
    const merged = `{"tree":"t","range_from":${from},"range_to":${to},"total":${added("total")},` +
      `"active_keys":${added("active_keys")},"bucket_count":${added("bucket_count")}}`;
    assertEquals(merged, summary(pair, from, to), `seed ${seed}`);
    const all = await partsOf((span) => summaryOf(tree, null, { ...span, cursor: span.cursor }));
    assertEquals(all.length, 1, "what is counted has one part");
    const tops = await partsOf((span) => topOf(tree, from, to, 20, span));
    assert(tops.length > 1, "there are several parts");
    const rows = tops.flatMap(rowsOf).map((row) => {
      const [key, value] = row.match(/\d+/g)!.map(BigInt);
      return { row, key, value };
    });
    rows.sort((a, b) =>
      a.value === b.value ? (a.key < b.key ? -1 : 1) : a.value > b.value ? -1 : 1
    );
    const items = rows.slice(0, 20).map(({ row }) => row);
    assertEquals(`{"tree":"t","limit":20,"items":[${items}]}`, top(pair, from, to, 20));
  }
});

Deno.test("inspection: a part behind the last key is the last, and empty", async () => {
  const pair = new Pair();
  pair.add(U64_MAX, 20260101, 3n);
  const span = { cursor: U64_MAX, isPartial: true, deadline: Infinity };
  assertEquals(
    text(await summaryOf(pair.tree, null, span)),
    `{"tree":"t","total":0,"active_keys":0,"bucket_count":0,"cursor":${U64_MAX},"next_cursor":null}`,
  );
  assertEquals(
    text(await topOf(pair.tree, 0, DAY_MAX, 2, span)),
    `{"tree":"t","limit":2,"cursor":${U64_MAX},"next_cursor":null,"items":[]}`,
  );
});
