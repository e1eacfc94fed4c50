// TLS listeners and their connections: bytes both ways, new certificates, handshakes that fail, and the port's end.

import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import { HostError } from "../../../lib/errors.ts";
import { examineTls, listenTls, type TlsTexts } from "../../../lib/host/tls_listener.ts";
import { Authority, noCertificates } from "../../support/certificates.ts";
import { TemporaryDirectory } from "../../support/server.ts";

if (noCertificates) console.log(`Skipped tls_listener_test.ts: ${noCertificates}`);

const ADDRESS = { hostname: "127.0.0.1", port: 0 };

/** A test with an authority and two certificates of it. */
function tlsTest(name: string, run: (world: World) => Promise<void>): void {
  Deno.test({
    name,
    ignore: noCertificates !== undefined,
    async fn() {
      using files = new TemporaryDirectory();
      await run(new World(new Authority(files.path)));
    },
  });
}

class World {
  readonly authority: Authority;
  readonly failures: string[] = [];
  readonly options = {
    connectionsMax: 10,
    failed: (sentence: string) => void this.failures.push(sentence),
  };

  constructor(authority: Authority) {
    this.authority = authority;
    for (const name of ["one", "other"]) authority.issue(name);
  }

  texts(name: string, key = name): TlsTexts {
    const [certificate, itsKey] = [`${name}.pem`, `${key}.key`].map((file) => {
      return Deno.readTextFileSync(this.authority.pathOf(file));
    });
    return { certificate, key: itsKey, clientAuthorities: null };
  }

  connect(port: number): Promise<Deno.TlsConn> {
    return Deno.connectTls({ hostname: "127.0.0.1", port, caCerts: [this.authority.text] });
  }
}

tlsTest("tls listener: bytes pass both ways, to the end of either side", async (world) => {
  const listener = await listenTls(ADDRESS, world.texts("one"), world.options);
  const [client, connection] = await Promise.all([world.connect(listener.port), listener.accept()]);
  const sent = crypto.getRandomValues(new Uint8Array(60_000));
  const sending = (async () => {
    for (let at = 0; at < sent.length;) at += await client.write(sent.subarray(at));
    await client.closeWrite();
  })();
  const space = new Uint8Array(1000);
  const heard: number[] = [];
  for (let count; (count = await connection.read(space)) !== null;) {
    assert(count > 0);
    heard.push(...space.subarray(0, count));
  }
  await sending;
  assertEquals(Uint8Array.from(heard), sent);
  const reply = new TextEncoder().encode("reply");
  assertEquals(await connection.write(reply), reply.length);
  await connection.closeWrite();
  const told = new Uint8Array(100);
  assertEquals(await client.read(told), reply.length);
  assertEquals(await client.read(told), null);
  connection.close();
  await assertRejects(() =>
    connection.read(space).then((count) => {
      if (count === null) throw new Error("it has ended");
    })
  );
  client.close();
  listener.close();
  await assertRejects(() => listener.accept());
});

tlsTest("tls listener: others' certificates come after a replacement", async (world) => {
  const listener = await listenTls(ADDRESS, world.texts("one"), world.options);
  const before = listener.port;
  await listener.replace(world.texts("other"));
  assertEquals(listener.port, before);
  const [client, connection] = await Promise.all([world.connect(before), listener.accept()]);
  await client.handshake();
  connection.close();
  client.close();
  listener.close();
});

tlsTest(
  "tls listener: a handshake that fails is told of, and the next one succeeds",
  async (world) => {
    const listener = await listenTls(ADDRESS, world.texts("one"), world.options);
    const accepted = listener.accept();
    const plain = await Deno.connect({ hostname: "127.0.0.1", port: listener.port });
    await plain.write(new TextEncoder().encode("GET / HTTP/1.1\r\n\r\n"));
    while (await plain.read(new Uint8Array(100)).catch(() => null) !== null);
    plain.close();
    const client = await world.connect(listener.port);
    (await accepted).close();
    client.close();
    listener.close();
    assertEquals(world.failures.length, 1);
  },
);

tlsTest("tls listener: a port that is taken is the host's failure", async (world) => {
  const listener = await listenTls(ADDRESS, world.texts("one"), world.options);
  const again = { ...ADDRESS, port: listener.port };
  await assertRejects(() => listenTls(again, world.texts("one"), world.options), HostError);
  listener.close();
});

tlsTest("tls listener: certificates are examined", (world) => {
  const end = examineTls(world.texts("one"));
  assert(end.getTime() > Date.now() && end.getTime() < Date.now() + 21 * 86_400_000);
  assertThrows(() => examineTls(world.texts("one", "other")), Error);
  assertThrows(() => examineTls({ ...world.texts("one"), certificate: "x" }), Error);
  assertThrows(() => examineTls({ ...world.texts("one"), clientAuthorities: "x" }), Error);
  return Promise.resolve();
});
