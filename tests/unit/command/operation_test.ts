// The table of operations, against protocol v1 and its own rules.

import { assert, assertEquals } from "@std/assert";
import { OPERATIONS } from "../../../lib/command/operation.ts";

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

Deno.test("operation: every command of protocol v1 with what it needs", () => {
  const rows = OPERATIONS.map(({ v1, key, range, tree, access }) => {
    const needs = (key === "yes" ? "k" : " ") + { yes: "r", may: "R", no: " " }[range];
    const row = `${v1.command.padEnd(10)} ${needs} ${tree.padEnd(6)} ${access.padEnd(6)}`;
    return `${row} ${v1.missing ?? ""}`.trimEnd();
  });
  assertEquals(rows, V1);
});

Deno.test("operation: each has a name of its own and knows its place", () => {
  assertEquals(new Set(OPERATIONS.map(({ id }) => id)).size, OPERATIONS.length);
  assertEquals(OPERATIONS.map(({ index }) => index), [...OPERATIONS.keys()]);
});

Deno.test("operation: rows that share a command differ in the key, and only in pairs", () => {
  for (const { id, key, v1 } of OPERATIONS) {
    const others = OPERATIONS.filter((other) => other.v1.command === v1.command && other.id !== id);
    assert(others.length <= 1, v1.command);
    for (const other of others) assertEquals([key, other.key].sort(), ["no", "yes"], v1.command);
  }
});

Deno.test("operation: without a tree there is no key and no range", () => {
  for (const { id, tree, key, range } of OPERATIONS) {
    if (tree === "no") assertEquals([key, range], ["no", "no"], id);
  }
});
