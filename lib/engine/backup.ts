// A backup that is under way: the data as it was at one moment, kept until its client has read it.
//
// Invariant: from the beginning to the end no file that belongs to it is changed or removed, as dumps and checkpoints wait;
// counting goes on. It ends when its client says so, or has read nothing for a while, or the server stops.
// Trade-off: one at a time, and the WAL grows meanwhile.

import type { Reply, ReplyBound, Request } from "../command/mod.ts";
import { DamagedError, HostError } from "../errors.ts";
import type { Clock } from "../host/mod.ts";
import type { Archive, Checkpointer } from "../recovery/mod.ts";

interface BackupParts {
  readonly checkpointer: Checkpointer;
  readonly clock: Clock;
  readonly bound: ReplyBound;
  readonly archive: () => Promise<Archive>;
}

interface Frozen {
  readonly archive: Archive;
  /** When the data was as it is in the archive. */
  readonly moment: string;
  /** Lets everything else go on. */
  readonly end: () => void;
  timer: ReturnType<typeof setTimeout>;
}

/** A client that reads nothing for so long has gone. */
const PATIENCE_MS = 60_000;

/** More than all else in a reply that has a part. */
const REST_BYTES_MAX = 512;

const NONE = "No backup is under way";

export class Backup {
  readonly #parts: BackupParts;
  readonly #tell: (line: string) => void;
  #frozen: Frozen | null = null;
  #isFreezing = false;

  constructor(parts: BackupParts, tell: (line: string) => void) {
    this.#parts = parts;
    this.#tell = tell;
  }

  /** Freezes the data; the reply tells the moment, and how much there is to read. */
  begin(reply: Reply): void {
    if (this.#frozen !== null || this.#isFreezing) {
      return reply.fail("validation_error", "A backup is under way");
    }
    this.#isFreezing = true;
    const frozen = Promise.withResolvers<void>();
    this.#parts.checkpointer.hold(async () => {
      const { promise: over, resolve: end } = Promise.withResolvers<void>();
      try {
        const archive = await this.#parts.archive();
        const moment = new Date(this.#parts.clock.now()).toISOString();
        this.#frozen = { archive, moment, end, timer: this.#watch() };
        const { lsn, files, bytes } = archive;
        reply.object({ moment, lsn, files, bytes });
      } catch (error) {
        if (!(error instanceof HostError || error instanceof DamagedError)) throw error;
        this.#tell(error.message);
        reply.fail("internal_error", "The data could not be frozen");
        end();
      }
      this.#isFreezing = false;
      frozen.resolve();
      await over;
    }).catch(frozen.reject);
    reply.pending = frozen.promise;
  }

  /** Replies with a part of the backup. Its moment is told as well: it may be another one's by now. */
  read(request: Request, reply: Reply): void {
    const frozen = this.#frozen;
    if (frozen === null) return reply.fail("validation_error", NONE);
    const offset = request.details.get("offset") as number;
    if (offset > frozen.archive.bytes) {
      return reply.fail("validation_error", "Field offset exceeds backup size");
    }
    clearTimeout(frozen.timer);
    reply.pending = this.#read(frozen, offset, request.pageSize, reply).finally(() => {
      clearTimeout(frozen.timer);
      if (this.#frozen === frozen) frozen.timer = this.#watch();
    });
  }

  /** Ends the backup for its client. */
  finish(reply: Reply): void {
    if (this.#frozen === null) return reply.fail("validation_error", NONE);
    this.end();
    reply.shape = "ok";
  }

  /** Ends the backup, if there is one. */
  end(): void {
    if (this.#frozen === null) return;
    clearTimeout(this.#frozen.timer);
    this.#frozen.end();
    this.#frozen = null;
  }

  async #read(frozen: Frozen, offset: number, limit: number, reply: Reply): Promise<void> {
    const { archive, moment } = frozen;
    try {
      const bytes = await archive.read(offset, limit);
      const replyBytes = 4 * Math.ceil(bytes.length / 3) + REST_BYTES_MAX;
      if (!this.#parts.bound.fitsBytes(reply, replyBytes)) return;
      const next = offset + bytes.length;
      reply.object({
        moment,
        offset,
        limit,
        bytes: bytes.length,
        total_bytes: archive.bytes,
        next_offset: next,
        done: next === archive.bytes,
        data_base64: bytes.toBase64(),
      });
    } catch (error) {
      if (!(error instanceof HostError)) throw error;
      this.#tell(error.message);
      reply.fail("internal_error", error.what);
    }
  }

  /** Ends the backup unless a part is asked for in time. */
  #watch(): ReturnType<typeof setTimeout> {
    return setTimeout(() => {
      this.#tell(`The backup was given up: nothing was read for ${PATIENCE_MS / 1000} s`);
      this.end();
    }, PATIENCE_MS);
  }
}
