// The limiter: answers "may they do one more?" and charges the cost in the same step.
//
// Invariant: a request is checked against all of its limits before anything is changed, and no other request
// runs in between. So admitted costs never exceed a limit, however many clients ask at once. A cost is charged to
// each counter once, on the current day, in the same group of the WAL as the receipt that can refund it.

import { u64ToBigInt } from "../bytes/mod.ts";
import { COST, KEY_WORDS, readBatch, SUBJECT, VALUE, Verdict } from "../command/mod.ts";
import type { Limits, Reply, ReplyBound, Request } from "../command/mod.ts";
import { isApplied, overflow, type StateWriter } from "../state/mod.ts";
import {
  type Branch,
  fits,
  type Forest,
  sumDays,
  type Tree,
  TREE_NAME_RULE,
  treeName,
} from "../tree/mod.ts";
import { carryOver } from "./carry_over.ts";
import type { FineLimits } from "./fine_limits.ts";
import { addApplied, countNew, fitsUnder, isCharged, noteCrossed, reduce } from "./fitting.ts";
import { LimitCounters } from "./limit_counters.ts";
import { mostOf, retryDayOf } from "./retry_time.ts";
import type { Receipts } from "./receipts.ts";
import type { CachedWindow, WindowCache } from "./window_cache.ts";
import type { WindowCaches } from "./window_caches.ts";

/** Up to this many verdicts, some 10 KiB, are written in one piece. */
const SHORT_VERDICTS = 16;

export class Limiter {
  readonly #forest: Forest;
  readonly #stateWriter: StateWriter;
  readonly #receipts: Receipts;
  readonly #calendars: WindowCaches;
  readonly #fine: FineLimits;
  #verdict = new Verdict();
  readonly #bound: ReplyBound;
  readonly #sum = new Uint32Array(2);
  readonly #counters: LimitCounters;
  // For each limit, the counter (of the first limit on it) and the current window. A slot is negative where
  // there is no counter; slots are valid until something is charged.
  readonly #trees: (Tree | null)[] = [];
  readonly #branches: (Branch | null)[] = [];
  readonly #slots: number[] = [];
  readonly #windows: CachedWindow[] = [];
  // The calendar of the request that was judged last, and today in it.
  #spans: WindowCache;
  #day = 0;
  /** The day and the moment of the turn, in ms since 1970; the engine sets both. */
  today = 0;
  nowMs = 0;

  constructor(
    forest: Forest,
    stateWriter: StateWriter,
    receipts: Receipts,
    calendars: WindowCaches,
    fine: FineLimits,
    bound: ReplyBound,
  ) {
    this.#forest = forest;
    this.#stateWriter = stateWriter;
    this.#receipts = receipts;
    this.#calendars = calendars;
    this.#spans = calendars.of(null);
    this.#fine = fine;
    this.#bound = bound;
    this.#counters = new LimitCounters(forest, stateWriter);
  }

  /** Charges the cost if the limits allow it. */
  consume(request: Request, reply: Reply): void {
    const verdict = this.#verdict;
    this.#judge(request);
    reply.isKept = isCharged(request, verdict);
    if (reply.isKept) {
      const bytesMax = this.#bound.writer.verdictBytesMax(request.limits);
      if (!this.#bound.fitsBytes(reply, bytesMax) || !this.#isChargeable(request, reply)) return;
      if (!this.#charge(request, reply)) return;
      this.#addUsed(request);
      if (request.wantsReceipt) {
        verdict.receipt = this.#receipts.issue(request, this.#day, verdict.applied);
      }
    }
    this.#tellTimes(request);
    reply.shape = "verdict";
    reply.verdict = verdict;
  }

  /** Gives the verdict that `consume` would give, and charges nothing. */
  check(request: Request, reply: Reply): void {
    const { hasKeys, limits, items, bytes } = request;
    const { count, words } = items;
    if (!hasKeys) {
      reply.shape = "verdict";
      this.#judge(request);
      this.#tellTimes(request);
      reply.verdict = this.#verdict;
      return;
    }
    const verdicts: Verdict[] = []; // other requests run before all of these are complete
    const read = (index: number) => {
      const [lo, hi] = words.subarray(KEY_WORDS * index);
      if (items.isName(index)) limits.useKey(0, 0, bytes.slice(lo, hi));
      else limits.useKey(lo, hi);
      this.#verdict = new Verdict();
      this.#judge(request);
      this.#tellTimes(request);
      verdicts.push(this.#verdict);
      return true;
    };
    readBatch(reply, count, 1, read, () => {
      reply.shape = "verdicts";
      reply.verdicts = verdicts;
      reply.isLong = count > SHORT_VERDICTS;
      reply.deadline = Infinity;
    });
  }

  /** Reads how much of each limit is used, and finds how much of the cost may be applied. */
  #judge(request: Request): void {
    const { limits, lanes, mode } = request;
    this.#spans = this.#calendars.of(request.zone);
    this.#day = request.today(this.today, this.nowMs);
    const verdict = this.#verdict;
    const { applied, used, hasRefused } = verdict;
    const sum = this.#sum;
    const isPart = mode === "saturate"; // all limits then share one cost, the request's or their own
    verdict.begin(limits, this.nowMs, request.isBrief, isPart);
    applied[0] = isPart ? limits.lo(0, COST) : lanes[VALUE];
    applied[1] = isPart ? limits.hi(0, COST) : lanes[VALUE + 1];
    verdict.deniedBy = -1;
    for (let index = 0; index < limits.count; index++) {
      const first = limits.first(index);
      if (first === index) this.#locate(index, limits);
      this.#sumUp(index, limits);
      used[2 * index] = sum[0];
      used[2 * index + 1] = sum[1];
      const isRefused = mode !== "force" && !fitsUnder(limits, index, sum[0], sum[1]);
      hasRefused[index] = isRefused;
      if (!isRefused) continue;
      if (verdict.deniedBy < 0) verdict.deniedBy = index;
      if (isPart) reduce(applied, limits, index, sum[0], sum[1]);
    }
    if (mode === "reject" && verdict.deniedBy >= 0) applied[0] = applied[1] = 0;
    const isNothing = applied[0] === 0 && applied[1] === 0;
    verdict.isAllowed = verdict.deniedBy < 0 || mode === "saturate" && !isNothing;
  }

  /** Adds up what the window of a limit holds, and tells when it ends, if it is one of the calendar. */
  #sumUp(index: number, limits: Limits): void {
    const sum = this.#sum;
    const first = limits.first(index);
    const window = limits.window(index);
    if (window.kind === "fine") {
      return this.#fine.used(window, limits, index, this.#treeOf(index, limits), sum);
    }
    const span = this.#spans.of(window, this.#day);
    this.#windows[index] = span;
    this.#verdict.resetsAtMs[index] = span.resetsAtMs;
    if (limits.set.hasCarry) this.#carryOver(index, limits);
    sum[0] = sum[1] = 0;
    if (this.#slots[first] >= 0) {
      sumDays(this.#branches[first]!, this.#slots[first], span.from, span.to, sum);
    }
  }

  /** Raises the max of a limit by what the window before left of it, if it is to be. */
  #carryOver(index: number, limits: Limits): void {
    const { max, carry } = limits.set.limits[index];
    if (carry === null) return;
    const first = limits.first(index);
    const { from, to } = this.#windows[index].before;
    const sum = this.#sum;
    sum[0] = sum[1] = 0;
    if (this.#slots[first] >= 0) sumDays(this.#branches[first]!, this.#slots[first], from, to, sum);
    carryOver(max, carry, sum);
    this.#verdict.carried.set(sum, 2 * index);
    limits.raise(index, sum[0], sum[1]);
  }

  #locate(index: number, limits: Limits): void {
    const name = limits.name(index);
    const tree = this.#forest.find(name, 0, name.length);
    this.#trees[index] = tree;
    this.#slots[index] = -1;
    if (tree === null) return;
    const keyName = limits.keyName(index);
    const counters = keyName === null
      ? tree
      : this.#counters.locateName(tree, index, limits, keyName);
    if (counters === null) return;
    this.#slots[index] = counters.locate(limits.lo(index, SUBJECT), limits.hi(index, SUBJECT));
    this.#branches[index] = counters.located;
  }

  /** Charges each counter once, or none; then it returns false and the reply says why. */
  #charge({ limits, mode }: Request, reply: Reply): boolean {
    const { applied } = this.#verdict;
    const { undo } = this.#stateWriter;
    const isPart = mode === "saturate";
    undo.begin();
    for (let index = 0; index < limits.count; index++) {
      const lo = isPart ? applied[0] : limits.lo(index, COST);
      const hi = isPart ? applied[1] : limits.hi(index, COST);
      const isDone = limits.first(index) < index ||
        this.#counters.charge(this.#trees[index], index, limits, this.#day, lo, hi, reply);
      if (isDone && this.#chargeFine(index, limits, lo, hi, reply)) continue;
      undo.takeBack();
      return false;
    }
    undo.end();
    return true;
  }

  #chargeFine(index: number, limits: Limits, lo: number, hi: number, reply: Reply): boolean {
    const window = limits.fine(index);
    if (window === null || lo === 0 && hi === 0) return true; // there may be no tree
    return this.#fine.charge(window, limits, index, this.#treeOf(index, limits)!, lo, hi, reply);
  }

  /** Whether the charge will succeed: valid names, no total beyond 64 bits, disk space and memory. */
  #isChargeable(request: Request, reply: Reply): boolean {
    const { limits } = request;
    const { applied } = this.#verdict;
    const isPart = request.mode === "saturate";
    let created = 0;
    for (let index = 0; index < limits.count; index++) {
      if (limits.first(index) < index) continue;
      if (this.#trees[index] === null) {
        created++;
        const name = limits.name(index);
        if (treeName(name, 0, name.length) !== null) continue;
        reply.fail("validation_error", `Field limits[].series ${TREE_NAME_RULE}`);
        return false;
      }
      const slot = this.#slots[index];
      const lo = isPart ? applied[0] : limits.lo(index, COST);
      const hi = isPart ? applied[1] : limits.hi(index, COST);
      if (slot < 0 || fits(this.#branches[index]!, slot, lo, hi)) continue;
      overflow(reply, "", limits.keyText(index), this.#day);
      return false;
    }
    const { room } = this.#forest;
    if (created > room && countNew(limits, this.#trees) > room) return isApplied("crowded", reply);
    const bytesMax = request.wantsReceipt ? this.#receipts.bytesMax(request) : 0;
    if (bytesMax > 0 && !isApplied(this.#receipts.hasMemory(bytesMax) ? "done" : "memory", reply)) {
      return false;
    }
    const { count, fineCount: fine } = limits;
    if (fine > 0 && !this.#fine.areAllowed(limits, (at) => this.#treeOf(at, limits), reply)) {
      return false;
    }
    const records = created + fine + 1 + (limits.hasNames ? 8 + 2 * count : 0);
    const hasRoom = this.#stateWriter.reserve(records, bytesMax, count + 2 * fine);
    return isApplied(hasRoom ? "done" : "full", reply);
  }

  #addUsed({ limits, mode }: Request): void {
    const { used, applied } = this.#verdict;
    const before = limits.set.hasNotify ? used.slice() : null;
    addApplied(used, applied, limits, mode);
    if (before !== null) noteCrossed(this.#verdict, before);
    if (mode !== "force" || limits.fineCount === 0) return; // a bucket's debt has an end
    for (let index = 0; index < limits.count; index++) {
      const window = limits.fine(index);
      const sum = used.subarray(2 * index, 2 * index + 2);
      if (window !== null) this.#fine.used(window, limits, index, this.#treeOf(index, limits), sum);
    }
  }

  /** Fills in the moments of the verdict that depend on what was counted. */
  #tellTimes({ limits }: Request): void {
    const { resetsAtMs, retryAtMs, hasRefused, deniedBy } = this.#verdict;
    if (!limits.areRolling && deniedBy < 0) return;
    for (let index = 0; index < limits.count; index++) {
      resetsAtMs[index] = this.#resetsAtMs(index, limits);
      if (hasRefused[index]) retryAtMs[index] = this.#retryAtMs(index, limits);
    }
  }

  /** When a window holds less; of one of the calendar that is known already. */
  #resetsAtMs(index: number, limits: Limits): number {
    const window = limits.window(index);
    const isOfDays = window.kind === "days";
    if (!isOfDays && window.kind !== "fine") return this.#verdict.resetsAtMs[index];
    const tree = this.#treeOf(index, limits);
    if (!isOfDays) return this.#fine.resetsAtMs(window, limits, index, tree);
    const [keyLo, keyHi] = [limits.lo(index, SUBJECT), limits.hi(index, SUBJECT)];
    const day = this.#spans.lossDay(window.days, this.#windows[index], tree, keyLo, keyHi);
    return this.#spans.startOf(day);
  }

  #retryAtMs(index: number, limits: Limits): number {
    const tree = this.#treeOf(index, limits);
    const window = limits.window(index);
    if (window.kind === "fine") return this.#fine.retryAtMs(window, limits, index, tree);
    const [keyLo, keyHi] = [limits.lo(index, SUBJECT), limits.hi(index, SUBJECT)];
    const cost = u64ToBigInt(limits.lo(index, COST), limits.hi(index, COST));
    const most = mostOf(limits.set.limits[index]);
    const dayAt = (day: number) => this.#spans.dayAt(day);
    const day = retryDayOf(window, this.#day, tree, keyLo, keyHi, most, cost, dayAt);
    return this.#spans.startOf(day);
  }

  /** The tree that the counter of a limit is in, even if this request created it. */
  #treeOf(index: number, limits: Limits): Tree | null {
    const name = limits.name(index);
    const owner = this.#trees[limits.first(index)] ?? this.#forest.find(name, 0, name.length);
    return limits.keyName(index) === null ? owner : owner && owner.named;
  }
}
