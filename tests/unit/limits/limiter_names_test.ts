// Limits whose keys are names: they are judged, charged and refunded as numbers are, and never mixed up with them.

import { assertEquals, assertStringIncludes } from "@std/assert";
import { LocalKarma } from "../../support/local_karma.ts";
import { V2Client } from "../../support/v2_client.ts";

const UUID = "0189c5f2-7d3e-7b1a-8c4d-0123456789ab";

const limit = (series: string, max: number, rest: Record<string, unknown> = {}) => {
  return { series, max, window: "day", ...rest };
};

class World {
  karma!: LocalKarma;
  client!: V2Client;

  static async start(): Promise<World> {
    const world = new World();
    world.karma = await LocalKarma.start();
    world.client = new V2Client(world.karma);
    return world;
  }

  async ask(op: string, members: unknown): Promise<string> {
    return await this.client.ask(op, JSON.stringify(members).slice(1, -1));
  }

  /** Whether it was allowed, how much was applied, and what is used of each limit. */
  async brief(op: string, members: unknown): Promise<string> {
    const told = await this.ask(op, members);
    const [, allowed] = told.match(/"allowed":(\w+)/)!;
    const used = [...told.matchAll(/"used":(\d+)/g)].map((match) => match[1]);
    return `${allowed} ${used}`;
  }

  sum(series: string, key: string | number): Promise<string> {
    return this.ask("counter.sum", { series, key });
  }

  async restart(): Promise<void> {
    await this.karma.wal.sync();
    this.karma.forest.check();
    this.karma = await LocalKarma.start(this.karma.disk);
    this.client = new V2Client(this.karma);
    this.karma.forest.check();
  }
}

Deno.test("limiter: a user with a name and an organisation with a number, in one step", async () => {
  const world = await World.start();
  const limits = [
    limit("users", 2),
    limit("users", 9, { window: "month" }),
    limit("organisations", 5, { key: 7 }),
  ];
  const consume = (key: string | number) => world.brief("limit.consume", { key, limits });
  assertEquals(await consume(UUID), "true 1,1,1");
  assertEquals(await consume(UUID), "true 2,2,2");
  assertEquals(await consume(UUID), "false 2,2,2");
  assertEquals(await consume("007"), "true 1,1,3");
  assertEquals(await consume(7), "true 1,1,4");
  assertEquals(await consume("7"), "true 2,2,5");
  assertEquals(await consume("other"), "false 0,0,5");
  assertEquals([await world.sum("users", UUID), await world.sum("users", 7)], ["2", "2"]);
  assertEquals(world.karma.forest.names.count, 2, "what was refused leaves no name");
  await world.restart();
  assertEquals(await world.brief("limit.check", { key: UUID, limits }), "false 2,2,5");
});

Deno.test("limiter: own keys may be names, and one counter is charged once", async () => {
  const world = await World.start();
  const limits = [
    limit("s", 10),
    limit("s", 10, { key: "a" }),
    limit("s", 10, { key: "b", cost: 3 }),
    limit("t", 5, { key: "a" }),
  ];
  assertEquals(await world.brief("limit.consume", { key: "a", limits }), "true 1,1,3,1");
  assertEquals(await world.brief("limit.consume", { key: "c", limits }), "true 1,2,6,2");
  assertEquals(await world.brief("limit.consume", { key: 1, limits }), "true 1,3,9,3");
  const told = await world.ask("limit.check", {
    keys: ["a", 1, "nobody", "b"],
    limits: [limit("s", 10)],
  });
  assertEquals([...told.matchAll(/"used":(\d+)/g)].map((match) => match[1]), ["3", "1", "0", "9"]);
  assertStringIncludes(
    await world.ask("limit.consume", { limits: [limit("s", 1, { key: "" })] }),
    "Field limits[].key must be 1 to 255 bytes of UTF-8",
  );
  world.karma.forest.check();
});

Deno.test("limiter: names and their times", async () => {
  const world = await World.start();
  const limits = [limit("s", 1, { window: { days: 2 } })];
  await world.ask("limit.consume", { key: "a", limits });
  const told = await world.ask("limit.consume", { key: "a", limits });
  assertStringIncludes(told, '"retry_at":"2026-11-24T00:00:00Z"');
  assertStringIncludes(await world.ask("limit.check", { key: "b", limits }), '"allowed":true');
});

Deno.test("limiter: a receipt of a name refunds it, also when it was away in between", async () => {
  const world = await World.start();
  const limits = [limit("s", 9, { cost: 4 }), limit("s", 9, { key: 7, cost: 2 })];
  const consume = async () => {
    const told = await world.ask("limit.consume", { key: 'a"b', limits, receipt: true });
    return told.match(/"receipt":"([^"]+)"/)![1];
  };
  const [first, second] = [await consume(), await consume()];
  await world.restart();
  assertEquals(
    await world.ask("limit.refund", { receipt: first }),
    '{"refunded":true,"day":20261122,"charges":[{"series":"s","key":"a\\"b","amount":4},{"series":"s","key":7,"amount":2}]}',
  );
  assertStringIncludes(await world.ask("limit.refund", { receipt: first }), '"refunded":false');
  assertEquals([await world.sum("s", 'a"b'), await world.sum("s", 7)], ["4", "2"]);
  await world.ask("counter.reset", { series: "s", key: 'a"b' });
  await world.ask("tree.compact", { series: "s" });
  assertEquals(world.karma.forest.names.count, 0);
  assertStringIncludes(
    await world.ask("limit.refund", { receipt: second }),
    '{"series":"s","key":"a\\"b","amount":0}',
  );
  world.karma.forest.check();
});

Deno.test("limiter: an idempotency key is of one name", async () => {
  const world = await World.start();
  const consume = (key: string | number) =>
    world.ask("limit.consume", { key, limits: [limit("s", 5)], idempotency_key: "k" });
  assertStringIncludes(await consume("a"), '"used":1');
  assertStringIncludes(await consume("a"), '"used":1');
  assertStringIncludes(await consume("b"), "idempotency_conflict");
  assertStringIncludes(await consume(0), "idempotency_conflict");
  assertEquals(await world.sum("s", "a"), "1");
});

Deno.test("limiter: windows below a day count names, last, and go with the series", async () => {
  const world = await World.start();
  const limits = [
    limit("s", 5, { window: "minute" }),
    limit("s", 3, { window: { hours: 5 } }),
    { series: "s", window: { refill: 2, per_seconds: 3600, burst: 9 } },
    limit("s", 100, { window: "month" }),
  ];
  const consume = (key: string | number) => world.brief("limit.consume", { key, limits });
  const check = (key: string | number) => world.brief("limit.check", { key, cost: 0, limits });
  for (let n = 1; n <= 3; n++) assertEquals(await consume(UUID), `true ${n},${n},${n},${n}`);
  assertEquals(await consume(UUID), "false 3,3,3,3");
  assertEquals(await consume(42), "true 1,1,1,1");
  assertEquals(await consume("other"), "true 1,1,1,1");
  await world.restart();
  assertEquals([await check(UUID), await check(42)], ["true 3,3,3,3", "true 1,1,1,1"]);
  assertEquals(await world.ask("counter.reset", { series: "s", key: UUID }), '"OK"');
  assertEquals([await check(UUID), await check(42)], ["true 0,0,0,0", "true 1,1,1,1"]);
  await consume(UUID);
  const told = await world.ask("limit.consume", { key: UUID, limits, receipt: true });
  await world.ask("limit.refund", { receipt: /"receipt":"([^"]+)"/.exec(told)![1] });
  assertEquals(await check(UUID), "true 1,1,1,1");
  await world.ask("tree.drop", { series: "s" });
  await world.restart();
  assertEquals([await check(UUID), await check(42)], ["true 0,0,0,0", "true 0,0,0,0"]);
  assertEquals([...world.karma.forest.beside.trees], [], "their trees have gone, too");
});
