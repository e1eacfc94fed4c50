// The programs in the documents, run against a real server by every runtime that the documents name
// and this machine has: the blocks of a language in a document are one program, and the blocks of
// text behind them are what it prints.
//
// The programs of the guide run again through a proxy that loses answers: a program that repeats what
// was not answered prints the same, because what was charged is not charged again.
//
// Runtimes are looked for on the PATH. $KARMA_RUNTIMES adds others, by their paths with colons
// between: .ci/run names the versions of Node.js that the documents promise.

import { assert, assertEquals } from "@std/assert";
import { Server, TemporaryDirectory } from "../support/server.ts";

interface Program {
  readonly source: string;
  /** Null: the document does not say. */
  readonly prints: string | null;
}

/** What runs programs of some languages. */
interface Runtime {
  readonly name: string;
  readonly command: string;
  readonly args: readonly string[];
  /** The languages, by the endings of their files. */
  readonly languages: readonly string[];
}

function documentOf(path: string): string {
  return Deno.readTextFileSync(new URL(`../../${path}`, import.meta.url));
}

function programIn(path: string, language: string): Program {
  let source = "";
  let prints: string | null = null;
  let before = "";
  for (const [, kind, body] of documentOf(path).matchAll(/^```(\w+)\n(.*?)^```/gms)) {
    if (kind === language) source += body;
    if (kind === "text" && before === language) prints = (prints ?? "") + body;
    before = kind;
  }
  assert(source !== "", `There is no program in ${language} in ${path}`);
  return { source, prints };
}

/** The first line that a command prints; null where it is not there. */
function printed(command: string, ...args: string[]): string | null {
  try {
    const { success, stdout } = new Deno.Command(command, { args, stderr: "null" }).outputSync();
    return success ? new TextDecoder().decode(stdout).split("\n")[0] : null;
  } catch {
    return null;
  }
}

/** The Node.js, Bun, ... at a path. */
function runtimeAt(command: string): Runtime | null {
  if (/bun(\.exe)?$/.test(command)) {
    const version = printed(command, "--version");
    const languages = ["js", "ts"];
    return version === null ? null : { name: `Bun ${version}`, command, args: [], languages };
  }
  const version = printed(command, "--version");
  if (version === null) return null;
  const [major, minor] = version.slice(1).split(".").map(Number);
  // From 22.18 on it takes TypeScript whose types can be left out.
  const takesTypes = major > 22 || major === 22 && minor >= 18;
  const languages = takesTypes ? ["js", "ts"] : ["js"];
  return { name: `Node.js ${version}`, command, args: [], languages };
}

function runtimes(): Runtime[] {
  const deno = { name: "Deno", command: Deno.execPath(), languages: ["js", "ts"] };
  const found: (Runtime | null)[] = [
    { ...deno, args: ["run", "-A", "--quiet", "--no-lock", "--check", "--no-config"] },
  ];
  const named = (Deno.env.get("KARMA_RUNTIMES") ?? "").split(":").filter((path) => path !== "");
  for (const command of ["node", "bun", ...named]) found.push(runtimeAt(command));
  if (printed("ruby", "--version") === null) {
    console.log("Programs in Ruby are not run: there is no ruby; apt-get install ruby");
  } else found.push({ name: "Ruby", command: "ruby", args: ["-W"], languages: ["ruby"] });
  return found.filter((runtime) => runtime !== null);
}

const RUNTIMES = runtimes();

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

/** Runs a program; returns what it prints. `karmaPort` is what it finds in its environment. */
async function run(
  { command, args, languages }: Runtime,
  language: string,
  source: string,
  karmaPort: string,
): Promise<string> {
  assert(languages.includes(language));
  using directory = new TemporaryDirectory();
  const file = directory.join(`program.${language === "js" ? "mjs" : language}`);
  Deno.writeTextFileSync(file, source);
  const env = { KARMA_PORT: karmaPort, NO_COLOR: "1" };
  const options = { args: [...args, file], env };
  const { code, stdout, stderr } = await new Deno.Command(command, options).output();
  const decoder = new TextDecoder();
  assertEquals(code, 0, decoder.decode(stderr));
  return decoder.decode(stdout);
}

/** Where a program says that Karma is unless it is told otherwise. */
function moved(source: string, port: number): string {
  assert(source.includes("8080"));
  return source.replaceAll("8080", String(port));
}

for (const runtime of RUNTIMES) {
  const { name, languages } = runtime;
  const language = languages[0];

  Deno.test(`limits.md: the program in ${name}, also when an answer is lost`, async () => {
    const { source, prints } = programIn("docs/limits.md", language);
    assert(prints !== null);
    for (const losses of [0, 1]) {
      await using server = await Server.start();
      await using proxy = new LossyProxy(server.port, losses);
      const told = await run(runtime, language, source, String(proxy.port));
      assertEquals(told, prints, `${losses} answers lost`);
      assertEquals(proxy.lost, losses);
    }
  });

  Deno.test(`limits.md: ${name} passes over what Kubernetes sets`, async () => {
    const { source, prints } = programIn("docs/limits.md", language);
    await using server = await Server.start();
    const here = moved(source, server.port);
    assertEquals(await run(runtime, language, here, "tcp://10.0.0.1:8080"), prints);
  });

  Deno.test({
    name: `README.md: the program in ${name}`,
    ignore: !languages.some((language) => ["ts", "ruby"].includes(language)),
    fn: async () => {
      const language = languages.includes("ts") ? "ts" : "ruby";
      const { source } = programIn("README.md", language);
      await using server = await Server.start();
      const told = await run(runtime, language, moved(source, server.port), "");
      assertEquals(told, language === "ts" ? "1\n" : "1 of 1000 used\n");
    },
  });
}

Deno.test("limits.md: the types in the comments of the program in JavaScript are right", async () => {
  const { source } = programIn("docs/limits.md", "js");
  using directory = new TemporaryDirectory();
  const file = directory.join("limits.mjs");
  Deno.writeTextFileSync(file, `// @ts-check\n${source}`);
  const options = { args: ["check", "--no-lock", "--no-config", "--quiet", file] };
  const { code, stderr } = await new Deno.Command(Deno.execPath(), options).output();
  assertEquals(code, 0, new TextDecoder().decode(stderr));
});
