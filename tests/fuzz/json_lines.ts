// JSON texts for fuzzers: whatever JSON may be made of, and, when sloppy, what it may not.

import type { Random } from "../support/random.ts";

const DEPTH_MAX = 512;

const NUMBERS = [
  ...[
    0n,
    1n,
    9n,
    10n,
    1n << 31n,
    1n << 32n,
    1n << 53n,
    1n << 63n,
    1n << 64n,
    1n << 65n,
    10n ** 19n,
  ],
  ...[20260101n, 429496729n, 4294967290n, 1844674407370955161n, 18446744073709551610n, 10n ** 40n],
];

export class JsonLines {
  readonly #random: Random;
  /** Whether what is written may hold parts that are no JSON. */
  isSloppy = false;

  constructor(random: Random) {
    this.#random = random;
  }

  member(name: string, value: string): string {
    return `${this.string(name)}${this.space()}:${this.space()}${value}${this.space()}`;
  }

  value(depth: number): string {
    const random = this.#random;
    const kind = random.below(depth > 4 ? 6 : 9);
    if (kind < 2) return this.number();
    if (kind < 4) return this.anyString();
    if (kind < 6) return random.pick(["null", "true", "false"]);
    const items = Array.from({ length: random.below(4) }, () => this.value(depth + 1));
    if (kind < 7) return `[${this.space()}${items.join(`${this.space()},`)}]`;
    const members = items.map((item) =>
      this.member(random.pick(["key", "a", "command", ""]), item)
    );
    return `{${members.join(",")}}`;
  }

  /** Arrays and objects within each other, about as deep as is allowed. */
  deep(): string {
    const random = this.#random;
    const depth = DEPTH_MAX - 3 + random.below(6);
    let text = random.chance(0.5) ? "" : "1";
    let outer = "{";
    for (let level = 1; level < depth; level++) {
      outer = random.pick(["[", "{"]);
      text = outer === "[" ? `[${text}]` : `{"a":${text || 0}}`;
      if (random.chance(0.01)) text = `[[],${text}]`;
    }
    return random.chance(0.2) ? text : `{"command":"ping","x":${text}}`;
  }

  integer(): string {
    const random = this.#random;
    const near = random.pick(NUMBERS) + BigInt(random.below(5)) - 2n;
    return String(near < 0n || random.chance(0.2) ? random.u64() : near);
  }

  number(): string {
    const random = this.#random;
    const pick = (chance: number, right: string[], wrong: string[]) => {
      if (!random.chance(chance)) return "";
      return random.pick(this.isSloppy ? [...right, ...wrong] : right);
    };
    const sign = pick(0.15, ["-"], ["+", "--", "0", "-0"]);
    const fraction = pick(0.15, [".0", ".5", ".00000000001"], [".", ".5.5"]);
    const exponent = pick(0.15, ["e3", "E+5", "e-0", "e400"], ["e", "E-", "e1.5"]);
    return sign + this.integer() + fraction + exponent;
  }

  /** A string that stands for `text`, some of its characters escaped. */
  string(text: string): string {
    const random = this.#random;
    if (random.chance(0.8)) return `"${text}"`;
    const escaped = Array.from(text, (character) => {
      return random.chance(0.3) ? unicodeEscape(character.charCodeAt(0), random) : character;
    });
    return `"${escaped.join("")}"`;
  }

  anyString(): string {
    const parts = Array.from({ length: this.#random.below(6) }, () => this.#stringPart());
    return `"${parts.join("")}"`;
  }

  #stringPart(): string {
    const random = this.#random;
    const kind = random.below(this.isSloppy ? 7 : 5);
    if (kind === 0) {
      return random.pick(["t", "день", "日", "😀", " ", "\u007f", "\u2028", "{}[]:,"]);
    }
    if (kind === 1) return "\\" + random.pick([...'"\\/bfnrt']);
    if (kind === 2) {
      const high = unicodeEscape(0xd800 + random.below(0x400), random);
      return high + unicodeEscape(0xdc00 + random.below(0x400), random);
    }
    if (kind === 3) return unicodeEscape(random.below(0xd800), random);
    const edges = [0, 0x1f, 0x20, 0x22, 0x5c, 0x7f, 0x80, 0x7ff, 0x800, 0xd7ff, 0xe000, 0xffff];
    if (kind === 4) return unicodeEscape(random.pick(edges), random);
    if (kind === 5) return unicodeEscape(random.pick([0xd800, 0xdbff, 0xdc00, 0xdfff]), random);
    return random.pick(["\\a", "\\0", "\\x41", "\\'", "\\u12", "\\u 123", "\\ud800x", "\n", "\0"]);
  }

  space(): string {
    const random = this.#random;
    if (random.chance(0.9)) return "";
    const wrong = ["\u00a0", "\f", "\ufeff", "\u2028", "\0"];
    return random.pick([" ", "  ", "\t", "\r", "\n", " \t\r\n ", ...(this.isSloppy ? wrong : [])]);
  }

  /** The line with a few bytes changed, missing, added or said twice. */
  mutated(line: Uint8Array): Uint8Array {
    const random = this.#random;
    let bytes = [...line];
    for (let change = 1 + random.below(3); change > 0; change--) {
      const at = random.below(bytes.length + 1);
      const count = 1 + random.below(random.pick([1, 1, 4, 40]));
      switch (random.below(6)) {
        case 0:
          bytes[at] ^= 1 << random.below(8);
          break;
        case 1:
          bytes.splice(at, count);
          break;
        case 2:
          bytes.splice(at, 0, random.pick([...'"\\{}[]:,0-.eEu \t\n', "\0", "\xff"]).charCodeAt(0));
          break;
        case 3:
          bytes.splice(at, 0, ...bytes.slice(at, at + count));
          break;
        case 4:
          bytes = bytes.slice(0, at);
          break;
        default:
          bytes[at] = random.below(256);
      }
    }
    return Uint8Array.from(bytes);
  }
}

function unicodeEscape(unit: number, random: Random): string {
  const digits = unit.toString(16).padStart(4, "0");
  return "\\u" + (random.chance(0.5) ? digits : digits.toUpperCase());
}
