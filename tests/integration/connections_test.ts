// Connections of every kind of client: hasty, slow, deaf, endless, vanishing, and too many.

import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { once } from "node:events";
import { connect } from "node:net";
import { Client, failure, failureV2, success } from "../support/client.ts";
import { eventually, Server } from "../support/server.ts";

const PING = '{"command":"ping"}';
const PONG = success('"pong"');
const TOO_MANY = failureV2("Too many connections", "too_many_connections");
const FIND_ALL = '{"command":"find","tree_name":"t","time_from":0,"time_to":99999999}';
const increment = (key: number | bigint) => `{"command":"increment","tree_name":"t","key":${key}}`;
const sum = (key: number) => `{"command":"sum","tree_name":"t","key":${key}}`;

/** Closes the client's end and gives a test's clients back at its end, whatever happened. */
function disposing(clients: readonly Client[]): Disposable {
  return { [Symbol.dispose]: () => clients.forEach((client) => client[Symbol.dispose]()) };
}

Deno.test("connections: a half close with and without a last line feed", async () => {
  await using server = await Server.start();
  for (const last of ["\n", "\r\n", "\r", ""]) {
    using client = await Client.connect(server.port);
    await client.send(`${PING}\n${PING}${last}`);
    await client.end();
    assertEquals(await client.lines(2), [PONG, PONG]);
    await client.atEnd();
  }
  // What is not whole is answered too; nothing at all is not.
  using half = await Client.connect(server.port);
  await half.send(`${PING}\n${PING.slice(0, 8)}`);
  await half.end();
  const [pong, fault] = await half.lines(2);
  assertEquals([pong, fault], [PONG, failure("Invalid JSON: unexpected end at byte 9")]);
  await half.atEnd();
  using silent = await Client.connect(server.port);
  await silent.end();
  await silent.atEnd();
});

Deno.test("connections: a half close before a reply that takes time", async () => {
  await using server = await Server.start();
  using client = await Client.connect(server.port);
  const requests = Array.from({ length: 30_000 }, (_, key) => increment(key));
  const rest = [FIND_ALL, '{"command":"dump","tree_name":"t"}', FIND_ALL, PING];
  const sent = client.send([...requests, ...rest].join("\n")).then(() => client.end());
  await client.lines(requests.length);
  const [before, dump, after, pong] = await client.lines(rest.length);
  await sent;
  await client.atEnd();
  assertEquals(before.match(/"\d+":\{"\d{8}":1\}/g)?.length, requests.length);
  assert(before === after);
  assertEquals([dump, pong], [success('"Tree \\"t\\" saved"'), PONG]);
});

Deno.test("connections: 10 000 requests in one write are answered in their order", async () => {
  await using server = await Server.start();
  using client = await Client.connect(server.port);
  const requests: string[] = [];
  const replies: string[] = [];
  for (let count = 1; requests.length < 10_000; count++) {
    requests.push(increment(7), sum(7), `{"command":"no ${count}"}`, `#${count}`, "");
    replies.push(success(1), success(count), failure(`Unknown command no ${count}`));
    replies.push(failure("Invalid JSON: unexpected character at byte 1"));
    replies.push(failure("Invalid JSON: unexpected end at byte 1"));
  }
  assertEquals(await client.pipeline(requests), replies);
});

Deno.test("connections: 100 000 requests of a client that reads nothing until all are sent", async () => {
  await using server = await Server.start();
  using client = await Client.connect(server.port);
  using other = await Client.connect(server.port);
  const count = 100_000;
  let lines = "";
  for (let number = 0; number < count; number++) lines += `{"command":"${number}"}\n`;
  await client.send(lines);
  assertEquals(await other.ask(PING), PONG);
  for (let number = 0; number < count; number++) {
    const reply = await client.line();
    if (reply !== failure(`Unknown command ${number}`)) assertEquals(reply, `number ${number}`);
  }
  assertEquals(await client.ask(PING), PONG);
});

Deno.test("connections: a line over the limit is answered, and nothing after it", async () => {
  const bytesMax = 1000;
  await using server = await Server.start({ args: [`--max-request-bytes=${bytesMax}`] });
  const refusal = failure(`Request exceeds ${bytesMax} bytes`);
  const fits = PING.padEnd(bytesMax);
  for (const end of ["\n", "\r\n"]) {
    using client = await Client.connect(server.port);
    assertEquals(await client.pipeline([fits, PING]), [PONG, PONG]);
    // An increment behind the long line would show that it was read.
    await client.send(`${PING}\n${fits} ${end}${increment(1)}\n${PING}\n`);
    assertEquals(await client.lines(2), [PONG, refusal]);
    await client.atEnd();
  }
  using witness = await Client.connect(server.port);
  assertEquals(await witness.ask('{"command":"trees"}'), success("[]"));
});

Deno.test("connections: a line over the limit is not waited for", async () => {
  const bytesMax = 1000;
  await using server = await Server.start({ args: [`--max-request-bytes=${bytesMax}`] });
  const refusal = failureV2(`Request exceeds ${bytesMax} bytes`, "request_too_large");
  using client = await Client.connect(server.port);
  await client.send("x".repeat(bytesMax + 2)); // no line feed, and the client stays
  assertEquals(await client.line(), refusal);
  await client.atEnd();

  // One that goes on sending can read its reply, and takes no memory.
  using endless = await Client.connect(server.port);
  const before = await server.memory();
  const flood = (async () => {
    const chunk = "x".repeat(1 << 20);
    for (let sent = 0; sent < 64; sent++) await endless.send(chunk);
  })().catch(() => {}); // the server may cut it
  assertEquals(await endless.line(), refusal);
  await flood;
  const grown = await server.memory() - before;
  assert(grown < 48 << 20, `${grown} bytes`);

  using ended = await Client.connect(server.port);
  await ended.send("x".repeat(bytesMax + 1));
  await ended.end();
  assertEquals(await ended.line(), refusal);
  await ended.atEnd();
});

Deno.test("connections: beyond --max-connections newcomers are told, and the others go on", async () => {
  await using server = await Server.start({ args: ["--max-connections=3"] });
  const clients = [await Client.connect(server.port), await Client.connect(server.port)];
  clients.push(await Client.connect(server.port));
  using _all = disposing(clients);
  for (const client of clients) assertEquals(await client.ask(PING), PONG);
  for (const client of clients) {
    using silent = await Client.connect(server.port);
    assertEquals(await silent.line(), TOO_MANY);
    await silent.atEnd();
    assertEquals(await client.ask(PING), PONG);
  }
  // A client that has asked before it is refused must be able to read that, too: nothing may reset
  // the connection. The process is held up so that the request surely comes first.
  server.signal("SIGSTOP");
  using asking = await Client.connect(server.port);
  await asking.send(`${PING}\n`);
  server.signal("SIGCONT");
  assertEquals(await asking.line(), TOO_MANY);
  await asking.atEnd();

  clients[1].close();
  await eventually("There is room again", async () => {
    using client = await Client.connect(server.port);
    return await client.ask(PING) === PONG;
  });
  assertEquals(await clients[0].ask(PING), PONG);
});

Deno.test("connections: one that is reset before it is accepted costs nobody a place", async () => {
  await using server = await Server.start();
  // What port scanners do, and health checks of some load balancers.
  server.signal("SIGSTOP");
  for (let attempt = 0; attempt < 5; attempt++) {
    const socket = connect(server.port, "127.0.0.1");
    await once(socket, "connect");
    socket.resetAndDestroy();
    await once(socket, "close");
  }
  server.signal("SIGCONT");
  const clients: Client[] = [];
  using _all = disposing(clients);
  for (let count = 0; count < 5; count++) {
    clients.push(await Client.connect(server.port));
    assertEquals(await clients[count].ask(PING), PONG, `${count} others; ${server.stderr}`);
  }
});

Deno.test("connections: running out of descriptors ends neither the process nor its dumps", async () => {
  await using server = await Server.start({ limits: "ulimit -n 256" });
  const clients: Client[] = [];
  using _all = disposing(clients);
  const served: Client[] = [];
  while (clients.length < 300) {
    const client = await Client.connect(server.port);
    clients.push(client);
    const reply = await client.ask(PING);
    if (reply === PONG) served.push(client);
    else assertEquals(reply, TOO_MANY);
  }
  assert(served.length >= 200, `${served.length} were served`);
  assertStringIncludes(server.stderr, "Connection could not be accepted: ");

  const [first] = served;
  for (const client of served) assertEquals(await client.ask(increment(1)), success(1));
  assertEquals(
    await first.ask('{"command":"dump","tree_name":"t"}'),
    success('"Tree \\"t\\" saved"'),
  );
  const dumps = await first.ask('{"command":"dumps"}');
  const file = /"(\d+_t\.tree)"/.exec(dumps)![1];
  assertEquals(
    await first.ask(`{"command":"load","tree_name":"${file}"}`),
    success('"Tree \\"t\\" loaded"'),
  );
  assertEquals(await first.ask(sum(1)), success(served.length));

  for (const client of served.splice(0, 50)) client.close();
  await eventually("There is room again", async () => {
    using client = await Client.connect(server.port);
    return await client.ask(PING) === PONG;
  });
  assertEquals(await server.stop(), 0);
});

Deno.test("connections: clients that vanish harm nobody", async () => {
  await using server = await Server.start({ args: ["--max-connections=20"] });
  using witness = await Client.connect(server.port);
  await witness.pipeline(Array.from({ length: 20_000 }, (_, key) => increment(key)));
  const partings = [
    "", // at once
    PING.slice(0, 10), // in the middle of a request
    `${PING}\n`.repeat(1000), // before it has read the replies, which resets the connection
    `${FIND_ALL}\n`.repeat(20), // in the middle of a long reply
    `${FIND_ALL}\n{"command":"dump","tree_name":"t"}\n`, // while a dump is written
    '{"command":"dump","tree_name":"t"}\n{"command":"reset","tree_name":"none"}\n',
  ];
  for (let round = 0; round < 10; round++) {
    for (const parting of partings) {
      await eventually("There is room", async () => {
        using client = await Client.connect(server.port);
        if (await client.ask(PING) !== PONG) return false;
        await client.send(parting);
        const answers = round % 2 === 1 && parting.endsWith("\n");
        if (answers) await client.sip(1);
        return true;
      });
      assertEquals(await witness.ask(PING), PONG);
    }
  }
  assertEquals(await witness.ask(sum(0)), success(1));
  assertEquals(await server.stop(), 0);
  assertEquals(server.stderr, "");
});
