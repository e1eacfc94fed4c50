// The text form: which numbers of a response get quotes.

import { assertEquals } from "@std/assert";
import { SendBuffer } from "../../../../lib/bytes/send_buffer.ts";
import { KEYS_AS_TEXT, NUMBERS_AS_TEXT } from "../../../../lib/command/request.ts";
import { TextForm } from "../../../../lib/protocol/json/text_form.ts";

const decoder = new TextDecoder();
const form = new TextForm();

/** A text behind what was written before, with quotes. */
function quoted(bits: number, text: string): string {
  const out = new SendBuffer(8);
  out.text('{"key":1,"response":');
  const start = out.length;
  out.text(text);
  const added = form.apply(bits, out, start);
  const whole = decoder.decode(out.view(0));
  assertEquals(whole.length, start + text.length + added);
  assertEquals(whole.slice(0, start), '{"key":1,"response":');
  return whole.slice(start);
}

const CASES: [text: string, keys: string, numbers: string][] = [
  ["17", "17", '"17"'],
  ['"17"', '"17"', '"17"'],
  ["null", "null", "null"],
  ["[]", "[]", "[]"],
  ["{}", "{}", "{}"],
  [
    '[{"key":42,"value":12},{"key":18446744073709551615,"value":0}]',
    '[{"key":"42","value":12},{"key":"18446744073709551615","value":0}]',
    '[{"key":42,"value":"12"},{"key":18446744073709551615,"value":"0"}]',
  ],
  [
    '{"tree":"t","limit":2,"cursor":null,"next_cursor":9,"keys":[{"key":9,"total":1}]}',
    '{"tree":"t","limit":2,"cursor":null,"next_cursor":"9","keys":[{"key":"9","total":1}]}',
    '{"tree":"t","limit":2,"cursor":null,"next_cursor":9,"keys":[{"key":9,"total":"1"}]}',
  ],
  ['{"20260101":3,"7":5}', '{"20260101":3,"7":5}', '{"20260101":"3","7":"5"}'],
  ['"20260102":3,', '"20260102":3,', '"20260102":"3",'], // a piece of a walked reply
  // Names with quotes and backslashes, and strings that look like members.
  [
    '{"series":"a\\"key\\":1","key":2,"x\\\\":3,"":4,"total":"5"}',
    '{"series":"a\\"key\\":1","key":"2","x\\\\":3,"":4,"total":"5"}',
    '{"series":"a\\"key\\":1","key":2,"x\\\\":3,"":4,"total":"5"}',
  ],
  ['{"max":-1,"used":1.5}', '{"max":-1,"used":1.5}', '{"max":-1,"used":1.5}'],
];

Deno.test("text form: keys, numbers, both and neither", () => {
  for (const [text, keys, numbers] of CASES) {
    assertEquals(quoted(0, text), text);
    assertEquals(quoted(KEYS_AS_TEXT, text), keys);
    assertEquals(quoted(NUMBERS_AS_TEXT, text), numbers);
    const both = quoted(KEYS_AS_TEXT | NUMBERS_AS_TEXT, text);
    assertEquals(both, quoted(NUMBERS_AS_TEXT, keys));
    assertEquals(both, quoted(KEYS_AS_TEXT, numbers));
  }
});
