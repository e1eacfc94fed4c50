// Window caches: that of the server's time zone, and one of each zone that requests have named lately.
//
// Invariant: a cache is of one zone. Trade-off: there are at most 256, of up to 150 KB if a client sends ever other
// windows, and a few KB otherwise; the one made first goes when another is needed, and costs some 30 µs to make again.

import type { Calendar, TimeZone } from "../host/mod.ts";
import { WindowCache } from "./window_cache.ts";

/** People live in some 350 zones that differ, most of them in few. */
const CACHES_MAX = 256;

export class WindowCaches {
  readonly #own: WindowCache;
  readonly #named = new Map<TimeZone, WindowCache>();

  /** `calendar` is that of the server's zone. */
  constructor(calendar: Calendar) {
    this.#own = new WindowCache(calendar);
  }

  /** The cache of a zone; null: the server's. */
  of(zone: TimeZone | null): WindowCache {
    return zone === null ? this.#own : this.#named.get(zone) ?? this.#make(zone);
  }

  #make(zone: TimeZone): WindowCache {
    if (this.#named.size >= CACHES_MAX) {
      const [oldest] = this.#named.keys();
      this.#named.delete(oldest);
    }
    const made = new WindowCache(zone);
    this.#named.set(zone, made);
    return made;
  }
}
