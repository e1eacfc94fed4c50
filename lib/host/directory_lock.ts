// The lock of a data directory: one process at a time holds it, and notices if it is taken away.
//
// Invariant: two locks last as long as the process that holds them, however it ends, because the system keeps them
// with open files. The lock on the directory itself decides: a name can be removed or replaced, but an open
// directory stays the same. The lock on `.karma.lock`, which names its holder, refuses older Karmas that know no
// other. `check` tells whether the name still leads to the locked directory. If that was moved, removed or replaced, it
// is lost, and nothing may be written, renamed or removed by a path any more.
//
// Trade-off: the directory may still be swapped between a check and the next step; only paths through /proc could
// prevent that, and the permissions exclude those. Some runtimes can only wait for a lock, so Karma waits for it
// briefly.

import { sleep } from "./clock.ts";

const NAME = ".karma.lock";

/** A process that is just ending may have it for so long. */
const PATIENCE_MS = 1000;

/** A file that is closed, or collected as garbage, is no lock any more. */
const held: Deno.FsFile[] = [];

/** What says that an open file and a name are the same file. */
interface Identity {
  readonly dev: number;
  readonly ino: number | null;
}

/** Who has the directory already: the process's id, "" when that isn't known. */
interface Holder {
  readonly holder: string;
}

export class DirectoryLock {
  readonly #directory: string;
  readonly #identity: Identity;
  /** The lock file that is held; null: none can be had just now. */
  #lockFile: Identity | null = null;
  #lost: (sentence: string) => void = () => {};

  private constructor(directory: string, identity: Identity) {
    this.#directory = directory;
    this.#identity = identity;
  }

  /** Takes a directory for this process; returns who has it, if somebody does. */
  static async take(directory: string): Promise<DirectoryLock | Holder> {
    const handle = Deno.openSync(directory, { read: true });
    held.push(handle);
    // Not every file system locks directories (NFS does not); there the file must do.
    if (!await isLocked(handle.lock(true).catch(() => {}))) {
      return { holder: readHolder(directory) };
    }
    const file = Deno.openSync(`${directory}/${NAME}`, { read: true, write: true, create: true });
    held.push(file);
    if (!await isLocked(file.lock(true))) return { holder: readHolder(directory) };
    const hold = new DirectoryLock(directory, handle.statSync());
    hold.#sign(file);
    return hold;
  }

  /** `lost` is called once the directory is no longer ours, with a sentence; it ends the process. */
  onLost(lost: (sentence: string) => void): void {
    this.#lost = lost;
  }

  /** What has become of the directory, in a sentence; null: it is ours, under its name. */
  fault(): string | null {
    const there = identityAt(this.#directory);
    if (there === "unknown" || isSame(there, this.#identity)) return null;
    const what = there === null ? "is not there any more" : "is another one now";
    return `Directory ${this.#directory} ${what}: it was moved, removed or replaced`;
  }

  /** Throws, and ends the process, if the directory is not ours any more. */
  check(): void {
    const fault = this.fault();
    if (fault === null) return;
    this.#lost(fault);
    throw new Error(fault);
  }

  /** Puts the lock file back, if somebody has taken it away; tells so. */
  restore(tell: (line: string) => void): void {
    const path = `${this.#directory}/${NAME}`;
    const there = identityAt(path);
    if (this.#lockFile === null || there === "unknown" || isSame(there, this.#lockFile)) return;
    this.#lockFile = null; // once: who keeps removing it is not fought with
    try {
      if (there !== null) Deno.removeSync(path);
      const file = Deno.openSync(path, { read: true, write: true, createNew: true });
      held.push(file);
      file.lock(true).catch(() => {}); // it is new: nobody else has it
      this.#sign(file);
      tell(`${path} was ${there === null ? "removed" : "replaced"}, and is put back`);
    } catch {
      tell(`${path} was ${there === null ? "removed" : "replaced"}: the directory stays locked`);
    }
  }

  #sign(file: Deno.FsFile): void {
    try {
      file.truncateSync(file.writeSync(new TextEncoder().encode(`${Deno.pid}\n`)));
    } catch { /* on a full disk it names nobody, and is locked all the same */ }
    this.#lockFile = file.statSync();
  }
}

/** The file or directory that a name leads to; null: none, "unknown": the system does not say. */
export function identityAt(path: string): Deno.FileInfo | null | "unknown" {
  try {
    return Deno.statSync(path);
  } catch (error) {
    const isGone = error instanceof Deno.errors.NotFound ||
      error instanceof Deno.errors.NotADirectory;
    return isGone ? null : "unknown";
  }
}

/** Whether two are the same file. */
export function isSame(one: Identity | null, other: Identity): boolean {
  return one !== null && one.dev === other.dev && one.ino === other.ino;
}

/** Waits for a lock, but not long. */
function isLocked(lock: Promise<void>): Promise<boolean> {
  return Promise.race([lock.then(() => true), sleep(PATIENCE_MS).then(() => false)]);
}

function readHolder(directory: string): string {
  try {
    return /^\d+/.exec(Deno.readTextFileSync(`${directory}/${NAME}`))?.[0] ?? "";
  } catch {
    return ""; // the file is gone, the lock is not
  }
}
