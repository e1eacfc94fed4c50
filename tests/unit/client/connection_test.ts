// A connection: replies in order, deadlines, and ends.

import { assertEquals, assertRejects } from "@std/assert";
import { Connection } from "../../../lib/client/connection.ts";
import { HostError } from "../../../lib/errors.ts";
import { FakeWire } from "../../support/tool_host.ts";

const bytes = (text: string) => new TextEncoder().encode(text);
const text = (line: Uint8Array) => new TextDecoder().decode(line);

Deno.test("connection: each request gets its reply, however many are under way", async () => {
  const wire = new FakeWire((line) => `<${line}>`);
  const connection = new Connection(wire, 60_000);
  const long = "x".repeat(200_000); // more than is received at once
  const lines = ["a", "", long, "b"];
  const replies = await Promise.all(lines.map((line) => connection.ask(bytes(`${line}\n`))));
  assertEquals(replies.map(text), lines.map((line) => `<${line}>`));
  connection.close();
  assertEquals(wire.isClosed, true);
});

Deno.test("connection: its end fails whoever waits, and whoever asks later", async () => {
  const connection = new Connection(new FakeWire((line) => line === "end" ? null : line), 60_000);
  assertEquals(text(await connection.ask(bytes("a\n"))), "a");
  const sentence = "The connection ended: the server closed it";
  await assertRejects(() => connection.ask(bytes("end\n")), HostError, sentence);
  await assertRejects(() => connection.ask(bytes("a\n")), HostError, sentence);
});

Deno.test("connection: what waits longer than the deadline fails", async () => {
  let isMute = false;
  const wire = new FakeWire((line) => line);
  const mute = {
    ...methodsOf(wire),
    write: (sent: Uint8Array<ArrayBuffer>) => {
      return isMute ? Promise.resolve(sent.length) : wire.write(sent);
    },
  };
  const connection = new Connection(mute, 20);
  assertEquals(text(await connection.ask(bytes("a\n"))), "a");
  isMute = true;
  const sentence = "The server did not answer: it sent nothing in time";
  await assertRejects(() => connection.ask(bytes("b\n")), HostError, sentence);
  assertEquals(wire.isClosed, true);
});

Deno.test("connection: a line that nobody asked for ends it", async () => {
  const connection = new Connection(new FakeWire((line) => `${line}\n{"more":1}`), 60_000);
  assertEquals(text(await connection.ask(bytes("a\n"))), "a");
  await assertRejects(() => connection.ask(bytes("b\n")), HostError, '{"more":1}');
});

function methodsOf(wire: FakeWire) {
  return {
    read: (into: Uint8Array<ArrayBuffer>) => wire.read(into),
    write: (sent: Uint8Array<ArrayBuffer>) => wire.write(sent),
    close: () => wire.close(),
  };
}
