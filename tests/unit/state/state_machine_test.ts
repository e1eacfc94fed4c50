// Changes as records: what each does, and that the same records give the same state.

import { assert, assertEquals, assertThrows } from "@std/assert";
import { AssertionFailed } from "../../../lib/assert.ts";
import { parts } from "../../../lib/dump/tree_io.ts";
import { StateMachine } from "../../../lib/state/state_machine.ts";
import {
  ADD,
  ADOPT,
  COMPACT,
  CREATE,
  DROP,
  hasKey,
  isBelow,
  isOfAll,
  isOfTrees,
  NAME,
  nameAt,
  NOTE,
  PUT,
  recordWords,
  REMOVE,
  ROWS,
  serialAt,
  SET,
  STAGE,
  SUBTRACT,
  SWEEP,
  TOUCH,
  writeRecord,
} from "../../../lib/state/record.ts";
import { applyRangeDeletesNow } from "../../../lib/state/range_delete_sweeper.ts";
import { DamagedError } from "../../../lib/errors.ts";
import { checkTree } from "../../../lib/tree/check.ts";
import { answerWords, writeAnswer } from "../../../lib/idempotency/idempotency_records.ts";
import {
  CHECKPOINT,
  DedupState,
  encodeNote,
  IDEMPOTENCY_RECORD,
  STREAM,
} from "../../../lib/idempotency/dedup_state.ts";
import { Forest } from "../../../lib/tree/forest.ts";
import { Tree } from "../../../lib/tree/tree.ts";
import { contentsOf, randomTree } from "../../fuzz/dump_fuzz.ts";
import { Random } from "../../support/random.ts";

/** A forest and a registry, and every record that was applied to them. */
class World {
  readonly forest = new Forest();
  readonly dedup = new DedupState({
    idempotencyRecordsMax: 50,
    ageMaxSeconds: 0,
    streamsKeptMax: 5,
  });
  readonly stateMachine = new StateMachine(this.forest, this.dedup);
  readonly log: Uint32Array<ArrayBuffer>[] = [];

  apply(words: Uint32Array<ArrayBuffer>): boolean {
    assertEquals(recordWords(words, 0), words.length);
    const done = this.stateMachine.apply(words, 0);
    if (done) this.log.push(words);
    return done;
  }

  record(...words: number[]): boolean {
    return this.apply(Uint32Array.from(words));
  }

  named(head: number, serial: number, bytes: Uint8Array): boolean {
    const words = new Uint32Array(4 + Math.ceil(bytes.length / 4)).fill(0xffffffff);
    assertEquals(writeRecord(words, 0, head, serial, bytes), words.length);
    return this.apply(words);
  }

  create(name: string): number {
    const number = this.forest.freeNumber()!;
    this.named(CREATE | number << 8, this.forest.nextSerial, new TextEncoder().encode(name));
    return number;
  }

  note(kind: number, payload: Uint8Array): boolean {
    return this.named(NOTE, kind, payload);
  }

  /** All cells of all trees, and all of the registry. */
  contents(): unknown {
    const trees = this.forest.trees().map((tree) => {
      checkTree(tree);
      return [tree.name, tree.number, tree.serial, contentsOf(tree)];
    });
    const { records: answers, streams, checkpoints } = this.dedup;
    this.dedup.check();
    const kept = [...answers.all()].map(([words, at]) => [...words.slice(at, at + words[at])]);
    return [trees, kept, structuredClone([...streams.all()]), checkpoints.all()];
  }
}

Deno.test("change: each kind does what it says, and needs no more words than it has", () => {
  const world = new World();
  const t = world.create("t") << 8;
  const tree = world.forest.at(t >> 8)!;
  assertEquals([tree.name, tree.serial], ["t", 1]);
  assert(world.record(ADD | t, 7, 0, 20260101, 5, 1));
  assert(world.record(ADD | t, 7, 0, 20260102, 9, 0));
  assert(world.record(SUBTRACT | t, 7, 0, 20260102, 4, 0));
  assert(world.record(SUBTRACT | t, 7, 0, 20260103, 4, 0));
  assert(world.record(TOUCH | t, 8, 0));
  const days = new Map([[20260101, 2n ** 32n + 5n], [20260102, 5n]]);
  assertEquals(contentsOf(tree), new Map([[7n, days], [8n, new Map()]]));
  assert(world.record(REMOVE | t, 7, 0, 20260102, 20260102));
  assert(world.record(SWEEP | t, 0, 20260101));
  assertEquals(contentsOf(tree), new Map([[7n, new Map()], [8n, new Map()]]));
  assert(world.record(DROP | t));
  assertEquals([world.forest.trees(), world.forest.at(t >> 8)], [[], null]);
});

Deno.test("change: an addition that would pass 2^64-1 is refused, and nothing happens", () => {
  const world = new World();
  const t = world.create("t") << 8;
  world.record(ADD | t, 1, 0, 20260101, 0xffffffff, 0xffffffff);
  const before = world.contents();
  assertEquals(world.record(ADD | t, 1, 0, 20260101, 1, 0), false);
  assertEquals(world.record(ADD | t, 1, 0, 20260102, 1, 0), false);
  assertEquals(world.contents(), before);
});

Deno.test("change: a sweep with a limit leaves the counters from there on alone", () => {
  const world = new World();
  const t = world.create("t") << 8;
  for (let key = 0; key < 10_000; key++) world.record(ADD | t, key, key & 1, 20260101, 1, 0);
  const tree = world.forest.at(0)!;
  world.stateMachine.apply(Uint32Array.of(SWEEP | t, 0, 0xffffffff), 0, 500, 1);
  world.record(ADD | t, 3, 0, 20260102, 1, 0); // what comes after it stays
  applyRangeDeletesNow(tree);
  checkTree(tree);
  for (const [key, days] of contentsOf(tree)) {
    const isSwept = key < (1n << 32n) + 500n;
    assertEquals(days.has(20260101), !isSwept, `${key}`);
  }
  assertEquals(contentsOf(tree).get(3n), new Map([[20260102, 1n]]));
});

Deno.test("change: a tree that comes in parts is the same tree, and comes at once", () => {
  const source = new Tree("t");
  for (let key = 0; key < 9000; key++) source.add(key, key % 3, 20260101 + key % 5, key + 1, 0);
  const world = new World();
  const old = world.create("t");
  world.create("other");
  world.record(ADD | old << 8, 1, 0, 20260101, 1, 0);
  const serial = world.forest.nextSerial++;
  world.named(STAGE, serial, source.nameBytes);
  for (const { payload } of parts(source, () => 0)) {
    world.named(ROWS, serial, payload);
    assertEquals(contentsOf(world.forest.trees()[0]).size, 1, "nobody sees it yet");
  }
  assert(world.stateMachine.isStaged(serial));
  const number = world.forest.freeNumber()!;
  world.named(PUT | number << 8, serial, source.nameBytes);
  assert(!world.stateMachine.isStaged(serial));
  assertEquals(world.forest.trees().map(({ name }) => name), ["other", "t"]);
  assertEquals(contentsOf(world.forest.trees()[1]), contentsOf(source));
  assertEquals([world.forest.at(number)!.serial, world.forest.at(old)], [serial, null]);
});

Deno.test("change: a day is set to a value, to nothing with zero, and not where a total would pass 2^64-1", () => {
  const world = new World();
  const t = world.create("t") << 8;
  const tree = world.forest.at(t >> 8)!;
  assert(world.record(ADD | t, 7, 0, 20260101, 5, 1));
  assert(world.record(SET | t, 7, 0, 20260101, 2, 0));
  assert(world.record(SET | t, 7, 0, 20260102, 0xffffffff, 0xfffffffe));
  assert(world.record(SET | t, 8, 0, 20260101, 0, 0));
  const before = world.contents();
  assertEquals(world.record(SET | t, 7, 0, 20260101, 0, 2), false);
  assertEquals(world.record(SET | t, 9, 0, 20260101, 0, 1), true);
  assert(world.record(SET | t, 9, 0, 20260101, 0, 0));
  tree.forget(9, 0);
  assertEquals(world.contents(), before);
  assert(world.record(SET | t, 7, 0, 20260102, 0, 0));
  const days = new Map([[20260101, 2n]]);
  assertEquals(contentsOf(tree), new Map([[7n, days], [8n, new Map()]]));
});

Deno.test("change: counters without days go from the keys below a limit, or from all", () => {
  const world = new World();
  const t = world.create("t") << 8;
  for (let key = 0; key < 9000; key++) {
    world.record(key % 3 === 0 ? TOUCH | t : ADD | t, key, 0, ...key % 3 ? [20260101, 1, 0] : []);
  }
  const tree = world.forest.at(t >> 8)!;
  assert(tree.branches.length > 1, "there are several branches");
  const empty = () => [...contentsOf(tree)].filter(([, days]) => days.size === 0).length;
  world.stateMachine.apply(Uint32Array.of(COMPACT | t), 0, 4500, 0);
  applyRangeDeletesNow(tree);
  checkTree(tree);
  assertEquals([tree.keys, empty()], [9000 - 1500, 1500]);
  world.record(COMPACT | t);
  applyRangeDeletesNow(tree);
  checkTree(tree);
  assertEquals([tree.keys, empty()], [6000, 0]);
});

Deno.test("change: a hidden tree takes the place of a name, and of the tree that has it", () => {
  const world = new World();
  const [t, , hidden] = ["t", "other", "\u0000staged-3"].map((name) => world.create(name));
  world.record(ADD | t << 8, 1, 0, 20260101, 1, 0);
  world.record(ADD | hidden << 8, 2, 0, 20260101, 1, 0);
  const tree = world.forest.at(hidden)!;
  assertEquals(world.forest.visible().map(({ name }) => name), ["t", "other"]);
  world.named(ADOPT | hidden << 8, tree.serial, new TextEncoder().encode("t"));
  const told = world.forest.trees().map(({ name, serial }) => [name, serial]);
  assertEquals(told, [["other", 2], ["t", 3]]);
  assertEquals(contentsOf(tree), new Map([[2n, new Map([[20260101, 1n]])]]));
  assertEquals([world.forest.at(t), world.forest.at(hidden), tree.number], [null, tree, hidden]);
});

Deno.test("change: names, serials and keys are read back from where they were written", () => {
  const words = new Uint32Array(100);
  for (const name of ["t", "день", "\ufeffx", "x".repeat(255)]) {
    writeRecord(words, 7, CREATE, 2 ** 40 + 1, new TextEncoder().encode(name));
    assertEquals([nameAt(words, 7), serialAt(words, 7)], [name, 2 ** 40 + 1]);
  }
  words.set([ADD, 5, 1], 3);
  assert(hasKey(words, 3) && isBelow(words, 3, Uint32Array.of(6, 1)));
  assert(!isBelow(words, 3, Uint32Array.of(5, 1)) && !isBelow(words, 3, Uint32Array.of(9, 0)));
  const isOne = (is: (words: Uint32Array, at: number) => boolean) => {
    return Array.from({ length: 256 }, (_, kind) => kind).filter((kind) => {
      return is(Uint32Array.of(kind | 0xffffff << 8), 0);
    });
  };
  assertEquals(isOne(hasKey), [ADD, SUBTRACT, TOUCH, REMOVE, SET, NAME]);
  assertEquals(isOne(isOfAll), [SWEEP, COMPACT]);
  assertEquals(isOne(isOfTrees), [CREATE, DROP, STAGE, ROWS, PUT, ADOPT]);
  for (const none of [0, 16, 255]) assertEquals(recordWords(Uint32Array.of(none, 1, 1, 1), 0), 0);
});

Deno.test("change: each kind has its words, and what follows a count of bytes fills whole ones", () => {
  const sizes = [[ADD, 6], [SUBTRACT, 6], [TOUCH, 3], [REMOVE, 5], [SWEEP, 3], [DROP, 1]];
  sizes.push([SET, 6], [COMPACT, 1]);
  for (const [kind, size] of sizes) {
    const words = new Uint32Array(20).fill(0xffffffff);
    words[2] = kind | 0xffffff << 8;
    assertEquals(recordWords(words, 2), size, `kind ${kind}`);
  }
  for (const kind of [CREATE, STAGE, ROWS, PUT, ADOPT, NOTE, NAME]) {
    for (let length = 0; length <= 9; length++) {
      const words = new Uint32Array(20).fill(0xffffffff);
      const bytes = new Uint8Array(length).fill(0x61);
      const size = writeRecord(words, 2, kind | 0xffffff << 8, 2 ** 52 + 1, bytes);
      assertEquals([size, recordWords(words, 2)], [4 + Math.ceil(length / 4), size]);
      const written = new Uint8Array(words.buffer, 4 * (2 + 4), 4 * (size - 4));
      const filled = [...bytes, ...new Uint8Array(written.length - length)];
      assertEquals([...written], filled, "what is not full is filled with zeros");
      const others = [words[0], words[1], words[2 + size]];
      assertEquals(others, [0xffffffff, 0xffffffff, 0xffffffff], "nothing else is touched");
    }
  }
});

Deno.test("change: numbers of trees have 24 bits, and serials are what the record says", () => {
  const world = new World();
  const name = new TextEncoder().encode("t");
  world.named(CREATE | 0x12345 << 8, 2 ** 40, name);
  world.record(ADD | 0x12345 << 8, 1, 0, 20260101, 5, 0);
  const tree = world.forest.at(0x12345)!;
  assertEquals([tree.name, tree.serial], ["t", 2 ** 40]);
  assertEquals(contentsOf(tree), new Map([[1n, new Map([[20260101, 5n]])]]));
  assertEquals(world.forest.nextSerial, 2 ** 40 + 1);
  world.record(DROP | 0x12345 << 8);
  assertEquals(world.forest.trees(), []);
});

Deno.test("change: a tree that is whole already is put as it is; one that will not come is forgotten", () => {
  const world = new World();
  const { forest, stateMachine } = world;
  world.create("t");
  const tree = new Tree("t");
  tree.add(7, 0, 20260101, 3, 0);
  const serial = forest.nextSerial++;
  stateMachine.stage(serial, tree);
  assert(stateMachine.isStaged(serial) && !stateMachine.isStaged(serial + 1));
  stateMachine.unstage(serial);
  assert(!stateMachine.isStaged(serial));
  const put = new Uint32Array(5);
  writeRecord(put, 0, PUT | forest.freeNumber()! << 8, serial, tree.nameBytes);
  const before = world.contents();
  assertThrows(() => stateMachine.apply(put, 0), AssertionFailed);
  assertEquals(world.contents(), before);
  stateMachine.stage(serial, tree);
  assert(stateMachine.apply(put, 0) && !stateMachine.isStaged(serial));
  assert(forest.trees()[0] === tree && tree.serial === serial);
});

Deno.test("change: what makes no sense is refused, and the trees stay as they are", () => {
  const world = new World();
  const t = world.create("t") << 8;
  world.record(ADD | t, 1, 0, 20260101, 1, 0);
  const serial = world.forest.nextSerial++;
  const source = randomTree(new Random(3));
  for (let key = 0; key < 3000; key++) source.add(key, 0, 20260101, key, 0);
  const rows = [...parts(source, () => 0)].map(({ payload }) => payload);
  assert(rows.length > 1, "there are several branches");
  world.named(STAGE, serial, source.nameBytes);
  const before = world.contents();
  const records: [
    what: string,
    error: typeof DamagedError | typeof AssertionFailed,
    ...number[],
  ][] = [
    ["no kind", AssertionFailed, 15 | t],
    ["a note of no kind", AssertionFailed, NOTE, 9, 0, 1, 0xc0],
    ["a note that is cut", AssertionFailed, NOTE, IDEMPOTENCY_RECORD, 0, 4, 9],
    ...[ADD, SUBTRACT, TOUCH, REMOVE, SWEEP, DROP, SET, COMPACT, ADOPT].map(
      (kind): [string, typeof AssertionFailed, ...number[]] => {
        return [`kind ${kind} of no tree`, AssertionFailed, kind | 1 << 8, 1, 0, 20260101, 1, 0];
      },
    ),
    ["a tree that nobody announced", AssertionFailed, PUT | 1 << 8, serial + 1, 0, 0],
    ["a tree without its branches", DamagedError, PUT | 1 << 8, serial, 0, 0],
  ];
  for (const [what, error, ...words] of records) {
    assertThrows(() => world.stateMachine.apply(Uint32Array.from(words), 0), error, "", what);
  }
  // The last one has taken what was announced with it.
  const [first, second] = rows.map((payload) => {
    const words = new Uint32Array(5 + payload.length);
    writeRecord(words, 0, ROWS, serial, payload);
    return words;
  });
  assertThrows(() => world.stateMachine.apply(first, 0), AssertionFailed);
  world.named(STAGE, serial, source.nameBytes);
  assertThrows(
    () => world.stateMachine.apply(second, 0),
    DamagedError,
    "its first branch is missing",
  );
  assertEquals(world.contents(), before);
});

Deno.test("change: the records of a random history give the same state again", () => {
  for (let seed = 1; seed <= 20; seed++) {
    const random = new Random(seed);
    const world = new World();
    const coming = new Coming(world);
    for (let step = 0; step < 3000; step++) {
      if (random.chance(0.01)) coming.next(random);
      else if (random.chance(0.05)) randomNote(world, random);
      else randomChange(world, random);
    }
    while (coming.isUnderWay) coming.next(random);
    assert(coming.puts > 0, "trees have come in parts");
    const again = new World();
    for (const words of world.log) assert(again.apply(words));
    assertEquals(again.contents(), world.contents(), `seed ${seed}`);
    assertEquals(again.forest.nextSerial, world.forest.nextSerial);
  }
});

function randomChange(world: World, random: Random): void {
  const trees = world.forest.trees();
  if (trees.length === 0 || random.chance(0.002)) {
    const name = random.chance(0.3) ? HIDDEN : `tree ${random.below(5)}`;
    if (!trees.some((tree) => tree.name === name)) world.create(name);
    return;
  }
  const tree = random.pick(trees);
  const head = tree.number << 8;
  const key = [random.below(200), random.below(2)];
  const day = 20260101 + random.below(10);
  const chance = random.below(1000);
  if (chance < 2) world.record(DROP | head);
  else if (chance < 4 && tree.name === HIDDEN) {
    const name = new TextEncoder().encode(`tree ${random.below(5)}`);
    world.named(ADOPT | head, tree.serial, name);
  } else if (chance < 6) {
    world.record(COMPACT | head);
    applyRangeDeletesNow(tree);
  } else if (chance < 10) {
    world.record(SWEEP | head, day, day + 3);
    applyRangeDeletesNow(tree);
  } else if (chance < 50) world.record(REMOVE | head, ...key, day, day + random.below(5));
  else if (chance < 80) world.record(TOUCH | head, ...key);
  else if (chance < 250) world.record(SUBTRACT | head, ...key, day, random.below(9), 0);
  else if (chance < 400) {
    world.record(SET | head, ...key, day, random.below(3), random.chance(0.05) ? 2 ** 31 : 0);
  } else world.record(ADD | head, ...key, day, random.below(9), random.chance(0.01) ? 2 ** 31 : 0);
}

/** An answer, a change of a stream, or a checkpoint. */
function randomNote(world: World, random: Random): void {
  const bytes = new TextEncoder().encode(`key ${random.below(80)}`);
  const response = new Uint8Array(random.below(9)).fill(48);
  if (random.chance(0.6)) {
    const words = new Uint32Array(answerWords(bytes.length, response.length));
    writeAnswer(words, 0, 1, 2, new Uint32Array(4), bytes, 0, bytes.length, response);
    return void world.note(IDEMPOTENCY_RECORD, new Uint8Array(words.buffer));
  }
  const id = `stream ${random.below(5)}`;
  const stream = world.dedup.streams.find(id);
  if (random.chance(0.3)) {
    const checkpoint = { source: id, offset: `${random.below(9)}`, event: null, updated: 5 };
    world.note(CHECKPOINT, encodeNote(checkpoint));
  } else if (stream === null) {
    world.note(STREAM, encodeNote({ kind: "begin", id, mode: "set", granularity: null }));
  } else if (stream.committed === null && random.chance(0.4)) {
    world.note(STREAM, encodeNote({ kind: random.pick(["abort", "commit"]), id, seconds: 7 }));
  } else if (stream.committed === null) {
    const print = new Uint8Array(16).fill(random.below(256));
    const chunk = { id, tree: "t", staged: null, items: random.below(9), print };
    world.note(STREAM, encodeNote({ kind: "chunk", ...chunk }));
  }
}

const HIDDEN = "\u0000hidden";

/** A tree on its way, a record now and then, while other changes go on. */
class Coming {
  readonly #world: World;
  #serial = 0;
  #name = new Uint8Array();
  #rows: Iterator<{ payload: Uint8Array }> | null = null;
  puts = 0;

  constructor(world: World) {
    this.#world = world;
  }

  get isUnderWay(): boolean {
    return this.#rows !== null;
  }

  next(random: Random): void {
    const { forest } = this.#world;
    if (this.#rows === null) {
      this.#serial = forest.nextSerial++;
      this.#name = new TextEncoder().encode(`tree ${random.below(5)}`);
      this.#rows = parts(randomTree(random), () => 0);
      this.#world.named(STAGE, this.#serial, this.#name);
      return;
    }
    const { value, done } = this.#rows.next();
    if (!done) return void this.#world.named(ROWS, this.#serial, value.payload);
    this.#world.named(PUT | forest.freeNumber()! << 8, this.#serial, this.#name);
    this.#rows = null;
    this.puts++;
  }
}
