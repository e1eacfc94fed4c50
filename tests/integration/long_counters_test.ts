// Counters with very many days: whatever is asked of them, others are served meanwhile.

import { assert, assertEquals } from "@std/assert";
import { ClientV2 } from "../support/client_v2.ts";
import { type Beats, Pulse } from "../support/pulse.ts";
import { Server } from "../support/server.ts";

/** Days of the counter: a century and a half. With KARMA_LONG_DAYS=2900000 it has all that there are. */
const DAYS = Number(Deno.env.get("KARMA_LONG_DAYS") ?? 50_000);
const BATCH = 10_000;
const KEYS = 5000;
/**
 * The longest wait there may be, on a machine on which nothing else takes more than 50 ms; else so many times
 * what a ping takes while nobody asks for anything. Sums of all these days, one by one, took 1.3 s.
 */
const WAIT_MS_MAX = 3000;
const WAITS_MAX = 20;
const QUIET_MS = 250;

const tree = "t";

/** The n-th day from the year 1000 on. */
function dayOf(n: number): number {
  const date = new Date(Date.UTC(1000, 0, 1 + n));
  return date.getUTCFullYear() * 10000 + (date.getUTCMonth() + 1) * 100 + date.getUTCDate();
}

Deno.test("long counters: filled in any order, asked for in any way, nobody waits", async () => {
  await using server = await Server.start({
    args: ["--max-response-bytes=0", "--query-timeout-ms=0"],
  });
  using client = await ClientV2.connect(server.port);
  using pulse = await Pulse.of(server.port);
  const beats: Record<string, Beats> = {};
  const quiet = () => pulse.during(() => new Promise((done) => setTimeout(done, QUIET_MS)));
  const before = await quiet();
  beats.fill = await pulse.during(async () => {
    for (let end = DAYS; end > 0; end -= BATCH) { // against the order of days
      const from = Math.max(0, end - BATCH);
      const items = Array.from({ length: end - from }, (_, n) => [7, dayOf(end - 1 - n), 1]);
      await client.get("series.batch_add", { tree, items });
    }
  });
  const keys = new Array(KEYS).fill(7);
  beats.batch_sum = await pulse.during(async () => {
    const sums = await client.get("counter.batch_sum", { tree, keys });
    assert((sums as { value: number }[]).every(({ value }) => value === DAYS));
  });
  beats.multi_sum = await pulse.during(async () => {
    const items = keys.map((key) => ({ series: tree, key }));
    const sums = await client.get("counter.multi_sum", { items }) as { value: number }[];
    assert(sums.every(({ value }) => value === DAYS));
  });
  beats["limit.check"] = await pulse.during(async () => {
    const limits = [{ series: tree, max: 5, window: "total" }, {
      series: tree,
      max: 5,
      window: { days: 3660 },
    }];
    const told = await client.get("limit.check", { keys: keys.slice(0, 1000), limits }) as {
      results: { allowed: boolean }[];
    };
    assert(told.results.every(({ allowed }) => !allowed));
  });
  const v1 = async (fields: string) => {
    const reply = await client.connection.ask(`{"tree_name":"t",${fields}}`);
    return JSON.parse(reply).response;
  };
  beats.find = await pulse.during(async () => {
    const [from, to] = [dayOf(1), dayOf(DAYS - 2)];
    const range = `"time_from":${from},"time_to":${to}`;
    const days = await v1(`"command":"find","key":7,${range}`);
    assertEquals(Object.keys(days).length, DAYS - 2);
    const all = await v1(`"command":"find","time_from":0,"time_to":99999999`);
    assertEquals(Object.keys(all), ["7"]);
    assertEquals(Object.keys(all["7"]).length, DAYS);
  });
  beats.delete = await pulse.during(async () => {
    await v1(`"command":"delete","key":7,"time_from":${dayOf(1)},"time_to":${dayOf(DAYS - 2)}`);
    assertEquals(await client.get("counter.sum", { tree, key: 7 }), 2);
  });
  const told = Object.entries(beats).map(([what, { longest }]) => `${what} ${longest.toFixed(1)}`);
  console.log(`Longest waits in ms with ${DAYS} days: ${told.join(", ")}`);
  const usual = Math.max(before.longest, (await quiet()).longest);
  const most = Math.max(WAIT_MS_MAX, WAITS_MAX * usual);
  for (const [what, { longest }] of Object.entries(beats)) {
    assert(longest < most, `During ${what} a ping took ${longest} ms`);
  }
});
