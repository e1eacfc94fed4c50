// `karma ask` and `karma help` as processes, against a server.

import { assertEquals, assertStringIncludes } from "@std/assert";
import { Server } from "../support/server.ts";

Deno.test("ask: a server answers; the exit code tells whether it did", async () => {
  await using server = await Server.start({ args: ["--auth-token=secret"] });
  const env = { KARMA_SERVER: `127.0.0.1:${server.port}`, KARMA_AUTH_TOKEN: "secret" };
  const ask = async (args: string[], changed: Record<string, string> = {}) => {
    const { code, stdout, stderr } = await Server.run(["ask", ...args], {
      env: { ...env, ...changed },
    });
    return [code, stdout, stderr];
  };
  const max = "18446744073709551615";
  const increment = ["counter.increment", "series=t", `key=${max}`, `value=${max}`];
  assertEquals(await ask(increment), [0, `${max}\n`, ""]);
  assertEquals(await ask(["counter.sum", "series=t", `key=${max}`]), [0, `${max}\n`, ""]);
  const missing = 'not_found: Tree "u" not found\n';
  assertEquals(await ask(["tree.info", "series=u"]), [1, "", missing]);
  const wrong = "unauthorized: Unauthorized\n";
  assertEquals(await ask(["system.ping"], { KARMA_AUTH_TOKEN: "guess" }), [1, "", wrong]);
  const nowhere = await ask(["system.ping", "--server=127.0.0.1:1"]);
  assertEquals(nowhere.slice(0, 2), [1, ""]);
  await server.stop();
  const gone = await ask(["system.ping"]);
  assertEquals(gone.slice(0, 2), [1, ""]);
  assertStringIncludes(`${gone[2]}`, `No connection to 127.0.0.1:${server.port}: `);
});

Deno.test("ask: a wrong command line exits with 2 and says where there is more", async () => {
  const { code, stdout, stderr } = await Server.run(["ask", "--server=x"]);
  const sentence = 'Option --server must be HOST:PORT: "x"\nkarma help ask tells more\n';
  assertEquals([code, stdout, stderr], [2, "", sentence]);
});

Deno.test("help: a command tells of itself", async () => {
  for (const args of [["help", "ask"], ["ask", "--help"]]) {
    const { code, stdout, stderr } = await Server.run(args);
    assertEquals([code, stderr], [0, ""]);
    assertStringIncludes(
      stdout,
      "Usage: karma ask [arguments] [OPERATION [FIELD=VALUE ...] | JSON]\n",
    );
  }
});
