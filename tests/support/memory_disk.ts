// A disk in memory that fails or stops when it is told to, to see what survives.
//
//   create, write -> bytes             sync          -> synced bytes
//   rename        -> names             syncDirectory -> synced names
//
// Invariant: it keeps no promise that a real disk does not keep. What was not synced may be lost in
// a crash, of a file's bytes as of a directory's names, each without the other.

import type { Disk, Reading, Writing } from "../../lib/host/disk.ts";

interface File {
  bytes: Uint8Array<ArrayBuffer>;
  synced: Uint8Array<ArrayBuffer>;
}

/** What is left of that which was not synced. */
export interface Survivors {
  readonly names: boolean;
  readonly bytes: boolean;
}

const NONE = new Uint8Array(0);

export class MemoryDisk implements Disk {
  /** Files by their paths, as everybody sees them, and as they are after a crash. */
  #names = new Map<string, File>();
  #syncedNames = new Map<string, File>();
  readonly #directories: Set<string>;
  /** How many operations there were so far. */
  operations = 0;
  /** The number of the operation that fails; a failing write has written one half. */
  failsAt = Infinity;
  /** The number of the operation that is the first not to happen. */
  stopsAt = Infinity;
  /** The most that one read gives. */
  readBytesMax = Infinity;
  /** Files that were opened or created and not closed. */
  filesOpen = 0;

  constructor(...directories: string[]) {
    this.#directories = new Set(directories);
  }

  /** The power comes back: the disk works again, and this is what is on it. */
  crash(survivors: Survivors): void {
    if (!survivors.names) this.#names = new Map(this.#syncedNames);
    for (const file of this.#names.values()) {
      if (!survivors.bytes) file.bytes = file.synced;
      file.synced = file.bytes;
    }
    this.#syncedNames = new Map(this.#names);
    this.failsAt = this.stopsAt = Infinity;
    this.filesOpen = 0;
  }

  /** The bytes of a file, for a test to look at. */
  bytesOf(path: string): Uint8Array<ArrayBuffer> {
    return this.#file(path).bytes.slice();
  }

  /** Puts a file there, whole and safe. */
  put(path: string, bytes: Uint8Array): void {
    const file = { bytes: new Uint8Array(bytes), synced: new Uint8Array(bytes) };
    this.#names.set(path, file);
    this.#syncedNames.set(path, file);
  }

  list(directory: string): Promise<string[]> {
    return this.#operation("list", () => {
      if (!this.#directories.has(directory)) throw new Error(`No such directory: ${directory}`);
      const paths = [...this.#names.keys()].filter((path) => directoryOf(path) === directory);
      return paths.map((path) => path.slice(directory.length + 1));
    });
  }

  open(path: string): Promise<Reading | null> {
    return this.#operation("open", () => {
      if (!this.#names.has(path)) return null;
      const { bytes } = this.#file(path);
      let at = 0;
      this.filesOpen++;
      return {
        size: bytes.length,
        read: (into) =>
          this.#operation("read", () => {
            const count = Math.min(into.length, bytes.length - at, this.readBytesMax);
            into.set(bytes.subarray(at, at + count));
            at += count;
            return count === 0 ? null : count;
          }),
        close: () => this.filesOpen--,
      };
    });
  }

  create(path: string): Promise<Writing> {
    return this.#operation("create", () => {
      if (!this.#directories.has(directoryOf(path))) throw new Error(`No directory for ${path}`);
      const file = this.#names.get(path) ?? { bytes: NONE, synced: NONE };
      file.bytes = NONE;
      this.#names.set(path, file);
      this.filesOpen++;
      return {
        write: async (bytes) => {
          const half = bytes.subarray(0, bytes.length >> 1);
          const append = (part: Uint8Array) => file.bytes = joined(file.bytes, part);
          await this.#operation("write", () => append(bytes), () => append(half));
        },
        sync: async () => {
          await this.#operation("sync", () => file.synced = file.bytes);
        },
        close: () => this.filesOpen--,
      };
    });
  }

  exists(path: string): Promise<boolean> {
    return this.#operation("exists", () => this.#names.has(path));
  }

  rename(from: string, to: string): Promise<void> {
    return this.#operation("rename", () => {
      this.#names.set(to, this.#file(from));
      this.#names.delete(from);
    });
  }

  remove(path: string): Promise<void> {
    return this.#operation("remove", () => {
      this.#file(path);
      this.#names.delete(path);
    });
  }

  syncDirectory(directory: string): Promise<void> {
    return this.#operation("syncDirectory", () => {
      const isInside = (path: string) => directoryOf(path) === directory;
      for (const path of this.#syncedNames.keys()) {
        if (isInside(path)) this.#syncedNames.delete(path);
      }
      for (const [path, file] of this.#names) if (isInside(path)) this.#syncedNames.set(path, file);
    });
  }

  makeDirectory(directory: string): Promise<void> {
    return this.#operation("makeDirectory", () => {
      this.#directories.add(directory);
    });
  }

  /** Does something, or fails as it was told to: then `part` of it has happened. */
  async #operation<T>(what: string, work: () => T, part?: () => unknown): Promise<T> {
    await null; // as with a real disk, others have their turn first
    this.operations++;
    if (this.operations >= this.stopsAt) throw new Error("The power is off");
    if (this.operations !== this.failsAt) return work();
    part?.();
    throw new Error(`Simulated failure of ${what}`);
  }

  #file(path: string): File {
    const file = this.#names.get(path);
    if (file === undefined) throw new Error(`No such file: ${path}`);
    return file;
  }
}

function directoryOf(path: string): string {
  return path.slice(0, path.lastIndexOf("/"));
}

function joined(a: Uint8Array, b: Uint8Array): Uint8Array<ArrayBuffer> {
  const both = new Uint8Array(a.length + b.length);
  both.set(a);
  both.set(b, a.length);
  return both;
}
