// Karma, a counter database for usage limits: config → recover → listen → serve, and signals.
//
// The one composition root: only here is configuration handed out and the process ended.

import {
  type MemoryLimits,
  memoryLimits,
  parseCommandLine,
  usage,
  UsageError,
} from "./lib/config.ts";
import { Access } from "./lib/command/access.ts";
import { RegistryStore } from "./lib/dump/registry_store.ts";
import { DumpStore } from "./lib/dump/store.ts";
import { encodeCatalogue } from "./lib/engine/catalogue.ts";
import { Dumper } from "./lib/engine/dumper.ts";
import { Engine, type EngineLimits } from "./lib/engine/engine.ts";
import { examine, type Opening } from "./lib/engine/examination.ts";
import { Ledger } from "./lib/engine/ledger.ts";
import { Recovery } from "./lib/engine/recovery.ts";
import { Statistics } from "./lib/engine/statistics.ts";
import { StillDisk } from "./lib/engine/still_disk.ts";
import { DamagedError, HostError, sentenceOf } from "./lib/errors.ts";
import { type Clock, HostClock } from "./lib/host/clock.ts";
import { HostDisk } from "./lib/host/disk.ts";
import { DirectoryHold } from "./lib/host/lock.ts";
import { machineMemoryBytes, memoryBytes } from "./lib/host/memory.ts";
import { Log } from "./lib/log/log.ts";
import type { LogOptions } from "./lib/log/owner.ts";
import type { LogPosition } from "./lib/log/reader.ts";
import type { Config } from "./lib/options.ts";
import { Registry, type RegistryLimits } from "./lib/registry/registry.ts";
import { Acceptor, type AcceptorOptions, type Spare } from "./lib/server/acceptor.ts";
import { Forest } from "./lib/tree/forest.ts";
import { VERSION } from "./lib/version.ts";

const EXIT_FAILED = 1;
const EXIT_USAGE = 2;
const EXIT_DAMAGED = 3;
/** What was promised to be safe is not: the disk failed. */
const EXIT_BROKEN = 4;

/** How often it is looked whether directory and log are still there, if nobody asks for anything. */
const LOOK_INTERVAL_MS = 1000;

/** Descriptors kept back for the files of a dump when connections have taken all the others. */
const SPARE_DESCRIPTORS = 8;

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
  console.error(sentence);
  Deno.exit(code);
}

/** The world's and the data's failures at start, in a sentence; anything else is our mistake. */
function failToStart(error: unknown): never {
  if (error instanceof DamagedError) fail(error.message, EXIT_DAMAGED);
  if (error instanceof HostError) fail(error.message, EXIT_FAILED);
  throw error;
}

function readCommandLine(): { kind: "run" | "check"; config: Config } {
  try {
    const commandLine = parseCommandLine(Deno.args, (name) => Deno.env.get(name));
    if (commandLine.kind === "run" || commandLine.kind === "check") return commandLine;
    console.log(commandLine.kind === "help" ? usage().trimEnd() : `Karma v.${VERSION}`);
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
    fail(`${error.message}\n${usage().trimEnd()}`, EXIT_USAGE);
  }
  Deno.exit(0);
}

/** `karma check`: examines the data, changes nothing, and ends. */
async function check(config: Config): Promise<never> {
  const disk = new HostDisk();
  const open = opening(config, new HostClock(config.timeZone), announce);
  const view = () => Promise.resolve(disk);
  const { faults, notes } = await examine(open, view).catch(failToStart);
  for (const line of [...notes, ...faults]) announce(line);
  if (faults.length === 0) announce("No damage");
  Deno.exit(faults.length === 0 ? 0 : EXIT_DAMAGED);
}

/** What opens the data of a configuration, for whoever reads it as a start would. */
function opening(config: Config, clock: Clock, tell: (line: string) => void): Opening {
  const { directory, dumpsKept } = config;
  return (disk, forest) => {
    const dumps = new DumpStore(directory, disk, clock, dumpsKept, tell);
    const registries = new RegistryStore(directory, disk, clock);
    const registry = new Registry(registryLimits(config));
    const recovery = new Recovery(directory, disk, dumps, forest, registries, registry, clock);
    return { dumps, recovery };
  };
}

/** Makes the data directory if there is none, and takes it for this process. */
async function occupy(directory: string, disk: HostDisk): Promise<DirectoryHold> {
  try {
    await disk.makeDirectory(directory);
  } catch (error) {
    throw new HostError(`Directory ${directory} could not be made`, error);
  }
  try {
    const hold = await DirectoryHold.take(directory);
    if (!("holder" in hold)) return disk.hold = hold;
    const process = hold.holder === "" ? "another process" : `process ${hold.holder}`;
    fail(`Directory ${directory} is in use by ${process}`, EXIT_USAGE);
  } catch (error) {
    throw new HostError(`Directory ${directory} could not be locked`, error);
  }
}

/** Brings forest and registry to the state that the directory holds; returns where the log goes on. */
async function recover({ restore }: Config, recovery: Recovery): Promise<LogPosition> {
  if (!restore) return await recovery.startEmpty(log);
  await recovery.read();
  return await recovery.settle(log);
}

/** The tokens, from the command line or from their files. */
function readTokens(config: Config): Access {
  const token = (given: string, file: string, flag: string): string | null => {
    if (file === "") return given === "" ? null : given;
    if (given !== "") fail(`Options --${flag} and --${flag}-file exclude each other`, EXIT_USAGE);
    try {
      const read = Deno.readTextFileSync(file).replace(/\r?\n$/, "");
      if (read !== "") return read;
    } catch (error) {
      fail(`Option --${flag}-file: ${file} could not be read: ${sentenceOf(error)}`, EXIT_USAGE);
    }
    fail(`Option --${flag}-file: ${file} is empty`, EXIT_USAGE);
  };
  return new Access(
    token(config.authToken, config.authTokenFile, "auth-token"),
    token(config.readAuthToken, config.readAuthTokenFile, "read-auth-token"),
  );
}

function holdSpares(directory: string): Spare[] {
  const spares: Spare[] = [];
  try {
    while (spares.length < SPARE_DESCRIPTORS) spares.push(Deno.openSync(directory));
  } catch (error) {
    fail(`Directory ${directory} could not be opened: ${sentenceOf(error)}`, EXIT_FAILED);
  }
  return spares;
}

function listen(config: Config): Deno.TcpListener {
  try {
    return Deno.listen({ hostname: config.host, port: config.port });
  } catch (error) {
    fail(`Could not listen on ${config.host}:${config.port}: ${sentenceOf(error)}`, EXIT_FAILED);
  }
}

async function main(): Promise<void> {
  const { kind, config } = readCommandLine();
  if (kind === "check") await check(config);
  const access = readTokens(config);
  const memory = memoryLimits(config, machineMemoryBytes());
  const disk = new HostDisk();
  const clock = new HostClock(config.timeZone);
  const forest = new Forest();
  const registry = new Registry(registryLimits(config));
  let dumper: Dumper | null = null;
  Deno.addSignalListener("SIGUSR1", () => dumper?.dumpAll()); // first of all: unheard it would kill

  const hold = await occupy(config.directory, disk).catch(failToStart);
  hold.onLost((sentence) => fail(sentence, EXIT_BROKEN));
  const { directory, dumpsKept } = config;
  const dumps = new DumpStore(directory, disk, clock, dumpsKept, log);
  const registries = new RegistryStore(directory, disk, clock);
  const recovery = new Recovery(directory, disk, dumps, forest, registries, registry, clock);
  const position = await recover(config, recovery).catch(failToStart);
  const wal = new Log(config.directory, logOptions(config), position, disk, {
    preamble: () => encodeCatalogue(forest),
    onLarge: () => dumper?.shorten(),
    lost: (error) => fail(error.message, EXIT_BROKEN),
    tell: log,
  });
  setInterval(() => {
    wal.look();
    hold.restore(log);
  }, LOOK_INTERVAL_MS);
  const begun = wal.begin();
  await wal.sync(); // what is on the disk now is what a crash leaves
  if (begun !== null) await recovery.finish(log).catch(failToStart); // else there is no log yet
  const ledger = new Ledger(forest, registry, wal, config.wal);
  dumper = new Dumper(forest, dumps, wal, ledger, registries, registry, log);
  const parts = { forest, registry, ledger, log: wal, dumps, registries, dumper, clock };
  const open = opening(config, clock, () => {});
  const examination = () => examine(open, () => StillDisk.of(disk, directory, wal));
  const statistics = new Statistics();
  const outside = { calendar: clock, memoryBytes, statistics, examine: examination };
  const engine = new Engine({ ...parts, ...outside }, engineLimits(config, memory), log);

  const spares = holdSpares(config.directory);
  const listener = listen(config);
  const options = acceptorOptions(config, access);
  const acceptor = new Acceptor(listener, engine, options, spares, log);
  let stopping = false;
  const stop = async () => {
    if (stopping) return; // a second signal must not break the dump under way
    stopping = true;
    await acceptor.stop();
    const failures = await dumper.dumpAll();
    await wal.close();
    announce(`Karma v.${VERSION} is off.`);
    Deno.exit(failures === 0 ? 0 : EXIT_FAILED);
  };
  Deno.addSignalListener("SIGINT", stop);
  Deno.addSignalListener("SIGTERM", stop);

  announce(`Karma v.${VERSION} is on ${listener.addr.port}.`);
  await acceptor.run();
}

function registryLimits(config: Config): RegistryLimits {
  const { answersMax, answersAgeSeconds: ageMaxSeconds, ingestStreamsMax } = config;
  return { answersMax, ageMaxSeconds, streamsKeptMax: ingestStreamsMax };
}

function engineLimits(config: Config, memory: MemoryLimits): EngineLimits {
  const { queryTimeoutMs, responseBytesMax, ingestStreamsMax, ingestStagedItemsMax } = config;
  return {
    queryTimeoutMs,
    replyBytesMax: responseBytesMax,
    streamsMax: ingestStreamsMax,
    stagedItemsMax: ingestStagedItemsMax,
    dumpsKept: config.dumpsKept,
    memoryBytesMax: memory.bytesMax,
  };
}

function acceptorOptions(config: Config, access: Access): AcceptorOptions {
  const { requestBytesMax, responseBytesMax, batchItemsMax, connectionsMax, noDelay } = config;
  return {
    connectionsMax,
    noDelay,
    access,
    batchItemsMax,
    requestBytesMax,
    replyBytesMax: responseBytesMax,
    requestTimeoutMs: 1000 * config.requestTimeoutSeconds,
    readTimeoutMs: 1000 * config.readTimeoutSeconds,
    writeTimeoutMs: 1000 * config.writeTimeoutSeconds,
  };
}

function logOptions({ walSync, walSegmentBytes, walBytesMax }: Config): LogOptions {
  return { policy: walSync, segmentBytes: walSegmentBytes, bytesMax: walBytesMax };
}

await main();
