// Karma, a counter database for usage limits: command line → listen → load → serve, and signals.
//
// The one composition root: only here is configuration handed out and the process ended.
//
// Invariant: what can make a start fail comes before what changes the data directory: options and tokens,
// the lock, the port, and reading all of the data. Whoever connects meanwhile is told that it is loading.

import { Budget } from "./lib/bytes/mod.ts";
import {
  acceptorOptions,
  type CommandLine,
  type Config,
  databaseOptions,
  memoryLimits,
  parseCommandLine,
  tokensOf,
  usage,
  UsageError,
} from "./lib/cli/mod.ts";
import { Access } from "./lib/command/mod.ts";
import { Database, openingOf } from "./lib/engine/mod.ts";
import {
  DirectoryLock,
  HostClock,
  HostDisk,
  localZone,
  machineMemoryBytes,
  memoryBytes,
} from "./lib/host/mod.ts";
import { Statistics } from "./lib/metrics/mod.ts";
import { check, repair } from "./lib/recovery/mod.ts";
import { JsonReplyWriter } from "./lib/protocol/mod.ts";
import { Acceptor, Descriptors, Loading } from "./lib/server/mod.ts";
import { DamagedError, FullError, HostError, sentenceOf } from "./lib/errors.ts";
import { VERSION } from "./lib/version.ts";

const EXIT_FAILED = 1;
const EXIT_USAGE = 2;
const EXIT_DAMAGED = 3;
/** What was promised to be safe is not: the disk failed. */
const EXIT_BROKEN = 4;
/** There was no space where some had been reserved. Another start refuses changes until there is. */
const EXIT_FULL = 5;

/** How often it is looked whether directory and log are still there, if nobody asks for anything. */
const LOOK_INTERVAL_MS = 1000;

/** What the process takes beside what it begins with, when all of its code has run: 14 MB were measured. */
const WARMTH_BYTES = 16 << 20;

/** A line for the operator. Where it can't be written there is nobody to tell, and counting goes on. */
function log(line: string): void {
  try {
    console.error(line);
  } catch { /* a full disk, say */ }
}

/** The first and the last line, for whoever waits for them. */
function announce(line: string): void {
  try {
    console.log(line);
  } catch { /* as above */ }
}

/** Ends the process, having said why. */
function fail(sentence: string, code: number): never {
  log(sentence);
  Deno.exit(code);
}

/** The world's and the data's failures at start, in a sentence; anything else is our mistake. */
function failToStart(error: unknown): never {
  if (error instanceof DamagedError) fail(error.message, EXIT_DAMAGED);
  if (error instanceof HostError) fail(error.message, EXIT_FAILED);
  throw error;
}

function readCommandLine(): Exclude<CommandLine, { kind: "help" | "version" }> {
  try {
    const commandLine = parseCommandLine(Deno.args, (name) => Deno.env.get(name));
    if (commandLine.kind !== "help" && commandLine.kind !== "version") {
      for (const note of commandLine.notes) log(note);
      return commandLine;
    }
    console.log(commandLine.kind === "help" ? usage().trimEnd() : `Karma v.${VERSION}`);
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
    fail(`${error.message}\n${usage().trimEnd()}`, EXIT_USAGE);
  }
  Deno.exit(0);
}

/** `karma check` and `karma repair`: tells what is damaged and, if that is meant, saves what can be. */
async function mend(config: Config, how: "check" | "plan" | "repair"): Promise<never> {
  const { directory } = config;
  const disk = new HostDisk();
  if (!await disk.exists(directory).catch(() => true)) {
    fail(`Directory ${directory} is not there`, EXIT_FAILED);
  }
  if (how !== "check") {
    const hold = await occupy(directory, disk).catch(failToStart);
    hold.onLost((sentence) => fail(sentence, EXIT_BROKEN));
  }
  const options = databaseOptions(config, memoryLimits(config, machineMemoryBytes()));
  const open = openingOf(options, new HostClock("UTC"), announce);
  const run = how === "check" ? check : repair;
  const { lines, isWhole } = await run({ directory, disk, open }, how === "repair")
    .catch(failToStart);
  for (const line of lines) announce(line);
  Deno.exit(isWhole ? 0 : EXIT_DAMAGED);
}

/** Makes the data directory if there is none, and takes it for this process. */
async function occupy(directory: string, disk: HostDisk): Promise<DirectoryLock> {
  try {
    await disk.makeDirectory(directory);
  } catch (error) {
    throw new HostError(`Directory ${directory} could not be made`, error);
  }
  try {
    const hold = await DirectoryLock.take(directory);
    if (!("holder" in hold)) return disk.hold = hold;
    const process = hold.holder === "" ? "another process" : `process ${hold.holder}`;
    fail(`Directory ${directory} is in use by ${process}`, EXIT_USAGE);
  } catch (error) {
    throw new HostError(`Directory ${directory} could not be locked`, error);
  }
}

/** The tokens, from the command line, the environment or their files. */
function readTokens(config: Config): Access {
  try {
    const { full, read } = tokensOf(config, (path) => Deno.readFileSync(path));
    return new Access(full, read);
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
    fail(error.message, EXIT_USAGE);
  }
}

/** The zone whose midnights begin days. */
function readZone({ timeZone }: Config): string {
  if (timeZone !== "local") return timeZone;
  const variable = Deno.env.get("TZ");
  const zone = localZone(variable);
  if (zone === null) {
    const fault = variable === undefined
      ? "the machine does not tell its time zone"
      : `TZ=${variable} is not the name of a time zone`;
    fail(`Option --timezone=local: ${fault}; name one, such as Europe/Oslo`, EXIT_USAGE);
  }
  log(`Days begin at midnight in ${zone}, the machine's time zone`);
  return zone;
}

/** Keeps descriptors back for the files of a dump, for when connections have taken all the others. */
function holdDescriptors(directory: string): Descriptors {
  const descriptors = new Descriptors(() => Deno.openSync(directory));
  try {
    descriptors.hold();
  } catch (error) {
    fail(`Directory ${directory} could not be opened: ${sentenceOf(error)}`, EXIT_FAILED);
  }
  return descriptors;
}

function listen(config: Config): Deno.TcpListener {
  try {
    return Deno.listen({ hostname: config.host, port: config.port });
  } catch (error) {
    fail(`Could not listen on ${config.host}:${config.port}: ${sentenceOf(error)}`, EXIT_FAILED);
  }
}

/** What there is by now of a server. */
interface Server {
  acceptor: Acceptor | null;
  database: Database | null;
}

/** Heeds signals from the beginning: unheard most of them would kill. */
function heedSignals(server: Server): void {
  let isStopping = false;
  const stop = async (signal: string) => {
    if (isStopping) return; // a second signal must not break the dump under way
    isStopping = true;
    const { acceptor, database } = server;
    if (acceptor === null || database === null) {
      log("Stopped while loading");
      Deno.exit(0); // nothing has been acknowledged, and a start can be broken off anywhere
    }
    await acceptor.stop();
    const failures = await database.dumpAll(signal);
    await database.close();
    announce(`Karma v.${VERSION} is off.`);
    Deno.exit(failures === 0 ? 0 : EXIT_FAILED);
  };
  for (const signal of ["SIGINT", "SIGTERM", "SIGQUIT"] as const) {
    Deno.addSignalListener(signal, () => stop(signal));
  }
  for (const signal of ["SIGHUP", "SIGUSR2"] as const) {
    Deno.addSignalListener(signal, () => log(`${signal} is ignored: there is nothing to reload`));
  }
  // A file at its limit (`ulimit -f`) is a full disk: writing to it then fails like that.
  Deno.addSignalListener("SIGXFSZ", () => {});
  Deno.addSignalListener("SIGUSR1", () => {
    if (server.database === null) log("SIGUSR1 is ignored while loading");
    else server.database.dumpAll("SIGUSR1");
  });
}

async function main(): Promise<void> {
  const commandLine = readCommandLine();
  const { kind, config } = commandLine;
  if (kind === "check") await mend(config, "check");
  if (kind === "repair") await mend(config, commandLine.isMeant ? "repair" : "plan");
  const server: Server = { acceptor: null, database: null };
  heedSignals(server);
  const access = readTokens(config);
  const memory = memoryLimits(config, machineMemoryBytes());
  const budget = new Budget(memory.bytesMax);
  budget.beside = memoryBytes() + WARMTH_BYTES;
  const disk = new HostDisk();
  const clock = new HostClock(readZone(config));

  const { directory } = config;
  const isThere = await disk.exists(directory).catch(() => false);
  const take = () => occupy(directory, disk).catch(failToStart);
  const held = isThere ? await take() : null;
  const listener = listen(config);
  const hold = held ?? await take();
  hold.onLost((sentence) => fail(sentence, EXIT_BROKEN));

  const statistics = new Statistics();
  const options = acceptorOptions(config, memory, access);
  const descriptors = holdDescriptors(directory);
  const loading = new Loading(statistics);
  const acceptor = new Acceptor(listener, loading, options, descriptors, log, budget);
  const accepting = acceptor.run();
  const lost = (error: HostError) =>
    fail(error.message, error instanceof FullError ? EXIT_FULL : EXIT_BROKEN);
  const replyWriter = new JsonReplyWriter();
  const host = { disk, clock, budget, memoryBytes, replyWriter, tell: log, lost };
  const database = await Database.open(databaseOptions(config, memory), host, statistics)
    .catch(failToStart);
  setInterval(() => {
    database.look();
    hold.restore(log);
  }, LOOK_INTERVAL_MS);
  acceptor.serve(database.engine);
  Object.assign(server, { acceptor, database });
  announce(`Karma v.${VERSION} is on ${listener.addr.port}.`);
  await accepting;
}

await main();
