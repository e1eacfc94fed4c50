// The dump finder: which dump a tree is restored from, its named counters among them.
//
// Invariant: a named tree is taken from the dump that its owner was restored from last, and only once.
// Trade-off: what of a dump is for a named tree is kept until the log comes to that tree, which may be much later.

import type { DumpStore, NewestDump } from "../dump/mod.ts";
import { ownerSerialOf } from "../tree/mod.ts";
import type { Rescue } from "./rescue.ts";

export class DumpFinder {
  readonly #dumps: DumpStore;
  readonly #log: string;
  /** Set where damage is tolerated. */
  readonly #rescue: Rescue | null;
  /** Named trees that dumps of their owners had, by the owner's serial. */
  readonly #named = new Map<number, NewestDump>();

  constructor(dumps: DumpStore, log: string, rescue: Rescue | null) {
    this.#dumps = dumps;
    this.#log = log;
    this.#rescue = rescue;
  }

  /** The dump of a tree that must hold the records up to `held`; null: there is none. See `Rescue.find`. */
  async find(
    name: string,
    serial: number,
    held: number,
    isNeeded: boolean,
  ): Promise<NewestDump | null> {
    const ownerSerial = ownerSerialOf(name);
    if (ownerSerial >= 0) {
      const part = this.#named.get(ownerSerial) ?? null;
      this.#named.delete(ownerSerial);
      return part;
    }
    const dumped = this.#rescue === null
      ? await this.#dumps.find(name, this.#log, serial)
      : await this.#rescue.find(name, this.#log, serial, held, isNeeded);
    if (dumped === null) return null;
    const { file, named } = dumped;
    if (named === null) this.#named.delete(serial);
    else this.#named.set(serial, { file, ...named, named: null });
    return dumped;
  }

  /** Whether it is known that no dump is there that may be of a tree of that name. */
  hasNone(name: string): boolean {
    const ownerSerial = ownerSerialOf(name);
    return ownerSerial >= 0 ? !this.#named.has(ownerSerial) : this.#dumps.hasNone(name);
  }
}
