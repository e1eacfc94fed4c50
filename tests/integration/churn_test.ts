// Thousands of connections one after the other, each cut somewhere in its first line: nothing of them stays behind, no
// connection, no descriptor and no memory.

import { assert } from "@std/assert";
import { budget } from "../support/budget.ts";
import { Authority, noCertificates } from "../support/certificates.ts";
import { Client } from "../support/client.ts";
import { eventually, Server, TemporaryDirectory } from "../support/server.ts";

const CONNECTIONS = budget(3000, 100_000);
/** Those over TLS take the test's own process five times as long. */
const TLS_CONNECTIONS = budget(2000, 20_000);
/** As many at once as clients of a busy service may be. */
const SIDE_BY_SIDE = 16;
/**
 * What the collector has not looked at yet; a kilobyte for each connection would be more in a long run. Over TLS the
 * runtime keeps what the last ten seconds had (lib/host/tls_listener.ts), however many there were before.
 */
const MEMORY_BYTES_MAX = 48 << 20;
const TLS_MEMORY_BYTES_MAX = 384 << 20;

const encoder = new TextEncoder();
const METRICS = '{"v":2,"op":"system.metrics"}';

const BODY = '{"series":"t","key":1}';
const HTTP = `POST /v2/counter.sum HTTP/1.1\r\nHost: karma\r\nContent-Type: application/json\r\n` +
  `Content-Length: ${BODY.length}\r\n\r\n${BODY}`;
const JSON_LINE = `{"v":2,"op":"counter.sum","series":"t","key":1}\n`;

/** The descriptors that a process has open. */
async function descriptors(pid: number): Promise<number> {
  const { stdout } = await new Deno.Command("ls", { args: [`/proc/${pid}/fd`] }).output();
  return new TextDecoder().decode(stdout).trim().split("\n").length;
}

/** Of the tests' own process: the runtime closes connections over TLS when it finds time, after their close(). */
const OPEN_MAX = 4000;

/** Opens connections, sends the first bytes of `text` over each, more over each than over the one before, and closes. */
async function churn(
  count: number,
  text: string,
  connect: () => Promise<Deno.Conn>,
): Promise<void> {
  const bytes = encoder.encode(text);
  const firstLine = text.indexOf("\n") + 1;
  let opened = 0;
  const one = async () => {
    while (opened < count) {
      const cut = opened++ % (firstLine + 1);
      const isWhole = cut === firstLine;
      const connection = await connect();
      try {
        await connection.write(isWhole ? bytes : bytes.subarray(0, cut));
        if (isWhole) await connection.read(new Uint8Array(1000));
      } catch { /* it may be refused at any time */ }
      connection.close();
      if (opened % 100 === 0) {
        await eventually("this process has closed its own", async () => {
          return await descriptors(Deno.pid) < OPEN_MAX;
        });
      }
    }
  };
  await Promise.all(Array.from({ length: SIDE_BY_SIDE }, one));
}

/** Churns, waits until only a witness is left, and holds memory and descriptors to what they were. */
async function leavesNothing(
  server: Server,
  text: string,
  connect: () => Promise<Deno.Conn>,
  count = CONNECTIONS,
  memoryBytesMax = MEMORY_BYTES_MAX,
): Promise<void> {
  using witness = await Client.connect(server.port);
  const settled = () =>
    eventually("only the witness is there", async () => {
      return (await witness.ask(METRICS)).includes("\\nkarma_connections 1\\n");
    });
  await churn(count / 4, text, connect); // the first ones make what stays for all
  await settled();
  const [memoryBefore, openBefore] = [await server.memory(), await descriptors(server.pid)];
  await churn(count, text, connect);
  await settled();
  await eventually(
    "descriptors are closed",
    async () => await descriptors(server.pid) <= openBefore + 4,
  );
  const grown = await server.memory() - memoryBefore;
  assert(grown < memoryBytesMax, `${grown} bytes more after ${count} connections`);
}

for (const [name, text] of [["JSON lines", JSON_LINE], ["HTTP", HTTP]] as const) {
  Deno.test(`churn: connections of ${name} that are cut in their first line leave nothing`, async () => {
    await using server = await Server.start();
    const { port } = server;
    await leavesNothing(server, text, () => Deno.connect({ hostname: "127.0.0.1", port }));
  });
}

if (noCertificates) console.log(`Skipped a test of churn_test.ts: ${noCertificates}`);

Deno.test({
  name: "churn: connections over TLS that are cut in their first line leave nothing",
  ignore: noCertificates !== undefined,
  async fn() {
    using files = new TemporaryDirectory();
    const authority = new Authority(files.path);
    authority.issue("server");
    const [cert, key] = ["server.pem", "server.key"].map((file) => authority.pathOf(file));
    const args = ["--tls-port=0", `--tls-cert=${cert}`, `--tls-key=${key}`];
    await using server = await Server.start({ args });
    const port = Number(/^TLS is on (\d+)\.$/m.exec(server.stdout)![1]);
    const caCerts = [authority.text];
    let opened = 0;
    const connect = () => { // every other one is cut in its handshake
      const address = { hostname: "127.0.0.1", port };
      return opened++ % 2 === 0 ? Deno.connect(address) : Deno.connectTls({ ...address, caCerts });
    };
    await leavesNothing(server, JSON_LINE, connect, TLS_CONNECTIONS, TLS_MEMORY_BYTES_MAX);
  },
});
