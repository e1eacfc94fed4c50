// The version is written twice, because a compiled binary has no deno.json to read it from.

import { assertEquals } from "@std/assert";
import { VERSION } from "../../lib/version.ts";
import settings from "../../deno.json" with { type: "json" };

Deno.test("version: the same in lib/version.ts and deno.json", () => {
  assertEquals(VERSION, settings.version);
});
