// Clients of Redis that nobody here wrote, with their default settings, against a real server.
//
// On Debian: apt-get install redis-tools python3-redis ruby-redis. What a machine does not have is passed over, and
// said so.

import { assert, assertEquals, assertMatch } from "@std/assert";
import { Server } from "../support/server.ts";
import { commandOf } from "../support/resp.ts";

const encoder = new TextEncoder();
const decoder = new TextDecoder();

interface Client {
  readonly command: string;
  readonly args: readonly string[];
}

/** What a client prints; null: it is not there, which is said. */
async function run({ command, args }: Client, stdin = ""): Promise<string | null> {
  let child: Deno.ChildProcess;
  try {
    child = new Deno.Command(command, { args: [...args], ...PIPES }).spawn();
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
    console.log(`passed over: ${command} is not there`);
    return null;
  }
  const writer = child.stdin.getWriter();
  await writer.write(encoder.encode(stdin));
  await writer.close();
  const { stdout, stderr } = await child.output();
  const errors = decoder.decode(stderr);
  if (/No module named|cannot load such file/.test(errors)) {
    console.log(`passed over: ${command} has no library for Redis`);
    return null;
  }
  return decoder.decode(stdout) + errors;
}

const PIPES = { stdin: "piped", stdout: "piped", stderr: "piped" } as const;

Deno.test("redis-cli: commands from a pipe, in both versions, and errors", async () => {
  await using server = await Server.start();
  const commands = "KARMA.ADD t 7 3\nKARMA.SUM t 7\nKARMA.SERIES t 7 20260101 20260131\nnothing\n";
  for (const [version, sum] of [["-2", 3], ["-3", 6]] as const) {
    const args = ["-p", `${server.port}`, version];
    const found = await run({ command: "redis-cli", args }, commands);
    if (found === null) return;
    assertMatch(found, new RegExp(`^\\d+\\n${sum}\\n\\s*ERR unknown command 'nothing'`), found);
  }
});

Deno.test("redis-cli: --pipe, and whoever has a token", async () => {
  await using server = await Server.start({ args: ["--auth-token", "secret"] });
  const count = 1000;
  const login = commandOf("AUTH", "secret");
  const adds = commandOf("KARMA.ADD", "t", "7").repeat(count);
  const args = ["-p", `${server.port}`];
  const found = await run({ command: "redis-cli", args: [...args, "--pipe"] }, login + adds);
  if (found === null) return;
  assertMatch(found, new RegExp(`errors: 0, replies: ${count + 1}`));
  const sum = await run({
    command: "redis-cli",
    args: [...args, "--no-auth-warning", "-a", "secret", "KARMA.SUM", "t", "7"],
  });
  assertEquals(sum, `${count}\n`);
  const refused = await run({ command: "redis-cli", args: [...args, "KARMA.SUM", "t", "7"] });
  assertMatch(refused!, /NOAUTH/);
});

Deno.test("redis-benchmark: increments in pipelines are all counted", async () => {
  await using server = await Server.start();
  const args = ["-p", `${server.port}`, "-n", "20000", "-P", "16", "-c", "50", "-q"];
  const command = ["KARMA.ADD", "t", "7"];
  const found = await run({ command: "redis-benchmark", args: [...args, ...command] });
  if (found === null) return;
  assertMatch(found, /requests per second/);
  const sum = await run({
    command: "redis-cli",
    args: ["-p", `${server.port}`, "KARMA.SUM", "t", "7"],
  });
  // It completes the last pipelines, so some come on top.
  assert(Number(sum) >= 20_000 && Number(sum) < 21_000, sum ?? "nothing");
});

/** A program in the words of a library: a pool, a pipeline, an error; it prints what it finds. */
const PYTHON = `
import sys, redis
r = redis.Redis(port=int(sys.argv[1]))
print(r.ping(), r.execute_command("KARMA.ADD", "t", 7, 3))
p = r.pipeline(transaction=False)
for key in range(3): p.execute_command("KARMA.ADD", "t", key)
print(p.execute())
try: r.execute_command("KARMA.DROP", "nothing")
except redis.ResponseError as error: print(error)
r.connection_pool.disconnect()
print(r.execute_command("KARMA.MSUM", "t", 0, 1, 7))
`;
const RUBY = `
require "redis"
r = Redis.new(port: Integer(ARGV[0]))
puts [r.ping, r.call("KARMA.ADD", "t", 7, 3)].join(" ")
p r.pipelined { |pipe| 3.times { |key| pipe.call("KARMA.ADD", "t", key) } }
begin r.call("KARMA.DROP", "nothing") rescue puts $!.message end
r.close
p r.call("KARMA.MSUM", "t", 0, 1, 7)
`;

Deno.test("redis-py and redis-rb: pools, pipelines, errors, and connections that are opened again", async () => {
  const programs = [
    { command: "/usr/bin/python3", args: ["-c", PYTHON], pong: "True" },
    { command: "ruby", args: ["-e", RUBY], pong: "PONG" },
  ];
  for (const { command, args, pong } of programs) {
    await using server = await Server.start();
    const found = await run({ command, args: [...args, `${server.port}`] });
    if (found === null) continue;
    assertEquals(
      found,
      `${pong} 3\n[1, 1, 1]\nNOTFOUND Tree "nothing" not found\n[1, 1, 3]\n`,
    );
  }
});
