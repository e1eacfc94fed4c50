// Fractions and exponents: where they end, and what no double can hold.

import { assertEquals } from "@std/assert";
import { fractionEnd, isInfinite } from "../../../lib/bytes/json_number.ts";

const encoder = new TextEncoder();

// `|` stands where the fraction begins, `^` where it ends or is wrong.
const ENDS: [marked: string, isGood: boolean][] = [
  ["1|.5^", true],
  ["1|.50^,", true],
  ["0|.0^]", true],
  ["1|e5^", true],
  ["1|E+5^ ", true],
  ["1|e-05^}", true],
  ["1|.5e10^", true],
  ["1|.5E-10^x", true],
  ["1|.5^.5", true],
  ["1|e5^.5", true],
  ["1|e5^e5", true],
  ["1|.^", false],
  ["1|.^e5", false],
  ["1|.^-5", false],
  ["1|.^.5", false],
  ["1|e^", false],
  ["1|e+^", false],
  ["1|e-^x", false],
  ["1|e+^-5", false],
  ["1|.5e^", false],
  ["1|.5E+^,", false],
  ["1|e^.5", false],
];

Deno.test("json_number: where a fraction ends, or is wrong", () => {
  for (const [marked, isGood] of ENDS) {
    const text = marked.replace(/[|^]/g, "");
    const begin = marked.indexOf("|");
    const end = marked.indexOf("^") - 1;
    // What lies behind the end does not count.
    const bytes = encoder.encode(`${text}5e5`);
    assertEquals(fractionEnd(bytes, begin, text.length), isGood ? end : ~end, marked);
  }
});

const NUMBERS = [
  ...["1e308", "1e309", "-1e309", "1.7976931348623157e308", "1.7976931348623159e308"],
  ...["0e999", "0.0e999999", "1e-999", "0.1e309", "0.01e309", "100e307", "1000e305", "1E+400"],
  ...[`${"9".repeat(308)}.5`, `${"9".repeat(309)}.5`, `${"9".repeat(400)}.0`],
  ...[`0.${"9".repeat(400)}`, `0.${"0".repeat(400)}1e401`, `-${"9".repeat(320)}.5`],
  ...[`${"1".repeat(310)}e-10`, `${"1".repeat(310)}.5e10`, `1${"0".repeat(298)}.5`],
];

Deno.test("json_number: what is too large for a double", () => {
  for (const text of NUMBERS) {
    const bytes = encoder.encode(`9${text}9`);
    assertEquals(isInfinite(bytes, 1, bytes.length - 1), !Number.isFinite(Number(text)), text);
  }
});
