import { assertEquals } from "@std/assert";
import { ReceiveBuffer } from "../../../lib/bytes/receive_buffer.ts";
import type { Envelope } from "../../../lib/protocol/protocol.ts";
import type { PortProtocol } from "../../../lib/server/connection.ts";
import { Speech } from "../../../lib/server/speech.ts";
import { codecOf } from "../../support/codec.ts";

const encoder = new TextEncoder();
const ENVELOPE: Envelope = { operation: null, token: null, isWhole: false };

/** What a client that sends a text is taken to speak, and whether it is served. */
function spoken(
  text: string,
  protocols: PortProtocol[],
  { isNew = true, envelope = null as Envelope | null } = {},
): [string, boolean] {
  const received = new ReceiveBuffer(4096);
  const speech = new Speech(envelope, new Set(protocols));
  speech.isNew = isNew;
  const codec = codecOf();
  let isServed = false;
  for (const byte of encoder.encode(text)) { // cut everywhere
    received.space().set([byte]);
    received.filled(1);
    isServed = speech.isServed(codec, received);
  }
  received.release();
  return [speech.spoken, isServed];
}

Deno.test("speech: the first line tells RESP, where it is spoken, and all else is for each frame to tell", () => {
  const all: PortProtocol[] = ["json", "resp", "http"];
  assertEquals(spoken("*1\r\n", all), ["resp", true]);
  assertEquals(spoken("PING\r\n", all), ["resp", true]);
  assertEquals(spoken("PING", all), ["v2", true]);
  assertEquals(spoken('{"v":2}\n*1\r\n', all), ["v2", true]);
  assertEquals(spoken("*1\r\n", all, { isNew: false }), ["v2", true]);
  assertEquals(spoken("*1\r\n", all, { envelope: ENVELOPE }), ["v2", true]);
  assertEquals(spoken("*1\r\n", ["json", "http"]), ["v2", true]);
  assertEquals(spoken("*1\r\n", ["resp"]), ["resp", true]);
  assertEquals(spoken('{"v":2}\n', ["resp"]), ["v2", false]);
});
