// The bodies of a request and its response as a connection: what is read, and that a writer waits for its reader.

import { assertEquals, assertRejects } from "@std/assert";
import { BodyConnection } from "../../../../lib/server/http/body_connection.ts";

const encoder = new TextEncoder();
const decoder = new TextDecoder();

function bodyOf(...chunks: string[]): ReadableStream<Uint8Array<ArrayBuffer>> {
  return ReadableStream.from(chunks.map((chunk) => encoder.encode(chunk)));
}

async function readAll(connection: BodyConnection, size: number): Promise<string[]> {
  const parts: string[] = [];
  const space = new Uint8Array(size);
  for (let count; (count = await connection.read(space)) !== null;) {
    parts.push(decoder.decode(space.subarray(0, count)));
  }
  return parts;
}

Deno.test("body connection: chunks come in pieces of the space that there is", async () => {
  assertEquals(await readAll(new BodyConnection(bodyOf("abc", "", "de"), true), 2), [
    "ab",
    "c",
    "de",
  ]);
});

Deno.test("body connection: an empty body is an object without members, if it is one request", async () => {
  for (const body of [null, bodyOf(), bodyOf("", "")]) {
    assertEquals(await readAll(new BodyConnection(body, true), 8), ["{}"]);
  }
  assertEquals(await readAll(new BodyConnection(null, false), 8), []);
  assertEquals(await readAll(new BodyConnection(bodyOf(""), false), 8), []);
});

Deno.test("body connection: a write waits until the piece before is taken, and pieces are copies", async () => {
  const connection = new BodyConnection(null, true);
  const bytes = encoder.encode("one");
  assertEquals(await connection.write(bytes), 3);
  bytes.fill(0);
  let isWritten = false;
  const second = connection.write(encoder.encode("two")).then(() => isWritten = true);
  await Promise.resolve();
  assertEquals(isWritten, false);
  const first = await connection.next();
  assertEquals(decoder.decode(first!), "one");
  await second;
  const text = new Response(connection.rest(first!)).text();
  assertEquals(await connection.write(new Uint8Array(70_000).fill(0x78)), 65_536);
  connection.closeWrite();
  assertEquals(await text, `onetwo${"x".repeat(65_536)}`);
  assertEquals(await connection.next(), null);
});

Deno.test("body connection: nothing can be written once it is closed, and the reader is not kept", async () => {
  const connection = new BodyConnection(bodyOf("x"), true);
  const next = connection.next();
  connection.close();
  assertEquals(await next, null);
  await assertRejects(() => connection.write(encoder.encode("x")), Error, "gone");
  const waiting = new BodyConnection(null, true);
  await waiting.write(encoder.encode("x"));
  const second = assertRejects(() => waiting.write(encoder.encode("y")), Error, "gone");
  waiting.close();
  await second;
});
