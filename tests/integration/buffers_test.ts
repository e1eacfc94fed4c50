// Buffers over all connections: requests that never end and replies that nobody reads are bounded, whoever
// takes least goes on, and the memory comes back.
//
// KARMA_BUFFER_CLIENTS makes it harder: how many clients attack, 1000 in the figures of the documents.

import { assert, assertEquals, assertMatch } from "@std/assert";
import { Client, failureV2 } from "../support/client.ts";
import { eventually, Server } from "../support/server.ts";

const CLIENTS = Number(Deno.env.get("KARMA_BUFFER_CLIENTS") ?? 200);
const DEAF_CLIENTS = 40;
const MIB = 1 << 20;
const BOUND_BYTES = 16 * MIB;
const ARGS = [`--max-buffer-memory=${BOUND_BYTES}`];

/** What a process may grow by beside its buffers: garbage until it is collected, and what the system keeps. */
const BESIDE_BYTES_MAX = 112 * MIB;

const PING = '{"v":2,"op":"system.ping"}';
const PONG = '{"protocol_version":2,"success":true,"response":"pong","error_code":null}';
const LARGE_PING = PING.replace("{", `{"padding":"${"x".repeat(MIB - 100)}",`);
const FULL = /The buffers of all connections are full: .*"request_too_large"/;

/** What clients had come to hear when their connections ended. */
interface Heard {
  ended: number;
  readonly texts: string[];
}

/** Clients that go at the end of a test. */
async function crowd(port: number, count: number): Promise<Client[] & Disposable> {
  const clients: Client[] = [];
  while (clients.length < count) clients.push(await Client.connect(port));
  return Object.assign(clients, {
    [Symbol.dispose]: () => clients.forEach((client) => client[Symbol.dispose]()),
  });
}

/** Lets clients hear what comes until their connections end. */
function listen(clients: readonly Client[]): Heard {
  const heard: Heard = { ended: 0, texts: [] };
  const decoder = new TextDecoder();
  for (const client of clients) {
    (async () => {
      for (let part = await client.sip(4096); part.length > 0; part = await client.sip(4096)) {
        heard.texts.push(decoder.decode(part));
      }
    })().catch(() => {}).finally(() => heard.ended++);
  }
  return heard;
}

Deno.test("buffers: requests that never end are bounded, and the largest go first", async () => {
  await using server = await Server.start({ args: ARGS });
  using witness = await Client.connect(server.port);
  using modest = await Client.connect(server.port);
  assertEquals(await witness.ask(LARGE_PING), PONG);
  const before = await server.memory();
  await modest.send(PING.slice(0, 10)); // a request that is begun, too, but a small one

  using attackers = await crowd(server.port, CLIENTS);
  const heard = listen(attackers);
  const unfinished = LARGE_PING.slice(0, -10);
  const sent = await Promise.allSettled(attackers.map((client) => client.send(unfinished)));
  await eventually(
    "Only as many are left as fit",
    () => heard.ended >= CLIENTS - BOUND_BYTES / MIB,
  );
  const peak = await server.memory() - before;
  assert(peak < BOUND_BYTES + BESIDE_BYTES_MAX, `${peak} bytes`);
  for (const text of heard.texts) assertMatch(text, FULL);
  assert(sent.some(({ status }) => status === "fulfilled"), "some were taken whole");

  // Small and large requests of others are still answered: those of attackers make room, a large one as soon as
  // attackers that hold as much wait for more, and not while their bytes are still being read.
  assertEquals(await witness.ask(PING), PONG);
  await eventually("A large request is answered", async () => {
    using large = await Client.connect(server.port);
    return await large.ask(LARGE_PING).catch(() => "") === PONG;
  });
  assertEquals(await witness.ask(PING), PONG);
  await modest.send(`${PING.slice(10)}\n`);
  assertEquals(await modest.line(), PONG);
});

Deno.test("buffers: memory comes back when those who took it have gone", async () => {
  const args = [`--max-buffer-memory=${200 * MIB}`];
  // As packaging/karma.service sets it: glibc otherwise keeps much of what Deno 2.6, in the binary, frees.
  const env = { MALLOC_MMAP_THRESHOLD_: "131072" };
  await using server = await Server.start({ args, env });
  using witness = await Client.connect(server.port);
  const before = await server.memory();
  {
    using attackers = await crowd(server.port, 100);
    const unfinished = LARGE_PING.slice(0, -10);
    await Promise.all(attackers.map((client) => client.send(unfinished)));
    await eventually("It is held", async () => await server.memory() - before > 80 * MIB);
  }
  await eventually("It is given back", async () => {
    assertEquals(await witness.ask(PING), PONG);
    return await server.memory() - before < 60 * MIB;
  });
});

Deno.test("buffers: replies that nobody reads are bounded, and others get theirs", async () => {
  await using server = await Server.start({ args: [`--max-buffer-memory=${8 * MIB}`] });
  using witness = await Client.connect(server.port);
  // The shortest way to a long reply: one that says what was wrong.
  const request = JSON.stringify({ v: 2, op: "x".repeat(300_000) });
  const reply = failureV2(`Unknown op ${"x".repeat(300_000)}`, "unknown_command");
  assert(await witness.ask(request) === reply);

  using deaf = await crowd(server.port, DEAF_CLIENTS);
  // Many each, so that they don't fit the system's buffers.
  const many = `${request}\n`.repeat(30);
  const sending = deaf.map((client) => client.send(many).catch(() => {})); // the server stops reading
  // A reply lies in half a mebibyte.
  const fit = 16 + 2;
  await eventually("Only as many are left as fit", async () => {
    const stats = JSON.parse(await witness.ask('{"v":2,"op":"system.metrics"}')).response;
    return Number(/^karma_connections (\d+)$/m.exec(stats)![1]) <= fit;
  });
  // Who asks while all of them are still being answered may be told to try again later.
  await eventually("Others get all of theirs", async () => {
    using other = await Client.connect(server.port);
    return await other.ask(request).catch(() => "") === reply;
  });
  deaf[Symbol.dispose]();
  await Promise.all(sending);
});
