// What a client hears while the data is being read, and that the same connection goes on afterwards.

import { assertEquals } from "@std/assert";
import { Access } from "../../../lib/command/access.ts";
import { Loading } from "../../../lib/server/loading.ts";
import { Acceptor } from "../../../lib/server/acceptor.ts";
import { Descriptors } from "../../../lib/server/descriptors.ts";
import type { Connection } from "../../../lib/server/connection.ts";
import { LocalKarma } from "../../support/local_karma.ts";

const encoder = new TextEncoder();

const OPTIONS = {
  requestBytesMax: 1024,
  requestTimeoutMs: 0,
  readTimeoutMs: 0,
  writeTimeoutMs: 0,
  connectionsMax: 10,
  corsOrigins: [],
  protocols: new Set(["json" as const]),
  noDelay: true,
  keepAlive: true,
  authTimeoutMs: 0,
  bufferBytesMax: 1 << 20,
  batchItemsMax: 10,
  replyBytesMax: 0,
};

/** A connection that the test plays, and the lines that came back on it. */
class Wire implements Connection {
  #sent = Promise.withResolvers<string | null>();
  #received = "";
  #line = Promise.withResolvers<string>();

  async read(into: Uint8Array<ArrayBuffer>): Promise<number | null> {
    const text = await this.#sent.promise;
    this.#sent = Promise.withResolvers();
    return text === null ? null : encoder.encodeInto(text, into).written;
  }

  write(bytes: Uint8Array<ArrayBuffer>): Promise<number> {
    this.#received += new TextDecoder().decode(bytes);
    if (this.#received.endsWith("\n")) this.#line.resolve(this.#received);
    return Promise.resolve(bytes.length);
  }

  /** Sends lines that come in one read, and waits for what is written for them. */
  async ask(...lines: string[]): Promise<string[]> {
    this.#received = "";
    this.#line = Promise.withResolvers();
    this.#sent.resolve(lines.map((line) => `${line}\n`).join(""));
    return (await this.#line.promise).trimEnd().split(/\r?\n/);
  }

  setNoDelay(): void {}

  setKeepAlive(): void {}

  closeWrite(): Promise<void> {
    return Promise.resolve();
  }

  close(): void {
    this.#sent.resolve(null);
  }
}

const v2 = (text: string, code: string) =>
  `{"protocol_version":2,"success":false,"response":"${text}","error_code":"${code}"}`;
const LOADING = v2("Karma is loading its data", "loading");

Deno.test("loading: every request is refused until the engine is there, on the same connection", async () => {
  const karma = await LocalKarma.start();
  const { statistics } = karma.engine;
  const wire = new Wire();
  const stopped = Promise.withResolvers<never>();
  const waiting = [wire];
  const listener = {
    accept: () => waiting.length > 0 ? Promise.resolve(waiting.pop()!) : stopped.promise,
    close: () => stopped.reject(new Error("closed")),
  };
  const descriptors = new Descriptors(() => ({ close() {} }));
  const options = { ...OPTIONS, access: new Access("right", null) };
  const acceptor = new Acceptor(
    [listener],
    new Loading(statistics),
    options,
    descriptors,
    () => {},
  );
  const running = acceptor.run();
  const requests = [
    '{"v":2,"op":"counter.increment","series":"t","key":1,"token":"right"}',
    '{"v":2,"op":"system.health","token":"right"}',
    '{"command":"ping","token":"right"}',
    '{"v":2,"op":"system.health","token":"wrong"}',
    '{"v":2,"op":"no.such","token":"right"}',
    "no JSON",
  ];
  const [increment, health, ping, wrong, unknown] = await wire.ask(...requests);
  assertEquals([increment, health], [LOADING, LOADING]);
  assertEquals(ping, '{"success":false,"response":"Karma is loading its data"}');
  assertEquals(wrong, v2("Unauthorized", "unauthorized"));
  assertEquals(unknown, v2("Unknown op no.such", "unknown_command"));
  assertEquals(statistics.errors, requests.length);
  assertEquals(statistics.connections, 1);

  acceptor.serve(karma.engine);
  const [counted] = await wire.ask(requests[0]);
  assertEquals(counted, '{"protocol_version":2,"success":true,"response":1,"error_code":null}');
  // The day was known, even to a request of the turn in which the engine took over.
  const range = '"range":{"from":20261122,"to":20261122}';
  const sum = `{"v":2,"op":"counter.sum","series":"t","key":1,${range},"token":"right"}`;
  assertEquals(await wire.ask(sum), [counted]);
  await acceptor.stop();
  await running;
  await LocalKarma.timersDone();
});
