// Prepares requests: files of them for load.c, from templates and a seed.
//
// A template is a request without its terminator, each %K in it a key, as kload has it: one that begins
// with `*` is split at blanks and becomes a RESP array. Invariant: the same templates, keys and seed give
// the same file. The trade: a file is used again from its start, so a long run repeats its keys; files
// are long enough for every key to come up several times, or for two million of the largest trees'.

import { Random } from "../support/random.ts";

/** 1 to `count`, all as often, or by Zipf's law: the second half as often as the first (s = 1). */
export type Spread = "uniform" | "zipf";

/** A request that is repeated with other keys. */
export interface Template {
  readonly text: string;
  /** How many line feeds its reply has. */
  readonly lines: number;
  /** Of ten requests, how many are of this kind. */
  readonly tenths: number;
}

const SEED = 20261123;
const BUFFER_BYTES = 1 << 22;
/** Takes ranks to keys, so that the most frequent are no neighbours: a prime, and no multiple counts. */
const SCATTER = 1_073_741_789;

/** Keys in the order in which they are asked about. */
export function keys(count: number, spread: Spread): () => number {
  const random = new Random(SEED);
  if (spread === "uniform") return () => 1 + random.below(count);
  const fraction = () => random.below(2 ** 32) / 2 ** 32;
  return () => {
    for (;;) {
      // Ranks are drawn by ln(1 + 1/rank), which is easily inverted, and kept by how 1/rank differs.
      const rank = Math.floor((count + 1) ** fraction());
      if (fraction() < Math.LN2 / (rank * Math.log1p(1 / rank))) return 1 + rank * SCATTER % count;
    }
  };
}

/** The bytes of a request, as text; they are ASCII. */
export function render(template: string, key: () => number): string {
  const parts = template.split("%K");
  let text = parts[0];
  for (let index = 1; index < parts.length; index++) text += key() + parts[index];
  if (!text.startsWith("*")) return text + "\n";
  const words = text.slice(1).split(" ");
  return `*${words.length}\r\n` + words.map((word) => `$${word.length}\r\n${word}\r\n`).join("");
}

/** Writes a file of requests as load.c wants it. */
export class RequestFile implements Disposable {
  readonly #file: Deno.FsFile;
  readonly #bytes = new Uint8Array(BUFFER_BYTES);
  readonly #view = new DataView(this.#bytes.buffer);
  readonly #encoder = new TextEncoder();
  #at = 0;

  constructor(path: string) {
    this.#file = Deno.openSync(path, { write: true, create: true, truncate: true });
  }

  add(text: string, lines: number): void {
    if (this.#at + 8 + text.length > BUFFER_BYTES) this.#flush();
    this.#view.setUint32(this.#at, text.length, true);
    this.#view.setUint32(this.#at + 4, lines, true);
    this.#encoder.encodeInto(text, this.#bytes.subarray(this.#at + 8));
    this.#at += 8 + text.length;
  }

  #flush(): void {
    for (let at = 0; at < this.#at;) at += this.#file.writeSync(this.#bytes.subarray(at, this.#at));
    this.#at = 0;
  }

  [Symbol.dispose](): void {
    this.#flush();
    this.#file.close();
  }
}

/** A file of `count` requests, each of a kind that the seed chooses. */
export function prepare(
  path: string,
  templates: readonly Template[],
  count: number,
  key: () => number,
): void {
  const kinds = templates.flatMap((template) => Array<Template>(template.tenths).fill(template));
  const random = new Random(SEED + 1);
  using file = new RequestFile(path);
  for (let index = 0; index < count; index++) {
    const { text, lines } = random.pick(kinds);
    file.add(render(text, key), lines);
  }
}
