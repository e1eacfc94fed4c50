// The time zones that requests have named.
//
// Invariant: a name means one zone, whatever the case of its letters, so there are no more zones than the database of
// zones has names: some 600, 40 KB each. Names that it does not have are not kept. Offsets (`+02:00`) are no names:
// who lives by one has a zone, and its days change with its clocks.
// Trade-off: zones are found by the bytes of their names, as they were spelled lately, in a table of fixed size.

import { equals } from "../bytes/mod.ts";
import { TimeZone } from "../host/mod.ts";

/** Places for spellings, as a power of two. */
const PLACES = 1024;
const PLACES_SHIFT = 22;

/** The longest name, America/Argentina/ComodRivadavia, has 32 bytes. */
const NAME = /^[a-z][a-z0-9_+\-/]{0,63}$/;

const decoder = new TextDecoder();

interface Spelling {
  readonly bytes: Uint8Array;
  readonly zone: TimeZone;
}

export class TimeZones {
  readonly #spellings: (Spelling | null)[] = Array(PLACES).fill(null);
  readonly #zones = new Map<string, TimeZone>();

  /** The zone whose name the bytes are; null: there is none. */
  find(bytes: Uint8Array, start: number, end: number): TimeZone | null {
    const place = placeOf(bytes, start, end);
    const known = this.#spellings[place];
    if (known !== null && equals(known.bytes, bytes, start, end)) return known.zone;
    const zone = this.#named(decoder.decode(bytes.subarray(start, end)).toLowerCase());
    if (zone !== null) this.#spellings[place] = { bytes: bytes.slice(start, end), zone };
    return zone;
  }

  #named(name: string): TimeZone | null {
    const known = this.#zones.get(name);
    if (known !== undefined || !NAME.test(name)) return known ?? null;
    // `local` is no name of the database, but TimeZone's for the machine's own zone.
    const zone = name === "local" ? null : zoneOf(name);
    if (zone !== null) this.#zones.set(name, zone);
    return zone;
  }
}

function zoneOf(name: string): TimeZone | null {
  try {
    return new TimeZone(name);
  } catch (error) {
    if (error instanceof RangeError) return null;
    throw error;
  }
}

function placeOf(bytes: Uint8Array, start: number, end: number): number {
  let hash = 0;
  for (let at = start; at < end; at++) hash = Math.imul(hash, 31) + bytes[at] | 0;
  return Math.imul(hash, 0x9e3779b1) >>> PLACES_SHIFT;
}
