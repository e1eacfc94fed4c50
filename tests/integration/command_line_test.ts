// Karma's command line and environment, as an operator meets them: what is printed, where, and the
// exit code. Which values are allowed is tested in tests/unit/cli/config_test.ts.

import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { fromFileUrl } from "@std/path";
import { VERSION } from "../../lib/version.ts";
import { Client, failure, success } from "../support/client.ts";
import { Server, TemporaryDirectory } from "../support/server.ts";

const PING = '{"command":"ping"}';

/** A port that was free a moment ago. */
function freePort(): number {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  return listener.addr.port;
}

async function help(): Promise<string> {
  return (await Server.run(["--help"])).stdout;
}

Deno.test("command line: help goes to stdout and tells every option", async () => {
  for (const args of [["-h"], ["--help"], ["--no-such-option", "-h"]]) {
    const { code, stdout, stderr } = await Server.run(args);
    assertEquals([code, stderr], [0, ""]);
    assertMatch(stdout, /^Usage: karma \[arguments\]\n/);
    const options = ["bind", "port", "directory", "restore", "nodelay", "help", "version"];
    const limits = ["timezone", "max-request-bytes", "max-connections"];
    const log = ["wal", "wal-fsync", "wal-segment-bytes", "wal-max-bytes"];
    for (const option of [...options, ...limits, ...log, "dump-retention-per-tree"]) {
      assertStringIncludes(stdout, `--${option}`);
    }
    assertStringIncludes(stdout, "karma check");
    for (const variable of ["KARMA_HOST", "KARMA_PORT", "KARMA_DUMP_DIR", "KARMA_RESTORE"]) {
      assertStringIncludes(stdout, variable);
    }
  }
});

Deno.test("command line: version", async () => {
  const { code, stdout, stderr } = await Server.run(["--version"]);
  assertEquals([code, stderr], [0, ""]);
  const [first, second] = stdout.split("\n");
  assertEquals(first, `Karma v.${VERSION}`);
  assertMatch(second, /^commit (unknown|[0-9a-f]{12}(-dirty)?), Deno \d+\.\d+\.\d+, V8 \d+\.\S+$/);
});

Deno.test("command line: what is wrong is named, with the usage, and the exit code is 2", async () => {
  const table: [args: string[], env: Record<string, string>, sentence: string][] = [
    [["--no-such-option"], {}, 'Unknown option: "--no-such-option"'],
    [["stray"], {}, 'Unexpected argument: "stray"'],
    [["--port"], {}, "Option --port needs a value"],
    [["--port", "-1"], {}, 'Option --port must be an integer from 0 to 65535: "-1"'],
    [["-p=1"], {}, 'Unknown option: "-p=1"'],
    [["-r", "yes"], {}, 'Option --restore must be true or false: "yes"'],
    [
      ["--timezone=Moon/Crater"],
      {},
      'Option --timezone must be UTC, local or the name of a time zone: "Moon/Crater"',
    ],
    [
      ["check", "--wal-fsync=often"],
      {},
      'Option --wal-fsync must be always, everysec or no: "often"',
    ],
    [
      [],
      { KARMA_PORT: "http" },
      'Environment variable KARMA_PORT must be an integer from 0 to 65535: "http"',
    ],
  ];
  const usage = await help();
  for (const [args, env, sentence] of table) {
    const { code, stdout, stderr } = await Server.run(args, { env });
    assertEquals([code, stdout, stderr], [2, "", `${sentence}\n${usage}`]);
  }
});

Deno.test("command line: port 0 is a free port, and the start line tells which", async () => {
  await using one = await Server.start();
  await using other = await Server.start();
  assert(one.port > 0 && other.port > 0 && one.port !== other.port);
  assertEquals(one.stdout, `Karma v.${VERSION} is on ${one.port}.\n`);
  for (const { port } of [one, other]) {
    using client = await Client.connect(port);
    assertEquals(await client.ask(PING), success('"pong"'));
  }
});

Deno.test("command line: every form of an option", async () => {
  const forms = [
    (port: string) => ["-p", port],
    (port: string) => [`-p${port}`],
    (port: string) => [`--port=${port}`],
    (port: string) => ["--port", port],
    (port: string) => ["--port=1", "-p", port], // the last one counts
  ];
  for (const form of forms) {
    const port = freePort();
    await using server = await Server.start({ args: form(`${port}`) });
    assertEquals(server.port, port);
  }
});

function dumpsIn(directory: string): string[] {
  const names = [...Deno.readDirSync(directory)].map(({ name }) => name);
  return names.filter((name) => name.endsWith(".tree"));
}

Deno.test("command line: the environment, where no option is given", async () => {
  using directory = new TemporaryDirectory();
  const dumps = directory.join("dumps");
  const port = freePort();
  const env = {
    KARMA_HOST: "127.0.0.1",
    KARMA_PORT: `${port}`,
    KARMA_DUMP_DIR: dumps,
    KARMA_MAX_REQUEST_BYTES: "64",
    KARMA_TIMEZONE: "", // counts as unset
  };
  await using server = await Server.start({ bare: true, env });
  assertEquals(server.port, port);
  using client = await Client.connect(port);
  await client.ask({ command: "create", tree_name: "t" });
  await client.ask({ command: "dump", tree_name: "t" });
  assertEquals(dumpsIn(dumps).length, 1);
  assertEquals(await client.ask(PING + " ".repeat(64)), failure("Request exceeds 64 bytes"));
});

Deno.test("command line: an option wins over the environment", async () => {
  const env = { KARMA_PORT: "1", KARMA_HOST: "192.0.2.1", KARMA_DUMP_DIR: "/proc/none" };
  await using server = await Server.start({ env });
  assert(server.port > 1);
});

Deno.test("command line: the directory is made when it is missing", async () => {
  using directory = new TemporaryDirectory();
  await using server = await Server.start({ directory: directory.join("a/b") });
  using client = await Client.connect(server.port);
  await client.ask({ command: "create", tree_name: "t" });
  assertEquals(await server.stop(), 0);
  assertEquals(dumpsIn(directory.join("a/b")).length, 1);
});

Deno.test("command line: the directory is the current one when none is given", async () => {
  await using server = await Server.start({ bare: true, args: ["-b", "127.0.0.1", "-p0"] });
  using client = await Client.connect(server.port);
  await client.ask({ command: "create", tree_name: "here" });
  await client.ask({ command: "dump", tree_name: "here" });
  const [name] = dumpsIn(server.directory);
  assertMatch(name, /^\d+_here\.tree$/);
});

Deno.test("command line: a directory that cannot be used", async () => {
  using directory = new TemporaryDirectory();
  const file = directory.join("file");
  Deno.writeTextFileSync(file, "mine");
  for (const path of [file, `${file}/below`]) {
    const { code, stdout, stderr } = await Server.run(["--port=0", `--directory=${path}`]);
    assertEquals([code, stdout], [1, ""]);
    assertMatch(stderr, /^Directory .* could not be made: .+\n$/);
    assertStringIncludes(stderr, path);
  }
  assertEquals(Deno.readTextFileSync(file), "mine");
});

Deno.test("command line: a port in use, a host that is not ours", async () => {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const { port } = listener.addr;
  const taken = await Server.run(["--bind=127.0.0.1", `--port=${port}`]);
  assertEquals([taken.code, taken.stdout], [1, ""]);
  assertMatch(taken.stderr, /^Could not listen on 127\.0\.0\.1:\d+: Address already in use.*\n$/);
  const elsewhere = await Server.run(["--bind=192.0.2.1", "--port=0"]);
  assertEquals([elsewhere.code, elsewhere.stdout], [1, ""]);
  assertMatch(elsewhere.stderr, /^Could not listen on 192\.0\.2\.1:0: .+\n$/);
});

Deno.test("command line: beside a service called karma its variables are passed over", async () => {
  const env = { KARMA_PORT: "tcp://10.0.0.1:8080", KARMA_SERVICE_HOST: "10.0.0.1" };
  const { code, stdout, stderr } = await Server.run(["check", "--directory=."], { env });
  assertEquals(code, 0, stdout);
  const note = "tcp://10.0.0.1:8080 tells of a Kubernetes service";
  assertEquals(stderr, `Environment variable KARMA_PORT is passed over: ${note}\n`);
});

Deno.test("command line: the local time zone is told, or refused where TZ is a rule", async () => {
  await using server = await Server.start({
    args: ["--timezone=local"],
    env: { TZ: ":Asia/Tokyo" },
  });
  assertEquals(
    server.stderr,
    "Days begin at midnight in Asia/Tokyo, the machine's time zone\n",
  );
  const { code, stderr } = await Server.run(["--timezone=local"], { env: { TZ: "EST5EDT4" } });
  assertEquals(code, 2);
  assertMatch(
    stderr,
    /^Option --timezone=local: TZ=EST5EDT4 is not the name of a time zone; .+\n$/,
  );
});

Deno.test("command line: deno task start means the folder of its caller", async () => {
  using folder = new TemporaryDirectory();
  Deno.mkdirSync(folder.join("data"));
  const fixtures = new URL("../fixtures/dumps/karma-0.1/", import.meta.url);
  const dump = "1689325200_articles.tree";
  Deno.copyFileSync(new URL(dump, fixtures), `${folder.path}/data/${dump}`);
  const config = fromFileUrl(new URL("../../deno.json", import.meta.url));
  const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["task", "--config", config, "start", "check", "--directory", "./data"],
    cwd: folder.path,
    env: { INIT_CWD: folder.path, NO_COLOR: "1" },
  }).output();
  const said = new TextDecoder().decode(stdout);
  assertEquals(code, 0, said + new TextDecoder().decode(stderr));
  assertStringIncludes(said, "A start would find 1 trees");
});
