// The disk: as little of the file system as Karma needs. Tests put a simulated one in its place.
//
// Every method throws the system's error unchanged; the caller, who knows what it was for, makes a sentence of it.
// Nothing is buffered here: what `write` took is in the kernel, and what was written before `sync` returns is on the
// disk. Names are changed and files created only while the data directory is the one that this process has locked:
// see `DirectoryHold`.

import { existsSync } from "node:fs";
import { sentenceOf } from "../errors.ts";
import { type DirectoryLock, identityAt, isSame } from "./directory_lock.ts";
import { readSmallFile } from "./small_file.ts";

/** What space is reserved with. */
const ZEROS = new Uint8Array(1048576);

/** Two changes of a directory that are further apart have different times on every file system. */
const STAMP_MS = 2500;

/** What is written to see whether there is space: no file system can make less of it. */
let noise: Uint8Array<ArrayBuffer> | null = null;

/** Whether the system says that no space is left: ENOSPC, EDQUOT or, of a file at its limit, EFBIG. */
export function isNoSpace(error: unknown): boolean {
  return /os error (28|122|27)\b/.test(sentenceOf(error));
}

/** A file that is being read, from its beginning or from where it was opened. */
export interface Reading {
  /** Of the whole file. */
  readonly size: number;
  /** Reads some bytes into an array and returns how many; null at the end. */
  read(into: Uint8Array<ArrayBuffer>): Promise<number | null>;
  close(): void;
}

/** A file that is being written from its beginning. */
export interface Writing {
  /** Writes all of the bytes. */
  write(bytes: Uint8Array<ArrayBuffer>): Promise<void>;
  /** Likewise, and blocks: of a few bytes that takes less than to wait. */
  writeNow(bytes: Uint8Array<ArrayBuffer>): void;
  sync(): Promise<void>;
  close(): void;
}

/**
 * A file that grows at its end: a segment of the log. Its calls block the process, but for `sync`:
 * what is written in a turn takes microseconds, and nothing else could go on before it anyway.
 */
export interface Appending {
  /** Writes all of the bytes behind those that were written before. */
  write(bytes: Uint8Array<ArrayBuffer>): void;
  /**
   * Adds zeros to the end of the file, so that writes over them need no new space. Returns how many
   * were added, fewer than `count` when space ran out; throws when there was none.
   */
  reserve(count: number): number;
  /** As `sync`, and waits for it. */
  syncNow(): void;
  /** Brings to the disk what was written before; more may be written meanwhile. */
  sync(): Promise<void>;
  /** Whether that path leads to this very file; true where the system does not say. */
  isAt(path: string): boolean;
  close(): void;
}

export interface Disk {
  /** The names of the regular files in a directory, links to such files included. */
  list(directory: string): Promise<string[]>;
  /**
   * A number that is another one when names in a directory have changed since. null: they have just
   * changed, so that one more change might not be told.
   */
  changedAt(directory: string): Promise<number | null>;
  /** Opens a file, to be read from an offset on; null when there is no regular file of that name. */
  open(path: string, offset?: number): Promise<Reading | null>;
  /**
   * All bytes of a regular file of at most so many; null when there is none of that name, "large" when it
   * has more, or is not to be read so. Blocks: of a small file that takes a twentieth of the time.
   */
  readNow(path: string, bytesMax: number): Uint8Array<ArrayBuffer> | "large" | null;
  /** Creates a file, or empties the one that is there. */
  create(path: string): Promise<Writing>;
  exists(path: string): Promise<boolean>;
  /** When a file was last written, in milliseconds since 1970; null: that is not known. */
  writtenAt(path: string): Promise<number | null>;
  /** Whether the path is a symbolic link, not what it leads to; false when there is nothing. */
  isLink(path: string): Promise<boolean>;
  /** Gives a file another name, in place of the file that has it. Lasting after `syncDirectory`. */
  rename(from: string, to: string): Promise<void>;
  remove(path: string): Promise<void>;
  syncDirectory(directory: string): Promise<void>;
  makeDirectory(directory: string): Promise<void>;
  /** Cuts a file to that size, or adds zeros up to it; it is so on the disk when this returns. */
  truncate(path: string, size: number): Promise<void>;
  /** Creates a file to append to, or empties the one that is there. Blocks, as do those below. */
  append(path: string): Appending;
  renameNow(from: string, to: string): void;
  removeNow(path: string): void;
  syncDirectoryNow(directory: string): void;
  /**
   * Whether a name leads to something; false where the system does not say. Blocks: looking so takes a
   * fifth of the time of `lstat`, which throws where there is nothing, and a quarter of waiting for a thread.
   */
  existsNow(path: string): boolean;
  /** Whether a regular file of at least that size has that name; true where the system does not say. */
  isThereNow(path: string, bytes: number): boolean;
  /** Throws when the data directory is not the one any more that this process has taken. */
  check(): void;
}

export class HostDisk implements Disk {
  /** What this process has taken; null: nothing, and every directory is as good as another. */
  hold: DirectoryLock | null = null;

  check(): void {
    this.hold?.check();
  }

  async list(directory: string): Promise<string[]> {
    const names: string[] = [];
    for await (const entry of Deno.readDir(directory)) {
      // A link that leads nowhere, or in a circle, is nobody's dump.
      const link = () => isFile(`${directory}/${entry.name}`).catch(() => false);
      if (entry.isFile || entry.isSymlink && await link()) names.push(entry.name);
    }
    return names;
  }

  async changedAt(directory: string): Promise<number | null> {
    const { mtime } = await Deno.stat(directory);
    const ms = mtime?.getTime() ?? Infinity;
    return Math.abs(Date.now() - ms) < STAMP_MS ? null : ms;
  }

  async open(path: string, offset = 0): Promise<Reading | null> {
    if (!await isFile(path)) return null;
    const file = await orNull(Deno.open(path, { read: true }));
    if (file === null) return null; // removed just now
    const { size } = await file.stat();
    if (offset > 0) await file.seek(offset, Deno.SeekMode.Start);
    return { size, read: (into) => file.read(into), close: () => file.close() };
  }

  readNow(path: string, bytesMax: number): Uint8Array<ArrayBuffer> | "large" | null {
    return readSmallFile(path, bytesMax);
  }

  async create(path: string): Promise<Writing> {
    this.check();
    const file = await Deno.open(path, { write: true, create: true, truncate: true });
    return {
      async write(bytes) {
        for (let at = 0; at < bytes.length;) at += await file.write(bytes.subarray(at));
      },
      writeNow(bytes) {
        for (let at = 0; at < bytes.length;) at += file.writeSync(bytes.subarray(at));
      },
      sync: () => file.syncData(),
      close: () => file.close(),
    };
  }

  async writtenAt(path: string): Promise<number | null> {
    return (await Deno.stat(path)).mtime?.getTime() ?? null;
  }

  async exists(path: string): Promise<boolean> {
    return await orNull(Deno.lstat(path)) !== null;
  }

  async isLink(path: string): Promise<boolean> {
    return (await orNull(Deno.lstat(path)))?.isSymlink ?? false;
  }

  async rename(from: string, to: string): Promise<void> {
    this.check();
    await Deno.rename(from, to);
  }

  async remove(path: string): Promise<void> {
    this.check();
    await Deno.remove(path);
  }

  async syncDirectory(directory: string): Promise<void> {
    this.check();
    const handle = await Deno.open(directory, { read: true });
    try {
      await handle.sync();
    } finally {
      handle.close();
    }
  }

  makeDirectory(directory: string): Promise<void> {
    return Deno.mkdir(directory, { recursive: true });
  }

  async truncate(path: string, size: number): Promise<void> {
    this.check();
    const file = await Deno.open(path, { write: true });
    try {
      await file.truncate(size);
      await file.sync();
    } finally {
      file.close();
    }
  }

  append(path: string): Appending {
    this.check();
    const file = Deno.openSync(path, { write: true, create: true, truncate: true });
    let end: Deno.FsFile;
    try {
      end = Deno.openSync(path, { append: true });
    } catch (error) {
      file.close();
      throw error;
    }
    const identity = file.statSync();
    let isProved = false; // only while nothing is written yet: noise must not follow what is
    return {
      write(bytes) {
        isProved = true;
        for (let at = 0; at < bytes.length;) at += file.writeSync(bytes.subarray(at));
      },
      reserve(count) {
        if (isProved) return extend(end, count, ZEROS);
        // Where zeros take no space, as with compression, reserving them would promise nothing.
        const { size } = file.statSync();
        const added = extend(end, count, noise ??= randomBytes(ZEROS.length));
        file.seekSync(size, Deno.SeekMode.Start);
        for (let left = added; left > 0;) {
          left -= file.writeSync(ZEROS.subarray(0, Math.min(left, ZEROS.length)));
        }
        file.seekSync(0, Deno.SeekMode.Start);
        isProved = true;
        return added;
      },
      syncNow: () => file.syncDataSync(),
      sync: () => file.syncData(),
      isAt(path) {
        const there = identityAt(path);
        return there === "unknown" || isSame(there, identity);
      },
      close() {
        file.close();
        end.close();
      },
    };
  }

  renameNow(from: string, to: string): void {
    this.check();
    Deno.renameSync(from, to);
  }

  removeNow(path: string): void {
    this.check();
    Deno.removeSync(path);
  }

  syncDirectoryNow(directory: string): void {
    this.check();
    const handle = Deno.openSync(directory, { read: true });
    try {
      handle.syncSync();
    } finally {
      handle.close();
    }
  }

  existsNow(path: string): boolean {
    return existsSync(path);
  }

  isThereNow(path: string, bytes: number): boolean {
    const there = identityAt(path);
    return there === "unknown" || there !== null && there.isFile && there.size >= bytes;
  }
}

/** Appends bytes, over and over, until there are `count`, or no space is left. */
function extend(file: Deno.FsFile, count: number, bytes: Uint8Array<ArrayBuffer>): number {
  let added = 0;
  while (added < count) {
    try {
      added += file.writeSync(bytes.subarray(0, Math.min(count - added, bytes.length)));
    } catch (error) {
      if (added === 0) throw error;
      break;
    }
  }
  return added;
}

function randomBytes(count: number): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(count);
  const most = 65536; // that are given at once
  for (let at = 0; at < count; at += most) crypto.getRandomValues(bytes.subarray(at, at + most));
  return bytes;
}

async function isFile(path: string): Promise<boolean> {
  return (await orNull(Deno.stat(path)))?.isFile ?? false;
}

/** What the system gives; null when there is nothing of that name. */
async function orNull<T>(given: Promise<T>): Promise<T | null> {
  try {
    return await given;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return null;
    throw error;
  }
}
