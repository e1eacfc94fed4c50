// Karma's life as a process: the start, signals, the last dump, and what the next start finds.

import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { VERSION } from "../../lib/version.ts";
import { Client, failure, success } from "../support/client.ts";
import { filesOf } from "../support/files.ts";
import { eventually, Server, TemporaryDirectory } from "../support/server.ts";

const PING = '{"command":"ping"}';
const OFF_LINE = `Karma v.${VERSION} is off.\n`;
const increment = (tree: string, key: number) =>
  `{"command":"increment","tree_name":"${tree}","key":${key}}`;
const sum = (tree: string, key: number) => `{"command":"sum","tree_name":"${tree}","key":${key}}`;

/** Starts Karma on a directory, asks one request after the other and kills it. */
async function askAt(directory: TemporaryDirectory, ...requests: string[]): Promise<string[]> {
  await using server = await Server.start({ directory: directory.path });
  using client = await Client.connect(server.port);
  return await client.pipeline(requests);
}

/** The files of a directory and what is in them. */
function contents(directory: TemporaryDirectory): Record<string, string> {
  const text = (file: string) => Deno.readFileSync(directory.join(file)).toBase64();
  return Object.fromEntries(directory.dumps().map((file) => [file, text(file)]));
}

/** Requests that count up each of so many counters of a tree once. */
function counting(tree: string, keys: number): string[] {
  return Array.from({ length: keys }, (_, key) => increment(tree, key));
}

for (const signal of ["SIGINT", "SIGTERM", "SIGQUIT"] as const) {
  Deno.test(`lifecycle: ${signal} dumps every tree and ends with 0`, async () => {
    using directory = new TemporaryDirectory();
    await using server = await Server.start({ directory: directory.path });
    using client = await Client.connect(server.port);
    await client.pipeline([increment("b", 1), increment("b", 1), increment("a/b", 2)]);
    await client.ask('{"command":"create","tree_name":"empty"}');
    assertEquals(await server.stop(signal), 0);
    await client.atEnd();
    assertEquals(server.stdout, `Karma v.${VERSION} is on ${server.port}.\n${OFF_LINE}`);
    assertEquals(server.stderr, "");
    assertEquals(directory.dumps().map((file) => file.replace(/^\d{10}_/, "")).sort(), [
      "a%2Fb.tree",
      "b.tree",
      "empty.tree",
    ]);
    assertEquals(await askAt(directory, '{"command":"trees"}', sum("b", 1), sum("a/b", 2)), [
      success('["b","a/b","empty"]'),
      success(2),
      success(1),
    ]);
  });
}

Deno.test("lifecycle: a second signal doesn't break the dump under way", async () => {
  using directory = new TemporaryDirectory();
  const keys = 200_000;
  await using server = await Server.start({ directory: directory.path });
  using client = await Client.connect(server.port);
  await client.pipeline(counting("t", keys));
  server.signal("SIGINT");
  await eventually("The dump has begun", () => {
    const names = [...Deno.readDirSync(directory.path)].map(({ name }) => name);
    return names.some((name) => name === ".karma-dump.tmp" || name.endsWith(".tree"));
  });
  for (const signal of ["SIGINT", "SIGTERM", "SIGINT"] as const) {
    try {
      server.signal(signal);
    } catch {
      // it was quick and has ended
    }
  }
  assertEquals(await server.ended(), 0);
  assertEquals(server.stdout.split(OFF_LINE).length, 2, "The last line comes once");
  const [first, last] = await askAt(directory, sum("t", 0), sum("t", keys - 1));
  assertEquals([first, last], [success(1), success(1)]);
});

Deno.test("lifecycle: two signals at once are one", async () => {
  await using server = await Server.start();
  server.signal("SIGINT");
  server.signal("SIGINT");
  assertEquals(await server.ended(), 0);
  assertEquals(server.stdout, `Karma v.${VERSION} is on ${server.port}.\n${OFF_LINE}`);
});

Deno.test("lifecycle: signals that ask for nothing here don't end it", async () => {
  await using server = await Server.start();
  using client = await Client.connect(server.port);
  for (const signal of ["SIGHUP", "SIGUSR2"] as const) {
    server.signal(signal);
    await server.says(new RegExp(`^${signal} is ignored: there is nothing to reload$`, "m"));
  }
  for (const signal of ["SIGPIPE", "SIGXFSZ"] as const) server.signal(signal);
  assertEquals(await client.ask(increment("t", 1)), success(1));
  assertEquals(await server.stop(), 0);
});

Deno.test("lifecycle: SIGUSR1 dumps and goes on with the data in memory", async () => {
  using directory = new TemporaryDirectory();
  await using server = await Server.start({ directory: directory.path });
  using client = await Client.connect(server.port);
  for (const dumps of [1, 2]) {
    await client.ask(increment("t", 7));
    server.signal("SIGUSR1");
    await eventually("The dump is there", () => directory.dumps().length === dumps);
    assertEquals(await client.ask(sum("t", 7)), success(dumps));
  }
  // Each holds what there was at its time.
  const files = directory.dumps();
  for (const [index, file] of files.entries()) {
    await client.ask(`{"command":"load","tree_name":"${file}"}`);
    assertEquals(await client.ask(sum("t", 7)), success(index + 1));
  }
  assertEquals(server.stdout, `Karma v.${VERSION} is on ${server.port}.\n`);
});

Deno.test("lifecycle: requests sent before the signal are answered, and are in the dump", async () => {
  using directory = new TemporaryDirectory();
  const requests = 5000;
  await using server = await Server.start({ directory: directory.path });
  const clients = await Promise.all(
    Array.from({ length: 8 }, () => Client.connect(server.port)),
  );
  for (const client of clients) await client.ask(PING); // it has been accepted
  const line = `${increment("t", 1)}\n`;
  await Promise.all(clients.map((client) => client.send(line.repeat(requests))));
  server.signal("SIGTERM");
  for (const client of clients) {
    const replies = await client.lines(requests);
    assert(replies.every((reply) => reply === success(1)));
    await client.atEnd();
    client.close();
  }
  assertEquals(await server.ended(), 0);
  const [total] = await askAt(directory, sum("t", 1));
  assertEquals(total, success(requests * clients.length));
});

Deno.test("lifecycle: newcomers after the signal are not accepted", async () => {
  await using server = await Server.start();
  using client = await Client.connect(server.port);
  await client.pipeline(counting("t", 100_000));
  server.signal("SIGTERM");
  await client.atEnd();
  const error = await Client.connect(server.port).then(() => null, (error) => error);
  assert(error instanceof Deno.errors.ConnectionRefused, `${error}`);
  assertEquals(await server.ended(), 0);
});

Deno.test("lifecycle: neither an idle client nor one that doesn't read holds up the end", async () => {
  await using server = await Server.start();
  using idle = await Client.connect(server.port);
  using half = await Client.connect(server.port);
  using deaf = await Client.connect(server.port);
  await idle.ask(PING);
  await half.send(PING.slice(0, 9));
  await deaf.pipeline(counting("t", 20_000));
  const listing = '{"command":"find","tree_name":"t","time_from":0,"time_to":99999999}\n';
  await deaf.send(listing.repeat(100)); // more than the sockets' buffers hold
  await idle.ask(PING);
  const began = performance.now();
  assertEquals(await server.stop(), 0);
  const took = performance.now() - began;
  assert(took < 15_000, `It took ${took} ms`);
});

Deno.test("lifecycle: where the directory has gone, the end is 4 and says why", async () => {
  for (const replaced of [false, true]) {
    using directory = new TemporaryDirectory();
    using moved = new TemporaryDirectory();
    await using server = await Server.start({ directory: directory.path });
    using client = await Client.connect(server.port);
    await client.ask(increment("first", 1));
    await client.ask(increment("second", 1));
    await client.ask('{"command":"dump","tree_name":"first"}');
    const [file] = directory.dumps();
    const dump = Deno.readFileSync(directory.join(file));
    // Root may write everywhere, so a directory without permission would not do.
    Deno.renameSync(directory.path, moved.path);
    if (replaced) Deno.writeTextFileSync(directory.path, "");
    assertEquals(await server.stop(), 4);
    assertMatch(server.stderr, /^Directory .+ (is not there any more|is another one now): .+$/m);
    assertEquals(moved.dumps(), [file]);
    assertEquals(Deno.readFileSync(moved.join(file)), dump);
    if (!replaced) Deno.mkdirSync(directory.path); // it is removed at the end
  }
});

Deno.test("lifecycle: where a dump doesn't fit on the disk, the old ones stay the newest", async () => {
  using directory = new TemporaryDirectory();
  // No file may grow beyond 64 KiB: what a full disk does, without needing one. A shell counts in
  // blocks of 512 or of 1024 bytes.
  const limits = 'trap "" XFSZ; ulimit -f 64';
  // The log would find no space for so many counts, and what can't be dumped would still be in it.
  const args = ["--wal=false"];
  await using server = await Server.start({ directory: directory.path, limits, args });
  using client = await Client.connect(server.port);
  await client.pipeline([...counting("big", 100), ...counting("small", 100)]);
  await client.ask('{"command":"dump","tree_name":"big"}');
  const before = contents(directory);
  await client.pipeline(counting("big", 50_000));

  const refused = await client.ask('{"command":"dump","tree_name":"big"}');
  assertStringIncludes(
    refused,
    '{"success":false,"response":"Tree \\"big\\" could not be dumped"',
  );
  assertEquals(contents(directory), before);
  assertEquals(await client.ask(sum("big", 1)), success(2));
  const names = [...Deno.readDirSync(directory.path)].map(({ name }) => name);
  assert(
    !names.some((name) => name.endsWith(".tmp")),
    "What didn't fit doesn't stay on a full disk",
  );

  assertEquals(await server.stop(), 1);
  assertMatch(server.stderr, /^Tree "big" could not be dumped: .+$/m);
  const after = contents(directory);
  const added = Object.keys(after).filter((file) => !(file in before));
  assertEquals(added.map((file) => file.replace(/^\d+_/, "")), ["small.tree"]);
  for (const [file, bytes] of Object.entries(before)) assertEquals(after[file], bytes);
  assertEquals(await askAt(directory, sum("big", 1), sum("big", 40_000), sum("small", 1)), [
    success(1),
    success(0),
    success(1),
  ]);
});

Deno.test("lifecycle: --restore=false begins empty and leaves the dumps alone", async () => {
  using directory = new TemporaryDirectory();
  {
    await using server = await Server.start({ directory: directory.path });
    using client = await Client.connect(server.port);
    await client.ask(increment("t", 1));
    assertEquals(await server.stop(), 0);
  }
  const before = contents(directory);
  await using server = await Server.start({
    directory: directory.path,
    args: ["--restore=false"],
  });
  using client = await Client.connect(server.port);
  assertEquals(await client.ask('{"command":"trees"}'), success("[]"));
  assertEquals(await client.ask(sum("t", 1)), success(0));
  assertEquals(
    await client.ask('{"command":"dump","tree_name":"t"}'),
    failure('Tree "t" not found'),
  );
  assertEquals(contents(directory), before);
  // A new tree of that name is dumped beside the old one, even within the same second.
  await client.ask(increment("t", 2));
  assertEquals(await server.stop(), 0);
  assertEquals(directory.dumps().length, 2);
  assertEquals(await askAt(directory, sum("t", 1), sum("t", 2)), [success(0), success(1)]);
});

Deno.test("lifecycle: a damaged newest dump ends the start with 3 and changes nothing", async () => {
  using directory = new TemporaryDirectory();
  {
    await using server = await Server.start({ directory: directory.path });
    using client = await Client.connect(server.port);
    for (const tree of ["good", "bad", "bad"]) {
      await client.ask(increment(tree, 1));
      await client.ask(`{"command":"dump","tree_name":"${tree}"}`);
    }
  }
  const file = directory.dumps().findLast((file) => file.endsWith("_bad.tree"))!;
  const whole = Deno.readFileSync(directory.join(file));
  const flipped = whole.slice();
  flipped[whole.length >> 1] ^= 1;
  const zeros = new Uint8Array(whole.length);
  for (const damaged of [whole.subarray(0, -1), flipped, zeros, new Uint8Array(0)]) {
    Deno.writeFileSync(directory.join(file), damaged);
    const before = filesOf(directory);
    const { code, stdout, stderr } = await Server.run([
      "--port=0",
      `--directory=${directory.path}`,
    ]);
    assertEquals([code, stdout], [3, ""]);
    assertMatch(
      stderr,
      new RegExp(`^Dump ${file} is damaged: .+\nWhat can be done: karma repair .+\n$`),
    );
    assertEquals(filesOf(directory), before);
  }
  // The operator takes it away, and the one before it counts, with what the log has since then.
  Deno.removeSync(directory.join(file));
  assertEquals(await askAt(directory, sum("bad", 1), sum("good", 1)), [success(2), success(1)]);
});
