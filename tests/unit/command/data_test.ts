// Numbers that are written with a point.

import { assertEquals } from "@std/assert";
import { Real } from "../../../lib/command/data.ts";

const REALS: [value: number, text: string][] = [
  [0, "0.0"],
  [-0, "0.0"],
  [1, "1.0"],
  [-3, "-3.0"],
  [1.5, "1.5"],
  [0.1 + 0.2, "0.30000000000000004"],
  [1700000000, "1700000000.0"],
  [2 ** 53, "9007199254740992.0"],
  [1e-7, "1e-7"],
  [1e21, "1e+21"],
  [5e-324, "5e-324"],
];

Deno.test("data: reals have a point, and are read as the same number", () => {
  for (const [value, text] of REALS) {
    assertEquals(String(new Real(value)), text);
    assertEquals(JSON.parse(text), value === 0 ? 0 : value);
  }
});
