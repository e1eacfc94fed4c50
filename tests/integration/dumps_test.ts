// Dumps as clients and operators meet them: the commands, the files' names, the next start, dumps of
// the original, and damage.

import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { checkTree } from "../../lib/tree/check.ts";
import { Client, failure, success } from "../support/client.ts";
import { LocalKarma } from "../support/local_karma.ts";
import { Server, TemporaryDirectory } from "../support/server.ts";

const FIXTURES = new URL("../fixtures/dumps/", import.meta.url);

/** Trees whose names are difficult for a file system, or for whoever takes file names apart. */
const NAMES = [
  "plain",
  "a_b",
  "_",
  "a/b",
  "/etc/passwd",
  "..",
  ".",
  ".hidden",
  "50%",
  "a%2Fb",
  "%",
  "a b",
  'quo"te',
  "back\\slash",
  "x.tree",
  "日本語",
  "e\u0301 and é",
  "\ufeffmark",
  "\u2028",
  "😀",
  "x".repeat(255),
  `${"y".repeat(254)}z`, // differs from the next only where a file's name has no room
  `${"y".repeat(254)}Z`,
  "/".repeat(255),
  "é".repeat(127),
  "😀".repeat(63),
];

const named = (command: string, tree_name: string) => ({ command, tree_name });
const whole = (tree_name: string) => ({
  command: "find",
  tree_name,
  time_from: 0,
  time_to: 4294967295,
});

/** The dump files that a server lists, newest first. */
async function dumps(client: Client): Promise<string[]> {
  const reply = await client.ask({ command: "dumps" });
  return JSON.parse(reply).response;
}

Deno.test("dumps: dump, dumps, load", async () => {
  await using server = await Server.start();
  using client = await Client.connect(server.port);
  const increment = { command: "increment", tree_name: "t", key: 5 };
  assertEquals(await client.ask({ command: "dumps" }), success("[]"));
  assertEquals(await client.ask(named("dump", "t")), failure('Tree "t" not found'));
  await client.ask(increment);
  const began = Math.floor(Date.now() / 1000);
  assertEquals(await client.ask(named("dump", "t")), success('"Tree \\"t\\" saved"'));
  const [file, ...others] = await dumps(client);
  assertEquals(others, []);
  const [, seconds] = /^(\d+)_t\.tree$/.exec(file)!;
  assert(Number(seconds) >= began && Number(seconds) <= Date.now() / 1000);

  await client.ask(increment);
  await client.ask({ ...increment, key: 6 });
  assertEquals(await client.ask(named("load", file)), success('"Tree \\"t\\" loaded"'));
  assertMatch(
    await client.ask(whole("t")),
    /^\{"success":true,"response":\{"5":\{"\d{8}":1\}\}\}$/,
  );
  await client.ask(named("drop", "t"));
  assertEquals(await dumps(client), [file]);
  assertEquals(await client.ask(named("load", file)), success('"Tree \\"t\\" loaded"'));
  assertEquals(await client.ask({ command: "trees" }), success('["t"]'));
});

Deno.test("dumps: two in one second, and two hundred, are all there, in their order", async () => {
  using directory = new TemporaryDirectory();
  const count = 200;
  {
    const args = ["--dump-retention-per-tree=0"];
    await using server = await Server.start({ directory: directory.path, args });
    using client = await Client.connect(server.port);
    const step = [{ command: "increment", tree_name: "t", key: 1 }, named("dump", "t")];
    const steps = Array.from({ length: count }, () => step.map((part) => JSON.stringify(part)));
    await client.pipeline(steps.flat());
    const files = await dumps(client);
    assertEquals(files.length, count);
    for (const [index, file] of files.entries()) {
      await client.ask(named("load", file));
      const reply = await client.ask({ command: "sum", tree_name: "t", key: 1 });
      assertEquals(reply, success(count - index));
    }
    await client.ask(named("load", files[0]));
  }
  // What was loaded last counts, also for the next process, whose dump is newer still.
  await using server = await Server.start({ directory: directory.path });
  using client = await Client.connect(server.port);
  const sum = { command: "sum", tree_name: "t", key: 1 };
  assertEquals(await client.ask(sum), success(count));
  const [newest] = await dumps(client);
  await client.ask({ command: "increment", tree_name: "t", key: 1 });
  await client.ask(named("dump", "t"));
  const [newer, second] = await dumps(client);
  assertEquals(second, newest);
  await client.ask(named("load", newer));
  assertEquals(await client.ask(sum), success(count + 1));
});

Deno.test("dumps: every name of a tree makes the way to a file and back", async () => {
  using directory = new TemporaryDirectory();
  {
    await using server = await Server.start({ directory: directory.path });
    using client = await Client.connect(server.port);
    const seen = new Set<string>();
    for (const [key, tree_name] of NAMES.entries()) {
      assertEquals(await client.ask({ command: "increment", tree_name, key }), success(1));
      const saved = success(JSON.stringify(`Tree "${tree_name}" saved`));
      assertEquals(await client.ask(named("dump", tree_name)), saved);
      const file = (await dumps(client)).find((file) => !seen.has(file))!;
      seen.add(file);
      assert(!file.includes("/") && new TextEncoder().encode(file).length <= 255, file);
      await client.ask(named("drop", tree_name));
      const loaded = success(JSON.stringify(`Tree "${tree_name}" loaded`));
      assertEquals(await client.ask(named("load", file)), loaded, file);
      assertEquals(await client.ask({ command: "sum", tree_name, key }), success(1));
    }
    assertEquals(await server.stop(), 0);
  }
  await using server = await Server.start({ directory: directory.path });
  using client = await Client.connect(server.port);
  const trees: string[] = JSON.parse(await client.ask({ command: "trees" })).response;
  assertEquals(trees.toSorted(), NAMES.toSorted());
  for (const [key, tree_name] of NAMES.entries()) {
    assertEquals(await client.ask({ command: "sum", tree_name, key }), success(1), tree_name);
  }
});

Deno.test("dumps: load takes the name of a file in the directory, never a path", async () => {
  using outer = new TemporaryDirectory();
  const directory = outer.join("dumps");
  await using server = await Server.start({ directory });
  using client = await Client.connect(server.port);
  await client.ask({ command: "increment", tree_name: "t", key: 1 });
  await client.ask(named("dump", "t"));
  const [file] = await dumps(client);
  Deno.mkdirSync(`${directory}/1_folder.tree`);
  Deno.copyFileSync(`${directory}/${file}`, outer.join("1_up.tree"));
  Deno.copyFileSync(`${directory}/${file}`, `${directory}/1_folder.tree/1_down.tree`);
  const refused: [file: string, dump: string][] = [
    ["../1_up.tree", "up"],
    [`../dumps/${file}`, "t"],
    [`./${file}`, "t"],
    [`${directory}/${file}`, "t"],
    ["1_folder.tree/1_down.tree", "down"],
    ["1_folder.tree", "folder"],
    ["/etc/passwd", "passwd"],
    ["..\\1_up.tree", "up"],
    ["..", ".."],
    [".", "."],
    [`${file}\0`, `${file.slice(file.indexOf("_") + 1)}\0`],
    ["1_t.tree", "t"],
    [`1_${"t".repeat(300)}.tree`, "t".repeat(300)], // longer than a file's name can be
  ];
  for (const [path, dump] of refused) {
    assertEquals(await client.ask(named("load", path)), failure(`Dump "${dump}" not exists`), path);
  }
  assertEquals(await client.ask({ command: "trees" }), success('["t"]'));
  assertEquals(await client.ask(named("load", file)), success('"Tree \\"t\\" loaded"'));
});

Deno.test("dumps: what fails is told without paths and numbers of the system", async () => {
  using directory = new TemporaryDirectory();
  await using server = await Server.start({ directory: directory.path });
  using client = await Client.connect(server.port);
  await client.ask({ command: "increment", tree_name: "t", key: 1 });
  Deno.mkdirSync(directory.join(".karma-dump.tmp")); // where dumps are written first
  const reply = await client.ask(named("dump", "t"));
  assertMatch(reply, /^\{"success":false,"response":"[A-Z].+"\}$/);
  assert(!reply.includes(directory.path) && !reply.includes("os error"), reply);
  // The operator is told all.
  assertStringIncludes(server.stderr, directory.path);
});

Deno.test("dumps: other files in the directory are let alone", async () => {
  using directory = new TemporaryDirectory();
  const misnamed = ["t.tree", "_t.tree", "x_t.tree", "1700000000_.tree"];
  const others = ["notes.txt", "1700000000_t.tree.meta.json", ...misnamed];
  for (const name of others) Deno.writeTextFileSync(directory.join(name), "not a dump");
  Deno.writeTextFileSync(directory.join(".1700000000_hidden.tree"), "not a dump");
  Deno.mkdirSync(directory.join("1700000000_folder.tree"));
  Deno.symlinkSync("/nowhere", directory.join("1700000000_broken.tree"));
  const before = directory.dumps();
  await using server = await Server.start({ directory: directory.path });
  using client = await Client.connect(server.port);
  assertEquals(await client.ask({ command: "trees" }), success("[]"));
  assertEquals(await client.ask({ command: "dumps" }), success("[]"));
  assertEquals(await server.stop(), 0);
  assertEquals(directory.dumps(), before);
  for (const name of misnamed) assertStringIncludes(server.stderr, name);
});

Deno.test("dumps: what a link leads to is given to nobody", async () => {
  using directory = new TemporaryDirectory();
  using elsewhere = new TemporaryDirectory();
  Deno.writeTextFileSync(elsewhere.join("1700000000_secret.tree"), "not a dump");
  await using server = await Server.start({ directory: directory.path });
  using client = await Client.connect(server.port);
  await client.ask({ command: "increment", tree_name: "t", key: 1 });
  await client.ask({ command: "dump", tree_name: "t" });
  const [dump] = directory.dumps();
  Deno.copyFileSync(directory.join(dump), elsewhere.join(dump));
  Deno.symlinkSync(elsewhere.join(dump), directory.join("1700000001_t.tree"));
  Deno.symlinkSync(elsewhere.join("1700000000_secret.tree"), directory.join("1700000002_t.tree"));
  const fetch = (op: string, file: string) => client.ask({ v: 2, op, file });
  for (const op of ["snapshot.fetch", "snapshot.fetch_chunk"]) {
    assertStringIncludes(await fetch(op, dump), '"success":true');
    for (const file of ["1700000001_t.tree", "1700000002_t.tree"]) {
      assertStringIncludes(await fetch(op, file), '"error_code":"not_found"');
    }
  }
});

interface Listing {
  readonly tree: string;
  readonly data: Readonly<Record<string, Readonly<Record<string, string>>>>;
}

Deno.test("dumps: those of the original are there after the start, every cell", async () => {
  for (const producer of ["karma-0.1", "karma-1.0.1"]) {
    using directory = new TemporaryDirectory();
    const listings: Listing[] = [];
    for (const { name } of Deno.readDirSync(new URL(`${producer}/`, FIXTURES))) {
      const fixture = new URL(`${producer}/${name}`, FIXTURES);
      if (name.endsWith(".tree")) Deno.copyFileSync(fixture, directory.join(name));
      else if (name.endsWith(".tree.json")) {
        listings.push(JSON.parse(Deno.readTextFileSync(fixture)));
      }
    }
    assert(listings.length >= 3);
    {
      await using server = await Server.start({ directory: directory.path });
      await assertHolds(server, listings);
      assertEquals(await server.stop(), 0);
    }
    // Taken over at the start, and unchanged at the end.
    assertEquals(directory.dumps().length, 2 * listings.length);
    await using server = await Server.start({ directory: directory.path });
    await assertHolds(server, listings);
  }
});

async function assertHolds(server: Server, listings: readonly Listing[]): Promise<void> {
  using client = await Client.connect(server.port);
  const trees: string[] = JSON.parse(await client.ask({ command: "trees" })).response;
  assertEquals(trees.toSorted(), listings.map(({ tree }) => tree).sort());
  for (const { tree, data } of listings) {
    const found = counters(await client.ask(whole(tree)));
    const wanted = Object.entries(data).map(([key, days]) => {
      // A day of zero, which the original kept, is none.
      const kept = Object.entries(days).filter(([, value]) => value !== "0").sort();
      return `"${key}":{${kept.map(([day, value]) => `"${day}":${value}`)}}`;
    });
    assertEquals(found, wanted.sort(), tree);
    for (const [key, days] of Object.entries(data)) {
      const total = Object.values(days).reduce((sum, value) => sum + BigInt(value), 0n);
      const sum = `{"command":"sum","tree_name":${JSON.stringify(tree)},"key":${key}}`;
      assertEquals(await client.ask(sum), success(`${total}`), `${tree} ${key}`);
    }
  }
}

function counters(reply: string): string[] {
  const found = reply.match(/"\d+":\{[^{}]*\}/g) ?? [];
  assertEquals(reply, success(`{${found}}`));
  return found.sort();
}

/** A small dump of ours with everything in it: values of all sizes, an empty counter. */
async function smallDump(karma: LocalKarma): Promise<{ file: string; contents: string }> {
  const original = "1689505200_bigvalues.tree";
  karma.put(original, Deno.readFileSync(new URL(`karma-0.1/${original}`, FIXTURES)));
  const client = karma.connect();
  await client.ask(named("load", original));
  await client.ask({ command: "reset", tree_name: "bigvalues", key: 1 });
  assertEquals(
    await client.ask(named("dump", "bigvalues")),
    success('"Tree \\"bigvalues\\" saved"'),
  );
  const contents = await client.ask(whole("bigvalues"));
  await client.end();
  assertStringIncludes(contents, ":18446744073709551614");
  const file = (await karma.files()).find((file) => file.endsWith(".tree") && file !== original)!;
  return { file, contents };
}

Deno.test("dumps: one that is cut short anywhere, or has one bit flipped, is refused", async () => {
  const karma = await LocalKarma.start();
  const { file } = await smallDump(karma);
  const bytes = karma.bytesOf(file);
  const client = karma.connect();
  await client.ask({ command: "increment", tree_name: "t", key: 77 });
  const before = await client.ask(whole("t"));
  const name = "1700000000_t.tree"; // a dump with another name is a dump of that tree

  const assertRefused = async (damaged: Uint8Array, how: string) => {
    karma.put(name, damaged);
    const reply = await client.ask(named("load", name));
    const start = `{"success":false,"response":"Dump ${name} is damaged: `;
    assert(reply.startsWith(start) && reply.length > start.length + 2, `${how}: ${reply}`);
    assertEquals(await client.ask(whole("t")), before, how);
  };
  for (let length = 0; length < bytes.length; length++) {
    await assertRefused(bytes.subarray(0, length), `${length} of ${bytes.length} bytes`);
  }
  for (let bit = 0; bit < 8 * bytes.length; bit++) {
    const damaged = bytes.slice();
    damaged[bit >> 3] ^= 1 << (bit & 7);
    await assertRefused(damaged, `bit ${bit & 7} of byte ${bit >> 3}`);
  }
  await assertRefused(Uint8Array.of(...bytes, 0), "a byte more");
  await assertRefused(Uint8Array.of(...bytes, ...bytes), "twice the same");

  karma.put(name, bytes);
  assertEquals(await client.ask(named("load", name)), success('"Tree \\"t\\" loaded"'));
  for (const tree of karma.forest.trees()) checkTree(tree);
  assertEquals(karma.disk.filesOpen, 1, "the log");
  await client.end();
  await LocalKarma.timersDone();
});

Deno.test("dumps: a start finds exactly what was dumped", async () => {
  const karma = await LocalKarma.start();
  const { file, contents } = await smallDump(karma);
  const next = new LocalKarma();
  next.put(file, karma.bytesOf(file));
  await next.start();
  const client = next.connect();
  assertEquals(await client.ask(whole("bigvalues")), contents);
  await client.end();
  await LocalKarma.timersDone();
});
