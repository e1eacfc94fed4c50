// Rows of files: columns by their names, and formats by those of files. What lines become is tested with item writers.

import { assertEquals } from "@std/assert";
import { formatOf, rowReader } from "../../../lib/commands/row_reader.ts";

const ROW = { key: "k", day: "d", value: "v" };

Deno.test("row reader: a first line of names says where the columns are", () => {
  const table: [lines: string[], found: unknown[]][] = [
    [["k,d,v"], [ROW]],
    [["key,day,value", "k,d,v"], [null, ROW]],
    [["Value,KEY,note,Date", "v,k,x,d"], [null, ROW]],
    [["\ufeffkey,bucket,value", "k,d,v"], [null, ROW]],
    [['"key","day","value"', '"k","d","v"'], [null, ROW]],
    [["k,d,v", "key,day,value"], [ROW, { key: "key", day: "day", value: "value" }]],
    [["key,day,value", "k,d"], [null, "there are 2 columns"]],
    [["k,d,v,more"], [ROW]],
    [["", "key,day,value", " k , d , v "], [null, null, ROW]],
  ];
  for (const [lines, found] of table) assertEquals(lines.map(rowReader("csv")), found);
});

Deno.test("row reader: the name of a file tells the format", () => {
  const table: [string, string | null][] = [
    ["a.csv", "csv"],
    ["a.CSV", "csv"],
    ["a.jsonl", "jsonl"],
    ["a.ndjson", "jsonl"],
    ["a.txt", null],
    ["-", null],
  ];
  for (const [file, format] of table) assertEquals(formatOf(file), format);
});
