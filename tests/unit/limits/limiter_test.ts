// Consuming and checking: what is charged where, in each mode, and that what is refused or fails
// changes nothing.

import { assert, assertEquals } from "@std/assert";
import { failure, World } from "../../fuzz/limits_world.ts";

const U64_MAX = (1n << 64n) - 1n;
const NOW = Date.UTC(2026, 10, 23, 12);
const TODAY = 20261123;

/** A request's members beside `v` and `op`, as JSON. */
type RequestLine = Record<string, unknown>;

class Limited {
  readonly world = new World("UTC", NOW, 0);

  static async start(): Promise<Limited> {
    const limited = new Limited();
    await limited.world.start();
    return limited;
  }

  /** The response, as text. */
  async ask(op: string, members: RequestLine | string): Promise<string> {
    const text = typeof members === "string" ? members : JSON.stringify(members).slice(1, -1);
    const line = await this.world.ask(`{"v":2,"op":"${op}",${text}}`);
    const response = /"response":(.*),"(?:error_code":null|idempotent)/s.exec(line)?.[1];
    assert(response !== undefined, line);
    return response;
  }

  consume(members: RequestLine | string): Promise<string> {
    return this.ask("limit.consume", members);
  }

  /** `allowed`, `applied`, `denied_by` of a response, and `used` of each limit. */
  async brief(op: "limit.consume" | "limit.check", requestLine: RequestLine): Promise<string> {
    const { allowed, applied, denied_by, limits } = JSON.parse(await this.ask(op, requestLine));
    return `${allowed} ${applied} ${denied_by} ${limits.map(({ used }: { used: number }) => used)}`;
  }

  /** What a counter holds: each day and its value. */
  held(series: string, key: bigint): string[] {
    return this.world.counted(series, key);
  }
}

const limit = (series: string, max: number, rest: RequestLine = {}) => {
  return { series, max, window: "day", ...rest };
};

Deno.test("limiter: the whole of an answer", async () => {
  const limited = await Limited.start();
  const limits = [limit("api", 5), limit("api", 20, { window: { days: 7 } })];
  assertEquals(
    await limited.consume({ key: 42, cost: 4, limits }),
    '{"allowed":true,"applied":4,"denied_by":null,"limits":[{"series":"api","max":5,"used":4,' +
      '"remaining":1,"resets_at":"2026-11-24T00:00:00Z","resets_in_ms":43200000},' +
      '{"series":"api","max":20,"used":4,"remaining":16,' +
      '"resets_at":"2026-11-30T00:00:00Z","resets_in_ms":561600000}]}',
  );
  assertEquals(
    await limited.consume({ key: 42, cost: 4, limits }),
    '{"allowed":false,"applied":0,"denied_by":0,"limits":[{"series":"api","max":5,"used":4,' +
      '"remaining":1,"resets_at":"2026-11-24T00:00:00Z","resets_in_ms":43200000,' +
      '"retry_at":"2026-11-24T00:00:00Z","retry_after_ms":43200000},' +
      '{"series":"api","max":20,"used":4,"remaining":16,' +
      '"resets_at":"2026-11-30T00:00:00Z","resets_in_ms":561600000}],"retry_after_ms":43200000}',
  );
  assertEquals(limited.held("api", 42n), [`${TODAY} 4`]);
  limited.world.check();
});

Deno.test("limiter: a counter is charged once, however many limits are on it", async () => {
  const limited = await Limited.start();
  const limits = [
    limit("user", 10),
    limit("user", 100, { window: "month" }),
    limit("organisation", 50, { key: 7, cost: 3 }),
    limit("user", 9, { key: 42 }), // the same as the first, by a key of its own
    limit("organisation", 60, { key: 8, cost: 0 }),
  ];
  assertEquals(
    await limited.brief("limit.consume", { key: 42, cost: 2, limits }),
    "true 2 null 2,2,3,2,0",
  );
  assertEquals(limited.held("user", 42n), [`${TODAY} 2`]);
  assertEquals(limited.held("organisation", 7n), [`${TODAY} 3`]);
  assertEquals(limited.held("organisation", 8n), []);
  limited.world.check();
});

Deno.test("limiter: one limit that refuses keeps all others from being charged", async () => {
  const limited = await Limited.start();
  const limits = [limit("a", 5), limit("b", 0), limit("c", 5), limit("d", 0)];
  assertEquals(await limited.brief("limit.consume", { key: 1, limits }), "false 0 1 0,0,0,0");
  assertEquals(limited.world.karma.forest.visible(), []);
  const { lsn } = limited.world.karma.wal;
  await limited.consume({ key: 1, limits, receipt: true, idempotency_key: "k" });
  assertEquals(limited.world.karma.wal.lsn, lsn, "nothing is written, no answer either");
});

Deno.test("limiter: modes", async () => {
  const limited = await Limited.start();
  const consume = (cost: number, mode: string, limits: unknown[]) =>
    limited.brief("limit.consume", { key: 1, cost, mode, limits });
  const two = [limit("s", 10), limit("t", 7, { window: "total" })];
  assertEquals(await consume(8, "reject", two), "false 0 1 0,0");
  assertEquals(await consume(8, "saturate", two), "true 7 1 7,7");
  assertEquals(await consume(8, "saturate", two), "false 0 0 7,7"); // the first of those in the way
  assertEquals(await consume(0, "saturate", two), "true 0 null 7,7");
  assertEquals(await consume(8, "force", two), "true 8 null 15,15");
  // Beyond its limit nothing fits, not even nothing.
  assertEquals(await consume(0, "reject", two), "false 0 0 15,15");
  assertEquals(await consume(0, "saturate", two), "false 0 0 15,15");
  assertEquals(await consume(0, "force", two), "true 0 null 15,15");
  // The cost of all limits may be their own.
  const own = [limit("u", 10, { cost: 4 }), limit("v", 3, { cost: 4 })];
  assertEquals(await consume(1, "saturate", own), "true 3 1 3,3");
  assertEquals(await consume(9, "saturate", [limit("w", 9, { cost: 0 })]), "true 0 null 0");
  limited.world.check();
});

Deno.test("limiter: to the ends of 64 bits", async () => {
  const limited = await Limited.start();
  const about = (cost: bigint, max: bigint, mode = "reject", window = '"total"') =>
    `"key":${U64_MAX},"cost":${cost},"mode":"${mode}",` +
    `"limits":[{"series":"s","max":${max},"window":${window}}]`;
  const all = await limited.consume(about(U64_MAX, U64_MAX));
  assert(all.startsWith(`{"allowed":true,"applied":${U64_MAX},`), all);
  assert(all.includes(`"used":${U64_MAX},"remaining":0,`), all);
  const more = await limited.consume(about(1n, U64_MAX));
  assert(more.includes('"allowed":false') && more.includes('"retry_at":null'), more);
  const part = await limited.consume(about(U64_MAX, U64_MAX, "saturate"));
  assert(part.startsWith('{"allowed":false,"applied":0,"denied_by":0,'), part);
  // The limit has room where the counter has none.
  limited.world.moveTo(NOW + 86_400_000);
  const overflow = failure("validation_error", `Counter overflow key=${U64_MAX} bucket=20261124`);
  for (const mode of ["reject", "saturate", "force"]) {
    const line = `{"v":2,"op":"limit.consume",${about(5n, 9n, mode, '"day"')}}`;
    assertEquals(await limited.world.ask(line), overflow, mode);
  }
  assertEquals(limited.held("s", U64_MAX), [`${TODAY} ${U64_MAX}`]);
  // Of a cost that does not fit the part that does.
  await limited.ask(
    "counter.decrement",
    `"series":"s","key":${U64_MAX},"bucket":${TODAY},"value":3`,
  );
  const rest = await limited.consume(about(5n, 3n, "saturate", '"day"'));
  assert(rest.startsWith('{"allowed":true,"applied":3,"denied_by":0,'), rest);
  limited.world.check();
});

Deno.test("limiter: an overflow of the second counter leaves the first, and no tree", async () => {
  const limited = await Limited.start();
  await limited.ask(
    "counter.increment",
    `"series":"full","key":1,"value":${U64_MAX},"bucket":20200101`,
  );
  const line = JSON.stringify({
    v: 2,
    op: "limit.consume",
    key: 1,
    limits: [limit("new", 5), limit("full", 5)],
  });
  const sentence = `Counter overflow key=1 bucket=${TODAY}`;
  assertEquals(await limited.world.ask(line), failure("validation_error", sentence));
  assertEquals(limited.world.karma.forest.visible().map(({ name }) => name), ["full"]);
  limited.world.check();
});

Deno.test("limiter: checking says what consuming would, with what is used as it is", async () => {
  const limited = await Limited.start();
  const limits = [limit("s", 10)];
  const check = (cost: number, mode: string) =>
    limited.brief("limit.check", { key: 1, cost, mode, limits });
  await limited.consume({ key: 1, cost: 6, limits });
  assertEquals(await check(4, "reject"), "true 4 null 6");
  assertEquals(await check(5, "reject"), "false 0 0 6");
  assertEquals(await check(5, "saturate"), "true 4 0 6");
  assertEquals(await check(5, "force"), "true 5 null 6");
  const { lsn } = limited.world.karma.wal;
  assertEquals(
    await limited.brief("limit.check", { key: 1, limits: [limit("none", 1)] }),
    "true 1 null 0",
  );
  assertEquals(limited.world.karma.wal.lsn, lsn);
  assertEquals(limited.world.karma.forest.named("none"), null);
});

Deno.test("limiter: a page of keys is a request, in the order asked", async () => {
  const limited = await Limited.start();
  await limited.consume({ key: 2, cost: 3, limits: [limit("s", 3)] });
  const text = await limited.ask("limit.check", { keys: [3, 2, "2", 1], limits: [limit("s", 3)] });
  const { results } = JSON.parse(text);
  assertEquals(results.map(({ allowed }: { allowed: boolean }) => allowed), [
    true,
    false,
    false,
    true,
  ]);
  const one = await limited.ask("limit.check", { key: 2, limits: [limit("s", 3)] });
  assertEquals(text.includes(one), true);
  const keys = Array.from({ length: 1000 }, (_, key) => key);
  const all = JSON.parse(await limited.ask("limit.check", { keys, limits: [limit("s", 3)] }));
  assertEquals(all.results.map((_: unknown, key: number) => key), keys);
  const used = all.results.map((result: { limits: { used: number }[] }) => result.limits[0].used);
  assertEquals(used, keys.map((key) => key === 2 ? 3 : 0));
});

Deno.test("limiter: under an idempotency key a charge is made once, a refusal is no answer", async () => {
  const limited = await Limited.start();
  const line = (cost: number) =>
    JSON.stringify({
      v: 2,
      op: "limit.consume",
      key: 1,
      cost,
      limits: [limit("s", 5)],
      idempotency_key: "k",
    });
  const refused = await limited.world.ask(line(6));
  assert(refused.includes('"allowed":false') && refused.includes('"idempotent":false'), refused);
  const first = await limited.world.ask(line(5)); // it is free: the refusal was not kept
  assert(first.includes('"allowed":true') && first.includes('"idempotent":false'), first);
  limited.world.moveTo(NOW + 86_400_000);
  const again = await limited.world.ask(line(5));
  assertEquals(again, first.replace('"idempotent":false', '"idempotent":true'));
  const sentence = "Idempotency key was already used with a different request";
  assertEquals(await limited.world.ask(line(4)), failure("idempotency_conflict", sentence));
  assertEquals(limited.held("s", 1n), [`${TODAY} 5`]);
});

Deno.test("limiter: what is counted by older operations is counted, in advance too", async () => {
  const limited = await Limited.start();
  await limited.ask("counter.increment", { series: "s", key: 1, value: 3 });
  await limited.ask("series.batch_add", {
    series: "s",
    items: [[1, 20261130, 4], [1, 20261201, 9]],
  });
  const limits = [
    limit("s", 8),
    limit("s", 8, { window: "month" }),
    limit("s", 8, { window: { days: 30 } }),
    limit("s", 99, { window: "total" }),
  ];
  assertEquals(await limited.brief("limit.consume", { key: 1, limits }), "true 1 null 4,8,4,17");
  assertEquals(await limited.brief("limit.consume", { key: 1, limits }), "false 0 1 4,8,4,17");
  await limited.ask("tree.drop", { series: "s" });
  assertEquals(await limited.brief("limit.check", { key: 1, limits }), "true 1 null 0,0,0,0");
});

Deno.test("limiter: a reply that could be too long is refused before anything is charged", async () => {
  const world = new World("UTC", NOW, 0, { replyBytesMax: 1024 });
  await world.start();
  const line = (count: number) =>
    JSON.stringify({
      v: 2,
      op: "limit.consume",
      key: 1,
      limits: Array.from({ length: count }, (_, n) => limit(`series ${n}`, 5)),
    });
  assertEquals(
    await world.ask(line(16)),
    failure("response_too_large", "Response exceeds 1024 bytes"),
  );
  assertEquals(world.karma.forest.visible(), []);
  assert((await world.ask(line(2))).includes('"allowed":true'));
});

Deno.test("limiter: brief answers have the tightest remaining and nothing that nobody acts on", async () => {
  const limited = await Limited.start();
  const limits = [limit("api", 5), limit("api", 20, { window: { days: 7 } })];
  const request = { key: 1, cost: 2, limits, reply: "brief" };
  for (const remaining of [3, 1]) {
    const text = `{"allowed":true,"denied_by":null,"remaining":${remaining}}`;
    assertEquals(await limited.consume(request), text);
  }
  const refusal = '{"allowed":false,"denied_by":0,"remaining":1,"retry_after_ms":43200000}';
  assertEquals(await limited.consume(request), refusal);
  assertEquals(await limited.ask("limit.check", request), refusal);
  const page = { ...request, key: undefined, keys: [1, 2] };
  const other = '{"allowed":true,"denied_by":null,"remaining":5}';
  assertEquals(await limited.ask("limit.check", page), `{"results":[${refusal},${other}]}`);
  assertEquals(
    await limited.consume({ ...request, mode: "saturate" }),
    '{"allowed":true,"applied":1,"denied_by":0,"remaining":0,"retry_after_ms":43200000}',
  );
  assert((await limited.consume({ ...request, key: 2, receipt: true })).includes('"receipt":"'));
  assert((await limited.consume({ ...request, key: 2, reply: "full" })).includes('"limits":['));
});

Deno.test("limiter: the request that takes the use to a threshold is told so, and no other", async () => {
  const limited = await Limited.start();
  const limits = [
    limit("api", 10, { notify: [0.5, 0.80, 1] }),
    limit("api", 13, { window: "month", notify: [0.7] }), // 9.1: by the tenth
    limit("other", 1000),
  ];
  const crossed = async (cost: number, rest: RequestLine = {}) => {
    const answer = JSON.parse(await limited.consume({ key: 1, cost, limits, ...rest }));
    return answer.crossed ?? answer.limits.map((one: RequestLine) => one.crossed ?? 0);
  };
  assertEquals(await crossed(4), [0, 0, 0]);
  assertEquals(await crossed(1), [[0.5], 0, 0]);
  assertEquals(await crossed(4), [[0.8], 0, 0]);
  assertEquals(await crossed(2), [0, 0, 0], "refused");
  assertEquals(await crossed(1, { reply: "brief" }), [1, 0.7]);
  assertEquals(await crossed(1, { mode: "force" }), [0, 0, 0]);
  await limited.ask("counter.decrement", '"series":"api","key":1,"value":11,"bucket":20261123');
  assertEquals(await crossed(10), [[0.5, 0.8, 1], [0.7], 0], "what was taken back is crossed anew");
  const repeated = { key: 2, cost: 5, limits, idempotency_key: "k" };
  const [first, again] = [await limited.consume(repeated), await limited.consume(repeated)];
  for (const text of [first, again]) assert(text.includes('"crossed":[0.5]'), text);
});
