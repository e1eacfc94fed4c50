// A server of the runtime for one connection: it answers what is relayed to it, and leaves nothing behind.

import { assert, assertEquals, assertMatch } from "@std/assert";
import { HttpServers } from "../../../lib/host/http_server.ts";

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
  const servers = new HttpServers();
  const [one, other] = await Promise.all(["one", "other"].map((name) => {
    return servers.open(async (request) => new Response(`${name} ${await request.text()}`));
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
  servers.close();
});

Deno.test("http server: a handler that throws is the status 500", async () => {
  const servers = new HttpServers();
  const { wire, close } = await servers.open(() => Promise.reject(new Error("broken")));
  await wire.write(encoder.encode("GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"));
  assertMatch(await heard(wire), /^HTTP\/1\.1 500 /);
  close();
  servers.close();
});

Deno.test("http server: nobody else may enter the directory, and it is gone in the end", async () => {
  const servers = new HttpServers();
  servers.close(); // nothing was opened
  const before = karmas();
  const { close } = await servers.open(() => Promise.resolve(new Response()));
  const [made] = [...karmas()].filter((path) => !before.has(path));
  assert(made !== undefined);
  assertEquals(Deno.statSync(made).mode! & 0o777, 0o700);
  close();
  servers.close();
  assert(!karmas().has(made));
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
