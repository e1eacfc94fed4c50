// The receive buffer: frames out of bytes that come cut anywhere, limits at their edge, and growth.

import { assert, assertEquals } from "@std/assert";
import { RECEIVE_BYTES_MIN, ReceiveBuffer } from "../../../lib/bytes/receive_buffer.ts";

const encoder = new TextEncoder();
const decoder = new TextDecoder();

/** Reads bytes into the buffer as a connection would, however many turns that takes. */
function receive(buffer: ReceiveBuffer, text: string | Uint8Array): void {
  const bytes = typeof text === "string" ? encoder.encode(text) : text;
  for (let at = 0; at < bytes.length;) {
    const space = buffer.space();
    assert(space.length > 0, "there is always room to read into");
    const count = Math.min(space.length, bytes.length - at);
    space.set(bytes.subarray(at, at + count));
    buffer.filled(count);
    at += count;
  }
}

/** The frames that are there now, and after them "too long" when that is so. */
function frames(buffer: ReceiveBuffer): string[] {
  const found: string[] = [];
  for (;;) {
    const next = buffer.next();
    if (next === "none") return found;
    if (next === "too long") return [...found, next];
    found.push(decoder.decode(buffer.bytes.subarray(buffer.start, buffer.end)));
  }
}

function last(buffer: ReceiveBuffer): string[] {
  const next = buffer.last();
  if (next === "none") return [];
  if (next === "too long") return [next];
  return [decoder.decode(buffer.bytes.subarray(buffer.start, buffer.end))];
}

const TEXTS: [text: string, frames: string[], last: string[]][] = [
  ["", [], []],
  ["a\n", ["a"], []],
  ["a\r\n", ["a"], []],
  ["\n", [""], []],
  ["\r\n", [""], []],
  ["\n\n\r\n", ["", "", ""], []],
  ["a\nb\r\nc", ["a", "b"], ["c"]],
  ["a\r\r\n", ["a\r"], []],
  ["a\rb\n", ["a\rb"], []],
  ["\ra\n", ["\ra"], []],
  ["a\r", [], ["a"]],
  ["\r", [], [""]],
  ["день\n日\n", ["день", "日"], []],
];

Deno.test("receive_buffer: frames end with LF, less one CR, wherever the text is cut", () => {
  for (const [text, expected, rest] of TEXTS) {
    const bytes = encoder.encode(text);
    for (let cut = 0; cut <= bytes.length; cut++) {
      const buffer = new ReceiveBuffer(100);
      receive(buffer, bytes.subarray(0, cut));
      const found = frames(buffer);
      receive(buffer, bytes.subarray(cut));
      found.push(...frames(buffer));
      assertEquals(found, expected, `${JSON.stringify(text)} cut at ${cut}`);
      assertEquals(last(buffer), rest);
      assertEquals(last(buffer), [], "the last frame is told once");
    }
  }
});

Deno.test("receive_buffer: a text read byte by byte", () => {
  for (const [text, expected, rest] of TEXTS) {
    const buffer = new ReceiveBuffer(100);
    const found: string[] = [];
    for (const byte of encoder.encode(text)) {
      receive(buffer, Uint8Array.of(byte));
      found.push(...frames(buffer));
    }
    assertEquals([...found, ...last(buffer)], [...expected, ...rest], JSON.stringify(text));
  }
});

const LIMITED: [text: string, frames: string[], last: string[]][] = [
  ["aaaaa\n", ["aaaaa"], []],
  ["aaaaa\r\n", ["aaaaa"], []],
  ["aaaaaa\n", ["too long"], []],
  ["aaaaaa\r\n", ["too long"], []],
  ["aaaaa", [], ["aaaaa"]],
  ["aaaaa\r", [], ["aaaaa"]],
  // One byte too many may still turn out to be the CR of a frame that fits.
  ["aaaaaa", [], ["too long"]],
  ["aaaaaaa", ["too long"], ["too long"]],
  ["a\naaaaa\naaaaaaa", ["a", "aaaaa", "too long"], ["too long"]],
];

Deno.test("receive_buffer: a frame of the longest length passes, one byte more is refused", () => {
  for (const [text, expected, rest] of LIMITED) {
    const buffer = new ReceiveBuffer(5);
    receive(buffer, text);
    assertEquals(frames(buffer), expected, JSON.stringify(text));
    assertEquals(last(buffer), rest, JSON.stringify(text));
  }
});

Deno.test("receive_buffer: a frame far beyond the limit is refused before it is stored", () => {
  const limit = 100_000;
  const buffer = new ReceiveBuffer(limit);
  let read = 0;
  while (buffer.next() === "none") {
    const space = buffer.space();
    buffer.filled(space.fill(0x61).length);
    read += space.length;
    assert(buffer.bytes.length <= 2 * limit + 2, `${buffer.bytes.length} bytes are held`);
    assert(read < 1e7, "the end is near");
  }
  assert(read > limit, "no sooner than it is known to be too long");
});

Deno.test("receive_buffer: a long frame arrives whole in pieces of every size", () => {
  const text = Array.from({ length: 30_000 }, (_, index) => `${index},`).join("");
  for (const piece of [1, 7, 1000, 2048, 4096, 65536, 1e6]) {
    const buffer = new ReceiveBuffer(1e6);
    const bytes = encoder.encode(`${text}\r\nnext\n`);
    const found: string[] = [];
    for (let at = 0; at < bytes.length; at += piece) {
      receive(buffer, bytes.subarray(at, at + piece));
      found.push(...frames(buffer));
    }
    assertEquals(found, [text, "next"], `pieces of ${piece}`);
  }
});

Deno.test("receive_buffer: no byte is searched twice", () => {
  const buffer = new ReceiveBuffer(100);
  receive(buffer, "abc");
  assertEquals(buffer.next(), "none");
  buffer.bytes[1] = 0x0a; // a second search would stop here
  receive(buffer, "d\n");
  assertEquals(frames(buffer), ["a\ncd"]);
});

Deno.test("receive_buffer: what comes behind the tail is not looked at", () => {
  const buffer = new ReceiveBuffer(100);
  buffer.space().fill(0x0a);
  buffer.filled(0); // nothing was read
  assertEquals(buffer.next(), "none");
  receive(buffer, "a");
  assertEquals([frames(buffer), last(buffer)], [[], ["a"]]);
});

Deno.test("receive_buffer: grows for a client that fills it, up to what pays", () => {
  const buffer = new ReceiveBuffer(1e6);
  assertEquals(buffer.space().length, RECEIVE_BYTES_MIN);
  const sizes = new Set<number>();
  for (let round = 0; round < 20; round++) {
    const space = buffer.space();
    space.fill(0x0a);
    buffer.filled(space.length);
    sizes.add(space.length);
    assertEquals(frames(buffer).length, space.length);
  }
  assertEquals([...sizes], [2048, 4096, 8192, 16384, 32768, 65536]);
});

/** A buffer that has grown for one long frame. */
function grown(): ReceiveBuffer {
  const buffer = new ReceiveBuffer(1e6);
  receive(buffer, "a".repeat(5000) + "\n");
  assertEquals(frames(buffer), ["a".repeat(5000)]);
  assert(buffer.bytes.length > RECEIVE_BYTES_MIN);
  return buffer;
}

Deno.test("receive_buffer: goes back to its first size when it has long been too large", () => {
  const buffer = grown();
  const sizes: number[] = [];
  for (let read = 0; read < 100; read++) {
    receive(buffer, `line ${read}\n`);
    assertEquals(frames(buffer), [`line ${read}`]);
    sizes.push(buffer.bytes.length);
  }
  const back = sizes.indexOf(RECEIVE_BYTES_MIN);
  assert(back >= 60 && back <= 70, `after ${back} reads`);
  assertEquals(new Set(sizes.slice(back)).size, 1);
});

Deno.test("receive_buffer: keeps its size as long as something is in it", () => {
  const buffer = grown();
  for (let read = 0; read < 200; read++) {
    receive(buffer, `${read === 0 ? "" : "end\n"}begin `);
    assertEquals(frames(buffer), read === 0 ? [] : ["begin end"]);
    assert(buffer.bytes.length > RECEIVE_BYTES_MIN, `read ${read}`);
  }
  assertEquals(last(buffer), ["begin "]);
});

Deno.test("receive_buffer: keeps its size while long frames come now and then", () => {
  const buffer = grown();
  const { length } = buffer.bytes;
  for (let read = 0; read < 500; read++) {
    receive(buffer, (read % 50 === 0 ? "a".repeat(3000) : "a") + "\n");
    assertEquals(frames(buffer).length, 1);
    assertEquals(buffer.bytes.length, length, `read ${read}`);
  }
});
