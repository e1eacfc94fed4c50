// A channel between a client, a session and the runtime, all played by the test: what is a line, what is forwarded, and
// that it does not depend on how the bytes are cut.

import { assert, assertEquals } from "@std/assert";
import { BufferPool } from "../../../../lib/bytes/buffer_pool.ts";
import { Channel, type ChannelOwner } from "../../../../lib/server/http/channel.ts";
import { Random } from "../../../support/random.ts";

const encoder = new TextEncoder();
const decoder = new TextDecoder();

const RESPONSE = "HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\n{}\n";

function ask(path: string, body: string): string {
  return `POST ${path} HTTP/1.1\r\nHost: karma\r\nContent-Length: ${body.length}\r\n\r\n${body}`;
}

/** A client that sends chunks, and a runtime that answers each request that was forwarded whole. */
class World implements ChannelOwner {
  readonly pool = new BufferPool();
  readonly channel: Channel;
  readonly lines: string[] = [];
  forwarded = "";
  sent = "";
  writing: Promise<void> | null = null;
  readonly #chunks: string[];
  /** Makes what the runtime says of a request that was forwarded; null: it never says anything. */
  readonly #response: string | null;
  #answered = 0;

  constructor(chunks: readonly string[], response: string | null = RESPONSE) {
    this.#chunks = chunks.slice(1);
    this.#response = response;
    const connection = {
      read: (into: Uint8Array<ArrayBuffer>) => {
        const chunk = this.#chunks.shift();
        if (chunk === undefined) return Promise.resolve(null);
        const { read, written } = encoder.encodeInto(chunk, into);
        if (read < chunk.length) this.#chunks.unshift(chunk.slice(read));
        return Promise.resolve(written);
      },
      write: (bytes: Uint8Array<ArrayBuffer>) => {
        this.sent += decoder.decode(bytes);
        return Promise.resolve(bytes.length);
      },
      closeWrite: () => Promise.resolve(),
      close: () => {},
    };
    this.channel = new Channel(connection, this, encoder.encode(chunks[0]), this.pool);
  }

  giveWay = () => null;
  noteRead(): void {}
  noteWrite(): void {}
  ended = () => Promise.resolve();
  close(): void {}

  /** Plays the runtime: understands a request once all of it is there. */
  forward(bytes: Uint8Array<ArrayBuffer>): Promise<void> {
    this.forwarded += decoder.decode(bytes);
    for (;;) {
      const rest = this.forwarded.slice(this.#answered);
      const [head, length] = /^POST [^]*?Content-Length: (\d+)\r\n\r\n/.exec(rest) ?? [];
      if (head === undefined || rest.length < head.length + Number(length)) {
        return Promise.resolve();
      }
      this.#answered += head.length + Number(length);
      const operation = null;
      const token = encoder.encode(head.split(" ")[1]);
      this.channel.hear();
      const envelope = { operation, token, isWhole: true };
      const meaning = { envelope, bodyBytes: Number(length), wants429: false, extra: [] };
      this.channel.learn(meaning, 3);
      if (this.#response !== null) this.channel.see(encoder.encode(this.#response));
    }
  }

  /** Plays the session, until the client has ended. */
  async run(): Promise<this> {
    const space = new Uint8Array(2048);
    for (let count; (count = await this.channel.read(space)) !== null;) {
      const path = decoder.decode(this.channel.envelope.token!);
      const lines = decoder.decode(space.subarray(0, count)).split("\n");
      assertEquals(lines.pop(), "", "lines are whole");
      this.lines.push(...lines.map((line) => `${path} ${line}`));
      const replies = '{"protocol_version":2,"success":true}\n'.repeat(lines.length);
      assertEquals(await this.channel.write(encoder.encode(replies)), replies.length);
    }
    this.channel.release();
    this.pool.trim();
    assertEquals(this.pool.held, 0);
    return this;
  }
}

Deno.test("channel: the first request with a head is forwarded, the others are lines", async () => {
  const [a, b] = [ask("/a", '{"x":1}'), ask("/b", '{"x":1}')];
  const { lines, forwarded, sent } = await new World([a, a, b, a + a, b]).run();
  assertEquals(forwarded, a + b);
  assertEquals(lines, ["/a", "/a", "/a", "/b"].map((path) => `${path} {"x":1}`));
  assertEquals(sent.match(/HTTP\/1\.1 200 OK\r\n/g)?.length, 4);
});

Deno.test("channel: a body of several lines is one, and no body is an object", async () => {
  const [many, none] = [ask("/a", '{\n"x":\r\n1}\n'), ask("/b", "")];
  const { lines } = await new World([many, many, none, none]).run();
  assertEquals(lines, ['/a {\r"x":\r\r1}\r', "/b {}"]);
});

Deno.test("channel: where it is not beyond doubt that a request begins, everything is forwarded", async () => {
  const a = ask("/a", "{}");
  const unlike: [chunks: string[], response: string | null][] = [
    [[a + a, a], RESPONSE], // two at once
    [[a, a], null], // no response yet
    [[a, a], RESPONSE.slice(0, -1)], // in two pieces
    [[a, a], `${RESPONSE}HTTP`],
    [[a, a], "HTTP/1.1 100 Continue\r\n\r\n"],
    [[a.replaceAll("\r\n", "\n").replace("\n\n", "\r\n\r\n"), a], RESPONSE],
  ];
  for (const [chunks, response] of unlike) {
    const world = await new World(chunks, response).run();
    assertEquals([world.lines, world.sent], [[], ""]);
    assertEquals(world.forwarded, chunks.join(""));
  }
});

Deno.test("channel: lines and what is forwarded do not depend on the cuts", async () => {
  const seed = 20261127;
  const random = new Random(seed);
  const bodies = ['{"key":1}', '{"key":22}', "{}", '{\n"key":1}', `{"x":"${"y".repeat(900)}"}`];
  for (let round = 0; round < 200; round++) {
    const requests = Array.from({ length: 20 }, () => {
      return ask(random.chance(0.8) ? "/a" : "/b", random.pick(bodies));
    });
    const chunks = requests.flatMap((request) => {
      const cut = 1 + random.below(request.length - 1);
      return random.chance(0.5) ? [request] : [request.slice(0, cut), request.slice(cut)];
    });
    const { lines, forwarded } = await new World(chunks).run();
    const all = requests.map((request) => {
      const [, path, body] = /^POST (\S+)[^]*?\r\n\r\n([^]*)$/.exec(request)!;
      return { request, line: `${path} ${body.replaceAll("\n", "\r")}` };
    });
    const seen = new Set<string>();
    const expected = all.filter(({ request }) => seen.size === seen.add(headOf(request)).size);
    assertEquals(lines, expected.map(({ line }) => line), `seed ${seed}, round ${round}`);
    const first = all.filter(({ line }) => !expected.some((one) => one.line === line));
    assert(first.every(({ request }) => forwarded.includes(request)));
  }
});

function headOf(request: string): string {
  return request.slice(0, request.indexOf("\r\n\r\n"));
}
