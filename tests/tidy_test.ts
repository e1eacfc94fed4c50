// The house rules, enforced on the sources of Karma: who may import whom, who may touch Deno, how
// long files and functions are, how files begin and what they are called.
//
// The trade: sources are read as lines and not parsed. That is enough because `deno fmt` has put
// every function's first and last line at the same indentation, which a parser would tell us too.

import { assert, assertEquals } from "@std/assert";
import { join } from "@std/path";
import settings from "../deno.json" with { type: "json" };
import { filesBelow, ROOT } from "./support/project.ts";

/**
 * From each room, the rooms below that it may import, each through its door, `mod.ts`. Every room may
 * import SHARED as well. main.ts may import any door.
 */
const ROOMS: Record<string, readonly string[]> = {
  commands: ["cli", "client", "recovery", "command", "bytes", "host"],
  cli: ["server", "engine", "command"],
  server: ["protocol", "metrics", "command", "bytes", "host"],
  protocol: ["command", "tree", "bytes"],
  engine: [
    "limits",
    "recovery",
    "state",
    "metrics",
    "command",
    "idempotency",
    "wal",
    "dump",
    "tree",
    "bytes",
    "host",
  ],
  limits: ["state", "command", "idempotency", "tree", "bytes", "host"],
  recovery: ["state", "idempotency", "wal", "dump", "legacy", "tree", "host"],
  state: ["command", "idempotency", "wal", "dump", "tree", "bytes", "host"],
  metrics: ["command"],
  client: ["host"],
  command: ["tree", "bytes", "host"],
  dump: ["legacy", "idempotency", "tree", "bytes", "host"],
  legacy: ["tree", "bytes", "host"],
  idempotency: ["bytes"],
  wal: ["bytes", "host"],
  tree: ["bytes"],
  bytes: [],
  host: [],
};
const SHARED = ["lib/assert.ts", "lib/errors.ts", "lib/version.ts"];
const DOOR = "mod.ts";
const PACKAGES = Object.keys(settings.imports);
const DENO_ALLOWED = /^(main\.ts|lib\/host\/.*|lib\/npm\/flags\.ts)$/;
const NAMES_REFUSED = ["util", "utils", "helper", "helpers", "index"];
const FILE_LINES_MAX = 320;
const FUNCTION_LINES_MAX = 75;
/** In a head comment, it lifts the two limits above, for the reason that follows it. */
const ALLOWANCE = /tidy-allow: *\S/;

/** What breaks the rules in one file; `path` is relative to the project and decides which apply. */
function violations(path: string, source: string): string[] {
  const code = blank(source);
  const found = imports(code).flatMap((target) => importViolations(path, target));
  if (NAMES_REFUSED.includes(path.split("/").at(-1)!.replace(/\.ts$/, ""))) {
    found.push("its name says nothing");
  }
  if (!/^(\/\/|\/\*)/.test(source)) found.push("it opens without a comment");
  // Only outside of quotes: a sentence may mention Deno.
  if (!DENO_ALLOWED.test(path) && /\bDeno\s*[.[]/.test(code.replaceAll(/"[^"\n]*"/g, ""))) {
    found.push("it uses Deno");
  }
  if (!ALLOWANCE.test(headComment(source))) found.push(...lengthViolations(code));
  return found.map((what) => `${path}: ${what}`);
}

function importViolations(path: string, specifier: string): string[] {
  const ours = specifier.startsWith(".");
  const target = ours ? new URL(specifier, `file:///${path}`).pathname.slice(1) : specifier;
  const refused = [`it may not import ${target}`];
  if (room(path) === "npm") return [];
  if (room(target) === "npm") return refused;
  if (!ours) return PACKAGES.includes(target) || target.startsWith("node:") ? [] : refused;
  if (SHARED.includes(path)) {
    return SHARED.slice(0, SHARED.indexOf(path)).includes(target) ? [] : refused;
  }
  if (SHARED.includes(target)) return [];
  if (path !== "main.ts" && !(room(path) in ROOMS)) return [`no room is called ${room(path)}`];
  if (room(target) === room(path)) return [];
  if (path !== "main.ts" && !ROOMS[room(path)].includes(room(target))) return refused;
  return target === `lib/${room(target)}/${DOOR}` ? [] : [`it imports ${target} past the door`];
}

function room(path: string): string {
  return path.match(/^lib\/([^/]+)\//)?.[1] ?? "";
}

function imports(code: string): string[] {
  const statements =
    /^\s*(?:import|export)\b[^"';]*?\bfrom\s*"([^"]+)"|(?<!")\bimport\s*\(?\s*"([^"]+)"/gm;
  return [...code.matchAll(statements)].map((match) => match[1] ?? match[2]);
}

function lengthViolations(code: string): string[] {
  const lines = code.trimEnd().split("\n");
  const found = lines.length > FILE_LINES_MAX ? [`it has ${lines.length} lines`] : [];
  for (const [start, end] of functions(lines)) {
    const length = end - start + 1;
    if (length > FUNCTION_LINES_MAX) {
      found.push(`the function on line ${start + 1} has ${length} lines`);
    }
  }
  return found;
}

/** The first and last line of each function with a body of its own. */
function functions(lines: string[]): [start: number, end: number][] {
  const found: [number, number][] = [];
  for (const [at, line] of lines.entries()) {
    if (!/(=>|\)|\): .*) \{$/.test(line)) continue;
    const indent = line.match(/^ */)![0];
    const level = (other: string) =>
      other.startsWith(indent) && /\S/.test(other[indent.length] ?? "");
    // A signature over several lines ends in `) {` below the line that it began on.
    let start = at;
    if (line[indent.length] === ")") {
      do start--; while (start > 0 && !level(lines[start]));
    }
    if (/^\s*(\}|(\w+: )?(if|for|while|switch|class)\b)/.test(lines[start])) continue;
    const end = lines.findIndex((other, i) => i > at && level(other));
    found.push([start, end < 0 ? lines.length - 1 : end]);
  }
  return found;
}

/** The source without its comments, line for line; strings stay, for the imports among them. */
function blank(source: string): string {
  const tokens = /\/\/.*|\/\*[^]*?\*\/|"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*'|`(?:\\.|[^`\\])*`/g;
  return source.replaceAll(
    tokens,
    (token) => token.startsWith("/") ? token.replaceAll(/[^\n]/g, " ") : token,
  );
}

function headComment(source: string): string {
  return source.match(/^(\/\/.*\n)*(\/\*[^]*?\*\/)?/)![0];
}

/** Paths of the TypeScript files under a directory of the project. */
function sources(directory: string): string[] {
  return filesBelow(directory, ".ts");
}

Deno.test("tidy: every source keeps the rules", () => {
  const paths = ["main.ts", ...sources("lib")];
  const found = paths.flatMap((path) => violations(path, Deno.readTextFileSync(join(ROOT, path))));
  assertEquals(found, []);
});

Deno.test("tidy: tests/unit mirrors lib", () => {
  // branch_test.ts and branch_growth_test.ts both belong to branch.ts.
  const subjects = sources("lib").map((path) => path.replace(/^lib\/(.*)\.ts$/, "$1"));
  const astray = sources("tests/unit").filter((path) => {
    const test = path.replace(/^tests\/unit\/(.*)_test\.ts$/, "$1");
    return !subjects.some((subject) => test === subject || test.startsWith(`${subject}_`));
  });
  assertEquals(astray, []);
});

/** The names that a source exports, and those that it imports from each file of the project. */
function exchange(path: string, source: string) {
  const code = blank(source);
  const exports = [
    ...code.matchAll(
      /^export (?:abstract )?(?:const|class|function\*?|async function\*?|interface|type) (\w+)/gm,
    ),
  ].map((match) => match[1]);
  const imports: [file: string, name: string][] = [];
  const lists = /^(?:import|export)\b(?: type)? \{([^}]*)\} from\s*"(\.[^"]+)"/gm;
  for (const [statement, list, specifier] of code.matchAll(lists)) {
    const file = new URL(specifier, `file:///${path}`).pathname.slice(1);
    for (const part of list.split(",").map((text) => text.trim()).filter((text) => text !== "")) {
      const name = part.replace(/^type /, "").split(" as ")[0];
      imports.push([file, name]);
      if (statement.startsWith("export")) exports.push(name);
    }
  }
  return { exports, imports };
}

Deno.test("tidy: whatever is exported is used, what a door exports in another room", () => {
  const used = new Set<string>();
  const paths = ["main.ts", ...sources("lib"), ...sources("tests"), ...sources("packaging")];
  const exported: [path: string, name: string][] = [];
  for (const path of paths) {
    const { exports, imports } = exchange(path, Deno.readTextFileSync(join(ROOT, path)));
    for (const [file, name] of imports) used.add(`${file} ${name}`);
    if (/^lib\/(?!npm\/)/.test(path)) {
      exported.push(...exports.map((name): [string, string] => [path, name]));
    }
  }
  assertEquals(exported.map((pair) => pair.join(" ")).filter((pair) => !used.has(pair)), []);
});

// The rules on small sources that break them, so that a rule that sleeps is noticed.
const HEAD = "// What it is.\n";
const long = (lines: number, indent = "  ") => `${indent}f();\n`.repeat(lines);
const TABLE: [path: string, source: string, ...found: string[]][] = [
  ["lib/tree/a.ts", `${HEAD}import { b } from "./b.ts";\nimport { c } from "../bytes/mod.ts";\n`],
  ["lib/tree/a.ts", `${HEAD}import { assert } from "../assert.ts";\n`],
  [
    "lib/tree/a.ts",
    `${HEAD}import { d } from "../dump/d.ts";\n`,
    "it may not import lib/dump/d.ts",
  ],
  [
    "lib/tree/a.ts",
    `${HEAD}import type { D } from "../wal/d.ts";\n`,
    "it may not import lib/wal/d.ts",
  ],
  ["lib/tree/a.ts", `${HEAD}export * from "../wal/d.ts";\n`, "it may not import lib/wal/d.ts"],
  ["lib/tree/a.ts", `${HEAD}import "../wal/d.ts";\n`, "it may not import lib/wal/d.ts"],
  ["lib/tree/a.ts", `${HEAD}f(await import("../wal/d.ts"));\n`, "it may not import lib/wal/d.ts"],
  [
    "lib/tree/a.ts",
    `${HEAD}import {\n  a,\n  b,\n} from "../wal/d.ts";\n`,
    "it may not import lib/wal/d.ts",
  ],
  ["lib/tree/a.ts", `${HEAD}// import { d } from "../dump/d.ts";\n`],
  ["lib/tree/a.ts", `${HEAD}f("import", "../dump/d.ts");\n`],
  [
    "lib/tree/a.ts",
    `${HEAD}import { c } from "../cli/mod.ts";\n`,
    "it may not import lib/cli/mod.ts",
  ],
  [
    "lib/bytes/a.ts",
    `${HEAD}import { t } from "../tree/t.ts";\n`,
    "it may not import lib/tree/t.ts",
  ],
  ["lib/protocol/a.ts", `${HEAD}import "../engine/e.ts";\n`, "it may not import lib/engine/e.ts"],
  ["lib/protocol/a.ts", `${HEAD}import "../../main.ts";\n`, "it may not import main.ts"],
  ["lib/attic/a.ts", `${HEAD}import "../bytes/mod.ts";\n`, "no room is called attic"],
  ["lib/dump/a.ts", `${HEAD}import { encode } from "@std/msgpack";\nimport "node:fs";\n`],
  ["lib/dump/a.ts", `${HEAD}import "npm:left-pad@1";\n`, "it may not import npm:left-pad@1"],
  ["lib/dump/a.ts", `${HEAD}import "../npm/path.ts";\n`, "it may not import lib/npm/path.ts"],
  ["main.ts", `${HEAD}import "./lib/npm/path.ts";\n`, "it may not import lib/npm/path.ts"],
  ["main.ts", `${HEAD}import "./lib/server/mod.ts";\nDeno.exit(0);\n`],
  [
    "main.ts",
    `${HEAD}import "./lib/server/a.ts";\n`,
    "it imports lib/server/a.ts past the door",
  ],
  [
    "lib/tree/a.ts",
    `${HEAD}import { c } from "../bytes/c.ts";\n`,
    "it imports lib/bytes/c.ts past the door",
  ],
  ["lib/npm/a.ts", `${HEAD}import "npm:left-pad@1";\n`],
  ["lib/assert.ts", `${HEAD}import "./errors.ts";\n`, "it may not import lib/errors.ts"],
  ["lib/tree/a.ts", `${HEAD}Deno.exit(1);\n`, "it uses Deno"],
  ["lib/tree/a.ts", `${HEAD}globalThis.Deno["exit"](1);\n`, "it uses Deno"],
  ["lib/tree/a.ts", `${HEAD}// Deno.exit\nf("Deno.exit"); /* Deno.\n exit */\n`],
  ["lib/host/a.ts", `${HEAD}Deno.exit(1);\n`],
  ["lib/npm/a.ts", `${HEAD}Deno.exit(1);\n`, "it uses Deno"],
  ["lib/tree/a.ts", "f();\n", "it opens without a comment"],
  ["lib/tree/a.ts", "/** What it is. */\nf();\n"],
  ["lib/tree/utils.ts", HEAD, "its name says nothing"],
  ["lib/tree/index.ts", HEAD, "its name says nothing"],
  ["lib/tree/mod.ts", HEAD],
  ["lib/tree/a.ts", HEAD + long(319)],
  ["lib/tree/a.ts", HEAD + long(320), "it has 321 lines"],
  ["lib/tree/a.ts", `// tidy-allow: a table of states\n${long(400)}`],
  ["lib/tree/a.ts", `// tidy-allow:\n${long(320)}`, "it has 321 lines"],
  ["lib/tree/a.ts", `${HEAD}f();\n// tidy-allow: too late\n${long(318)}`, "it has 321 lines"],
  ["lib/tree/a.ts", `${HEAD}function a() {\n${long(73)}}\n`],
  [
    "lib/tree/a.ts",
    `${HEAD}function a() {\n${long(74)}}\n`,
    "the function on line 2 has 76 lines",
  ],
  [
    "lib/tree/a.ts",
    `${HEAD}export async function a(\n  b: number,\n): Promise<void> {\n${long(72)}}\n`,
    "the function on line 2 has 76 lines",
  ],
  [
    "lib/tree/a.ts",
    `${HEAD}class A {\n  a(): { b: number } {\n${long(37, "    ")}\n${long(37, "    ")}  }\n}\n`,
    "the function on line 3 has 77 lines",
  ],
  [
    "lib/tree/a.ts",
    `${HEAD}const a = () => {\n${long(74)}};\n`,
    "the function on line 2 has 76 lines",
  ],
  ["lib/tree/a.ts", `${HEAD}class A {\n  a() {\n${long(60, "    ")}  }\n${long(60)}}\n`],
  ["lib/tree/a.ts", `${HEAD}if (\n  a\n) {\n${long(100)}}\n`],
];

Deno.test("tidy: a source that breaks a rule is found out, and only that", () => {
  for (const [path, source, ...found] of TABLE) {
    assertEquals(violations(path, source), found.map((what) => `${path}: ${what}`), source);
  }
});

Deno.test("tidy: the table of rooms only goes down", () => {
  const names = Object.keys(ROOMS);
  for (const [name, below] of Object.entries(ROOMS)) {
    for (const other of below) assert(names.indexOf(other) > names.indexOf(name), name);
  }
});
