// Errors of the disk get a sentence that says what failed, once; all others pass as they are.

import { assertEquals, assertRejects } from "@std/assert";
import { assert as ours, AssertionFailed } from "../../lib/assert.ts";
import { asHostError, DamagedError, HostError, orHostError } from "../../lib/errors.ts";

Deno.test("errors: what the system says becomes a HostError with its cause", async () => {
  const cause = new Error("disk on fire");
  const error = await assertRejects(
    () => orHostError("File F could not be read", () => Promise.reject(cause)),
    HostError,
  );
  assertEquals(error.message, "File F could not be read: disk on fire");
  assertEquals([error.what, error.cause], ["File F could not be read", cause]);
  assertEquals(await orHostError("Nothing failed", () => Promise.resolve(7)), 7);
});

Deno.test("errors: damage, HostErrors and our own mistakes pass as they are", () => {
  const mistake = (() => {
    try {
      ours(false, "it never happens");
    } catch (error) {
      return error;
    }
  })();
  assertEquals(mistake instanceof AssertionFailed, true);
  for (const error of [new DamagedError("F is damaged"), new HostError("F", "gone"), mistake]) {
    assertEquals(asHostError("Something failed", error), error);
  }
});
