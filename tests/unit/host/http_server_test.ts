// A server of the runtime for one connection: it answers what is relayed to it, and leaves nothing behind.

import { assertEquals, assertMatch } from "@std/assert";
import { openHttpServer } from "../../../lib/host/http_server.ts";
import { eventually } from "../../support/server.ts";

const encoder = new TextEncoder();
const decoder = new TextDecoder();

/** All that comes until the end. */
async function heard(wire: { read(into: Uint8Array<ArrayBuffer>): Promise<number | null> }) {
  const space = new Uint8Array(4096);
  let text = "";
  for (let count; (count = await wire.read(space)) !== null;) {
    text += decoder.decode(space.subarray(0, count));
  }
  return text;
}

Deno.test("http server: each serves its own connection, until it is stopped or closed", async () => {
  const [one, other] = await Promise.all(["one", "other"].map((name) => {
    return openHttpServer(async (request) => new Response(`${name} ${await request.text()}`));
  }));
  for (const { wire } of [one, other]) {
    await wire.write(encoder.encode("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\nhi"));
  }
  const space = new Uint8Array(4096);
  const first = decoder.decode(space.subarray(0, (await one.wire.read(space))!));
  assertMatch(first, /^HTTP\/1\.1 200 [^]*\r\n\r\none hi$/);
  one.stop();
  assertEquals(await heard(one.wire), "");
  other.stop(); // what was asked is answered
  assertMatch(await heard(other.wire), /\r\n\r\nother hi$/);
  for (const server of [one, other]) server.close();
});

Deno.test("http server: a handler that throws is the status 500", async () => {
  const { wire, close } = await openHttpServer(() => Promise.reject(new Error("broken")));
  await wire.write(encoder.encode("GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"));
  assertMatch(await heard(wire), /^HTTP\/1\.1 500 /);
  close();
});

Deno.test("http server: nothing of it is in the file system once it is open", async () => {
  const before = karmas();
  const { wire, close } = await openHttpServer(() => Promise.resolve(new Response("here")));
  const made = [...karmas()].filter((path) => !before.has(path)); // by servers of other tests
  await eventually("all of them are gone", () => !made.some((path) => karmas().has(path)));
  await wire.write(encoder.encode("GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"));
  assertMatch(await heard(wire), /\r\n\r\nhere$/);
  close();
});

function karmas(): Set<string> {
  const probe = Deno.makeTempDirSync();
  Deno.removeSync(probe);
  const temporary = probe.slice(0, probe.lastIndexOf("/"));
  const names = [...Deno.readDirSync(temporary)].map(({ name }) => name);
  return new Set(
    names.filter((name) => name.startsWith("karma-http-")).map((name) => `${temporary}/${name}`),
  );
}
