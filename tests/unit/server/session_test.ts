// Sessions whose clients keep them waiting: which are cut, after how long, and which never are.
//
// Trade-off: sessions read the true clock. So times to come are made up, times that passed are slept, and
// what is asserted has seconds to spare.

import { assert, assertEquals } from "@std/assert";
import { effort } from "../../../lib/bytes/effort.ts";
import { Access } from "../../../lib/command/access.ts";
import { codecOf } from "../../support/codec.ts";
import { sleep } from "../../../lib/host/clock.ts";
import { Acceptor } from "../../../lib/server/acceptor.ts";
import { BufferBound } from "../../../lib/server/buffer_bound.ts";
import { Descriptors } from "../../../lib/server/descriptors.ts";
import { ExchangePool } from "../../../lib/server/exchange.ts";
import { TurnBudget } from "../../../lib/server/turn_budget.ts";
import { Gate } from "../../../lib/server/gate.ts";
import { Notices } from "../../../lib/server/notices.ts";
import type { Connection, SessionLimits } from "../../../lib/server/connection.ts";
import { Session } from "../../../lib/server/session.ts";
import { LocalKarma } from "../../support/local_karma.ts";
import { MemoryDisk } from "../../support/memory_disk.ts";

const PING = '{"v":2,"op":"system.ping"}\n';
const PONG = '{"protocol_version":2,"success":true,"response":"pong","error_code":null}\n';
const TIMEOUT_MS = 10_000;
/** Of true time, long enough to tell before from after. */
const WHILE_MS = 40;

const UNLIMITED: SessionLimits = {
  protocols: new Set(["json" as const]),
  requestBytesMax: 1 << 20,
  requestTimeoutMs: 0,
  readTimeoutMs: 0,
  writeTimeoutMs: 0,
};

const encoder = new TextEncoder();
const decoder = new TextDecoder();

/** A connection whose other end the test plays. */
class Wire implements Connection {
  readonly #sent: Uint8Array[] = [];
  #isEnded = false;
  #wake: (() => void) | null = null;
  /** Bytes that the client will still take; writes beyond wait. */
  room = Infinity;
  received = "";
  isClosed = false;

  setNoDelay(): void {}

  setKeepAlive(): void {}

  async read(into: Uint8Array): Promise<number | null> {
    while (this.#sent.length === 0) {
      if (this.isClosed) throw new Error("Bad resource ID");
      if (this.#isEnded) return null;
      await this.#change();
    }
    const bytes = this.#sent[0].subarray(0, into.length);
    into.set(bytes);
    if (bytes.length < this.#sent[0].length) this.#sent[0] = this.#sent[0].subarray(bytes.length);
    else this.#sent.shift();
    return bytes.length;
  }

  async write(bytes: Uint8Array): Promise<number> {
    while (this.room === 0) {
      if (this.isClosed) throw new Error("Broken pipe");
      await this.#change();
    }
    const part = bytes.subarray(0, Math.min(bytes.length, this.room, 4099));
    this.room -= part.length;
    this.received += decoder.decode(part);
    return part.length;
  }

  closeWrite(): Promise<void> {
    return Promise.resolve();
  }

  close(): void {
    this.isClosed = true;
    this.#wake?.();
  }

  send(text: string): void {
    this.#sent.push(encoder.encode(text));
    this.#wake?.();
  }

  end(): void {
    this.#isEnded = true;
    this.#wake?.();
  }

  take(bytes: number): void {
    this.room += bytes;
    this.#wake?.();
  }

  #change(): Promise<void> {
    return new Promise((resolve) => this.#wake = resolve);
  }
}

/** A session of a Karma, and its client. */
class World {
  readonly karma: LocalKarma;
  readonly wire = new Wire();
  readonly session: Session;
  readonly done: Promise<void>;

  private constructor(karma: LocalKarma, limits: Partial<SessionLimits>) {
    this.karma = karma;
    const pool = new ExchangePool(() => codecOf());
    const all = { ...UNLIMITED, ...limits };
    this.session = new Session(
      this.wire,
      karma.engine,
      pool,
      new TurnBudget(karma.engine.statistics),
      all,
      new Gate(new Access(null, null), 0, new Notices(() => {})),
      new BufferBound(1 << 30),
    );
    this.done = this.session.run();
  }

  static async start(limits: Partial<SessionLimits>): Promise<World> {
    return new World(await LocalKarma.start(new MemoryDisk("/dumps")), limits);
  }

  /** Sends, and waits until what comes of it has come. */
  async send(text: string): Promise<void> {
    this.wire.send(text);
    await sleep(5);
  }

  /** Whether the connection is there still, looked at so long from a moment on. */
  isOpenAt(ms: number): boolean {
    this.session.expire(ms);
    return !this.wire.isClosed;
  }

  async end(): Promise<void> {
    this.wire.end();
    this.wire.take(Infinity);
    await this.done;
    await LocalKarma.timersDone();
  }
}

const FAR = 1e12;

/** As many as are wanted. */
function descriptors(): Descriptors {
  return new Descriptors(() => ({ close() {} }));
}

Deno.test("session: without limits a client may take as long as it likes", async () => {
  const world = await World.start({});
  assert(world.isOpenAt(FAR));
  await world.send(PING.slice(0, 5));
  assert(world.isOpenAt(FAR));
  world.wire.room = 3;
  await world.send(PING.slice(5));
  assertEquals(world.wire.received, PONG.slice(0, 3));
  assert(world.isOpenAt(FAR));
  await world.end();
  assertEquals(world.wire.received, PONG);
});

Deno.test("session: who sends nothing for too long is cut, counted from the last bytes", async () => {
  const world = await World.start({ readTimeoutMs: TIMEOUT_MS });
  const began = performance.now();
  await sleep(WHILE_MS);
  assert(world.isOpenAt(began + TIMEOUT_MS - 1000));
  await world.send(PING);
  assert(world.isOpenAt(began + TIMEOUT_MS + WHILE_MS / 2), "a request came since");
  await sleep(WHILE_MS);
  await world.send(PING.slice(0, 3));
  assert(world.isOpenAt(began + TIMEOUT_MS + 1.5 * WHILE_MS), "bytes came since");
  assertEquals(world.wire.received, PONG);
  assert(!world.isOpenAt(performance.now() + TIMEOUT_MS + 1));
  await world.done;
  world.session.expire(FAR); // and nothing more
  await LocalKarma.timersDone();
});

Deno.test("session: a request that is begun must come, counted from its first byte", async () => {
  const world = await World.start({ requestTimeoutMs: TIMEOUT_MS });
  assert(world.isOpenAt(FAR), "nothing is begun");
  await world.send(PING);
  assert(world.isOpenAt(FAR), "nor is anything after a request");
  const began = performance.now();
  await world.send(PING.slice(0, 2));
  assert(world.isOpenAt(began + TIMEOUT_MS - 1000));
  for (const byte of PING.slice(2, -1)) {
    world.wire.send(byte);
    await sleep(1);
  }
  await sleep(WHILE_MS);
  await world.send("\n");
  assert(world.isOpenAt(FAR), "it has come");
  // Behind the end of one another is begun: that one's time counts.
  const first = performance.now();
  await world.send(PING.slice(0, 5));
  await sleep(WHILE_MS);
  await world.send(PING.slice(5) + PING.slice(0, 9));
  assert(world.isOpenAt(first + TIMEOUT_MS + WHILE_MS / 2));
  const second = performance.now();
  await sleep(WHILE_MS);
  await world.send(PING.slice(9, 12));
  assert(!world.isOpenAt(second + TIMEOUT_MS + WHILE_MS / 2), "more bytes are no more time");
  await world.done;
  assertEquals(world.wire.received, PONG.repeat(3));
  await LocalKarma.timersDone();
});

Deno.test("session: a client waits for what takes time, and is not cut for that", async () => {
  const timeouts = { readTimeoutMs: 10, requestTimeoutMs: 10, writeTimeoutMs: 10 };
  const world = await World.start(timeouts);
  const gate = Promise.withResolvers<void>();
  world.karma.disk.latency = () => gate.promise;
  // Another request lies there unread meanwhile, and a part of one.
  world.wire.send('{"v":2,"op":"snapshot.create_all"}\n');
  world.wire.send(PING + PING.slice(0, 4));
  await sleep(WHILE_MS);
  assertEquals(world.wire.received, "");
  assert(world.isOpenAt(FAR));
  gate.resolve();
  await sleep(WHILE_MS);
  const ok = PONG.replace('"pong"', '"OK"');
  assertEquals(world.wire.received, ok + PONG);
  assert(!world.isOpenAt(FAR), "now it is the client's turn");
  await world.done;
  await LocalKarma.timersDone();
});

Deno.test("session: who leaves replies lying for too long is cut", async () => {
  const world = await World.start({ writeTimeoutMs: TIMEOUT_MS });
  await world.send(PING);
  assert(world.isOpenAt(FAR), "all is written");
  world.wire.room = 10;
  const began = performance.now();
  await world.send(PING);
  assert(world.isOpenAt(began + TIMEOUT_MS - 1000));
  world.wire.take(PONG.length);
  await sleep(5);
  assertEquals(world.wire.received, PONG.repeat(2));
  assert(world.isOpenAt(FAR), "it was taken after all");
  world.wire.room = 0;
  await world.send(PING);
  assert(!world.isOpenAt(performance.now() + TIMEOUT_MS + 1));
  await world.done;
  await LocalKarma.timersDone();
});

Deno.test("session: time for a long reply begins anew with each part of it", async () => {
  const world = await World.start({ writeTimeoutMs: TIMEOUT_MS });
  world.wire.room = 0;
  const count = 2000; // two writes of 64 KiB, and a rest
  world.wire.send(PING.repeat(count));
  await sleep(5);
  const began = performance.now();
  await sleep(WHILE_MS);
  world.wire.take(100_000);
  for (let wait = 0; wait < 2000 && world.wire.received.length < 100_000; wait++) await sleep(5);
  assert(world.wire.received.length === 100_000, `${world.wire.received.length}`);
  assert(world.isOpenAt(began + TIMEOUT_MS + WHILE_MS / 2));
  await world.end();
  assertEquals(world.wire.received, PONG.repeat(count));
});

Deno.test("session: who was refused may read why, and is cut however much it sends", async () => {
  const limits = { requestBytesMax: 100, readTimeoutMs: 10, requestTimeoutMs: 10 };
  const world = await World.start(limits);
  await world.send("x".repeat(200));
  assert(world.wire.received.includes("request_too_large"), world.wire.received);
  assert(world.isOpenAt(FAR), "its reply is on the way");
  const began = performance.now();
  while (!world.wire.isClosed) await world.send("x".repeat(1000));
  const took = performance.now() - began;
  assert(took > 500 && took < 5000, `${took} ms`);
  await world.done;
  await LocalKarma.timersDone();
});

Deno.test("session: the acceptor looks at all of them a few times a second", async () => {
  const karma = await LocalKarma.start(new MemoryDisk("/dumps"));
  for (const isLimited of [true, false]) {
    const wires = [new Wire(), new Wire()];
    const waiting = wires.slice();
    const stopped = Promise.withResolvers<never>();
    stopped.promise.catch(() => {});
    const listener = {
      accept: () => waiting.length > 0 ? Promise.resolve(waiting.shift()!) : stopped.promise,
      close: () => stopped.reject(new Error("closed")),
    };
    const options = {
      ...UNLIMITED,
      readTimeoutMs: isLimited ? 50 : 0,
      connectionsMax: 10,
      corsOrigins: [],
      noDelay: true,
      keepAlive: true,
      authTimeoutMs: 0,
      bufferBytesMax: 1 << 30,
      access: new Access(null, null),
      batchItemsMax: 10,
      replyBytesMax: 0,
    };
    const acceptor = new Acceptor([listener], karma.engine, options, descriptors(), () => {});
    const running = acceptor.run();
    await sleep(5);
    assertEquals(karma.engine.statistics.connections, 2);
    const began = performance.now();
    while (performance.now() - began < 700) {
      wires[1].send(PING); // it keeps talking
      await sleep(10);
    }
    assertEquals(wires.map(({ isClosed }) => isClosed), [isLimited, false]);
    assertEquals(karma.engine.statistics.connections, isLimited ? 1 : 2);
    await acceptor.stop();
    await running;
    await sleep(5);
    assertEquals(wires.map(({ isClosed }) => isClosed), [true, true]);
    assertEquals(karma.engine.statistics.connections, 0);
  }
  await LocalKarma.timersDone();
});

Deno.test("session: pipelined sums over long runs are done in short slices", async () => {
  const world = await World.start({});
  const tree = world.karma.forest.create("d");
  const days = [1000, 20_000]; // one in a run, one in chunks
  for (const [key, count] of days.entries()) {
    for (let day = 1; day <= count; day++) {
      tree.add(key, 0, 10000 * (2000 + Math.floor(day / 300)) + 101 + day % 300, 1, 0);
    }
  }
  const efforts: number[] = [];
  const work = world.session.work;
  world.session.work = () => {
    work.call(world.session);
    efforts.push(effort.work);
  };
  const sums = days.map((_, key) => `{"v":2,"op":"counter.sum","series":"d","key":${key}}\n`);
  world.wire.send(sums.join("").repeat(600));
  await world.end();
  assertEquals(world.wire.received.split("\n").length - 1, 1200);
  const least = Math.min(...days) / 2;
  assert(efforts.reduce((all, one) => all + one) > 1200 * least, "sums count");
  assert(Math.max(...efforts) < 131_072 + 4096, `a slice of ${Math.max(...efforts)}`);
  assert(Math.max(...efforts) > 60_000, "it would have been longer");
});
