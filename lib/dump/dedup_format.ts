// The registry to a file and back: frames as in dumps of trees (frame.ts), of MessagePack maps.
//
//   head         {format: "karma-registry", version: 1, log: ID, lsn: bin 8, seconds: UNIX TIME}
//   stream       {stream: {...}}          one for each
//   checkpoint   {checkpoint: {...}}      one for each
//   answers      {answers: bin}           whole answers one behind the other, as in the log
//   end          {answers: COUNT, streams: COUNT, committed: COUNT, checkpoints: COUNT}
//
// `lsn` is the last record whose notes are in it for certain; of answers to later ones some may be,
// and are replaced by themselves when the log is replayed. Streams and checkpoints are as of `lsn`.
// Invariant: what is read is whole, or a DamagedError.

import { decode, encode } from "@std/msgpack";
import { highLane, LANE, lowLane } from "../bytes/mod.ts";
import type { ReadWindow, Writing } from "../host/mod.ts";
import { type Checkpoint, type DedupState, isAnswer, type Stream } from "../idempotency/mod.ts";
import { DamagedError } from "../errors.ts";
import { framed, nextPayload } from "./frame.ts";

const FORMAT = "karma-registry";
const VERSION = 1;

/** Words of answers in one frame, at most, but for one answer that is larger. */
const ANSWERS_WORDS = 16384;

export interface DedupHead {
  readonly log: string;
  readonly lsn: number;
  readonly seconds: number;
}

export interface DedupCounts {
  answers: number;
  streams: number;
  /** Those of the streams that were committed. */
  committed: number;
  checkpoints: number;
}

/** Writes a registry, which may go on changing; returns how much of each there was, and the file's size. */
export async function writeDedup(
  registry: DedupState,
  { log, lsn, seconds }: DedupHead,
  file: Writing,
  pause: () => Promise<void>,
): Promise<DedupCounts & { bytes: number }> {
  let bytes = 0;
  const write = async (map: Record<string, unknown>) => {
    const frame = framed(encode(map as never));
    bytes += frame.length;
    await file.write(frame);
  };
  const streams = [...registry.streams.all()].map((stream) => ({ stream: plain(stream) }));
  const checkpoints = registry.checkpoints.all().map((checkpoint) => {
    return { checkpoint: { ...checkpoint } };
  });
  const committed = registry.streams.committedCount;
  const counts = {
    answers: 0,
    streams: streams.length,
    committed,
    checkpoints: checkpoints.length,
  };
  await write({ format: FORMAT, version: VERSION, log, lsn: lanesOf(lsn), seconds: seconds >>> 0 });
  for (const map of [...streams, ...checkpoints]) await write(map);
  const words = new Uint32Array(ANSWERS_WORDS);
  let length = 0;
  for (const [from, at] of registry.records.all()) {
    const size = from[at];
    if (length + size > ANSWERS_WORDS) {
      await write({ answers: bytesOf(words, length) });
      await pause();
      length = 0;
    }
    counts.answers++;
    if (size > ANSWERS_WORDS) {
      await write({ answers: bytesOf(from.slice(at, at + size), size) });
      continue;
    }
    words.set(from.subarray(at, at + size), length);
    length += size;
  }
  if (length > 0) await write({ answers: bytesOf(words, length) });
  await write({ ...counts });
  return { ...counts, bytes };
}

/** Reads the head of a registry's dump. */
export async function readDedupHead(window: ReadWindow): Promise<DedupHead> {
  const map = await nextMap(window);
  if (map.format !== FORMAT) throw new DamagedError("it does not begin as a registry does");
  if (map.version !== VERSION) {
    throw new DamagedError(`it has version ${map.version}; this Karma reads version ${VERSION}`);
  }
  const { log, lsn, seconds } = map;
  if (typeof log !== "string" || !(lsn instanceof Uint8Array) || typeof seconds !== "number") {
    throw new DamagedError("its head is incomplete");
  }
  const [lo, hi] = wordsOf(lsn);
  return { log, lsn: hi * LANE + lo, seconds };
}

/** Reads what comes after the head into an empty registry. */
export async function readDedup(window: ReadWindow, registry: DedupState): Promise<DedupCounts> {
  const counts: DedupCounts = { answers: 0, streams: 0, committed: 0, checkpoints: 0 };
  for (;;) {
    const map = await nextMap(window);
    if (map.answers instanceof Uint8Array) counts.answers += takeAnswers(map.answers, registry);
    else if (map.stream !== undefined) {
      const stream = streamOf(map.stream as PlainStream);
      registry.streams.take(stream);
      counts.streams++;
      if (stream.committed !== null) counts.committed++;
    } else if (map.checkpoint !== undefined) {
      registry.checkpoints.put(map.checkpoint as Checkpoint);
      counts.checkpoints++;
    } else {
      return await checked(window, map, counts);
    }
  }
}

async function checked(
  window: ReadWindow,
  end: Record<string, unknown>,
  counts: DedupCounts,
): Promise<DedupCounts> {
  for (const name of ["answers", "streams", "checkpoints"] as const) {
    if (end[name] === counts[name]) continue;
    throw new DamagedError(`it should hold ${end[name]} ${name} and holds ${counts[name]}`);
  }
  if (await window.fill(1)) throw new DamagedError("something follows its end");
  return counts;
}

function takeAnswers(bytes: Uint8Array, registry: DedupState): number {
  const words = wordsOf(bytes);
  let count = 0;
  for (let at = 0; at < words.length; at += words[at]) {
    if (!isAnswer(words, at, words.length)) throw new DamagedError("an answer makes no sense");
    registry.records.remember(words, at);
    count++;
  }
  return count;
}

interface PlainStream extends Omit<Stream, "prints"> {
  prints: Uint8Array;
}

function plain(stream: Stream): Record<string, unknown> {
  return { ...stream, prints: bytesOf(stream.prints, stream.prints.length) };
}

function streamOf({ prints, ...stream }: PlainStream): Stream {
  return { ...stream, prints: wordsOf(prints) };
}

async function nextMap(window: ReadWindow): Promise<Record<string, unknown>> {
  const payload = await nextPayload(window);
  if (payload === null) throw new DamagedError("its end is missing");
  return decode(payload) as Record<string, unknown>;
}

function lanesOf(number: number): Uint8Array {
  const lsn = BigInt(number);
  return bytesOf(Uint32Array.of(lowLane(lsn), highLane(lsn)), 2);
}

function bytesOf(words: Uint32Array<ArrayBuffer>, length: number): Uint8Array<ArrayBuffer> {
  return new Uint8Array(words.buffer, words.byteOffset, 4 * length);
}

function wordsOf(bytes: Uint8Array): Uint32Array<ArrayBuffer> {
  return new Uint32Array(bytes.slice().buffer);
}
