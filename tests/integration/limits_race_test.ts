// Limits of a real process under a thousand connections that consume at once, and under kill -9.
//
// Each case is a limit of some window and mode on a counter of its own, and asks for more than there
// is. Invariant: what was applied is never more than the limit, and all of it in the end; what was
// acknowledged before a kill is there after it, and what was not is counted once when it is repeated
// under its idempotency key.
//
// A few rounds of kills with a hundred connections by default; KARMA_ROUNDS=20 makes it as many, with
// a thousand, and prints a summary; KARMA_SEED repeats the moments.

import { assert, assertEquals, assertMatch } from "@std/assert";
import { Caller, connectAll } from "../support/caller.ts";
import { Random } from "../support/random.ts";
import { Server, TemporaryDirectory } from "../support/server.ts";
import { noon } from "../support/transcript.ts";

const rounds = Number(Deno.env.get("KARMA_ROUNDS"));
const CONNECTIONS = 1000;
const CONNECTIONS_KILLED = rounds > 0 ? 1000 : 100;
const ROUNDS_BY_DEFAULT = 3;

/** What Karma may say after a crash, and nothing else. */
const TOLD =
  /^(Log \d{20}\.wal: after record \d+ a crash left \d+ bytes unfinished, from byte \d+ on.*\n)?$/;

/** A token bucket of as many tokens as the limit says, to which none comes while the test runs. */
const BUCKET = { refill: 1, per_seconds: 2_678_400 };

const WINDOWS = [
  "day",
  "week",
  "month",
  "year",
  "total",
  { days: 1 },
  { days: 30 },
  { month_from: 15 },
  { month_from: 31 },
  { hours: 48 },
  { hours: 48, from: "first_use" },
  BUCKET,
];

/** What a thousand connections, each of which asks twice, are asked to share. */
interface Case {
  readonly series: string;
  readonly mode: "reject" | "saturate" | "force";
  readonly cost: number;
  readonly limits: readonly { readonly max: number; readonly window: unknown }[];
  /** What is applied in the end, if so many have asked. */
  readonly applied: (requests: number) => number;
}

/** Limits that are reached when a share of all requests has been admitted. */
function casesFor(requests: number): Case[] {
  const twice = (count: number) => 2 * count;
  const cases = WINDOWS.flatMap((window, index): Case[] => {
    const max = Math.floor(requests / 2) + index;
    const limits = [{ max, window }];
    const series = `w${index}`;
    const thirds = { series: `${series} by threes`, mode: "reject", cost: 3, limits } as const;
    return [
      { series, mode: "reject", cost: 1, limits, applied: () => max },
      { ...thirds, applied: () => max - max % 3 },
      { series: `${series} part`, mode: "saturate", cost: 7, limits, applied: () => max },
      // A bucket's debt has an end.
      ...(window === BUCKET ? [] : [
        { series: `${series} all`, mode: "force", cost: 2, limits, applied: twice } as const,
      ]),
    ];
  });
  const most = Math.floor(requests / 4);
  const several = WINDOWS.map((window, index) => ({ max: most + index, window }));
  return [
    ...cases,
    { series: "several", mode: "reject", cost: 1, limits: several, applied: () => most },
    { series: "several part", mode: "saturate", cost: 5, limits: several, applied: () => most },
  ];
}

function lineOf({ series, mode, cost, limits }: Case, key: number, id?: string): string {
  const listed = limits.map(({ max, window }) => {
    if (window === BUCKET) return { series, window: { ...BUCKET, burst: max - 1 } };
    return { series, max, window };
  });
  const once = id === undefined ? {} : { idempotency_key: id };
  return JSON.stringify({ v: 2, op: "limit.consume", key, cost, mode, limits: listed, ...once });
}

interface Verdict {
  readonly allowed: boolean;
  readonly applied: number;
  readonly limits: readonly { readonly max: number; readonly used: number }[];
}

function verdictOf(line: string): Verdict {
  const { success, response } = JSON.parse(line);
  assert(success, line);
  return response;
}

/** What is used of each limit of a case, which must be the same for all. */
async function usedOf(caller: Caller, one: Case, key: number): Promise<number> {
  const line = lineOf(one, key).replace("limit.consume", "limit.check");
  const { limits } = verdictOf(await caller.ask(line));
  assertEquals(new Set(limits.map(({ used }) => used)).size, 1);
  return limits[0].used;
}

Deno.test("limits race: a thousand connections are given all there is, and no more", async () => {
  await using server = await Server.start({ args: [`--timezone=${noon().zone}`] });
  const requests = 2 * CONNECTIONS;
  const cases = casesFor(requests);
  const callers = await connectAll(CONNECTIONS, server.port);
  const applied = cases.map(() => 0);
  let denied = 0;
  await Promise.all(callers.map(async (caller, n) => {
    // Each begins with another case, so that all are asked for at once.
    const order = cases.map((_, index) => (index + n) % cases.length);
    const twice = [...order, ...order.toReversed()];
    const sent = caller.send(twice.map((index) => lineOf(cases[index], 7)));
    for (const index of twice) {
      const verdict = verdictOf(await caller.line() ?? "");
      applied[index] += verdict.applied;
      if (!verdict.allowed) denied++;
      if (cases[index].mode === "force") continue;
      for (const { max, used } of verdict.limits) assert(used <= max);
    }
    await sent;
  }));
  for (const [index, one] of cases.entries()) {
    assertEquals(applied[index], one.applied(requests), one.series);
    assertEquals(await usedOf(callers[0], one, 7), applied[index], one.series);
  }
  for (const caller of callers) caller[Symbol.dispose]();
  if (rounds === 0 || Number.isNaN(rounds)) return;
  const all = requests * cases.length;
  console.log(`${CONNECTIONS} connections, ${cases.length} cases: ${all} asked, ${denied} denied`);
});

Deno.test("limits race: users and their organisation, both at once", async () => {
  await using server = await Server.start({ args: [`--timezone=${noon().zone}`] });
  const callers = await connectAll(200, server.port);
  const given = new Map<number, number>();
  await Promise.all(callers.map(async (caller, n) => {
    const user = n % 10;
    const limits = [
      { series: "users", max: 90, window: "day" },
      { series: "organisations", key: "18446744073709551615", cost: 2, max: 1201, window: "month" },
    ];
    const line = JSON.stringify({ v: 2, op: "limit.consume", key: user, limits });
    const sent = caller.send(Array.from({ length: 20 }, () => line));
    for (let answer = 0; answer < 20; answer++) {
      const { allowed } = verdictOf(await caller.line() ?? "");
      if (allowed) given.set(user, (given.get(user) ?? 0) + 1);
    }
    await sent;
  }));
  const total = [...given.values()].reduce((sum, one) => sum + one, 0);
  assertEquals(total, 600); // the organisation's limit, at two each
  for (const [user, count] of given) assert(count <= 90, `user ${user}`);
  for (const caller of callers) caller[Symbol.dispose]();
});

/** One request of a round: its case, its idempotency key, and what came of it. */
interface Wish {
  readonly index: number;
  readonly line: string;
  applied: number | null;
}

class RoundRobin {
  readonly #directory: TemporaryDirectory;
  readonly #random: Random;
  readonly #cases = casesFor(2 * CONNECTIONS_KILLED);
  readonly #args = [`--timezone=${noon().zone}`, "--wal-segment-bytes=200000"];
  answered = 0;
  repeated = 0;
  /** Of those that were repeated, how many had happened before the kill. */
  happened = 0;
  applied = 0;

  constructor(directory: TemporaryDirectory, random: Random) {
    this.#directory = directory;
    this.#random = random;
  }

  async play(round: number): Promise<void> {
    // Each round has counters of its own, and every other case.
    const wishes = Array.from({ length: 2 * CONNECTIONS_KILLED }, (_, n) => {
      return this.#indexes(round).map((index): Wish => {
        const line = lineOf(this.#cases[index], round, `${round} ${n} ${index}`);
        return { index, line, applied: null };
      });
    });
    await this.#kill(wishes);
    await this.#repeat(round, wishes);
  }

  #indexes(round: number): number[] {
    return [...this.#cases.keys()].filter((index) => index % 2 === round % 2);
  }

  /** Lets all ask until the server is killed under them. */
  async #kill(wishes: Wish[][]): Promise<void> {
    await using server = await this.#start();
    const callers = await connectAll(CONNECTIONS_KILLED, server.port);
    let answersLeft = this.#random.below(wishes.length * wishes[0].length);
    const enough = Promise.withResolvers<void>();
    const asking = callers.map(async (caller, n) => {
      for (const wave of [wishes[2 * n], wishes[2 * n + 1]]) {
        await caller.send(wave.map(({ line }) => line)).catch(() => {});
        for (const wish of wave) {
          const line = await caller.line();
          if (line === null) return;
          wish.applied = verdictOf(line).applied;
          if (answersLeft-- === 0) enough.resolve();
        }
      }
    });
    await enough.promise;
    await server.kill();
    await Promise.all(asking);
    for (const caller of callers) caller[Symbol.dispose]();
  }

  /** Looks at what is there, asks again for what was not answered, and for the rest. */
  async #repeat(round: number, wishes: Wish[][]): Promise<void> {
    await using server = await this.#start();
    assertMatch(server.stderr, TOLD);
    using caller = await Caller.connect(server.port);
    const flat = wishes.flat();
    for (const index of this.#indexes(round)) {
      const one = this.#cases[index];
      const used = await usedOf(caller, one, round);
      const mine = flat.filter((wish) => wish.index === index);
      const acknowledged = mine.reduce((sum, { applied }) => sum + (applied ?? 0), 0);
      assert(acknowledged <= used, `${one.series}: ${used} of ${acknowledged} that were told`);
      assert(used <= one.applied(mine.length), `${one.series}: ${used} is beyond the limit`);
    }
    this.answered += flat.filter(({ applied }) => applied !== null).length;
    const open = flat.filter(({ applied }) => applied === null);
    this.repeated += open.length;
    for (let at = 0; at < open.length; at += 1000) {
      const some = open.slice(at, at + 1000);
      const sent = caller.send(some.map(({ line }) => line));
      for (const wish of some) {
        const line = await caller.line() ?? "";
        wish.applied = verdictOf(line).applied;
        if (line.includes('"idempotent":true')) this.happened++;
      }
      await sent;
    }
    for (const index of this.#indexes(round)) {
      const one = this.#cases[index];
      const mine = flat.filter((wish) => wish.index === index);
      const applied = mine.reduce((sum, wish) => sum + wish.applied!, 0);
      assertEquals(applied, one.applied(mine.length), one.series);
      assertEquals(await usedOf(caller, one, round), applied, one.series);
      this.applied += applied;
    }
  }

  async #start(): Promise<Server> {
    return await Server.start({ directory: this.#directory.path, args: this.#args });
  }
}

Deno.test("limits race: killed amid it, nothing is lost, counted twice, or beyond a limit", async () => {
  const seed = Number(Deno.env.get("KARMA_SEED") ?? crypto.getRandomValues(new Uint32Array(1))[0]);
  using directory = new TemporaryDirectory();
  const played = new RoundRobin(directory, new Random(seed));
  const count = rounds > 0 ? rounds : ROUNDS_BY_DEFAULT;
  for (let round = 0; round < count; round++) {
    try {
      await played.play(round);
    } catch (error) {
      throw new Error(`In round ${round} with KARMA_SEED=${seed}`, { cause: error });
    }
  }
  if (!(rounds > 0)) return;
  console.log(
    `${count} kills: ${played.answered} requests answered before, ${played.repeated} repeated, ` +
      `of which ${played.happened} had happened; ${played.applied} applied (seed ${seed})`,
  );
});
