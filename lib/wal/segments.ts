// The segments of a log: which there are, which of them are still written or synced, and whether each
// is still the file that its name leads to.
//
//   closed   on the disk, nothing goes on with them          open   | not yet on the disk | current |
//
// Invariant: the current segment is the last of the open ones. A segment is closed when all of it is
// on the disk and another one follows it. The mark names a segment that is on the disk. Segments go the oldest first and one at a time, so that no
// power cut leaves a gap.

import { join } from "@std/path";
import { HostError } from "../errors.ts";
import type { Disk } from "../host/mod.ts";
import type { Marker } from "./mark.ts";
import type { WalPosition } from "./reader.ts";
import type { Segment, SegmentFile } from "./segment.ts";

/** Of many closed segments so many are looked at in one look, which takes some 4 µs for each. */
const LOOKED_AT = 64;

export class Segments {
  readonly #directory: string;
  readonly #disk: Disk;
  readonly #id: string;
  readonly #marker: Marker;
  /** The segment that the mark names. */
  #marked = -1;
  /** Segments that are not, or not only, on the disk: the last is the current one. */
  readonly #open: Segment[] = [];
  #closed: SegmentFile[];
  /** The closed one that is looked at next. */
  #next = 0;
  /** Bytes of all closed segments. */
  #closedBytes: number;

  constructor(
    directory: string,
    disk: Disk,
    marker: Marker,
    { id, segments: closed }: WalPosition,
  ) {
    this.#directory = directory;
    this.#disk = disk;
    this.#marker = marker;
    this.#id = id;
    this.#closed = [...closed];
    this.#closedBytes = closed.reduce((sum, { bytes }) => sum + bytes, 0);
  }

  /** The segments there are, the oldest first, each with what was written to it by now. */
  get all(): readonly SegmentFile[] {
    return [...this.#closed, ...this.#open].sort((a, b) => a.lsn - b.lsn);
  }

  /** How many bytes all have together, without what is only reserved. */
  get bytes(): number {
    let sum = this.#closedBytes;
    for (const { bytes } of this.#open) sum += bytes;
    return sum;
  }

  /** How many are open. */
  get open(): number {
    return this.#open.length;
  }

  get isEmpty(): boolean {
    return this.#closed.length === 0 && this.#open.length === 0;
  }

  /** A new current one. */
  add(segment: Segment): void {
    this.#open.push(segment);
  }

  /** Whether one that has no records is to be replaced by another of its name. */
  has(file: string): boolean {
    return this.#closed.some((other) => other.file === file);
  }

  /** One that had no records was replaced by another of its name. */
  forget(file: string): void {
    const index = this.#closed.findIndex((other) => other.file === file);
    if (index >= 0) this.#closedBytes -= this.#closed.splice(index, 1)[0].bytes;
  }

  /** Brings all of them to the disk, and marks the last one if it is new. */
  async sync(): Promise<void> {
    for (const segment of [...this.#open]) {
      if (!this.#open.includes(segment)) continue; // done with meanwhile
      await segment.sync();
      this.#release(segment);
    }
    await this.#mark();
  }

  /** As `sync`, and waits for it, but not for the mark. */
  syncNow(): void {
    for (const segment of [...this.#open]) {
      segment.syncNow();
      this.#release(segment);
    }
    this.#mark();
  }

  /** Removes those of which all records come before an LSN; those that stay must be on the disk. */
  async removeBefore(lsn: number): Promise<void> {
    for (;;) {
      const [oldest, next = this.#open[0]] = this.#closed;
      // One that is older may still be open, though it is followed by others that are not.
      if (!oldest || !next || oldest.lsn > this.#open[0]?.lsn || next.lsn > lsn) break;
      this.#closed.shift(); // at once: who looks meanwhile must not miss it
      try {
        await this.#disk.remove(join(this.#directory, oldest.file));
        await this.#disk.syncDirectory(this.#directory); // so that no power cut leaves a gap
      } catch (error) {
        this.#closed.unshift(oldest);
        throw new HostError(`Log ${oldest.file} could not be removed`, error);
      }
      this.#closedBytes -= oldest.bytes;
    }
  }

  /**
   * What has become of the files, in a sentence; null: they are there. Of a closed one only name and
   * size are looked at: some file systems give files that are not open other numbers.
   */
  fault(which: "open" | "all"): string | null {
    const gone = this.#open.find((segment) => !segment.isThere());
    if (gone !== undefined) return `Log ${gone.file} was removed or replaced while it was written`;
    if (which === "open") return null;
    for (let count = Math.min(LOOKED_AT, this.#closed.length); count > 0; count--) {
      if (this.#next >= this.#closed.length) this.#next = 0;
      const { file, bytes } = this.#closed[this.#next++];
      if (this.#disk.isThereNow(join(this.#directory, file), bytes)) continue;
      return `Log ${file} was removed or cut while it was needed`;
    }
    return null;
  }

  /** Closes all, which are on the disk, and marks the last record. */
  async close(lsn: number): Promise<void> {
    const last = this.#open.at(-1);
    for (const segment of this.#open.splice(0)) segment.close();
    if (last !== undefined) await this.#marker.write({ id: this.#id, segment: last.lsn, lsn });
  }

  /** What comes before a segment that is on the disk is there too: they are synced in their order. */
  async #mark(): Promise<void> {
    const last = this.#open.findLast((segment) => segment.isNamed);
    if (last === undefined || last.lsn === this.#marked) return;
    this.#marked = last.lsn;
    await this.#marker.write({ id: this.#id, segment: last.lsn, lsn: last.lsn - 1 });
  }

  /** A segment that others follow is done with when all of it is on the disk. */
  #release(segment: Segment): void {
    const index = this.#open.indexOf(segment);
    if (!segment.isSafe || index < 0 || index === this.#open.length - 1) return;
    this.#open.splice(index, 1);
    segment.close();
    const { file, lsn, bytes } = segment;
    this.#closed.push({ file, lsn, bytes });
    this.#closed.sort((a, b) => a.lsn - b.lsn); // syncs may end in another order
    this.#closedBytes += bytes;
  }
}
