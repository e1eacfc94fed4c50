// The drain: how sessions end at shutdown, each after it has answered all requests received by then.
//
// Deno cannot tell whether a socket still holds unread bytes, so the drain infers it from the reads
// that turns of the event loop bring. While a turn is full the runtime passes connections over
// (round_robin.ts), so an idle session may have unread requests as long as turns bring many reads.
// Therefore no session is dismissed before CALM_TURNS turns in a row have brought few reads; then a
// session is dismissed once it has been idle for QUIET_TURNS and QUIET_MS.
//
// A dismissed session half-closes its connection and drops what its client still sends, until the
// client closes or some time passes: closing a connection with unread bytes resets it, and a reset
// discards replies in flight.
//
// Invariant: every drain ends. A client that keeps sending is dismissed between two requests once it
// has sent more than the kernel's buffers may have held, or in enough short reads to have sent all of
// them. A client that does not read is cut after STALL_MS without a byte. DRAIN_MS bounds the whole.
// Trade-off: counts of turns are more reliable than a clock on a busy machine, or after the process
// was stopped; where both are required, the clock only adds. An idle server takes some 50 ms to stop.

import { afterTurn, nextTurn } from "../host/mod.ts";

/** Counts of what a session has done with its connection. */
export class Activity {
  /** Non-blocked reads; reads that did not fill their space, so that nothing was left; bytes read. */
  reads = 0;
  shortReads = 0;
  readBytes = 0;
  /** Reads and writes that have completed. */
  calls = 0;

  /** Counts a read of `bytes` into `space` bytes of space; 0 bytes is the end of the stream. */
  noteRead(bytes: number, space: number): void {
    this.calls++;
    this.reads++;
    this.readBytes += bytes;
    if (bytes < space) this.shortReads++;
  }
}

/** A session as the drain sees it. */
export interface Leaver {
  /** Whether it waits for its client to send, with all requests answered. */
  readonly idle: boolean;
  /** Whether it waits for its client, to send or to receive. */
  readonly isTalking: boolean;
  readonly activity: Activity;
  /** Ends it between two requests. */
  dismiss(): void;
  /** Closes it at once. */
  close(): void;
}

/** The part of the host that the drain uses. */
interface DrainLoop {
  now(): number;
  /** Resolves in a later turn, after the runtime has polled all sockets, including those passed over. */
  turn(): Promise<void>;
}

/**
 * Turns of the loop between two looks. The runtime polls connections that it passed over after 61
 * polls, and a turn may be a single poll; CALM_TURNS looks are some three times as many.
 */
const TURNS_A_LOOK = 10;

/** The event loop of this process. */
export const HOST_LOOP: DrainLoop = {
  now: () => performance.now(),
  async turn() {
    for (let turn = 0; turn < TURNS_A_LOOK; turn++) await new Promise<void>(afterTurn);
    await nextTurn();
  },
};

/** Reads in a turn from which on connections may have been passed over: well below 128. */
const MANY_READS = 64;
const CALM_TURNS = 20;

const QUIET_TURNS = 20;
const QUIET_MS = 20;

/** More than the buffers of both ends hold (Linux defaults: 6 MiB to receive and 4 to send). */
const BYTES_MAX = 67_108_864;

/** A short read empties the socket; after this many, whatever was in flight has arrived too. */
const SHORT_READS_MAX = 128;

const STALL_TURNS = 100;
const STALL_MS = 3000;

/** How long a dismissed client may keep sending. */
const PARTING_TURNS = 40;
const PARTING_MS = 1000;

/** As long as most supervisors wait. Operations in progress then continue, but get no reply. */
const DRAIN_MS = 25_000;

/** What the drain has observed of a session. */
class Sight {
  readonly bytes: number;
  readonly shortReads: number;
  reads: number;
  calls: number;
  /** Turns since its last activity, and the time of it. */
  quietTurns = 0;
  quietSince: number;
  /** Turns since it was dismissed, and the time of it; 0: it wasn't. */
  partingTurns = 0;
  dismissedAt = 0;
  /**
   * Whether it was cut and is no longer waited for. Deno 2.6 leaves a write that waits for its client
   * pending when the connection is closed, so its session would never end.
   */
  isCut = false;

  constructor({ activity: { readBytes, shortReads, reads, calls } }: Leaver, now: number) {
    this.bytes = readBytes;
    this.shortReads = shortReads;
    this.reads = reads;
    this.calls = calls;
    this.quietSince = now;
  }

  /** Updates the observation; returns the number of reads since the last one. */
  look({ activity }: Leaver, now: number): number {
    const reads = activity.reads - this.reads;
    if (activity.calls === this.calls) {
      this.quietTurns++;
    } else {
      this.quietTurns = 0;
      this.quietSince = now;
    }
    this.reads = activity.reads;
    this.calls = activity.calls;
    return reads;
  }

  isQuiet(turns: number, ms: number, now: number): boolean {
    return this.quietTurns >= turns && now - this.quietSince >= ms;
  }
}

/** Lets all sessions answer what has been received, and ends them. Resolves within some DRAIN_MS. */
export async function drain(sessions: ReadonlySet<Leaver>, loop: DrainLoop): Promise<void> {
  const began = loop.now();
  const sights = new Map<Leaver, Sight>();
  const see = (session: Leaver) => { // some take over from others meanwhile (http/http_session.ts)
    if (!sights.has(session)) sights.set(session, new Sight(session, loop.now()));
    return !sights.get(session)!.isCut;
  };
  let calmTurns = 0;
  for (;;) {
    const left = [...sessions].filter(see);
    if (left.length === 0) break;
    await loop.turn();
    const now = loop.now();
    if (now - began > DRAIN_MS) break;
    let reads = 0;
    for (const session of left) reads += sights.get(session)!.look(session, now);
    if (calmTurns < CALM_TURNS) calmTurns = reads < MANY_READS ? calmTurns + 1 : 0;
    for (const session of left) {
      const sight = sights.get(session)!;
      step(session, sight, calmTurns >= CALM_TURNS, now);
      if (sight.isCut) session.close();
    }
  }
  for (const session of sessions) session.close();
}

/** Dismisses a session, or marks it to be cut, when it is due. */
function step(session: Leaver, sight: Sight, isCalm: boolean, now: number): void {
  if (sight.dismissedAt > 0) {
    sight.partingTurns++;
    const isLate = sight.partingTurns > PARTING_TURNS && now - sight.dismissedAt > PARTING_MS;
    if (session.isTalking && (isLate || sight.isQuiet(QUIET_TURNS, QUIET_MS, now))) {
      sight.isCut = session.idle || sight.isQuiet(STALL_TURNS, STALL_MS, now);
    }
    return;
  }
  const { activity } = session;
  const hasHadAll = activity.readBytes - sight.bytes > BYTES_MAX ||
    activity.shortReads - sight.shortReads > SHORT_READS_MAX;
  if (hasHadAll || isCalm && session.idle && sight.isQuiet(QUIET_TURNS, QUIET_MS, now)) {
    sight.dismissedAt = now;
    session.dismiss();
  } else if (session.isTalking && !session.idle && sight.isQuiet(STALL_TURNS, STALL_MS, now)) {
    sight.isCut = true;
  }
}
