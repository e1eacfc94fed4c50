// Karma, a counter database for usage limits: parses the command line, runs a command or listens,
// loads, serves, and handles signals.
//
// This is the only composition root. Only main.ts hands out the configuration and ends the process.
//
// Invariant: every step that can make a start fail (options, tokens, the lock, the port, reading all
// data) precedes the first change of the data directory. Requests that arrive before the data is
// loaded are refused with the error `loading`.

import { Budget } from "./lib/bytes/mod.ts";
import {
  acceptorOptions,
  type CommandLine,
  type Config,
  databaseOptions,
  memoryLimits,
  parseCommandLine,
  reload,
  type TlsTexts,
  tlsTextsOf,
  tokensOf,
  usage,
  UsageError,
} from "./lib/cli/mod.ts";
import { Access } from "./lib/command/mod.ts";
import { runTool } from "./lib/commands/mod.ts";
import { Database, openingOf } from "./lib/engine/mod.ts";
import {
  buildLine,
  DirectoryLock,
  examineTls,
  HostClock,
  HostDisk,
  listenTls,
  localZone,
  machineMemoryBytes,
  memoryBytes,
  type TlsListener,
} from "./lib/host/mod.ts";
import { Statistics } from "./lib/metrics/mod.ts";
import { check, repair, repairHint } from "./lib/recovery/mod.ts";
import { JsonReplyWriter } from "./lib/protocol/mod.ts";
import { Acceptor, Descriptors, Loading } from "./lib/server/mod.ts";
import { DamagedError, FullError, HostError, sentenceOf } from "./lib/errors.ts";
import { VERSION } from "./lib/version.ts";

const EXIT_FAILED = 1;
const EXIT_USAGE = 2;
const EXIT_DAMAGED = 3;
/** The disk failed, so data that was promised to be durable may not be. */
const EXIT_BROKEN = 4;
/** The disk was full although space had been reserved. After a restart, changes are refused until there is space. */
const EXIT_FULL = 5;

/** How often directory and WAL are checked to be still in place when no requests arrive. */
const LOOK_INTERVAL_MS = 1000;

/** Memory that the process takes beyond its initial size once all code has run; measured: 14 MB. */
const WARMTH_BYTES = 16 << 20;

/** Writes a line to the operator's log (stderr). A line that cannot be written is dropped. */
function log(line: string): void {
  try {
    console.error(line);
  } catch { /* a full disk, for example */ }
}

/** Writes a line to stdout: the ready line, the off line, and the output of `check` and `repair`. */
function announce(line: string): void {
  try {
    console.log(line);
  } catch { /* dropped, as in `log` */ }
}

/** Logs a sentence and ends the process with an exit code. */
function fail(sentence: string, code: number): never {
  log(sentence);
  Deno.exit(code);
}

/** Ends the process for a failure of the host; any other error is a bug and is rethrown. */
function failToStart(error: unknown): never {
  if (error instanceof HostError) fail(error.message, EXIT_FAILED);
  throw error;
}

/** Ends the process because the data in a directory could not be opened. */
function failToOpen(error: unknown, directory: string): never {
  if (!(error instanceof DamagedError)) return failToStart(error);
  log(error.message);
  fail(repairHint(directory), EXIT_DAMAGED);
}

function readCommandLine(): Exclude<CommandLine, { kind: "help" | "version" }> {
  try {
    const commandLine = parseCommandLine(Deno.args, (name) => Deno.env.get(name));
    if (commandLine.kind !== "help" && commandLine.kind !== "version") {
      for (const note of commandLine.notes) log(note);
      return commandLine;
    }
    const version = () => `Karma v.${VERSION}\n${buildLine()}`;
    console.log(commandLine.kind === "help" ? usage().trimEnd() : version());
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
    fail(`${error.message}\n${usage().trimEnd()}`, EXIT_USAGE);
  }
  Deno.exit(0);
}

/** Runs `karma check` or `karma repair`; "plan" is a repair that only reports what it would do. */
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
    .catch((error) => failToOpen(error, directory));
  for (const line of lines) announce(line);
  Deno.exit(isWhole ? 0 : EXIT_DAMAGED);
}

/**
 * Creates the data directory if it is missing, and locks it for this process.
 *
 * @throws {HostError} if the directory cannot be created or locked
 */
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

/** How tokens and certificates are read. */
const READER = { readFile: (path: string) => Deno.readFileSync(path), examine: examineTls, log };

/** Reads what files hold; a file that cannot be used ends the process. */
function orUsage<Files>(read: () => Files): Files {
  try {
    return read();
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
    fail(error.message, EXIT_USAGE);
  }
}

/** Returns the time zone whose midnights begin days. */
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

/** Reserves file descriptors for the files of a dump, in case connections take all others. */
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

/** Listens on the port for TLS; `failed` is told of handshakes that fail. */
function listenOverTls(
  config: Config,
  texts: TlsTexts,
  failed: (sentence: string, remoteAddr: object) => void,
): Promise<TlsListener> {
  const address = { hostname: config.host, port: Number(config.tlsPort) };
  const options = { connectionsMax: config.connectionsMax, failed };
  return listenTls(address, texts, options).catch(failToStart);
}

/** The parts of the server that exist so far; null until they are created. */
interface Server {
  acceptor: Acceptor | null;
  database: Database | null;
  /** Reads tokens and certificates again. */
  reload(): void;
}

/** Installs the signal handlers. It runs first, because the default action of most signals kills. */
function heedSignals(server: Server): void {
  let isStopping = false;
  const stop = async (signal: string) => {
    if (isStopping) return; // a second signal must not interrupt the final dump
    isStopping = true;
    const { acceptor, database } = server;
    if (acceptor === null || database === null) {
      log("Stopped while loading");
      Deno.exit(0); // nothing has been acknowledged, and a start can be interrupted anywhere
    }
    await acceptor.stop();
    database.endBackup();
    const failures = await database.dumpAll(signal);
    await database.close();
    announce(`Karma v.${VERSION} is off.`);
    Deno.exit(failures === 0 ? 0 : EXIT_FAILED);
  };
  for (const signal of ["SIGINT", "SIGTERM", "SIGQUIT"] as const) {
    Deno.addSignalListener(signal, () => stop(signal));
  }
  Deno.addSignalListener("SIGHUP", () => server.reload());
  Deno.addSignalListener("SIGUSR2", () => log("SIGUSR2 is ignored: there is nothing to reload"));
  // With a handler, a write beyond the file size limit (`ulimit -f`) fails as on a full disk.
  Deno.addSignalListener("SIGXFSZ", () => {});
  Deno.addSignalListener("SIGUSR1", () => {
    if (server.database === null) log("SIGUSR1 is ignored while loading");
    else server.database.dumpAll("SIGUSR1");
  });
}

async function main(): Promise<void> {
  const code = await runTool(Deno.args, (name) => Deno.env.get(name));
  if (code !== null) Deno.exit(code);
  const commandLine = readCommandLine();
  const { kind, config } = commandLine;
  if (kind === "check") await mend(config, "check");
  if (kind === "repair") await mend(config, commandLine.isMeant ? "repair" : "plan");
  const early = () => log("SIGHUP is ignored while loading");
  const server: Server = { acceptor: null, database: null, reload: early };
  heedSignals(server);
  const { full, read } = orUsage(() => tokensOf(config, READER.readFile));
  const access = new Access(full, read);
  const tlsTexts = orUsage(() => tlsTextsOf(config, READER));
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
  const tls = tlsTexts === null ? null : await listenOverTls(config, tlsTexts, (...told) => {
    acceptor.handshakeFailed(...told);
  });
  const hold = held ?? await take();
  hold.onLost((sentence) => fail(sentence, EXIT_BROKEN));

  const statistics = new Statistics();
  const options = acceptorOptions(config, memory, access);
  const descriptors = holdDescriptors(directory);
  const loading = new Loading(statistics);
  const acceptor = new Acceptor(
    tls === null ? [listener] : [listener, tls],
    loading,
    options,
    descriptors,
    log,
    budget,
  );
  const accepting = acceptor.run();
  const lost = (error: HostError) =>
    fail(error.message, error instanceof FullError ? EXIT_FULL : EXIT_BROKEN);
  const replyWriter = new JsonReplyWriter();
  const host = { disk, clock, budget, memoryBytes, replyWriter, tell: log, lost };
  const database = await Database.open(databaseOptions(config, memory), host, statistics)
    .catch((error) => failToOpen(error, directory));
  setInterval(() => {
    database.look();
    hold.restore(log);
    database.retain();
  }, LOOK_INTERVAL_MS);
  acceptor.serve(database.engine);
  const again = () =>
    reload(config, access, READER, (texts) => tls!.replace(texts).catch(failToStart));
  Object.assign(server, { acceptor, database, reload: again });
  if (tls !== null) announce(`TLS is on ${tls.port}.`);
  announce(`Karma v.${VERSION} is on ${listener.addr.port}.`);
  await accepting;
}

await main();
