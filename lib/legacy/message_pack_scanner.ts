// Takes MessagePack values, token by token, from bytes[at..end), without making objects.
//
// Invariant: no byte beyond the end is read, and lengths are compared with what is there before they
// are believed. Where a value goes beyond the end, SHORT is thrown.
// Trade-off: a throw costs microseconds, but it happens once a window, and every caller is spared a check.

/** Thrown where the bytes at hand end within a value. */
export const SHORT = new Error("The bytes at hand end within a value");

export class MessagePackScanner {
  bytes: Uint8Array = new Uint8Array(0);
  at = 0;
  #end = 0;
  /** The lanes of the last integer. */
  lo = 0;
  hi = 0;
  /** Where the last text begins; it ends at `at`. */
  start = 0;

  open(bytes: Uint8Array, at: number, end: number): void {
    this.bytes = bytes;
    this.at = at;
    this.#end = end;
  }

  /** Takes an unsigned integer, in whatever form. False: there is something else. */
  unsigned(): boolean {
    const form = this.#form();
    if (form < 0x80) {
      this.lo = form;
      this.hi = 0;
      this.at++;
      return true;
    }
    if (form < 0xcc || form > 0xd3) return false;
    const bytes = this.bytes;
    const at = this.at + 1;
    const width = 1 << (form & 3); // cc to cf are unsigned, d0 to d3 signed
    this.#need(1 + width);
    if (form >= 0xd0 && bytes[at] > 0x7f) return false; // below zero
    this.at = at + width;
    this.hi = width === 8 ? this.#lane(at) : 0;
    if (width >= 4) this.lo = this.#lane(at + width - 4);
    else this.lo = width === 2 ? bytes[at] << 8 | bytes[at + 1] : bytes[at];
    return true;
  }

  /** Takes the head of a map; returns how many pairs follow, or -1 when there is something else. */
  map(): number {
    return this.#head(0x80, 0xde);
  }

  /** Takes the head of an array; returns how many values follow, or -1 when there is something else. */
  array(): number {
    return this.#head(0x90, 0xdc);
  }

  /** Takes a string or a bin. False: there is something else. */
  text(): boolean {
    const form = this.#form();
    let length = form & 0x1f;
    if (form >= 0xc4 && form <= 0xc6) length = this.#length(1 << (form - 0xc4));
    else if (form >= 0xd9 && form <= 0xdb) length = this.#length(1 << (form - 0xd9));
    else if (form >= 0xa0 && form <= 0xbf) this.at++;
    else return false;
    this.start = this.at;
    this.#take(length);
    return true;
  }

  /** Takes a value of any kind; it counts what is to come, so that nesting takes no stack. */
  skip(): boolean {
    for (let values = 1; values > 0; values--) {
      const pairs = this.map();
      const items = pairs < 0 ? this.array() : 2 * pairs;
      if (items >= 0) values += items;
      else if (!this.text() && !this.#scalar()) return false;
    }
    return true;
  }

  /** Takes a value that is neither map, array nor text. False: no value begins so. */
  #scalar(): boolean {
    const form = this.#form();
    if (form === 0xc1) return false;
    if (form >= 0xc7 && form <= 0xc9) this.#take(this.#length(1 << (form - 0xc7)) + 1); // ext
    else if (form >= 0xd4 && form <= 0xd8) this.#take(2 + (1 << (form - 0xd4))); // fixext
    else if (form >= 0xcc && form <= 0xd3) this.#take(1 + (1 << (form & 3))); // integer
    else if (form === 0xca || form === 0xcb) this.#take(form === 0xca ? 5 : 9); // float
    else this.#take(1);
    return true;
  }

  #head(short: number, long: number): number {
    const form = this.#form();
    if (form === long || form === long + 1) return this.#length(form === long ? 2 : 4);
    if ((form & 0xf0) !== short) return -1;
    this.at++;
    return form & 0x0f;
  }

  /** Takes a form and the number in the `width` bytes behind it. */
  #length(width: number): number {
    this.#need(1 + width);
    let length = 0;
    for (let index = 1; index <= width; index++) {
      length = length * 256 + this.bytes[this.at + index];
    }
    this.at += 1 + width;
    return length;
  }

  #form(): number {
    if (this.at >= this.#end) throw SHORT;
    return this.bytes[this.at];
  }

  #take(count: number): void {
    this.#need(count);
    this.at += count;
  }

  #need(count: number): void {
    if (this.#end - this.at < count) throw SHORT;
  }

  #lane(at: number): number {
    const bytes = this.bytes;
    return (bytes[at] << 24 | bytes[at + 1] << 16 | bytes[at + 2] << 8 | bytes[at + 3]) >>> 0;
  }
}
