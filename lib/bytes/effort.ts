// Effort: what the current slice of a session has touched beyond the bytes of its requests and replies.
//
// A sum over a counter with millions of days takes as long as a hundred increments and has as few bytes as one. Code
// that touches much adds it here; lib/server/turn_budget.ts counts it as work of the session.
//
// Invariant: `work` is in the unit of turn_budget.ts, a byte, some 6 ns. It is zero at the beginning of each slice.
// Trade-off: one object for the whole process, so nothing needs to be passed down to a tree and adding to it costs a
// nanosecond. Work outside of slices adds to it as well; the next slice discards that.

export const effort = { work: 0 };

/** Work of adding up the cells of a run: 3 ns each. */
export function cellsWork(cells: number): number {
  return cells >> 1;
}

/**
 * Work of adding up the cells of a run in chunks: two of them are added in part, and of the others the sums are
 * known (2.9 million cells take 0.3 ms).
 */
export function chunkedWork(cells: number): number {
  return 2048 + (cells >> 6);
}
