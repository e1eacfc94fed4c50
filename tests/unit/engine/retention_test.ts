// Retention: what goes, what stays, and that it stays gone, while the test moves the clock.

import { assertEquals } from "@std/assert";
import { checkTree } from "../../../lib/tree/check.ts";
import { LocalKarma } from "../../support/local_karma.ts";
import { V2Client } from "../../support/v2_client.ts";

const DAY_MS = 86_400_000;

class World {
  karma: LocalKarma;
  client: V2Client;

  constructor(karma: LocalKarma) {
    this.karma = karma;
    this.client = new V2Client(karma);
  }

  static async start(retentionDays: number): Promise<World> {
    return new World(await LocalKarma.start(undefined, { retentionDays }));
  }

  /** Kills it and starts it again, from what is on the disk. */
  async crash(): Promise<void> {
    const { disk } = this.karma;
    disk.kill();
    this.karma = await LocalKarma.start(disk, { retentionDays: 30 });
    this.client = new V2Client(this.karma);
  }

  check(): void {
    for (const tree of this.karma.forest.trees()) checkTree(tree);
  }

  /** The clock goes on, to noon of the day so many days later. */
  pass(days: number): void {
    this.karma.now += days * DAY_MS;
    this.karma.today = Number(
      new Date(this.karma.now).toISOString().slice(0, 10).replaceAll("-", ""),
    );
  }

  count(tree: string, key: number, day: number): Promise<string> {
    return this.client.ask("counter.increment", `"series":"${tree}","key":${key},"bucket":${day}`);
  }

  held(tree: string, key: number): Promise<string> {
    return this.client.ask("counter.series", `"series":"${tree}","key":${key},` + RANGE);
  }
}

const RANGE = `"range":{"from":20260101,"to":20261231}`;

Deno.test("retention: today and so many days before it stay, older days and empty counters go", async () => {
  const world = await World.start(30);
  for (const day of [20260101, 20261022, 20261023, 20261122]) await world.count("t", 1, day);
  await world.count("t", 2, 20261022);
  await world.client.ask("counter.increment", '"series":"t","key":"name","bucket":20261022');
  await world.count("young", 1, 20261023);
  assertEquals(await world.karma.engine.retain(), "Days before 20261023 deleted, in 1 trees");
  assertEquals(await world.held("t", 1), '{"20261023":1,"20261122":1}');
  assertEquals(world.karma.forest.names.count, 0, "names go as numbers do");
  assertEquals(await world.client.ask("tree.keys", '"series":"t"'), KEYS);
  assertEquals(await world.karma.engine.retain(), "", "once a day");
  world.pass(1);
  assertEquals(await world.karma.engine.retain(), "Days before 20261024 deleted, in 2 trees");
  assertEquals(await world.held("t", 1), '{"20261122":1}');
  world.check();
});

const KEYS =
  '{"tree":"t","limit":1000,"cursor":null,"next_cursor":null,"keys":[{"key":1,"total":2}]}';

Deno.test("retention: without the option nothing goes", async () => {
  const world = await World.start(0);
  await world.count("t", 1, 10000101);
  assertEquals(await world.karma.engine.retain(), "");
  world.pass(4000);
  assertEquals(await world.karma.engine.retain(), "");
  assertEquals(await world.client.ask("counter.sum", '"series":"t","key":1'), "1");
});

Deno.test("retention: what is gone stays gone after a crash", async () => {
  const world = await World.start(30);
  for (let key = 0; key < 5000; key++) await world.count("t", key, 20261001 + key % 31);
  await world.karma.engine.retain();
  const summary = await world.client.ask("tree.summary", '"series":"t"');
  await world.crash();
  assertEquals(await world.client.ask("tree.summary", '"series":"t"'), summary);
  assertEquals(await world.karma.engine.retain(), "", "and there is nothing left to delete");
  world.check();
});
