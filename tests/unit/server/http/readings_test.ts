// Readings: probes, figures and the document, and that they can only be read.

import { assert, assertEquals, assertMatch } from "@std/assert";
import { readingOf } from "../../../../lib/server/http/readings.ts";
import { LocalKarma } from "../../../support/local_karma.ts";

async function world(token?: string) {
  const karma = await LocalKarma.start(undefined, token === undefined ? {} : { token });
  const asker = {
    ask: (...given: Parameters<LocalKarma["serve"]>) => void karma.serve(...given),
    learn: () => {},
  };
  return (path: string, init: RequestInit = {}, busy: string | null = null) => {
    return readingOf(path, new Request(`http://karma${path}`, init), asker, busy, []);
  };
}

Deno.test("readings: probes tell whether it lives, and whether it serves, without a token", async () => {
  const read = await world("right");
  for (const busy of [null, "loading", "stopping"]) {
    const [alive, ready] = [await read("/healthz", {}, busy), await read("/readyz", {}, busy)];
    assertEquals([alive!.status, await alive!.text()], [200, "ok\n"]);
    assertEquals([ready!.status, await ready!.text()], [
      busy === null ? 200 : 503,
      `${busy ?? "ok"}\n`,
    ]);
  }
});

Deno.test("readings: figures are text, and need a token where there is one", async () => {
  const open = await (await world())("/metrics");
  assertMatch(open!.headers.get("content-type")!, /^text\/plain; version=0\.0\.4/);
  assertMatch(await open!.text(), /^karma_connections \d+$/m);
  const guarded = await world("right");
  assertEquals((await guarded("/metrics"))!.status, 401);
  const headers = { authorization: "Bearer right" };
  assertEquals((await guarded("/metrics", { headers }))!.status, 200);
});

Deno.test("readings: the document, other paths and other methods", async () => {
  const read = await world();
  assertEquals((await (await read("/openapi.json"))!.json()).openapi, "3.1.0");
  assertEquals(await read("/"), null);
  assertEquals(await read("/metrics/"), null);
  const posted = await read("/metrics", { method: "POST" });
  assertEquals([posted!.status, posted!.headers.get("allow")], [405, "GET, HEAD"]);
  assert((await read("/healthz", { method: "HEAD" }))!.ok);
});
