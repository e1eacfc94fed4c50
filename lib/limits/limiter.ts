// The limiter: answers "may they do one more?" and charges the cost in the same step.
//
// Invariant: a request is checked against all of its limits before anything is changed, and no other request
// runs in between. So admitted costs never exceed a limit, however many clients ask at once. A cost is charged to
// each counter once, on the current day, in the same group of the WAL as the receipt that can refund it.

import { LANE_MAX, u64ToBigInt } from "../bytes/mod.ts";
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
import { fitsUnder, isCharged, reduce } from "./fitting.ts";
import { LimitCounters } from "./limit_counters.ts";
import { retryDayOf } from "./retry_time.ts";
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
    bound: ReplyBound,
  ) {
    this.#forest = forest;
    this.#stateWriter = stateWriter;
    this.#receipts = receipts;
    this.#calendars = calendars;
    this.#spans = calendars.of(null);
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
    const spans = this.#spans = this.#calendars.of(request.zone);
    const day = this.#day = request.today(this.today, this.nowMs);
    const verdict = this.#verdict;
    const { applied, used, hasRefused, resetsAtMs } = verdict;
    const sum = this.#sum;
    verdict.begin(limits, this.nowMs);
    const isPart = mode === "saturate"; // all limits then share one cost, the request's or their own
    applied[0] = isPart ? limits.lo(0, COST) : lanes[VALUE];
    applied[1] = isPart ? limits.hi(0, COST) : lanes[VALUE + 1];
    verdict.deniedBy = -1;
    const { hasCarry } = limits.set;
    for (let index = 0; index < limits.count; index++) {
      const first = limits.first(index);
      if (first === index) this.#locate(index, limits);
      const window = spans.of(limits.window(index), day);
      this.#windows[index] = window;
      resetsAtMs[index] = window.resetsAtMs;
      if (hasCarry) this.#carryOver(index, limits);
      sum[0] = sum[1] = 0;
      if (this.#slots[first] >= 0) {
        sumDays(this.#branches[first]!, this.#slots[first], window.from, window.to, sum);
      }
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
      if (limits.first(index) < index) continue;
      const owner = this.#trees[index] ?? this.#counters.create(limits.name(index), reply);
      const lo = isPart ? applied[0] : limits.lo(index, COST);
      const hi = isPart ? applied[1] : limits.hi(index, COST);
      if (owner !== null && lo === 0 && hi === 0) continue;
      const tree = owner && this.#counters.countersOf(owner, index, limits, reply);
      if (tree === null) {
        undo.takeBack();
        return false;
      }
      const keyLo = limits.lo(index, SUBJECT);
      const keyHi = limits.hi(index, SUBJECT);
      if (!isApplied(this.#stateWriter.add(tree, keyLo, keyHi, this.#day, lo, hi), reply)) {
        undo.takeBack();
        return false;
      }
      undo.added(tree, keyLo, keyHi, this.#day, lo, hi);
    }
    undo.end();
    return true;
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
    if (created > this.#forest.room && !this.#hasTreeRoom(request, reply)) return false;
    const bytesMax = request.wantsReceipt ? this.#receipts.bytesMax(request) : 0;
    if (bytesMax > 0 && !isApplied(this.#receipts.hasMemory(bytesMax) ? "done" : "memory", reply)) {
      return false;
    }
    const records = created + 1 + (limits.hasNames ? 8 + 2 * limits.count : 0);
    const hasRoom = this.#stateWriter.reserve(records, bytesMax, limits.count);
    return isApplied(hasRoom ? "done" : "full", reply);
  }

  /** Whether all trees that the charge would create are allowed; several counters may share one. */
  #hasTreeRoom({ limits }: Request, reply: Reply): boolean {
    const names = new Set<string>();
    for (let index = 0; index < limits.count; index++) {
      const name = limits.name(index);
      if (this.#trees[limits.first(index)] === null) names.add(treeName(name, 0, name.length)!);
    }
    return isApplied(names.size > this.#forest.room ? "crowded" : "done", reply);
  }

  #addUsed({ limits, mode }: Request): void {
    const { used, applied } = this.#verdict;
    const isPart = mode === "saturate";
    for (let index = 0; index < limits.count; index++) {
      const sumLo = used[2 * index] + (isPart ? applied[0] : limits.lo(index, COST));
      const hi = isPart ? applied[1] : limits.hi(index, COST);
      used[2 * index] = sumLo;
      used[2 * index + 1] += hi + (sumLo > LANE_MAX ? 1 : 0);
    }
  }

  /** Fills in the moments of the verdict that depend on what was counted. */
  #tellTimes({ limits }: Request): void {
    const { resetsAtMs, hasRefused, deniedBy } = this.#verdict;
    if (!limits.areRolling && deniedBy < 0) return;
    for (let index = 0; index < limits.count; index++) {
      if (limits.window(index).kind === "days") resetsAtMs[index] = this.#rollsAtMs(index, limits);
      if (hasRefused[index]) this.#tellRetry(index, limits);
    }
  }

  /** The moment at which a rolling window drops its oldest day with a value. */
  #rollsAtMs(index: number, limits: Limits): number {
    const window = limits.window(index);
    const days = window.kind === "days" ? window.days : 0;
    const [keyLo, keyHi] = [limits.lo(index, SUBJECT), limits.hi(index, SUBJECT)];
    const tree = this.#treeOf(index, limits);
    const spans = this.#spans;
    return spans.startOf(spans.lossDay(days, this.#windows[index], tree, keyLo, keyHi));
  }

  #tellRetry(index: number, limits: Limits): void {
    const [keyLo, keyHi] = [limits.lo(index, SUBJECT), limits.hi(index, SUBJECT)];
    const cost = u64ToBigInt(limits.lo(index, COST), limits.hi(index, COST));
    const { max, carry } = limits.set.limits[index];
    const most = {
      max: u64ToBigInt(max[0], max[1]),
      carry: carry === null ? 0n : u64ToBigInt(carry[0], carry[1]),
    };
    const tree = this.#treeOf(index, limits);
    const dayAt = (day: number) => this.#spans.dayAt(day);
    const window = limits.window(index);
    const day = retryDayOf(window, this.#day, tree, keyLo, keyHi, most, cost, dayAt);
    this.#verdict.retryAtMs[index] = this.#spans.startOf(day);
  }

  /** The tree that the counter of a limit is in, even if this request created it. */
  #treeOf(index: number, limits: Limits): Tree | null {
    const name = limits.name(index);
    const owner = this.#trees[limits.first(index)] ?? this.#forest.find(name, 0, name.length);
    return limits.keyName(index) === null ? owner : owner && owner.named;
  }
}
