// An HTTP session on a connection that the test plays, before a server of the runtime: what is relayed, what is cut, when.

import { assert, assertEquals, assertMatch } from "@std/assert";
import { BufferPool } from "../../../../lib/bytes/buffer_pool.ts";
import { HostError } from "../../../../lib/errors.ts";
import { sleep } from "../../../../lib/host/clock.ts";
import { openHttpServer } from "../../../../lib/host/http_server.ts";
import { Statistics } from "../../../../lib/metrics/statistics.ts";
import type { Gate } from "../../../../lib/server/gate.ts";
import { Handler } from "../../../../lib/server/http/handler.ts";
import { HttpSession } from "../../../../lib/server/http/http_session.ts";
import { TurnBudget } from "../../../../lib/server/turn_budget.ts";
import { LocalKarma } from "../../../support/local_karma.ts";

const PING = "POST /v2/system.ping HTTP/1.1\r\nHost: karma\r\nContent-Type: application/json\r\n" +
  "Content-Length: 2\r\n\r\n{}";
const LIMITS = {
  protocols: new Set(["http" as const]),
  requestBytesMax: 1 << 20,
  requestTimeoutMs: 60_000,
  readTimeoutMs: 0,
  writeTimeoutMs: 0,
};
/** Longer than the session keeps a connection without requests. */
const LONG_MS = 80_000;

const encoder = new TextEncoder();
const decoder = new TextDecoder();

/** A session, and its client's end. */
class World {
  readonly pool = new BufferPool();
  readonly gate: Gate;
  readonly session: HttpSession;
  readonly done: Promise<void>;
  readonly failures: HostError[] = [];
  text = "";
  isClosed = false;
  hasEnded = false;
  readonly #sent: (Uint8Array | null)[] = [];
  #wake = () => {};

  constructor(karma: LocalKarma, first: string, isFull = false) {
    this.gate = karma.gate;
    const connection = {
      read: (into: Uint8Array<ArrayBuffer>) => this.#read(into),
      write: (bytes: Uint8Array<ArrayBuffer>) => {
        this.text += decoder.decode(bytes);
        return Promise.resolve(bytes.length);
      },
      closeWrite: () => Promise.resolve(void (this.hasEnded = true)),
      close: () => {
        this.isClosed = true;
        this.send(null);
      },
    };
    const full = () => Promise.reject(new HostError("HTTP could not be served", "full"));
    this.session = new HttpSession(connection, encoder.encode(first), {
      open: isFull ? full : openHttpServer,
      handler: new Handler({ corsOrigins: [] }, () => null),
      limits: LIMITS,
      gate: this.gate,
      turnBudget: new TurnBudget(new Statistics()),
      pool: this.pool,
      failed: (error) => this.failures.push(error),
      session: (body, envelope) => karma.session(body, envelope),
    });
    this.done = this.session.run();
  }

  /** Sends bytes; null: no more will come. */
  send(text: string | null): void {
    this.#sent.push(text === null ? null : encoder.encode(text));
    this.#wake();
  }

  /** Waits for something to be answered. */
  async says(pattern: RegExp): Promise<void> {
    while (!pattern.test(this.text)) {
      assert(!this.isClosed, this.text);
      await sleep(1);
    }
  }

  async #read(into: Uint8Array): Promise<number | null> {
    while (this.#sent.length === 0) await new Promise<void>((resolve) => this.#wake = resolve);
    const bytes = this.#sent.shift()!;
    into.set(bytes ?? []);
    return bytes === null ? null : bytes.length;
  }
}

Deno.test("http session: requests are answered one after the other, and nothing is kept", async () => {
  const karma = await LocalKarma.start();
  const world = new World(karma, PING.slice(0, 20));
  world.send(PING.slice(20));
  await world.says(/"pong","error_code":null\}\n$/);
  world.send(PING + PING);
  await world.says(/(pong[^]*){3}/);
  assert(world.session.idle && world.session.isTalking);
  world.send(null);
  await world.done;
  assert(world.isClosed && world.hasEnded);
  world.pool.trim();
  assertEquals(world.pool.held, 0);
});

Deno.test("http session: dismissed between two requests it ends its side, and waits for the client's end", async () => {
  const karma = await LocalKarma.start();
  const world = new World(karma, PING);
  await world.says(/pong/);
  world.session.dismiss();
  while (!world.hasEnded) await sleep(1);
  world.send(PING); // too late, and dropped
  world.send(null);
  await world.done;
  assertEquals(world.text.match(/pong/g)?.length, 1);
});

Deno.test("http session: without a request, with half of one, or with an endless head, it does not stay", async () => {
  const karma = await LocalKarma.start();
  const kept = new World(karma, PING);
  await kept.says(/pong/);
  const now = performance.now();
  kept.session.expire(now);
  kept.session.expire(now + LONG_MS / 2);
  assert(!kept.hasEnded);
  kept.session.expire(now + LONG_MS);
  while (!kept.hasEnded) await sleep(1);
  kept.send(null);

  const half = new World(karma, PING.slice(0, -30));
  let waited = 0;
  for (; !half.isClosed; waited += 1000) {
    half.session.expire(now + waited);
    await sleep(1);
  }
  assert(waited > LIMITS.requestTimeoutMs && waited < 2 * LIMITS.requestTimeoutMs, `${waited}`);

  const endless = new World(karma, "POST /v2 HTTP/1.1\r\nHost: karma\r\n");
  for (let line = 0; line < 100; line++) endless.send(`X-${line}: ${"x".repeat(2000)}\r\n`);
  while (!endless.hasEnded) await sleep(1);
  endless.send(null);
  await Promise.all([kept.done, half.done, endless.done]);
});

Deno.test("http session: a stranger until a right token has come", async () => {
  const karma = await LocalKarma.start(undefined, { token: "right" });
  const world = new World(karma, PING);
  await world.says(/"unauthorized"\}\n$/);
  assert(world.gate.makeRoom(performance.now() + LONG_MS), "it may be closed for another");
  await world.done;
  const known = new World(
    karma,
    PING.replace("Host", "Authorization: Bearer right\r\nHost"),
  );
  await known.says(/pong/);
  assert(!known.gate.makeRoom(performance.now() + LONG_MS), "it is no stranger");
  known.send(null);
  await known.done;
});

Deno.test("http session: where there is no room for a server, the client is told", async () => {
  const world = new World(await LocalKarma.start(), PING, true);
  await world.done;
  assertMatch(world.text, /^HTTP\/1\.1 503 [^]*too_many_connections/);
  assertEquals(world.failures.length, 1);
  assert(world.isClosed);
});
