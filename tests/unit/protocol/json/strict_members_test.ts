// Strict members: which lines have members that their operation refuses.

import { assertEquals } from "@std/assert";
import { lineOf } from "../../../../lib/bytes/line.ts";
import { OPERATIONS } from "../../../../lib/command/operation.ts";
import { RequestLine } from "../../../../lib/protocol/json/request_line.ts";
import { unknownMember } from "../../../../lib/protocol/json/strict_members.ts";

function unknown(id: string, text: string): string | null {
  const line = new RequestLine();
  assertEquals(line.scan(lineOf(new TextEncoder().encode(text))), true);
  return unknownMember(line, OPERATIONS.find((operation) => operation.id === id)!);
}

Deno.test("strict members: what an operation does not know, by its name", () => {
  const every = '"v":2,"op":"o","token":"t","id":1,"keys_as":"text","numbers_as":"text"';
  const once = '"idempotency_key":"k","fingerprint":"f","idempotency_created_at_unix":1';
  const consume = `{${every},${once},"key":1,"cost":1,"limits":[],"timezone":"UTC","mode":"force"`;
  assertEquals(unknown("consume", `${consume},"receipt":true,"reply":"brief"}`), null);
  assertEquals(unknown("consume", `${consume},"Key":2}`), "Key");
  assertEquals(unknown("consume", `${consume},"amount":2}`), "amount");
  assertEquals(unknown("consume", `{"b":1,"a":1}`), "b");
  assertEquals(unknown("refund", `{${every},"receipt":"r","amount":1}`), null);
  assertEquals(unknown("checkLimits", `{"keys":[],"wants":1}`), "wants");
  assertEquals(unknown("increment", `{"a":1}`), null, "as in Karma 1.x");
});

Deno.test("strict members: the operations on limits are the strict ones", () => {
  for (const { id, isStrict, v2 } of OPERATIONS) {
    assertEquals(isStrict === true, v2?.ops[0].startsWith("limit.") ?? false, id);
  }
});
