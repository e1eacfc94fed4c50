// A long reply to clients that read slowly or not at all: it arrives whole, the process's memory
// stays small, and nobody else waits.

import { assert, assertEquals } from "@std/assert";
import { Client, success } from "../support/client.ts";
import { originalDump } from "../support/original_dump.ts";
import { Server, TemporaryDirectory } from "../support/server.ts";

const KEYS = 50_000;
const DAYS = Array.from({ length: 28 }, (_, day) => 20230201 + day);
const FIND_ALL = '{"command":"find","tree_name":"t","time_from":0,"time_to":99999999}\n';
const PING = '{"command":"ping"}';

/** Clients that ask for the long reply, some twenty megabytes each, and don't read it. */
const DEAF_CLIENTS = 8;
/** Less than two such replies, whatever the garbage collector does. */
const GROWTH_MAX = 32 << 20;

/** What the slow client reads at once, and how often. */
const SIP_BYTES = 65536;
const SIP_MS = 2;

/**
 * How many pings are answered while the slow client reads, at the least. A find that kept the loop until its client
 * has read would let none through. Counted, because on a busy machine no ping is surely quick: beside a load
 * of 13 on two cores 223 were answered.
 */
const PINGS_MIN = 20;

/** As long as keys can be. */
function keyAt(index: number): bigint {
  return (1n << 64n) - BigInt(KEYS - index) * 1_000_003n;
}

const valueAt = (index: number, day: number) => BigInt((index * 31 + day) % 1000 + 1);

function putDump(directory: TemporaryDirectory): void {
  const counters = Array.from({ length: KEYS }, (_, index): [bigint, Map<number, bigint>] => {
    return [keyAt(index), new Map(DAYS.map((day) => [day, valueAt(index, day)]))];
  });
  Deno.writeFileSync(directory.join("1_t.tree"), originalDump(counters));
}

/** The reply to `find`; keys come in ascending order. */
function wholeReply(): string {
  const counters = Array.from({ length: KEYS }, (_, index) => {
    return `"${keyAt(index)}":{${DAYS.map((day) => `"${day}":${valueAt(index, day)}`)}}`;
  });
  return success(`{${counters}}`);
}

/** Reads the whole reply in small sips. */
async function readSlowly(client: Client, length: number): Promise<string> {
  const decoder = new TextDecoder();
  let text = "";
  while (text.length < length) {
    text += decoder.decode(await client.sip(SIP_BYTES), { stream: true });
    await new Promise((done) => setTimeout(done, SIP_MS));
  }
  return text;
}

/** How many pings are answered while something else goes on. */
async function pingDuring(client: Client, work: Promise<unknown>): Promise<number> {
  let going = true;
  const end = work.finally(() => going = false);
  let pings = 0;
  while (going) {
    assertEquals(await client.ask(PING), success('"pong"'));
    if (going) pings++;
    await new Promise((done) => setTimeout(done, 1));
  }
  await end;
  return pings;
}

Deno.test("slow reader: a long find arrives whole, in little memory, and holds up nobody", async () => {
  using directory = new TemporaryDirectory();
  putDump(directory);
  const wanted = `${wholeReply()}\r\n`;
  await using server = await Server.start({ directory: directory.path });
  using witness = await Client.connect(server.port);
  using slow = await Client.connect(server.port);
  const before = await server.memory();

  const deaf: Client[] = [];
  using _deaf = { [Symbol.dispose]: () => deaf.forEach((client) => client.close()) };
  while (deaf.length < DEAF_CLIENTS) deaf.push(await Client.connect(server.port));
  for (const client of deaf) await client.send(FIND_ALL);

  await slow.send(FIND_ALL);
  const reading = readSlowly(slow, wanted.length);
  const pings = await pingDuring(witness, reading);
  assert(pings >= PINGS_MIN, `only ${pings} pings were answered meanwhile`);
  assert(await reading === wanted, "The slow client got something else");
  const grown = await server.memory() - before;
  assert(grown < GROWTH_MAX, `${grown} bytes`);

  // The deaf ones have waited all the while; now they read after all.
  const hearing = Promise.all(deaf.slice(0, 2).map((client) => client.line()));
  assert(await pingDuring(witness, hearing) > 0, "no ping was answered while others read");
  for (const line of await hearing) assert(`${line}\r\n` === wanted, "A deaf client got less");
  assertEquals(await server.stop(), 0);
});
