// kill -9 of the real process, at random moments, over and over on the same directory.
//
// Each round: four writers with pipelines (tests/support/writers.ts) and two in protocol v2 that ask
// again for what they were not answered (tests/support/writers_v2.ts), a kill, a restart, and every
// counter compared: 0 acknowledged requests missing and none counted twice. Every third round is
// killed amid or after a `dump_all`, some while Karma ends or starts; the log's limits are so small
// that its files follow each other and dumps come by themselves.
//
// A few rounds by default. KARMA_ROUNDS=200 makes it as many for each policy, with larger trees, and
// prints a summary; KARMA_SEED repeats the requests and the moments, though not the process's pace.

import { assert, assertEquals, assertMatch } from "@std/assert";
import { budget } from "../support/budget.ts";
import { Client } from "../support/client.ts";
import { Random } from "../support/random.ts";
import { Server, TemporaryDirectory } from "../support/server.ts";
import { SHARED, stateOf, Writer, WrongState } from "../support/writers.ts";
import { WriterV2 } from "../support/writers_v2.ts";

const WRITERS = 4;
const WRITERS_V2 = 2;
const rounds = Number(Deno.env.get("KARMA_ROUNDS"));
/** Keys of each writer in each shared tree. */
const KEYS = rounds > 0 ? 10_000 : 500;
const ROUNDS_BY_DEFAULT = budget({ always: 2, everysec: 2, no: 1 }, {
  always: 20,
  everysec: 20,
  no: 10,
});

/** What Karma may say after a crash, and nothing else. */
const TOLD =
  /^(Log \d{20}\.wal: after record \d+ a crash left \d+ bytes unfinished, from byte \d+ on.*\n)?$/;

const sleep = (ms: number) => new Promise((done) => setTimeout(done, ms));

class RoundRobin {
  readonly #directory: TemporaryDirectory;
  readonly #random: Random;
  readonly #policy: string;
  readonly #writers: Writer[];
  readonly #writersV2: WriterV2[];
  /** How long each start took in milliseconds, from that of the process to its first line. */
  readonly #starts: number[] = [];
  /** Kills that left a dump half written, restarts that cut the log, starts that were killed. */
  #halfDumps = 0;
  #cuts = 0;
  #killedStarts = 0;
  /** Requests that had happened though nobody was told. */
  #unanswered = 0;
  /** Whether the server is to be killed: it may end connections. */
  #isDying = false;

  constructor(directory: TemporaryDirectory, policy: string, random: Random) {
    this.#directory = directory;
    this.#policy = policy;
    this.#random = random;
    this.#writers = Array.from({ length: WRITERS }, (_, n) => new Writer(n, KEYS, random));
    this.#writersV2 = Array.from({ length: WRITERS_V2 }, (_, n) => new WriterV2(n, random));
  }

  async play(count: number): Promise<void> {
    for (let round = 0; round < count; round++) await this.#play(round);
    await using server = await this.#start();
    await this.#compare(server);
    // Once everything was asked for again, everything was done once.
    for (const writer of this.#writersV2) await writer.settle(server.port);
    await this.#compare(server);
  }

  async #play(round: number): Promise<void> {
    await using server = await this.#start();
    try {
      await this.#compare(server);
      await this.#kill(server, round);
    } catch (error) {
      throw new Error(`In round ${round}, where stderr was: ${server.stderr}`, { cause: error });
    }
    await this.#look(round);
  }

  summary(): string {
    const sum = (of: (writer: Writer) => number) =>
      this.#writers.reduce((sum, writer) => sum + of(writer), 0);
    const sumV2 = (of: (writer: WriterV2) => number) =>
      this.#writersV2.reduce((sum, writer) => sum + of(writer), 0);
    const restarts = this.#starts.slice(1).toSorted((a, b) => a - b);
    const median = Math.round(restarts[restarts.length >> 1]);
    return `${this.#policy}: ${restarts.length} kills, ` +
      `${sum(({ answers }) => answers)} requests answered, ` +
      `${sum(({ increments }) => increments)} of them increments, 0 missing, 0 twice, ` +
      `${this.#unanswered} more had happened; in v2 ${sumV2(({ answers }) => answers)} answered, ` +
      `${sumV2(({ retries }) => retries)} asked again, ${
        sumV2(({ repeats }) => repeats)
      } repeated; ` +
      `${this.#halfDumps} kills amid a dump's file, ` +
      `${this.#killedStarts} amid a start, ${this.#cuts} torn tails; ` +
      `restart median ${median} ms, slowest ${Math.round(restarts.at(-1)!)} ms`;
  }

  /** Lets the writers write until the server is killed under them. */
  async #kill(server: Server, round: number): Promise<void> {
    const random = this.#random;
    using control = await Client.connect(server.port);
    if (random.chance(0.1)) {
      const tree = SHARED[1 + random.below(2)];
      await control.ask({ command: "drop", tree_name: tree });
      for (const writer of this.#writers) writer.forget(tree);
    }
    this.#isDying = false;
    const writers = [...this.#writers, ...this.#writersV2];
    const writing = writers.map((writer) => this.#write(writer, server));
    // At once, soon, or when much has happened.
    await sleep(random.below(random.pick([3, 60, 250])));
    if (round % 3 === 0) {
      await control.ask({ command: "dump_all" });
      await sleep(random.below(random.pick([5, 80, 400]))); // amid it, or behind it
    } else if (random.chance(0.1)) {
      this.#isDying = true;
      server.signal("SIGTERM");
      await sleep(random.below(100));
    }
    this.#isDying = true;
    // It may have ended after SIGTERM.
    await server.kill().catch((error) => assert(error instanceof TypeError, `${error}`));
    for (const error of await Promise.all(writing)) if (error !== null) throw error;
    assertMatch(server.stderr, TOLD);
  }

  /** Returns what went wrong before the kill. */
  async #write(writer: Writer | WriterV2, server: Server): Promise<Error | null> {
    const error: Error = await writer.run(server.port).catch((error) => error);
    return error instanceof WrongState || !this.#isDying ? error : null;
  }

  /** Looks at what is left, and does to it what may happen before the restart. */
  async #look(round: number): Promise<void> {
    const names = [...Deno.readDirSync(this.#directory.path)].map(({ name }) => name);
    if (names.includes(".karma-dump.tmp")) this.#halfDumps++;
    while (this.#random.chance(0.2)) await this.#startAndKill();
    if (round % 10 !== 3) return;
    const checked = await Server.run(["check", `--directory=${this.#directory.path}`]);
    assertEquals([checked.code, checked.stderr], [0, ""], checked.stdout);
    assertMatch(checked.stdout, /^No damage$/m);
  }

  /** Starts Karma and kills it before, or as, it serves. */
  async #startAndKill(): Promise<void> {
    const usual = this.#starts.at(-1)!;
    const seconds = (usual * (0.3 + this.#random.below(800) / 1000)) / 1000;
    const limits = `(sleep ${seconds.toFixed(3)}; kill -9 $$) > /dev/null 2>&1 & :`;
    const args = ["--bind=127.0.0.1", "--port=0", `--directory=${this.#directory.path}`];
    const { code, stderr } = await Server.run([...args, ...this.#options()], { limits });
    assertEquals(code, 137, stderr);
    this.#killedStarts++;
    if (TOLD.test(stderr) && stderr !== "") this.#cuts++;
  }

  async #start(): Promise<Server> {
    const began = performance.now();
    const args = this.#options();
    const server = await Server.start({ directory: this.#directory.path, args });
    this.#starts.push(performance.now() - began);
    return server;
  }

  async #compare(server: Server): Promise<void> {
    assertMatch(server.stderr, TOLD);
    if (server.stderr !== "") this.#cuts++;
    using control = await Client.connect(server.port);
    const found = await stateOf(control);
    const writers = [...this.#writers, ...this.#writersV2];
    for (const writer of writers) this.#unanswered += writer.adopt(found);
    for (const [tree, counters] of found) {
      assert(SHARED.includes(tree), `Tree ${tree} is nobody's`);
      assertEquals([...counters], [], `Counters of ${tree} that nobody counted`);
    }
  }

  #options(): string[] {
    const random = this.#random;
    return [
      `--wal-fsync=${this.#policy}`,
      `--wal-segment-bytes=${random.pick([4_000, 50_000, 200_000, 1_000_000])}`,
      `--wal-max-bytes=${random.pick([65_536, 300_000, 2_000_000, 1_000_000_000])}`,
      `--dump-retention-per-tree=${random.pick([1, 2, 5])}`,
    ];
  }
}

for (const policy of ["always", "everysec", "no"] as const) {
  Deno.test(`kill: nothing acknowledged is lost or counted twice under ${policy}`, async () => {
    const seed = Number(
      Deno.env.get("KARMA_SEED") ?? crypto.getRandomValues(new Uint32Array(1))[0],
    );
    using directory = new TemporaryDirectory();
    const played = new RoundRobin(directory, policy, new Random(seed));
    try {
      await played.play(rounds || ROUNDS_BY_DEFAULT[policy]);
    } catch (error) {
      throw new Error(`With KARMA_SEED=${seed} under ${policy}`, { cause: error });
    }
    if (rounds > 0) console.log(`${played.summary()} (seed ${seed})`);
  });
}
