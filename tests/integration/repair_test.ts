// `karma repair` on real files: what it tells, what it does with --yes, and when it refuses.

import { assertEquals, assertMatch } from "@std/assert";
import { Client, success } from "../support/client.ts";
import { dumpsOf, filesOf, flip, segmentsOf } from "../support/files.ts";
import { type Ended, Server, TemporaryDirectory } from "../support/server.ts";

const INCREMENT = '{"command":"increment","tree_name":"t","key":1}';
const SUM = '{"command":"sum","tree_name":"t","key":1}';

async function count(directory: TemporaryDirectory, counts: number): Promise<void> {
  await using server = await Server.start({ directory: directory.path });
  using client = await Client.connect(server.port);
  for (; counts > 0; counts--) await client.ask(INCREMENT);
  await server.kill();
}

function run(directory: TemporaryDirectory, ...words: string[]): Promise<Ended> {
  return Server.run([...words, `--directory=${directory.path}`]);
}

Deno.test("repair: a log that is damaged in the middle starts again with all that came before", async () => {
  using directory = new TemporaryDirectory();
  await count(directory, 20);
  const [log] = segmentsOf(directory);
  const path = directory.join(log);
  flip(path, Deno.readFileSync(path).findLastIndex((byte) => byte !== 0) >> 1);
  const bytes = Deno.readFileSync(path);
  const before = filesOf(directory);
  const plan = await run(directory, "repair");
  assertEquals([plan.code, plan.stderr], [3, ""]);
  assertMatch(plan.stdout, new RegExp(`^Log ${log} is damaged at byte \\d+: .+$`, "m"));
  assertMatch(plan.stdout, /^Behind record \d+, .*\d+ records in \d+ groups .* can still be read/m);
  assertMatch(plan.stdout, new RegExp(`^Log ${log} was last written at 20\\S+Z$`, "m"));
  assertMatch(plan.stdout, /^Nothing was changed\. To do it: karma repair --directory=\S+ --yes$/m);
  assertEquals(filesOf(directory), before);

  const done = await run(directory, "repair", "--yes");
  assertEquals([done.code, done.stderr], [0, ""], done.stdout);
  const lsn = Number(/as after record (\d+) of the log/.exec(done.stdout)![1]);
  const aside = /^To be kept in (damaged-\S+): /m.exec(done.stdout)![1];
  assertEquals(Deno.readFileSync(directory.join(`${aside}/${log}`)), bytes);
  for (const _ of ["what was repaired", "and goes on"]) {
    assertEquals((await run(directory, "check")).code, 0);
    await using server = await Server.start({ directory: directory.path });
    assertEquals(server.stderr, "");
    using client = await Client.connect(server.port);
    assertEquals(await client.ask(SUM), success(lsn - 1)); // the first record creates the tree
    assertEquals(await server.stop(), 0);
  }
});

Deno.test("repair: it refuses while a server has the directory, and where there is none", async () => {
  using directory = new TemporaryDirectory();
  await using server = await Server.start({ directory: directory.path });
  using client = await Client.connect(server.port);
  await client.ask(INCREMENT);
  const { code, stdout, stderr } = await run(directory, "repair", "--yes");
  assertEquals([code, stdout], [2, ""]);
  assertEquals(stderr, `Directory ${directory.path} is in use by process ${server.pid}\n`);
  const nowhere = directory.join("nowhere");
  for (const words of [["check"], ["repair"], ["repair", "--yes"]]) {
    const missing = await Server.run([...words, `--directory=${nowhere}`]);
    assertEquals(missing, { code: 1, stdout: "", stderr: `Directory ${nowhere} is not there\n` });
  }
  assertEquals(directory.files().includes("nowhere"), false);
  assertEquals(await client.ask(SUM), success(1));
});

Deno.test("repair: a last file of the log that is missing refuses the start, until that is accepted", async () => {
  using directory = new TemporaryDirectory();
  await count(directory, 3);
  await count(directory, 3);
  const files = segmentsOf(directory);
  assertEquals(files.length, 2);
  Deno.removeSync(directory.join(files[1]));
  const refused = await run(directory, "--port=0");
  assertEquals([refused.code, refused.stdout], [3, ""]);
  assertMatch(refused.stderr, new RegExp(`^Log ${files[1]} is missing: \\.karma-log\\.mark says `));
  assertEquals((await run(directory, "repair", "--yes")).code, 0);
  await using server = await Server.start({ directory: directory.path });
  using client = await Client.connect(server.port);
  assertEquals(await client.ask(SUM), success(3));
});

Deno.test("backup: the commands of docs/operations.md, while Karma writes, make a directory that starts", async () => {
  using directory = new TemporaryDirectory();
  const args = ["--wal-segment-bytes=65536"];
  await using server = await Server.start({ directory: directory.path, args });
  using client = await Client.connect(server.port);
  await client.ask(INCREMENT);
  await client.ask({ command: "dump", tree_name: "t" });
  let isDone = false;
  const writing = (async () => {
    while (!isDone) await client.pipeline(Array(200).fill(INCREMENT));
  })();
  const copies: TemporaryDirectory[] = [];
  for (let round = 0; round < 3; round++) {
    const copy = new TemporaryDirectory();
    copies.push(copy);
    const commands = [
      `cp -p .karma-log.mark '${copy.path}'`,
      `cp -p *.tree *.registry '${copy.path}' && cp -p *.wal '${copy.path}'`,
    ];
    const { code } = await new Deno.Command("/bin/sh", {
      args: ["-c", commands.join("\n")],
      cwd: directory.path,
    }).output();
    assertEquals(code, 0);
  }
  isDone = true;
  await writing;
  assertEquals(dumpsOf(directory).length, 1);
  for (const copy of copies) {
    const { code, stdout } = await run(copy, "check");
    assertEquals(code, 0, stdout);
    copy[Symbol.dispose]();
  }
});
