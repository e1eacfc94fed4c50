// Lists of snapshots: all files, and the newest of each tree, complete or in pages.
//
// Invariant: a list is walked with pauses, as it was at one moment. A list of rows ends where the reply would
// become too long, and gives a cursor to go on from (`next_cursor`). A list of names alone has no place for a cursor and
// is refused if it is too long.
// Trade-off: clients that ask for the same list at the same time share one walk, unless a dump is added or removed.

import type { Data, ReplyBound, Request } from "../command/mod.ts";
import {
  type DedupStore,
  type Description,
  type DumpStore,
  firstBehind,
  newestFirst,
  parseDumpFileName,
} from "../dump/mod.ts";
import { pace } from "../host/mod.ts";
import { type Forest, isHidden } from "../tree/mod.ts";
import type { Wal } from "../wal/mod.ts";

/** The name that Karma 1.x gave to the dump of what we call the registry. */
const REGISTRY_FILE = "karma.idempotency.json";

/** Steps between two looks at the clock: some 0.1 ms. */
const TREES_AT_ONCE = 1024;
const ROWS_AT_ONCE = 16;

/** More than any cursor has when it is written, and what stands between two rows. */
const CURSOR_BYTES = 1600;
const COMMA_BYTES = 1;

/** Rows of a list, and where the next page begins; null: there is none. */
export interface Page {
  readonly rows: readonly Data[];
  readonly next: string | null;
}

export class SnapshotLists {
  readonly #forest: Forest;
  readonly #wal: Wal;
  readonly #dumps: DumpStore;
  readonly #bound: ReplyBound;
  /** Pages of the newest dumps that are being written, by what they are of. */
  readonly #walking = new Map<string, Promise<Page>>();

  constructor(forest: Forest, wal: Wal, dumps: DumpStore, bound: ReplyBound) {
    this.#forest = forest;
    this.#wal = wal;
    this.#dumps = dumps;
    this.#bound = bound;
  }

  /** All file names, newest first, or a page of them. */
  async files(request: Request): Promise<Data> {
    const files = await this.#dumps.dumpIndex.dumps();
    if (!request.isBounded || !isPaged(request)) return files.map(({ file }) => file);
    const { limit, cursor, from } = startOf(request, (cursor) => {
      const last = parseDumpFileName(cursor);
      return last === null
        ? files.length
        : firstBehind(files, (file) => newestFirst(last, file) < 0);
    });
    const page = files.slice(from, from + (limit || files.length));
    const next = from + page.length < files.length ? page[page.length - 1].file : null;
    return { limit, cursor, next_cursor: next, snapshots: page.map(({ file }) => file) };
  }

  /**
   * The object that `make` makes of the newest dumps of trees, as many as are asked for and fit a reply.
   * Those who ask for the same while no dump comes or goes share one walk.
   */
  async latest(
    request: Request,
    rowOf: (description: Description) => Data,
    make: (page: Page) => Data,
  ): Promise<Data> {
    const { writer, bytesMax } = this.#bound;
    const rest = writer.bytesOf(make({ rows: [], next: "" }), bytesMax) + CURSOR_BYTES +
      writer.envelopeBytes;
    const { pageSize: limit, details } = request;
    const cursor = (details.get("after") ?? null) as string | null;
    const { version } = this.#dumps.dumpIndex;
    // In a reply without limits the room beside the rows does not matter; elsewhere to the nearest KiB.
    const room = bytesMax === Infinity ? 0 : 1024 * Math.ceil(rest / 1024);
    const key = JSON.stringify([limit, cursor, room, version]);
    let page = this.#walking.get(key);
    if (page === undefined) {
      page = this.#page(limit, cursor, room, rowOf).finally(() => this.#walking.delete(key));
      this.#walking.set(key, page);
    }
    return make(await page);
  }

  async #page(
    limit: number,
    cursor: string | null,
    rest: number,
    rowOf: (description: Description) => Data,
  ): Promise<Page> {
    const { writer, bytesMax } = this.#bound;
    const { dumpIndex } = this.#dumps;
    const groups = await dumpIndex.groups();
    const from = cursor === null ? 0 : firstBehind(groups, ({ key }) => key > cursor);
    const rows: Data[] = [];
    const pause = pace();
    let bytes = rest;
    let next: string | null = null;
    for (let at = from; at < groups.length; at++) {
      const [newest] = groups[at].entries;
      const description = newest === undefined ? null : await dumpIndex.describe(newest.file);
      if (description === null) continue; // gone just now
      const row = rowOf(description);
      if (bytesMax < Infinity) bytes += writer.bytesOf(row) + COMMA_BYTES;
      const isTooLong = bytes > bytesMax && rows.length > 0;
      if (isTooLong || limit > 0 && rows.length === limit) break;
      next = groups[at].key;
      rows.push(row);
      if (at % ROWS_AT_ONCE === 0) await pause();
      if (at === groups.length - 1) next = null;
    }
    if (from >= groups.length) next = null;
    return { rows, next };
  }

  /** The last record that the newest dumps of all trees hold, of those that were ever dumped. */
  async lastLsn(): Promise<number> {
    const pause = pace();
    let least = Infinity;
    let count = 0;
    for (let tree = this.#forest.after(0); tree !== null; tree = this.#forest.after(tree.serial)) {
      const { name, markLsn } = tree;
      if (markLsn >= 0 && !isHidden(name)) least = Math.min(least, markLsn);
      if (++count % TREES_AT_ONCE === 0) await pause();
    }
    if (least === Infinity) return 0;
    // What has not changed is dumped no more; all that came before the log is in dumps all the same.
    return Math.max(least, (this.#wal.segments[0]?.lsn ?? 1) - 1);
  }
}

/** Whether a page is asked for: with a limit, or with a cursor, be it null. */
function isPaged({ pageSize: limit, details }: Request): boolean {
  return limit > 0 || details.has("after");
}

function startOf(
  { pageSize: limit, details }: Request,
  behind: (cursor: string) => number,
): { limit: number; cursor: string | null; from: number } {
  const cursor = (details.get("after") ?? null) as string | null;
  return { limit, cursor, from: cursor === null ? 0 : behind(cursor) };
}

/** Where a list goes on, for who asked for pages, and where it does not end. */
export function nextOf(request: Request, next: string | null): Record<string, Data> {
  return next === null && !isPaged(request) ? {} : { next_cursor: next };
}

/** What clients know of the registry's dump; null: there is nothing in it that they ask for. */
export function dedupDumpData({ newest }: DedupStore): Data {
  if (newest === null || newest.answers === 0 && newest.committed === 0) return null;
  const { seconds, bytes, lsn, answers, committed } = newest;
  return {
    file: REGISTRY_FILE,
    timestamp: seconds,
    bytes,
    last_lsn: lsn,
    record_count: answers,
    committed_stream_count: committed,
  };
}
