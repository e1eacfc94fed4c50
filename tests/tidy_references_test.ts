// The names of files in comments and documents are names of files that are there: a reader who follows one
// must not look for what was renamed or removed.
//
// The trade: a name is found by its look (`server/session.ts`, `session.ts`), and any file that ends with it
// will do. Tests are left out, since they are full of made-up names.

import { assertEquals } from "@std/assert";
import { fromFileUrl, join } from "@std/path";

const ROOT = fromFileUrl(new URL("..", import.meta.url));
const NAME = /(?<![\w./*-])(?:\w+\/)*\w+\.(?:ts|md|c|lua|sh)\b(?!["*(])/g;

/** The paths of all files below a folder whose names end with one of these. */
function files(folder: string, endings: readonly string[]): string[] {
  return [...Deno.readDirSync(join(ROOT, folder))].flatMap(({ name, isDirectory }) => {
    const path = folder === "" ? name : `${folder}/${name}`;
    if (isDirectory) return files(path, endings);
    return endings.some((ending) => name.endsWith(ending)) ? [path] : [];
  });
}

/** The names of files that a text mentions, of sources in comments only. */
function mentioned(path: string, text: string): string[] {
  const isSource = path.endsWith(".ts");
  return text.split("\n")
    .map((line) => isSource ? /(?:^|\s)(?:\/\/|\/?\*)(.*)$/.exec(line)?.[1] ?? "" : line)
    .flatMap((line) => line.match(NAME) ?? []);
}

Deno.test("tidy: comments and documents name files that are there", () => {
  const sources = ["main.ts", ...files("lib", [".ts"])];
  const documents = ["README.md", "tests/README.md", ...files("docs", [".md"])];
  const others = ["tests", "packaging", ".ci"].flatMap((folder) => files(folder, [""]));
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
