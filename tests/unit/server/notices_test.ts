// Notices: at most one line a second of each kind, and none is left out of the counts.

import { assertEquals } from "@std/assert";
import { Notices } from "../../../lib/server/notices.ts";

Deno.test("notices: the first is told at once, those that follow once a second with their number", () => {
  const told: string[] = [];
  const notices = new Notices((line) => told.push(line));
  const heard = () => told.splice(0);
  notices.note("Refused", "a", 5000);
  assertEquals(heard(), ["Refused: a"]);
  for (let at = 1; at < 1000; at++) notices.note("Refused", `${at}`, 5000 + at);
  notices.tick(5999);
  assertEquals(heard(), []);
  notices.tick(6000);
  assertEquals(heard(), ["Refused: 999 (999 times; this was the last)"]);
  notices.tick(7000);
  assertEquals(heard(), [], "nothing has happened since");
  notices.note("Refused", "b", 6500);
  notices.note("Lost", "c", 6500);
  assertEquals(heard(), ["Lost: c"], "another kind does not wait");
  notices.tick(7000);
  assertEquals(heard(), ["Refused: b"]);
});

Deno.test("notices: who happens to come when the second is over is told with those before", () => {
  const told: string[] = [];
  const notices = new Notices((line) => told.push(line));
  for (const at of [0, 10, 20, 1000]) notices.note("Refused", `${at}`, at);
  assertEquals(told, ["Refused: 0", "Refused: 1000 (3 times; this was the last)"]);
});
