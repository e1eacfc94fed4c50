// The names of files in comments and documents are names of files that are there: a reader who follows one
// must not look for what was renamed or removed.
//
// The trade: a name is found by its look (`server/session.ts`, `session.ts`), and any file that ends with it
// will do. Tests are left out, since they are full of made-up names.

import { assertEquals } from "@std/assert";
import { join } from "@std/path";
import { filesBelow, ROOT } from "./support/project.ts";

const NAME = /(?<![\w./*-])(?:\w+\/)*\w+\.(?:ts|md|c|lua|sh)\b(?!["*(])/g;

/** The names of files that a text mentions, of sources in comments only. */
function mentioned(path: string, text: string): string[] {
  const isSource = path.endsWith(".ts");
  return text.split("\n")
    .map((line) => isSource ? /(?:^|\s)(?:\/\/|\/?\*)(.*)$/.exec(line)?.[1] ?? "" : line)
    .flatMap((line) => line.match(NAME) ?? []);
}

Deno.test("tidy: comments and documents name files that are there", () => {
  const sources = ["main.ts", ...filesBelow("lib", ".ts")];
  const documents = ["README.md", "tests/README.md", ...filesBelow("docs", ".md")];
  const others = ["tests", "packaging", ".ci"].flatMap((folder) => filesBelow(folder));
  const all = [...sources, ...documents, ...others].map((path) => `/${path}`);
  const missing = [...sources, ...documents].flatMap((path) => {
    return mentioned(path, Deno.readTextFileSync(join(ROOT, path)))
      .filter((name) => !all.some((file) => file.endsWith(`/${name}`)))
      .map((name) => `${path} names ${name}`);
  });
  assertEquals(missing, []);
});

Deno.test("tidy: a name in a comment is seen, one in code is not", () => {
  const source =
    "// See tree/a.ts, and b.ts.\nimport './c.ts'; // (d_test.ts)\n/** e.md */\nf(x.c);\n";
  assertEquals(mentioned("lib/x.ts", source), ["tree/a.ts", "b.ts", "d_test.ts", "e.md"]);
  assertEquals(mentioned("x.md", "`deno run tests/f.ts`"), ["tests/f.ts"]);
});
