// The catalogue: which trees there are. Every segment of the log begins with it, so that the log
// can be read from there on.
//
//   next serial (2) | trees | for each: number | serial (2) | bytes of the name | name ... | 1
//
// The last word says that what is in the registry then is in a dump of it; logs of before there was
// one end without it.
// All words are little endian, names are filled up with zeros to whole words.

import { LANE } from "../bytes/u64.ts";
import { DamagedError } from "../errors.ts";
import type { Forest } from "../tree/forest.ts";

export interface Catalogue {
  readonly nextSerial: number;
  /** In the order of their creation. */
  readonly trees: readonly { number: number; serial: number; name: string }[];
  /** Whether the log goes on from a dump of the registry. */
  readonly hasRegistry: boolean;
}

/** What `decodeCatalogue` reads back. */
export function encodeCatalogue(forest: Forest): Uint8Array<ArrayBuffer> {
  const trees = forest.trees();
  const sizes = trees.map(({ nameBytes }) => 4 + Math.ceil(nameBytes.length / 4));
  const words = new Uint32Array(sizes.reduce((sum, size) => sum + size, 4));
  const bytes = new Uint8Array(words.buffer);
  words.set([forest.nextSerial % LANE, Math.floor(forest.nextSerial / LANE), trees.length]);
  let at = 3;
  trees.forEach(({ number, serial, nameBytes }, index) => {
    words.set([number, serial % LANE, Math.floor(serial / LANE), nameBytes.length], at);
    bytes.set(nameBytes, 4 * (at + 4));
    at += sizes[index];
  });
  words[at] = 1;
  return bytes;
}

/** Reads a catalogue from bytes whose checksum was right. */
export function decodeCatalogue(bytes: Uint8Array): Catalogue {
  const words = new Uint32Array(bytes.slice().buffer);
  const decoder = new TextDecoder("utf-8", { ignoreBOM: true });
  const trees: { number: number; serial: number; name: string }[] = [];
  let at = 3;
  while (trees.length < words[2]) {
    if (at + 4 > words.length) throw new DamagedError("its catalogue of trees is incomplete");
    const [number, lo, hi, length] = words.subarray(at, at + 4);
    const name = decoder.decode(bytes.subarray(4 * (at + 4), 4 * (at + 4) + length));
    trees.push({ number, serial: hi * LANE + lo, name });
    at += 4 + Math.ceil(length / 4);
  }
  return { nextSerial: words[1] * LANE + words[0], trees, hasRegistry: words[at] === 1 };
}
