// A real Karma process for tests: the binary that KARMA_BIN names, else main.ts under this Deno.
//
// It listens on a free port of 127.0.0.1 and keeps its dumps in a fresh directory, unless told
// otherwise. Invariant: nothing of it outlives its `using` block, no process and no directory.
// Trade-off: the binary starts with an empty environment, as it must be able to; Deno needs ours, less
// what is meant for Karma.

import { fromFileUrl, join, resolve } from "@std/path";

const ROOT = fromFileUrl(new URL("../..", import.meta.url));
const START_LINE = /^Karma v\.\S+ is on (\d+)\.$/m;
const PATIENCE_MS = 20_000;
const POLL_MS = 5;

export interface ServerOptions {
  /** Options of Karma behind those for the address, the port and the directory. */
  readonly args?: readonly string[];
  /** Leaves those away. */
  readonly bare?: boolean;
  readonly env?: Readonly<Record<string, string>>;
  /** A directory of the test's own, which stays. */
  readonly directory?: string;
  /** What a shell does in the process before Karma takes its place: `ulimit -n 256`. */
  readonly limits?: string;
}

export interface Ended {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** A directory that is gone at the end of its `using` block. */
export class TemporaryDirectory implements Disposable {
  readonly path = Deno.makeTempDirSync({ prefix: "karma-test-" });

  /** The names of the files in it, in order, without hidden ones. */
  files(): string[] {
    const names = [...Deno.readDirSync(this.path)].map(({ name }) => name);
    return names.filter((name) => !name.startsWith(".")).sort();
  }

  /** As `files`, without those of the log. */
  dumps(): string[] {
    return this.files().filter((name) => !/\.(wal|registry)$/.test(name));
  }

  /** The path of a file in it. */
  join(file: string): string {
    return join(this.path, file);
  }

  [Symbol.dispose](): void {
    Deno.removeSync(this.path, { recursive: true });
  }
}

export class Server implements AsyncDisposable {
  readonly directory: string;
  /** Where it runs; its data too, unless the test has a directory of its own. */
  readonly #home = new TemporaryDirectory();
  readonly #process: Deno.ChildProcess;
  readonly #out: Output;
  readonly #error: Output;
  /** Set once the start line is there. */
  port = 0;

  private constructor(options: ServerOptions) {
    this.directory = options.directory ?? this.#home.path;
    const place = ["--bind=127.0.0.1", "--port=0", `--directory=${this.directory}`];
    const args = [...options.bare ? [] : place, ...options.args ?? []];
    this.#process = spawn(args, options, this.#home);
    this.#out = new Output(this.#process.stdout);
    this.#error = new Output(this.#process.stderr);
  }

  /** Starts Karma and does not wait for anything. */
  static launch(options: ServerOptions = {}): Server {
    return new Server(options);
  }

  /** Starts Karma and waits until it serves. */
  static async start(options: ServerOptions = {}): Promise<Server> {
    const server = new Server(options);
    try {
      await server.ready();
      return server;
    } catch (error) {
      await server[Symbol.asyncDispose]();
      throw new Error(`Karma did not start: ${server.stderr}`, { cause: error });
    }
  }

  /** Runs Karma with exactly these arguments until it ends by itself. */
  static async run(args: readonly string[], options: ServerOptions = {}): Promise<Ended> {
    using home = new TemporaryDirectory();
    const process = spawn(args, options, home);
    const cut = setTimeout(() => process.kill("SIGKILL"), PATIENCE_MS);
    const { code, stdout, stderr } = await process.output();
    clearTimeout(cut);
    const text = new TextDecoder();
    return { code, stdout: text.decode(stdout), stderr: text.decode(stderr) };
  }

  /** Waits for the start line. */
  async ready(): Promise<void> {
    this.port = Number((await this.#out.until(START_LINE))[1]);
  }

  get pid(): number {
    return this.#process.pid;
  }

  /** What it has printed so far. */
  get stdout(): string {
    return this.#out.text;
  }

  /** Likewise to stderr, but for the lines about dumps that were made. */
  get stderr(): string {
    return this.#error.text.replaceAll(/^Dumped .*\n/gm, "");
  }

  /** The lines about dumps that were made. */
  get dumped(): string[] {
    return this.#error.text.match(/^Dumped .*$/gm) ?? [];
  }

  /** Waits until it has said something on stderr. */
  async says(pattern: RegExp): Promise<void> {
    await this.#error.until(pattern);
  }

  signal(name: Deno.Signal): void {
    this.#process.kill(name);
  }

  /** Asks it to end, if it has not yet, and returns its exit code. */
  async stop(signal: Deno.Signal = "SIGTERM"): Promise<number> {
    this.signal(signal);
    return await this.ended();
  }

  /** Waits until it has ended, and all it printed is here; returns its exit code. */
  async ended(): Promise<number> {
    let late = false;
    const cut = setTimeout(() => {
      late = true;
      this.signal("SIGKILL");
    }, PATIENCE_MS);
    const { code } = await this.#process.status;
    clearTimeout(cut);
    await Promise.all([this.#out.closed, this.#error.closed]);
    if (late) throw new Error(`Karma did not end within ${PATIENCE_MS} ms: ${this.stderr}`);
    return code;
  }

  /** Kills it as `kill -9` does. */
  async kill(): Promise<void> {
    await this.stop("SIGKILL");
  }

  /** Its resident memory in bytes. */
  async memory(): Promise<number> {
    // Not read here: Deno counts files of other processes as more than a permission to read.
    const { stdout } = await new Deno.Command("cat", { args: [`/proc/${this.pid}/status`] })
      .output();
    const [, kilobytes] = /^VmRSS:\s*(\d+) kB$/m.exec(new TextDecoder().decode(stdout))!;
    return 1024 * Number(kilobytes);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    try {
      this.signal("SIGKILL");
    } catch (error) {
      if (!(error instanceof TypeError)) throw error; // it has ended
    }
    await this.ended();
    this.#home[Symbol.dispose]();
  }
}

/** Waits until something holds, but not for ever. */
export async function eventually(what: string, holds: () => boolean | Promise<boolean>) {
  const deadline = Date.now() + PATIENCE_MS;
  while (!await holds()) {
    if (Date.now() > deadline) throw new Error(`Not within ${PATIENCE_MS} ms: ${what}`);
    await new Promise((done) => setTimeout(done, POLL_MS));
  }
}

/** The text of a stream, collected as it comes. */
class Output {
  text = "";
  readonly closed: Promise<void>;
  #isClosed = false;

  constructor(stream: ReadableStream<Uint8Array<ArrayBuffer>>) {
    this.closed = this.#collect(stream);
  }

  async until(pattern: RegExp): Promise<RegExpExecArray> {
    await eventually(`${pattern} in ${this.text}`, () => pattern.test(this.text) || this.#isClosed);
    const match = pattern.exec(this.text);
    if (match === null) throw new Error(`The process ended before ${pattern}: ${this.text}`);
    return match;
  }

  async #collect(stream: ReadableStream<Uint8Array<ArrayBuffer>>): Promise<void> {
    const text = stream.pipeThrough(new TextDecoderStream());
    for await (const part of text) this.text += part;
    this.#isClosed = true;
  }
}

function spawn(
  args: readonly string[],
  options: ServerOptions,
  home: TemporaryDirectory,
): Deno.ChildProcess {
  const command = [...program(), ...args];
  // The shell replaces itself, so that signals and the exit code are Karma's own.
  const [file, ...rest] = options.limits === undefined
    ? command
    : ["/bin/sh", "-c", `${options.limits}; exec "$@"`, "sh", ...command];
  return new Deno.Command(file, {
    args: rest,
    cwd: home.path,
    clearEnv: true,
    env: { ...environment(), ...options.env },
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
}

function binary(): string | undefined {
  const path = Deno.env.get("KARMA_BIN");
  return path ? resolve(path) : undefined;
}

let flags: string[] | undefined;

function program(): string[] {
  const path = binary();
  if (path !== undefined) return [path];
  flags ??= npmFlags();
  const run = ["run", "--quiet", "-P", "--no-prompt", ...flags, join(ROOT, "main.ts")];
  return [Deno.execPath(), ...run];
}

/** How main.ts finds its packages here (lib/npm/flags.ts). */
function npmFlags(): string[] {
  const args = ["run", "--quiet", join(ROOT, "lib/npm/flags.ts")];
  const { stdout } = new Deno.Command(Deno.execPath(), { args }).outputSync();
  return new TextDecoder().decode(stdout).split(/\s+/).filter((flag) => flag !== "");
}

function environment(): Record<string, string> {
  if (binary() !== undefined) return {};
  const ours = Object.entries(Deno.env.toObject()).filter(([name]) => !name.startsWith("KARMA_"));
  return { ...Object.fromEntries(ours), NO_COLOR: "1" };
}
