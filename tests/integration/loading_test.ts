// The start of a process, before it serves: the port is bound first, whoever connects is told that the
// data is being read, and nothing in the directory changes until the start will succeed.

import { assert, assertEquals, assertMatch } from "@std/assert";
import { DumpStore } from "../../lib/dump/store.ts";
import { HostClock } from "../../lib/host/clock.ts";
import { HostDisk } from "../../lib/host/disk.ts";
import { Tree } from "../../lib/tree/tree.ts";
import { Client, success } from "../support/client.ts";
import { filesOf, segmentsOf } from "../support/files.ts";
import { eventually, Server, TemporaryDirectory } from "../support/server.ts";

/** Reading so many takes some tenths of a second; a client is there after a few milliseconds. */
const KEYS = 500_000;

const INCREMENT = '{"command":"increment","tree_name":"t","key":1,"token":"right"}';
const HEALTH = '{"v":2,"op":"system.health","token":"right"}';
const v2 = (text: string, code: string) =>
  `{"protocol_version":2,"success":false,"response":"${text}","error_code":"${code}"}`;
const LOADING = "Karma is loading its data";

function freePort(): number {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  return listener.addr.port;
}

/** Puts a dump of many counters there. */
async function fill(directory: TemporaryDirectory): Promise<void> {
  const tree = new Tree("many");
  for (let key = 1; key <= KEYS; key++) tree.add(key, 0, 20261122, 1, 0);
  const store = new DumpStore(directory.path, new HostDisk(), new HostClock("UTC"), 5, () => {});
  await store.write(tree, { id: "0".repeat(16), lsn: 0, sync: () => Promise.resolve() });
}

/** Starts Karma on a directory, and is connected to it as soon as that is possible. */
async function meet(directory: TemporaryDirectory): Promise<{ server: Server; client: Client }> {
  const port = freePort();
  const args = [`--port=${port}`, "--auth-token=right"];
  const server = Server.launch({ directory: directory.path, args });
  try {
    let client: Client | null = null;
    await eventually("The port is bound", async () => {
      client = await Client.connect(port).catch(() => null);
      return client !== null;
    });
    return { server, client: client! };
  } catch (error) {
    await server[Symbol.asyncDispose]();
    throw new Error(`Nobody listened: ${server.stderr}`, { cause: error });
  }
}

/** How often a start is tried that must be met while it loads: on a busy machine we may come too late. */
const ATTEMPTS_MAX = 50;

/** Tries what must happen while a server loads; false: it had loaded its data before. */
async function whileLoading(
  directory: TemporaryDirectory,
  attempt: (server: Server, client: Client) => Promise<boolean>,
): Promise<void> {
  for (let attempts = 0; attempts < ATTEMPTS_MAX; attempts++) {
    const { server, client } = await meet(directory);
    await using _server = server;
    using _client = client;
    if (await attempt(server, client)) return;
  }
  throw new Error(`Of ${ATTEMPTS_MAX} servers none was met while it loaded`);
}

Deno.test("loading: whoever connects is told so, and is served as soon as the data is there", async () => {
  using directory = new TemporaryDirectory();
  await fill(directory);
  await whileLoading(directory, async (server, client) => {
    const asked = [HEALTH, INCREMENT, '{"v":2,"op":"tree.list"}'];
    const [health, counting, stranger] = await client.pipeline(asked);
    if (health !== v2(LOADING, "loading")) return false;
    assertEquals(counting, `{"success":false,"response":"${LOADING}"}`);
    assertEquals(stranger, v2("Unauthorized", "unauthorized"));
    await server.ready();
    assertEquals(await client.ask(INCREMENT), success(1));
    assertEquals(await server.stop(), 0);
    return true;
  });

  let before = filesOf(directory);
  await whileLoading(directory, async (server, client) => {
    if (await client.ask(HEALTH) === v2(LOADING, "loading")) {
      server.signal("SIGUSR1");
      await eventually("The signal is noticed", () => {
        return /^SIGUSR1 is ignored while loading$/m.test(server.stderr) || server.stdout !== "";
      });
    }
    assertEquals(await server.stop(), 0);
    if (server.stdout === "") {
      assertMatch(server.stderr, /^Stopped while loading$/m);
      assertEquals(filesOf(directory), before);
      return true;
    }
    before = filesOf(directory); // it was ready before it was told to stop
    return false;
  });
});

/** A directory with a log whose end was torn, and what a crash may leave beside it. */
async function prepare(directory: TemporaryDirectory): Promise<void> {
  {
    await using server = await Server.start({ directory: directory.path });
    using client = await Client.connect(server.port);
    await client.pipeline(Array.from({ length: 100 }, () => INCREMENT));
    await server.kill();
  }
  const [log] = segmentsOf(directory);
  const bytes = Deno.readFileSync(directory.join(log));
  const written = bytes.findLastIndex((byte) => byte !== 0) + 1;
  Deno.truncateSync(directory.join(log), written - 8);
  Deno.writeTextFileSync(directory.join(".karma-log.tmp"), "what was just being written");
}

Deno.test("loading: a start that cannot succeed changes nothing", async () => {
  using taken = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  using directory = new TemporaryDirectory();
  await prepare(directory);
  const before = filesOf(directory);
  const place = (path: string) => ["--bind=127.0.0.1", `--directory=${path}`];
  const busy = [...place(directory.path), `--port=${taken.addr.port}`];
  for (const args of [busy, [...busy, "--restore=false"]]) {
    const { code, stderr } = await Server.run(args);
    assertEquals(code, 1);
    assertMatch(stderr, /^Could not listen on 127\.0\.0\.1:\d+: Address already in use.*\n$/);
    assertEquals(filesOf(directory), before);
  }
  const missing = directory.join("missing");
  const elsewhere = await Server.run([...place(missing), "--bind=192.0.2.1", "--port=0"]);
  assertEquals(elsewhere.code, 1);
  assert(!await new HostDisk().exists(missing), "A directory was made for nothing");

  // Then one that can: it cuts the end and removes what was being written.
  await using server = await Server.start({ directory: directory.path });
  assertMatch(server.stderr, /^Log \d+\.wal: after record \d+ a crash left \d+ bytes unfinished/m);
  assert(!(".karma-log.tmp" in filesOf(directory)));
});

Deno.test("loading: files of Karma 1.x stay where they are when the port is taken", async () => {
  using taken = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  using directory = new TemporaryDirectory();
  const fixture = new URL("../fixtures/karma-1.x-directory/", import.meta.url);
  for (const { name } of Deno.readDirSync(fixture)) {
    Deno.copyFileSync(new URL(name, fixture), directory.join(name));
  }
  const before = filesOf(directory);
  const port = `--port=${taken.addr.port}`;
  const { code } = await Server.run(["--bind=127.0.0.1", port, `--directory=${directory.path}`]);
  assertEquals(code, 1);
  assertEquals(filesOf(directory), before);
});
