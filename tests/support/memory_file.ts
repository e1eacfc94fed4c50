// A file of MemoryDisk: its bytes as processes see them, and how much of them a power cut leaves.
//
//   safe      the bytes as of the last sync
//   changes   | write at 0 | extend | write at 300 | cut | ...     since then, in order
//   seen      the safe bytes with all of the changes
//
// Invariant: what is safe never changes but by a sync that succeeds. What a sync that failed was to
// bring is brought by no later one, as on Linux, where the pages count as clean then: it is seen
// until the power goes, and only a power cut may find that it had arrived all the same.
//
// The trade: bytes are held in pages that copies share, and a page is copied when one of them writes
// to it. A write costs a page more than it had to, and a copy of any file costs next to nothing.

import type { Random } from "./random.ts";

const PAGE_BYTES = 4096;
/** A disk writes a sector whole or not at all, each at a time of its own. */
const SECTOR_BYTES = 512;

interface Page {
  readonly bytes: Uint8Array<ArrayBuffer>;
  /** Who may write to it: everybody else that has it must copy it. */
  readonly owner: object;
}

/** Bytes of a file. Where there is no page, they are zeros; behind the end, those of a page are. */
class Pages {
  #pages: (Page | null)[] = [];
  /** Whether somebody else has the same list of pages. */
  #isShared = false;
  #owner = {};
  size = 0;

  /** The same bytes; what happens to them does not happen to these. */
  copy(): Pages {
    const copy = new Pages();
    copy.#pages = this.#pages;
    copy.size = this.size;
    copy.#isShared = this.#isShared = true;
    this.#owner = {}; // so that neither may write to a page that is there now
    return copy;
  }

  read(at: number, into: Uint8Array): number {
    const count = Math.max(0, Math.min(into.length, this.size - at));
    for (let done = 0; done < count;) {
      const start = (at + done) % PAGE_BYTES;
      const next = Math.min(count, done + PAGE_BYTES - start);
      const page = this.#pages[(at + done - start) / PAGE_BYTES] ?? null;
      if (page === null) into.fill(0, done, next);
      else into.set(page.bytes.subarray(start, start + next - done), done);
      done = next;
    }
    return count;
  }

  write(at: number, bytes: Uint8Array): void {
    for (let done = 0; done < bytes.length;) {
      const start = (at + done) % PAGE_BYTES;
      const next = Math.min(bytes.length, done + PAGE_BYTES - start);
      this.#page((at + done - start) / PAGE_BYTES).set(bytes.subarray(done, next), start);
      done = next;
    }
    if (bytes.length > 0) this.extend(at + bytes.length);
  }

  extend(size: number): void {
    this.size = Math.max(this.size, size);
  }

  cut(size: number): void {
    if (size >= this.size) return;
    this.size = size;
    const count = Math.ceil(size / PAGE_BYTES);
    if (this.#pages.length < count) return;
    this.#pages = this.#pages.slice(0, count);
    this.#isShared = false;
    const rest = size % PAGE_BYTES;
    if (rest > 0 && this.#pages[count - 1] !== null) this.#page(count - 1).fill(0, rest);
  }

  /** A page to write to. */
  #page(index: number): Uint8Array<ArrayBuffer> {
    if (this.#isShared) this.#pages = this.#pages.slice();
    this.#isShared = false;
    while (this.#pages.length <= index) this.#pages.push(null);
    const page = this.#pages[index];
    if (page?.owner === this.#owner) return page.bytes;
    const bytes = page === null ? new Uint8Array(PAGE_BYTES) : page.bytes.slice();
    this.#pages[index] = { bytes, owner: this.#owner };
    return bytes;
  }
}

type Change =
  /** `bytes` are never written to. `isForgotten`: a sync that was to bring it has failed. */
  | { kind: "write"; at: number; bytes: Uint8Array; isForgotten: boolean }
  | { kind: "extend"; size: number }
  | { kind: "cut"; size: number };

export class MemoryFile {
  #seen = new Pages();
  #safe = new Pages();
  #changes: Change[] = [];
  /** How many changes there were before these. */
  #changesBefore = 0;

  get size(): number {
    return this.#seen.size;
  }

  /** How many changes there were so far: what a sync that begins now is to bring. */
  get changes(): number {
    return this.#changesBefore + this.#changes.length;
  }

  copy(): MemoryFile {
    const copy = new MemoryFile();
    copy.#seen = this.#seen.copy();
    copy.#safe = this.#safe.copy();
    copy.#changes = this.#changes.slice();
    copy.#changesBefore = this.#changesBefore;
    return copy;
  }

  read(at: number, into: Uint8Array): number {
    return this.#seen.read(at, into);
  }

  /** Takes a copy of the bytes: a caller writes his next ones into the same array. */
  write(at: number, bytes: Uint8Array): void {
    if (bytes.length === 0) return;
    this.#change({ kind: "write", at, bytes: bytes.slice(), isForgotten: false });
  }

  resize(size: number): void {
    if (size !== this.size) this.#change({ kind: size < this.size ? "cut" : "extend", size });
  }

  /** The first so many changes are safe from now on, but for what was forgotten. */
  sync(changes: number): void {
    const count = Math.max(0, changes - this.#changesBefore);
    for (const change of this.#changes.slice(0, count)) {
      if (change.kind !== "write" || !change.isForgotten) apply(this.#safe, change);
      else this.#safe.extend(change.at + change.bytes.length);
    }
    this.#changes = this.#changes.slice(count);
    this.#changesBefore += count;
  }

  /** The first so many changes were to become safe, and have not. */
  forget(changes: number): void {
    const count = changes - this.#changesBefore;
    this.#changes = this.#changes.map((change, index) => {
      return change.kind === "write" && index < count ? { ...change, isForgotten: true } : change;
    });
  }

  /** The power was off. All that was not safe is here, or nothing of it. */
  crash(survives: boolean): void {
    this.#survive(survives ? this.#seen : this.#safe);
  }

  /** The power was off. The first changes are here, and the last one of these is in part. */
  crashAt(random: Random): void {
    const count = random.below(this.#changes.length + 1);
    for (const [index, change] of this.#changes.slice(0, count).entries()) {
      const isLast = index === count - 1;
      apply(this.#safe, isLast ? torn(change, this.#safe.size, random) : change);
    }
    this.#survive(this.#safe);
  }

  /**
   * The power was off. The size is what the first changes made it, and each sector is as any of the
   * writes to it left it: disks write them in the order they like.
   */
  crashWithHoles(random: Random): void {
    const sizes = random.below(this.#changes.length + 1);
    // What follows a cut is written to another place, which nobody finds if the cut is not there.
    const lost = this.#changes.findIndex(({ kind }, index) => index >= sizes && kind === "cut");
    const end = lost < 0 ? this.#changes.length : lost;
    const arrives = random.pick([0.1, 0.5, 0.9]); // else many sectors would never be whole at once
    const writes = new Map<number, number>();
    const writesTo = (sector: number) => {
      const known = writes.get(sector);
      if (known !== undefined) return known;
      const count = random.chance(arrives) ? end : random.below(end + 1);
      writes.set(sector, count);
      return count;
    };
    for (const [index, change] of this.#changes.slice(0, end).entries()) {
      if (change.kind !== "write") {
        if (index < sizes) apply(this.#safe, change);
        continue;
      }
      const behind = change.at + change.bytes.length;
      if (index < sizes) this.#safe.extend(behind);
      const until = Math.min(behind, this.#safe.size);
      for (let from = change.at; from < until;) {
        const sector = Math.floor(from / SECTOR_BYTES);
        const next = Math.min(until, (sector + 1) * SECTOR_BYTES);
        if (index < writesTo(sector)) {
          this.#safe.write(from, change.bytes.subarray(from - change.at, next - change.at));
        }
        from = next;
      }
    }
    this.#survive(this.#safe);
  }

  #change(change: Change): void {
    apply(this.#seen, change);
    this.#changes.push(change);
  }

  #survive(pages: Pages): void {
    this.#seen = pages;
    this.#safe = pages.copy();
    this.#changes = [];
  }
}

function apply(pages: Pages, change: Change): void {
  if (change.kind === "write") pages.write(change.at, change.bytes);
  else if (change.kind === "cut") pages.cut(change.size);
  else pages.extend(change.size);
}

/** What a power cut leaves of a change to a file of that size. */
function torn(change: Change, size: number, random: Random): Change {
  // A cut is one entry in the file system's journal. And whole ones would be too rare by chance.
  if (change.kind === "cut" || random.chance(0.25)) return change;
  if (change.kind === "write") {
    return { ...change, bytes: change.bytes.subarray(0, random.below(change.bytes.length)) };
  }
  return { kind: "extend", size: size + random.below(change.size - size) };
}
