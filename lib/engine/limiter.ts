// The limiter: "may they do one more?", answered and charged in one step.
//
// Invariant: all limits of a request are looked at before anything is changed, and nothing comes in
// between: what was admitted never passes a limit, however many ask at once. A cost is charged to each
// counter once, on today, and with it goes into the log what is needed to give it back.

import { u64ToBigInt } from "../bytes/u64.ts";
import { SendBuffer } from "../bytes/send_buffer.ts";
import { KEY_WORDS } from "../command/items.ts";
import { COST, MAX, SUBJECT } from "../command/limits.ts";
import type { Reply } from "../command/reply.ts";
import { DAY_MAX, KEY, type Request, VALUE } from "../command/request.ts";
import { Verdict } from "../command/verdict.ts";
import type { Forest } from "../tree/forest.ts";
import { TREE_NAME_RULE, treeName } from "../tree/tree_name.ts";
import type { Tree } from "../tree/tree.ts";
import { overflow } from "./counters.ts";
import { isDone } from "./finder.ts";
import type { Ledger } from "./ledger.ts";
import { retryDayOf } from "./limit_retry.ts";
import type { Receipts } from "./receipts.ts";
import type { Spans } from "./spans.ts";

export class Limiter {
  readonly #forest: Forest;
  readonly #ledger: Ledger;
  readonly #receipts: Receipts;
  readonly #spans: Spans;
  readonly #verdict = new Verdict();
  readonly #out = new SendBuffer(1024);
  readonly #sum = new Uint32Array(2);
  readonly #trees: (Tree | null)[] = [];
  readonly #momentOf = (day: number) => this.#spans.momentOf(day);
  today = 0;

  constructor(forest: Forest, ledger: Ledger, receipts: Receipts, spans: Spans) {
    this.#forest = forest;
    this.#ledger = ledger;
    this.#receipts = receipts;
    this.#spans = spans;
  }

  /** Charges the cost, if the limits allow it. */
  consume(request: Request, reply: Reply): void {
    const verdict = this.#verdict;
    this.#judge(request, request.lanes[KEY], request.lanes[KEY + 1]);
    verdict.receipt = "";
    const { applied } = verdict;
    const isCharged = isPositive(request, verdict);
    if (isCharged && !this.#charge(request, reply)) return;
    if (request.wantsReceipt && isCharged) {
      verdict.receipt = this.#receipts.issue(request, this.today, applied);
    }
    if (isCharged) this.#addUsed(request);
    reply.isKept = isCharged;
    this.#out.clear();
    this.#tell(request);
    this.#answer(reply);
  }

  /** Says what consuming would say, and charges nothing. */
  check(request: Request, reply: Reply): void {
    const { hasKeys, items, lanes } = request;
    const out = this.#out;
    out.clear();
    this.#verdict.receipt = "";
    if (hasKeys) out.text('{"results":[');
    const count = hasKeys ? items.count : 1;
    for (let index = 0; index < count; index++) {
      if (index > 0) out.text(",");
      const at = KEY_WORDS * index;
      const keyLo = hasKeys ? items.words[at] : lanes[KEY];
      this.#judge(request, keyLo, hasKeys ? items.words[at + 1] : lanes[KEY + 1]);
      this.#tell(request);
    }
    if (hasKeys) out.text("]}");
    this.#answer(reply);
  }

  #answer(reply: Reply): void {
    reply.shape = "stored";
    reply.stored = this.#out.view(0);
  }

  /** Looks at all limits for a key: who has used how much, and what of the cost may be applied. */
  #judge(request: Request, keyLo: number, keyHi: number): void {
    const verdict = this.#verdict;
    const { bytes, limits, lanes, mode } = request;
    const { applied, used, hasRefused } = verdict;
    const sum = this.#sum;
    applied[0] = lanes[VALUE];
    applied[1] = lanes[VALUE + 1];
    verdict.deniedBy = -1;
    for (let index = 0; index < limits.count; index++) {
      if (!limits.hasKey(index)) limits.put(index, SUBJECT, keyLo, keyHi);
      const tree = this.#forest.find(bytes, limits.nameStart(index), limits.nameEnd(index));
      this.#trees[index] = tree;
      const { from, to } = this.#spans.of(limits.window(index), this.today);
      sum[0] = sum[1] = 0;
      tree?.sum(limits.lo(index, SUBJECT), limits.hi(index, SUBJECT), from, to, sum);
      used[2 * index] = sum[0];
      used[2 * index + 1] = sum[1];
      const fits = fitsUnder(request, index, sum[0], sum[1]);
      hasRefused[index] = !fits && mode !== "force";
      if (fits || mode === "force") continue;
      if (verdict.deniedBy < 0) verdict.deniedBy = index;
      if (mode === "saturate") reduce(applied, request, index, sum[0], sum[1]);
    }
    if (mode === "reject" && verdict.deniedBy >= 0) applied[0] = applied[1] = 0;
    const isNothing = applied[0] === 0 && applied[1] === 0;
    verdict.isAllowed = verdict.deniedBy < 0 || mode === "saturate" && !isNothing;
  }

  /** Charges every counter once; if one can't be, none is, and the reply says why. */
  #charge(request: Request, reply: Reply): boolean {
    const { limits, bytes } = request;
    if (!this.#isChargeable(request, reply)) return false;
    for (let index = 0; index < limits.count; index++) {
      if (limits.first(index, bytes) !== index) continue;
      // One that was created for another limit of this request is there by now.
      const [start, end] = [limits.nameStart(index), limits.nameEnd(index)];
      let tree = this.#trees[index] ?? this.#forest.find(bytes, start, end);
      if (tree === null) {
        if (!isDone(this.#ledger.create(treeName(bytes, start, end)!), reply)) return false;
        tree = this.#forest.find(bytes, start, end)!;
      }
      const [keyLo, keyHi] = [limits.lo(index, SUBJECT), limits.hi(index, SUBJECT)];
      const [lo, hi] = this.#chargeOf(request, index);
      if (lo !== 0 || hi !== 0) this.#ledger.add(tree, keyLo, keyHi, this.today, lo, hi);
    }
    return true;
  }

  /** Whether nothing that can go wrong will: names, sums beyond 64 bits, space. */
  #isChargeable(request: Request, reply: Reply): boolean {
    const { limits, bytes } = request;
    let created = 0;
    for (let index = 0; index < limits.count; index++) {
      const tree = this.#trees[index];
      if (tree === null) {
        created++;
        if (treeName(bytes, limits.nameStart(index), limits.nameEnd(index)) !== null) continue;
        reply.fail("validation_error", `Field limits[].series ${TREE_NAME_RULE}`);
        return false;
      }
      const [keyLo, keyHi] = [limits.lo(index, SUBJECT), limits.hi(index, SUBJECT)];
      const [lo, hi] = this.#chargeOf(request, index);
      const sum = this.#sum;
      tree.sum(keyLo, keyHi, 0, DAY_MAX, sum);
      if (u64Fits(sum[0], sum[1], lo, hi)) continue;
      overflow(reply, "", keyLo, keyHi, this.today);
      return false;
    }
    const bytesMax = request.wantsReceipt ? this.#receipts.bytesMax(request) : 0;
    const hasRoom = this.#ledger.reserve(created + 1, bytesMax, limits.count);
    return isDone(hasRoom ? "done" : "full", reply);
  }

  /** What a limit's counter is charged: its own cost, or in saturation what was applied. */
  #chargeOf({ mode, limits }: Request, index: number): [lo: number, hi: number] {
    const { applied } = this.#verdict;
    if (mode === "saturate") return [applied[0], applied[1]];
    return [limits.lo(index, COST), limits.hi(index, COST)];
  }

  #addUsed(request: Request): void {
    const { used } = this.#verdict;
    for (let index = 0; index < request.limits.count; index++) {
      const [lo, hi] = this.#chargeOf(request, index);
      const sumLo = used[2 * index] + lo;
      used[2 * index] = sumLo;
      used[2 * index + 1] += hi + (sumLo > 0xffffffff ? 1 : 0);
    }
  }

  /** Finds out when things change, and writes the verdict. */
  #tell(request: Request): void {
    const { limits, bytes } = request;
    const verdict = this.#verdict;
    for (let index = 0; index < limits.count; index++) {
      const window = limits.window(index);
      const tree = this.#trees[index] ??
        this.#forest.find(bytes, limits.nameStart(index), limits.nameEnd(index));
      const [keyLo, keyHi] = [limits.lo(index, SUBJECT), limits.hi(index, SUBJECT)];
      verdict.resetsDay[index] = this.#spans.resetDay(window, this.today, tree, keyLo, keyHi);
      if (!verdict.hasRefused[index]) continue;
      const cost = u64ToBigInt(limits.lo(index, COST), limits.hi(index, COST));
      const max = u64ToBigInt(limits.lo(index, MAX), limits.hi(index, MAX));
      verdict.retryDay[index] = retryDayOf(window, this.today, tree, keyLo, keyHi, max, cost);
    }
    verdict.write(request, this.#momentOf, this.#out);
  }
}

/** Whether anything is to be charged to some counter. */
function isPositive({ limits, mode }: Request, { isAllowed, applied }: Verdict): boolean {
  if (!isAllowed) return false;
  if (mode === "saturate") return applied[0] !== 0 || applied[1] !== 0;
  for (let index = 0; index < limits.count; index++) {
    if (limits.lo(index, COST) !== 0 || limits.hi(index, COST) !== 0) return true;
  }
  return false;
}

/** Whether a limit has room for its cost beside what is used. */
function fitsUnder({ limits }: Request, index: number, usedLo: number, usedHi: number): boolean {
  const sumLo = usedLo + limits.lo(index, COST);
  const carry = sumLo > 0xffffffff ? 1 : 0;
  const sumHi = usedHi + limits.hi(index, COST) + carry;
  const maxHi = limits.hi(index, MAX);
  return sumHi < maxHi || sumHi === maxHi && (sumLo >>> 0) <= limits.lo(index, MAX);
}

function u64Fits(aLo: number, aHi: number, bLo: number, bHi: number): boolean {
  return aHi + bHi + (aLo + bLo > 0xffffffff ? 1 : 0) <= 0xffffffff;
}

/** Reduces what is applied to what a limit leaves. */
function reduce(
  applied: Uint32Array,
  { limits }: Request,
  index: number,
  usedLo: number,
  usedHi: number,
): void {
  const [maxLo, maxHi] = [limits.lo(index, MAX), limits.hi(index, MAX)];
  const borrow = maxLo < usedLo ? 1 : 0;
  const restHi = maxHi - usedHi - borrow;
  const restLo = maxLo - usedLo + borrow * 4294967296;
  if (restHi < 0) applied[0] = applied[1] = 0;
  else if (restHi < applied[1] || restHi === applied[1] && restLo < applied[0]) {
    applied[0] = restLo;
    applied[1] = restHi;
  }
}
