// The room that the log and the dumps take: the log stays bounded, old dumps go, and a full disk
// refuses changes, breaks no promise, and is forgotten when there is room again.
//
// Trade-off: a limit on the size of files does what a full disk does, without needing one; the real
// thing, a small tmpfs, needs root and is skipped without.

import { assert, assertEquals, assertMatch } from "@std/assert";
import { Client, failure, success } from "../support/client.ts";
import { dumpsOf, segmentsOf } from "../support/files.ts";
import { eventually, Server, TemporaryDirectory } from "../support/server.ts";
import { stateOf } from "../support/writers.ts";

const FULL = failure("The disk is full: nothing was changed");
const MIB = 1048576;
/** How much zeroed space a segment has ahead of what is written to it. */
const SPACE_BYTES = MIB;
/** What an increment takes in the log. */
const RECORD_BYTES = 24;

const increment = (tree: string, key: number) =>
  `{"command":"increment","tree_name":"${tree}","key":${key}}`;
const named = (command: string, tree_name: string) => ({ command, tree_name });
const sum = (tree: string, key: number) => ({ ...named("sum", tree), key });

function sizeOf(directory: TemporaryDirectory, files: readonly string[]): number {
  return files.reduce((size, file) => {
    try {
      return size + Deno.statSync(directory.join(file)).size;
    } catch {
      return size; // removed since it was listed
    }
  }, 0);
}

Deno.test("space: the log stays bounded while counting goes on, and dumps appear by themselves", async () => {
  using directory = new TemporaryDirectory();
  const logBytes = 100_000;
  const segmentBytes = 50_000;
  const args = [`--wal-max-bytes=${logBytes}`, `--wal-segment-bytes=${segmentBytes}`];
  const batch = Array.from({ length: 500 }, (_, key) => increment(key % 2 ? "odd" : "even", key));
  const batches = 800;
  let largest = 0;
  {
    await using server = await Server.start({ directory: directory.path, args });
    using client = await Client.connect(server.port);
    for (let n = 0; n < batches; n++) {
      await client.pipeline(batch);
      largest = Math.max(largest, sizeOf(directory, segmentsOf(directory)));
    }
    const files = Math.ceil(logBytes / segmentBytes) + 1;
    await eventually("The log is small again", () => segmentsOf(directory).length <= files);
    await server.kill();
    assertEquals(server.stderr, "");
  }
  // How much comes while dumps are written depends on how fast they are. Each file has its space.
  const segments = batches * batch.length * RECORD_BYTES / segmentBytes;
  const share = largest / (segments * (segmentBytes + SPACE_BYTES));
  assert(share < 0.5, `The log had ${largest} bytes, ${share} of all`);
  const dumps = dumpsOf(directory);
  assert(dumps.length > 2, `${dumps}`);
  await using server = await Server.start({ directory: directory.path, args });
  using client = await Client.connect(server.port);
  const found = await stateOf(client);
  assertEquals([...found.keys()].sort(), ["even", "odd"]);
  for (const counters of found.values()) {
    assertEquals(counters.size, batch.length / 2);
    for (const [key, value] of counters) assertEquals(value, batches, key);
  }
});

Deno.test("space: at most so many dumps of a tree are kept, the newest; 0 keeps all", async () => {
  using directory = new TemporaryDirectory();
  const rounds = 5;
  const ofTree = (tree: string) => {
    return dumpsOf(directory).filter((file) => file.replace(/^\d+_/, "") === `${tree}.tree`);
  };
  for (const kept of [3, 1, 0]) {
    const args = [`--dump-retention-per-tree=${kept}`];
    await using server = await Server.start({ directory: directory.path, args });
    using client = await Client.connect(server.port);
    for (let round = 0; round < rounds; round++) {
      for (const tree of ["a", "b_a"]) {
        const older = ofTree(tree);
        await client.ask(increment(tree, 1));
        await client.ask(named("dump", tree));
        const newer = ofTree(tree);
        if (kept > 0) assert(newer.length <= kept, `${newer}`);
        else assertEquals(newer.slice(0, -1), older);
        assert(!older.includes(newer.at(-1)!), "The newest stays");
      }
    }
    const value = JSON.parse(await client.ask(sum("a", 1))).response;
    await client.ask(named("load", ofTree("a").at(-1)!));
    assertEquals(await client.ask(sum("a", 1)), success(value));
    await server.kill();
  }
  assert(ofTree("a").length > rounds);
});

Deno.test("space: dumps that go while they are loaded are forgotten", async () => {
  using directory = new TemporaryDirectory();
  const dump = JSON.stringify(named("dump", "t"));
  {
    const args = ["--dump-retention-per-tree=0"];
    await using server = await Server.start({ directory: directory.path, args });
    using client = await Client.connect(server.port);
    await client.pipeline(Array.from({ length: 2000 }, (_, key) => increment("t", key)));
    await client.pipeline(Array(60).fill(dump));
    await server.kill();
  }
  const args = ["--dump-retention-per-tree=1"];
  await using server = await Server.start({ directory: directory.path, args });
  using client = await Client.connect(server.port);
  using loader = await Client.connect(server.port);
  const loads = dumpsOf(directory).reverse().map((file) => JSON.stringify(named("load", file)));
  await Promise.all([client.ask(dump), loader.pipeline(loads)]);
  await client.pipeline([dump, dump]);
  assertEquals(dumpsOf(directory).length, 1);
  assert(!server.stderr.includes("could not be removed"), server.stderr);
});

/** Limits the size of the files that a process may write from now on. */
async function limitFiles(pid: number, bytes: number | "unlimited"): Promise<void> {
  const args = [`--pid=${pid}`, `--fsize=${bytes}:unlimited`];
  const { success } = await new Deno.Command("prlimit", { args }).output();
  assert(success);
}

const hasLimits = await new Deno.Command("prlimit", { args: ["--version"] }).output()
  .then(({ success }) => success, () => false);
if (!hasLimits) console.log("Skipped in log_space_test.ts: prlimit is not installed");

Deno.test({
  name:
    "space: a limit on the size of files refuses changes; where it is below what was reserved, 5",
  ignore: !hasLimits,
}, async () => {
  using directory = new TemporaryDirectory();
  let taken: number;
  {
    await using server = await Server.start({ directory: directory.path });
    using client = await Client.connect(server.port);
    assertEquals(await client.ask(increment("t", 1)), success(1));
    await limitFiles(server.pid, sizeOf(directory, segmentsOf(directory)));
    taken = 1 + await countUntilFull(client, "t", 2000);
    assertEquals(await client.ask(sum("t", 1)), success(taken));
    await limitFiles(server.pid, "unlimited");
    await eventually("There is room again", async () => {
      return await client.ask(increment("t", 1)) === success(1);
    });
    taken++;
    // What was reserved cannot be written any more, as where there is copy on write or compression.
    await limitFiles(server.pid, 4096);
    await client.send(`${increment("t", 1)}\n`);
    assertEquals(await server.ended(), 5);
    assertMatch(server.stderr, /^The log could not be written, though space was reserved: .+$/m);
  }
  await using server = await Server.start({ directory: directory.path });
  using client = await Client.connect(server.port);
  assertEquals(await client.ask(sum("t", 1)), success(taken));
});

/** Counts on one key after the other until the disk is full; returns how many counts were taken. */
async function countUntilFull(client: Client, tree: string, batchesMax: number): Promise<number> {
  let taken = 0;
  for (let batch = 0; batch < batchesMax; batch++) {
    const replies = await client.pipeline(Array(200).fill(increment(tree, 1)));
    const refused = replies.findIndex((reply) => reply !== success(1));
    taken += replies.filter((reply) => reply === success(1)).length;
    if (refused < 0) continue;
    for (const reply of replies.slice(refused)) assertEquals(reply, FULL);
    return taken;
  }
  throw new Error("It was never full");
}

for (const policy of ["always", "everysec", "no"]) {
  Deno.test(`space: where the log may not grow, changes are refused and nothing is lost (${policy})`, async () => {
    using directory = new TemporaryDirectory();
    // A shell counts in blocks of 512 or of 1024 bytes.
    const limits = 'trap "" XFSZ; ulimit -f 400';
    const args = [`--wal-fsync=${policy}`];
    let taken: number;
    {
      await using server = await Server.start({ directory: directory.path, limits, args });
      using client = await Client.connect(server.port);
      taken = await countUntilFull(client, "t", 200);
      assertEquals(await client.ask(sum("t", 1)), success(taken));
      for (const command of ["create", "drop", "reset"]) {
        const tree = command === "create" ? "other" : "t";
        assertEquals(await client.ask(named(command, tree)), FULL, command);
      }
      assertEquals(await client.ask({ command: "trees" }), success('["t"]'));
      assertEquals(await client.ask(sum("t", 1)), success(taken));
      assertMatch(server.stderr, /^No space for the log: .+\n$/);
      await server.kill();
    }
    await using server = await Server.start({ directory: directory.path, args });
    assertEquals(server.stderr, "");
    using client = await Client.connect(server.port);
    assertEquals(await client.ask(sum("t", 1)), success(taken));
    assertEquals(await client.ask(increment("t", 1)), success(1));
  });
}

Deno.test("space: where the log may not grow, a dump makes room for it", async () => {
  using directory = new TemporaryDirectory();
  const limits = 'trap "" XFSZ; ulimit -f 400';
  await using server = await Server.start({ directory: directory.path, limits });
  using client = await Client.connect(server.port);
  const taken = await countUntilFull(client, "t", 200);
  await client.ask({ command: "dump_all" }); // goes on in a new segment
  await eventually("Counting goes on", async () => {
    return await client.ask(increment("t", 1)) === success(1);
  });
  assertEquals(await client.ask(sum("t", 1)), success(taken + 1));
  assertEquals(await server.stop(), 0);
});

const TMPFS_BYTES = 3 * MIB;

/** A small disk of its own in a directory; null, and why, where that can't be had. */
function mount(path: string): string | null {
  const { success, stderr } = new Deno.Command("mount", {
    args: ["-t", "tmpfs", "-o", `size=${TMPFS_BYTES}`, "tmpfs", path],
    stdout: "null",
    stderr: "piped",
  }).outputSync();
  return success ? null : new TextDecoder().decode(stderr).trim();
}

function unmount(path: string): void {
  new Deno.Command("umount", { args: ["-l", path] }).outputSync();
}

Deno.test("space: a full disk refuses changes until there is room again", async () => {
  using directory = new TemporaryDirectory();
  const refusal = mount(directory.path);
  if (refusal !== null) return console.log(`Skipped, a tmpfs can't be mounted: ${refusal}`);
  try {
    await fillAndFree(directory);
  } finally {
    unmount(directory.path);
  }
});

async function fillAndFree(directory: TemporaryDirectory): Promise<void> {
  const args = ["--wal-segment-bytes=300000"];
  Deno.writeFileSync(directory.join("ballast"), new Uint8Array(MIB));
  Deno.writeFileSync(directory.join("spare"), new Uint8Array(16384));
  let taken: number;
  {
    await using server = await Server.start({ directory: directory.path, args });
    using client = await Client.connect(server.port);
    taken = await countUntilFull(client, "t", 2000);
    assertEquals(await client.ask(sum("t", 1)), success(taken));
    assertMatch(server.stderr, /^No space for the log: .+\n/m);
    assertEquals(await client.ask(named("create", "other")), FULL);

    Deno.removeSync(directory.join("ballast"));
    await eventually("There is room again", async () => {
      return await client.ask(increment("t", 1)) === success(1);
    });
    assertMatch(server.stderr, /^There is space for the log again\n/m);
    taken += 1 + await countUntilFull(client, "t", 2000);
    await server.kill();
  }
  {
    // A little space for a dump, and it takes the place of what of the log it holds.
    Deno.removeSync(directory.join("spare"));
    await using server = await Server.start({ directory: directory.path, args });
    using client = await Client.connect(server.port);
    assertEquals(await client.ask(sum("t", 1)), success(taken));
    await client.ask(named("dump", "t"));
    await client.ask({ command: "dump_all" });
    await eventually("There is room again", async () => {
      return await client.ask(increment("t", 1)) === success(1);
    });
    await server.kill();
  }
  await using server = await Server.start({ directory: directory.path, args });
  using client = await Client.connect(server.port);
  assertEquals(await client.ask(sum("t", 1)), success(taken + 1));
}
