// The migration from Karma 1.x: reads what 1.x left beside its snapshots into the forest and the registry, and moves
// its files away once everything is safe in files of this version.
//
// Invariant: no old file is moved before the new WAL has begun. Until then only snapshots of Karma 1.x count: dumps
// of this version come from a migration that a crash ended, and would count twice.

import { join } from "@std/path";
import type { DumpStore } from "../dump/mod.ts";
import type { Disk } from "../host/mod.ts";
import {
  answerWords,
  type DedupState,
  PRINT_WORDS,
  SOURCES_MAX,
  writeAnswer,
} from "../idempotency/mod.ts";
import { LegacyDirectory } from "../legacy/mod.ts";
import { type Forest, HIDDEN } from "../tree/mod.ts";
import { orHostError } from "../errors.ts";

/** Where its files are kept afterwards. */
const ASIDE = "karma-1.x";

const KEY_BYTES_MAX = 256;
const RESPONSE_BYTES_MAX = 65535;

const encoder = new TextEncoder();

export class Migration {
  readonly #directory: string;
  readonly #disk: Disk;
  readonly #karma1: LegacyDirectory;
  #isRead = false;

  private constructor(directory: string, disk: Disk, karma1: LegacyDirectory) {
    this.#directory = directory;
    this.#disk = disk;
    this.#karma1 = karma1;
  }

  /** Looks whether Karma 1.x was here; null: it was not. */
  static async open(directory: string, disk: Disk): Promise<Migration | null> {
    const karma1 = await LegacyDirectory.open(directory, disk);
    return karma1 === null ? null : new Migration(directory, disk, karma1);
  }

  /** What was read, in lines. */
  get told(): string[] {
    const { summary, notes } = this.#karma1;
    return [`Taken over from Karma 1.x: ${summary}`, ...notes];
  }

  /** Brings an empty forest and registry to the state that Karma 1.x was in. */
  async read(
    dumps: DumpStore,
    forest: Forest,
    dedup: DedupState,
    nowSeconds: number,
  ): Promise<void> {
    const snapshots: { tree: string; file: string }[] = [];
    for (const dump of await dumps.newest("of the original")) {
      const { tree } = await dumps.restore(dump);
      forest.put(tree);
      snapshots.push({ tree: tree.name, file: dump.file });
    }
    await this.#karma1.replay(forest, snapshots, nowSeconds);
    this.#isRead = true;
    this.#takeAnswers(dedup);
    this.#takeStreams(forest, dedup);
    const { checkpoints } = this.#karma1;
    for (const checkpoint of checkpoints.slice(-SOURCES_MAX)) dedup.checkpoints.put(checkpoint);
  }

  /** Moves its files out of the way: everything that they held is in ours. */
  async settle(tell: (line: string) => void): Promise<void> {
    const { files } = this.#karma1;
    const aside = join(this.#directory, ASIDE);
    await orHostError(`The files of Karma 1.x could not be moved to ${aside}`, async () => {
      await this.#disk.makeDirectory(aside);
      for (const file of files) {
        await this.#disk.rename(join(this.#directory, file), join(aside, file));
      }
      await this.#disk.syncDirectory(aside);
      await this.#disk.syncDirectory(this.#directory);
    });
    const reason = this.#isRead ? "" : " were not read, as there is a log of Karma 2 already, and";
    tell(`Files of Karma 1.x${reason} are kept in ${aside}: ${files.join(", ")}`);
  }

  #takeAnswers(dedup: DedupState): void {
    for (const { key, created, fingerprintHex, response } of this.#karma1.answers) {
      const answer = encoder.encode(response);
      if (key.length > KEY_BYTES_MAX || answer.length > RESPONSE_BYTES_MAX) continue;
      const words = new Uint32Array(answerWords(key.length, answer.length));
      const print = printOf(fingerprintHex);
      writeAnswer(words, 0, created, 0, print, key, 0, key.length, answer);
      dedup.records.remember(words, 0);
    }
  }

  #takeStreams(forest: Forest, dedup: DedupState): void {
    for (const { id, mode, granularity, tree, ...stream } of this.#karma1.streams) {
      const { lastChunk, items, committed, chunkFingerprints } = stream;
      const prints = new Uint32Array(PRINT_WORDS * chunkFingerprints.length);
      chunkFingerprints.forEach((hex, index) => prints.set(printOf(hex), PRINT_WORDS * index));
      let staged: string | null = null;
      if (stream.staged !== null && committed === null) {
        staged = `${HIDDEN}staged-${forest.nextSerial}`;
        stream.staged.rename(staged);
        forest.put(stream.staged);
      }
      const taken = { id, mode, granularity, tree, staged, lastChunk, items, committed, prints };
      dedup.streams.take(taken);
    }
  }
}

/** The words that are kept of a fingerprint in hexadecimal. */
function printOf(hex: string): Uint32Array<ArrayBuffer> {
  const bytes = new Uint8Array(4 * PRINT_WORDS);
  for (let at = 0; at < bytes.length; at++) bytes[at] = parseInt(hex.slice(2 * at, 2 * at + 2), 16);
  return new Uint32Array(bytes.buffer);
}
