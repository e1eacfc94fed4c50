// What the registry should hold: a naive model of answers, streams and checkpoints, one immutable
// state after each note.
//
// Invariant: a state never changes; a note makes the next one. It reads the bytes of notes by itself,
// as they are described, and forgets as the documentation says, not as the registry does.

import { decode } from "@std/msgpack";
import {
  CHECKPOINT,
  type DedupLimits,
  type DedupState,
  IDEMPOTENCY_RECORD,
  PRUNE,
  type Prune,
  STREAM,
} from "../../lib/idempotency/dedup_state.ts";
import type { Checkpoint } from "../../lib/idempotency/checkpoints.ts";
import type { StreamChange } from "../../lib/idempotency/streams.ts";

export interface Answer {
  readonly created: number;
  readonly day: number;
  readonly print: string;
  readonly response: string;
  /** The request that got it, as its line; null: not known. */
  readonly line: string | null;
}

export interface StreamState {
  readonly id: string;
  readonly mode: string;
  readonly granularity: string | null;
  readonly tree: string | null;
  readonly staged: string | null;
  readonly items: number;
  readonly committed: number | null;
  readonly prints: readonly string[];
}

export interface RegistryState {
  /** By their keys, oldest first. */
  readonly answers: ReadonlyMap<string, Answer>;
  readonly open: ReadonlyMap<string, StreamState>;
  /** In the order in which they were committed. */
  readonly committed: ReadonlyMap<string, StreamState>;
  readonly checkpoints: ReadonlyMap<string, Checkpoint>;
}

export const NOTHING: RegistryState = {
  answers: new Map(),
  open: new Map(),
  committed: new Map(),
  checkpoints: new Map(),
};

const decoder = new TextDecoder();

/** The state after a note; `line`: the request that brings it. */
export function noted(
  state: RegistryState,
  limits: DedupLimits,
  kind: number,
  payload: Uint8Array,
  line: string | null,
): RegistryState {
  if (kind === IDEMPOTENCY_RECORD) {
    const [key, answer] = answerOf(payload, line);
    return { ...state, answers: remembered(state.answers, limits, key, answer) };
  }
  const note = decode(payload as Uint8Array<ArrayBuffer>) as unknown;
  if (kind === PRUNE) return { ...state, answers: pruned(state.answers, note as Prune) };
  if (kind === STREAM) return streamed(state, limits, note as StreamChange);
  if (kind !== CHECKPOINT) throw new Error(`There is no note of kind ${kind}`);
  const checkpoint = note as Checkpoint;
  return { ...state, checkpoints: new Map(state.checkpoints).set(checkpoint.source, checkpoint) };
}

/** What is in a registry. */
export function registryOf(dedup: DedupState): RegistryState {
  const answers = new Map<string, Answer>();
  for (const [words, at] of dedup.records.all()) {
    const [key, answer] = answerOf(bytesOf(words.slice(at, at + words[at])), null);
    answers.set(key, answer);
  }
  const streams = [...dedup.streams.all()].map(({ prints, lastChunk, ...stream }) => {
    const chunks = Array.from({ length: lastChunk }, (_, chunk) => {
      return hexOf(bytesOf(prints.slice(4 * chunk, 4 * chunk + 4)));
    });
    return { ...stream, prints: chunks };
  });
  const of = (isOpen: boolean) => {
    const some = streams.filter(({ committed }) => committed === null === isOpen);
    return new Map(some.map((stream) => [stream.id, stream]));
  };
  const checkpoints = new Map(dedup.checkpoints.all().map((each) => [each.source, each]));
  return { answers, open: of(true), committed: of(false), checkpoints };
}

/** The answer under a key that is not too old by now. */
export function answerTo(
  { answers }: RegistryState,
  { ageMaxSeconds }: DedupLimits,
  key: string,
  now: number,
): Answer | null {
  const answer = answers.get(key);
  if (answer === undefined) return null;
  return ageMaxSeconds > 0 && answer.created < now - ageMaxSeconds ? null : answer;
}

/**
 * What the first difference of two states is; null when there is none. Answers that are too old to be
 * given may be there or not: they go when others come.
 */
export function registryDifference(
  expected: RegistryState,
  found: RegistryState,
  { ageMaxSeconds }: DedupLimits,
): string | null {
  const latest = Math.max(0, ...[...expected.answers.values()].map(({ created }) => created));
  const oldest = ageMaxSeconds > 0 ? latest - ageMaxSeconds : 0;
  const told = ({ answers, open, committed, checkpoints }: RegistryState) => [
    ...[...answers].filter(([, { created }]) => created >= oldest)
      .map(([key, { line: _, ...answer }]) => `answer to ${key}: ${JSON.stringify(answer)}`),
    ...[...open.values()].map(toldOf).sort(),
    ...[...committed.values()].map(toldOf),
    ...[...checkpoints.values()].map((each) => JSON.stringify(Object.entries(each).sort())).sort(),
  ];
  const [lines, others] = [told(expected), told(found)];
  for (let at = 0; at < Math.max(lines.length, others.length); at++) {
    if (lines[at] === others[at]) continue;
    return `registry: expected ${lines[at] ?? "no more"}, found ${others[at] ?? "no more"}`;
  }
  return null;
}

function toldOf(stream: StreamState): string {
  return `stream ${stream.id}: ${JSON.stringify(Object.entries(stream).sort())}`;
}

function remembered(
  answers: ReadonlyMap<string, Answer>,
  { idempotencyRecordsMax, ageMaxSeconds }: DedupLimits,
  key: string,
  answer: Answer,
): ReadonlyMap<string, Answer> {
  const next = new Map(answers);
  next.delete(key);
  next.set(key, answer);
  for (const [other, { created }] of [...next]) {
    const isOld = ageMaxSeconds > 0 && created < answer.created - ageMaxSeconds;
    if (!isOld && next.size <= idempotencyRecordsMax) break;
    next.delete(other);
  }
  return next;
}

function pruned(answers: ReadonlyMap<string, Answer>, { before, leave }: Prune) {
  const next = new Map(answers);
  for (const [key, { created }] of answers) {
    if (created < before && next.size > leave) next.delete(key);
  }
  return next;
}

function streamed(
  state: RegistryState,
  { streamsKeptMax, ageMaxSeconds }: DedupLimits,
  change: StreamChange,
): RegistryState {
  const { id } = change;
  const open = new Map(state.open);
  if (change.kind === "begin") {
    const { mode, granularity } = change;
    const stream = { id, mode, granularity, tree: null, staged: null, items: 0, committed: null };
    return { ...state, open: open.set(id, { ...stream, prints: [] }) };
  }
  const stream = open.get(id)!;
  if (change.kind === "chunk") {
    const { tree, staged, items, print } = change;
    const prints = [...stream.prints, hexOf(print)];
    open.set(id, { ...stream, tree, staged, items: stream.items + items, prints });
    return { ...state, open };
  }
  open.delete(id);
  if (change.kind === "abort") return { ...state, open };
  const committed = new Map(state.committed);
  committed.set(id, { ...stream, staged: null, committed: change.seconds });
  for (const [other, { committed: at }] of [...committed]) {
    const isOld = ageMaxSeconds > 0 && change.seconds - at! > ageMaxSeconds;
    if (committed.size <= streamsKeptMax && !isOld) break;
    committed.delete(other);
  }
  return { ...state, open, committed };
}

/** size | created | day | fingerprint (4) | key bytes, response bytes << 16 | key ... | response ... */
function answerOf(bytes: Uint8Array, line: string | null): [key: string, answer: Answer] {
  const words = new DataView(bytes.buffer, bytes.byteOffset);
  const word = (index: number) => words.getUint32(4 * index, true);
  const [keyBytes, responseBytes] = [word(7) & 0xffff, word(7) >>> 16];
  const from = 32 + 4 * Math.ceil(keyBytes / 4);
  const key = decoder.decode(bytes.subarray(32, 32 + keyBytes));
  const response = decoder.decode(bytes.subarray(from, from + responseBytes));
  const print = hexOf(bytes.subarray(12, 28));
  return [key, { created: word(1), day: word(2), print, response, line }];
}

function bytesOf(words: Uint32Array<ArrayBuffer>): Uint8Array {
  return new Uint8Array(words.buffer, words.byteOffset, words.byteLength);
}

function hexOf(bytes: Uint8Array): string {
  return [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}
