// TLS on a port of its own: all protocols behind it, handshakes that fail, certificates of clients, and new certificates
// and tokens while clients are there.

import { assert, assertEquals, assertMatch, assertRejects } from "@std/assert";
import { Authority, noCertificates } from "../support/certificates.ts";
import { Client } from "../support/client.ts";
import { eventually, Server, TemporaryDirectory } from "../support/server.ts";

if (noCertificates) console.log(`Skipped tls_test.ts: ${noCertificates}`);
/** The binary may be made with an older runtime. */
const isCurrent = Deno.env.get("KARMA_BIN") === undefined;
if (!isCurrent) console.log("Skipped some of tls_test.ts: they need Deno 2.9 inside of the binary");

const PING = '{"v":2,"op":"system.ping"}\n';
const PONG = '{"protocol_version":2,"success":true,"response":"pong","error_code":null}\n';

const encoder = new TextEncoder();
const decoder = new TextDecoder();

class World implements AsyncDisposable {
  readonly files = new TemporaryDirectory();
  readonly authority = new Authority(this.files.path);
  server!: Server;
  port = 0;

  static async start(...more: string[]): Promise<World> {
    const world = new World();
    world.authority.issue("server");
    await world.launch(...more);
    return world;
  }

  async launch(...more: string[]): Promise<void> {
    const { authority } = this;
    const [certificate, key] = ["server.pem", "server.key"].map((file) => authority.pathOf(file));
    const args = ["--tls-port=0", `--tls-cert=${certificate}`, `--tls-key=${key}`, ...more];
    this.server = await Server.start({ args });
    this.port = Number(/^TLS is on (\d+)\.$/m.exec(this.server.stdout)![1]);
  }

  connect(hostname = "127.0.0.1"): Promise<Deno.TlsConn> {
    return Deno.connectTls({ hostname, port: this.port, caCerts: [this.authority.text] });
  }

  /** Puts another certificate in place of the server's, signed by the same authority. */
  replace(name: string): void {
    this.authority.issue(name);
    for (const end of ["pem", "key"]) {
      Deno.renameSync(
        this.authority.pathOf(`${name}.${end}`),
        this.authority.pathOf(`server.${end}`),
      );
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.server[Symbol.asyncDispose]();
    this.files[Symbol.dispose]();
  }
}

/** Sends text and returns the line that answers it. */
async function ask(connection: Deno.Conn, text = PING): Promise<string> {
  for (let rest = encoder.encode(text); rest.length > 0;) {
    rest = rest.subarray(await connection.write(rest));
  }
  let told = "";
  const space = new Uint8Array(65536);
  while (!told.endsWith("\n")) {
    const count = await connection.read(space);
    if (count === null) throw new Error("The connection has ended");
    told += decoder.decode(space.subarray(0, count));
  }
  return told;
}

/** The name in the certificate that the server shows. */
async function subject(world: World): Promise<string> {
  const args = ["s_client", "-connect", `127.0.0.1:${world.port}`, "-CAfile", world.authority.path];
  const { stdout } = await new Deno.Command("openssl", { args, stdin: "null" }).output();
  return /subject=CN ?= ?(\w+)/.exec(decoder.decode(stdout))?.[1] ?? "";
}

const ignore = noCertificates !== undefined;

Deno.test(
  { name: "tls: JSON lines and HTTP, in large pieces and by half-closing clients", ignore },
  async () => {
    await using world = await World.start();
    using connection = await world.connect();
    for (let count = 0; count < 3; count++) assertEquals(await ask(connection), PONG);
    const padded = PING.replace("{", `{"padding":"${"x".repeat(500_000)}",`);
    assertEquals(await ask(connection, padded), PONG);
    assertEquals(
      await ask(connection, PING.repeat(1000)).then((told) => told.slice(0, PONG.length)),
      PONG,
    );
    using client = Deno.createHttpClient({ caCerts: [world.authority.text] });
    const init = { method: "POST", headers: { "content-type": "application/json" }, client };
    const response = await fetch(`https://localhost:${world.port}/v2/system.ping`, init);
    assertEquals(await response.text(), PONG);
    using plain = await Client.connect(world.server.port);
    assertEquals(await plain.ask(PING.trimEnd()), PONG.trimEnd());
    assertMatch(world.server.stderr, /The TLS certificate is valid until 20/);
    assertEquals(await world.server.stop(), 0);
  },
);

Deno.test(
  { name: "tls: the end of a connection is told, as OpenSSL 3 wants it", ignore },
  async () => {
    await using world = await World.start();
    for (const sent of ["", PING, PING.repeat(100), "GET / HTTP/1.1\r\n\r\n"]) {
      using connection = await world.connect();
      await connection.write(encoder.encode(sent));
      await connection.closeWrite();
      let received = 0;
      const space = new Uint8Array(4096);
      for (let count; (count = await connection.read(space)) !== null;) received += count; // or UnexpectedEof
      assertEquals(received > 0, sent !== "");
    }
  },
);

Deno.test(
  { name: "tls: plain text, other authorities and half a handshake harm nobody", ignore },
  async () => {
    await using world = await World.start();
    const { port } = world;
    for (const text of [PING, "GET / HTTP/1.1\r\n\r\n", "\x16\x03\x01", ""]) {
      using client = await Client.connect(port);
      await client.send(text);
      if (text.length > 3) {
        while ((await client.sip(4096).catch(() => [])).length > 0); // an alert, perhaps
      }
    }
    const other = new Authority(world.files.path, "other");
    const wrong = Deno.connectTls({ hostname: "127.0.0.1", port, caCerts: [other.text] })
      .then((connection) => connection.handshake());
    await assertRejects(() => wrong, Error, "UnknownIssuer");
    using connection = await world.connect();
    assertEquals(await ask(connection), PONG);
    using plain = await Client.connect(world.server.port);
    await eventually("only two are there", async () => {
      const metrics = await plain.ask('{"v":2,"op":"system.metrics"}');
      return metrics.includes("\\nkarma_connections 2\\n");
    });
  },
);

Deno.test(
  { name: "tls: certificates that cannot be used are refused at the start", ignore },
  async () => {
    using files = new TemporaryDirectory();
    const authority = new Authority(files.path);
    authority.issue("one");
    authority.issue("two");
    Deno.writeTextFileSync(files.join("none.pem"), "nothing");
    const told = async (...args: string[]) => {
      const { code, stderr } = await Server.run(
        args.map((arg) => arg.replace("=@", `=${files.path}/`)),
      );
      return `${code} ${stderr.split("\n")[0].replaceAll(`${files.path}/`, "@")}`;
    };
    const port = "--tls-port=0";
    assertEquals(await told(port), "2 Option --tls-port needs --tls-cert");
    assertEquals(await told(port, "--tls-cert=@one.pem"), "2 Option --tls-port needs --tls-key");
    assertEquals(await told("--tls-cert=@one.pem"), "2 Option --tls-cert needs --tls-port");
    const missing = await told(port, "--tls-cert=@no.pem", "--tls-key=@one.key");
    assertMatch(missing, /^2 Option --tls-cert: @no\.pem could not be read: No such file/);
    for (const [certificate, key] of [["one.pem", "two.key"], ["none.pem", "one.key"]]) {
      const line = await told(port, `--tls-cert=@${certificate}`, `--tls-key=@${key}`);
      assertMatch(line, /^2 The TLS certificate cannot be used: /);
    }
  },
);

Deno.test(
  { name: "tls: an expired certificate is told of, and clients refuse it", ignore },
  async () => {
    await using world = new World();
    world.authority.issue("server", -1);
    await world.launch();
    await world.server.says(/The TLS certificate was valid until 20/);
    await assertRejects(async () => await (await world.connect()).handshake(), Error, "Expired");
  },
);

Deno.test({
  name: "tls: with --tls-client-ca only clients with its certificates are served",
  ignore: ignore || !isCurrent,
}, async () => {
  await using world = new World();
  const { authority } = world;
  for (const name of ["server", "client"]) authority.issue(name);
  const other = new Authority(world.files.path, "other");
  other.issue("stranger");
  await world.launch(`--tls-client-ca=${authority.path}`);
  const connect = async (name: string | null) => {
    const own = name === null ? {} : {
      cert: Deno.readTextFileSync(authority.pathOf(`${name}.pem`)),
      key: Deno.readTextFileSync(authority.pathOf(`${name}.key`)),
    };
    const caCerts = [authority.text];
    using connection = await Deno.connectTls({
      hostname: "127.0.0.1",
      port: world.port,
      caCerts,
      ...own,
    });
    return await ask(connection);
  };
  assertEquals(await connect("client"), PONG);
  await assertRejects(() => connect(null));
  await assertRejects(() => connect("stranger"));
  await world.server.says(/TLS handshake failed: peer sent no certificates/);
  assertEquals(await connect("client"), PONG);
});

Deno.test({
  name: "tls: SIGHUP takes new certificates under load, and no connection is dropped",
  ignore,
}, async () => {
  await using world = await World.start();
  assertEquals(await subject(world), "server");
  using kept = await world.connect();
  let isOver = false;
  let answered = 0;
  const clients = Array.from({ length: 4 }, async () => {
    while (!isOver) { // each time over a new connection
      try {
        using connection = await world.connect();
        assertEquals(await ask(connection), PONG);
        answered++;
      } catch (error) {
        if (isCurrent) throw error; // else newcomers may be refused for a moment
      }
    }
  });
  const steady = (async () => {
    while (!isOver) assertEquals(await ask(kept), PONG);
  })();
  for (const name of ["second", "third"]) {
    world.replace(name);
    const before = answered;
    world.server.signal("SIGHUP");
    await eventually(`it shows ${name}`, async () => await subject(world) === name);
    await eventually("others go on", () => answered > before + 20);
  }
  Deno.writeTextFileSync(world.authority.pathOf("server.pem"), "broken");
  world.server.signal("SIGHUP");
  await world.server.says(/cannot be used: .*stay as they were$/m);
  assertEquals(await subject(world), "third");
  isOver = true;
  await Promise.all(clients);
  await steady;
});

Deno.test("tls: SIGHUP takes new tokens, and the old ones are wrong at once", async () => {
  using files = new TemporaryDirectory();
  const path = files.join("token");
  Deno.writeTextFileSync(path, "old\n");
  await using server = await Server.start({ args: [`--auth-token-file=${path}`] });
  using client = await Client.connect(server.port);
  const ping = (token: string) => client.ask(PING.trimEnd().replace("{", `{"token":"${token}",`));
  assertEquals(await ping("old"), PONG.trimEnd());
  Deno.writeTextFileSync(path, "new\n");
  server.signal("SIGHUP");
  await server.says(/^Tokens and certificates were read again$/m);
  assertMatch(await ping("old"), /"unauthorized"/);
  assertEquals(await ping("new"), PONG.trimEnd());
  Deno.removeSync(path);
  server.signal("SIGHUP");
  await server.says(/could not be read: .*stay as they were$/m);
  assertEquals(await ping("new"), PONG.trimEnd());
  assert(!server.stderr.includes("old") && !server.stderr.includes("new"), "no token is told");
});
