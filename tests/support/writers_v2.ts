// Writers in protocol v2 for crash tests: clients that ask again for what they were not answered, and
// know what that must come to.
//
// A writer alone changes its own trees, over one connection. What it does is in tracks, each a row of
// requests that follow from their numbers: increments and batches under idempotency keys, batches
// that set all counters of a tree to the same, streams that add to a tree, and streams that replace one.
//
//   track    | 0 ... | acked ...      | happened ...   | sent
//            '- answered              '- found         '- perhaps on the way when the server died
//
// Invariant: what a restart finds of a track is the state behind one of its requests, acked <= happened
// <= sent; each request before that is then answered as done before, and each behind as done first,
// so that all of them are counted once. Trade-off: retries come in the order of the requests.

import { Client } from "./client.ts";
import type { Random } from "./random.ts";
import { type Counters, type State, WrongState } from "./writers.ts";

const DAY = 20261122;
const SET_KEYS = 40;
const REPLACED_KEYS = 60;
const CHUNKS = 5;
/** Of a stream: its begin, its chunks, its end. */
const STREAM_STEPS = CHUNKS + 2;
/** Every so many streams that replace a tree are aborted. */
const ABORT_EVERY = 4;
/** Requests that were answered and are sent again. */
const AGAIN = 30;
const DEPTHS = [1, 20, 200];

interface Answer {
  readonly success: boolean;
  readonly response: unknown;
  readonly idempotent?: boolean;
  readonly error_code: string | null;
}

/** A row of requests. */
interface Row {
  readonly tree: string;
  line(n: number): string;
  /** Whether it is the answer to a request that was done before, or not; null: that is not known. */
  isGood(n: number, answer: Answer, isAgain: boolean | null): boolean;
  /** Whether the tree shows that a request has happened. */
  isSeen(n: number): boolean;
  /** What the request does to the tree's counters. */
  apply(n: number, counters: Counters): void;
  /** Which requests are sent again when so many were answered. */
  from(acked: number): number;
}

class Track {
  readonly row: Row;
  /** What the tree holds behind the requests that were answered; null: it is not there yet. */
  #counters: Counters | null = null;
  acked = 0;
  happened = 0;
  sent = 0;
  #sentBefore = 0;

  constructor(row: Row) {
    this.row = row;
  }

  /** Takes what a restart has found; returns how many requests had happened without an answer. */
  adopt(found: Counters | undefined): number {
    const counters = new Map(this.#counters ?? []);
    this.happened = this.acked;
    this.#sentBefore = this.sent;
    while (!isSame(counters, found ?? new Map()) && this.happened < this.sent) {
      this.row.apply(this.happened++, counters);
    }
    if (isSame(counters, found ?? new Map())) return this.happened - this.acked;
    const { acked, sent } = this;
    const told = [...this.#counters ?? []].filter(([key, value]) => found?.get(key) !== value);
    throw new WrongState(
      `${this.row.tree}: no request of ${acked} to ${sent} ends in what was found; ` +
        told.slice(0, 20).map(([key, value]) => `${key}: ${value}, found ${found?.get(key)}`),
    );
  }

  hear(n: number, line: string): void {
    const answer = JSON.parse(line) as Answer;
    // Behind all that was sent before the last crash nothing can have happened.
    const isSeen = n >= this.#sentBefore || this.row.isSeen(n);
    const isAgain = n < this.happened ? true : isSeen ? false : null;
    if (!this.row.isGood(n, answer, isAgain)) {
      throw new WrongState(`${this.row.line(n)}, done: ${isAgain}, was answered by ${line}`);
    }
    if (n < this.acked) return;
    this.#counters ??= new Map();
    this.row.apply(n, this.#counters);
    this.acked = n + 1;
  }
}

export class WriterV2 {
  readonly #random: Random;
  readonly #tracks: readonly Track[];
  readonly #weights: readonly Track[];
  /** How many requests were answered, how many of them after a restart, and how many a second time. */
  answers = 0;
  retries = 0;
  repeats = 0;

  constructor(number: number, random: Random) {
    this.#random = random;
    const name = `v2-${number}`;
    const [keyed, sets, added, replaced] = this.#tracks = [
      new Track(keyedRow(`${name}-keyed`)),
      new Track(setRow(`${name}-set`)),
      new Track(streamRow(`${name}-added`, "add")),
      new Track(streamRow(`${name}-replaced`, "replace_series")),
    ];
    this.#weights = [keyed, keyed, keyed, keyed, sets, added, added, replaced, replaced];
  }

  /** Asks again for what was not answered, then writes until the connection ends, which throws. */
  async run(port: number): Promise<never> {
    using connection = await Connection.open(port);
    await this.#retry(connection);
    const random = this.#random;
    for (;;) {
      const depth = 1 + random.below(random.pick(DEPTHS));
      const waiting = Array.from({ length: depth }, () => {
        const track = random.pick(this.#weights);
        return { track, n: track.sent++ };
      });
      await connection.send(waiting.map(({ track, n }) => track.row.line(n)));
      for (const { track, n } of waiting) {
        track.hear(n, await connection.line());
        this.answers++;
      }
    }
  }

  /** Asks again for what was not answered. */
  async settle(port: number): Promise<void> {
    using connection = await Connection.open(port);
    await this.#retry(connection);
  }

  /** Takes its trees out of what was found; returns how many requests had happened without an answer. */
  adopt(found: State): number {
    let happened = 0;
    for (const track of this.#tracks) {
      const { tree } = track.row;
      happened += track.adopt(found.get(tree));
      found.delete(tree);
    }
    return happened;
  }

  async #retry(connection: Connection): Promise<void> {
    await connection.send(['{"v":2,"op":"tree.list"}']);
    const { response: trees } = JSON.parse(await connection.line()) as { response: string[] };
    const strange = trees.find((tree) => !/^[a-z0-9-]+$/.test(tree));
    if (strange !== undefined) throw new WrongState(`There is a tree ${JSON.stringify(strange)}`);
    for (const track of this.#tracks) {
      const { acked, sent } = track;
      const from = Math.max(0, track.row.from(acked));
      const again = Array.from({ length: sent - from }, (_, index) => from + index);
      await connection.send(again.map((n) => track.row.line(n)));
      for (const n of again) {
        track.hear(n, await connection.line());
        if (n < acked) this.repeats++;
        else this.retries++;
      }
    }
  }
}

/** A connection whose lines end in LF alone, as answers of protocol v2 do. */
class Connection implements Disposable {
  readonly #client: Client;
  readonly #decoder = new TextDecoder("utf-8", { fatal: true });
  #text = "";

  private constructor(client: Client) {
    this.#client = client;
  }

  static async open(port: number): Promise<Connection> {
    return new Connection(await Client.connect(port));
  }

  async send(lines: readonly string[]): Promise<void> {
    await this.#client.send(lines.map((line) => `${line}\n`).join(""));
  }

  async line(): Promise<string> {
    let end: number;
    while ((end = this.#text.indexOf("\n")) < 0) {
      const bytes = await this.#client.sip(65536);
      if (bytes.length === 0) throw new Error("The server closed");
      this.#text += this.#decoder.decode(bytes, { stream: true });
    }
    const line = this.#text.slice(0, end);
    this.#text = this.#text.slice(end + 1);
    if (line.endsWith("\r")) throw new WrongState("An answer in protocol v2 ended in CR LF");
    return line;
  }

  [Symbol.dispose](): void {
    this.#client[Symbol.dispose]();
  }
}

/** Increments and batches under keys. */
function keyedRow(tree: string): Row {
  const itemsOf = (n: number) => {
    const count = n % 3 === 0 ? 4 : 1;
    return Array.from({ length: count }, (_, index) => [(7 * n + index) % 50, DAY, 1 + n % 5]);
  };
  return {
    tree,
    line(n) {
      const items = itemsOf(n);
      const [[key, bucket, value]] = items;
      const once = { v: 2, series: tree, idempotency_key: `${tree} ${n}` };
      return JSON.stringify(
        items.length > 1
          ? { ...once, op: "series.batch_add", items }
          : { ...once, op: "counter.increment", key, bucket, value },
      );
    },
    isGood(n, { success, response, idempotent }, isAgain) {
      const items = itemsOf(n);
      const total = items.reduce((sum, [, , value]) => sum + value, 0);
      const expected = items.length > 1 ? { applied: items.length, total } : total;
      const isSame = JSON.stringify(response) === JSON.stringify(expected);
      return success && isSame && idempotent === isAgain;
    },
    apply(n, counters) {
      for (const [key, , value] of itemsOf(n)) add(counters, key, value);
    },
    isSeen: () => true,
    from: (acked) => acked - AGAIN,
  };
}

/** Batches that set all counters of a tree to the same. */
function setRow(tree: string): Row {
  return {
    tree,
    line(n) {
      const items = Array.from({ length: SET_KEYS }, (_, key) => [key, DAY, n + 1]);
      return JSON.stringify({ v: 2, op: "series.batch_set", series: tree, items });
    },
    isGood: (_, { response }) => JSON.stringify(response) === `{"applied":${SET_KEYS}}`,
    apply(n, counters) {
      for (let key = 0; key < SET_KEYS; key++) counters.set(String(key), n + 1);
    },
    isSeen: () => true,
    from: (acked) => acked,
  };
}

/** Streams, one after the other: each is begun, gets its chunks, and ends. */
function streamRow(tree: string, mode: "add" | "replace_series"): Row {
  const streamOf = (n: number) => Math.floor(n / STREAM_STEPS);
  const stepOf = (n: number) => n % STREAM_STEPS;
  const isAborted = (n: number) => mode !== "add" && streamOf(n) % ABORT_EVERY === 1;
  const itemsOf = (n: number) => {
    const count = REPLACED_KEYS / CHUNKS;
    return Array.from({ length: count }, (_, index) => {
      return [(stepOf(n) - 1) * count + index, DAY, mode === "add" ? 2 : 1 + streamOf(n)];
    });
  };
  return {
    tree,
    line(n) {
      const step = stepOf(n);
      const stream = { v: 2, stream_id: `${tree} ${streamOf(n)}` };
      if (step === 0) return JSON.stringify({ ...stream, op: "ingest.begin", mode });
      if (step > CHUNKS) {
        return JSON.stringify({ ...stream, op: `ingest.${isAborted(n) ? "abort" : "commit"}` });
      }
      const chunk = { series: tree, chunk_seq: step, items: itemsOf(n) };
      return JSON.stringify({ ...stream, op: "ingest.chunk", ...chunk });
    },
    isGood(n, { success, response, error_code }, isAgain) {
      // What was aborted may begin anew.
      if (isAgain !== false && isAborted(n)) return success || error_code === "not_found";
      const { status, skipped } = response as { status?: string; skipped?: boolean };
      const step = stepOf(n);
      if (step === 0) return success && (isAgain !== false || status === "active");
      if (step <= CHUNKS) return success && skipped === (isAgain ?? skipped);
      const ends = isAborted(n) ? ["aborted"] : ["committed", "already_committed"];
      const end = ends[isAgain === true ? 1 : 0];
      return success && (isAgain === null ? ends.includes(status!) : status === end);
    },
    isSeen(n) {
      const step = stepOf(n);
      if (mode === "add") return step >= 1 && step <= CHUNKS;
      return step > CHUNKS && !isAborted(n);
    },
    apply(n, counters) {
      const step = stepOf(n);
      if (mode === "add" && step >= 1 && step <= CHUNKS) {
        for (const [key, , value] of itemsOf(n)) add(counters, key, value);
      }
      if (mode === "add" || step <= CHUNKS || isAborted(n)) return;
      for (let key = 0; key < REPLACED_KEYS; key++) counters.set(String(key), 1 + streamOf(n));
    },
    // The whole stream again, unless it could begin anew.
    from: (acked) => isAborted(acked - 1) ? acked : STREAM_STEPS * streamOf(acked - 1),
  };
}

function add(counters: Counters, key: number, value: number): void {
  counters.set(String(key), (counters.get(String(key)) ?? 0) + value);
}

function isSame(a: Counters, b: Counters): boolean {
  if (a.size !== b.size) return false;
  for (const [key, value] of a) if (b.get(key) !== value) return false;
  return true;
}
