// Crashes: a history of a simulated Karma, crashed at each of its operations, and what comes after
// each crash: a restart, some more history, another crash, and so on.
//
// Invariant: a seed says everything: the settings, the history, where and how it crashes, and what a
// crash leaves. So a failure is repeated by its seed. Trade-off: the first history runs once, and copies of
// its disk are crashed afterwards; those that follow run for each of them.

import { Random } from "../support/random.ts";
import { MARK_FILE } from "../../lib/wal/mark.ts";
import { MemoryDisk } from "../support/memory_disk.ts";
import { IMPORTED, KNOWN, TAKEN_OVER } from "./imports.ts";
import { type Ending, Past } from "./past.ts";
import { NOTHING } from "./registry_model.ts";
import { SimulatedTime } from "./simulated_time.ts";
import { turn } from "./steps.ts";
import { DIRECTORY, type Moment, type Settings, World } from "./world.ts";

/** Operations of a start, and of a short history behind it. */
const START_OPERATIONS = 25;
const MORE_OPERATIONS = 120;

/** How much is done for one seed. */
export interface Size {
  /** Turns of the first history. */
  readonly turns: number;
  /** How many of its moments are crashed at the most. */
  readonly moments: number;
}

export interface Tally {
  crashes: number;
  restarts: number;
}

/** Runs a seed; what goes wrong is thrown, with the moment of each crash before it. */
export async function simulateCrashes(seed: number, size: Size, tally: Tally): Promise<void> {
  await simulated(seed, async (time) => {
    const crashes = new Crashes(seed, time, tally);
    await crashes.run(size);
  });
}

/** Does something in simulated time; what is rejected and not waited for is thrown too. */
export async function simulated(
  seed: number,
  work: (time: SimulatedTime) => Promise<void>,
): Promise<void> {
  const time = new SimulatedTime(seed);
  const unheard: unknown[] = [];
  const hear = (event: PromiseRejectionEvent) => {
    event.preventDefault();
    unheard.push(event.reason);
  };
  globalThis.addEventListener("unhandledrejection", hear);
  time.install();
  try {
    await work(time);
  } finally {
    await time.remove();
    globalThis.removeEventListener("unhandledrejection", hear);
  }
  if (unheard.length > 0) throw unheard[0];
}

export class Crashes {
  readonly #seed: number;
  readonly #time: SimulatedTime;
  readonly #tally: Tally;
  readonly #random: Random;
  /** Where each crash was and how it ended the process, for whoever reads a failure. */
  readonly #trace: string[] = [];

  constructor(seed: number, time: SimulatedTime, tally: Tally) {
    this.#seed = seed;
    this.#time = time;
    this.#tally = tally;
    this.#random = new Random(seed);
  }

  async run({ turns, moments: momentsMax }: Size): Promise<void> {
    const random = this.#random;
    const settings = settingsOf(random);
    const moments = await this.#first(settings, turns);
    const chance = momentsMax / moments.length;
    for (const [index, moment] of moments.entries()) {
      if (!random.chance(chance)) continue;
      this.#trace.length = 0;
      await this.#crash(moment, settings, new Random(this.#seed * 100_003 + index));
    }
  }

  /** Runs the first history; returns the moments at which it could end. */
  async #first(settings: Settings, turns: number): Promise<Moment[]> {
    const random = this.#random;
    const world = firstWorld(this.#time, settings, random);
    const moments: Moment[] = [];
    world.onMoment = (where) => moments.push(world.moment(`${moments.length + 1}, ${where}`));
    if (await world.start()) {
      putImports(world.disk.inner);
      await this.#serve(world, random, turns);
    }
    if (world.fault === null) {
      await world.finish();
      moments.push(await this.#stop(world, random));
    }
    this.#check(world, "the first history");
    world.end();
    return moments;
  }

  /** Restarts from a moment, goes on for a while, and so on. */
  async #crash(first: Moment, previous: Settings, random: Random): Promise<void> {
    let settings = previous;
    let moment = first;
    for (let generation = 1 + random.below(2); generation > 0; generation--) {
      settings = settingsOf(random, settings);
      const world = this.#restart(moment, settings, random);
      let left = 1 + random.below(START_OPERATIONS + random.pick([0, MORE_OPERATIONS]));
      let next: Moment | null = null;
      world.onMoment = (where) => {
        if (--left > 0 || next !== null) return;
        next = world.moment(where);
        world.end();
      };
      if (await world.start()) await this.#serve(world, random, 12);
      if (world.fault === null) await world.finish();
      next ??= await this.#stop(world, random);
      this.#check(world, next.where);
      world.end();
      moment = next;
    }
    const world = this.#restart(moment, settings, random);
    await world.start();
    const again = world.moment("right after the start");
    this.#check(world, "the start");
    world.end();
    const last = this.#restart(again, settings, random);
    await last.start();
    this.#check(last, "the start");
    last.end();
  }

  async #serve(world: World, random: Random, turns: number): Promise<void> {
    world.disk.delay = slowness(world, random);
    for (; turns > 0 && !world.isOver && world.fault === null; turns--) await turn(world, random);
  }

  /** The end of a history that did not crash: as it is, or with all that Karma does before it stops. */
  async #stop(world: World, random: Random): Promise<Moment> {
    if (!world.isOver && world.fault === null && random.chance(0.5)) await world.stop();
    return world.moment("the end");
  }

  /** Crashes the process of a moment, and has another one begin. */
  #restart(moment: Moment, settings: Settings, random: Random): World {
    const ending = random.pick<Ending>(["kill", "power", "power", "holes", "holes"]);
    this.#trace.push(`${moment.where}: ${ending}`);
    const disk = moment.disk.clone();
    if (ending === "kill") disk.kill();
    else disk.crashAt(random, { holes: ending === "holes" });
    loseMark(disk, random);
    this.#time.forget();
    this.#time.now = Math.max(0, moment.time - (random.chance(0.1) ? random.below(5000) : 0));
    this.#tally.crashes++;
    this.#tally.restarts++;
    return new World(disk, this.#time, settings, moment.bounds, ending, moment.today);
  }

  #check(world: World, where: string): void {
    if (world.fault === null) return;
    const trace = [...this.#trace, where].join(" → ");
    throw new Error(`Crashes: ${trace}\n${JSON.stringify(world.settings)}\n${world.fault}`);
  }
}

/** A Karma that starts for the first time, at a seed's beginning. */
export function firstWorld(time: SimulatedTime, settings: Settings, random: Random): World {
  const disk = new MemoryDisk(DIRECTORY);
  const isTakenOver = random.chance(0.5);
  if (isTakenOver) putImports(disk);
  const state = isTakenOver ? TAKEN_OVER : new Map();
  const past = new Past(0, state, NOTHING, settings.policy, settings.wal, KNOWN);
  return new World(disk, time, settings, past.bounds(0, 0), "power", 20261122);
}

/** The mark of the log is there to tell of a loss: its own loss, or half of it, must change nothing. */
function loseMark(disk: MemoryDisk, random: Random): void {
  const path = `${DIRECTORY}/${MARK_FILE}`;
  if (!disk.isThereNow(path, 0)) return;
  if (!random.chance(0.2)) return;
  const bytes = disk.bytesOf(path);
  if (bytes.length === 0 || random.chance(0.5)) disk.removeNow(path);
  else disk.put(path, bytes.slice(0, random.below(bytes.length)));
}

/** Puts dumps into the directory that are there to be loaded, unless they are there already. */
export function putImports(disk: MemoryDisk): void {
  for (const [file, bytes] of IMPORTED) disk.put(`${DIRECTORY}/${file}`, bytes);
}

/** Settings of a process; of a later one, what may change between two of them. */
export function settingsOf(random: Random, previous?: Settings): Settings {
  const wal = previous === undefined || random.chance(0.1) ? random.chance(0.85) : previous.wal;
  return {
    policy: random.pick(["always", "everysec", "no"]),
    segmentBytes: random.pick([0, 512, 1024, 4096]),
    bytesMax: random.pick([1024, 4096, 1 << 20, 1 << 20]),
    wal,
    dumpsKept: previous?.dumpsKept ?? random.below(3),
    idempotencyRecordsMax: previous?.idempotencyRecordsMax ?? random.pick([6, 1000]),
    ageMaxSeconds: previous?.ageMaxSeconds ?? random.pick([0, 0, 8]),
    streamsKeptMax: previous?.streamsKeptMax ?? random.pick([2, 1000]),
  };
}

/** How long the operations of a disk take. */
function slowness(world: World, random: Random): World["disk"]["delay"] {
  const most = random.pick([0, 1, 4, 40]);
  const chance = random.pick([0.1, 0.5]);
  return () => most > 0 && random.chance(chance) ? world.time.sleep(random.below(most + 1)) : null;
}
