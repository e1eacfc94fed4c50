// Schemas of fields: each operation has one, and what is required of it is what decoding requires.

import { assert, assertEquals } from "@std/assert";
import { OPERATIONS } from "../../../../lib/command/operation.ts";
import { schemaOf } from "../../../../lib/protocol/json/field_schemas.ts";
import { Asker } from "../../../support/asker.ts";

Deno.test("field schemas: what a schema requires is what decoding misses first", () => {
  const asker = new Asker();
  for (const { fields, v2 } of OPERATIONS) {
    const { required = [] } = schemaOf(fields, false) as { required?: string[] };
    const told = asker.ask(JSON.stringify({ v: 2, op: v2!.ops[0] }));
    const missed = /^validation_error Field ([\w ]+?) (is|are) required/.exec(told)?.[1] ?? null;
    if (missed === null) assertEquals(required, [], v2!.label);
    // One of several fields is what a schema cannot require.
    else {assert(
        missed.split(" or ").some((name) => required.includes(name)) || missed.includes(" or "),
      );}
  }
});

Deno.test("field schemas: an idempotency key is there only where it is asked for", () => {
  assertEquals(schemaOf([], false), { type: "object", properties: {} });
  const { properties } = schemaOf([], true) as { properties: Record<string, unknown> };
  assertEquals(Object.keys(properties), ["idempotency_key"]);
});
