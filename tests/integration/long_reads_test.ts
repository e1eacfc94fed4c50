// Long readings: whatever is asked of a tree with a million counters, others are served meanwhile.
//
// The aim is that a pinging client never waits longer than 25 ms. What is measured is printed; what
// fails the test is far above, for machines that are busy with other things.

import { assert, assertEquals } from "@std/assert";
import { budget } from "../support/budget.ts";
import { ClientV2, type Fields } from "../support/client_v2.ts";
import { type Beats, Pulse } from "../support/pulse.ts";
import { Server } from "../support/server.ts";

const KEYS = budget(300_000, 1_000_000);
const BATCH = 10_000;
const DAY = 20260101;
const RANGE = { from: 20260101, to: 20260131 };
const WAIT_MS_MAX = 3000;

/** Readings of each kind, and what is read at once of a long reply. */
const ROUNDS = 3;
const SIP_BYTES = 1 << 18;
/** What is measured of a server that does nothing else, to know the machine by. */
const REST_MS = 500;

/** Pages of each size, and how many times longer one may take than its size says. */
const PAGES = 30;
const SLACK = 10;

/** Clients that read at once, and what of. */
const READERS = 200;
const MANY_KEYS = 100_000;

const tree = "t";

async function fill(client: ClientV2): Promise<void> {
  for (let from = 0; from < KEYS; from += BATCH) {
    const items = Array.from({ length: BATCH }, (_, n) => [3 * (from + n), DAY, n % 1000 + 1]);
    await client.get("series.batch_add", { tree, items });
  }
}

/** Asks and reads a reply to its line feed, without keeping it; returns how long it was. */
async function swallow({ connection }: ClientV2, line: string): Promise<number> {
  await connection.send(`${line}\n`);
  for (let length = 0;;) {
    const bytes = await connection.sip(SIP_BYTES);
    assert(bytes.length > 0, "The server closed");
    length += bytes.length;
    if (bytes.at(-1) === 10) return length;
  }
}

/** The median of how long pages of that size behind that key take, in milliseconds. */
async function pageMs(client: ClientV2, limit: number, cursor: number): Promise<number> {
  const line = client.line("tree.keys", { tree, limit, cursor });
  const took: number[] = [];
  while (took.length < PAGES) {
    const began = performance.now();
    await swallow(client, line);
    took.push(performance.now() - began);
  }
  return took.sort((a, b) => a - b)[PAGES >> 1];
}

Deno.test("long reads: of very many counters, and nobody waits", async () => {
  const args = ["--max-response-bytes=0", "--query-timeout-ms=0"];
  await using server = await Server.start({ args });
  using client = await ClientV2.connect(server.port);
  await fill(client);
  assertEquals((await client.get("tree.info", { tree }) as Fields).key_count, KEYS);
  using pulse = await Pulse.of(server.port);
  const find = '{"command":"find","tree_name":"t","time_from":0,"time_to":99999999}';
  const page = (limit: number, cursor: number) => client.line("tree.keys", { tree, limit, cursor });
  const requests: Record<string, string[]> = {
    "tree.top": [1, 1000].map((limit) => client.line("tree.top", { tree, limit })),
    "tree.keys": [0, 1.5, 2.99].flatMap((m) => [page(10, m * KEYS), page(BATCH, m * KEYS)]),
    "tree.summary": [client.line("tree.summary", { tree, range: RANGE })],
    "tree.series": [client.line("tree.series", { tree, range: RANGE })],
    "find": [find],
  };
  const rest = () => new Promise((done) => setTimeout(done, REST_MS));
  const beats: Record<string, Beats> = { nothing: await pulse.during(rest) };
  for (const [what, lines] of Object.entries(requests)) {
    beats[what] = await pulse.during(async () => {
      for (let round = 0; round < ROUNDS; round++) {
        for (const line of lines) await swallow(client, line);
      }
    });
  }
  const told = Object.entries(beats).map(([what, { count, median, longest }]) => {
    return `${what} ${longest.toFixed(1)} (of ${count}, half within ${median.toFixed(2)})`;
  });
  console.log(`Longest waits in ms: ${told.join(", ")}`);
  for (const [what, { longest }] of Object.entries(beats)) {
    assert(longest < WAIT_MS_MAX, `During ${what} a ping took ${longest} ms`);
  }
});

Deno.test("long reads: a page costs what the page costs, wherever it is", async () => {
  await using server = await Server.start();
  using client = await ClientV2.connect(server.port);
  await fill(client);
  await pageMs(client, BATCH, 0); // warms up
  const first = await pageMs(client, 100, 0);
  const last = await pageMs(client, 100, 3 * (KEYS - 200));
  const large = await pageMs(client, BATCH, 0);
  console.log(
    `A page of 100 takes ${first.toFixed(2)} ms, near the end ${last.toFixed(2)}; ` +
      `one of ${BATCH} ${large.toFixed(2)}`,
  );
  assert(last < SLACK * first, `${last} ms near the end, ${first} at the beginning`);
  assert(large < SLACK * BATCH / 100 * first, `${large} ms`);
  assert(first < 50 && large < 500, `${first} ms, ${large} ms`);
  // All pages together are all keys, in order.
  let keys = 0;
  for (let cursor: unknown = null, before = -1; keys === 0 || cursor !== null;) {
    const told = await client.get("tree.keys", { tree, limit: BATCH, cursor }) as {
      next_cursor: number | null;
      keys: { key: number; total: number }[];
    };
    for (const { key } of told.keys) {
      assert(key > before && key % 3 === 0, `${key} behind ${before}`);
      before = key;
    }
    keys += told.keys.length;
    cursor = told.next_cursor;
  }
  assertEquals(keys, KEYS);
});

Deno.test("long reads: two hundred at once, and others are served in between", async () => {
  await using server = await Server.start({ args: ["--query-timeout-ms=0"] });
  using client = await ClientV2.connect(server.port);
  for (let from = 0; from < MANY_KEYS; from += BATCH) {
    const items = Array.from({ length: BATCH }, (_, n) => [3 * (from + n), DAY, n % 1000 + 1]);
    await client.get("series.batch_add", { tree, items });
  }
  const clients: ClientV2[] = [];
  try {
    for (let count = 0; count < READERS; count++) clients.push(await ClientV2.connect(server.port));
    using pulse = await Pulse.of(server.port);
    const line = client.line("tree.keys", { tree, limit: BATCH });
    const beats = await pulse.during(async () => {
      const lengths = await Promise.all(clients.map((client) => swallow(client, line)));
      assertEquals(new Set(lengths).size, 1, "all got the same page");
    });
    console.log(`Beside ${READERS} readings a ping took up to ${beats.longest.toFixed(1)} ms`);
    assert(beats.longest < WAIT_MS_MAX, `A ping took ${beats.longest} ms`);
  } finally {
    for (const client of clients) client[Symbol.dispose]();
  }
});

Deno.test("long reads: a reset does not wait for a sweep of another tree", async () => {
  await using server = await Server.start();
  using client = await ClientV2.connect(server.port);
  using sweeper = await ClientV2.connect(server.port);
  const range = { from: 20250101, to: 20250131 };
  // If it waited it would always come last; on a busy machine it may do so now and then.
  for (let attempt = 1, isFirst = false; !isFirst; attempt++) {
    assert(attempt <= 10, "The reset came last ten times");
    await fill(client);
    await client.get("counter.increment", { tree: "small", key: 1, bucket: DAY });
    let isSwept = false;
    const sweeping = sweeper.get("tree.delete_range", { tree, range }).then(() => isSwept = true);
    await client.get("tree.info", { tree: "small" }); // by now the sweep has begun, most likely
    assertEquals(await client.get("tree.reset", { tree: "small" }), "OK");
    isFirst = !isSwept;
    await sweeping;
  }
  assertEquals((await client.get("tree.info", { tree: "small" }) as Fields).bucket_count, 0);
});

Deno.test("long reads: who gives a cursor gets parts, and all of them are the whole", async () => {
  await using server = await Server.start({ args: ["--query-timeout-ms=1"] });
  using client = await ClientV2.connect(server.port);
  for (let from = 0; from < MANY_KEYS; from += BATCH) {
    const items = Array.from({ length: BATCH }, (_, n) => [from + n, DAY, 1 + (from + n) % 65_537]);
    await client.get("series.batch_add", { tree, items });
  }
  let [total, active, parts] = [0, 0, 0];
  for (let cursor: unknown = null, isMore = true; isMore; parts++) {
    const told = await client.ask("tree.summary", { tree, range: RANGE, cursor });
    if (told.error_code === "query_timeout") continue; // a machine so busy that it had no turn in time
    const part = told.response as Fields;
    total += part.total as number;
    active += part.active_keys as number;
    cursor = part.next_cursor;
    isMore = cursor !== null;
  }
  const whole = await client.get("tree.summary", { tree }) as Fields;
  assertEquals([active, total], [MANY_KEYS, whole.total as number]);
  console.log(`A summary with a millisecond at a time came in ${parts} parts`);
});
