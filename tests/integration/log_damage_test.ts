// Damage and torn ends of the log as operators meet them: what refuses to start, what starts and
// says what it cut, and `karma check`, which only looks.

import { assert, assertEquals, assertMatch } from "@std/assert";
import { Client, success } from "../support/client.ts";
import { dumpsOf, filesOf, flip, segmentsOf } from "../support/files.ts";
import { type Ended, Server, TemporaryDirectory } from "../support/server.ts";

const INCREMENT = '{"command":"increment","tree_name":"t","key":1}';
const SUM = '{"command":"sum","tree_name":"t","key":1}';
const DUMP = '{"command":"dump","tree_name":"t"}';

const TORN =
  /^Log (\d+\.wal): after record (\d+) a crash left (\d+) bytes unfinished, from byte (\d+) on\n$/;

/** Counts, each count in a write of its own, dumps after so many if asked to, and kills. */
async function count(
  directory: TemporaryDirectory,
  counts: number,
  dumpAfter = Infinity,
  ...args: string[]
): Promise<void> {
  await using server = await Server.start({ directory: directory.path, args });
  using client = await Client.connect(server.port);
  for (let done = 0; done < counts; done++) {
    if (done === dumpAfter) await client.ask(DUMP);
    assertEquals(await client.ask(INCREMENT), success(1));
  }
  await server.kill();
}

function run(directory: TemporaryDirectory, ...words: string[]): Promise<Ended> {
  return Server.run([...words, "--port=0", `--directory=${directory.path}`]);
}

/** Where in a segment its space begins, and so its last record ends. */
function endOf(path: string): number {
  return Deno.readFileSync(path).findLastIndex((byte) => byte !== 0) + 1;
}

Deno.test("damage: a changed byte in the log refuses the start, names the place and changes nothing", async () => {
  for (const policy of ["always", "everysec"]) {
    using directory = new TemporaryDirectory();
    await count(directory, 40, 20, `--wal-fsync=${policy}`);
    const [file] = segmentsOf(directory);
    const path = directory.join(file);
    const end = endOf(path);
    const whole = Deno.readFileSync(path);
    for (const share of [0.3, 0.5, 0.7, 0.9]) {
      const offset = Math.floor(share * end);
      Deno.writeFileSync(path, whole);
      flip(path, offset);
      const before = filesOf(directory);
      const { code, stdout, stderr } = await run(directory);
      assertEquals([code, stdout], [3, ""], `${offset} of ${end}: ${stderr}`);
      const told = new RegExp(
        `^Log ${file} is damaged at byte (\\d+): .+\nWhat can be done: karma repair .+\n$`,
      ).exec(stderr);
      assert(told !== null, stderr);
      const at = Number(told[1]);
      assert(at <= offset && offset - at < 200, `${offset} is told as ${at}`);
      assertEquals(filesOf(directory), before);
    }
    // As it was, it is whole again.
    Deno.writeFileSync(path, whole);
    await using server = await Server.start({ directory: directory.path });
    using client = await Client.connect(server.port);
    assertEquals(await client.ask(SUM), success(40));
  }
});

Deno.test("damage: a damaged head of a segment and a missing segment refuse the start", async () => {
  using directory = new TemporaryDirectory();
  for (const counts of [3, 3, 3]) await count(directory, counts);
  const files = segmentsOf(directory);
  assertEquals(files.length, 3);
  const [first, second, third] = files.map((file) => Deno.readFileSync(directory.join(file)));
  const refused = async (what: RegExp) => {
    const before = filesOf(directory);
    const { code, stdout, stderr } = await run(directory);
    assertEquals([code, stdout], [3, ""]);
    assertMatch(stderr, what);
    assertEquals(filesOf(directory), before);
  };
  for (const [index, bytes] of [first, second].entries()) {
    flip(directory.join(files[index]), 9);
    await refused(new RegExp(`^.*${files[index]}.*\nWhat can be done: .*\n$`));
    Deno.removeSync(directory.join(files[index]));
    await refused(/^.+\nWhat can be done: .+\n$/);
    Deno.writeFileSync(directory.join(files[index]), bytes);
  }
  flip(directory.join(files[2]), 9);
  await refused(new RegExp(`^Log ${files[2]} is damaged at byte 0: .+\nWhat can be done: .+\n$`));
  Deno.writeFileSync(directory.join(files[2]), third);
  await using server = await Server.start({ directory: directory.path });
  using client = await Client.connect(server.port);
  assertEquals(await client.ask(SUM), success(9));
});

Deno.test("damage: a torn tail is cut, and the start says what it cut", async () => {
  for (const lost of [1, 3, 20, 63]) {
    using directory = new TemporaryDirectory();
    await count(directory, 10, 5, "--wal-fsync=no");
    const [file] = segmentsOf(directory);
    const path = directory.join(file);
    const end = endOf(path);
    Deno.truncateSync(path, end - lost);
    {
      await using server = await Server.start({ directory: directory.path });
      const told = TORN.exec(server.stderr);
      assert(told !== null, server.stderr);
      assertEquals(told[1], file);
      assertEquals(Number(told[3]) + Number(told[4]), end - lost);
      using client = await Client.connect(server.port);
      assertEquals(await client.ask(SUM), success(9));
      await client.ask(INCREMENT);
      await server.kill();
    }
    await using server = await Server.start({ directory: directory.path });
    assertEquals(server.stderr, "", "It is cut once");
    using client = await Client.connect(server.port);
    assertEquals(await client.ask(SUM), success(10));
  }
});

Deno.test("check: a good directory is left as it is, also while Karma runs on it", async () => {
  using directory = new TemporaryDirectory();
  await count(directory, 10, 5);
  const before = filesOf(directory);
  const lock = Deno.statSync(directory.join(".karma.lock"));
  const { code, stdout, stderr } = await run(directory, "check");
  assertEquals([code, stderr], [0, ""]);
  assertEquals(
    stdout,
    "1 dumps, 1 files of the log\nA start would find 1 trees with 1 counters\nNo damage\n",
  );
  assertEquals(filesOf(directory), before);
  assertEquals(Deno.statSync(directory.join(".karma.lock")).mtime, lock.mtime);

  await using server = await Server.start({ directory: directory.path });
  using client = await Client.connect(server.port);
  await client.ask(INCREMENT);
  const during = filesOf(directory);
  const checked = await run(directory, "check");
  assertEquals([checked.code, checked.stderr], [0, ""], checked.stdout);
  assertEquals(filesOf(directory), during);
  assertEquals(await client.ask(SUM), success(11));
});

Deno.test("check: while much is written it finds no damage", async () => {
  using directory = new TemporaryDirectory();
  const args = ["--wal-segment-bytes=50000", "--wal-max-bytes=500000"];
  await using server = await Server.start({ directory: directory.path, args });
  using client = await Client.connect(server.port);
  let isDone = false;
  const writing = (async () => {
    while (!isDone) await client.pipeline(Array(100).fill(INCREMENT));
  })();
  const faults: string[] = [];
  for (let looks = 0; looks < 4; looks++) {
    const { code, stdout, stderr } = await run(directory, "check");
    if (code !== 0) faults.push(`${code}: ${stdout}${stderr}`);
  }
  isDone = true;
  await writing;
  assertEquals(faults, []);
});

Deno.test("check: all that is damaged is listed, and nothing is changed", async () => {
  using directory = new TemporaryDirectory();
  await count(directory, 10, 5);
  await count(directory, 10, 5);
  const [log] = segmentsOf(directory);
  const dumps = dumpsOf(directory);
  assertEquals(dumps.length, 2);
  flip(directory.join(log), endOf(directory.join(log)) - 30);
  for (const dump of dumps) {
    flip(directory.join(dump), Deno.statSync(directory.join(dump)).size >> 1);
  }
  const before = filesOf(directory);
  const { code, stdout, stderr } = await run(directory, "check");
  assertEquals([code, stderr], [3, ""]);
  for (const dump of dumps) assertMatch(stdout, new RegExp(`^Dump ${dump} is damaged: .+$`, "m"));
  assert(!stdout.includes("No damage"));
  assertEquals(filesOf(directory), before);

  // The log's own damage, where no dump stands before it.
  for (const dump of dumps) Deno.removeSync(directory.join(dump));
  const again = await run(directory, "check");
  assertEquals(again.code, 3, again.stdout);
  assertMatch(again.stdout, new RegExp(`^Log ${log} is damaged at byte \\d+: .+$`, "m"));
});

Deno.test("check: an empty directory is no damage, a missing one is told", async () => {
  using directory = new TemporaryDirectory();
  const empty = await run(directory, "check");
  assertEquals([empty.code, empty.stderr], [0, ""]);
  assertEquals(directory.files(), []);
  assertEquals([...Deno.readDirSync(directory.path)], [], "Not even a lock");
  const path = directory.join("nowhere");
  const missing = await Server.run(["check", `--directory=${path}`]);
  assertEquals([missing.code, missing.stdout], [1, ""], missing.stdout);
  assertEquals(missing.stderr, `Directory ${path} is not there\n`);
  assertEquals([...Deno.readDirSync(directory.path)], []);
});
