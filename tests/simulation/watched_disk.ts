// A disk in memory that tells before each of its operations, so that a simulation can stop there.
//
// Invariant: `onOperation` is called before anything of an operation has happened, and after all that
// came before it. When `isOff`, nothing happens any more: what blocks throws, all else waits for
// ever. Trade-off: space is reserved in small steps, as if it were scarce: a real megabyte of zeros would
// have to be searched after each crash.

import type { Appending, Disk, Reading, Writing } from "../../lib/host/disk.ts";
import type { Kind, MemoryDisk } from "../support/memory_disk.ts";

/** Enough for all that is ever reserved together. */
const RESERVE_BYTES_MAX = 49_152;

/** A promise of its own each time: one for all would remember everybody who ever waited for it. */
function never(): Promise<never> {
  return new Promise(() => {});
}

export class WatchedDisk implements Disk {
  readonly inner: MemoryDisk;
  onOperation: (kind: Kind) => void = () => {};
  /** What an operation that does not block waits for; null: nothing. */
  delay: (kind: Kind) => Promise<void> | null = () => null;
  isOff = false;

  constructor(inner: MemoryDisk) {
    this.inner = inner;
    inner.latency = (kind) => {
      const delay = this.isOff ? never() : this.delay(kind);
      if (delay !== null) return delay.then(() => this.#soon(kind));
      return this.#soon(kind);
    };
  }

  list(directory: string): Promise<string[]> {
    return this.inner.list(directory);
  }

  changedAt(directory: string): Promise<number> {
    return this.inner.changedAt(directory);
  }

  open(path: string): Promise<Reading | null> {
    return this.inner.open(path);
  }

  readNow(path: string, bytesMax: number): Uint8Array<ArrayBuffer> | "large" | null {
    this.#now("read");
    return this.inner.readNow(path, bytesMax);
  }

  async create(path: string): Promise<Writing> {
    const writing = await this.inner.create(path);
    return {
      write: (bytes) => writing.write(bytes),
      writeNow: (bytes) => {
        this.#now("write");
        writing.writeNow(bytes);
      },
      sync: () => writing.sync(),
      close: () => writing.close(),
    };
  }

  isLink(path: string): Promise<boolean> {
    return this.inner.isLink(path);
  }

  writtenAt(): Promise<null> {
    return this.inner.writtenAt();
  }

  exists(path: string): Promise<boolean> {
    return this.inner.exists(path);
  }

  rename(from: string, to: string): Promise<void> {
    return this.inner.rename(from, to);
  }

  remove(path: string): Promise<void> {
    return this.inner.remove(path);
  }

  syncDirectory(directory: string): Promise<void> {
    return this.inner.syncDirectory(directory);
  }

  makeDirectory(directory: string): Promise<void> {
    return this.inner.makeDirectory(directory);
  }

  truncate(path: string, size: number): Promise<void> {
    return this.inner.truncate(path, size);
  }

  append(path: string): Appending {
    this.#now("append");
    const appending = this.inner.append(path);
    return {
      write: (bytes) => {
        this.#now("write");
        appending.write(bytes);
      },
      reserve: (count) => {
        this.#now("reserve");
        return appending.reserve(Math.min(count, RESERVE_BYTES_MAX));
      },
      syncNow: () => {
        this.#now("sync");
        appending.syncNow();
      },
      sync: () => appending.sync(),
      isAt: (path) => appending.isAt(path),
      close: () => {
        if (!this.isOff) appending.close();
      },
    };
  }

  renameNow(from: string, to: string): void {
    this.#now("rename");
    this.inner.renameNow(from, to);
  }

  removeNow(path: string): void {
    this.#now("remove");
    this.inner.removeNow(path);
  }

  syncDirectoryNow(directory: string): void {
    this.#now("syncDirectory");
    this.inner.syncDirectoryNow(directory);
  }

  existsNow(path: string): boolean {
    this.#now("exists");
    return this.inner.existsNow(path);
  }

  isThereNow(path: string, bytes: number): boolean {
    return this.inner.isThereNow(path, bytes);
  }

  check(): void {
    this.inner.check();
  }

  #now(kind: Kind): void {
    if (!this.isOff) this.onOperation(kind);
    if (this.isOff) throw new Error("The power is off");
  }

  #soon(kind: Kind): Promise<never> | null {
    if (!this.isOff) this.onOperation(kind);
    return this.isOff ? never() : null;
  }
}
