// What a record of the log costs: to write its words, to seal them as a group, and to have the log
// append them and write them to a file that is in memory. A thousand records an iteration, so µs of the
// table are ns of a record; what the kernel and the disk take is not here.

import { assertEquals } from "@std/assert";
import { ADD } from "../../../lib/state/record.ts";
import type { Appending } from "../../../lib/host/disk.ts";
import { GROUP_WORDS, sealGroup } from "../../../lib/wal/format.ts";
import { Wal } from "../../../lib/wal/wal.ts";
import { WalReader } from "../../../lib/wal/reader.ts";
import { MemoryDisk } from "../../support/memory_disk.ts";
import { Random } from "../../support/random.ts";

const RECORDS = 1000;
const RECORD_WORDS = 6;
const KEYS = 100_000;
const DAY = 20261122;
const DIRECTORY = "/log";

const random = new Random(42);
const keys = Uint32Array.from({ length: RECORDS }, () => 1 + random.below(KEYS));

/** A disk whose files keep nothing: bytes are copied, as into the kernel's pages, and overwritten. */
class PassingDisk extends MemoryDisk {
  readonly #page = new Uint8Array(1 << 20);

  override append(path: string): Appending {
    const file = super.append(path);
    let written = 0;
    return {
      ...file,
      write: (bytes) => {
        // The first is the segment's head, so that the file can be given its name.
        if (written === 0) file.write(bytes);
        else this.#page.set(bytes);
        written += bytes.length;
      },
      reserve: (count) => count,
    };
  }
}

function logOn(disk: MemoryDisk): Wal {
  const position = { id: "00000000000000aa", lsn: 0, segments: [] };
  const wal = new Wal(
    DIRECTORY,
    { policy: "no", segmentBytes: 0, bytesMax: Infinity },
    position,
    disk,
    {
      catalog: () => Uint8Array.of(1, 2, 3),
      onLarge: () => {},
      lost: (error) => {
        throw error;
      },
      tell: (line) => console.error(line),
    },
  );
  assertEquals(wal.begin(), 1);
  return wal;
}

/** Writes the record of an increment, as the state writer does. */
function writeAdd(words: Uint32Array, at: number, key: number): void {
  words[at] = ADD | 1 << 8;
  words[at + 1] = key;
  words[at + 2] = 0;
  words[at + 3] = DAY;
  words[at + 4] = 1;
  words[at + 5] = 0;
}

function append(wal: Wal, key: number): void {
  if (!wal.hasRoom(RECORD_WORDS)) throw new Error("there is no room");
  writeAdd(wal.words, wal.at, key);
  wal.append(RECORD_WORDS);
}

/** Appends the records in turns of so many. */
async function appendAll(wal: Wal, aTurn: number): Promise<void> {
  for (let from = 0; from < RECORDS; from += aTurn) {
    for (let index = from; index < from + aTurn; index++) append(wal, keys[index]);
    await wal.settled();
  }
}

/** How many records a reader finds in a log of turns of so many. */
async function readBack(aTurn: number): Promise<number> {
  const disk = new MemoryDisk(DIRECTORY);
  const wal = logOn(disk);
  await appendAll(wal, aTurn);
  await wal.close();
  const reader = (await WalReader.open(DIRECTORY, disk))!;
  let [found, groups] = [0, 0];
  await reader.read(() => Promise.resolve(), (words, from, to, _lsn, records) => {
    for (let at = from; at < to; at += RECORD_WORDS) assertEquals(words[at + 1], keys[found++]);
    assertEquals(records, aTurn);
    groups++;
  });
  assertEquals(groups, RECORDS / aTurn);
  return found;
}

for (const aTurn of [1, 20, RECORDS]) assertEquals(await readBack(aTurn), RECORDS);

const words = new Uint32Array(GROUP_WORDS + RECORDS * RECORD_WORDS + 1);
const wal = logOn(new PassingDisk(DIRECTORY));

function encodeAll(): number {
  let at = GROUP_WORDS;
  for (let index = 0; index < RECORDS; index++, at += RECORD_WORDS) {
    writeAdd(words, at, keys[index]);
  }
  return at;
}

Deno.bench("the words of 1000 records", { group: "encoding", baseline: true }, () => {
  encodeAll();
});
Deno.bench("the words and checksum of a group of 1000", { group: "encoding" }, () => {
  sealGroup(words, encodeAll(), RECORDS, 1, 0);
});

Deno.bench("1000 records in one turn", { group: "append", baseline: true }, async () => {
  await appendAll(wal, RECORDS);
});
Deno.bench("1000 records in turns of 20", { group: "append" }, async () => {
  await appendAll(wal, 20);
});
Deno.bench("1000 records in a turn each", { group: "append" }, async () => {
  await appendAll(wal, 1);
});
