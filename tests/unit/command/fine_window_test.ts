// Windows below a day: their cells, and how long they are seen.

import { assert, assertEquals } from "@std/assert";
import {
  fineWindow,
  fineWindowOf,
  firstCell,
  lastCell,
  leavesAt,
  tokenBucket,
} from "../../../lib/command/fine_window.ts";

const NOW = Date.UTC(2026, 10, 23, 12, 34, 56, 789);

Deno.test("fine window: an id tells the window, but for a burst", () => {
  const windows = [
    fineWindow("clock", 60),
    fineWindow("rolling", 100),
    fineWindow("first", 18_000),
    tokenBucket(30, 60, 0),
  ];
  for (const window of windows) assertEquals(fineWindowOf(window.id), window);
  assertEquals(tokenBucket(30, 60, 15).id, tokenBucket(30, 60, 3).id);
  for (const id of ["", "clock", "clock x", "staged 3", "rolling 60 "]) {
    assertEquals(fineWindowOf(id), null, id);
  }
});

Deno.test("fine window: a cell is seen from when it is charged until it leaves, and no longer", () => {
  for (const seconds of [1, 2, 59, 60, 61, 100, 3600, 172_800]) {
    for (const shape of ["clock", "rolling", "first"] as const) {
      const window = fineWindow(shape, seconds);
      const cell = Math.floor(NOW / window.cellMs);
      const leavesMs = leavesAt(window, cell);
      assert(firstCell(window, NOW) <= cell && cell <= lastCell(window, NOW));
      assert(firstCell(window, leavesMs - 1) <= cell, window.id);
      assertEquals(firstCell(window, leavesMs), cell + 1, window.id);
    }
  }
});

Deno.test("fine window: what is charged stays for the window's length and a sixtieth, or a second", () => {
  for (const seconds of [1, 59, 60, 61, 100, 5400, 172_800]) {
    const window = fineWindow("rolling", seconds);
    const spareMs = Math.max(1000, Math.ceil(1000 * seconds / 60));
    for (let ms = NOW; ms < NOW + 2 * spareMs; ms += Math.ceil(spareMs / 7)) {
      const heldMs = leavesAt(window, Math.floor(ms / window.cellMs)) - ms;
      assert(
        heldMs > 1000 * seconds && heldMs <= 1000 * seconds + spareMs,
        `${seconds}: ${heldMs}`,
      );
    }
  }
});
