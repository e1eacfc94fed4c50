// Outcomes: what becomes of a reply when the state writer could not make a change.

import type { Reply } from "../command/mod.ts";
import type { Outcome } from "./state_writer.ts";

/** Whether a change was made; else the reply says why not, but for an overflow. */
export function isApplied(outcome: Outcome, reply: Reply): boolean {
  if (outcome === "full") reply.fail("storage_full", "The disk is full: nothing was changed");
  if (outcome === "memory") reply.fail("memory_full", "Memory is full: nothing was changed");
  if (outcome === "crowded") reply.fail("too_many_trees", "There are too many trees");
  return outcome === "done";
}

/** Says which counter would pass 2^64-1. */
export function overflow(
  reply: Reply,
  where: string,
  key: bigint | string,
  day: number,
): void {
  reply.fail("validation_error", `Counter overflow ${where}key=${key} bucket=${day}`);
}
