// The limits of a request: how much may be used of what, in which window, by which key.
//
// A set is what a list of limits says by itself. It never changes, so that it is made once for all the
// requests with that list. Limits are a set together with the key and the cost of one request, for
// those that have none of their own.
//
// Invariant: `first` of a limit is the first one on the same counter, perhaps itself: a counter is
// charged once, for its first limit.

import { equals, LANE_MAX, u64ToBigInt } from "../bytes/mod.ts";
import type { FineWindow } from "./fine_window.ts";
import type { Threshold } from "./threshold.ts";
import type { LimitWindow } from "./window.ts";

/** The most limits of one request. */
export const LIMITS_MAX = 16;

/** The most keys of one check: a page of users. */
export const CHECKED_KEYS_MAX = 1000;

/** Longer texts are no receipts: ours have 36 bytes. */
export const RECEIPT_BYTES_MAX = 256;

/** What becomes of a cost that does not fit: nothing, as much as fits, or all of it. */
export const LIMIT_MODES = ["reject", "saturate", "force"] as const;
export type LimitMode = (typeof LIMIT_MODES)[number];

/** One limit as it was given; lanes in pairs, null for what is the request's. */
export interface Limit {
  /** The bytes of the tree's name. */
  readonly name: Uint8Array;
  readonly window: LimitWindow;
  readonly max: readonly [lo: number, hi: number];
  /** How much of what the window before left unused is added to the max, at most; null: nothing is. */
  readonly carry: readonly [lo: number, hi: number] | null;
  /** Which parts of the max somebody wants to be told of when they are reached; null: none. */
  readonly notify?: readonly Threshold[] | null;
  readonly cost: readonly [lo: number, hi: number] | null;
  readonly key: readonly [lo: number, hi: number] | null;
  /** Its key if that is a name; `key` is zero then. */
  readonly keyName?: Uint8Array | null;
}

export class LimitSet {
  readonly limits: readonly Limit[];
  readonly hasOwnKeys: boolean;
  readonly hasOwnCosts: boolean;
  readonly hasOwnNames: boolean;
  /** Whether every limit has a key of its own. */
  readonly areKeyed: boolean;
  /** The first limit on the same tree, for each. */
  readonly firsts: readonly number[];
  /** Whether when something leaves a window depends on what is in it, for one of them at least. */
  readonly areRolling: boolean;
  /** Whether something may be carried over, for one of them at least. */
  readonly hasCarry: boolean;
  /** Whether somebody wants to be told when a part of a max is reached, for one of them at least. */
  readonly hasNotify: boolean;
  /** Of each limit the window, if it is below a day or a token bucket. */
  readonly fine: readonly (FineWindow | null)[];
  /** How many of these there are. */
  readonly fineCount: number;

  constructor(limits: readonly Limit[]) {
    this.limits = limits;
    this.hasOwnKeys = limits.some(({ key }) => key !== null);
    this.hasOwnNames = limits.some(({ keyName = null }) => keyName !== null);
    this.hasOwnCosts = limits.some(({ cost }) => cost !== null);
    this.areKeyed = limits.every(({ key }) => key !== null);
    this.firsts = limits.map(({ name }) => {
      return limits.findIndex((other) => equals(other.name, name, 0, name.length));
    });
    this.hasNotify = limits.some(({ notify = null }) => notify !== null);
    this.hasCarry = limits.some(({ carry }) => carry !== null);
    this.fine = limits.map(({ window }) => window.kind === "fine" ? window : null);
    this.fineCount = this.fine.filter((window) => window !== null).length;
    this.areRolling = this.fineCount > 0 || limits.some(({ window }) => window.kind === "days");
  }
}

const EMPTY = new LimitSet([]);

// Where the lanes of a limit are.
export const MAX = 0; // where something may be carried over, with what the last verdict found
export const COST = 2;
export const SUBJECT = 4;
const WORDS = 6;

export class Limits {
  #set = EMPTY;
  readonly #words = new Uint32Array(WORDS * LIMITS_MAX);
  #firsts: readonly number[] = EMPTY.firsts;
  /** The request's key if that is a name. */
  #keyName: Uint8Array | null = null;
  /** Whether some key is a name: its id is in the lanes once it was found, zero before. */
  hasNames = false;

  get count(): number {
    return this.#set.limits.length;
  }

  get hasOwnCosts(): boolean {
    return this.#set.hasOwnCosts;
  }

  /** What the list of limits says by itself. */
  get set(): LimitSet {
    return this.#set;
  }

  get areRolling(): boolean {
    return this.#set.areRolling;
  }

  /** How many limits have a window below a day, or a token bucket. */
  get fineCount(): number {
    return this.#set.fineCount;
  }

  /** Takes a set for a request with that key and cost. */
  use(
    set: LimitSet,
    keyLo: number,
    keyHi: number,
    costLo: number,
    costHi: number,
    keyName: Uint8Array | null = null,
  ): void {
    const words = this.#words;
    if (set !== this.#set) { // which the next request mostly has again
      this.#set = set;
      set.limits.forEach(({ max }, index) => words.set(max, WORDS * index + MAX));
    }
    for (let index = 0; index < set.limits.length; index++) {
      const { cost } = set.limits[index];
      const at = WORDS * index + COST;
      words[at] = cost === null ? costLo : cost[0];
      words[at + 1] = cost === null ? costHi : cost[1];
    }
    this.useKey(keyLo, keyHi, keyName);
  }

  /** Takes another key, a number or a name, for the limits that have none of their own. */
  useKey(lo: number, hi: number, name: Uint8Array | null = null): void {
    const { limits, hasOwnKeys, hasOwnNames, firsts } = this.#set;
    this.#keyName = name;
    this.hasNames = name !== null || hasOwnNames;
    const words = this.#words;
    for (let index = 0; index < limits.length; index++) {
      const { key } = limits[index];
      words[WORDS * index + SUBJECT] = key === null ? lo : key[0];
      words[WORDS * index + SUBJECT + 1] = key === null ? hi : key[1];
    }
    this.#firsts = hasOwnKeys ? limits.map((_, index) => this.#firstOf(index)) : firsts;
  }

  /** Adds what is carried over to the max of a limit; together they are below 2^64. */
  raise(index: number, carriedLo: number, carriedHi: number): void {
    const [lo, hi] = this.#set.limits[index].max;
    const sumLo = lo + carriedLo;
    const words = this.#words;
    words[WORDS * index + MAX] = sumLo;
    words[WORDS * index + MAX + 1] = hi + carriedHi + (sumLo > LANE_MAX ? 1 : 0);
  }

  lo(index: number, field: number): number {
    return this.#words[WORDS * index + field];
  }

  hi(index: number, field: number): number {
    return this.#words[WORDS * index + field + 1];
  }

  name(index: number): Uint8Array {
    return this.#set.limits[index].name;
  }

  /** The name that the key of a limit is; null: it is a number. */
  keyName(index: number): Uint8Array | null {
    if (!this.hasNames) return null;
    const { key, keyName = null } = this.#set.limits[index];
    return key === null ? this.#keyName : keyName;
  }

  /** Puts the id of a name there, for all limits on the counter of the first one. */
  identify(first: number, idLo: number, idHi: number): void {
    for (let index = first; index < this.count; index++) {
      if (this.#firsts[index] !== first) continue;
      this.#words[WORDS * index + SUBJECT] = idLo;
      this.#words[WORDS * index + SUBJECT + 1] = idHi;
    }
  }

  /** The key of a limit, as texts for people have it. */
  keyText(index: number): string {
    const name = this.keyName(index);
    if (name !== null) return JSON.stringify(new TextDecoder().decode(name));
    return String(u64ToBigInt(this.lo(index, SUBJECT), this.hi(index, SUBJECT)));
  }

  window(index: number): LimitWindow {
    return this.#set.limits[index].window;
  }

  /** The window of a limit, if it is below a day or a token bucket. */
  fine(index: number): FineWindow | null {
    return this.#set.fine[index];
  }

  /** Whether an earlier limit is on the same counter and sees the same charges. */
  isFineCharged(index: number): boolean {
    const { fine } = this.#set;
    for (let other = 0; other < index; other++) {
      if (this.first(other) === this.first(index) && fine[other]?.id === fine[index]?.id) {
        return true;
      }
    }
    return false;
  }

  /** The first limit on the same counter, perhaps itself. */
  first(index: number): number {
    return this.#firsts[index];
  }

  #firstOf(index: number): number {
    const { firsts } = this.#set;
    for (let other = 0; other < index; other++) {
      const isSame = firsts[other] === firsts[index] &&
        this.lo(other, SUBJECT) === this.lo(index, SUBJECT) &&
        this.hi(other, SUBJECT) === this.hi(index, SUBJECT) &&
        isSameName(this.keyName(other), this.keyName(index));
      if (isSame) return other;
    }
    return index;
  }
}

function isSameName(name: Uint8Array | null, other: Uint8Array | null): boolean {
  if (name === null || other === null) return name === other;
  return equals(name, other, 0, other.length);
}
