// Windows below a day, windows that begin with the first use, and token buckets.
//
//   "minute" "hour"                           of the clock, in UTC
//   {"seconds": 90}, minutes, hours           rolling: no interval of that length holds more than the limit
//   {"hours": 5, "from": "first_use"}         begins with a use, ends five hours later; the next use begins another
//   {"refill": 30, "per_seconds": 60, "burst": 15}    a token bucket (GCRA)
//
// Time is cut into cells of `cellMs`, numbered since 1970. What was charged in a cell is in the window from
// `reachMs` before the cell begins (a clock that was set back) until `reachMs` after it has ended. So one rule
// does for the first three: a minute has one cell and no reach, a rolling window some sixty cells, and what
// begins with the first use is charged to one cell until that leaves.
//
// Invariant: windows with one `id` see the same charges, and no others do. The id alone tells the cells.
// Trade-off: a cell leaves as a whole, when its end is `reachMs` ago. A rolling window holds what it holds for up to
// a sixtieth longer than it must, never shorter.

export interface FineWindow {
  readonly kind: "fine";
  readonly shape: "clock" | "rolling" | "first" | "bucket";
  readonly id: string;
  readonly cellMs: number;
  readonly reachMs: number;
  /** Of a token bucket; null for all others. */
  readonly bucket: TokenBucket | null;
}

/** `refill` tokens come in `perMs`; at most `burst + 1` are there. */
export interface TokenBucket {
  readonly refill: number;
  readonly perMs: number;
  readonly burst: number;
}

/** The longest rolling window: two days. Longer ones are of days. */
export const FINE_SECONDS_MAX = 172_800;

/** The longest window that begins with the first use: a leap year. */
export const FIRST_USE_SECONDS_MAX = 31_622_400;

/** With these, what a bucket counts in stays below 2^53: a month's milliseconds times a million. */
export const TOKENS_MAX = 1_000_000;
export const REFILL_SECONDS_MAX = 2_678_400;

/** The cells of token buckets, some seventy minutes: one holds the moment at which a bucket is full. */
const BUCKET_CELL_MS = 2 ** 22;

const CELLS = 60;
const SECOND_MS = 1000;

/** A window of so many seconds. */
export function fineWindow(shape: "clock" | "rolling" | "first", seconds: number): FineWindow {
  const ms = SECOND_MS * seconds;
  const cellMs = shape === "clock"
    ? ms
    : shape === "first"
    ? SECOND_MS
    : Math.max(SECOND_MS, Math.ceil(ms / CELLS));
  const reachMs = shape === "clock" ? 0 : ms;
  return { kind: "fine", shape, id: `${shape} ${seconds}`, cellMs, reachMs, bucket: null };
}

/** A token bucket. How much it holds is no part of its id, so that `burst` may change. */
export function tokenBucket(refill: number, perSeconds: number, burst: number): FineWindow {
  const bucket = { refill, perMs: SECOND_MS * perSeconds, burst };
  const id = `bucket ${refill}/${perSeconds}`;
  return { kind: "fine", shape: "bucket", id, cellMs: BUCKET_CELL_MS, reachMs: 0, bucket };
}

/** The window of an id, a bucket with a burst of nothing; null: there is none. */
export function fineWindowOf(id: string): FineWindow | null {
  const match = /^(clock|rolling|first|bucket) (\d+)(?:\/(\d+))?$/.exec(id);
  if (match === null) return null;
  const [, shape, seconds, per] = match;
  if (shape === "bucket") return tokenBucket(Number(seconds), Number(per), 0);
  return fineWindow(shape as "clock" | "rolling" | "first", Number(seconds));
}

/** The first cell that a window sees at a moment. */
export function firstCell({ cellMs, reachMs }: FineWindow, ms: number): number {
  return Math.max(0, Math.floor((ms - reachMs) / cellMs));
}

/** The last one. What lies further ahead was charged under a clock that was wrong. */
export function lastCell({ cellMs, reachMs }: FineWindow, ms: number): number {
  return Math.floor((ms + reachMs) / cellMs);
}

/** The moment at which a cell leaves a window. */
export function leavesAt({ cellMs, reachMs }: FineWindow, cell: number): number {
  return (cell + 1) * cellMs + reachMs;
}
