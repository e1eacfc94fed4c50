// Finds which of a fixed set of names some bytes are, without making a string of them.
//
// Invariant: `find` returns the index of the name that equals the bytes, or -1.

const encoder = new TextEncoder();

export class NameTable {
  readonly #names: Uint8Array[];
  /** Index + 1 of a name by hash, open addressing; at most a quarter full. */
  readonly #slots: Uint16Array;

  constructor(names: readonly string[]) {
    this.#names = names.map((name) => encoder.encode(name));
    this.#slots = new Uint16Array(1 << (34 - Math.clz32(names.length)));
    this.#names.forEach((name, index) => {
      let slot = this.#slot(name, 0, name.length);
      while (this.#slots[slot] !== 0) slot = (slot + 1) & (this.#slots.length - 1);
      this.#slots[slot] = index + 1;
    });
  }

  find(bytes: Uint8Array, start: number, end: number): number {
    const mask = this.#slots.length - 1;
    for (let slot = this.#slot(bytes, start, end);; slot = (slot + 1) & mask) {
      const index = this.#slots[slot] - 1;
      if (index < 0 || equals(this.#names[index], bytes, start, end)) return index;
    }
  }

  #slot(bytes: Uint8Array, start: number, end: number): number {
    if (start === end) return 0;
    const mixed = (end - start) * 31 + bytes[start] * 7 + bytes[end - 1] * 3;
    return mixed & (this.#slots.length - 1);
  }
}

/** Whether bytes[start..end) are those of `name`. */
export function equals(name: Uint8Array, bytes: Uint8Array, start: number, end: number): boolean {
  if (name.length !== end - start) return false;
  for (let at = 0; at < name.length; at++) if (name[at] !== bytes[start + at]) return false;
  return true;
}
