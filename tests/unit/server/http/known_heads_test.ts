// Known heads: which are learned, where a head ends, and that what is known is found only where it is whole.

import { assert, assertEquals } from "@std/assert";
import {
  headBytes,
  isPlain,
  KnownHeads,
  type Meaning,
} from "../../../../lib/server/http/known_heads.ts";

const encoder = new TextEncoder();
const HEAD = "POST /v2 HTTP/1.1\r\nHost: karma\r\nContent-Length: 2\r\n\r\n";

function meaning(bodyBytes: number): Meaning {
  const envelope = { operation: null, token: null, isWhole: true };
  return { envelope, bodyBytes, wants429: false, extra: [] };
}

function find(heads: KnownHeads, text: string): number | "part" | null {
  const bytes = encoder.encode(`xx${text}`);
  const found = heads.find(bytes, 2, bytes.length);
  return found === null || found === "part" ? found : found.bytes.length;
}

Deno.test("known heads: a head ends at its first empty line, if that is beyond doubt", () => {
  const length = (text: string) => headBytes(encoder.encode(text));
  assertEquals(length(`${HEAD}{}`), HEAD.length);
  assertEquals(length(`${HEAD}\r\n\r\n`), HEAD.length);
  const doubtful = [
    "",
    HEAD.slice(0, -1),
    HEAD.replace("karma\r\n", "karma\n"), // a line that ends without a carriage return
    HEAD.replace("1.1\r\n", "1.1\n"),
    `\r\n${HEAD}`,
    `\n${HEAD}`,
    HEAD.replace("POST", "GET"),
    HEAD.replace("POST", "post"),
    HEAD.replace("1.1", "1.0"),
    HEAD.replace("1.1", "2.0"),
    HEAD.replace(" /v2", "  /v2"),
    HEAD.replace("/v2", "/v 2"),
    "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
  ];
  for (const text of doubtful) assertEquals(length(text), 0, JSON.stringify(text));
});

Deno.test("known heads: what was learned is found at every cut, and nothing else is", () => {
  const heads = new KnownHeads();
  assertEquals(find(heads, HEAD), null);
  assert(heads.learn(encoder.encode(`${HEAD}{}`), meaning(2)));
  for (let cut = 0; cut < HEAD.length; cut++) assertEquals(find(heads, HEAD.slice(0, cut)), "part");
  for (const behind of ["", "{", "{}", `{}${HEAD}`]) {
    assertEquals(find(heads, HEAD + behind), HEAD.length);
  }
  for (let at = 0; at < HEAD.length; at++) {
    const other = `${HEAD.slice(0, at)}~${HEAD.slice(at + 1)}`;
    assertEquals(find(heads, other), null, other);
    assertEquals(find(heads, other.slice(0, at + 1)), null, other);
  }
});

Deno.test("known heads: only of whole requests, and only short ones", () => {
  const heads = new KnownHeads();
  assert(!heads.learn(encoder.encode(`${HEAD}{`), meaning(2)), "not all of it");
  assert(!heads.learn(encoder.encode(`${HEAD}{}{`), meaning(2)), "more than it");
  assert(!heads.learn(encoder.encode(`${HEAD}${" ".repeat(2000)}`), meaning(2000)));
  const long = HEAD.replace("karma", "k".repeat(2000));
  assert(!heads.learn(encoder.encode(`${long}{}`), meaning(2)));
  assertEquals(find(heads, HEAD), null);
});

Deno.test("known heads: the oldest goes for a new one", () => {
  const heads = new KnownHeads();
  const head = (index: number) => HEAD.replace("karma", `karma${index}`);
  for (let index = 0; index < 9; index++) {
    heads.learn(encoder.encode(`${head(index)}{}`), meaning(2));
  }
  const found = Array.from({ length: 9 }, (_, index) => find(heads, head(index)) !== null);
  assertEquals(found, [false, ...Array(8).fill(true)]);
});

Deno.test("known heads: headers that say more than the head shows are none of ours", () => {
  const plain = (headers: Record<string, string>, method = "POST") => {
    const all = new Headers({ "content-length": "2", ...headers });
    return isPlain({ method, headers: all } as Request);
  };
  assert(plain({}) && plain({ connection: "Keep-Alive" }) && plain({ "content-length": "0" }));
  const others: Record<string, string>[] = [
    { "transfer-encoding": "chunked" },
    { expect: "100-continue" },
    { upgrade: "h2c" },
    { connection: "close" },
    { connection: "keep-alive, x" },
    { "content-length": "2, 2" },
    { "content-length": "10000" },
    { "content-length": "" },
  ];
  for (const headers of others) assert(!plain(headers), JSON.stringify(headers));
  assert(!plain({}, "PUT"));
});
