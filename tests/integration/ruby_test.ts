// Clients in Ruby, of both protocols at once: the clients that Karma has. What they ask and expect is
// in ruby/both.rb; here they get a server, and are asked how it was.

import { assert, assertEquals, assertMatch } from "@std/assert";
import { fromFileUrl } from "@std/path";
import { Server } from "../support/server.ts";
import { noon } from "../support/transcript.ts";

const SCRIPT = fromFileUrl(new URL("ruby/both.rb", import.meta.url));
const RESULT = /^ok: (\d+) requests of v1, (\d+) of v2\n$/;
/** Of each protocol; a script that does nothing does not pass. */
const REQUESTS_MIN = 1000;
const PATIENCE_MS = 60_000;

interface Said {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

async function ruby(...args: string[]): Promise<Said> {
  const signal = AbortSignal.timeout(PATIENCE_MS);
  const { code, stdout, stderr } = await new Deno.Command("ruby", { args, signal }).output();
  const text = new TextDecoder();
  return { code, stdout: text.decode(stdout), stderr: text.decode(stderr) };
}

async function missing(): Promise<string | undefined> {
  try {
    const { code } = await ruby("--version");
    return code === 0 ? undefined : "ruby does not work here";
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return "no ruby here; apt-get install ruby";
    throw error;
  }
}

const reason = await missing();
if (reason) console.log(`Skipped ruby_test.ts: ${reason}`);

Deno.test({ name: "ruby: clients of both protocols", ignore: reason !== undefined }, async () => {
  await using server = await Server.start({ args: [`--timezone=${noon().zone}`] });
  const { code, stdout, stderr } = await ruby("-W", SCRIPT, `${server.port}`);
  assertEquals({ code, stderr }, { code: 0, stderr: "" });
  const [, v1, v2] = stdout.match(RESULT) ?? [];
  assertMatch(stdout, RESULT);
  assert(Number(v1) > REQUESTS_MIN && Number(v2) > REQUESTS_MIN, stdout);
  assertEquals(await server.stop(), 0);
  assertEquals(server.stderr, "");
});
