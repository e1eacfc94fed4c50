// What the log promises, on real processes: who holds a directory, what every change survives, how
// Karma ends under load, and how it begins anew.

import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { Client, failure, success } from "../support/client.ts";
import { dumpsOf, filesOf, segmentsOf } from "../support/files.ts";
import { Random } from "../support/random.ts";
import { eventually, Server, TemporaryDirectory } from "../support/server.ts";
import { type State, stateOf, Writer, WrongState } from "../support/writers.ts";

const increment = (tree: string, key: number) =>
  `{"command":"increment","tree_name":"${tree}","key":${key}}`;
const named = (command: string, tree_name: string) => ({ command, tree_name });

/** Starts Karma on a directory, kills it and returns the state it had. */
async function stateAt(directory: TemporaryDirectory, ...args: string[]): Promise<State> {
  await using server = await Server.start({ directory: directory.path, args });
  using client = await Client.connect(server.port);
  return await stateOf(client);
}

/** A state as it would be written down: trees, and their counters, in any order. */
function assertState(found: State, wanted: Record<string, Record<string, number>>): void {
  const plain = [...found].map(([tree, counters]) => [tree, Object.fromEntries(counters)]);
  assertEquals(Object.fromEntries(plain), wanted);
}

Deno.test("log: a second process on a directory is told who holds it, and ends with 2", async () => {
  using directory = new TemporaryDirectory();
  {
    await using first = await Server.start({ directory: directory.path });
    using client = await Client.connect(first.port);
    await client.ask(increment("t", 1));
    const before = filesOf(directory);
    const { code, stdout, stderr } = await Server.run([
      "--port=0",
      `--directory=${directory.path}`,
    ]);
    assertEquals([code, stdout], [2, ""]);
    assertEquals(stderr, `Directory ${directory.path} is in use by process ${first.pid}\n`);
    assertEquals(filesOf(directory), before);
    assertEquals(await client.ask(increment("t", 1)), success(1));
    await first.kill();
  }
  // The lock ends with its holder.
  assertState(await stateAt(directory), { t: { 1: 2 } });
});

for (const policy of ["always", "everysec", "no"]) {
  Deno.test(`log: every kind of change survives kill -9 under ${policy}`, async () => {
    using directory = new TemporaryDirectory();
    const args = [`--wal-fsync=${policy}`];
    {
      await using server = await Server.start({ directory: directory.path, args });
      using client = await Client.connect(server.port);
      const trees = ["loaded", "dropped", "again", "reset", "emptied", "less"];
      await client.pipeline(trees.flatMap((tree) => [increment(tree, 1), increment(tree, 2)]));
      await client.ask(named("dump", "loaded"));
      await client.ask(named("create", "created"));
      await client.pipeline([increment("loaded", 1), increment("loaded", 3)]);
      await client.ask(named("load", dumpsOf(directory)[0]));
      await client.ask(increment("loaded", 2));
      await client.ask(named("drop", "dropped"));
      await client.ask(named("drop", "again"));
      await client.ask(increment("again", 7));
      await client.ask({ ...named("reset", "reset"), key: 1 });
      await client.ask(named("reset", "emptied"));
      await client.ask(increment("emptied", 2));
      await client.ask({ ...named("decrement", "less"), key: 1 });
      await client.ask({ ...named("delete", "less"), key: 2, time_from: 0, time_to: 99999999 });
      await client.ask(increment("less", 3));
      await server.kill();
    }
    for (const _ of ["the log", "what the restart made of it"]) {
      assertState(await stateAt(directory, ...args), {
        created: {},
        loaded: { 1: 1, 2: 2 },
        again: { 7: 1 },
        reset: { 2: 1 },
        emptied: { 2: 1 },
        less: { 3: 1 },
      });
    }
  });
}

Deno.test("log: a dropped tree stays dropped though its dumps are there", async () => {
  using directory = new TemporaryDirectory();
  const off = { kill: "SIGKILL", end: "SIGTERM" } as const;
  for (const signal of [off.kill, off.end, off.kill]) {
    await using server = await Server.start({ directory: directory.path });
    using client = await Client.connect(server.port);
    assertEquals(await client.ask({ command: "trees" }), success("[]"));
    await client.ask(increment("t", 1));
    await client.ask(named("dump", "t"));
    await client.ask({ command: "dump_all" });
    await client.ask(named("drop", "t"));
    await client.ask({ command: "dump_all" });
    await server.stop(signal);
  }
  const file = dumpsOf(directory).at(-1)!;
  await using server = await Server.start({ directory: directory.path });
  using client = await Client.connect(server.port);
  assertEquals(await client.ask({ command: "trees" }), success("[]"));
  assertEquals(await client.ask(named("load", file)), success('"Tree \\"t\\" loaded"'));
  assertState(await stateOf(client), { t: { 1: 1 } });
});

for (const option of ["wal-fsync=always", "wal-fsync=everysec", "wal-fsync=no", "wal=false"]) {
  Deno.test(`log: SIGTERM and SIGINT under load lose nothing with --${option}`, async () => {
    await Promise.all([endUnderLoad("SIGTERM", option), endUnderLoad("SIGINT", option)]);
  });
}

async function endUnderLoad(signal: "SIGTERM" | "SIGINT", option: string): Promise<void> {
  using directory = new TemporaryDirectory();
  const random = new Random(option.length + signal.length);
  const writers = [0, 1, 2, 3].map((number) => new Writer(number, 100, random));
  const args = [`--${option}`, "--wal-segment-bytes=100000"];
  {
    await using server = await Server.start({ directory: directory.path, args });
    const writing = writers.map((writer) => writer.run(server.port).catch((error) => error));
    await new Promise((done) => setTimeout(done, 100 + random.below(100)));
    // However slow the machine is.
    await eventually("Requests are answered", () => writers.every(({ answers }) => answers > 200));
    assertEquals(await server.stop(signal), 0);
    for (const error of await Promise.all(writing)) if (error instanceof WrongState) throw error;
    assertEquals(server.stderr, "");
  }
  const found = await stateAt(directory, ...args);
  for (const writer of writers) {
    writer.adopt(found);
    assert(writer.answers > 200, `${writer.answers}`);
  }
  assertEquals([...found.values()].flatMap((counters) => [...counters]), []);
}

Deno.test("log: with --wal=false a kill leaves the trees, and what was dumped of them", async () => {
  using directory = new TemporaryDirectory();
  {
    const args = ["--wal=false"];
    await using server = await Server.start({ directory: directory.path, args });
    using client = await Client.connect(server.port);
    await client.pipeline([increment("dumped", 1), increment("dropped", 1)]);
    await client.ask(named("dump", "dumped"));
    await client.ask(named("dump", "dropped"));
    await client.ask(named("drop", "dropped"));
    await client.pipeline([increment("dumped", 1), increment("dumped", 2), increment("new", 1)]);
    await server.kill();
  }
  assertState(await stateAt(directory, "--wal=false"), { dumped: { 1: 1 }, new: {} });
  assertState(await stateAt(directory), { dumped: { 1: 1 }, new: {} });
});

Deno.test("log: --restore=false starts empty, names what it left aside, and goes on from there", async () => {
  using directory = new TemporaryDirectory();
  const start = (...args: string[]) => Server.start({ directory: directory.path, args });
  {
    await using server = await start();
    using client = await Client.connect(server.port);
    await client.pipeline([increment("old", 1), increment("both", 1)]);
    await client.ask(named("dump", "both"));
    await client.ask(increment("both", 2));
    await server.kill();
  }
  const before = filesOf(directory);
  const left = [...segmentsOf(directory), ...dumpsOf(directory)];
  {
    await using server = await start("--restore=false");
    using client = await Client.connect(server.port);
    assertEquals(
      server.stderr,
      `Starting empty, as --restore=false says; left aside: ${left.join(", ")}\n`,
    );
    assertState(await stateOf(client), {});
    await client.ask(increment("both", 3));
    await server.kill();
  }
  {
    await using server = await start();
    using client = await Client.connect(server.port);
    assertState(await stateOf(client), { both: { 3: 1 } });
    await client.ask(increment("both", 3));
    assertEquals(await server.stop(), 0);
  }
  assertState(await stateAt(directory), { both: { 3: 2 } });
  const after = filesOf(directory);
  for (const file of left) assertEquals(after[file], before[file], file);
  // The older dump is one as any other.
  await using server = await start();
  using client = await Client.connect(server.port);
  await client.ask(named("load", dumpsOf(directory)[0]));
  assertState(await stateOf(client), { both: { 1: 1 } });
});

Deno.test("log: --restore=false where nothing is says so", async () => {
  await using server = await Server.start({ args: ["--restore=false"] });
  assertEquals(
    server.stderr,
    "Starting empty, as --restore=false says; nothing was there\n",
  );
});

Deno.test("log: dumps without a log are taken over, and the log goes on from them", async () => {
  using directory = new TemporaryDirectory();
  {
    await using server = await Server.start({ directory: directory.path });
    using client = await Client.connect(server.port);
    await client.ask(increment("t", 1));
    assertEquals(await server.stop(), 0);
  }
  // With the mark, which says that there is a log.
  for (const file of [...segmentsOf(directory), ".karma-log.mark"]) {
    Deno.removeSync(directory.join(file));
  }
  {
    await using server = await Server.start({ directory: directory.path });
    assertMatch(server.stderr, /^There was no log: took over the newest dumps of "t", .+\n$/);
    using client = await Client.connect(server.port);
    await client.ask(increment("t", 1));
    await server.kill();
  }
  assertState(await stateAt(directory), { t: { 1: 2 } });
});

Deno.test("log: where a dump that the log builds on has gone, the start refuses and says what helps", async () => {
  using directory = new TemporaryDirectory();
  {
    await using server = await Server.start({ directory: directory.path });
    using client = await Client.connect(server.port);
    await client.ask(increment("t", 1));
    assertEquals(await server.stop(), 0);
  }
  for (const file of dumpsOf(directory)) Deno.removeSync(directory.join(file));
  const before = filesOf(directory);
  const { code, stdout, stderr } = await Server.run(["--port=0", `--directory=${directory.path}`]);
  assertEquals([code, stdout], [3, ""]);
  assertStringIncludes(stderr, 'No dump of tree "t" is there');
  assertStringIncludes(stderr, "What can be done: karma repair --directory=");
  assertEquals(filesOf(directory), before);
});

Deno.test("log: what is refused is not in it", async () => {
  using directory = new TemporaryDirectory();
  {
    await using server = await Server.start({ directory: directory.path });
    using client = await Client.connect(server.port);
    assertEquals(await client.ask(named("drop", "t")), failure('Tree "t" not exists'));
    assertEquals(
      await client.ask(named("create", "")).then((reply) => reply.slice(0, 16)),
      '{"success":false',
    );
    assertEquals(await client.ask(named("load", "1_t.tree")), failure('Dump "t" not exists'));
    await client.ask({ ...named("reset", "t"), key: 1 });
    await server.kill();
  }
  assertState(await stateAt(directory), {});
});
