// The data directory belongs to the process that has it: what becomes of its names lets no second one
// in, and a directory or log that is taken away ends the process before it answers anything more.

import { assert, assertEquals, assertMatch, assertRejects } from "@std/assert";
import { Client, success } from "../support/client.ts";
import { dumpsOf, filesOf, segmentsOf } from "../support/files.ts";
import { eventually, Server, TemporaryDirectory } from "../support/server.ts";

const INCREMENT = '{"command":"increment","tree_name":"t","key":1}';
const SUM = '{"command":"sum","tree_name":"t","key":1}';
const LOCK = ".karma.lock";

/** A second process on a directory: it must be refused. */
async function assertRefused(path: string): Promise<void> {
  const { code, stdout, stderr } = await Server.run(["--port=0", `--directory=${path}`]);
  assertEquals([code, stdout], [2, ""], stderr);
  assertMatch(stderr, /^Directory \S+ is in use by (another process|process \d+)\n$/);
}

/** Asks for increments until the connection ends; returns how many were answered. */
async function askToTheEnd(client: Client): Promise<number> {
  for (let answered = 0;; answered++) {
    try {
      await client.ask(INCREMENT);
    } catch {
      return answered;
    }
  }
}

/** The server must end by itself, with exit code 4 and one sentence. */
async function assertLost(server: Server, sentence: RegExp): Promise<void> {
  assertEquals(await server.ended(), 4, server.stderr);
  assertMatch(server.stderr, sentence);
  assertEquals(server.stderr.trimEnd().split("\n").length, 1, server.stderr);
}

Deno.test("directory: a second process is refused though the lock file was removed or replaced", async () => {
  using directory = new TemporaryDirectory();
  await using server = await Server.start({ directory: directory.path });
  using client = await Client.connect(server.port);
  const lock = directory.join(LOCK);
  const isBack = () => {
    try {
      return Deno.readTextFileSync(lock) === `${server.pid}\n`;
    } catch {
      return false;
    }
  };
  Deno.removeSync(lock);
  await assertRefused(directory.path);
  await eventually("the lock file names its holder again", isBack);
  Deno.removeSync(lock);
  Deno.writeTextFileSync(lock, "1\n");
  await assertRefused(directory.path);
  await eventually("the lock file names its holder again", isBack);
  assertMatch(server.stderr, /^\S+\.karma\.lock was removed, and is put back\n/);
  assertEquals(await client.ask(INCREMENT), success(1));
  assertEquals(await server.stop(), 0);
});

for (const how of ["removed", "replaced"]) {
  Deno.test(`directory: a log that is ${how} while it is written ends the process`, async () => {
    using directory = new TemporaryDirectory();
    await using server = await Server.start({ directory: directory.path });
    using client = await Client.connect(server.port);
    assertEquals(await client.ask(INCREMENT), success(1));
    const path = directory.join(segmentsOf(directory).at(-1)!);
    const bytes = Deno.readFileSync(path);
    Deno.removeSync(path);
    if (how === "replaced") {
      Deno.writeFileSync(directory.join("copy"), bytes);
      Deno.renameSync(directory.join("copy"), path);
    }
    // Not for as long as somebody asks, but for a part of a second.
    await askToTheEnd(client);
    await assertLost(
      server,
      /^The log could not be written: Log \d+\.wal was removed or replaced /,
    );
  });
}

Deno.test("directory: an older file of the log that is removed ends the process, also an idle one", async () => {
  using directory = new TemporaryDirectory();
  const args = ["--wal-segment-bytes=65536"];
  await using server = await Server.start({ directory: directory.path, args });
  using client = await Client.connect(server.port);
  while (segmentsOf(directory).length < 3) await client.pipeline(Array(500).fill(INCREMENT));
  Deno.removeSync(directory.join(segmentsOf(directory)[0]));
  await assertLost(server, /^The log could not be written: Log \d+\.wal was removed or cut /);
});

for (const how of ["removed", "moved away"]) {
  Deno.test(`directory: one that is ${how} ends the process, also an idle one`, async () => {
    using home = new TemporaryDirectory();
    const path = home.join("data");
    await using server = await Server.start({ directory: path });
    using client = await Client.connect(server.port);
    assertEquals(await client.ask(INCREMENT), success(1));
    if (how === "removed") Deno.removeSync(path, { recursive: true });
    else Deno.renameSync(path, home.join("elsewhere"));
    await assertLost(
      server,
      /^Directory \S+ is not there any more/,
    );
  });
}

Deno.test("directory: where another server began in its place, nothing is removed or written", async () => {
  using home = new TemporaryDirectory();
  const path = home.join("data");
  const args = ["--wal-segment-bytes=65536", "--dump-retention-per-tree=1"];
  await using first = await Server.start({ directory: path, args });
  using client = await Client.connect(first.port);
  await client.pipeline(Array(2000).fill(INCREMENT));
  await client.ask({ command: "dump", tree_name: "t" });
  first.signal("SIGSTOP"); // so that it doesn't look before the other one has begun
  Deno.renameSync(path, home.join("elsewhere"));
  {
    await using second = await Server.start({ directory: path, args });
    using other = await Client.connect(second.port);
    assertEquals(await other.ask(INCREMENT), success(1));
    await other.ask({ command: "dump", tree_name: "t" });
    for (const name of [".karma-dump.tmp", ".karma-log.tmp", ".karma-registry.tmp"]) {
      Deno.writeTextFileSync(`${path}/${name}`, "of the second one");
    }
    const files = () => {
      const names = [...Deno.readDirSync(path)].map(({ name }) => name).sort();
      return names.map((name) => [name, Deno.readFileSync(`${path}/${name}`).toBase64()]);
    };
    const before = files();
    await client.send('{"command":"dump_all"}\n');
    await client.send(`${INCREMENT}\n`);
    first.signal("SIGCONT");
    assertEquals(await first.ended(), 4, first.stderr);
    assertMatch(first.stderr, /^Directory \S+ is another one now/);
    await assertRejects(() => client.line());
    assertEquals(files(), before);
    assertEquals(await other.ask(SUM), success(1));
    assertEquals(await second.stop(), 0);
  }
  // What the first one had acknowledged is where its directory is now.
  await using again = await Server.start({ directory: home.join("elsewhere") });
  using reader = await Client.connect(again.port);
  const sum = await reader.ask(SUM);
  assert([success(2000), success(2001)].includes(sum), sum); // the last one was not answered
});

Deno.test("directory: a directory that is only looked at and copied is no reason to end", async () => {
  using directory = new TemporaryDirectory();
  await using server = await Server.start({ directory: directory.path });
  using client = await Client.connect(server.port);
  await client.ask(INCREMENT);
  await client.ask({ command: "dump", tree_name: "t" });
  using copy = new TemporaryDirectory();
  for (const file of directory.files()) Deno.copyFileSync(directory.join(file), copy.join(file));
  for (const file of directory.files()) Deno.utimeSync(directory.join(file), 1, 1);
  Deno.removeSync(directory.join(dumpsOf(directory)[0])); // its tree is in the log
  const before = Object.keys(filesOf(directory));
  assert(before.length > 0);
  for (let count = 2; count < 50; count++) {
    await client.ask(INCREMENT);
    assertEquals(await client.ask(SUM), success(count));
  }
  assertEquals(await server.stop(), 0);
});
