// Recorded transcripts (tests/golden) and what their replays share: reading them, the cases where
// ours answers otherwise on purpose, and comparing texts.
//
// Invariant: answers are compared as texts, byte for byte; what may vary is cut out of both, by its
// path, and nothing is read as a number, since integers go to 2^64-1. Trade-off: `masked` knows compact
// JSON only, which is what both protocols speak.

import { assert, assertEquals, assertNotEquals } from "@std/assert";

export interface Case {
  readonly line: number;
  readonly name: string;
  readonly send: string;
  readonly expect: string;
  /** Paths of what varies: `response.a`, `response.list[0].b`, `response.list[*].b`. */
  readonly volatile: readonly string[];
  readonly sleep_ms?: number;
  readonly after_ms?: number;
}

export interface Transcript {
  readonly name: string;
  readonly server_flags: readonly string[];
  readonly setup_files: Readonly<Record<string, string>>;
  readonly cases: readonly Case[];
}

/**
 * A case that ours answers otherwise, by a point of the project's design: with which text, made from
 * the recorded one where only a part of it is other, and what in it varies besides.
 */
export type Difference<Point extends string> = [
  line: number,
  name: string,
  point: Point,
  ours: string | ((recorded: string) => string),
  ...varies: string[],
];

/** Reads the transcript of that name in a directory (a URL that ends in a slash). */
export function readTranscript(directory: URL, name: string): Transcript {
  const text = Deno.readTextFileSync(new URL(`${name}.jsonl`, directory));
  const [head, ...cases] = text.trimEnd().split("\n").map((line) => JSON.parse(line));
  return {
    setup_files: {},
    ...head,
    name,
    cases: cases.map((row, index) => ({ ...row, line: index + 2 })),
  };
}

/** The case as ours must answer it. */
export function ours(row: Case, differences: readonly Difference<string>[]): Case {
  const difference = differences.find(([line]) => line === row.line);
  if (difference === undefined) return row;
  const [, , , text, ...varies] = difference;
  const expect = typeof text === "string" ? text : text(row.expect);
  // What varied in the recorded answer says nothing about an answer of our own.
  const volatile = typeof text === "string" ? [] : row.volatile;
  return { ...row, expect, volatile: [...volatile, ...varies] };
}

/** Asserts that every difference is one, and of the case that it names. */
export function checkDifferences(
  transcripts: readonly Transcript[],
  differences: Readonly<Record<string, readonly Difference<string>[]>>,
): void {
  for (const { name, cases } of transcripts) {
    for (const difference of differences[name]) {
      const row = cases[difference[0] - 2];
      assertEquals(row.name, difference[1], `${name}.jsonl:${difference[0]}`);
      const { expect, volatile } = ours(row, [difference]);
      assertNotEquals({ expect, volatile }, { expect: row.expect, volatile: row.volatile });
    }
  }
}

/** What is wrong with an answer to a case, for a reader; null if nothing is. */
export function mismatch(transcript: Transcript, row: Case, reply: string): string | null {
  const expected = masked(row.expect, row.volatile);
  const got = masked(reply, row.volatile);
  if (expected === got) return null;
  const at = firstDifference(expected, got);
  return `${transcript.name}.jsonl:${row.line} ${row.name}
  sent     ${excerpt(row.send, 0)}
  expected ${excerpt(expected, at)}
  got      ${excerpt(got, at)}`;
}

/** Asserts that nothing is wrong, and shows everything that is at once. */
export function assertNone(mismatches: readonly (string | null)[]): void {
  const found = mismatches.filter((one) => one !== null);
  assert(
    found.length === 0,
    `${found.length} answers are other than recorded\n${found.join("\n")}`,
  );
}

function firstDifference(one: string, other: string): number {
  let at = 0;
  while (at < one.length && one[at] === other[at]) at++;
  return at;
}

const SHOWN = 400;

/** A text, or so much of it around a position. */
function excerpt(text: string, at: number): string {
  if (text.length <= SHOWN) return JSON.stringify(text);
  const from = Math.max(0, Math.min(at - SHOWN / 2, text.length - SHOWN));
  return `${JSON.stringify(text.slice(from, from + SHOWN))} (from ${from} of ${text.length})`;
}

const SCALAR = /"(?:[^"\\]|\\.)*"|-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?|true|false|null/y;

/** A compact JSON text with a star for each value at one of the paths; any other text as it is. */
export function masked(text: string, paths: readonly string[]): string {
  const patterns = paths.map((path) => {
    const literal = path.replaceAll(/[.[\]*]/g, "\\$&").replaceAll("\\[\\*\\]", "\\[\\d+\\]");
    return new RegExp(`^${literal}$`);
  });
  let out = "";
  let shown = 0;
  let at = 0;

  const takes = (character: string) => text[at] === character && ++at > 0;
  const takeScalar = (): string => {
    SCALAR.lastIndex = at;
    const token = SCALAR.exec(text)?.[0] ?? "";
    at += token.length;
    return token;
  };
  const takeMembers = (path: string, isCovered: boolean): boolean => {
    do {
      const key = takeScalar();
      const inside = `${path}${path === "" ? "" : "."}${key.slice(1, -1)}`;
      if (key === "" || !takes(":") || !takeValue(inside, isCovered)) return false;
    } while (takes(","));
    return takes("}");
  };
  const takeElements = (path: string, isCovered: boolean): boolean => {
    let index = 0;
    do {
      if (!takeValue(`${path}[${index++}]`, isCovered)) return false;
    } while (takes(","));
    return takes("]");
  };
  const takeValue = (path: string, isCovered: boolean): boolean => {
    const start = at;
    const isMasked = !isCovered && patterns.some((pattern) => pattern.test(path));
    const within = isCovered || isMasked;
    const isThere = takes("{")
      ? takes("}") || takeMembers(path, within)
      : takes("[")
      ? takes("]") || takeElements(path, within)
      : takeScalar() !== "";
    if (isMasked) {
      out += `${text.slice(shown, start)}*`;
      shown = at;
    }
    return isThere;
  };

  return takeValue("", false) && at === text.length ? out + text.slice(shown) : text;
}

/** A listing of a whole tree with its counters in one order, where the order is free (9.4). */
export function sortedCounters(reply: string): string {
  const counters = reply.match(/"\d+":\{[^{}]*\}/g) ?? [];
  const inside = counters.join();
  assert(reply.includes(inside), "A find over a tree holds its counters and commas");
  return reply.replace(inside, counters.toSorted().join());
}

/** A time zone where it is noon: no day begins there while a test runs. */
export function noon(): { zone: string; today: number } {
  const now = new Date();
  const behind = now.getUTCHours() - 12;
  const zone = `Etc/GMT${behind < 0 ? "-" : "+"}${Math.abs(behind)}`;
  const there = new Date(now.getTime() - behind * 3_600_000);
  return { zone, today: Number(there.toISOString().slice(0, 10).replaceAll("-", "")) };
}

const encoder = new TextEncoder();

/** The bytes of a line, each a chunk of its own. */
export function byteByByte(line: string): Uint8Array[] {
  return Array.from(encoder.encode(line), (byte) => Uint8Array.of(byte));
}

/** The bytes of a line in two chunks. */
export function cutAt(at: number): (line: string) => Uint8Array[] {
  return (line) => {
    const bytes = encoder.encode(line);
    return [bytes.subarray(0, at), bytes.subarray(at)];
  };
}

/** The bytes of the longest request of a transcript, with CR LF. */
export function longestRequest({ cases }: Transcript): number {
  return Math.max(...cases.map(({ send }) => encoder.encode(`${send}\r\n`).length));
}
