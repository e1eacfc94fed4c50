// The lock on a data directory: one process at a time.
//
// Invariant: it lasts as long as the process that holds it, however that ends, because the system
// keeps it with an open file. Trade: the file stays when nobody holds it any more, and names its
// last holder. Some runtimes only know how to wait for a lock, so it is waited for, but not long.

import { sleep } from "./clock.ts";

const NAME = ".karma.lock";

/** A process that is just ending may have it for so long. */
const PATIENCE_MS = 1000;

/** A file that is closed, or collected as garbage, is no lock any more. */
const held: Deno.FsFile[] = [];

/** Takes the lock. Returns null, or the process that holds it: its id, "" when that isn't known. */
export async function lockDirectory(directory: string): Promise<string | null> {
  const path = `${directory}/${NAME}`;
  const file = Deno.openSync(path, { read: true, write: true, create: true });
  held.push(file);
  const isLocked = file.lock(true).then(() => true);
  if (!await Promise.race([isLocked, sleep(PATIENCE_MS).then(() => false)])) {
    return /^\d+/.exec(Deno.readTextFileSync(path))?.[0] ?? "";
  }
  file.truncateSync();
  file.writeSync(new TextEncoder().encode(`${Deno.pid}\n`));
  return null;
}
