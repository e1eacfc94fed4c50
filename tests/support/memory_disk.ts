// A disk in memory that fails or stops when it is told to, to see what survives.
//
//   create, append, write, reserve -> bytes    sync          -> safe bytes
//   create, append, rename, remove -> names    syncDirectory -> safe names
//
// Invariant: it keeps no promise that a real disk does not keep. What was not synced may be lost in
// a crash, of a file's bytes as of a directory's names, each without the other. And what no crash
// may take is there after every one: bytes that were synced, under names that were.
//
// The trade: copies share all that they can, so that one history can be crashed in many ways at the
// same point. Files that were removed take no space, even those that somebody has open.

import type { Appending, Disk, Reading, Writing } from "../../lib/host/disk.ts";
import { MemoryFile } from "./memory_file.ts";
import { MemoryNames } from "./memory_names.ts";
import type { Random } from "./random.ts";

/** What is left of that which was not synced: all or nothing. */
export interface Survivors {
  readonly names: boolean;
  readonly bytes: boolean;
}

/** What an operation is called, the same whether it blocks or not. */
export type Kind =
  | "read"
  | "write"
  | "reserve"
  | "sync"
  | Exclude<keyof Disk, "check" | `${string}Now`>;

/** What all files that are read or written have in common. */
interface Handle {
  /** Where the next read or write begins. */
  at: number;
  /** Throws when the file is closed or its process dead. */
  check(): void;
  close(): void;
}

const NO_SPACE = "No space left on device (os error 28)";

export class MemoryDisk implements Disk {
  #names: MemoryNames;
  /** Counts the processes that have died. */
  #deaths = 0;
  /** How many operations there were so far. */
  operations = 0;
  /** The number of the operation that fails; a failing write has written one half. */
  failsAt = Infinity;
  /** By kind, the number of the operation from which on those of the kind fail. */
  failsFrom: { [kind in Kind]?: number } = {};
  /** What operations say that fail as they were told to. */
  failure: (kind: Kind) => string = (kind) => `Simulated failure of ${kind}`;
  /** The number of the operation that is the first not to happen. */
  stopsAt = Infinity;
  /** The most that one read gives. */
  readBytesMax = Infinity;
  /** The most that all files may have together. */
  bytesMax = Infinity;
  /** What operations that do not block wait for before they happen: others have their turn first. */
  latency: (kind: Kind) => unknown = () => null;
  /** What has become of the directory; null: it is the one that was taken. */
  fault: string | null = null;
  /** Files that were opened or created and not closed. */
  filesOpen = 0;

  constructor(...directories: string[]) {
    this.#names = new MemoryNames(directories);
  }

  /** A disk like this one, as another machine's, on which no process runs yet. */
  clone(): MemoryDisk {
    const clone = new MemoryDisk();
    clone.#names = this.#names.copy();
    const { operations, failsAt, stopsAt, readBytesMax, bytesMax, latency } = this;
    const failsFrom = { ...this.failsFrom };
    const settings = { operations, failsAt, failsFrom, stopsAt, readBytesMax, bytesMax, latency };
    return Object.assign(clone, settings);
  }

  /** The process dies and the machine does not: all that was written is there, synced or not. */
  kill(): void {
    this.#deaths++;
    this.filesOpen = 0;
    this.failsAt = this.stopsAt = Infinity;
    this.failsFrom = {};
  }

  /** The power comes back: the disk works again, and this is what is on it. */
  crash(survivors: Survivors): void {
    this.kill();
    this.#names.crash(survivors.names ? Infinity : 0);
    for (const file of this.#names.files()) file.crash(survivors.bytes);
  }

  /**
   * As `crash`, and chance decides what is left of that which was not synced: the first changes of
   * names; of each file the first changes, the last one of them torn, or with `holes` any sectors.
   */
  crashAt(random: Random, options: { holes?: boolean } = {}): void {
    this.kill();
    this.#names.crash(random.below(this.#names.changes + 1));
    for (const file of new Set(this.#names.files())) {
      if (options.holes) file.crashWithHoles(random);
      else file.crashAt(random);
    }
  }

  /** The bytes of a file, for a test to look at. */
  bytesOf(path: string): Uint8Array<ArrayBuffer> {
    const file = this.#names.file(path);
    const bytes = new Uint8Array(file.size);
    file.read(0, bytes);
    return bytes;
  }

  /** How many bytes all files have together. */
  get bytes(): number {
    let bytes = 0;
    for (const file of this.#names.files()) bytes += file.size;
    return bytes;
  }

  /** Puts a file there, whole and safe. */
  put(path: string, bytes: Uint8Array): void {
    const file = new MemoryFile();
    file.write(0, bytes);
    file.sync(file.changes);
    this.#names.put(path, file);
  }

  list(directory: string): Promise<string[]> {
    return this.#soon("list", () => this.#names.in(directory));
  }

  changedAt(directory: string): Promise<number> {
    return this.#soon("changedAt", () => this.#names.changesOf(directory));
  }

  open(path: string, offset = 0): Promise<Reading | null> {
    return this.#soon("open", () => {
      const file = this.#names.get(path);
      if (file === undefined) return null;
      const handle = Object.assign(this.#handle(), { at: offset });
      return {
        size: file.size,
        read: async (into) => {
          handle.check();
          return await this.#soon("read", () => {
            const target = into.subarray(0, Math.min(into.length, this.readBytesMax));
            const count = file.read(handle.at, target);
            handle.at += count;
            return count === 0 ? null : count;
          });
        },
        close: () => handle.close(),
      };
    });
  }

  readNow(path: string, bytesMax: number): Uint8Array<ArrayBuffer> | "large" | null {
    return this.#now("read", () => {
      const file = this.#names.get(path);
      if (file === undefined) return null;
      if (file.size > bytesMax) return "large";
      const bytes = new Uint8Array(file.size);
      file.read(0, bytes);
      return bytes;
    });
  }

  create(path: string): Promise<Writing> {
    return this.#soon("create", () => {
      const file = this.#emptied(path);
      const handle = this.#handle();
      return {
        write: async (bytes) => {
          handle.check();
          const write = (count: number) => this.#write(file, handle, bytes.subarray(0, count));
          await this.#soon("write", () => write(bytes.length), () => write(bytes.length >> 1));
        },
        writeNow: (bytes) => {
          handle.check();
          const write = (count: number) => this.#write(file, handle, bytes.subarray(0, count));
          this.#now("write", () => write(bytes.length), () => write(bytes.length >> 1));
        },
        sync: () => this.#sync(file, handle),
        close: () => handle.close(),
      };
    });
  }

  append(path: string): Appending {
    return this.#now("append", () => {
      const file = this.#emptied(path);
      const handle = this.#handle();
      return {
        write: (bytes) => {
          handle.check();
          const write = (count: number) => this.#write(file, handle, bytes.subarray(0, count));
          this.#now("write", () => write(bytes.length), () => write(bytes.length >> 1));
        },
        reserve: (count) => {
          handle.check();
          return this.#now("reserve", () => {
            const added = Math.min(count, this.#room());
            if (added === 0 && count > 0) throw new Error(NO_SPACE);
            file.resize(file.size + added);
            return added;
          });
        },
        syncNow: () => {
          handle.check();
          const { changes } = file;
          this.#now("sync", () => file.sync(changes), () => file.forget(changes));
        },
        sync: () => this.#sync(file, handle),
        isAt: (path) => this.#names.get(path) === file,
        close: () => handle.close(),
      };
    });
  }

  truncate(path: string, size: number): Promise<void> {
    return this.#soon("truncate", () => {
      const file = this.#names.file(path);
      if (size - file.size > this.#room()) throw new Error(NO_SPACE);
      file.resize(size);
      file.sync(file.changes);
    });
  }

  /** There are no links here. */
  isLink(_path: string): Promise<boolean> {
    return Promise.resolve(false);
  }

  writtenAt(): Promise<null> {
    return this.#soon("writtenAt", () => null);
  }

  exists(path: string): Promise<boolean> {
    return this.#soon("exists", () => this.#names.get(path) !== undefined);
  }

  rename(from: string, to: string): Promise<void> {
    return this.#soon("rename", () => this.#names.rename(from, to));
  }

  renameNow(from: string, to: string): void {
    this.#now("rename", () => this.#names.rename(from, to));
  }

  remove(path: string): Promise<void> {
    return this.#soon("remove", () => this.#names.remove(path));
  }

  removeNow(path: string): void {
    this.#now("remove", () => this.#names.remove(path));
  }

  syncDirectory(directory: string): Promise<void> {
    return this.#soon("syncDirectory", () => this.#names.syncDirectory(directory));
  }

  syncDirectoryNow(directory: string): void {
    this.#now("syncDirectory", () => this.#names.syncDirectory(directory));
  }

  existsNow(path: string): boolean {
    return this.#now("exists", () => this.#names.get(path) !== undefined);
  }

  isThereNow(path: string, bytes: number): boolean {
    const file = this.#names.get(path);
    return file !== undefined && file.size >= bytes;
  }

  check(): void {
    if (this.fault !== null) throw new Error(this.fault);
  }

  makeDirectory(directory: string): Promise<void> {
    return this.#soon("makeDirectory", () => this.#names.makeDirectory(directory));
  }

  #handle(): Handle {
    const deaths = this.#deaths;
    let isOpen = true;
    this.filesOpen++;
    const check = () => {
      if (deaths !== this.#deaths) throw new Error("The process that opened the file is dead");
      if (!isOpen) throw new Error("The file is closed");
    };
    const close = () => {
      check();
      isOpen = false;
      this.filesOpen--;
    };
    return { at: 0, check, close };
  }

  /** The file of that name, made or emptied: neither is safe yet. */
  #emptied(path: string): MemoryFile {
    const file = this.#names.get(path) ?? this.#names.create(path);
    file.resize(0);
    return file;
  }

  /** Writes what there is space for, and throws if that is not all. */
  #write(file: MemoryFile, handle: Handle, bytes: Uint8Array): void {
    const space = Math.max(0, file.size + this.#room() - handle.at);
    const part = bytes.subarray(0, Math.min(space, bytes.length));
    file.write(handle.at, part);
    handle.at += part.length;
    if (part.length < bytes.length) throw new Error(NO_SPACE);
  }

  /** How many bytes more files may have. */
  #room(): number {
    return this.bytesMax === Infinity ? Infinity : Math.max(0, this.bytesMax - this.bytes);
  }

  async #sync(file: MemoryFile, handle: Handle): Promise<void> {
    handle.check();
    const { changes } = file; // what is written while it goes on may still be lost
    await this.#soon("sync", () => file.sync(changes), () => file.forget(changes));
  }

  /** Does something that does not block, unless the process dies first. */
  async #soon<T>(kind: Kind, work: () => T, part?: () => void): Promise<T> {
    const deaths = this.#deaths;
    await this.latency(kind);
    if (deaths !== this.#deaths) throw new Error("The process is dead");
    return this.#now(kind, work, part);
  }

  /** Does something, or fails as it was told to: then `part` of it has happened. */
  #now<T>(kind: Kind, work: () => T, part?: () => void): T {
    this.operations++;
    if (this.operations >= this.stopsAt) throw new Error("The power is off");
    const fails = this.operations >= (this.failsFrom[kind] ?? Infinity);
    if (this.operations !== this.failsAt && !fails) return work();
    part?.();
    throw new Error(this.failure(kind));
  }
}
