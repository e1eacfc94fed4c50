// Failures: the history of a simulated Karma on a disk that fails at its n-th operation, for every n,
// once or from then on, and on a disk that is full for a while.
//
// Invariant: as for crashes; and a disk that fails breaks no promise: requests are refused, or the
// process ends; when it works again, so does Karma, with all that it has acknowledged. A full disk
// ends nothing: reads go on, and so do writes when there is space.

import { Random } from "../support/random.ts";
import { firstWorld, putImports, settingsOf, simulated, type Tally } from "./crashes.ts";
import type { Ending } from "./past.ts";
import type { SimulatedTime } from "./simulated_time.ts";
import { turn } from "./steps.ts";
import { type Moment, type Settings, World } from "./world.ts";

/** How long after there is space again it is used. */
const NOTICED_MS = 300;

/** Enough that what is reserved is used up. */
const FULL_TURNS = 40;

const EXTENDED_BYTES = 1000;

export interface FailureSize {
  readonly turns: number;
  /** How many of the operations fail at the most. */
  readonly failures: number;
}

/** Runs a seed; what goes wrong is thrown. */
export async function simulateFailures(
  seed: number,
  size: FailureSize,
  tally: Tally,
): Promise<void> {
  await simulated(seed, async (time) => {
    const failures = new Failures(seed, size.turns, time, tally);
    const operations = await failures.undisturbed();
    const random = new Random(seed * 31);
    const chance = size.failures / operations;
    for (let at = 1; at <= operations; at++) {
      if (random.chance(chance)) await failures.fails(at, "once");
      if (random.chance(chance)) await failures.fails(at, "from then on");
    }
    await failures.fills();
  });
}

class Failures {
  readonly #seed: number;
  readonly #turns: number;
  readonly #time: SimulatedTime;
  readonly #tally: Tally;
  #what = "";

  constructor(seed: number, turns: number, time: SimulatedTime, tally: Tally) {
    this.#seed = seed;
    this.#turns = turns;
    this.#time = time;
    this.#tally = tally;
  }

  /** Runs the history without a failure; returns how many operations of the disk it has. */
  async undisturbed(): Promise<number> {
    this.#what = "nothing fails";
    const { world, random } = this.#first();
    if (await world.start()) await this.#serve(world, random, this.#turns);
    await world.finish();
    this.#check(world);
    world.end();
    return world.disk.inner.operations;
  }

  /** Runs it with a failure at that operation, and then restarts on a disk that works again. */
  async fails(at: number, how: "once" | "from then on"): Promise<void> {
    this.#what = `operation ${at} fails, ${how}`;
    const { world, random } = this.#first();
    const { inner } = world.disk;
    if (how === "once") inner.failsAt = at;
    else {
      for (const kind of KINDS) inner.failsFrom[kind] = at;
    }
    world.isCalm = false;
    let moment: Moment | null = null;
    world.onMoment = (where) => {
      if (where !== "lost") return;
      moment = world.moment(where);
      world.end();
    };
    if (await world.start()) await this.#serve(world, random, this.#turns);
    await this.#settle(world);
    moment ??= world.moment(world.isServing ? "the end" : "the start");
    world.end();
    await this.#restart(moment, random);
  }

  /** Runs it on a disk that is full for a while. */
  async fills(): Promise<void> {
    this.#what = "the disk is full";
    const { world, random } = this.#first();
    const { inner } = world.disk;
    if (!await world.start()) return this.#check(world);
    await this.#serve(world, random, this.#turns / 2);
    await world.finish();
    inner.bytesMax = inner.bytes + random.pick([0, 100, 1000, 10_000]);
    world.isCalm = false;
    const moments: Moment[] = [];
    world.onMoment = (where) => {
      if (random.chance(0.05)) moments.push(world.moment(where));
    };
    await this.#serve(world, random, FULL_TURNS);
    await this.#settle(world);
    if (world.lost !== null) world.fail(`A full disk ends the process: ${world.lost.message}`);
    world.onMoment = () => {};
    inner.bytesMax = Infinity;
    await this.#time.advance(NOTICED_MS);
    world.isCalm = true;
    await this.#serve(world, random, 4);
    await world.finish();
    this.#check(world);
    world.end();
    for (const moment of moments) await this.#restartFull(moment, random);
  }

  /** Restarts from a moment on a disk that works, and goes on. */
  async #restart(moment: Moment, random: Random): Promise<void> {
    const world = this.#next(moment, random);
    if (await world.start()) await this.#serve(world, random, 3);
    await world.finish();
    this.#check(world);
    world.end();
  }

  /** Restarts on a disk that is still full, and has space later. */
  async #restartFull(moment: Moment, random: Random): Promise<void> {
    const world = this.#next(moment, random);
    const { inner } = world.disk;
    world.isCalm = false;
    // A cut file is extended by a few bytes, which takes no space on a real disk.
    inner.bytesMax = Math.max(inner.bytesMax, inner.bytes + EXTENDED_BYTES);
    if (!await world.start()) {
      world.fail("There is no start on a full disk");
      return this.#check(world);
    }
    await this.#serve(world, random, 3);
    await this.#settle(world);
    inner.bytesMax = Infinity;
    await this.#time.advance(NOTICED_MS);
    world.isCalm = true;
    await this.#serve(world, random, 3);
    await world.finish();
    this.#check(world);
    world.end();
  }

  #first(): { world: World; random: Random } {
    const random = new Random(this.#seed);
    const settings: Settings = settingsOf(random);
    this.#time.forget();
    this.#time.now = 0;
    return { world: firstWorld(this.#time, settings, random), random };
  }

  #next(moment: Moment, random: Random): World {
    const ending = random.pick<Ending>(["kill", "power", "holes"]);
    const disk = moment.disk.clone();
    if (ending === "kill") disk.kill();
    else disk.crashAt(random, { holes: ending === "holes" });
    this.#what = `${this.#what.split(";")[0]}; ${moment.where}: ${ending}`;
    this.#time.forget();
    this.#time.now = moment.time;
    this.#tally.crashes++;
    this.#tally.restarts++;
    const settings = settingsOf(random, moment.settings);
    return new World(disk, this.#time, settings, moment.bounds, ending, moment.today);
  }

  async #serve(world: World, random: Random, turns: number): Promise<void> {
    // Where there is no log, the next start would take them over.
    const hasLog = (await world.files()).some((file) => file.endsWith(".wal"));
    if (hasLog) putImports(world.disk.inner);
    for (; turns > 0 && !world.isOver && world.fault === null; turns--) await turn(world, random);
  }

  /** Waits for what is under way, and for files that stay open. */
  async #settle(world: World): Promise<void> {
    if (world.isServing) await world.finish();
    if (world.isOver) return this.#check(world);
    await this.#time.advance(3000);
    const { filesOpen } = world.disk.inner;
    if (filesOpen > 2) world.fail(`${filesOpen} files are open`);
    this.#check(world);
  }

  #check(world: World): void {
    if (world.fault === null) return;
    throw new Error(`${this.#what}\n${JSON.stringify(world.settings)}\n${world.fault}`);
  }
}

const KINDS = [
  "read",
  "write",
  "reserve",
  "sync",
  "list",
  "open",
  "create",
  "exists",
  "rename",
  "remove",
  "syncDirectory",
  "truncate",
  "append",
] as const;
