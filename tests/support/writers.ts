// Writers for crash tests: clients that count in pipelines, and know what a restart may find.
//
// A writer alone changes its own tree and its own keys of the shared trees, over one connection, so
// that the server carries out its requests in the order in which they were sent. Invariant: what is
// found after a crash is the state behind one of its requests: behind the last that was answered, or
// a later one that was sent. For a counter that is only counted up this says: acknowledged <= found
// <= sent. Trade-off: what two writers do to the same counter is not followed.

import { Client, failure, success } from "./client.ts";
import type { Random } from "./random.ts";

/** What each counter of a tree holds, by its key; those without a value are not in it. */
export type Counters = Map<string, number>;
/** The trees there are, by name. */
export type State = Map<string, Counters>;

export const SHARED = ["shared-0", "shared-1", "shared-2"];
/** Keys that are counted often, so that much happens to each while a dump is under way. */
const HOT_KEYS = 20;
const DEPTHS = [1, 16, 200];
const DUMPS_MAX = 4;
const OK = success('"OK"');

/** A request, the reply it must get, and what it does to the state. */
interface Step {
  readonly line: string;
  readonly reply: string;
  readonly tree: string;
  apply(state: State): void;
}

interface SavedDump {
  readonly file: string;
  readonly counters: Counters;
}

/** The server has answered, or kept, what it must not. */
export class WrongState extends Error {
  override name = "WrongState";
}

export class Writer {
  readonly tree: string;
  readonly #random: Random;
  readonly #keys: string[];
  readonly #isOurs: Set<string>;
  /** The state behind all that was answered, and behind all that was sent. */
  #answered: State;
  #sent: State;
  /** What was sent and not answered, oldest first. */
  #waiting: Step[] = [];
  /** Dumps of its own tree that may still be there. */
  #dumps: SavedDump[] = [];
  #isFilled = false;
  /** How many requests were answered, and how many of these were increments. */
  answers = 0;
  increments = 0;

  /** The writer of that number, with so many keys in each shared tree. */
  constructor(number: number, keys: number, random: Random) {
    this.tree = `own-${number}`;
    this.#random = random;
    this.#keys = Array.from({ length: keys }, (_, index) => keyOf(number * keys + index));
    this.#isOurs = new Set(this.#keys);
    this.#answered = new Map(SHARED.map((tree) => [tree, new Map()]));
    this.#sent = copyOf(this.#answered);
  }

  /** Writes until the connection ends, which throws; a wrong answer throws a WrongState. */
  async run(port: number): Promise<never> {
    using client = await Client.connect(port);
    const random = this.#random;
    if (!this.#isFilled) await this.#fill(client);
    for (;;) {
      if (random.chance(0.1)) await this.#dumpOrLoad(client);
      const depth = 1 + random.below(random.pick(DEPTHS));
      for (let bursts = 1 + random.below(8); bursts > 0; bursts--) {
        const count = depth - this.#waiting.length;
        await this.#send(client, Array.from({ length: count }, () => this.#note(this.#next())));
        await this.#hear(client, 1 + random.below(this.#waiting.length));
      }
      await this.#hear(client, this.#waiting.length);
    }
  }

  /** A shared tree was dropped, with no writer at work. */
  forget(tree: string): void {
    for (const state of [this.#answered, this.#sent]) state.set(tree, new Map());
  }

  /**
   * Takes what belongs to this writer out of what a restart has found, and goes on from there.
   *
   * Returns how many requests had happened of those that were not answered.
   */
  adopt(found: State): number {
    const ours = this.#take(found);
    const answered = copyOf(this.#answered);
    const names = new Set([...SHARED, this.tree]);
    const differing = new Set([...names].filter((name) => !isSame(ours, answered, name)));
    let happened = 0;
    for (; differing.size > 0 && happened < this.#waiting.length; happened++) {
      const step = this.#waiting[happened];
      step.apply(answered);
      if (isSame(ours, answered, step.tree)) differing.delete(step.tree);
      else differing.add(step.tree);
    }
    if (differing.size > 0) {
      throw new WrongState(`No request ends in what was found; ${this.#told(ours)}`);
    }
    this.#waiting = [];
    this.#answered = answered;
    this.#sent = copyOf(answered);
    return happened;
  }

  #take(found: State): State {
    const ours: State = new Map();
    const own = found.get(this.tree);
    if (own !== undefined) ours.set(this.tree, own);
    found.delete(this.tree);
    for (const tree of SHARED) {
      const counters = found.get(tree) ?? new Map();
      const taken = [...counters].filter(([key]) => this.#isOurs.has(key));
      for (const [key] of taken) counters.delete(key);
      ours.set(tree, new Map(taken));
    }
    return ours;
  }

  /** Counters that are not between what was answered and what was sent, or all that differ. */
  #told(ours: State): string {
    const lines: string[] = [];
    for (const tree of [...SHARED, this.tree]) {
      const states = [this.#answered, ours, this.#sent].map((state) => state.get(tree));
      for (const key of new Set(states.flatMap((counters) => [...counters?.keys() ?? []]))) {
        const [answered, found, sent] = states.map((counters) => counters?.get(key) ?? 0);
        if (answered === found && (tree === this.tree || found <= sent)) continue;
        lines.push(`${tree} ${key}: answered ${answered}, found ${found}, sent ${sent}`);
      }
      lines.push(`${tree} is there: ${states.map((counters) => counters !== undefined)}`);
    }
    const steps = this.#waiting.map(({ line }) => line);
    return `${lines.slice(0, 40).join("; ")}; ${steps.length} waited: ${steps.slice(0, 40)}`;
  }

  /** Counts each key of the first shared tree once, so that a dump of it takes a while. */
  async #fill(client: Client): Promise<void> {
    this.#isFilled = true;
    for (let at = 0; at < this.#keys.length; at += 200) {
      const keys = this.#keys.slice(at, at + 200);
      await this.#send(
        client,
        keys.map((key) => this.#note(counting("increment", SHARED[0], key))),
      );
      await this.#hear(client, keys.length);
    }
  }

  #next(): Step {
    const random = this.#random;
    const hot = this.#keys[random.below(HOT_KEYS)];
    if (random.chance(0.6)) {
      const key = random.chance(0.5) ? hot : random.pick(this.#keys);
      return counting("increment", random.pick(SHARED), key);
    }
    const { tree } = this;
    const isThere = this.#sent.has(tree);
    const chance = random.below(100);
    if (chance < 80) return counting("increment", tree, hot);
    if (chance < 88) return counting("decrement", tree, hot);
    if (chance < 95) {
      const line = `{"command":"reset","tree_name":"${tree}","key":${hot}}`;
      return { line, reply: OK, tree, apply: (state) => void state.get(tree)?.delete(hot) };
    }
    const command = random.pick(["reset", "drop", "create"]);
    const reply = command === "drop" && !isThere ? failure(`Tree "${tree}" not exists`) : OK;
    const apply = (state: State) => {
      if (command === "drop") state.delete(tree);
      else if (command === "reset") state.get(tree)?.clear();
      else if (!state.has(tree)) state.set(tree, new Map());
    };
    return { line: JSON.stringify({ command, tree_name: tree }), reply, tree, apply };
  }

  /** Dumps its own tree, or loads one of its dumps; nothing else of this writer is under way. */
  async #dumpOrLoad(client: Client): Promise<void> {
    const { tree } = this;
    if (this.#dumps.length > 0 && this.#random.chance(0.6)) {
      const dump = this.#random.pick(this.#dumps);
      await this.#load(client, dump);
    } else if (this.#sent.has(tree)) {
      const line = JSON.stringify({ command: "dump", tree_name: tree });
      const reply = success(`"Tree \\"${tree}\\" saved"`);
      await this.#send(client, [this.#note({ line, reply, tree, apply: () => {} })]);
      await this.#hear(client, 1);
      const files: string[] = JSON.parse(await client.ask({ command: "dumps" })).response;
      const file = files.find((file) => file.endsWith(`_${tree}.tree`));
      if (file === undefined) throw new WrongState(`The dump of ${tree} is not in ${files}`);
      this.#dumps.push({ file, counters: new Map(this.#sent.get(tree)) });
      if (this.#dumps.length > DUMPS_MAX) this.#dumps.shift();
    }
  }

  async #load(client: Client, dump: SavedDump): Promise<void> {
    const { tree } = this;
    const { file, counters } = dump;
    const apply = (state: State) => void state.set(tree, new Map(counters));
    const line = JSON.stringify({ command: "load", tree_name: file });
    const reply = success(`"Tree \\"${tree}\\" loaded"`);
    await this.#send(client, [this.#note({ line, reply, tree, apply })]);
    const answer = await client.line();
    if (answer === failure(`Dump "${tree}" not exists`)) { // there are newer ones enough
      this.#dumps = this.#dumps.filter((other) => other !== dump);
      this.#waiting = [];
      this.#sent = copyOf(this.#answered);
    } else this.#heard(answer);
  }

  /** Notes a request before it is sent: the server may be killed at any byte of it. */
  #note(step: Step): string {
    step.apply(this.#sent);
    this.#waiting.push(step);
    return `${step.line}\n`;
  }

  async #send(client: Client, lines: readonly string[]): Promise<void> {
    await client.send(lines.join(""));
  }

  async #hear(client: Client, count: number): Promise<void> {
    while (count-- > 0) this.#heard(await client.line());
  }

  #heard(line: string): void {
    const step = this.#waiting.shift()!;
    if (line !== step.reply) throw new WrongState(`${step.line} was answered by ${line}`);
    step.apply(this.#answered);
    this.answers++;
    if (step.line.includes('"increment"')) this.increments++;
  }
}

/** Every tree and counter that a server has. */
export async function stateOf(client: Client): Promise<State> {
  const found: State = new Map();
  const trees: string[] = JSON.parse(await client.ask({ command: "trees" })).response;
  for (const tree_name of trees) {
    const whole = { command: "find", tree_name, time_from: 0, time_to: 4294967295 };
    const counters: Record<string, Record<string, number>> =
      JSON.parse(await client.ask(whole)).response;
    const values = Object.entries(counters).map(([key, days]): [string, number] => {
      return [key, Object.values(days).reduce((sum, value) => sum + value, 0)];
    });
    found.set(tree_name, new Map(values.filter(([, value]) => value > 0)));
  }
  return found;
}

function counting(command: "increment" | "decrement", tree: string, key: string): Step {
  const apply = (state: State) => {
    let counters = state.get(tree);
    if (counters === undefined) state.set(tree, counters = new Map());
    const value = (counters.get(key) ?? 0) + (command === "increment" ? 1 : -1);
    if (value > 0) counters.set(key, value);
    else counters.delete(key);
  };
  const line = `{"command":"${command}","tree_name":"${tree}","key":${key}}`;
  return { line, reply: success(1), tree, apply };
}

/** Keys over all of u64, so that they are in all branches. */
function keyOf(index: number): string {
  return String(BigInt.asUintN(64, BigInt(index + 1) * 0x9e3779b97f4a7c15n));
}

function copyOf(state: State): State {
  return new Map([...state].map(([tree, counters]) => [tree, new Map(counters)]));
}

function isSame(a: State, b: State, tree: string): boolean {
  const [left, right] = [a.get(tree), b.get(tree)];
  if (left === undefined || right === undefined) return left === right;
  if (left.size !== right.size) return false;
  for (const [key, value] of left) if (right.get(key) !== value) return false;
  return true;
}
