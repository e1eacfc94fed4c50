// Writes dumps as the first Karma did: `{branches_num, branches: [{key: {table: {day: value}, total}}]}`
// in MessagePack, each key in branch key mod 9, every integer in its shortest form.
//
// For tests only, hence the trade: whole dumps are put together in memory.

const BRANCHES = 9;

export type Days = ReadonlyMap<number, bigint>;

/** A dump of counters, in their order. */
export function originalDump(counters: Iterable<[key: bigint, days: Days]>): Uint8Array {
  const branches = Array.from({ length: BRANCHES }, () => new Bytes());
  const counts = new Array<number>(BRANCHES).fill(0);
  for (const [key, days] of counters) {
    const index = Number(key % BigInt(BRANCHES));
    counts[index]++;
    writeCounter(branches[index], key, days);
  }
  const dump = new Bytes();
  dump.map(2);
  dump.text("branches_num");
  dump.integer(BigInt(BRANCHES));
  dump.text("branches");
  dump.byte(0x90 | BRANCHES);
  branches.forEach((branch, index) => {
    dump.map(counts[index]);
    dump.append(branch);
  });
  return dump.written();
}

function writeCounter(out: Bytes, key: bigint, days: Days): void {
  let total = 0n;
  out.integer(key);
  out.map(2);
  out.text("table");
  out.map(days.size);
  for (const [day, value] of days) {
    out.integer(BigInt(day));
    out.integer(value);
    total += value;
  }
  out.text("total");
  out.integer(total);
}

/** MessagePack, as far as such dumps need it. */
class Bytes {
  #bytes = new Uint8Array(1024);
  #length = 0;

  written(): Uint8Array {
    return this.#bytes.subarray(0, this.#length);
  }

  append(other: Bytes): void {
    this.#reserve(other.#length);
    this.#bytes.set(other.written(), this.#length);
    this.#length += other.#length;
  }

  byte(byte: number): void {
    this.#reserve(1);
    this.#bytes[this.#length++] = byte;
  }

  text(text: string): void {
    this.byte(0xa0 | text.length);
    for (let at = 0; at < text.length; at++) this.byte(text.charCodeAt(at));
  }

  map(size: number): void {
    if (size < 16) this.byte(0x80 | size);
    else if (size < 1 << 16) this.#sized(0xde, BigInt(size), 2);
    else this.#sized(0xdf, BigInt(size), 4);
  }

  integer(value: bigint): void {
    if (value < 0x80n) this.byte(Number(value));
    else if (value < 0x100n) this.#sized(0xcc, value, 1);
    else if (value < 0x10000n) this.#sized(0xcd, value, 2);
    else if (value < 0x100000000n) this.#sized(0xce, value, 4);
    else this.#sized(0xcf, value, 8);
  }

  /** A type's byte and a number, big endian. */
  #sized(type: number, value: bigint, size: number): void {
    this.byte(type);
    for (let shift = 8 * (size - 1); shift >= 0; shift -= 8) {
      this.byte(Number(value >> BigInt(shift) & 0xffn));
    }
  }

  #reserve(count: number): void {
    if (this.#length + count <= this.#bytes.length) return;
    const larger = new Uint8Array(2 * (this.#bytes.length + count));
    larger.set(this.written());
    this.#bytes = larger;
  }
}
