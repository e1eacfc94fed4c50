// Those who don't speak our protocol, or have no token: what they are told, how much they may hold, and
// that they keep nobody else out.

import { assert, assertEquals, assertMatch } from "@std/assert";
import { Client, failureV2 } from "../support/client.ts";
import { eventually, Server } from "../support/server.ts";

const TOKEN = "right-token";
const PING = `{"v":2,"op":"system.ping","token":"${TOKEN}"}`;
const PONG = '{"protocol_version":2,"success":true,"response":"pong","error_code":null}';
const INCREMENT = '{"v":2,"op":"counter.increment","series":"t","key":1}';
const LIST = '{"v":2,"op":"tree.list"}';
const NO_TREES = '{"protocol_version":2,"success":true,"response":[],"error_code":null}';
const UNAUTHORIZED = failureV2("Unauthorized", "unauthorized");

/** Far above what anything here takes, and below what the linger of a refused connection would add. */
const AT_ONCE_MS = 700;

const encoder = new TextEncoder();
const latin1 = new TextDecoder("latin1");

/** Closes clients at the end of a test, whatever happened. */
function disposing(clients: readonly Client[]): Disposable {
  return { [Symbol.dispose]: () => clients.forEach((client) => client[Symbol.dispose]()) };
}

/** Sends bytes in pieces of a size and returns all that comes until the connection ends. */
async function say(port: number, bytes: Uint8Array, piece: number): Promise<string> {
  using client = await Client.connect(port);
  let told = "";
  const hearing = (async () => {
    for (let part = await client.sip(4096); part.length > 0; part = await client.sip(4096)) {
      told += latin1.decode(part);
    }
  })();
  try {
    for (let at = 0; at < bytes.length; at += piece) {
      await client.send(bytes.subarray(at, at + piece));
    }
  } catch { /* it may have closed before all was sent */ }
  await hearing.catch(() => {});
  return told;
}

Deno.test("strangers: what comes behind a request line of HTTP is no line of JSON", async () => {
  // Behind other lines it is refused, and where it is left out by --protocols.
  await behindHttp(
    ["--protocols=json"],
    "",
    /^HTTP\/1\.1 400 [^]*\r\n\r\n\{"protocol_version":2,.*no HTTP.*\}\n$/,
  );
  await behindHttp([], "\n", /^HTTP\/1\.1 400 [^]*\r\n\r\n\{"protocol_version":2,.*no HTTP.*\}\n$/);
  await behindHttp([], "", /^HTTP\/1\.[01] 4\d\d /);
});

async function behindHttp(args: string[], before: string, answer: RegExp): Promise<void> {
  await using server = await Server.start({ args });
  const body = `${INCREMENT}\n`.repeat(3);
  const heads = [
    `POST / HTTP/1.1\r\nHost: karma\r\nContent-Length: ${body.length}\r\nConnection: close\r\n\r\n`,
    `post /x?y HTTP/1.0\n\n`,
    `M-SEARCH * HTTP/1.1\r\n\r\n`,
    `PUT / HTTP/1.1\r\n`,
  ];
  for (const head of heads) {
    const bytes = encoder.encode(before + head + body);
    for (const piece of [1, 7, bytes.length]) {
      const told = await say(server.port, bytes, piece);
      assertMatch(told.slice(told.indexOf("HTTP/1.")), answer); // a blank line is one of ours, and answered
    }
  }
  using witness = await Client.connect(server.port);
  assertEquals(await witness.ask(LIST), NO_TREES);
  const response = await fetch(`http://127.0.0.1:${server.port}/`, { method: "POST", body });
  assert([400, 404].includes(response.status));
  assertMatch((await response.json()).error_code, /unsupported_protocol|unknown_command/);
  assertEquals(await witness.ask(LIST), NO_TREES);
}

Deno.test("strangers: a greeting of TLS is answered with a line, however it is cut", async () => {
  await using server = await Server.start();
  const greeting = [0x16, 3, 1, 0, 60, 1, 0, 0, 56, 3, 3, ...encoder.encode("x".repeat(32))];
  for (const behind of ["", `\n${INCREMENT}\n${INCREMENT}\n`]) {
    const bytes = Uint8Array.from([...greeting, ...encoder.encode(behind)]);
    for (const piece of [1, 2, bytes.length]) {
      const told = await say(server.port, bytes, piece);
      assertMatch(told, /^\{"protocol_version":2,.*no TLS.*"unsupported_protocol"\}\n$/);
    }
  }
  using witness = await Client.connect(server.port);
  assertEquals(await witness.ask(LIST), NO_TREES);
});

Deno.test("strangers: behind the header of a proxy no reply is taken for another's", async () => {
  await using server = await Server.start();
  const heads = ["PROXY TCP4 10.0.0.7 10.0.0.1 5000 8080\r\n", "\r\n\r\n\0\r\nQUIT\n!\x11\0\x0c"];
  for (const head of heads) {
    const bytes = encoder.encode(`${head}${INCREMENT}\n${INCREMENT}\n`);
    for (const piece of [1, bytes.length]) {
      const told = await say(server.port, bytes, piece);
      assertMatch(told, /\{"protocol_version":2,.*no PROXY protocol.*"unsupported_protocol"\}\n$/);
    }
  }
  using witness = await Client.connect(server.port);
  assertEquals(await witness.ask(LIST), NO_TREES);
});

Deno.test("strangers: after request_too_large a pooled connection fails at once", async () => {
  const bytesMax = 4096;
  await using server = await Server.start({ args: [`--max-request-bytes=${bytesMax}`] });
  for (const excess of [1, 100, 1 << 20, 8 << 20]) {
    using client = await Client.connect(server.port);
    await client.send(`${"x".repeat(bytesMax + excess)}\n`);
    const refusal = failureV2(`Request exceeds ${bytesMax} bytes`, "request_too_large");
    assertEquals(await client.line(), refusal);
    // As Karma 1.x's client in Ruby: an end of file is an error, but only a failing write makes it connect anew.
    const began = performance.now();
    let calls = 0;
    for (;; calls++) {
      try {
        await client.send(`${INCREMENT}\n`);
      } catch {
        break;
      }
      await client.atEnd().catch(() => {}); // a reset is as good
    }
    const took = performance.now() - began;
    assert(took < AT_ONCE_MS, `${excess}: ${calls} calls failed within ${took} ms`);
  }
  using witness = await Client.connect(server.port);
  assertEquals(await witness.ask(LIST), NO_TREES);
});

Deno.test("strangers: together they hold little, and a first request may be a large one", async () => {
  const bufferBytes = 64 << 20;
  const args = [`--auth-token=${TOKEN}`, `--max-buffer-memory=${bufferBytes}`];
  await using server = await Server.start({ args });
  using known = await Client.connect(server.port);
  assertEquals(await known.ask(PING), PONG);
  const padded = (bytes: number) => PING.replace("{", `{"padding":"${"x".repeat(bytes)}",`);

  const strangers: Client[] = [];
  using _strangers = disposing(strangers);
  while (strangers.length < 100) strangers.push(await Client.connect(server.port));
  let ended = 0;
  const told: string[] = [];
  for (const stranger of strangers) {
    (async () => {
      for (let part = await stranger.sip(4096); part.length > 0; part = await stranger.sip(4096)) {
        told.push(latin1.decode(part));
      }
    })().catch(() => {}).finally(() => ended++);
  }
  const unfinished = padded(1_000_000).slice(0, -10);
  for (const stranger of strangers) stranger.send(unfinished).catch(() => {});
  // A mebibyte each: of a sixteenth of all buffers.
  await eventually("Only as many are left as fit", () => ended >= strangers.length - 4);
  for (const text of told) assertMatch(text, /without a right token .*"request_too_large"/);
  assertEquals(await known.ask(PING), PONG);
  assertEquals(await known.ask(padded(900_000)), PONG);

  // Beside those that are left, as soon as they wait: while their bytes are being read none of them is cut.
  for (const bytes of [8_192, 100_000, 500_000]) {
    await eventually(`A first request of ${bytes} bytes is answered`, async () => {
      using newcomer = await Client.connect(server.port);
      return await newcomer.ask(padded(bytes)).catch(() => "") === PONG;
    });
  }
});

Deno.test("strangers: who shows no token is cut after --auth-timeout", async () => {
  const args = [`--auth-token=${TOKEN}`, "--auth-timeout=1"];
  await using server = await Server.start({ args });
  using known = await Client.connect(server.port);
  assertEquals(await known.ask(PING), PONG);
  const began = performance.now();
  const idle = await Promise.all(["", PING.slice(0, 9), '{"v":2,"op":"system.ping"}\n'].map(
    async (text) => {
      const client = await Client.connect(server.port);
      await client.send(text);
      return client;
    },
  ));
  using _idle = disposing(idle);
  assertEquals(await idle[2].line(), UNAUTHORIZED);
  for (const client of idle) await client.atEnd();
  assert(performance.now() - began > 800, "they have had their second");
  assertEquals(await known.ask(PING), PONG);
  await server.says(/^Request without a right token: from 127\.0\.0\.1/m);
});

Deno.test("strangers: idle ones keep nobody out, and a flood of wrong tokens is told in few lines", async () => {
  const max = 20;
  const args = [`--auth-token=${TOKEN}`, `--max-connections=${max}`, "--auth-timeout=3600"];
  await using server = await Server.start({ args });
  using known = await Client.connect(server.port);
  assertEquals(await known.ask(PING), PONG);
  const strangers: Client[] = [];
  using _strangers = disposing(strangers);
  while (strangers.length < max - 1) strangers.push(await Client.connect(server.port));
  const served: Client[] = [];
  using _served = disposing(served);
  while (served.length < max - 1) {
    await eventually("A stranger makes room", async () => {
      const client = await Client.connect(server.port);
      served.push(client);
      if (await client.ask(PING) === PONG) return true;
      served.pop()!.close();
      return false;
    });
  }
  for (const stranger of strangers) await stranger.atEnd();
  for (const client of [known, ...served]) assertEquals(await client.ask(PING), PONG);
  // Those who are known make no room.
  using late = await Client.connect(server.port);
  assertEquals(await late.line(), failureV2("Too many connections", "too_many_connections"));
  await server.says(/^Connection refused: 127\.0\.0\.1; 20 are open/m);

  const wrong = PING.replace(TOKEN, "wrong");
  for (let round = 0; round < 20; round++) {
    const replies = await known.pipeline(Array(100).fill(wrong));
    assert(replies.every((reply) => reply === UNAUTHORIZED));
  }
  await eventually("All are counted", () => told(server) === 2000);
  assert(server.stderr.split("\n").length < 60, server.stderr);
});

/** How many requests with wrong tokens the log has told of. */
function told({ stderr }: Server): number {
  const lines = [...stderr.matchAll(/^Request without a right token: .*?(?:\((\d+) times.*)?$/gm)];
  return lines.reduce((sum, [, times]) => sum + Number(times ?? 1), 0);
}
