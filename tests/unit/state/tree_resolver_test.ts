// The tree resolver: for each thing that may become of a request about a tree that isn't there.

import { assert, assertEquals, assertStrictEquals } from "@std/assert";
import type { Missing } from "../../../lib/command/operation.ts";
import { Reply } from "../../../lib/command/reply.ts";
import { Request } from "../../../lib/command/request.ts";
import { isApplied } from "../../../lib/state/outcome.ts";
import { TreeResolver } from "../../../lib/state/tree_resolver.ts";
import { StateWriter } from "../../../lib/state/state_writer.ts";
import { LocalKarma } from "../../support/local_karma.ts";
import { MemoryDisk } from "../../support/memory_disk.ts";

const encoder = new TextEncoder();
const decoder = new TextDecoder();

class World {
  readonly karma: LocalKarma;
  readonly treeResolver: TreeResolver;

  private constructor(karma: LocalKarma) {
    this.karma = karma;
    const stateWriter = new StateWriter(karma.forest, karma.dedup, karma.wal, true);
    this.treeResolver = new TreeResolver(karma.forest, stateWriter);
  }

  static async start(disk = new MemoryDisk("/dumps")): Promise<World> {
    return new World(await LocalKarma.start(disk));
  }

  /** A request that names a tree, amid other bytes. */
  request(name: string | Uint8Array, missing: Missing): Request {
    const bytes = typeof name === "string" ? encoder.encode(name) : name;
    const request = new Request();
    request.bytes = Uint8Array.from([0x22, ...bytes, 0x22]);
    request.nameStart = 1;
    request.nameEnd = 1 + bytes.length;
    request.missing = missing;
    return request;
  }
}

/** `CODE: SENTENCE` with the name that it is about; "" for a reply without an error. */
function told(reply: Reply): string {
  return reply.code === null
    ? ""
    : `${reply.code}: ${reply.text} ${decoder.decode(reply.subject)}`.trimEnd();
}

const RULE =
  "validation_error: Field tree_name must be 1 to 255 bytes of UTF-8 without control characters";
const ALL: Missing[] = ["create", "empty", "refuse"];

Deno.test("finder: a tree that is there is found, whatever the request", async () => {
  const world = await World.start();
  for (const name of ["t", "a b", "день"]) {
    const tree = world.karma.forest.create(name);
    for (const missing of ALL) {
      const reply = new Reply();
      const request = world.request(name, missing);
      assertStrictEquals(world.treeResolver.find(request, reply), tree);
      assertStrictEquals(world.treeResolver.peek(request), tree);
      assertEquals([told(reply), world.treeResolver.isNew], ["", false]);
    }
  }
});

Deno.test("finder: what becomes of a request about one that isn't", async () => {
  const bad = Uint8Array.of(0x61, 0xff);
  const table: [name: string | Uint8Array, missing: Missing, isCreated: boolean, told: string][] = [
    ["t", "create", true, ""],
    ["t", "empty", false, ""],
    ["t", "refuse", false, "not_found: Tree t"],
    ["x".repeat(255), "create", true, ""],
    ["x".repeat(256), "create", false, RULE],
    ["x".repeat(256), "empty", false, RULE],
    ["x".repeat(256), "refuse", false, `not_found: Tree ${"x".repeat(256)}`],
    ["a\n", "create", false, RULE],
    ["", "create", false, RULE],
    [bad, "create", false, RULE],
    [bad, "refuse", false, "not_found: Tree a\ufffd"],
    ["\0staged-1", "create", false, RULE],
    ["\0staged-1", "refuse", false, "not_found: Tree \0staged-1"],
  ];
  for (const [name, missing, isCreated, sentence] of table) {
    const world = await World.start();
    world.karma.forest.create("\0staged-1"); // which is nobody's to name
    const { lsn } = world.karma.wal;
    const reply = new Reply();
    const request = world.request(name, missing);
    assertEquals(world.treeResolver.peek(request), null);
    const tree = world.treeResolver.find(request, reply);
    assertEquals([tree !== null, told(reply)], [isCreated, sentence]);
    assertEquals(world.karma.wal.lsn - lsn, isCreated ? 1 : 0);
    assertEquals(world.karma.forest.visible().length, isCreated ? 1 : 0);
    if (!isCreated) continue;
    assert(world.treeResolver.isNew);
    assertStrictEquals(world.treeResolver.find(request, reply), tree);
    assert(!world.treeResolver.isNew);
  }
});

Deno.test("finder: the name in a reply is the request's own no more", async () => {
  const world = await World.start();
  const request = world.request("t", "refuse");
  const reply = new Reply();
  world.treeResolver.find(request, reply);
  request.bytes.fill(0x78);
  assertEquals(told(reply), "not_found: Tree t");
});

Deno.test("finder: without space no tree is created", async () => {
  const disk = new MemoryDisk("/dumps");
  disk.bytesMax = 900;
  const world = await World.start(disk);
  let count = 0;
  const reply = new Reply();
  while (world.treeResolver.find(world.request(`tree ${count}`, "create"), reply) !== null) count++;
  assertEquals(told(reply), "storage_full: The disk is full: nothing was changed");
  assertEquals(world.karma.forest.trees().length, count);
  assertEquals(world.karma.wal.lsn, count);
});

Deno.test("finder: what did not happen is said, but for an overflow", () => {
  const table = [
    ["done", true, ""],
    ["full", false, "storage_full: The disk is full: nothing was changed"],
    ["crowded", false, "too_many_trees: There are too many trees"],
    ["overflow", false, ""],
  ] as const;
  for (const [outcome, done, sentence] of table) {
    const reply = new Reply();
    assertEquals([isApplied(outcome, reply), told(reply)], [done, sentence]);
  }
});
