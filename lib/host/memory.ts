// The memory of this process and of the machine, as the system reports it.

import process from "node:process";

/** Bytes that are resident. */
export function memoryBytes(): number {
  return Deno.memoryUsage().rss;
}

/**
 * Bytes that this process may have at most: what its control group allows, else what the machine has.
 *
 * Deno 2.6 knows nothing of control groups, and only programs with all permissions may read the
 * system's files about them; over that runtime it is always what the machine has.
 */
export function machineMemoryBytes(): number {
  const { total } = Deno.systemMemoryInfo();
  const node: { constrainedMemory?(): number } = process;
  const limit = node.constrainedMemory?.() ?? 0;
  // Without a limit it is 0, or more than any machine has.
  return limit > 0 ? Math.min(limit, total) : total;
}

/** So much is seen by V8 as a reason to go on collecting, and takes no time since nobody touches it. */
const NUDGE_BYTES = 16 << 20;

/**
 * Lets V8 do a part of a collection. It counts memory outside of its heap only when more of it is made, so a
 * process that has let go of much and goes on with little would keep it for ever.
 */
export function nudgeCollector(): void {
  try {
    new ArrayBuffer(NUDGE_BYTES);
  } catch { /* there is too little memory: then V8 has collected already */ }
}
