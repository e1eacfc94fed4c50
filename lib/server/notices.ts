// Notices: log lines about events that may happen thousands of times a second, written at most once a second.
//
// Invariant: every event is counted: those that are not logged at once are logged with their count when their second is
// over. Trade-off: the line gives the details of the last one only.

/** How long a kind of notice is only counted after it was told. */
const SILENCE_MS = 1000;

/** One kind of notice. */
class Kind {
  toldAt = -Infinity;
  /** How many were not told yet. */
  count = 0;
  detail = "";
}

export class Notices {
  readonly #log: (line: string) => void;
  readonly #kinds = new Map<string, Kind>();

  constructor(log: (line: string) => void) {
    this.#log = log;
  }

  /** Tells that something happened, now or with others of its kind. */
  note(what: string, detail: string, now = performance.now()): void {
    let kind = this.#kinds.get(what);
    if (kind === undefined) this.#kinds.set(what, kind = new Kind());
    kind.count++;
    kind.detail = detail;
    if (now - kind.toldAt >= SILENCE_MS) this.#tell(what, kind, now);
  }

  /** Tells what has only been counted, if it is time. To be called a few times a second. */
  tick(now: number): void {
    for (const [what, kind] of this.#kinds) {
      if (kind.count > 0 && now - kind.toldAt >= SILENCE_MS) this.#tell(what, kind, now);
    }
  }

  #tell(what: string, kind: Kind, now: number): void {
    const often = kind.count > 1 ? ` (${kind.count} times; this was the last)` : "";
    this.#log(`${what}: ${kind.detail}${often}`);
    kind.count = 0;
    kind.toldAt = now;
  }
}
