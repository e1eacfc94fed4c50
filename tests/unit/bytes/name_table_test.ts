// The table of names: every name is found, and nothing else is, whatever surrounds it.

import { assertEquals } from "@std/assert";
import { equals, NameTable } from "../../../lib/bytes/name_table.ts";

const encoder = new TextEncoder();

/** Looks a text up in the middle of other bytes, which must not matter. */
function find(table: NameTable, text: string): number {
  const bytes = encoder.encode(text);
  const line = encoder.encode(`xx${text}yy`);
  return table.find(line, 2, 2 + bytes.length);
}

const TABLES: [what: string, names: string[]][] = [
  ["one name", ["ping"]],
  ["the members of a request", ["command", "tree_name", "key", "time_from", "time_to"]],
  ["names of one length that begin and end alike", ["abz", "acz", "adz", "aez", "afz", "agz"]],
  ["an empty name", ["", "a"]],
  ["names beyond ASCII", ["день", "дань", "日", "😀", "é"]],
  ["a hundred names", Array.from({ length: 100 }, (_, index) => `name${index}`)],
];

Deno.test("name_table: finds each name at its index", () => {
  for (const [what, names] of TABLES) {
    const table = new NameTable(names);
    names.forEach((name, index) => assertEquals(find(table, name), index, `${what}: ${name}`));
  }
});

Deno.test("name_table: finds nothing else", () => {
  for (const [what, names] of TABLES) {
    const table = new NameTable(names);
    const near = names.flatMap((
      name,
    ) => [`${name}x`, name.slice(1), name.toUpperCase(), `x${name}`]);
    for (
      const other of [...near, "", "z".repeat(1000), "\0"].filter((name) => !names.includes(name))
    ) {
      assertEquals(find(table, other), -1, `${what}: ${JSON.stringify(other)}`);
    }
  }
});

Deno.test("name_table: a table without names finds none", () => {
  assertEquals(find(new NameTable([]), ""), -1);
  assertEquals(find(new NameTable([]), "ping"), -1);
});

Deno.test("name_table: equals compares the whole span and no more", () => {
  const bytes = encoder.encode("xabcx");
  assertEquals(equals(encoder.encode("abc"), bytes, 1, 4), true);
  assertEquals(equals(encoder.encode("abc"), bytes, 1, 5), false);
  assertEquals(equals(encoder.encode("abc"), bytes, 1, 3), false);
  assertEquals(equals(encoder.encode("abd"), bytes, 1, 4), false);
  assertEquals(equals(encoder.encode(""), bytes, 2, 2), true);
});
