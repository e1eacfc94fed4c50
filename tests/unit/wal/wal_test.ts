import { assert, assertEquals } from "@std/assert";
import { DamagedError, FullError } from "../../../lib/errors.ts";
import { GROUP_BYTES, MARK_BYTES } from "../../../lib/wal/format.ts";
import { Wal } from "../../../lib/wal/wal.ts";
import type { WalOptions } from "../../../lib/wal/hooks.ts";
import { WalReader } from "../../../lib/wal/reader.ts";
import { LocalKarma } from "../../support/local_karma.ts";
import { MemoryDisk } from "../../support/memory_disk.ts";

const DIRECTORY = "/log";
const DEFAULTS: WalOptions = { policy: "no", segmentBytes: 0, bytesMax: Infinity };

class World {
  readonly disk = new MemoryDisk(DIRECTORY);
  readonly told: string[] = [];
  lost: Error | null = null;
  large = 0;
  wal: Wal;

  constructor(options: Partial<WalOptions> = {}, preamble = Uint8Array.of(1, 2, 3)) {
    const position = { id: "00000000000000aa", lsn: 0, segments: [] };
    this.wal = new Wal(DIRECTORY, { ...DEFAULTS, ...options }, position, this.disk, {
      catalog: () => preamble,
      onLarge: () => this.large++,
      lost: (error) => this.lost = error,
      tell: (line) => this.told.push(line),
    });
    assertEquals(this.wal.begin(), 1);
  }

  /** Appends a record of so many words, all of them `value`; false when there is no room. */
  append(value: number, words = 4): boolean {
    const { wal } = this;
    if (!wal.hasRoom(words)) return false;
    wal.words.fill(value, wal.at, wal.at + words);
    wal.append(words);
    return true;
  }

  /** The files of the log, without its mark. */
  async files(): Promise<string[]> {
    return (await this.disk.list(DIRECTORY)).filter((file) => file.endsWith(".wal")).sort();
  }

  /** The groups that a reader finds, each as its first word and its records. */
  async read(disk = this.disk): Promise<[first: number, lsn: number, records: number][]> {
    const groups: [number, number, number][] = [];
    const reader = (await WalReader.open(DIRECTORY, disk))!;
    await reader.read(
      (preamble) => Promise.resolve(assertEquals(preamble, Uint8Array.of(1, 2, 3, 0))),
      (words, from, _to, lsn, records) => void groups.push([words[from], lsn, records]),
    );
    assertEquals(reader.lsn, groups.reduce((sum, [, , records]) => sum + records, 0));
    return groups;
  }
}

Deno.test("log: the records of a turn are one write, and everybody waits for it", async () => {
  const world = new World();
  const before = world.disk.operations;
  const waits: Promise<void>[] = [];
  for (let value = 1; value <= 5; value++) {
    assert(world.append(value));
    waits.push(world.wal.settled());
  }
  assertEquals(world.disk.operations, before, "nothing is written while the turn goes on");
  await Promise.all(waits);
  assertEquals(world.disk.operations, before + 1);
  assertEquals(world.wal.lsn, 5);
  world.append(6);
  await world.wal.settled();
  await world.wal.settled(); // and where nothing is new, nothing is written
  assertEquals(world.disk.operations, before + 2);
  assertEquals(await world.read(), [[1, 1, 5], [6, 6, 1]]);
  await world.wal.close();
});

Deno.test("log: `always` syncs before anybody goes on, `no` and `everysec` do not", async () => {
  for (const policy of ["always", "everysec", "no"] as const) {
    const world = new World({ policy });
    world.append(1);
    await world.wal.settled();
    const crashed = world.disk.clone();
    crashed.crash({ names: false, bytes: false });
    const files = await crashed.list(DIRECTORY);
    assertEquals(files.length, policy === "always" ? 1 : 0, policy);
    if (policy === "always") assertEquals(await world.read(crashed), [[1, 1, 1]]);
    await world.wal.close();
  }
});

Deno.test("log: more than a turn's buffer is written in several groups, a large record in one", async () => {
  const world = new World();
  for (let value = 1; value <= 10; value++) assert(world.append(value, 30_000));
  assert(world.append(11, 200_000));
  await world.wal.settled();
  const groups = await world.read();
  assertEquals(groups.reduce((sum, [, , records]) => sum + records, 0), 11);
  assert(groups.length > 3 && groups.at(-1)![0] === 11, `${groups}`);
  await world.wal.close();
});

Deno.test("log: segments follow each other, and go when they are not needed", async () => {
  const world = new World({ segmentBytes: 400, policy: "always", bytesMax: 2000 });
  for (let value = 1; value <= 40; value++) {
    world.append(value);
    await world.wal.settled();
  }
  assertEquals([world.large, world.wal.isLarge], [1, true], "told once");
  const files = await world.files();
  assert(files.length > 4, `${files}`);
  assertEquals((await world.read()).length, 40);
  const begun = world.wal.begin()!;
  assertEquals(begun, 41);
  world.append(41);
  await world.wal.settled();
  await world.wal.removeBefore(begun);
  assertEquals(await world.files(), ["00000000000000000041.wal"]);
  assertEquals(world.wal.isLarge, false);
  await world.wal.close();
});

Deno.test("log: a head larger than a segment should be is not written again every turn", async () => {
  const segmentBytes = 4096;
  const preamble = new Uint8Array(20 * segmentBytes);
  const world = new World({ segmentBytes }, preamble);
  const turns = 2000;
  for (let turn = 0; turn < turns; turn++) {
    assert(world.append(1));
    await world.wal.settled();
  }
  // A turn has 56 bytes here: the records of a segment have as many as its head after 1465 of them.
  assertEquals((await world.files()).length, 2);
  const records = turns * (4 * 4 + GROUP_BYTES + MARK_BYTES);
  assert(world.wal.bytes < 3 * (preamble.length + records), "heads take no more than records do");
  await world.wal.close();
});

Deno.test("log: without space records are refused before they are written, until there is some", async () => {
  const world = new World();
  world.disk.bytesMax = world.disk.bytes;
  let accepted = 0;
  while (world.append(7, 1000)) accepted++;
  await world.wal.settled();
  assert(accepted > 200, `${accepted}`);
  assertEquals(world.told, ["No space for the log: No space left on device (os error 28)"]);
  assertEquals(world.append(7, 1000), false);
  world.disk.bytesMax = Infinity;
  await new Promise((done) => setTimeout(done, 250)); // it is not looked for at every record
  assert(world.append(8, 1000));
  await world.wal.settled();
  assertEquals(world.told[1], "There is space for the log again");
  assertEquals([world.wal.lsn, world.lost], [accepted + 1, null]);
  await world.wal.close();
});

Deno.test("log: a write or sync that fails breaks it, and nobody is answered any more", async () => {
  for (const kind of ["write", "sync"] as const) {
    const world = new World({ policy: "always" });
    world.append(1);
    await world.wal.settled();
    world.disk.failsFrom[kind] = world.disk.operations + 1;
    world.append(2);
    let answered = false;
    world.wal.settled().then(() => answered = true);
    await new Promise((done) => setTimeout(done, 5));
    assertEquals(answered, false, kind);
    assertEquals(world.lost?.message, `The log could not be written: Simulated failure of ${kind}`);
    assertEquals(world.append(3), false);
  }
});

Deno.test("log: a segment that is missing is damage, wherever it was", async () => {
  const world = new World({ segmentBytes: 400, policy: "always" });
  for (let value = 1; value <= 20; value++) {
    world.append(value);
    await world.wal.settled();
  }
  await world.wal.sync();
  const files = await world.files();
  for (const file of files.slice(1, -1)) {
    const disk = world.disk.clone();
    disk.removeNow(`${DIRECTORY}/${file}`);
    let error: unknown;
    await world.read(disk).catch((caught) => error = caught);
    assert(error instanceof DamagedError, file);
    assert(error.message.includes("record"), error.message);
  }
  await world.wal.close();
});

Deno.test("log: where reserved space is missing the process ends, and the next one refuses changes", async () => {
  const increment = { command: "increment", tree_name: "t", key: 1 };
  const sum = { command: "sum", tree_name: "t", key: 1 };
  const answer = (text: string) => JSON.parse(text).response;
  const full = "The disk is full: nothing was changed";
  const disk = new MemoryDisk("/dumps");
  const first = await LocalKarma.start(disk);
  const client = first.connect();
  assertEquals(answer(await client.ask(increment)), 1);
  disk.failure = () => "No space left on device (os error 28)";
  disk.failsFrom.write = disk.operations;
  client.push(`${JSON.stringify(increment)}\n`); // nobody answers this
  while (first.lost === null) await new Promise((done) => setTimeout(done, 1));
  assert(first.lost instanceof FullError, `${first.lost}`);

  disk.kill();
  disk.failsFrom.write = disk.operations; // it is as full as before
  const second = await LocalKarma.start(disk);
  const again = second.connect();
  assertEquals(answer(await again.ask(increment)), full);
  assertEquals(answer(await again.ask(sum)), 1);
  assertEquals(second.lost, null);
  disk.failsFrom = {};
  let taken: unknown;
  do taken = answer(await again.ask(increment)); while (taken === full);
  assertEquals(taken, 1);
  assertEquals(answer(await again.ask(sum)), 2);
  await again.end();
});
