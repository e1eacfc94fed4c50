// Snapshots, as protocol v2 calls dumps: create, load, list, fetch and verify.
//
// Invariant: clients give and get file names, never paths. A file that is too long for a reply is refused before any of
// it is read. Only `load` changes the state, through the state writer.

import type { Data, Reply, ReplyBound, Request } from "../command/mod.ts";
import { type DedupStore, type Description, dumpedName, type DumpStore } from "../dump/mod.ts";
import { pace } from "../host/mod.ts";
import type { Checkpointer, CheckReport } from "../recovery/mod.ts";
import { isApplied, type StateWriter } from "../state/mod.ts";
import { copyNamed, type Forest, NamedTree, namedTreeName, type Tree } from "../tree/mod.ts";
import type { Wal } from "../wal/mod.ts";
import { DamagedError, HostError, MemoryFullError } from "../errors.ts";
import { dedupDumpData, nextOf, type Page, SnapshotLists } from "./snapshot_lists.ts";

interface SnapshotParts {
  readonly forest: Forest;
  readonly stateWriter: StateWriter;
  readonly wal: Wal;
  readonly dumps: DumpStore;
  readonly dedupStore: DedupStore;
  readonly checkpointer: Checkpointer;
  readonly bound: ReplyBound;
  /** Examines what a start would find now. */
  readonly examine: () => Promise<CheckReport>;
}

interface SnapshotLimits {
  readonly dumpsKept: number;
}

/** What a file may take in a reply that has no limit: more would stop everybody for too long. */
const FETCH_BYTES_MAX = 1 << 26;

const [encoder, decoder] = [new TextEncoder(), new TextDecoder("utf-8", { ignoreBOM: true })];

export class Snapshots {
  readonly #parts: SnapshotParts;
  readonly #limits: SnapshotLimits;
  readonly #tell: (line: string) => void;
  readonly #lists: SnapshotLists;
  /** What was told the last time, for when the directory can't be read. */
  #count = 0;
  /** The next examination, while it waits. */
  #next: Promise<CheckReport> | null = null;

  constructor(parts: SnapshotParts, limits: SnapshotLimits, tell: (line: string) => void) {
    this.#parts = parts;
    this.#limits = limits;
    this.#tell = tell;
    const { forest, wal, dumps, bound } = parts;
    this.#lists = new SnapshotLists(forest, wal, dumps, bound);
  }

  dump(request: Request, reply: Reply): void {
    const { forest, checkpointer } = this.#parts;
    const tree = forest.find(request.bytes, request.nameStart, request.nameEnd);
    if (tree === null) return reply.notFound("Tree", nameOf(request));
    reply.shape = "text";
    reply.text = `Tree "${tree.name}" saved`;
    const name = encoder.encode(tree.name);
    reply.pending = this.#told(reply, async () => {
      if (!await checkpointer.dump(tree)) reply.notFound("Tree", name);
    });
  }

  dumpAll(request: Request, reply: Reply): void {
    reply.shape = "ok";
    const dumped = this.#parts.checkpointer.dumpAll("a request");
    if (!request.isAwaited) return; // failures are in the operator's log
    reply.pending = dumped.then((failures) => {
      if (failures > 0) reply.fail("internal_error", "Not everything could be dumped");
    });
  }

  list(request: Request, reply: Reply): void {
    reply.pending = this.#told(reply, async () => {
      reply.list(await this.#lists.files(request));
    });
  }

  load(request: Request, reply: Reply): void {
    const { forest, dumps, stateWriter } = this.#parts;
    const file = decoder.decode(nameOf(request));
    reply.shape = "text";
    reply.pending = this.#told(reply, async () => {
      const made: Tree[] = []; // one at most, and one for its names
      const makeTree = (name: string) => made[made.push(forest.makeTree(name)) - 1];
      try {
        const dumped = await dumps.load(file, makeTree);
        if (dumped === null) return reply.notFound("Dump", encoder.encode(dumpedName(file)));
        reply.text = `Tree "${dumped.tree.name}" loaded`;
        const from = dumped.named?.tree;
        const named = from === undefined ? null : makeTree(namedTreeName(forest.nextSerial));
        if (from instanceof NamedTree && named instanceof NamedTree) {
          await copyNamed(from, named, () => forest.nextSerial++, pace());
          forest.discard(from);
        }
        isApplied(await stateWriter.put(dumped.tree, named), reply);
      } catch (error) {
        if (!(error instanceof HostError && error.cause instanceof MemoryFullError)) throw error;
        isApplied("memory", reply);
      } finally {
        for (const tree of made) if (!forest.has(tree)) forest.discard(tree);
      }
    });
  }

  info(request: Request, reply: Reply): void {
    const { wal, stateWriter, dumps, dedupStore } = this.#parts;
    reply.pending = this.#told(reply, async () => {
      const count = await dumps.dumpIndex.count();
      reply.list(
        await this.#latest(request, (lastLsn, { rows, next }) => ({
          dump_count: count,
          latest_by_tree: rows,
          ...nextOf(request, next),
          idempotency_snapshot: dedupDumpData(dedupStore),
          last_snapshot_lsn: lastLsn,
          wal_enabled: stateWriter.isCounted,
          wal_bytes: wal.bytes,
          wal_current_lsn: wal.lsn,
          dump_retention_per_tree: this.#limits.dumpsKept,
        })),
      );
    });
  }

  /** Reads everything as a start would, as it is at one moment from now on. */
  verify(reply: Reply): void {
    const { lsn } = this.#parts.wal;
    reply.pending = this.#told(reply, async () => {
      const { faults, amounts } = await this.#examined();
      const isShort = faults.length === 0 && amounts.lsn < lsn;
      const short = `The log ends at record ${amounts.lsn}, and ${lsn} were written`;
      const told = isShort ? [short] : faults;
      for (const fault of told) this.#tell(fault);
      if (told.length > 0) return reply.fail("validation_error", told[0]);
      const { dumps, originals, trees, keys, records } = amounts;
      reply.object({
        status: "ok",
        dump_count: dumps,
        trees,
        keys,
        snapshot_metadata_checked: dumps - originals,
        snapshot_missing_metadata: originals,
        restore_snapshot_lsn: await this.#lists.lastLsn(),
        wal_entries_checked: records,
        wal_first_lsn: records > 0 ? amounts.lsn - records + 1 : 0,
        wal_last_lsn: records > 0 ? amounts.lsn : 0,
        wal_lsn_file: 0,
      });
    }, "The data could not be read");
  }

  fetch(request: Request, reply: Reply): void {
    this.#give(request, reply, ({ file, bytes }, metadata) => {
      const response = (data: string) => ({ metadata, data_base64: data });
      if (!this.#fits(reply, response(""), bytes)) return Promise.resolve(null);
      return this.#read(file, 0, bytes, response);
    });
  }

  fetchChunk(request: Request, reply: Reply): void {
    const offset = request.details.get("offset") as number;
    const { pageSize: limit } = request;
    this.#give(request, reply, ({ file, bytes: size }, metadata) => {
      if (offset > size) {
        reply.fail("validation_error", "Field offset exceeds snapshot size");
        return Promise.resolve(null);
      }
      const bytes = Math.min(limit, size - offset);
      const next = offset + bytes;
      const response = (data: string) => ({
        metadata,
        offset,
        limit,
        bytes,
        total_bytes: size,
        next_offset: next,
        done: next === size,
        data_base64: data,
      });
      if (!this.#fits(reply, response(""), bytes)) return Promise.resolve(null);
      return this.#read(file, offset, bytes, response);
    });
  }

  /** How many dumps there are, or were when the directory could be read last. */
  async count(): Promise<number> {
    await this.#look();
    return this.#count;
  }

  /**
   * Replies with an object that tells, among other things, of the newest dump of each tree, and of the
   * record that they all hold; as they were when the directory could be read last.
   */
  tellLatest(
    request: Request,
    reply: Reply,
    make: (lastLsn: number, latest: { rows: Data; next: Record<string, Data> }) => Data,
  ): Promise<void> {
    return this.#told(reply, async () => {
      await this.#look();
      reply.list(
        await this.#latest(request, (lastLsn, { rows, next }) => {
          return make(lastLsn, { rows, next: nextOf(request, next) });
        }),
      );
    });
  }

  /** An examination that begins from now on, when no dump is being written: all who wait share it. */
  #examined(): Promise<CheckReport> {
    return this.#next ??= this.#parts.dumps.hold(() => {
      this.#next = null;
      return this.#parts.examine();
    });
  }

  /** Sees what dumps there are; that it can't is told to the operator alone. */
  async #look(): Promise<void> {
    try {
      this.#count = await this.#parts.dumps.dumpIndex.count();
    } catch (error) {
      if (!(error instanceof HostError)) throw error;
      this.#tell(error.message);
    }
  }

  async #latest(request: Request, make: (lastLsn: number, page: Page) => Data): Promise<Data> {
    const lastLsn = await this.#lists.lastLsn();
    const rowOf = (description: Description) => this.#metadata(description);
    return await this.#lists.latest(request, rowOf, (page) => make(lastLsn, page));
  }

  #metadata({ tree, file, seconds, bytes, head }: Description): Data {
    const lsn = head?.log === this.#parts.wal.id ? head.lsn : 0; // others count otherwise
    return { tree, file, timestamp: seconds, bytes, last_lsn: lsn, metadata_file: null };
  }

  /** Replies with something of a dump, unless there is none, or `give` has said why not. */
  #give(
    request: Request,
    reply: Reply,
    give: (description: Description, metadata: Data) => Promise<Data | null>,
  ): void {
    const name = nameOf(request);
    reply.pending = this.#told(reply, async () => {
      const { dumpIndex } = this.#parts.dumps;
      const file = decoder.decode(name);
      const description = await dumpIndex.describe(file);
      // A link would give out what it leads to, which may be any file that this process can read.
      if (description === null || await dumpIndex.isLink(file)) {
        return reply.notFound("Snapshot", name);
      }
      if (description.fault !== null) return reply.fail("internal_error", description.fault);
      const response = await give(description, this.#metadata(description));
      if (response !== null) reply.object(response);
      else if (reply.code === null) reply.notFound("Snapshot", name); // removed just now
    });
  }

  async #read(
    file: string,
    offset: number,
    count: number,
    response: (data: string) => Data,
  ): Promise<Data | null> {
    const bytes = await this.#parts.dumps.dumpIndex.bytes(file, offset, count);
    return bytes === null ? null : response(bytes.toBase64());
  }

  /** Whether so many bytes can be told in a response that has all else; if not, the reply says so. */
  #fits(reply: Reply, response: Data, bytes: number): boolean {
    const { writer, bytesMax } = this.#parts.bound;
    const most = bytesMax === Infinity ? FETCH_BYTES_MAX : bytesMax;
    const rest = writer.bytesOf(response) + writer.envelopeBytes;
    if (rest + 4 * Math.ceil(bytes / 3) <= most) return true;
    reply.fail("response_too_large", `Response exceeds ${most} bytes`);
    return false;
  }

  /** Does work with files; what goes wrong outside becomes the reply's error and a line in the log. */
  async #told(reply: Reply, work: () => Promise<void>, what?: string): Promise<void> {
    try {
      await work();
    } catch (error) {
      if (!(error instanceof HostError || error instanceof DamagedError)) throw error;
      this.#tell(error.message);
      // Paths and what the system said are the operator's.
      const sentence = error instanceof HostError ? what ?? error.what : error.message;
      reply.fail("internal_error", sentence);
    }
  }
}

function nameOf({ bytes, nameStart, nameEnd }: Request): Uint8Array<ArrayBuffer> {
  return new Uint8Array(bytes.subarray(nameStart, nameEnd));
}
