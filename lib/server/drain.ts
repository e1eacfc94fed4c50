// The drain: how sessions end when Karma stops, each after it has answered what had been received by then.
//
// Whether a socket still holds something cannot be asked. What can be seen is what turns of the loop bring, each
// after the sockets have been looked at. The runtime passes connections over while a turn is full (rounds.ts), so a
// session that is idle may have requests as long as turns bring many reads. So nobody is dismissed before there
// have been CALM_TURNS in a row with few reads; and then a session is, when it has been idle for QUIET_TURNS and QUIET_MS.
//
// A session that is dismissed says that no more replies will come, and drops what its client still sends
// until the client closes, or a moment passes: a connection that is closed while bytes lie unread is reset,
// and replies on the way are lost with it.
//
// Invariant: every drain ends. A client that goes on sending is dismissed between two requests when it
// has sent more than the system's buffers may have held, or often enough to have sent all of it; one that takes no replies
// is cut when STALL_MS pass without a byte; DRAIN_MS bounds it all.
// Trade-off: counts of turns say more than a clock does on a machine that is busy, or where the process was
// stopped; where both are asked for, the clock only adds to them. An idle server takes some 50 ms to stop.

import { afterTurn, nextTurn } from "../host/mod.ts";

/** What a session has done with its connection. */
export class Activity {
  /** Reads that brought something; those that brought all there was; and what they brought. */
  reads = 0;
  shortReads = 0;
  readBytes = 0;
  /** Reads and writes that have ended. */
  calls = 0;

  /** Counts a read into so much space; 0 is the end of what the client sends. */
  noteRead(bytes: number, space: number): void {
    this.calls++;
    this.reads++;
    this.readBytes += bytes;
    if (bytes < space) this.shortReads++;
  }
}

/** A session as the drain sees it. */
export interface Leaver {
  /** Whether it waits for its client, all requests answered. */
  readonly idle: boolean;
  /** Whether it waits for its client to send or to take something. */
  readonly isTalking: boolean;
  readonly activity: Activity;
  /** Ends it between two requests. */
  dismiss(): void;
  /** Cuts it. */
  close(): void;
}

/** What the drain needs of the host. */
interface DrainLoop {
  now(): number;
  /** Resolves in a later turn of the loop, after sockets have been looked at, and those that were passed over. */
  turn(): Promise<void>;
}

/**
 * Turns of the loop between two looks. Connections that were passed over are looked at after 61 polls of the
 * runtime, of which a turn may be a single one; so CALM_TURNS looks are some three times as many.
 */
const TURNS_A_LOOK = 10;

/** The loop of this process. */
export const HOST_LOOP: DrainLoop = {
  now: () => performance.now(),
  async turn() {
    for (let turn = 0; turn < TURNS_A_LOOK; turn++) await new Promise<void>(afterTurn);
    await nextTurn();
  },
};

/** Reads in a turn from which on others may have been passed over: well below 128. */
const MANY_READS = 64;
const CALM_TURNS = 20;

const QUIET_TURNS = 20;
const QUIET_MS = 20;

/** More than the buffers of both ends hold (Linux: 6 MiB to receive and 4 to send, if not told otherwise). */
const BYTES_MAX = 67_108_864;

/** What lies there is gone after one such read; what was on the way, after a few. */
const SHORT_READS_MAX = 128;

const STALL_TURNS = 100;
const STALL_MS = 3000;

/** How long a client that was dismissed may go on sending. */
const PARTING_TURNS = 40;
const PARTING_MS = 1000;

/** As long as supervisors mostly wait. What is being carried out then goes on, but nobody is told. */
const DRAIN_MS = 25_000;

/** What was seen of a session. */
class Sight {
  readonly bytes: number;
  readonly shortReads: number;
  reads: number;
  calls: number;
  /** Turns since it did anything, and since when that is. */
  quietTurns = 0;
  quietSince: number;
  /** Turns since it was dismissed, and when that was; 0: it wasn't. */
  partingTurns = 0;
  dismissedAt = 0;
  /**
   * Whether it was cut, and is not waited for any more. Deno 2.6 leaves a write that waits for its client
   * pending when the connection is closed, and so its session would never end.
   */
  isCut = false;

  constructor({ activity: { readBytes, shortReads, reads, calls } }: Leaver, now: number) {
    this.bytes = readBytes;
    this.shortReads = shortReads;
    this.reads = reads;
    this.calls = calls;
    this.quietSince = now;
  }

  /** Looks again; returns how many reads there were meanwhile. */
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

/** Lets all sessions answer what has been received, and ends them. */
export async function drain(sessions: ReadonlySet<Leaver>, loop: DrainLoop): Promise<void> {
  const began = loop.now();
  const sights = new Map<Leaver, Sight>();
  for (const session of sessions) sights.set(session, new Sight(session, began));
  let calmTurns = 0;
  for (;;) {
    const left = [...sessions].filter((session) => !sights.get(session)!.isCut);
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

/** Dismisses a session, or has it cut, if it is time. */
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
