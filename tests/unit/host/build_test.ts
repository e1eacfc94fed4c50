// What `--version` tells of the program.

import { assertEquals } from "@std/assert";
import { buildLine } from "../../../lib/host/build.ts";

Deno.test("build: a checkout knows no commit, whatever was compiled there", () => {
  const { deno, v8 } = Deno.version;
  assertEquals(buildLine(), `commit unknown, Deno ${deno}, V8 ${v8}`);
});
