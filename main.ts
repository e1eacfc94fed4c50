// Karma, a counter database for usage limits: config → recover → listen → serve, and signals.
//
// The one composition root: only here is configuration handed out and the process ended.

import { parseCommandLine, usage, UsageError } from "./lib/config.ts";
import type { Config } from "./lib/config.ts";
import { DumpStore } from "./lib/dump/store.ts";
import { Engine } from "./lib/engine/engine.ts";
import { DamagedError, HostError, sentenceOf } from "./lib/errors.ts";
import { HostClock } from "./lib/host/clock.ts";
import { HostDisk } from "./lib/host/disk.ts";
import { Acceptor, type Spare } from "./lib/server/acceptor.ts";
import { Forest } from "./lib/tree/forest.ts";
import { VERSION } from "./lib/version.ts";

const EXIT_FAILED = 1;
const EXIT_USAGE = 2;
const EXIT_DAMAGED = 3;

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

function readCommandLine(): Config {
  try {
    const commandLine = parseCommandLine(Deno.args, (name) => Deno.env.get(name));
    if (commandLine.kind === "run") return commandLine.config;
    console.log(commandLine.kind === "help" ? usage().trimEnd() : `Karma v.${VERSION}`);
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
    fail(`${error.message}\n${usage().trimEnd()}`, EXIT_USAGE);
  }
  Deno.exit(0);
}

async function restore(config: Config, forest: Forest, dumps: DumpStore, disk: HostDisk) {
  try {
    await disk.makeDirectory(config.directory);
  } catch (error) {
    throw new HostError(`Directory ${config.directory} could not be made`, error);
  }
  if (config.restore) { for (const tree of await dumps.restore()) forest.put(tree); }
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
  const config = readCommandLine();
  const disk = new HostDisk();
  const clock = new HostClock(config.timeZone);
  const forest = new Forest();
  const dumps = new DumpStore(config.directory, disk, clock, forest.pool, log);
  const engine = new Engine(forest, dumps, clock, log);
  Deno.addSignalListener("SIGUSR1", () => engine.dumpAll()); // first of all: unheard it would kill
  await restore(config, forest, dumps, disk).catch(failToStart);
  const spares = holdSpares(config.directory);
  const listener = listen(config);
  const acceptor = new Acceptor(listener, engine, config, spares, log);

  let stopping = false;
  const stop = async () => {
    if (stopping) return; // a second signal must not break the dump under way
    stopping = true;
    await acceptor.stop();
    const failures = await engine.dumpAll();
    announce(`Karma v.${VERSION} is off.`);
    Deno.exit(failures === 0 ? 0 : EXIT_FAILED);
  };
  Deno.addSignalListener("SIGINT", stop);
  Deno.addSignalListener("SIGTERM", stop);

  announce(`Karma v.${VERSION} is on ${listener.addr.port}.`);
  await acceptor.run();
}

await main();
