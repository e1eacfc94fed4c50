// Weaknesses 6 to 9 of Karma 1.x, none of which is ours: restarts after
// which it counted twice, brought back what was dropped, or had lost what it was asked to keep.

import { assertEquals, assertMatch } from "@std/assert";
import { Client } from "../support/client.ts";
import { ClientV2 } from "../support/client_v2.ts";
import { dumpsOf } from "../support/files.ts";
import { live } from "../support/life.ts";
import { Server, TemporaryDirectory } from "../support/server.ts";

const DAY = 20260101;
const RANGE = { from: 20260101, to: 20260131 };
const counter = (key: number, value: unknown = 1) => ({ tree: "t", key, date: DAY, value });
const ENDS = ["SIGKILL", "SIGTERM"] as const;

/** All counters of a tree. */
const all = (client: ClientV2, tree = "t") => client.get("tree.series", { tree, range: RANGE });

Deno.test("weakness 6: what a dump holds is not counted again", async () => {
  using directory = new TemporaryDirectory();
  let wanted = 0;
  const count = async (client: ClientV2) => {
    await client.get("counter.increment", counter(1));
    wanted++;
  };
  for (const end of [...ENDS, ...ENDS]) {
    await live(directory, async (client) => {
      await count(client);
      await client.get("snapshot.create", { tree: "t" });
      await count(client);
      await client.get("snapshot.create", { tree: "t" });
      assertEquals(await client.get("counter.sum", { tree: "t", key: 1 }), wanted);
    }, { end });
  }
  // Killed amid dumps of everything, between the files and the end of the log before them.
  const trees = Array.from({ length: 20 }, (_, n) => `t${n}`);
  for (let round = 0; round < 8; round++) {
    await live(directory, async (client) => {
      for (const tree of trees) await client.get("counter.increment", { tree, key: 1 });
      await client.connection.send(`${client.line("snapshot.create_all")}\n`);
      await new Promise((done) => setTimeout(done, 3 * round));
    });
    await live(directory, async (client) => {
      for (const tree of trees) {
        assertEquals(await client.get("counter.sum", { tree, key: 1 }), round + 1, tree);
      }
      assertEquals(await client.get("counter.sum", { tree: "t", key: 1 }), wanted);
    });
  }
});

Deno.test("weakness 7: dropped trees stay dropped", async () => {
  for (const args of [[], ["--wal=false"]]) {
    using directory = new TemporaryDirectory();
    await live(directory, async (client) => {
      await client.get("counter.increment", { ...counter(1), tree: "kept" });
      await client.get("counter.increment", counter(1));
      await client.get("snapshot.create_all");
      await client.get("tree.drop", { tree: "t" });
      await client.get("snapshot.create_all");
    }, { args });
    for (const end of ENDS) {
      await live(directory, async (client) => {
        assertEquals(await client.get("tree.list"), ["kept"], `${args}`);
        assertMatch(await client.refused("counter.sum", { tree: "t", key: 1 }), /^not_found/);
      }, { end, args });
    }
    // And one of the same name is a new one.
    await live(directory, async (client) => {
      await client.get("counter.increment", { ...counter(2, 7) });
      await client.get("snapshot.create_all");
    }, { args });
    await live(directory, async (client) => {
      assertEquals(await all(client), { 2: { [DAY]: 7 } });
    }, { args });
  }
});

Deno.test("weakness 8: a tree that was loaded stays so, with what was counted since", async () => {
  for (const end of ENDS) {
    using directory = new TemporaryDirectory();
    await live(directory, async (client) => {
      await client.get("counter.increment", counter(1, 10));
      await client.get("snapshot.create", { tree: "t" });
      const [file] = dumpsOf(directory);
      await client.get("counter.increment", counter(1, 90));
      await client.get("counter.increment", counter(2, 5));
      assertEquals(await client.get("snapshot.load", { file }), 'Tree "t" loaded');
      assertEquals(await all(client), { 1: { [DAY]: 10 } });
      await client.get("counter.increment", counter(1));
    }, { end });
    await live(directory, async (client) => {
      assertEquals(await all(client), { 1: { [DAY]: 11 } });
      await client.get("snapshot.create_all");
    }, { end });
    await live(directory, async (client) => assertEquals(await all(client), { 1: { [DAY]: 11 } }));
  }
});

Deno.test("weakness 9: SIGINT and SIGTERM dump everything, whoever is connected", async () => {
  for (const end of ["SIGINT", "SIGTERM"] as const) {
    for (const args of [[], ["--wal=false"]]) {
      using directory = new TemporaryDirectory();
      await live(directory, async (client, server) => {
        await client.get("counter.increment", counter(1, 42));
        await client.get("counter.increment", {
          ...counter(1, 2),
          tree: "u",
          idempotency_key: "k",
        });
        const idle = await Promise.all([1, 2, 3].map(() => Client.connect(server.port)));
        await idle[0].ask('{"v":2,"op":"system.ping"}');
        await idle[1].send('{"v":2,"op":'); // in the middle of a request
        return idle;
      }, { end, args }).then((idle) => idle.forEach((client) => client.close()));
      assertEquals(dumpsOf(directory).length, 2, `${end} ${args}`);
      await using server = await Server.start({ directory: directory.path, args });
      using client = await ClientV2.connect(server.port);
      assertEquals(await all(client), { 1: { [DAY]: 42 } });
      const again = { ...counter(1, 2), tree: "u", idempotency_key: "k" };
      assertEquals((await client.ask("counter.increment", again)).idempotent, true);
      assertEquals(await all(client, "u"), { 1: { [DAY]: 2 } });
    }
  }
});
