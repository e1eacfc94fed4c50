// Verdicts as they are told: numbers to 2^64-1, what remains, and the moments that there are.

import { assert, assertEquals } from "@std/assert";
import { SendBuffer } from "../../../../lib/bytes/send_buffer.ts";
import { highLane, lowLane } from "../../../../lib/bytes/u64.ts";
import { Limits, LimitSet } from "../../../../lib/command/limits.ts";
import { NEVER, Verdict } from "../../../../lib/command/verdict.ts";
import { VerdictWriter } from "../../../../lib/protocol/json/verdict.ts";

const DAY_MS = 86_400_000;
const U64_MAX = (1n << 64n) - 1n;
const NOW = Date.UTC(2026, 10, 22, 23, 59, 59, 999);
const encoder = new TextEncoder();

const lanes = (value: bigint): [number, number] => [lowLane(value), highLane(value)];

/** A verdict on limits of which so much is used, of which nothing else is known. */
function verdictOn(...limits: [series: string, max: bigint, used: bigint][]): Verdict {
  const all = new Limits();
  const window = { kind: "day" } as const;
  const set = new LimitSet(limits.map(([series, max]) => {
    return {
      name: encoder.encode(series),
      window,
      max: lanes(max),
      cost: null,
      key: null,
      carry: null,
    };
  }));
  all.use(set, 1, 0, 1, 0);
  const verdict = new Verdict();
  verdict.begin(all, NOW);
  limits.forEach(([, , used], index) => {
    verdict.used.set(lanes(used), 2 * index);
    verdict.hasRefused[index] = false;
    verdict.resetsAtMs[index] = verdict.retryAtMs[index] = NEVER;
  });
  return verdict;
}

function text(verdict: Verdict): string {
  const out = new SendBuffer(16);
  new VerdictWriter().write(verdict, out);
  return new TextDecoder().decode(out.view(0));
}

Deno.test("verdict: what remains is what the limit leaves, and never less than nothing", () => {
  const REMAINING: [max: bigint, used: bigint, remaining: bigint][] = [
    [10n, 3n, 7n],
    [10n, 10n, 0n],
    [10n, 11n, 0n],
    [0n, U64_MAX, 0n],
    [U64_MAX, 0n, U64_MAX],
    [U64_MAX, U64_MAX, 0n],
    [U64_MAX - 1n, U64_MAX, 0n],
    [1n << 32n, 1n, 0xffffffffn],
    [(1n << 32n) + 1n, 0xffffffffn, 2n],
    [3n << 32n, (1n << 32n) + 1n, 0x1ffffffffn],
    [1n << 32n, (1n << 32n) + 1n, 0n],
  ];
  for (const [max, used, remaining] of REMAINING) {
    const expected = `{"series":"s","max":${max},"used":${used},"remaining":${remaining},` +
      `"resets_at":null,"resets_in_ms":null}`;
    const told = text(verdictOn(["s", max, used]));
    assertEquals(told, `{"allowed":false,"applied":0,"denied_by":null,"limits":[${expected}]}`);
  }
});

Deno.test("verdict: an admission, with a receipt and names that need escapes", () => {
  const verdict = verdictOn(['a "b"', 5n, 1n], ["é", 5n, 1n]);
  verdict.isAllowed = true;
  verdict.applied.set(lanes(U64_MAX));
  verdict.resetsAtMs[1] = Date.UTC(2026, 10, 23);
  verdict.receipt = "r-1";
  assertEquals(
    text(verdict),
    `{"allowed":true,"applied":${U64_MAX},"denied_by":null,"limits":[` +
      '{"series":"a \\"b\\"","max":5,"used":1,"remaining":4,"resets_at":null,"resets_in_ms":null},' +
      '{"series":"é","max":5,"used":1,"remaining":4,"resets_at":"2026-11-23T00:00:00Z",' +
      '"resets_in_ms":1}],"receipt":"r-1"}',
  );
});

Deno.test("verdict: limits that refused, and only they, tell when to come again", () => {
  const verdict = verdictOn(["a", 5n, 5n], ["b", 5n, 5n], ["c", 9n, 5n]);
  verdict.deniedBy = 0;
  verdict.hasRefused[0] = verdict.hasRefused[1] = true;
  verdict.retryAtMs[1] = Date.UTC(2027, 0, 1);
  verdict.retryAtMs[2] = Date.UTC(2027, 0, 2);
  const row = (series: string, max: number, rest: string) =>
    `{"series":"${series}","max":${max},"used":5,"remaining":${max - 5},` +
    `"resets_at":null,"resets_in_ms":null${rest}}`;
  const limits = [
    row("a", 5, ',"retry_at":null,"retry_after_ms":null'),
    row("b", 5, `,"retry_at":"2027-01-01T00:00:00Z","retry_after_ms":${39 * DAY_MS + 1}`),
    row("c", 9, ""),
  ];
  const head = `{"allowed":false,"applied":0,"denied_by":0,"limits":[${limits}]`;
  assertEquals(text(verdict), `${head},"retry_after_ms":null}`);
  verdict.retryAtMs[0] = NOW + 5;
  assertEquals(text(verdict).slice(-30), `],"retry_after_ms":${39 * DAY_MS + 1}}`);
});

Deno.test("verdict: another begins without the receipt of the one before", () => {
  const verdict = verdictOn(["a", 5n, 5n]);
  verdict.receipt = "r-1";
  verdict.begin(new Limits(), NOW);
  assertEquals(text(verdict), '{"allowed":false,"applied":0,"denied_by":null,"limits":[]}');
});

Deno.test("verdict: what is carried over is told, and remains", () => {
  const TABLE: [max: bigint, carried: bigint, used: bigint, remaining: bigint][] = [
    [10n, 5n, 3n, 12n],
    [10n, 0n, 3n, 7n],
    [10n, 5n, 15n, 0n],
    [10n, 5n, 16n, 0n],
    [(1n << 32n) - 1n, 2n, 0n, (1n << 32n) + 1n],
    [1n, U64_MAX - 1n, 0n, U64_MAX],
  ];
  for (const [max, carried, used, remaining] of TABLE) {
    const verdict = verdictOn(["s", max, used]);
    const [limit] = verdict.limits.set.limits;
    const all = new Limits();
    all.use(new LimitSet([{ ...limit, carry: lanes(U64_MAX) }]), 1, 0, 1, 0);
    verdict.begin(all, NOW);
    verdict.carried.set(lanes(carried));
    const expected = `{"series":"s","max":${max},"carried":${carried},"used":${used},` +
      `"remaining":${remaining},"resets_at":null,"resets_in_ms":null}`;
    assertEquals(
      text(verdict),
      `{"allowed":false,"applied":0,"denied_by":null,"limits":[${expected}]}`,
    );
    assert(text(verdict).length < new VerdictWriter().bytesMax(all));
  }
});
