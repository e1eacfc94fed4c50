// Measures limits: `limit.consume` beside a plain increment, and beside Redis with the equivalent script.
//
//   deno run -A tests/bench/limits.ts [rounds]
//
// Needs redis-server and gcc (apt-get install redis-server gcc), and ../shared/tools/kload.c, which
// loads all of them in turn: 50 connections, 16 requests in a pipeline, 100 000 random keys, no
// persistence, then `everysec` on both sides. KARMA_BIN measures a binary instead of the source.

const ROUNDS = Number(Deno.args[0] ?? 5);
const CONNECTIONS = "50";
const PIPELINE = "16";
const KEYS = "100000";
const ROOT = new URL("../../", import.meta.url).pathname;
const V8_FLAGS = "--max-inlined-bytecode-size=1500,--max-inlined-bytecode-size-cumulative=6000";

const directory = Deno.makeTempDirSync({ prefix: "karma-bench-" });
const servers: Deno.ChildProcess[] = [];

async function output(command: string, ...args: string[]): Promise<string> {
  const result = await new Deno.Command(command, { args, stderr: "inherit" }).output();
  if (!result.success) throw new Error(`${command} failed`);
  return new TextDecoder().decode(result.stdout).trim();
}

async function start(command: string, args: string[], port: number): Promise<void> {
  servers.push(new Deno.Command(command, { args, stdout: "null", stderr: "null" }).spawn());
  for (let attempt = 0; attempt < 100; attempt++) {
    try {
      (await Deno.connect({ port })).close();
      return;
    } catch {
      await new Promise((done) => setTimeout(done, 100));
    }
  }
  throw new Error(`${command} does not listen`);
}

async function startKarma(port: number, ...options: string[]): Promise<void> {
  const args = ["-p", String(port), "-d", `${directory}/karma-${port}`, ...options];
  const binary = Deno.env.get("KARMA_BIN");
  if (binary) return await start(binary, args, port);
  const flags = (await output("deno", "run", "-q", `${ROOT}lib/npm/flags.ts`)).split(" ");
  const run = ["run", "-A", "--no-prompt", `--v8-flags=${V8_FLAGS}`, ...flags, `${ROOT}main.ts`];
  await start("deno", [...run, ...args], port);
}

async function startRedis(port: number, ...options: string[]): Promise<string> {
  Deno.mkdirSync(`${directory}/redis-${port}`);
  const args = ["--port", String(port), "--dir", `${directory}/redis-${port}`, "--save", ""];
  await start("redis-server", [...args, ...options], port);
  const script = Deno.readTextFileSync(new URL("consume.lua", import.meta.url));
  return await output("redis-cli", "-p", String(port), "SCRIPT", "LOAD", script);
}

/** Requests a second. */
async function load(
  port: number,
  requests: number,
  lines: number,
  template: string,
): Promise<number> {
  const args = [
    String(port),
    CONNECTIONS,
    PIPELINE,
    String(requests),
    KEYS,
    String(lines),
    template,
  ];
  const told = await output(`${directory}/kload`, "127.0.0.1", ...args);
  if (!told.includes("errs=0")) throw new Error(told);
  return Number(/^\s*(\d+) req\/s/.exec(told)![1]);
}

const increment = '{"v":2,"op":"counter.increment","series":"plain","key":%K}';
const consume = JSON.stringify({
  v: 2,
  op: "limit.consume",
  key: 0,
  cost: 1,
  limits: [
    { series: "api_requests", max: 1000, window: "day" },
    { series: "api_requests", max: 20000, window: "month" },
  ],
}).replace('"key":0', '"key":%K');
const today = new Date().toISOString().slice(0, 10).replaceAll("-", "");

function median(values: number[]): number {
  return values.toSorted((a, b) => a - b)[values.length >> 1];
}

function told(name: string, values: number[]): string {
  const spread = `${Math.min(...values).toFixed(0)} to ${Math.max(...values).toFixed(0)}`;
  return `${name.padEnd(28)} ${median(values).toFixed(0).padStart(9)} /s   (${spread})`;
}

async function compare(
  title: string,
  karma: string[],
  redis: string[],
  port: number,
): Promise<void> {
  await startKarma(port, ...karma);
  const sha = await startRedis(port + 1, ...redis);
  const script = `*EVALSHA ${sha} 1 user:%K ${today} 1 1000 20000`;
  const found: Record<string, number[]> = { increment: [], consume: [], script: [] };
  for (let round = -1; round < ROUNDS; round++) { // the first is to warm up
    const plain = await load(port, 600_000, 1, increment);
    const limited = await load(port, 300_000, 1, consume);
    const scripted = await load(port + 1, 100_000, 5, script);
    if (round < 0) continue;
    found.increment.push(plain);
    found.consume.push(limited);
    found.script.push(scripted);
  }
  const rate = (name: string) => median(found[name]);
  console.log(`${title}, median of ${ROUNDS}`);
  console.log(told("  Karma counter.increment", found.increment));
  console.log(told("  Karma limit.consume", found.consume));
  console.log(told("  Redis script", found.script));
  console.log(`  consume / increment ${(rate("consume") / rate("increment")).toFixed(2)}`);
  console.log(`  Karma / Redis       ${(rate("consume") / rate("script")).toFixed(2)}`);
}

try {
  await output("gcc", "-O2", "-o", `${directory}/kload`, `${ROOT}../shared/tools/kload.c`);
  const none = ["--appendonly", "no"];
  await compare("No log, no persistence", ["--wal=false"], none, 7610);
  const everysec = ["--appendonly", "yes", "--appendfsync", "everysec"];
  await compare("everysec on both", ["--wal-fsync=everysec"], everysec, 7620);
} finally {
  for (const server of servers) {
    server.kill("SIGKILL");
    await server.status;
  }
  Deno.removeSync(directory, { recursive: true });
}
