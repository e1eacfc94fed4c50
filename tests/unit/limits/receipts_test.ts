// Receipts: what was charged is given back once, where and when it was charged, as long as receipts
// are kept, and over restarts.

import { assert, assertEquals, assertMatch } from "@std/assert";
import { Random } from "../../support/random.ts";
import { failure, success, World } from "../../fuzz/limits_world.ts";

const NOW = Date.UTC(2026, 10, 23, 12);
const DAY_MS = 86_400_000;
const WEEK_SECONDS = 604_800;

async function started(ageMaxSeconds = 0): Promise<World> {
  const world = new World("UTC", NOW, ageMaxSeconds);
  await world.start();
  return world;
}

const limit = (series: string, max: number, rest = {}) => ({
  series,
  max,
  window: "total",
  ...rest,
});

/** Consumes with a receipt; returns it. */
async function charged(world: World, members: Record<string, unknown>): Promise<string> {
  const text = await world.ask(
    JSON.stringify({ v: 2, op: "limit.consume", receipt: true, ...members }),
  );
  const receipt = /"receipt":"([^"]+)"/.exec(text)?.[1];
  assert(receipt !== undefined, text);
  return receipt;
}

function refund(
  world: World,
  receipt: string,
  rest: Record<string, unknown> = {},
): Promise<string> {
  return world.ask(JSON.stringify({ v: 2, op: "limit.refund", receipt, ...rest }));
}

function refunded(isNow: boolean, charges: string, isRepeated: boolean | null = null): string {
  return success(`{"refunded":${isNow},"day":20261123,"charges":[${charges}]}`, isRepeated);
}

const charge = (series: string, key: number, amount: number) =>
  `{"series":"${series}","key":${key},"amount":${amount}}`;

Deno.test("receipts: what was charged is given back on its day, once", async () => {
  const world = await started();
  const limits = [
    limit("user", 10),
    limit("user", 20, { window: "month" }),
    limit("organisation", 99, { key: 7, cost: 4 }),
    limit("free", 99, { cost: 0 }),
  ];
  const receipt = await charged(world, { key: 1, cost: 3, limits });
  await world.ask('{"v":2,"op":"counter.increment","series":"user","key":1,"value":5}');
  world.moveTo(NOW + 3 * DAY_MS);
  await world.ask('{"v":2,"op":"counter.increment","series":"user","key":1,"value":9}');
  const charges = [charge("user", 1, 3), charge("organisation", 7, 4), charge("free", 1, 0)].join();
  assertEquals(await refund(world, receipt), refunded(true, charges));
  assertEquals(world.counted("user", 1n), ["20261123 5", "20261126 9"]);
  assertEquals(world.counted("organisation", 7n), []);
  for (let again = 0; again < 2; again++) {
    assertEquals(await refund(world, receipt), refunded(false, charges));
  }
  assertEquals(world.counted("user", 1n), ["20261123 5", "20261126 9"]);
  world.check();
});

Deno.test("receipts: of a part that was applied, that part", async () => {
  const world = await started();
  const limits = [limit("s", 5), limit("t", 99)];
  const receipt = await charged(world, { key: 1, cost: 8, mode: "saturate", limits });
  const charges = `${charge("s", 1, 5)},${charge("t", 1, 5)}`;
  assertEquals(await refund(world, receipt), refunded(true, charges));
  assertEquals([world.counted("s", 1n), world.counted("t", 1n)], [[], []]);
});

Deno.test("receipts: there is none for what charged nothing", async () => {
  const world = await started();
  const consume = (members: string) =>
    world.ask(`{"v":2,"op":"limit.consume","key":1,"receipt":true,${members}}`);
  const limits = JSON.stringify([limit("s", 5)]);
  for (const members of [`"cost":6`, `"cost":0`]) {
    assert(!(await consume(`${members},"limits":${limits}`)).includes("receipt"), members);
  }
  const without = `{"v":2,"op":"limit.consume","key":1,"receipt":false,"limits":${limits}}`;
  assert(!(await world.ask(without)).includes("receipt"));
});

Deno.test("receipts: never more than there still is, and nothing where the tree is gone", async () => {
  const world = await started();
  const limits = [limit("s", 50), limit("gone", 50)];
  const receipt = await charged(world, { key: 1, cost: 8, limits });
  await world.ask('{"v":2,"op":"counter.decrement","series":"s","key":1,"value":6}');
  await world.ask('{"v":2,"op":"tree.drop","series":"gone"}');
  const charges = `${charge("s", 1, 2)},${charge("gone", 1, 0)}`; // what it tells is what it gave
  assertEquals(await refund(world, receipt), refunded(true, charges));
  await world.ask('{"v":2,"op":"counter.increment","series":"s","key":1,"value":50}');
  assertEquals(await refund(world, receipt), refunded(false, charges));
  await world.ask('{"v":2,"op":"counter.reset","series":"s","key":1}');
  assertEquals(world.karma.forest.visible().map(({ name }) => name), ["s"]);
  world.check();
});

Deno.test("receipts: nothing is taken from another tree that has the name by now", async () => {
  const remakes: Record<string, (world: World) => Promise<unknown>> = {
    "dropped and made anew": (world) => world.ask('{"v":2,"op":"tree.drop","series":"s"}'),
    "replaced by a dump": async (world) => {
      await world.ask('{"v":2,"op":"snapshot.create","series":"s"}');
      const [file] = JSON.parse(await world.ask('{"v":2,"op":"snapshot.list"}')).response;
      await world.ask(`{"v":2,"op":"snapshot.load","file":"${file}"}`);
      await world.ask('{"v":2,"op":"counter.reset","series":"s","key":1}');
    },
  };
  for (const [how, remake] of Object.entries(remakes)) {
    const world = await started();
    const receipt = await charged(world, { key: 1, cost: 8, limits: [limit("s", 50)] });
    await remake(world);
    await world.ask('{"v":2,"op":"counter.increment","series":"s","key":1,"value":20}');
    assertEquals(await refund(world, receipt), refunded(true, charge("s", 1, 0)), how);
    assertEquals(world.counted("s", 1n), ["20261123 20"], how);
    world.check();
  }
});

Deno.test("receipts: they and that they were used outlive kills, power cuts and dumps", async () => {
  for (let seed = 1; seed <= 20; seed++) {
    const random = new Random(seed);
    const world = await started();
    const receipts: string[] = [];
    for (let n = 0; n < 6; n++) {
      receipts.push(await charged(world, { key: 1, cost: 10 ** n, limits: [limit("s", 999_999)] }));
    }
    let left = 111_111;
    for (const [n, receipt] of receipts.entries()) {
      if (random.chance(0.5)) await world.ask('{"v":2,"op":"snapshot.create_all"}');
      await world.restart(random, "UTC");
      assertEquals(world.counted("s", 1n), [`20261123 ${left}`], `seed ${seed}`);
      const charges = charge("s", 1, 10 ** n);
      assertEquals(await refund(world, receipt), refunded(true, charges), `seed ${seed}`);
      left -= 10 ** n;
      if (random.chance(0.5)) await world.restart(random, "UTC");
      assertEquals(await refund(world, receipt), refunded(false, charges), `seed ${seed}`);
    }
    assertEquals(world.counted("s", 1n), []);
    world.check();
  }
});

Deno.test("receipts: they are kept as long as answers are, from when they were issued", async () => {
  const world = await started(WEEK_SECONDS);
  const used = await charged(world, { key: 1, limits: [limit("s", 9)] });
  const open = await charged(world, { key: 1, limits: [limit("s", 9)] });
  world.moveTo(NOW + 6 * DAY_MS);
  assertEquals(await refund(world, used), refunded(true, charge("s", 1, 1)));
  world.moveTo(NOW + 7 * DAY_MS);
  assertEquals(await refund(world, used), refunded(false, charge("s", 1, 1)));
  world.moveTo(NOW + 7 * DAY_MS + 1000);
  for (const receipt of [used, open]) {
    const sentence = `Receipt \\"${receipt}\\" not found`;
    assertEquals(await refund(world, receipt), failure("not_found", sentence));
  }
  assertEquals(world.counted("s", 1n), ["20261123 1"]);
});

Deno.test("receipts: an idempotency key finds no receipt, nor a receipt's text an answer", async () => {
  const world = await started();
  const id = { idempotency_key: "k" };
  const receipt = await charged(world, { key: 1, limits: [limit("s", 9)], ...id });
  // The answer that was kept has the receipt in it.
  assertEquals(await charged(world, { key: 1, limits: [limit("s", 9)], ...id }), receipt);
  assertEquals(world.counted("s", 1n), ["20261123 1"]);
  assertEquals(await refund(world, "k"), failure("not_found", 'Receipt \\"k\\" not found'));
  const other = await charged(world, { key: 1, limits: [limit("s", 9)], idempotency_key: receipt });
  assert(other !== receipt);
  // A refund needs no key, and one under which something else was done is a conflict.
  const sentence = "Idempotency key was already used with a different request";
  assertEquals(await refund(world, receipt, id), failure("idempotency_conflict", sentence));
  const mine = { idempotency_key: "mine" };
  assertEquals(await refund(world, receipt, mine), refunded(true, charge("s", 1, 1), false));
  assertEquals(await refund(world, receipt, mine), refunded(false, charge("s", 1, 1), false));
  assertEquals(world.counted("s", 1n), ["20261123 1"]);
});

Deno.test("receipts: refunds of parts give back what was charged, and no more in sum", async () => {
  const world = await started();
  const limits = [
    limit("s", 50),
    limit("t", 50, { cost: 3 }),
    limit("s", 60, { window: { hours: 5 } }),
  ];
  const receipt = await charged(world, { key: 1, cost: 8, limits });
  const back = (s: number, t: number) => `${charge("s", 1, s)},${charge("t", 1, t)}`;
  assertEquals(await refund(world, receipt, { amount: 2 }), refunded(true, back(2, 2)));
  const key = { amount: 2, idempotency_key: "part" };
  assertEquals(await refund(world, receipt, key), refunded(true, back(2, 1), false));
  assertEquals(await refund(world, receipt, key), refunded(true, back(2, 1), true));
  const check = JSON.stringify({ v: 2, op: "limit.check", key: 1, limits });
  assertMatch(await world.ask(check), /"used":4.*"used":0.*"used":4/);
  await world.ask('{"v":2,"op":"counter.decrement","series":"s","key":1,"value":1}');
  assertEquals(await refund(world, receipt, { amount: 99 }), refunded(true, back(3, 0)));
  for (const rest of [{}, { amount: 1 }]) {
    assertEquals(await refund(world, receipt, rest), refunded(false, back(7, 3)), "all together");
  }
  assertEquals([world.counted("s", 1n), world.counted("t", 1n)], [[], []]);
  world.check();
});

Deno.test("receipts: refunds of parts survive restarts", async () => {
  const world = await started();
  const receipt = await charged(world, { key: 1, cost: 8, limits: [limit("s", 50)] });
  for (const amount of [3, 4]) {
    assertEquals(await refund(world, receipt, { amount }), refunded(true, charge("s", 1, amount)));
    await world.restart(new Random(1), "UTC");
  }
  assertEquals(await refund(world, receipt), refunded(true, charge("s", 1, 1)));
  await world.restart(new Random(1), "UTC");
  assertEquals(await refund(world, receipt, { amount: 1 }), refunded(false, charge("s", 1, 8)));
});
