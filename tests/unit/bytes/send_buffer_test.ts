// The send buffer: decimal numbers at every length, JSON strings at every byte, and its growth.

import { assertEquals } from "@std/assert";
import { SendBuffer } from "../../../lib/bytes/send_buffer.ts";
import { highLane, lowLane } from "../../../lib/bytes/u64.ts";
import { Random } from "../../support/random.ts";

const decoder = new TextDecoder();

/** What is in the buffer. */
function written(out: SendBuffer): string {
  return decoder.decode(out.bytes.subarray(0, out.length));
}

function decimal(value: bigint): string {
  const out = new SendBuffer(1);
  out.decimal(lowLane(value), highLane(value));
  return written(out);
}

Deno.test("send_buffer: decimals around every power of ten, of two and of 10^9 2^k", () => {
  for (let power = 1n; power < 2n ** 64n; power *= 10n) checkAround(power);
  for (let bit = 0n; bit <= 64n; bit++) checkAround(2n ** bit);
  // The division is in steps of 10^9 and of 16 and 32 bits: here its carries begin and end.
  for (let bit = 0n; bit < 35n; bit++) checkAround(10n ** 9n << bit);
  checkAround(0xffffffff00000000n);
  checkAround(0x00000000ffffffffn);
});

function checkAround(middle: bigint): void {
  for (const value of [middle - 1n, middle, middle + 1n]) {
    if (value < 0n || value >= 2n ** 64n) continue;
    assertEquals(decimal(value), String(value));
  }
}

Deno.test("send_buffer: decimals of random numbers of every size", () => {
  const random = new Random(1);
  for (let round = 0; round < 20000; round++) {
    const value = random.u64() >> BigInt(random.below(64));
    assertEquals(decimal(value), String(value));
  }
});

Deno.test("send_buffer: JSON strings escape what v1 escapes and nothing else", () => {
  const SHORT: Record<number, string> = {
    0x08: "\\b",
    0x09: "\\t",
    0x0a: "\\n",
    0x0c: "\\f",
    0x0d: "\\r",
    0x22: '\\"',
    0x5c: "\\\\",
  };
  for (let byte = 0; byte < 256; byte++) {
    const out = new SendBuffer(1);
    out.jsonString(Uint8Array.of(0x61, byte, 0x62));
    const inner = out.bytes.slice(2, out.length - 2);
    const control = byte < 0x20 || byte === 0x7f;
    const code = `\\u00${byte.toString(16).padStart(2, "0")}`;
    // A single byte beyond ASCII is no UTF-8.
    const other = byte < 0x80 ? String.fromCharCode(byte) : "\ufffd";
    const text = SHORT[byte] ?? (control ? code : other);
    assertEquals(inner, new TextEncoder().encode(text), `byte ${byte}`);
    assertEquals([out.bytes[0], out.bytes[1]], [0x22, 0x61]);
    assertEquals([out.bytes[out.length - 2], out.bytes[out.length - 1]], [0x62, 0x22]);
  }
});

Deno.test("send_buffer: text beyond ASCII goes out as it is", () => {
  const out = new SendBuffer(4);
  out.text("день ");
  out.jsonString(new TextEncoder().encode("日\u2028</😀"));
  assertEquals(written(out), 'день "日\u2028</😀"');
});

Deno.test("send_buffer: what is no UTF-8 goes out as U+FFFD, short or long", () => {
  const decoder = new TextDecoder();
  for (const length of [0, 5000]) {
    for (const bytes of [[0xff], [0xc0, 0x80], [0xed, 0xa0, 0x80], [0xf0, 0x9f, 0x98], [0xe6]]) {
      const text = Uint8Array.from([...new Uint8Array(length).fill(0x61), ...bytes, 0x62]);
      const out = new SendBuffer(1);
      out.jsonString(text);
      assertEquals(written(out), `"${decoder.decode(text)}"`);
    }
  }
});

Deno.test("send_buffer: grows as needed, keeps what it holds, begins anew when cleared", () => {
  const out = new SendBuffer(1);
  let expected = "";
  for (let round = 0; round < 500; round++) {
    out.byte(0x5b);
    out.raw(new Uint8Array(round).fill(0x61));
    out.decimal(round, 0);
    out.jsonText(Uint8Array.of(0));
    out.text("]");
    expected += `[${"a".repeat(round)}${round}\\u0000]`;
  }
  assertEquals(written(out), expected);
  out.clear();
  assertEquals(out.length, 0);
  out.text("next");
  assertEquals(written(out), "next");
});

Deno.test("send_buffer: room that was reserved is there, and the bytes stay where they are", () => {
  const out = new SendBuffer(8);
  out.reserve(8);
  const { bytes } = out;
  out.text("12345678");
  assertEquals(out.bytes === bytes, true);
  out.reserve(1000);
  assertEquals(out.bytes.length >= 1008, true);
  assertEquals(written(out), "12345678");
});
