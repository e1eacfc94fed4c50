// The list of trees: whole and in pages, while trees come and go.

import { assert, assertEquals } from "@std/assert";
import { SendBuffer } from "../../../lib/bytes/send_buffer.ts";
import type { Data } from "../../../lib/command/data.ts";
import { Request } from "../../../lib/command/request.ts";
import { TreeList } from "../../../lib/engine/tree_list.ts";
import { writeData } from "../../../lib/protocol/json/data.ts";
import { Forest } from "../../../lib/tree/forest.ts";
import { boundOf } from "../../support/codec.ts";
import { Random } from "../../support/random.ts";

const decoder = new TextDecoder();

function request(limit: number, cursor?: bigint | null): Request {
  const request = new Request();
  request.pageSize = limit;
  if (cursor !== undefined) request.details.set("cursor", cursor);
  return request;
}

async function told(list: TreeList, request: Request): Promise<string> {
  return textOf(await list.list(request));
}

function textOf(data: Data): string {
  const out = new SendBuffer(256);
  writeData(data, out);
  return decoder.decode(out.view(0));
}

function forestOf(names: readonly string[]): Forest {
  const forest = new Forest();
  for (const name of names) forest.create(name);
  return forest;
}

Deno.test("tree list: all names, and pages of them", async () => {
  const list = new TreeList(forestOf(["b", "\0staged-1", 'a"', "день"]), boundOf(1024));
  assertEquals(await told(list, request(0)), '["b","a\\"","день"]');
  assertEquals(
    await told(list, request(2)),
    '{"limit":2,"cursor":null,"next_cursor":3,"trees":["b","a\\""]}',
  );
  assertEquals(
    await told(list, request(2, 3n)),
    '{"limit":2,"cursor":3,"next_cursor":null,"trees":["день"]}',
  );
  assertEquals(
    await told(list, request(0, 2n ** 64n - 1n)),
    '{"limit":null,"cursor":18446744073709551615,"next_cursor":null,"trees":[]}',
  );
});

Deno.test("tree list: a list of all is whole or refused, a page ends where the reply would be too long", async () => {
  const names = Array.from({ length: 3000 }, (_, index) => `tree ${index}`);
  const list = new TreeList(forestOf(names), boundOf(4096));
  assertEquals(JSON.parse(await told(list, request(0))), names, "a protocol refuses it");
  const unbounded = request(10);
  unbounded.isBounded = false;
  assertEquals(JSON.parse(await told(list, unbounded)), names);
  const found: string[] = [];
  let cursor: bigint | null = null;
  do {
    const text: string = await told(list, request(10_000, cursor));
    assert(text.length < 4096);
    const page = JSON.parse(text);
    found.push(...page.trees);
    cursor = page.next_cursor === null ? null : BigInt(page.next_cursor);
  } while (cursor !== null);
  assertEquals(found, names);
});

Deno.test("tree list: those who ask at once share a walk, unless a tree came or went", async () => {
  const forest = forestOf(Array.from({ length: 1000 }, (_, index) => `tree ${index}`));
  const list = new TreeList(forest, boundOf(0));
  const before = [list.list(request(0)), list.list(request(0))];
  forest.remove(forest.named("tree 0")!);
  const after = await list.list(request(0));
  const names = JSON.parse(textOf(after));
  assertEquals([names.length, names[0]], [999, "tree 1"], "what was dropped before is not told");
  const [first, second] = await Promise.all(before);
  assert(first === second);
  assert(first !== after);
  assert(await list.list(request(0)) !== after, "what was told is forgotten");
});

Deno.test("tree list: trees that are there all the time are told once, while others come and go", async () => {
  const seed = crypto.getRandomValues(new Uint32Array(1))[0];
  const random = new Random(seed);
  const forest = forestOf([]);
  for (let n = 0; n < 3000; n++) forest.create(`${n % 3 === 0 ? "stays" : "goes"} ${n}`);
  const list = new TreeList(forest, boundOf(0));
  const found: string[] = [];
  let cursor: bigint | null = null;
  do {
    const page = JSON.parse(await told(list, request(100, cursor)));
    found.push(...page.trees);
    cursor = page.next_cursor === null ? null : BigInt(page.next_cursor);
    for (let change = 0; change < 20; change++) {
      const tree = forest.named(`goes ${random.below(3000)}`);
      if (tree !== null) forest.remove(tree);
      else if (found.length < 2000) {
        forest.create(`goes ${random.below(3000)} ${found.length} ${change}`);
      }
    }
  } while (cursor !== null);
  const stays = found.filter((name) => name.startsWith("stays"));
  assertEquals(stays, Array.from({ length: 1000 }, (_, index) => `stays ${3 * index}`), `${seed}`);
  assertEquals(new Set(found).size, found.length, `${seed}`);
});
