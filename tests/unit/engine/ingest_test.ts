// Ingest streams: what each request answers in each state, limits, restarts, and a random history
// beside a model.

import { assert, assertEquals, assertMatch } from "@std/assert";
import { budget } from "../../support/budget.ts";
import { checkTree } from "../../../lib/tree/check.ts";
import { type Contents, contentsOf } from "../../fuzz/dump_fuzz.ts";
import { LocalKarma, type LocalOptions } from "../../support/local_karma.ts";
import { MemoryDisk } from "../../support/memory_disk.ts";
import { Random } from "../../support/random.ts";
import { V2Client } from "../../support/v2_client.ts";

const DAY = 20260101;
const FULL = "storage_full: The disk is full: nothing was changed";
const NOT_NEXT = "validation_error: Field chunk_seq must be the next chunk";
const OTHER_PAYLOAD = "idempotency_conflict: Ingest chunk was already used with different payload";
const OTHER_CHUNKS =
  "idempotency_conflict: Ingest stream was already committed with different chunks";

type Item = [key: number, day: number, value: number];

class World {
  readonly karma: LocalKarma;
  readonly client: V2Client;
  readonly #options: LocalOptions;

  private constructor(karma: LocalKarma, options: LocalOptions) {
    this.karma = karma;
    this.client = new V2Client(karma, options.replyBytesMax);
    this.#options = options;
  }

  static async start(options: LocalOptions = {}, disk = new MemoryDisk("/dumps")): Promise<World> {
    return new World(await LocalKarma.start(disk, options), options);
  }

  ask(op: string, members = ""): Promise<string> {
    return this.client.ask(op, members);
  }

  begin(id: string, mode = "add", granularity?: string): Promise<string> {
    const rest = granularity === undefined ? "" : `,"granularity":"${granularity}"`;
    return this.ask("ingest.begin", `"stream_id":"${id}","mode":"${mode}"${rest}`);
  }

  chunk(id: string, sequence: number, items: Item[], series = "t"): Promise<string> {
    const members = `"stream_id":"${id}","series":"${series}","chunk_seq":${sequence}`;
    return this.ask("ingest.chunk", `${members},"items":${JSON.stringify(items)}`);
  }

  commit(id: string): Promise<string> {
    return this.ask("ingest.commit", `"stream_id":"${id}"`);
  }

  abort(id: string): Promise<string> {
    return this.ask("ingest.abort", `"stream_id":"${id}"`);
  }

  sum(series: string, key: number): Promise<string> {
    return this.ask("counter.sum", `"series":"${series}","key":${key}`);
  }

  add(series: string, key: number): Promise<string> {
    return this.ask("counter.increment", `"series":"${series}","key":${key},"date":${DAY}`);
  }

  /** All that changes would change. */
  state(): unknown {
    const { forest, dedup, wal } = this.karma;
    const trees = forest.trees().map((tree) => [tree.name, contentsOf(tree)]);
    const streams = [...dedup.streams.all()].map(({ prints, lastChunk, ...stream }) => {
      return { ...stream, lastChunk, prints: prints.slice(0, 4 * lastChunk) };
    });
    return { trees, streams, lsn: wal.lsn };
  }

  /** Asserts what an attempt answers, and that it changes nothing. */
  async refuses(attempt: () => Promise<string>, told: string): Promise<void> {
    const before = this.state();
    assertEquals(await attempt(), told);
    assertEquals(this.state(), before, told);
  }

  /** The process is killed, and another one starts from what it left. */
  async restarted(): Promise<World> {
    const disk = this.karma.disk.clone();
    disk.kill();
    const world = await World.start(this.#options, disk);
    world.check();
    return world;
  }

  check(): void {
    this.karma.dedup.check();
    for (const tree of this.karma.forest.trees()) checkTree(tree);
  }
}

const day = (value: bigint) => new Map([[DAY, value]]);

function status(
  id: string,
  mode: string,
  series: string | null,
  last: number,
  state = "active",
  granularity: string | null = null,
): string {
  const told = { stream_id: id, mode, series, granularity, status: state, last_chunk_seq: last };
  return JSON.stringify(told);
}

function taken(id: string, sequence: number, applied: number, total: number | bigint): string {
  return `{"stream_id":"${id}","chunk_seq":${sequence},"skipped":false,"applied":${applied},"total":${total}}`;
}

function skipped(id: string, sequence: number, committed = false): string {
  return `{"stream_id":"${id}","chunk_seq":${sequence},"skipped":true,"committed":${committed},"applied":0,"total":0}`;
}

function ended(id: string, state: string, last: number): string {
  return JSON.stringify({ stream_id: id, status: state, last_chunk_seq: last });
}

const absent = (id: string) => `not_found: Ingest stream "${id}" not found`;

Deno.test("ingest: a stream of each mode from its beginning to its end", async () => {
  const results: [mode: string, contents: Contents][] = [
    ["add", new Map([[1n, day(16n)], [2n, day(1n)], [3n, day(4n)]])],
    ["set", new Map([[1n, day(6n)], [2n, day(1n)], [3n, day(4n)]])],
    ["replace_series", new Map([[1n, day(6n)], [3n, day(4n)]])],
  ];
  for (const [mode, contents] of results) {
    const world = await World.start();
    await world.ask("series.batch_set", `"series":"t","items":[[1,${DAY},5],[2,${DAY},1]]`);
    assertEquals(await world.begin("s", mode, "day"), status("s", mode, null, 0, "active", "day"));
    assertEquals(await world.begin("s", mode, "day"), status("s", mode, null, 0, "active", "day"));
    assertEquals(await world.chunk("s", 1, [[1, DAY, 5], [3, DAY, 4]]), taken("s", 1, 2, 9));
    assertEquals(await world.begin("s", mode, "day"), status("s", mode, "t", 1, "active", "day"));
    assertEquals(await world.chunk("s", 1, [[1, DAY, 5], [3, DAY, 4]]), skipped("s", 1));
    assertEquals(await world.chunk("s", 2, []), taken("s", 2, 0, 0));
    assertEquals(await world.chunk("s", 3, [[1, DAY, 6]]), taken("s", 3, 1, 6));
    assertEquals(await world.chunk("s", 2, []), skipped("s", 2));
    assertEquals(await world.commit("s"), ended("s", "committed", 3));
    const again = status("s", mode, "t", 3, "already_committed", "day");
    await world.refuses(() => world.commit("s"), again);
    await world.refuses(() => world.begin("s", mode, "day"), again);
    await world.refuses(() => world.chunk("s", 3, [[1, DAY, 6]]), skipped("s", 3, true));
    await world.refuses(() => world.abort("s"), absent("s"));
    assertEquals(contentsOf(world.karma.forest.named("t")!), contents);
    assertEquals(world.karma.forest.trees().length, 1);
    world.check();
  }
});

Deno.test("ingest: what is refused, in each state, changes nothing", async () => {
  const world = await World.start();
  await world.begin("fresh");
  await world.begin("a");
  await world.chunk("a", 1, [[1, DAY, 1]]);
  await world.begin("r", "replace_series");
  await world.chunk("r", 1, [[1, DAY, 1]]);
  await world.begin("empty", "replace_series");
  await world.begin("done");
  await world.chunk("done", 1, [[1, DAY, 1]]);
  await world.commit("done");
  const exists = "idempotency_conflict: Ingest stream already exists with different parameters";
  const was = "idempotency_conflict: Ingest stream was already committed with different parameters";
  const bound = "validation_error: Ingest stream is already bound to series t";
  const rule = "must be 1 to 255 bytes of UTF-8 without control characters";
  const ingest = (op: string, members: string) => () => world.ask(`ingest.${op}`, members);
  const chunk = (id: string, sequence: number, items: Item[], series?: string) => () => {
    return world.chunk(id, sequence, items, series);
  };
  const table: [attempt: () => Promise<string>, told: string][] = [
    [ingest("begin", '"mode":"add"'), "validation_error: Field stream_id is required"],
    [
      ingest("begin", '"stream_id":"","mode":"add"'),
      "validation_error: Field stream_id is required",
    ],
    [
      ingest("begin", '"stream_id":7,"mode":"add"'),
      "validation_error: Field stream_id is required",
    ],
    [ingest("begin", '"stream_id":"x"'), "validation_error: Field mode is required"],
    [() => world.begin("x", "ADD"), "validation_error: Unsupported ingest mode ADD"],
    [() => world.begin("a", "set"), exists],
    [() => world.begin("a", "add", "day"), exists],
    [() => world.begin("done", "set"), was],
    [() => world.begin("done", "add", ""), was],
    [() => world.commit("none"), absent("none")],
    [() => world.abort("none"), absent("none")],
    [chunk("none", 1, []), absent("none")],
    [() => world.abort("done"), absent("done")],
    [() => world.commit("empty"), "validation_error: Cannot commit empty replace_series stream"],
    [chunk("fresh", 0, []), "validation_error: Field chunk_seq must be greater than 0"],
    [chunk("fresh", 2, []), NOT_NEXT],
    [chunk("a", 3, []), NOT_NEXT],
    [
      ingest("chunk", '"stream_id":"a","series":"t","chunk_seq":18446744073709551615,"items":[]'),
      NOT_NEXT,
    ],
    [ingest("chunk", '"stream_id":"a","series":"t","chunk_seq":4294967298,"items":[]'), NOT_NEXT],
    [chunk("a", 1, [[1, DAY, 2]]), OTHER_PAYLOAD],
    [chunk("a", 1, []), OTHER_PAYLOAD],
    [chunk("a", 2, [[1, DAY, 1]], "u"), bound],
    [chunk("a", 1, [[1, DAY, 1]], "u"), bound],
    [chunk("r", 2, [[1, DAY, 1]], "u"), bound],
    [chunk("fresh", 1, [], "a\\u0000"), `validation_error: Field tree_name ${rule}`],
    [chunk("fresh", 1, [], "x".repeat(256)), `validation_error: Field tree_name ${rule}`],
    [chunk("fresh", 1, [], ""), "validation_error: Field tree_name is required"],
    [
      chunk("fresh", 1, [[1, DAY, 1], [2, DAY, 0]]),
      "validation_error: Batch item value must be greater than 0",
    ],
    [
      ingest(
        "chunk",
        `"stream_id":"fresh","series":"t","chunk_seq":1,"items":[[1,${DAY},18446744073709551615],[2,${DAY},1]]`,
      ),
      "validation_error: Batch total overflow",
    ],
    [
      ingest(
        "chunk",
        `"stream_id":"fresh","series":"new","chunk_seq":1,"items":[[1,${DAY},1],[2,${DAY + 31}]]`,
      ),
      "validation_error: Each item must be [key, bucket, value]",
    ],
    [chunk("done", 1, [[1, DAY, 2]]), OTHER_CHUNKS],
    [chunk("done", 1, [[1, DAY, 1]], "u"), OTHER_CHUNKS],
    [chunk("done", 2, []), OTHER_CHUNKS],
  ];
  for (const [attempt, told] of table) await world.refuses(attempt, told);
  // Nor has any of it bound a stream.
  assertEquals(await world.chunk("fresh", 1, [[1, DAY, 1]], "another"), taken("fresh", 1, 1, 1));
});

Deno.test("ingest: a chunk that overflows leaves no item, no tree and no trace", async () => {
  for (const mode of ["add", "set", "replace_series"]) {
    const world = await World.start();
    await world.begin("s", mode);
    const most = `[2,${DAY},18446744073709551615]`;
    const beyond =
      `"stream_id":"s","series":"t","chunk_seq":1,"items":[[1,${DAY},0],${most},[3,${DAY},0],[2,${
        DAY + 1
      },0]]`;
    const zeros = mode === "add" ? beyond.replaceAll(",0]", ",1]") : beyond;
    if (mode === "add") {
      await world.refuses(
        () => world.ask("ingest.chunk", zeros),
        "validation_error: Batch total overflow",
      );
      continue;
    }
    assertMatch(await world.ask("ingest.chunk", zeros), /"applied":4,"total":18446744073709551615/);
    await world.refuses(
      () => world.chunk("s", 2, [[7, DAY, 1], [2, DAY + 1, 1]]),
      `validation_error: Counter overflow in batch item key=2 bucket=${DAY + 1}`,
    );
    assertEquals(await world.chunk("s", 2, [[7, DAY, 1]]), taken("s", 2, 1, 1));
    assertEquals(await world.commit("s"), ended("s", "committed", 2));
    assertEquals(await world.sum("t", 7), "1");
  }
  const world = await World.start();
  await world.ask("series.batch_add", `"series":"t","items":[[2,${DAY},18446744073709551615]]`);
  await world.begin("s");
  const told = `validation_error: Counter overflow in batch item key=2 bucket=${DAY}`;
  await world.refuses(() => world.chunk("s", 1, [[1, DAY, 1], [2, DAY, 1]]), told);
  assertEquals(
    await world.chunk("s", 1, [[1, DAY, 1]], "u"),
    taken("s", 1, 1, 1),
    "it is free yet",
  );
});

Deno.test("ingest: a stream that replaces a tree is seen at its end, as a younger tree", async () => {
  const world = await World.start();
  for (const name of ["a", "t", "z"]) await world.add(name, 1);
  await world.begin("s", "replace_series");
  await world.chunk("s", 1, [[5, DAY, 7], [6, DAY, 0]]);
  const list = () => world.ask("tree.list");
  assertEquals([await list(), await world.sum("t", 5)], ['["a","t","z"]', "0"]);
  await world.add("t", 2); // lost at the end
  assertEquals(await world.sum("t", 2), "1");
  await world.commit("s");
  assertEquals(await list(), '["a","z","t"]');
  assertEquals(
    contentsOf(world.karma.forest.named("t")!),
    new Map([[5n, day(7n)], [6n, new Map()]]),
  );
  // One that wasn't there comes last, and so does one that was dropped meanwhile.
  for (const [id, name] of [["n", "new"], ["d", "a"]]) {
    await world.begin(id, "replace_series");
    await world.chunk(id, 1, [[1, DAY, 1]], name);
    if (id === "d") await world.ask("tree.drop", `"tree":"${name}"`);
    await world.commit(id);
  }
  assertEquals(await list(), '["z","t","new","a"]');
  // Two at once: the last one stays.
  for (const id of ["x", "y"]) await world.begin(id, "replace_series");
  await world.chunk("x", 1, [[1, DAY, 1]], "t");
  await world.chunk("y", 1, [[2, DAY, 1]], "t");
  await world.commit("y");
  await world.commit("x");
  assertEquals(contentsOf(world.karma.forest.named("t")!), new Map([[1n, day(1n)]]));
  const again = await world.restarted();
  assertEquals(await again.ask("tree.list"), '["z","new","a","t"]');
  assertEquals(
    (again.state() as { trees: unknown }).trees,
    (world.state() as { trees: unknown }).trees,
  );
});

Deno.test("ingest: what a stream has staged is no client's business, whatever it is called", async () => {
  const world = await World.start();
  await world.add("t", 9);
  await world.begin("s", "replace_series");
  await world.chunk("s", 1, [[5, DAY, 7]]);
  const hidden = world.karma.forest.trees()[1].name;
  const name = JSON.stringify(hidden);
  const stats = JSON.parse(await world.ask("system.stats"));
  assertEquals([stats.trees, stats.keys], [1, 1]);
  assertEquals(await world.ask("tree.list"), '["t"]');
  const range = `"range":{"from":${DAY},"to":${DAY}}`;
  const reading: [op: string, members: string][] = [
    ["counter.sum", `"series":${name},"key":5`],
    ["counter.batch_sum", `"series":${name},"keys":[5]`],
    ["counter.multi_sum", `"items":[{"series":${name},"key":5}]`],
    ["counter.series", `"series":${name},"key":5,${range}`],
    ["tree.series", `"series":${name},${range}`],
    ["tree.info", `"tree":${name}`],
    ["tree.keys", `"tree":${name}`],
    ["tree.top", `"tree":${name}`],
    ["tree.summary", `"tree":${name}`],
    ["snapshot.create", `"series":${name}`],
    ["tree.drop", `"tree":${name}`],
    ["series.compact", `"tree":${name}`],
    ["series.delete_before", `"tree":${name},"before":20270101`],
    ["counter.batch_reset", `"series":${name},"keys":[5]`],
    ["counter.batch_delete_range", `"series":${name},"keys":[5],${range}`],
  ];
  for (const [op, members] of reading) {
    await world.refuses(() => world.ask(op, members), `not_found: Tree "${hidden}" not found`);
  }
  const rule = "must be 1 to 255 bytes of UTF-8 without control characters";
  const writing: [op: string, members: string][] = [
    ["tree.create", `"tree":${name}`],
    ["tree.reset", `"tree":${name}`],
    ["tree.delete_range", `"tree":${name},${range}`],
    ["counter.increment", `"series":${name},"key":5`],
    ["counter.decrement", `"series":${name},"key":5`],
    ["counter.reset", `"series":${name},"key":5`],
    ["counter.delete_range", `"series":${name},"key":5,${range}`],
    ["series.batch_add", `"series":${name},"items":[[5,${DAY},1]]`],
    ["series.batch_set", `"series":${name},"items":[[5,${DAY},1]]`],
    ["limit.consume", `"key":5,"limits":[{"series":${name},"max":9,"window":"day"}]`],
  ];
  for (const [op, members] of writing) {
    const before = world.state();
    assertMatch(await world.ask(op, members), new RegExp(`^validation_error: Field .*${rule}$`));
    assertEquals(world.state(), before, op);
  }
  const limits = `"limits":[{"series":${name},"max":9,"window":"total"}]`;
  const checked = await world.ask("limit.check", `"key":5,${limits}`);
  assert(checked.startsWith("validation_error") || checked.includes('"used":0'), checked);
  await world.commit("s");
  assertEquals(await world.sum("t", 5), "7");
});

Deno.test("ingest: there are so many open streams, staged items and chunks", async () => {
  const options = { streamsMax: 2, stagedItemsMax: 10 };
  const world = await World.start(options);
  await world.begin("a");
  await world.begin("r", "replace_series");
  const many = "validation_error: There are 2 open ingest streams: commit or abort one first";
  await world.refuses(() => world.begin("b"), many);
  assertEquals(await world.begin("a"), status("a", "add", null, 0), "this one is one of them");
  await world.abort("a");
  assertEquals(await world.begin("b", "replace_series"), status("b", "replace_series", null, 0));
  const items = (count: number) => Array.from({ length: count }, (_, key): Item => [key, DAY, 1]);
  const over = "validation_error: Staged items would exceed 10: commit or abort";
  const overAtOnce = "validation_error: Staged items would exceed 10";
  await world.refuses(() => world.chunk("r", 1, items(11)), overAtOnce);
  assertEquals(await world.chunk("r", 1, items(6)), taken("r", 1, 6, 6));
  await world.refuses(() => world.chunk("r", 2, items(5)), over);
  await world.refuses(() => world.chunk("b", 1, items(5)), overAtOnce);
  assertEquals(await world.chunk("b", 1, items(4)), taken("b", 1, 4, 4));
  assertEquals(world.karma.dedup.streams.stagedItems, 10);
  assertEquals(await world.chunk("r", 2, []), taken("r", 2, 0, 0));
  const again = await world.restarted();
  for (const { karma, ...other } of [world, again]) {
    const { client } = other;
    const ask = (op: string, members: string) => client.ask(`ingest.${op}`, members);
    assertEquals(karma.dedup.streams.stagedItems, 10);
    const third = `"stream_id":"r","series":"t","chunk_seq":3,"items":[[1,${DAY},1]]`;
    assertEquals(await ask("chunk", third), over);
    await ask("abort", '"stream_id":"b"');
    assertEquals([karma.dedup.streams.stagedItems, karma.forest.trees().length], [6, 1]);
    assertEquals(await ask("chunk", third), taken("r", 3, 1, 1));
    await ask("commit", '"stream_id":"r"');
    assertEquals([karma.dedup.streams.stagedItems, karma.dedup.streams.openCount], [0, 0]);
  }
  // Streams that stage nothing may take in more.
  await world.begin("a");
  assertEquals(await world.chunk("a", 1, items(200)), taken("a", 1, 200, 200));
});

Deno.test("ingest: a stream has no more chunks than it may have", async () => {
  const world = await World.start();
  const lastChunk = 100_000;
  const stream = { id: "s", mode: "add", granularity: null, tree: "t", staged: null } as const;
  const prints = new Uint32Array(4 * lastChunk);
  world.karma.dedup.streams.take({ ...stream, lastChunk, items: 0, committed: null, prints });
  const told = "validation_error: Field chunk_seq exceeds max size";
  await world.refuses(() => world.chunk("s", 100_001, []), told);
  await world.refuses(() => world.chunk("s", 100_000, []), OTHER_PAYLOAD);
  assertEquals(await world.commit("s"), ended("s", "committed", lastChunk));
});

Deno.test("ingest: a reply that would be too long is refused before anything is changed", async () => {
  const long = "i".repeat(300);
  const limited = { replyBytesMax: 400 };
  for (const mode of ["add", "replace_series"]) {
    // What another process, whose replies might be longer, has begun.
    const before = await World.start();
    await before.begin(long, mode, "g".repeat(200));
    await before.chunk(long, 1, [[1, DAY, 1]]);
    const world = await World.start(limited, before.karma.disk.clone());
    const told = "response_too_large: Response exceeds 400 bytes";
    await world.refuses(() => world.begin("j".repeat(300), mode), told);
    await world.refuses(() => world.chunk(long, 2, [[1, DAY, 1]]), told);
    await world.refuses(() => world.commit(long), told);
    await world.refuses(() => world.abort(long), told);
    // What fits is done, to the byte.
    let isDone = false;
    for (let length = 100; length < 330; length++) {
      const id = "k".repeat(length);
      const state = world.karma.dedup.streams.openCount;
      const answer = await world.begin(id, mode);
      const begun = world.karma.dedup.streams.openCount - state;
      assertEquals(begun, answer === told ? 0 : 1, `${length}: ${answer}`);
      if (begun === 1) isDone = true;
      else assertEquals(answer, told);
    }
    assert(isDone);
  }
});

Deno.test("ingest: a stream goes on after a kill at any point, with dumps and without", async () => {
  for (const mode of ["add", "set", "replace_series"]) {
    for (const isDumped of [false, true]) {
      let world = await World.start();
      const next = async () => {
        if (isDumped) assertEquals(await world.ask("snapshot.create_all"), '"OK"');
        const before = world.state();
        world = await world.restarted();
        assertEquals(world.state(), before);
      };
      await world.add("t", 1);
      await world.begin("s", mode, "day");
      await next();
      for (let sequence = 1; sequence <= 6; sequence++) {
        const items: Item[] = [[sequence, DAY, sequence], [9, DAY, 1]];
        const answer = taken("s", sequence, 2, sequence + 1);
        assertEquals(await world.chunk("s", sequence, items), answer);
        await next();
        assertEquals(await world.chunk("s", sequence, items), skipped("s", sequence));
        assertEquals(await world.chunk("s", 1, [[1, DAY, 1], [9, DAY, 1]]), skipped("s", 1));
        assertEquals(await world.chunk("s", sequence, [[1, DAY, 8]]), OTHER_PAYLOAD);
      }
      assertEquals(await world.commit("s"), ended("s", "committed", 6));
      await next();
      assertEquals(await world.commit("s"), status("s", mode, "t", 6, "already_committed", "day"));
      assertEquals(await world.chunk("s", 3, [[3, DAY, 3], [9, DAY, 1]]), skipped("s", 3, true));
      const [one, nine] = { add: ["2", "6"], set: ["1", "1"] }[mode] ?? ["1", "1"];
      assertEquals([await world.sum("t", 1), await world.sum("t", 9)], [one, nine]);
      // Aborted ones are gone, and their ids free.
      await world.begin("b", mode);
      await world.chunk("b", 1, [[50, DAY, 1]]);
      assertEquals(await world.abort("b"), ended("b", "aborted", 1));
      await next();
      assertEquals(await world.commit("b"), absent("b"));
      assertEquals(await world.sum("t", 50), mode === "replace_series" ? "0" : "1", "no rollback");
      assertEquals(await world.begin("b", "add"), status("b", "add", null, 0));
      assertEquals(world.karma.forest.trees().length, 1);
    }
  }
});

Deno.test("ingest: a request happens whole, or there is no space and it never has", async () => {
  for (const mode of ["add", "set", "replace_series"]) {
    let outcomes = "";
    for (let bytes = 5000; bytes < 16_000; bytes += 200) {
      const disk = new MemoryDisk("/dumps");
      disk.bytesMax = bytes;
      const world = await World.start({}, disk);
      const steps = [
        () => world.begin("s", mode),
        () => world.chunk("s", 1, [[1, DAY, 1], [2, DAY, 1]]),
        () => world.chunk("s", 2, [[1, DAY, 1], [2, DAY, 1]]),
        () => mode === "set" ? world.abort("s") : world.commit("s"),
      ];
      let done = 0;
      for (; done < steps.length; done++) {
        const before = world.state();
        const told = await steps[done]();
        if (told !== FULL) continue;
        assertEquals(world.state(), before);
        break;
      }
      assertEquals((await world.restarted()).state(), world.state());
      outcomes += done;
    }
    assertMatch(outcomes, /^0+(1|2|3)*4+$/, mode);
  }
});

Deno.test("ingest: a change and its note are there together, however little space is left", async () => {
  /** A stream, and so many increments less than there is space for. */
  const filled = async (mode: string, chunks: number, increments: number) => {
    const disk = new MemoryDisk("/dumps");
    disk.bytesMax = 16_000;
    const world = await World.start({}, disk);
    await world.begin("s", mode);
    if (chunks > 0) await world.chunk("s", 1, [[1, DAY, 1], [2, DAY, 1]]);
    let count = 0;
    while (count < increments && await world.add("other", 1) !== FULL) count++;
    return { world, count };
  };
  const table: [
    op: "chunk" | "commit" | "abort",
    chunks: number,
    ask: (world: World) => Promise<string>,
  ][] = [
    ["chunk", 0, (world) => world.chunk("s", 1, [[1, DAY, 1], [2, DAY, 1]])],
    ["chunk", 1, (world) => world.chunk("s", 2, [[1, DAY, 1], [2, DAY, 1]])],
    ["commit", 1, (world) => world.commit("s")],
    ["abort", 1, (world) => world.abort("s")],
  ];
  for (const mode of ["add", "set", "replace_series"]) {
    for (const [op, chunks, ask] of table) {
      const { count: most } = await filled(mode, chunks, Infinity);
      for (let left = 0; left < 110; left += left < 20 ? budget(3, 1) : budget(18, 6)) {
        const { world } = await filled(mode, chunks, most - left);
        const before = world.state();
        if (await ask(world) === FULL) {
          assertEquals(world.state(), before);
        } else {
          const stream = world.karma.dedup.streams.find("s");
          const told = [stream?.lastChunk, stream?.committed === null];
          const expected = {
            chunk: [chunks + 1, true],
            commit: [1, false],
            abort: [undefined, false],
          };
          assertEquals(told, expected[op], `${mode}, ${op}, ${left}`);
        }
        assertEquals((await world.restarted()).state(), world.state(), `${mode}, ${op}, ${left}`);
      }
    }
  }
});

Deno.test("ingest: the latest of the committed streams are remembered, for so long", async () => {
  const options = { streamsKeptMax: 2, ageMaxSeconds: 60 };
  const world = await World.start(options);
  for (const id of ["a", "b", "c"]) {
    await world.begin(id);
    await world.chunk(id, 1, [[1, DAY, 1]]);
    await world.commit(id);
  }
  assertEquals(await world.commit("a"), absent("a"));
  assertEquals(await world.begin("b"), status("b", "add", "t", 1, "already_committed"));
  const again = await world.restarted();
  assertEquals(again.state(), world.state());
  world.karma.now += 61_000;
  await world.begin("d");
  await world.commit("d");
  assertEquals(world.karma.dedup.streams.committedCount, 1, "b and c are too old");
  assertEquals(await world.begin("b"), status("b", "add", null, 0), "as if it had never been");
});

Deno.test("ingest: only committed streams are told of as such when all was dumped", async () => {
  const world = await World.start();
  const told = async () => {
    await world.ask("snapshot.create_all");
    return JSON.parse(await world.ask("snapshot.info")).idempotency_snapshot;
  };
  await world.begin("s");
  assertEquals(await told(), null);
  await world.commit("s");
  await world.begin("u");
  assertEquals((await told()).committed_stream_count, 1);
});

Deno.test("ingest: chunks are counted by what became of them", async () => {
  const world = await World.start();
  await world.begin("s");
  await world.chunk("s", 1, [[1, DAY, 1], [2, DAY, 1]]);
  await world.chunk("s", 1, [[1, DAY, 1], [2, DAY, 1]]);
  await world.chunk("s", 1, [[1, DAY, 2]]);
  await world.chunk("s", 5, []);
  await world.chunk("none", 1, []);
  const stats = JSON.parse(await world.ask("system.stats"));
  const names = [
    "active_streams",
    "chunks_applied",
    "chunks_skipped",
    "chunks_rejected",
    "items_applied",
  ];
  assertEquals(names.map((name) => stats[`ingest_${name}`]), [1, 1, 1, 3, 2]);
  assertEquals([stats.batch_write_count, stats.batch_write_item_count], [1, 2]);
});

interface Model {
  mode: string;
  tree: string | null;
  /** Of one that replaces: what it has so far. */
  staged: Map<number, number> | null;
  chunks: string[];
  isCommitted: boolean;
}

Deno.test("ingest: random histories beside a model, with kills and dumps", async () => {
  const seed = crypto.getRandomValues(new Uint32Array(1))[0];
  for (let round = 0; round < budget(3, 12); round++) {
    const random = new Random(seed + round);
    const where = `seed ${seed + round}`;
    let world = await World.start();
    const trees = new Map<string, Map<number, number>>();
    const streams = new Map<string, Model>();
    for (let step = 0; step < 150; step++) {
      const id = random.pick(["a", "b", "c", "d"]);
      const stream = streams.get(id);
      const name = random.pick(["t", "u"]);
      const choice = random.below(12);
      if (choice === 0) {
        const mode = random.pick(["add", "set", "replace_series"]);
        await world.begin(id, mode);
        if (stream === undefined) {
          streams.set(id, { mode, tree: null, staged: null, chunks: [], isCommitted: false });
        }
      } else if (choice === 1) {
        const told = await world.commit(id);
        if (stream === undefined) assertEquals(told, absent(id), where);
        else if (stream.mode === "replace_series" && stream.tree === null) {
          assertMatch(told, /^validation_error: Cannot commit empty/, where);
        } else {
          if (!stream.isCommitted && stream.staged !== null) trees.set(stream.tree!, stream.staged);
          stream.isCommitted = true;
        }
      } else if (choice === 2) {
        const told = await world.abort(id);
        const isOpen = stream !== undefined && !stream.isCommitted;
        assertEquals(told, isOpen ? ended(id, "aborted", stream.chunks.length) : absent(id), where);
        if (isOpen) streams.delete(id);
      } else if (choice === 3) {
        await world.ask("tree.drop", `"tree":"${name}"`);
        trees.delete(name);
      } else if (choice === 4) {
        if (random.chance(0.5)) await world.ask("snapshot.create_all");
        if (random.chance(0.5)) world = await world.restarted();
      } else if (stream !== undefined) {
        const sequence = Math.max(1, stream.chunks.length + random.pick([1, 1, 1, 1, 0, 2]));
        const items = Array.from({ length: random.below(4) }, (): Item => {
          return [random.below(5), DAY, 1 + random.below(2)];
        });
        const told = await world.chunk(id, sequence, items, name);
        const words = `${name} ${JSON.stringify(items)}`;
        const isNext = sequence === stream.chunks.length + 1;
        if (stream.chunks[sequence - 1] === words) {
          assertEquals(told, skipped(id, sequence, stream.isCommitted), where);
        } else if (!stream.isCommitted && isNext && (stream.tree ?? name) === name) {
          const total = items.reduce((sum, [, , value]) => sum + value, 0);
          assertEquals(told, taken(id, sequence, items.length, total), where);
          stream.tree = name;
          stream.chunks.push(words);
          const isStaged = stream.mode === "replace_series";
          if (isStaged) stream.staged ??= new Map();
          else if (!trees.has(name)) trees.set(name, new Map());
          const into = isStaged ? stream.staged! : trees.get(name)!;
          for (const [key, , value] of items) {
            into.set(key, value + (stream.mode === "add" ? into.get(key) ?? 0 : 0));
          }
        } else {
          assertMatch(told, /^(validation_error|idempotency_conflict): /, where);
        }
      }
      const found = world.karma.forest.visible().map(({ name }) => name);
      assertEquals(found.toSorted(), [...trees.keys()].toSorted(), where);
      for (const [name, held] of trees) {
        const cells = [...held].sort(([a], [b]) => a - b).map((
          [key, value],
        ) => [key, BigInt(value)]);
        const actual = [...contentsOf(world.karma.forest.named(name)!)];
        assertEquals(actual.map(([key, days]) => [Number(key), days.get(DAY)]), cells, where);
      }
      const open = [...streams.values()].filter((other) => !other.isCommitted);
      const hidden = open.filter(({ staged }) => staged !== null).length;
      assertEquals(world.karma.forest.trees().length, trees.size + hidden, where);
      world.check();
    }
  }
});
