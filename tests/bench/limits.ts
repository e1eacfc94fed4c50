// Measures limits: `limit.consume` beside a plain increment, and beside Redis with equivalent scripts.
//
//   deno run -A tests/bench/limits.ts [rounds]
//
// Needs gcc and ../shared/tools/kload.c, which loads all of them in turn: 50 connections, 16 requests in
// a pipeline, 100 000 random keys; first without persistence, then with `everysec` on both sides.
// Redis is left out where it isn't installed (apt-get install redis-server). KARMA_BIN measures a
// binary instead of the source.
//
// Two figures for each: requests a second, and the processor time of the server for one. Where
// others use the machine too, the second says more: it knows nothing of the load generator's share.

const ROUNDS = Number(Deno.args[0] ?? 5);
const CONNECTIONS = 50;
const PIPELINE = 16;
const KEYS = 100_000;
const ROOT = new URL("../../", import.meta.url).pathname;
const V8_FLAGS = "--max-inlined-bytecode-size=1500,--max-inlined-bytecode-size-cumulative=6000";
/** Of the kernel's clock of processor time. */
const TICKS_A_SECOND = 100;

const directory = Deno.makeTempDirSync({ prefix: "karma-bench-" });

interface Contestant {
  readonly name: string;
  readonly server: Server;
  /** A request, as kload wants it. */
  readonly template: string;
  readonly requests: number;
  /** How many line feeds a reply has. */
  readonly lines: number;
}

interface Measured {
  readonly rate: number;
  /** Microseconds of processor time a request. */
  readonly cost: number;
}

/** A server that is killed at the end of its `using` block. */
class Server implements AsyncDisposable {
  readonly port = freePort();
  readonly #process: Deno.ChildProcess;

  constructor(command: string, argsFor: (port: number) => string[]) {
    const args = argsFor(this.port);
    this.#process = new Deno.Command(command, { args, stdout: "null" }).spawn();
  }

  async listens(): Promise<void> {
    for (let attempt = 0; attempt < 100; attempt++) {
      try {
        return (await Deno.connect({ port: this.port })).close();
      } catch {
        await new Promise((done) => setTimeout(done, 100));
      }
    }
    throw new Error("A server does not listen");
  }

  /** Seconds of processor time so far, of the program and of the system for it. */
  get seconds(): number {
    const stat = Deno.readTextFileSync(`/proc/${this.#process.pid}/stat`);
    const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    return (Number(fields[11]) + Number(fields[12])) / TICKS_A_SECOND;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    try {
      this.#process.kill("SIGKILL");
    } catch (error) {
      if (!(error instanceof TypeError)) throw error; // it has ended
    }
    await this.#process.status;
  }
}

function freePort(): number {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  return listener.addr.port;
}

async function output(command: string, ...args: string[]): Promise<string> {
  const result = await new Deno.Command(command, { args, stderr: "inherit" }).output();
  if (!result.success) throw new Error(`${command} failed`);
  return new TextDecoder().decode(result.stdout).trim();
}

async function hasRedis(): Promise<boolean> {
  try {
    return (await output("redis-server", "--version")) !== "";
  } catch {
    console.log("Redis is left out: no redis-server here; apt-get install redis-server");
    return false;
  }
}

async function startKarma(options: string[]): Promise<Server> {
  const argsFor = (port: number) => {
    return ["-p", `${port}`, "-d", `${directory}/karma-${port}`, ...options];
  };
  const binary = Deno.env.get("KARMA_BIN");
  if (binary) return new Server(binary, argsFor);
  const told = await output(Deno.execPath(), "run", "-q", `${ROOT}lib/npm/flags.ts`);
  const flags = told.split(/\s+/).filter((flag) => flag !== "");
  const run = ["run", "-A", "--no-prompt", `--v8-flags=${V8_FLAGS}`, ...flags, `${ROOT}main.ts`];
  return new Server(Deno.execPath(), (port) => [...run, ...argsFor(port)]);
}

function startRedis(options: string[]): Server {
  const shared = ["--bind", "127.0.0.1", "--dir", directory, "--save", ""];
  return new Server("redis-server", (port) => {
    return ["--port", `${port}`, ...shared, "--appenddirname", `redis-${port}`, ...options];
  });
}

function karmas(server: Server): Contestant[] {
  const increment = { v: 2, op: "counter.increment", series: "plain", key: 0 };
  const consume = {
    v: 2,
    op: "limit.consume",
    key: 0,
    cost: 1,
    limits: [
      { series: "api_requests", max: 1000, window: "day" },
      { series: "api_requests", max: 20000, window: "month" },
    ],
  };
  const keyed = (request: object) => JSON.stringify(request).replace('"key":0', '"key":%K');
  const common = { server, lines: 1 };
  return [
    { ...common, name: "Karma counter.increment", template: keyed(increment), requests: 600_000 },
    { ...common, name: "Karma limit.consume", template: keyed(consume), requests: 300_000 },
  ];
}

async function redises(server: Server): Promise<Contestant[]> {
  const load = async (file: string) => {
    const script = Deno.readTextFileSync(new URL(file, import.meta.url));
    return await output("redis-cli", "-p", `${server.port}`, "SCRIPT", "LOAD", script);
  };
  const today = new Date().toISOString().slice(0, 10).replaceAll("-", "");
  const totals = `${await load("consume.lua")} 1 totals:%K ${today} ${today.slice(0, 6)}`;
  const days = `${await load("consume_days.lua")} 1 days:%K ${today}`;
  const limits = "1 1000 20000";
  const common = { server, lines: 5, requests: 150_000 };
  return [
    { ...common, name: "Redis, totals", template: `*EVALSHA ${totals} ${limits}` },
    { ...common, name: "Redis, sum of days", template: `*EVALSHA ${days} ${limits}` },
  ];
}

async function measure({ server, template, requests, lines }: Contestant): Promise<Measured> {
  const size = [CONNECTIONS, PIPELINE, requests, KEYS, lines].map(String);
  const before = server.seconds;
  const address = ["127.0.0.1", `${server.port}`];
  const told = await output(`${directory}/kload`, ...address, ...size, template);
  const rate = /^\s*(\d+) req\/s.*\berrs=0\b/.exec(told);
  if (rate === null) throw new Error(told);
  return { rate: Number(rate[1]), cost: 1e6 * (server.seconds - before) / requests };
}

function median(values: number[]): number {
  return values.toSorted((a, b) => a - b)[values.length >> 1];
}

/** A line of the table. */
function line(name: string, ...cells: string[]): string {
  return name.padEnd(24) + cells.map((cell) => cell.padStart(18)).join("");
}

function row(name: string, measured: Measured[], plain: Measured, consume: Measured): string {
  const rates = measured.map(({ rate }) => rate);
  const { rate, cost } = middle(measured);
  return line(
    name,
    rate.toFixed(0),
    `${Math.min(...rates)} to ${Math.max(...rates)}`,
    cost.toFixed(2),
    `${(rate / plain.rate).toFixed(2)} (${(plain.cost / cost).toFixed(2)})`,
    `${(consume.rate / rate).toFixed(2)} (${(cost / consume.cost).toFixed(2)})`,
  );
}

function middle(measured: Measured[]): Measured {
  return {
    rate: median(measured.map(({ rate }) => rate)),
    cost: median(measured.map(({ cost }) => cost)),
  };
}

async function compare(title: string, karma: string[], redis: string[] | null): Promise<void> {
  await using karmaServer = await startKarma(karma);
  await karmaServer.listens();
  await using redisServer = redis === null ? null : startRedis(redis);
  await redisServer?.listens();
  const contestants = [
    ...karmas(karmaServer),
    ...redisServer === null ? [] : await redises(redisServer),
  ];
  const found: Measured[][] = contestants.map(() => []);
  for (let round = -1; round < ROUNDS; round++) { // the first is to warm up
    for (const [index, contestant] of contestants.entries()) {
      const measured = await measure(contestant);
      if (round >= 0) found[index].push(measured);
    }
  }
  const [plain, consume] = found.map(middle);
  console.log(`\n${title}: medians of ${ROUNDS}; ratios in brackets are of processor time`);
  console.log(line("", "requests/s", "spread", "µs CPU", "/ increment", "consume / this"));
  for (const [index, { name }] of contestants.entries()) {
    console.log(row(name, found[index], plain, consume));
  }
}

try {
  await output("gcc", "-O2", "-o", `${directory}/kload`, `${ROOT}../shared/tools/kload.c`);
  const isRedisHere = await hasRedis();
  const none = ["--appendonly", "no"];
  await compare("No persistence", ["--wal=false"], isRedisHere ? none : null);
  const everysec = ["--appendonly", "yes", "--appendfsync", "everysec"];
  await compare("everysec", ["--wal-fsync=everysec"], isRedisHere ? everysec : null);
} finally {
  Deno.removeSync(directory, { recursive: true });
}
