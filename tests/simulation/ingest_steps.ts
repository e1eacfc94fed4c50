// Steps of ingest streams: begun, filled with chunks that are sent again, committed, aborted, in any
// order and by whatever process is there.
//
// Invariant: every answer is the line that the model expects at that moment. A stream's mode, tree and
// chunks follow from its number alone, so that any later process can send them again.

import { Random } from "../support/random.ts";
import { type Counters, withItems } from "./model.ts";
import type { StreamState } from "./registry_model.ts";
import { countersOf, faultOf, itemsOf, lineOf, type Outcome, tree } from "./steps_v2.ts";
import type { World } from "./world.ts";

const STREAMS = 9;
const MODES = ["add", "set", "replace_series"];

/** A stream as its client knows it, and as it is. */
interface Told {
  readonly id: string;
  readonly mode: string;
  readonly series: string;
  readonly number: number;
  readonly stream: StreamState | null;
  /** What its chunks are for, as it is now. */
  readonly counters: Counters;
}

type Act = (told: Told, random: Random) => [line: string, expected: Outcome];

/** What is done to a stream, and how often. */
const ACTIONS: readonly [number, Act][] = [
  [15, begin],
  [40, nextChunk],
  [15, sameChunk],
  [5, chunkAhead],
  [12, commit],
  [4, abort],
];
const WEIGHTS = ACTIONS.reduce((sum, [weight]) => sum + weight, 0);

/** One step of one stream. */
export function ingest(world: World, random: Random): void {
  if (!world.settings.wal) return;
  const { dedup, state } = world.past;
  // Those that are open more often than not.
  const open = [...dedup.open.keys()].map((id) => Number(id.split(" ")[1]));
  const isOpen = open.length > 0 && random.chance(0.7);
  const number = isOpen ? random.pick(open) : random.below(STREAMS);
  const id = `stream ${number}`;
  const stream = dedup.open.get(id) ?? dedup.committed.get(id) ?? null;
  const mode = MODES[number % 3];
  const { series } = tree(new Random(number));
  const counters = countersOf(state, mode === "replace_series" ? stream?.staged ?? "" : series);
  const told = { id, number, mode, series, stream, counters };
  let at = random.below(WEIGHTS);
  for (const [weight, act] of ACTIONS) {
    if (at >= weight) {
      at -= weight;
      continue;
    }
    const [line, expected] = act(told, random);
    return world.execute(line, (reply, answer) => faultOf(world, reply, answer, expected, null));
  }
}

function begin({ id, mode, stream }: Told): [string, Outcome] {
  const line = lineOf("ingest.begin", { stream_id: id, mode });
  return [line, { response: statusOf(id, mode, stream) }];
}

function nextChunk(told: Told): [string, Outcome] {
  return chunk(told, (told.stream?.prints.length ?? 0) + 1, "next");
}

function sameChunk(told: Told, random: Random): [string, Outcome] {
  const last = told.stream?.prints.length ?? 0;
  return last === 0 ? nextChunk(told) : chunk(told, 1 + random.below(last), "same");
}

function chunkAhead(told: Told): [string, Outcome] {
  return chunk(told, (told.stream?.prints.length ?? 0) + 2, "ahead");
}

function commit({ id, mode, stream }: Told): [string, Outcome] {
  const line = lineOf("ingest.commit", { stream_id: id });
  if (stream === null) return [line, { code: "not_found" }];
  if (stream.committed !== null) return [line, { response: statusOf(id, mode, stream) }];
  const last_chunk_seq = stream.prints.length;
  const isEmpty = mode === "replace_series" && last_chunk_seq === 0;
  if (isEmpty) return [line, { code: "validation_error" }];
  return [line, { response: { stream_id: id, status: "committed", last_chunk_seq } }];
}

function abort({ id, stream }: Told): [string, Outcome] {
  const line = lineOf("ingest.abort", { stream_id: id });
  if (stream === null || stream.committed !== null) return [line, { code: "not_found" }];
  const last_chunk_seq = stream.prints.length;
  return [line, { response: { stream_id: id, status: "aborted", last_chunk_seq } }];
}

function chunk(
  told: Told,
  sequence: number,
  which: "next" | "same" | "ahead",
): [string, Outcome] {
  const { id, series, mode, number, stream, counters } = told;
  const items = itemsOf(new Random(1000 * number + sequence), mode === "add");
  const fields = { stream_id: id, series, chunk_seq: sequence, items };
  const line = lineOf("ingest.chunk", fields);
  if (stream === null) return [line, { code: "not_found" }];
  const isCommitted = stream.committed !== null;
  const base = { stream_id: id, chunk_seq: sequence };
  if (which === "same") {
    const response = { ...base, skipped: true, committed: isCommitted, applied: 0, total: 0 };
    return [line, { response }];
  }
  if (isCommitted) return [line, { code: "idempotency_conflict" }];
  const isGood = which === "next" && withItems(counters, items, mode === "add" ? "add" : "set");
  if (!isGood) return [line, { code: "validation_error" }];
  const total = items.reduce((sum, [, , value]) => sum + value, 0n);
  return [line, { response: { ...base, skipped: false, applied: items.length, total } }];
}

function statusOf(id: string, mode: string, stream: StreamState | null) {
  return {
    stream_id: id,
    mode,
    series: stream?.tree ?? null,
    granularity: null,
    status: stream === null || stream.committed === null ? "active" : "already_committed",
    last_chunk_seq: stream?.prints.length ?? 0,
  };
}
