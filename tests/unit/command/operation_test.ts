// The table of operations, against protocol v1 and its own rules.

import { assert, assertEquals, assertMatch } from "@std/assert";
import { OPERATIONS } from "../../../lib/command/operation.ts";
import { needsOf } from "../../support/v1.ts";

// Of docs/protocol.md: the command, what it needs (k key, r range, R range or none of it), what it
// asks of a name, what it does, and how it says that something isn't there.
const V1 = [
  "ping          no     read",
  "trees         no     read",
  "create        name   write",
  "drop          lookup write  not exists",
  "increment  k  name   write",
  "decrement  k  name   write",
  "sum        kR name   read",
  "find       kr name   read",
  "find        r name   read",
  "reset      k  name   write",
  "reset         name   write",
  "delete     kr name   write",
  "delete      r name   write",
  "dump          lookup admin  not found",
  "dump_all      no     admin",
  "dumps         no     read",
  "load          file   admin  not exists",
];

const IN_V1 = OPERATIONS.filter(({ v1 }) => v1 !== undefined);

Deno.test("operation: every command of protocol v1 with what it needs", () => {
  const rows = IN_V1.map((operation) => {
    const { name, key, range } = needsOf(operation);
    const { command, missing, absent = "" } = operation.v1!;
    const isFile = operation.fields.includes("file");
    const tree = isFile ? "file" : missing === "refuse" ? "lookup" : name ? "name" : "no";
    const needs = (key ? "k" : " ") + (range === "yes" ? "r" : range === "may" ? "R" : " ");
    const row = `${command.padEnd(10)} ${needs} ${tree.padEnd(6)} ${operation.access.padEnd(6)}`;
    return `${row} ${absent}`.trimEnd();
  });
  assertEquals(rows, V1);
});

Deno.test("operation: each has a name of its own and knows its place", () => {
  assertEquals(new Set(OPERATIONS.map(({ id }) => id)).size, OPERATIONS.length);
  assertEquals(OPERATIONS.map(({ index }) => index), [...OPERATIONS.keys()]);
});

Deno.test("operation: rows that share a command differ in the key, and only in pairs", () => {
  for (const { id, fields, v1 } of IN_V1) {
    const others = IN_V1.filter((other) => other.v1!.command === v1!.command && other.id !== id);
    assert(others.length <= 1, v1!.command);
    const hasKey = fields.includes("key");
    for (const other of others) assert(other.fields.includes("key") !== hasKey, v1!.command);
  }
});

Deno.test("operation: every operation has its names in protocol v2, and no two have one", () => {
  const ops = OPERATIONS.flatMap(({ v2 }) => v2?.ops ?? []);
  assertEquals(new Set(ops).size, ops.length);
  for (const { id, v2 } of OPERATIONS) assert(v2 !== undefined && v2.ops.length > 0, id);
  for (const op of ops) assertMatch(op, /^[a-z]+\.[a-z_]+$/);
});

Deno.test("operation: what is about a tree says what becomes of it without one", () => {
  for (const { id, fields, v1, v2 } of OPERATIONS) {
    if (!fields.includes("tree")) continue;
    assert(v2?.missing !== undefined, id);
    assert(v1 === undefined || v1.missing !== undefined, id);
  }
});

Deno.test("operation: reading creates nothing, and only changes are done once", () => {
  for (const { id, access, fingerprint, v1, v2 } of OPERATIONS) {
    if (access !== "read") continue;
    assert(v1?.missing !== "create" && v2?.missing !== "create", id);
    assert(fingerprint === undefined, id);
  }
});

Deno.test("operation: what has a limit says which", () => {
  for (const { id, fields, page: limit } of OPERATIONS) {
    assertEquals(fields.includes("limit?"), limit !== undefined, id);
    assert(limit === undefined || limit.fallback <= limit.max, id);
  }
});
