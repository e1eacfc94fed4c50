// The record of a request: nothing of one is there in the next.

import { assert, assertEquals } from "@std/assert";
import { DAY_MAX, Request } from "../../../lib/command/request.ts";

Deno.test("request: clear forgets all that a request may leave out", () => {
  const request = new Request();
  request.onceStart = 3;
  request.onceEnd = 5;
  request.printStart = 6;
  request.printEnd = 9;
  request.day = 20260101;
  request.hasRange = true;
  request.dayFrom = 20260101;
  request.dayTo = 20260102;
  request.details.set("stream", "s");
  assert(request.hasOnce);
  assertEquals(request.text("stream"), "s");
  request.clear();
  const fresh = new Request();
  for (const field of ["onceStart", "onceEnd", "printStart", "printEnd", "hasOnce"] as const) {
    assertEquals(request[field], fresh[field], field);
  }
  assertEquals([request.day, request.hasRange, request.dayFrom, request.dayTo], [
    ...[0, false, 0, DAY_MAX],
  ]);
  assertEquals(request.details.size, 0);
});
