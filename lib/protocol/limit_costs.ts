// Costs of limits, of which a request may have one for all and each limit one of its own: what they must have in common,
// in every protocol.

import { COST, KEY_WORDS, type Limits, type Request } from "../command/mod.ts";

/** Whether all limits have one cost, of which a part can be applied to all. */
export function haveOneCost({ limits }: Request): boolean {
  for (let index = 1; index < limits.count; index++) {
    if (!isSameCost(limits, 0, index)) return false;
  }
  return true;
}

/** Whether limits on one counter have one cost, which is charged once, whichever key is asked about. */
export function areCostsAgreed({ limits, hasKeys, items, bytes }: Request): boolean {
  const { count, words } = items;
  if (!hasKeys || count === 0) return isCostAgreed(limits);
  let areAgreed = true;
  for (let index = 0; index < count && areAgreed; index++) {
    const [lo, hi] = words.subarray(KEY_WORDS * index);
    if (items.isName(index)) limits.useKey(0, 0, bytes.slice(lo, hi));
    else limits.useKey(lo, hi);
    areAgreed = isCostAgreed(limits);
  }
  limits.useKey(0, 0);
  return areAgreed;
}

function isCostAgreed(limits: Limits): boolean {
  for (let index = 1; index < limits.count; index++) {
    if (!isSameCost(limits, limits.first(index), index)) return false;
  }
  return true;
}

function isSameCost(limits: Limits, a: number, b: number): boolean {
  return limits.lo(a, COST) === limits.lo(b, COST) && limits.hi(a, COST) === limits.hi(b, COST);
}
