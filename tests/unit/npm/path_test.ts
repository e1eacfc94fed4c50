// What Karma relies on of @std/path; it passes with the real package and with lib/npm/path.ts.

import { assertEquals } from "@std/assert";
import { basename, dirname, fromFileUrl, join, resolve } from "@std/path";

Deno.test("path: join() puts parts together and tidies the result", () => {
  assertEquals(join("a", "b"), "a/b");
  assertEquals(join("/data/", "1_x.tree"), "/data/1_x.tree");
  assertEquals(join(".", "x"), "x");
  assertEquals(join("a", "..", "b"), "b");
  assertEquals(join("a"), "a");
});

Deno.test("path: basename() and dirname() take a path apart", () => {
  assertEquals(basename("/data/1_x.tree"), "1_x.tree");
  assertEquals(basename("1_x.tree"), "1_x.tree");
  assertEquals(basename("/data/"), "data");
  assertEquals(basename("/data/1_x.tree", ".tree"), "1_x");
  assertEquals(basename("../x"), "x");
  assertEquals(dirname("/data/1_x.tree"), "/data");
  assertEquals(dirname("1_x.tree"), ".");
});

Deno.test("path: resolve() starts at the last absolute part, or where the process stands", () => {
  assertEquals(resolve("/data", "x"), "/data/x");
  assertEquals(resolve("/data", "/x"), "/x");
  assertEquals(resolve("/data", "../x/."), "/x");
  assertEquals(resolve("x"), join(Deno.cwd(), "x"));
});

Deno.test("path: fromFileUrl() takes a string or a URL and undoes the escapes", () => {
  assertEquals(fromFileUrl("file:///a/b.ts"), "/a/b.ts");
  assertEquals(fromFileUrl(new URL("file:///a%20b/%D1%8F")), "/a b/я");
});
