// The servers that are measured: Karma, Redis, and the bare echo, each a process of its own.
//
// Invariant: whatever was started is in `running`, and `cleanUp` ends all of it and removes the one
// directory in which everything was written, whether the bench ends well, fails, or is interrupted.

const ROOT = new URL("../../", import.meta.url).pathname;
/** Of the kernel's clock of processor time. */
const TICKS_A_SECOND = 100;
const STARTING_MS_MAX = 60_000;
const ASKING_MS_MAX = 20_000;
const POLL_MS = 2;
const REMOVING_ATTEMPTS = 100;
const REMOVING_PAUSE_MS = 20;

/** Raises the limit of descriptors as far as it goes, and keeps what is said in a file. */
const WRAPPER = 'ulimit -n "$(ulimit -Hn)"; exec "$@" >>"$0" 2>&1';

export type Log = "off" | "everysec" | "always";
export type ServerName = "karma" | "redis" | "echo";

/** All that the bench writes. */
export const directory = Deno.makeTempDirSync({ prefix: "karma-bench-" });

const running = new Set<Deno.ChildProcess>();
let isOver = false;
const decoder = new TextDecoder();
const encoder = new TextEncoder();

/** Starts the first of a group of processes: a Redis that saves is so ended with the one it forked. */
function spawn(command: string, args: string[], options: Deno.CommandOptions): Deno.ChildProcess {
  if (isOver) throw new Error("The bench has been interrupted");
  const common = { args, stdin: "null", detached: true } as const;
  const process = new Deno.Command(command, { ...common, ...options }).spawn();
  running.add(process);
  process.status.then(() => running.delete(process));
  return process;
}

/** What a command prints, as it comes; fails unless the command ends well. */
export async function* said(command: string, ...args: string[]): AsyncGenerator<string> {
  const process = spawn(command, args, { stdout: "piped", env: { TMPDIR: directory } });
  yield* process.stdout.pipeThrough(new TextDecoderStream());
  if (!(await process.status).success) throw new Error(`${command.split("/").at(-1)} failed`);
}

/** All that a command prints. */
export async function output(command: string, ...args: string[]): Promise<string> {
  return (await Array.fromAsync(said(command, ...args))).join("").trim();
}

/** Kills a process and those that it has started; all may have ended. */
function kill(process: Deno.ChildProcess): void {
  try {
    Deno.kill(-process.pid, "SIGKILL");
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
}

export async function cleanUp(): Promise<void> {
  isOver = true;
  const ended = [...running].map((process) => {
    kill(process);
    return process.status;
  });
  await Promise.all(ended);
  await remove(directory);
}

/** Removes a directory; what was killed may have made one file more meanwhile. */
async function remove(path: string): Promise<void> {
  for (let attempt = 0;; attempt++) {
    try {
      return await Deno.remove(path, { recursive: true });
    } catch (error) {
      if (error instanceof Deno.errors.NotFound) return;
      if (attempt === REMOVING_ATTEMPTS) throw error;
      await sleep(REMOVING_PAUSE_MS);
    }
  }
}

export function sleep(ms: number): Promise<void> {
  return new Promise((done) => setTimeout(done, ms));
}

interface Launch {
  readonly command: string;
  readonly argsFor: (port: number) => string[];
  /** What a server that is ready answers to `ping`, and how it is asked. */
  readonly ping: string;
  readonly pong: string;
}

export class Server implements AsyncDisposable {
  readonly name: ServerName;
  readonly port = freePort();
  readonly #launch: Launch;
  readonly #said: string;
  #process: Deno.ChildProcess;

  private constructor(name: ServerName, launch: Launch) {
    this.name = name;
    this.#launch = launch;
    this.#said = `${directory}/${name}-${this.port}.said`;
    this.#process = this.#spawn();
  }

  static async start(name: ServerName, launch: Launch): Promise<Server> {
    const server = new Server(name, launch);
    await server.answers(launch.ping, launch.pong);
    return server;
  }

  #spawn(): Deno.ChildProcess {
    const { command, argsFor } = this.#launch;
    const args = ["-c", WRAPPER, this.#said, command, ...argsFor(this.port)];
    return spawn("bash", args, { cwd: ROOT });
  }

  /** Asks one request over a connection of its own. */
  async ask(request: string, lines = 1): Promise<string> {
    using connection = await Deno.connect({ hostname: "127.0.0.1", port: this.port });
    const bytes = encoder.encode(request);
    for (let at = 0; at < bytes.length;) at += await connection.write(bytes.subarray(at));
    const patience = setTimeout(() => connection.closeWrite(), ASKING_MS_MAX); // it then closes, too
    const buffer = new Uint8Array(65536);
    let reply = "";
    try {
      while (reply.split("\n").length <= lines) {
        const count = await connection.read(buffer);
        if (count === null) throw new Error(`${this.name} ends its reply: ${reply}`);
        reply += decoder.decode(buffer.subarray(0, count)); // all that is asked here is ASCII
      }
      return reply;
    } finally {
      clearTimeout(patience);
    }
  }

  /** Waits until a request gets the reply that is wanted. */
  async answers(request: string, wanted: string): Promise<void> {
    const until = performance.now() + STARTING_MS_MAX;
    let got = "nothing";
    while (performance.now() < until && running.has(this.#process)) {
      try {
        got = await this.ask(request);
        if (got === wanted) return;
      } catch (error) {
        if (!(error instanceof Deno.errors.ConnectionRefused)) throw error;
      }
      await sleep(POLL_MS);
    }
    throw new Error(`${this.name} answers ${got}; it said: ${Deno.readTextFileSync(this.#said)}`);
  }

  /** Seconds of processor time so far, of the program and of the system for it. */
  get cpuSeconds(): number {
    const stat = this.#told("stat");
    const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    return (Number(fields[11]) + Number(fields[12])) / TICKS_A_SECOND;
  }

  get residentBytes(): number {
    return 1024 * Number(/^VmRSS:\s*(\d+) kB$/m.exec(this.#told("status"))![1]);
  }

  /** What the kernel tells about it. */
  #told(file: string): string {
    try {
      return Deno.readTextFileSync(`/proc/${this.#process.pid}/${file}`);
    } catch {
      throw new Error(`${this.name} has ended; it said: ${Deno.readTextFileSync(this.#said)}`);
    }
  }

  /** Waits for the end that was asked for by a signal or a request. */
  async ended(): Promise<void> {
    await this.#process.status;
  }

  /** Asks it to dump and end. */
  interrupt(): void {
    this.#process.kill("SIGINT");
  }

  async kill(): Promise<void> {
    kill(this.#process);
    await this.ended();
  }

  /** Starts it again, over what it left in its directory; it need not answer yet. */
  startAgain(): void {
    this.#process = this.#spawn();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.kill();
    await remove(directoryOf(this.name, this.port));
  }
}

function directoryOf(name: ServerName, port: number): string {
  return `${directory}/${name}-${port}`;
}

function freePort(): number {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  return listener.addr.port;
}

/** The command of `deno task start`, as deno.json has it, or $KARMA_BIN. */
async function karmaCommand(): Promise<[string, string[]]> {
  const binary = Deno.env.get("KARMA_BIN");
  if (binary) return [binary, []];
  const { tasks } = JSON.parse(Deno.readTextFileSync(`${ROOT}deno.json`));
  const flags = await output(Deno.execPath(), "run", "-q", `${ROOT}lib/npm/flags.ts`);
  const words = tasks.start.replace(/\$\(.*?\)/, flags).split(/\s+/);
  return [Deno.execPath(), words.slice(1)];
}

let karma: [string, string[]] | null = null;

const KARMA_LOG = {
  off: ["--wal=false"],
  everysec: ["--wal-fsync=everysec"],
  always: ["--wal-fsync=always"],
};
const REDIS_LOG = {
  off: ["--appendonly", "no"],
  everysec: ["--appendonly", "yes", "--appendfsync", "everysec"],
  always: ["--appendonly", "yes", "--appendfsync", "always"],
};

/** Starts Karma over a directory of its own, and waits until it answers. */
export async function startKarma(log: Log, ...options: string[]): Promise<Server> {
  karma ??= await karmaCommand();
  return await startKarmaAs(karma, log, ...options);
}

/** Likewise, a program that is named by its command and its first arguments. */
export async function startKarmaAs(
  [command, args]: [string, string[]],
  log: Log,
  ...options: string[]
): Promise<Server> {
  return await Server.start("karma", {
    command,
    argsFor: (port) => {
      const own = [
        "--bind=127.0.0.1",
        `--port=${port}`,
        `--directory=${directoryOf("karma", port)}`,
      ];
      return [...args, ...own, "--query-timeout-ms=0", ...KARMA_LOG[log], ...options];
    },
    ping: '{"command":"ping"}\n',
    pong: '{"success":true,"response":"pong"}\r\n',
  });
}

/** Likewise; nothing is saved but what the log says, and at `SHUTDOWN SAVE`. */
export async function startRedis(log: Log, ...options: string[]): Promise<Server> {
  return await Server.start("redis", {
    command: "redis-server",
    argsFor: (port) => {
      const own = directoryOf("redis", port);
      Deno.mkdirSync(own, { recursive: true });
      const shared = ["--bind", "127.0.0.1", "--dir", own, "--save", ""];
      return ["--port", `${port}`, ...shared, ...REDIS_LOG[log], ...options];
    },
    ping: "PING\r\n",
    pong: "+PONG\r\n",
  });
}

/** Starts the bare echo under the same V8 as Karma's. */
export async function startEcho(): Promise<Server> {
  karma ??= await karmaCommand();
  const v8 = karma[1].filter((word) => word.startsWith("--v8-flags="));
  const script = `${ROOT}tests/bench/echo.ts`;
  return await Server.start("echo", {
    command: Deno.execPath(),
    argsFor: (port) => ["run", "-q", "--allow-net", ...v8, "--no-lock", script, `${port}`],
    ping: "ping\n",
    pong: '{"protocol_version":2,"success":true,"response":1,"error_code":null}\n',
  });
}
