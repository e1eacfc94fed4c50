// A window on a file that is read from its beginning: contiguous bytes of it, moving forward.
//
//   bytes  | passed | not yet taken        | unused |
//                   '- at                  '- end
//
// Invariant: bytes[at..end) are the file's bytes from `offset` on. Memory is bounded by the largest piece that is asked
// for at once, not by the file. For a small file it is small, since ten thousand of them may be open.

import type { Reading } from "./disk.ts";

/** Bytes of one read: large enough that a read costs little beside what is done with it. */
const READ_BYTES = 262144;

/** Room behind a small file for the read that meets its end, and for what is first asked for. */
const SPARE_BYTES = 1024;

export class ReadWindow {
  readonly #file: Reading;
  bytes: Uint8Array<ArrayBuffer>;
  at = 0;
  end = 0;
  #endOffset = 0;
  #ended = false;

  /** On a file, or on all of its bytes, which were read already. */
  constructor(file: Reading | Uint8Array<ArrayBuffer>) {
    if (file instanceof Uint8Array) {
      this.#file = { size: file.length, read: () => Promise.resolve(null), close: () => {} };
      this.bytes = file;
      this.end = this.#endOffset = file.length;
      this.#ended = true;
      return;
    }
    this.#file = file;
    const size = 8 * Math.ceil(file.size / 8) + SPARE_BYTES; // whole words: some look at it by them
    this.bytes = new Uint8Array(Math.min(2 * READ_BYTES, size));
  }

  /** Where in the file bytes[at] is. */
  get offset(): number {
    return this.#endOffset - (this.end - this.at);
  }

  /** Bytes of the file from `at` on, if it has not changed since it was opened. */
  get left(): number {
    return this.#file.size - this.offset;
  }

  /** Reads on until `count` bytes are there from `at` on. False: the file ends before. */
  async fill(count: number): Promise<boolean> {
    while (this.end - this.at < count) {
      if (this.#ended) return false;
      this.#makeSpace(count);
      const read = await this.#file.read(this.bytes.subarray(this.end));
      if (read === null) this.#ended = true;
      else {
        this.end += read;
        this.#endOffset += read;
      }
    }
    return true;
  }

  #makeSpace(count: number): void {
    if (this.at + count <= this.bytes.length && this.end < this.bytes.length) return;
    const size = Math.max(this.bytes.length, count + READ_BYTES);
    const target = size > this.bytes.length ? new Uint8Array(size) : this.bytes;
    if (target === this.bytes) target.copyWithin(0, this.at, this.end);
    else target.set(this.bytes.subarray(this.at, this.end));
    this.bytes = target;
    this.end -= this.at;
    this.at = 0;
  }
}
