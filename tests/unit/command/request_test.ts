// The record of a request: nothing of one is there in the next.

import { assert, assertEquals } from "@std/assert";
import { DAY_MAX, Request } from "../../../lib/command/request.ts";

Deno.test("request: clear forgets all that a request may leave out", () => {
  const request = new Request();
  request.idempotencyKeyStart = 3;
  request.idempotencyKeyEnd = 5;
  request.fingerprintStart = 6;
  request.fingerprintEnd = 9;
  request.day = 20260101;
  request.hasRange = true;
  request.dayFrom = 20260101;
  request.dayTo = 20260102;
  request.details.set("stream", "s");
  assert(request.hasIdempotencyKey);
  assertEquals(request.text("stream"), "s");
  request.clear();
  const fresh = new Request();
  for (
    const field of [
      "idempotencyKeyStart",
      "idempotencyKeyEnd",
      "fingerprintStart",
      "fingerprintEnd",
      "hasIdempotencyKey",
    ] as const
  ) {
    assertEquals(request[field], fresh[field], field);
  }
  assertEquals([request.day, request.hasRange, request.dayFrom, request.dayTo], [
    ...[0, false, 0, DAY_MAX],
  ]);
  assertEquals(request.details.size, 0);
});
