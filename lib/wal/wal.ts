// The write-ahead log (WAL): every change is in it before its reply is sent.
//
//   words   | head of a group | record | record | ... | free      |   the records of this turn
//                                                     '- at
//
// Changes are written as records into `words`, one after the other; `append` numbers them. At the end of the
// turn one write takes the records of all connections to the file, as one group. The WAL does not know what its
// records mean.
//
// Invariant: when `settled` resolves, all records so far are as durable as the policy promises: written to the
// kernel, which survives a crash of this process, or with `always` synced to the disk. Space is reserved before
// a record is accepted, so a full disk refuses changes and breaks no promise. If a write or sync fails all the
// same, the promise cannot be kept: `lost` is called, and no reply is sent any more. File systems that copy on
// write or compress may not honor the reservation; `lost` then gets a FullError.
//
// Trade-off: writes, and the syncs of `always`, block the process. A write takes microseconds, and every reply
// would have to wait for the sync anyway.

import { FullError, HostError, sentenceOf } from "../errors.ts";
import { type Disk, isNoSpace } from "../host/mod.ts";
import { GROUP_WORDS, MARK_BYTES, sealGroup, segmentFileName, SPACE_BYTES } from "./format.ts";
import type { WalHooks, WalOptions } from "./hooks.ts";
import { Marker } from "./mark.ts";
import type { WalPosition } from "./reader.ts";
import { Segment, type SegmentFile } from "./segment.ts";
import { Segments } from "./segments.ts";

/** Records of a turn are written before its end when there are more than so many words of them. */
const PENDING_WORDS = 65536;

/** Words that are always there behind those with room: for the mark, or a record not to be kept. */
const SPARE_WORDS = 16;

const SYNC_INTERVAL_MS = 1000;

/** How long changes are refused before space is looked for again. */
const FULL_MS = 200;

/**
 * At the end of a turn it is looked whether the files are still there, if that was so long ago. A look
 * takes 12 to 34 µs, 1.3 to 4 times what a write takes (medians): too much for every turn.
 */
const LOOK_MS = 50;

export class Wal {
  readonly id: string;
  readonly #directory: string;
  readonly #options: WalOptions;
  readonly #disk: Disk;
  readonly #owner: WalHooks;
  /** The records of this turn; a new one is written from words[at] on. There is always room for 16. */
  words = new Uint32Array(PENDING_WORDS);
  at = GROUP_WORDS;
  /** The LSN of the last record. */
  lsn: number;
  #records = 0;
  #written: number;
  #durable: number;
  /** Whether a record waits for what is promised. */
  #dirty = false;
  /** Words up to which records have room, in `words` and in the segment. */
  #roomWords = 0;
  /** The current one. */
  #segment: Segment | null = null;
  readonly #segments: Segments;
  /** Bytes in all segments, without what is only reserved. */
  bytes: number;
  #isLargeTold = false;
  #isBroken = false;
  #turn: PromiseWithResolvers<void> | null = null;
  #syncing: Promise<void> = Promise.resolve();
  #ticking: ReturnType<typeof setTimeout> | null = null;
  /** When space is looked for again, and a segment; 0: there was some the last time. */
  #fullUntil = 0;
  #nextAfter = 0;
  #lookAfter = 0;

  constructor(
    directory: string,
    options: WalOptions,
    position: WalPosition,
    disk: Disk,
    owner: WalHooks,
  ) {
    this.#directory = directory;
    this.#options = options;
    this.#disk = disk;
    this.#owner = owner;
    this.id = position.id;
    this.lsn = this.#written = this.#durable = position.lsn;
    const marker = new Marker(directory, disk, owner.tell);
    this.#segments = new Segments(directory, disk, marker, position);
    this.bytes = this.#segments.bytes;
  }

  /** Whether there is more of it than there should be. */
  get isLarge(): boolean {
    return this.bytes >= this.#options.bytesMax;
  }

  /** The segments there are, the oldest first, each with what was written to it by now. */
  get segments(): readonly SegmentFile[] {
    return this.#segments.all;
  }

  /** Whether a record, or several that belong together, of so many words can be appended now. */
  hasRoom(words: number): boolean {
    return this.at + words <= this.#roomWords || this.#makeRoom(words);
  }

  /** Appends the records, one unless told, that were written to words[at...]; undo.ts takes some back. */
  append(words: number, records = 1): void {
    this.at += words;
    this.#records += records;
    this.lsn += records;
    this.#dirty = true;
  }

  /**
   * Resolves at the end of this turn of the event loop, when every record is as safe as promised.
   *
   * Where no record waits there is nothing to do, but to let all sessions of a turn answer first and
   * write afterwards: that alone makes pipelines a quarter faster than each writing when it is ready.
   */
  settled(): Promise<void> {
    if (this.#turn === null) {
      this.#turn = Promise.withResolvers();
      // Behind all that this turn of the event loop has brought: they share the write.
      queueMicrotask(() => this.#endTurn());
    }
    return this.#turn.promise;
  }

  /** Brings every record to the disk, whatever the policy. */
  sync(): Promise<void> {
    return this.#syncing = this.#syncing.then(() => this.#syncAll());
  }

  /**
   * Begins a new segment, if there is space for one, so that those before it can go once they are not
   * needed any more. Returns the LSN of the current one's first record; null when there is none.
   */
  begin(): number | null {
    const isWritten = this.#guarded(() => this.#write());
    if (isWritten && this.#segment?.lsn !== this.lsn + 1) this.#next();
    return this.#segment?.lsn ?? null;
  }

  /** Removes the segments of which all records come before an LSN that `begin` returned. */
  async removeBefore(lsn: number): Promise<void> {
    await this.sync(); // only then is the one that stays on the disk
    if (!this.look()) return await unanswered();
    try {
      await this.#segments.removeBefore(lsn);
    } finally {
      this.bytes = this.#segments.bytes;
    }
    this.#isLargeTold = this.isLarge;
  }

  /** Looks whether directory and files are still there; if not, nobody is answered any more. */
  look(): boolean {
    return this.#guarded(() => this.#look("all"));
  }

  /** Brings everything to the disk; nothing may be appended any more. */
  async close(): Promise<void> {
    if (this.#ticking !== null) clearTimeout(this.#ticking);
    await this.sync();
    await this.#segments.close(this.#durable);
    this.#segment = null;
  }

  #endTurn(): void {
    const done = this.#guarded(() => {
      this.#write();
      if (this.#dirty && this.#options.policy === "always") this.#syncNow();
      if (performance.now() >= this.#lookAfter) this.#look("open");
    });
    if (!done) return;
    const turn = this.#turn!;
    this.#turn = null;
    if (this.#dirty && this.#options.policy === "everysec") this.#tick();
    this.#dirty = false;
    if (this.#segment?.isFull) this.#next();
    turn.resolve();
    if (this.#isLargeTold || !this.isLarge) return;
    this.#isLargeTold = true;
    this.#owner.onLarge();
  }

  /** Writes the records of this turn as one group. */
  #write(): void {
    if (this.#records === 0) return;
    const { words } = this;
    sealGroup(words, this.at, this.#records, this.#written + 1, this.#durable);
    const bytes = 4 * this.at + 4;
    this.#segment!.write(new Uint8Array(words.buffer, 0, bytes));
    this.bytes += bytes;
    this.at = GROUP_WORDS;
    this.#records = 0;
    this.#written = this.lsn;
    this.#measureRoom();
  }

  #measureRoom(): void {
    const inSegment = (this.#segment?.free ?? 0) - MARK_BYTES - SPACE_BYTES;
    this.#roomWords = Math.min(this.words.length - SPARE_WORDS, inSegment / 4);
  }

  #makeRoom(words: number): boolean {
    if (this.#isBroken) return false;
    if (this.at + words > this.words.length - SPARE_WORDS) {
      if (!this.#guarded(() => this.#write())) return false;
      const size = this.at + words + SPARE_WORDS;
      if (size > this.words.length) this.words = new Uint32Array(2 * size);
    }
    if (this.#segment === null && !this.#next()) return false;
    this.#reserve(4 * (this.at + words) + MARK_BYTES + SPACE_BYTES);
    this.#measureRoom();
    return this.at + words <= this.#roomWords;
  }

  /** Sees to it that so many bytes are free in the segment, if the disk has them. */
  #reserve(bytes: number): void {
    const { free } = this.#segment!;
    if (free >= bytes || performance.now() < this.#fullUntil) return;
    try {
      this.#segment!.reserve(bytes - free);
    } catch (error) {
      if (this.#fullUntil === 0) this.#owner.tell(`No space for the log: ${sentenceOf(error)}`);
      this.#fullUntil = performance.now() + FULL_MS;
      return;
    }
    this.#notFull();
  }

  #notFull(): void {
    if (this.#fullUntil > 0) this.#owner.tell("There is space for the log again");
    this.#fullUntil = 0;
  }

  /** Goes on in a new segment. False: there is no space for one, and the current one stays. */
  #next(): boolean {
    if (performance.now() < this.#nextAfter) return false;
    const [lsn, file] = [this.#written + 1, segmentFileName(this.#written + 1)];
    try {
      const preamble = this.#owner.catalog(this.#written);
      // Of the same name is only one that has no records: this one takes its place.
      const isSynced = this.#segments.isEmpty || this.#segments.has(file);
      const head = { id: this.id, lsn, durable: this.#durable, preamble, isSynced };
      this.#segment = new Segment(this.#directory, this.#disk, head, this.#options.segmentBytes);
      this.#segments.forget(file);
      this.#segments.add(this.#segment);
      this.bytes += this.#segment.bytes;
    } catch (error) {
      if (this.#nextAfter === 0) this.#owner.tell(`No new file for the log: ${sentenceOf(error)}`);
      this.#nextAfter = performance.now() + FULL_MS;
      return false;
    }
    this.#nextAfter = 0;
    this.#notFull();
    if (this.#segments.open > 1 && this.#options.policy !== "always") this.sync(); // closes the others
    this.#measureRoom();
    return true;
  }

  async #syncAll(): Promise<void> {
    if (!this.#guarded(() => this.#write())) return await unanswered();
    const lsn = this.#written;
    try {
      await this.#segments.sync();
    } catch (error) {
      this.#break(error);
      return await unanswered();
    }
    this.#durable = Math.max(this.#durable, lsn);
  }

  #syncNow(): void {
    this.#segments.syncNow();
    this.#durable = this.#written;
  }

  #look(which: "open" | "all"): void {
    this.#lookAfter = performance.now() + LOOK_MS;
    this.#disk.check();
    const fault = this.#segments.fault(which);
    if (fault !== null) throw new Error(fault);
  }

  /** Syncs once a second for as long as there is something to sync. */
  #tick(): void {
    this.#ticking ??= setTimeout(async () => {
      await this.sync();
      this.#ticking = null;
      if (this.#written > this.#durable) this.#tick();
    }, SYNC_INTERVAL_MS);
  }

  #guarded(work: () => void): boolean {
    if (this.#isBroken) return false;
    try {
      work();
    } catch (error) {
      this.#break(error, isNoSpace(error)); // of what is written here nothing was answered
    }
    return !this.#isBroken;
  }

  #break(error: unknown, isFull = false): void {
    this.#isBroken = true;
    this.#roomWords = 0;
    const what = "The log could not be written";
    this.#owner.lost(isFull ? new FullError(what, error) : new HostError(what, error));
  }
}

/** What nobody is told of any more. */
const unanswered = () => new Promise<never>(() => {});
