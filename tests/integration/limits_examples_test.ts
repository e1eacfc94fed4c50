// The programs in docs/limits.md, run against a real server: the blocks of a language are one program,
// and the blocks of text behind them are what it prints.
//
// And again through a proxy that loses answers: a program that repeats what was not answered prints
// the same, because what was charged is not charged again.

import { assert, assertEquals } from "@std/assert";
import { Server, TemporaryDirectory } from "../support/server.ts";

const text = Deno.readTextFileSync(new URL("../../docs/limits.md", import.meta.url));
const BLOCK = /^```(\w+)\n(.*?)^```/gms;

interface Program {
  readonly source: string;
  readonly prints: string;
}

function programIn(language: string): Program {
  let source = "";
  let prints = "";
  let before = "";
  for (const [, kind, body] of text.matchAll(BLOCK)) {
    if (kind === language) source += body;
    if (kind === "text" && before === language) prints += body;
    before = kind;
  }
  assert(source !== "" && prints !== "", `There is no program in ${language}`);
  return { source, prints };
}

/** A proxy of a server that closes each connection of the first few when it is answered. */
class LossyProxy implements AsyncDisposable {
  readonly #listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  readonly #served: Promise<void>;
  readonly port = this.#listener.addr.port;
  lost = 0;

  constructor(port: number, lossesMax: number) {
    this.#served = this.#serve(port, lossesMax);
  }

  async #serve(port: number, lossesMax: number): Promise<void> {
    const passing: Promise<void>[] = [];
    for await (const client of this.#listener) passing.push(this.#pass(client, port, lossesMax));
    await Promise.all(passing);
  }

  async #pass(client: Deno.Conn, port: number, lossesMax: number): Promise<void> {
    using server = await Deno.connect({ hostname: "127.0.0.1", port });
    if (this.lost >= lossesMax) {
      const sent = client.readable.pipeTo(server.writable, { preventClose: true });
      const told = server.readable.pipeTo(client.writable).catch(() => {}); // the program has ended
      await sent.then(() => server.closeWrite(), () => {});
      return await told;
    }
    this.lost++;
    const bytes = new Uint8Array(65536);
    const count = await client.read(bytes);
    await server.write(bytes.subarray(0, count!));
    await server.read(bytes); // it is charged, and nobody will know
    client.close();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#listener.close();
    await this.#served;
  }
}

async function run(port: number, command: string, ...args: string[]): Promise<string> {
  const env = { KARMA_PORT: String(port), NO_COLOR: "1" };
  const { code, stdout, stderr } = await new Deno.Command(command, { args, env }).output();
  const decoder = new TextDecoder();
  assertEquals(code, 0, decoder.decode(stderr));
  return decoder.decode(stdout);
}

async function prove(language: string, command: string, ...args: string[]): Promise<void> {
  const { source, prints } = programIn(language);
  using directory = new TemporaryDirectory();
  const file = directory.join(`limits.${language}`);
  Deno.writeTextFileSync(file, source);
  for (const losses of [0, 1]) {
    await using server = await Server.start();
    await using proxy = new LossyProxy(server.port, losses);
    assertEquals(await run(proxy.port, command, ...args, file), prints, `${losses} answers lost`);
    assertEquals(proxy.lost, losses);
  }
}

function hasRuby(): boolean {
  try {
    return new Deno.Command("ruby", { args: ["--version"] }).outputSync().success;
  } catch {
    console.log("Skipped the program in Ruby: no ruby here; apt-get install ruby");
    return false;
  }
}

Deno.test("limits.md: the program in TypeScript, also when an answer is lost", async () => {
  await prove("ts", Deno.execPath(), "run", "-A", "--quiet", "--no-lock", "--check");
});

Deno.test({
  name: "limits.md: the program in Ruby, also when an answer is lost",
  ignore: !hasRuby(),
  fn: () => prove("ruby", "ruby", "-W"),
});
