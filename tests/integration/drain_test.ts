// Stopping a busy Karma: every request that was sent before the signal is answered, however many clients there
// are, and whatever else the machine does; and neither those that go on sending nor those that don't hold it up.
//
// Few clients and one round by default. KARMA_DRAIN_CLIENTS=3000 and KARMA_DRAIN_ROUNDS=100 make it more.

import { assert, assertEquals } from "@std/assert";
import { Client, success } from "../support/client.ts";
import { Server } from "../support/server.ts";

const clientCount = Number(Deno.env.get("KARMA_DRAIN_CLIENTS") ?? 500);
const rounds = Number(Deno.env.get("KARMA_DRAIN_ROUNDS") ?? 1);

const PING = '{"command":"ping"}';
const INCREMENT = '{"command":"increment","tree_name":"t","key":1}\n';

/** Clients that have been accepted; closed in the end. */
class Clients implements Disposable {
  readonly all: Client[] = [];

  static async connect(port: number, count: number): Promise<Clients> {
    const clients = new Clients();
    for (let index = 0; index < count; index++) {
      const client = await Client.connect(port);
      clients.all.push(client);
      assertEquals(await client.ask(PING), success('"pong"'));
    }
    return clients;
  }

  [Symbol.dispose](): void {
    for (const client of this.all) client.close();
  }
}

/** Keeps processors busy until it is disposed. */
class BusyLoops implements AsyncDisposable {
  readonly #processes = Array.from({ length: 4 }, () => {
    return new Deno.Command("/bin/sh", { args: ["-c", "while :; do :; done"] }).spawn();
  });

  async [Symbol.asyncDispose](): Promise<void> {
    for (const process of this.#processes) process.kill("SIGKILL");
    await Promise.all(this.#processes.map(({ status }) => status));
  }
}

/** Asserts that every client gets all its replies, and then the end. */
async function assertAnswered({ all }: Clients, requests: number): Promise<void> {
  await Promise.all(all.map(async (client, index) => {
    for (let reply = 0; reply < requests; reply++) {
      const line = await client.line();
      assert(line === success(1), `${index}: reply ${reply} is ${line}`);
    }
    await client.atEnd();
    client.close();
  }));
  all.length = 0;
}

for (const requests of [1, 64]) {
  Deno.test(`drain: many clients that sent ${requests} while the process was stopped are answered`, async () => {
    for (let round = 0; round < rounds; round++) {
      await using server = await Server.start();
      using clients = await Clients.connect(server.port, clientCount);
      server.signal("SIGSTOP");
      for (const client of clients.all) await client.send(INCREMENT.repeat(requests));
      server.signal("SIGINT");
      server.signal("SIGCONT");
      await assertAnswered(clients, requests);
      assertEquals(await server.ended(), 0, `round ${round}`);
    }
  });
}

Deno.test("drain: pipelines that were sent before the signal are answered beside four busy loops", async () => {
  for (let round = 0; round < rounds; round++) {
    await using server = await Server.start();
    using clients = await Clients.connect(server.port, 8);
    await using _loops = new BusyLoops();
    await Promise.all(clients.all.map((client) => client.send(INCREMENT.repeat(5000))));
    server.signal("SIGTERM");
    await assertAnswered(clients, 5000);
    assertEquals(await server.ended(), 0, `round ${round}`);
  }
});

Deno.test("drain: a client that never stops sending gets a reply to whatever was carried out", async () => {
  await using server = await Server.start();
  using client = await Client.connect(server.port);
  using idle = await Client.connect(server.port);
  assertEquals(await idle.ask(PING), success('"pong"'));
  let replies = 0;
  const asking = (async () => {
    for (;; replies++) assertEquals(await client.ask(INCREMENT.trim()), success(1));
  })().catch(() => {}); // until the end
  while (replies < 100) await idle.ask(PING);
  server.signal("SIGTERM");
  await idle.atEnd();
  await asking;
  assertEquals(await server.ended(), 0);
  // What is in the dump was answered, but for a request that the end overtook.
  await using next = await Server.start({ directory: server.directory });
  using witness = await Client.connect(next.port);
  const sum = await witness.ask('{"command":"sum","tree_name":"t","key":1}');
  assertEquals(sum, success(replies));
});
