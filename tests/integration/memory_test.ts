// Attacks on the memory: whatever a client fills it with, the process stays below its limit, refuses by name,
// goes on reading and counting what is there, and starts again with all of it.
//
// The limit is a few MiB above what the process takes empty; KARMA_MEMORY_MIB=256 makes it so many MiB in all.

import { assert, assertEquals } from "@std/assert";
import { ClientV2, type Fields } from "../support/client_v2.ts";
import { Server, TemporaryDirectory } from "../support/server.ts";

const MEBIBYTE = 1 << 20;
const ROOM_BYTES = 4 * MEBIBYTE;
const TOTAL_MIB = Number(Deno.env.get("KARMA_MEMORY_MIB") ?? 0);

/** What the process may take beyond the limit: what waits for the collector, and runtimes differ. */
const SLACK_BYTES = 100 * MEBIBYTE;

/** An attack that gets nowhere must end, too. */
const REQUESTS_MAX = 1_000_000;

const DAY = 20260101;
const FULL = "memory_full";

type Requests = readonly [op: string, fields: Fields][];

interface Attack {
  readonly what: string;
  /** The request of a number; two of different numbers fill different memory. */
  readonly request: (n: number) => [op: string, fields: Fields];
  /** How many are sent at once. */
  readonly width: number;
  readonly before?: Requests;
  /** After so many requests a bound of its own (--idempotency-max-bytes) holds, if the limit does not come first. */
  readonly boundRequests?: number;
  /** What makes room again. */
  readonly after?: Requests;
}

/** Names of 255 bytes. */
const long = (n: number) => `${n}_`.padEnd(255, "x");

/** Items with keys that lie everywhere. */
const items = (n: number) =>
  Array.from({ length: 1000 }, (_, index) => {
    return [(n * 1000 + index) * 2654435761 % 2 ** 40, DAY, 1];
  });

const limits = (n: number) =>
  Array.from({ length: 16 }, (_, index) => {
    return { series: long(index), key: n % 10, max: 1_000_000, window: "day" };
  });

const ATTACKS: readonly Attack[] = [
  {
    what: "keys",
    request: (n) => ["series.batch_add", { tree: "keys", items: items(n) }],
    width: 4,
    after: [["tree.drop", { tree: "keys" }]],
  },
  {
    what: "trees with long names",
    request: (n) => ["counter.increment", { tree: long(n), key: 1 }],
    width: 200,
  },
  {
    what: "idempotency keys",
    request: (n) => ["counter.increment", { tree: "t", key: 1, idempotency_key: long(n) }],
    width: 200,
    boundRequests: 400_000,
    after: [["idempotency.prune", { before: 4e9 }]],
  },
  {
    what: "receipts",
    request: (n) => {
      const consume = { key: n, limits: limits(n), receipt: true, idempotency_key: `r${n}` };
      return ["limit.consume", consume];
    },
    width: 50,
    boundRequests: 40_000,
    after: [["idempotency.prune", { before: 4e9 }]],
  },
  {
    what: "staged items",
    before: [["ingest.begin", { stream_id: "s", mode: "replace_series" }]],
    request: (n) => {
      return ["ingest.chunk", { stream_id: "s", tree: "s", chunk_seq: n + 1, items: items(n) }];
    },
    width: 1, // behind a refused chunk none is the next
    after: [["ingest.abort", { stream_id: "s" }]],
  },
];

/** A figure of `system.metrics`. */
async function metric(client: ClientV2, name: string): Promise<number> {
  const text = await client.get("system.metrics") as string;
  return Number(new RegExp(`^karma_${name} (.*)$`, "m").exec(text)![1]);
}

/** Sends requests until half of a round is refused, or its bound holds; returns how many succeeded. */
async function attack(
  client: ClientV2,
  { request, width, boundRequests }: Attack,
): Promise<number> {
  let done = 0;
  for (let n = 0; n < REQUESTS_MAX; n += width) {
    const answers = await client.all(Array.from({ length: width }, (_, at) => request(n + at)));
    const refused = answers.filter(({ success }) => !success);
    done += width - refused.length;
    const [first] = refused;
    if (first !== undefined) assertEquals(first.error_code, FULL, JSON.stringify(first));
    if (refused.length > width / 2 || n > (boundRequests ?? Infinity)) return done;
  }
  throw new Error("The attack was never refused");
}

/** What the empty process takes, by its own account. */
async function emptyBytes(): Promise<number> {
  await using server = await Server.start();
  using client = await ClientV2.connect(server.port);
  return await metric(client, "memory_used_bytes");
}

/** That what is there is read, and counted on, and what is not is refused by name. */
async function serves(client: ClientV2, kept: number): Promise<void> {
  assertEquals(await client.get("counter.sum", { tree: "kept", key: 7 }), kept);
  await client.get("counter.increment", { tree: "kept", key: 7, date: DAY });
  await client.get("counter.decrement", { tree: "kept", key: 7, date: DAY });
  assertEquals((await client.get("system.health") as Fields).status, "ok");
}

Deno.test("memory: attacks are refused by name, and the process stays below its limit", async () => {
  const limit = TOTAL_MIB > 0 ? TOTAL_MIB * MEBIBYTE : await emptyBytes() + ROOM_BYTES;
  const args = [`--max-memory=${limit}`];
  for (const one of ATTACKS) {
    using directory = new TemporaryDirectory();
    const place = { args, directory: directory.path };
    let filled = 0;
    {
      await using server = await Server.start(place);
      using client = await ClientV2.connect(server.port);
      await client.get("counter.increment", { tree: "kept", key: 7, date: DAY, value: 5 });
      for (const [op, fields] of one.before ?? []) await client.get(op, fields);
      const done = await attack(client, one);
      assert(done > 0, one.what);
      await serves(client, 5);
      filled = await metric(client, "memory_used_bytes");
      assert(filled <= limit, `${one.what}: ${filled}, ${limit}`);
      const isFull = filled > limit - 2 * MEBIBYTE;
      assert(
        isFull || TOTAL_MIB > 0 && one.boundRequests !== undefined,
        `${one.what}: ${filled}, ${limit}`,
      );
      const resident = await server.memory();
      assert(resident < limit + SLACK_BYTES, `${one.what}: ${resident} resident`);
      assert((await client.get("snapshot.verify") as Fields).status === "ok");
      await server.kill();
    }
    await using server = await Server.start(place);
    using client = await ClientV2.connect(server.port);
    await serves(client, 5);
    if (one.after === undefined) continue;
    for (const [op, fields] of one.after) await client.get(op, fields);
    assert(await metric(client, "memory_used_bytes") < filled, `${one.what}: room again`);
    await client.get("counter.increment", { tree: "new", key: 1 });
  }
});

Deno.test("memory: a start that finds more than fits says so, and serves what needs no more", async () => {
  using directory = new TemporaryDirectory();
  const place = { directory: directory.path };
  {
    await using server = await Server.start(place);
    using client = await ClientV2.connect(server.port);
    await client.get("counter.increment", { tree: "kept", key: 7, date: DAY, value: 5 });
    assertEquals(await server.stop(), 0);
  }
  await using server = await Server.start({ ...place, args: ["--max-memory=1mb"] });
  await server.says(/The data and the process take \d+ MiB, more than the 1 MiB of --max-memory/);
  using client = await ClientV2.connect(server.port);
  await serves(client, 5);
  const refusal = `${FULL}: Memory is full: nothing was changed`;
  assertEquals(await client.refused("counter.increment", { tree: "new", key: 1 }), refusal);
  assertEquals(await client.get("tree.list"), ["kept"]);
});
