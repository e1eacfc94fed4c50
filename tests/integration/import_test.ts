// `karma import` and `karma export` as processes that are killed, beside a server that is killed as well: what is in the tree
// at the end is exactly what the file says.

import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { ClientV2 } from "../support/client_v2.ts";
import { Random } from "../support/random.ts";
import { eventually, Server, TemporaryDirectory } from "../support/server.ts";

const LINES = 200_000;
const CHUNK = "--chunk-items=200";
const DAYS = [20260105, 20260106, 20270101];

/** A file of many lines, some bad, and what its good ones come to, as `karma export` writes it. */
function data(seed: number): { text: string; good: number; exported: string } {
  const random = new Random(seed);
  const sums = new Map<string, bigint>();
  let [text, good] = ["key,day,value\n", 0];
  for (let i = 0; i < LINES; i++) {
    if (random.chance(0.0001)) {
      text += random.pick(["x,y\n", "1,20260230,1\n", "1,20260105,-1\n", "\n"]);
      continue;
    }
    const key = random.chance(0.01)
      ? 2n ** 64n - BigInt(1 + random.below(9))
      : random.below(30_000);
    const [day, value] = [random.pick(DAYS), 1 + random.below(1000)];
    text += `${key},${day},${value}\n`;
    const cell = `${key},${day}`;
    sums.set(cell, (sums.get(cell) ?? 0n) + BigInt(value));
    good++;
  }
  const order = (one: string, other: string) => {
    const [a, b] = [one, other].map((cell) => cell.split(",").map(BigInt));
    return a[0] < b[0] ? -1 : a[0] > b[0] ? 1 : Number(a[1] - b[1]);
  };
  const cells = [...sums.keys()].sort(order).map((cell) => `${cell},${sums.get(cell)}\n`);
  return { text, good, exported: `key,day,value\n${cells.join("")}` };
}

Deno.test("import: killed again and again, as is the server, it is exact at the end", async () => {
  const seed = Math.floor(Math.random() * 2 ** 32);
  console.log(`seed ${seed}`);
  const { text, exported } = data(seed);
  using directory = new TemporaryDirectory();
  const file = directory.join("in.csv");
  Deno.writeTextFileSync(file, text);
  const home = directory.join("data");
  Deno.mkdirSync(home);
  const random = new Random(seed);
  let server = await Server.start({ directory: home });
  try {
    for (let kills = 0; kills < 4; kills++) {
      const args = ["import", "--tree=t", CHUNK, `--server=127.0.0.1:${server.port}`, file];
      using watch = await ClientV2.connect(server.port);
      const run = Server.launch({ bare: true, args, directory: home });
      const records = (kills + 1) * LINES / 6 + random.below(LINES / 10);
      await eventually("lines are taken in", async () => {
        return await watch.figure("wal_current_lsn") as number > records;
      });
      if (kills % 2 === 0) {
        await run.kill();
      } else {
        await server.kill();
        assertEquals(await run.ended(), 1);
        assertMatch(run.stderr, /^(No connection|The connection ended|The server did not answer)/m);
        server = await Server.start({ directory: home });
      }
      await run[Symbol.asyncDispose]();
    }
    const address = `--server=127.0.0.1:${server.port}`;
    const args = ["import", "--tree=t", CHUNK, address, file];
    const last = await Server.run(args);
    assertEquals(last.code, 1); // for the bad lines
    assertStringIncludes(last.stderr, "Going on behind chunk ");
    const again = await Server.run(args);
    assertEquals(again.code, 0);
    assertStringIncludes(again.stdout, "It was imported before");
    const out = await Server.run(["export", "--tree=t", address]);
    assertEquals(out.code, 0);
    assert(out.stdout === exported, `seed ${seed}: other counters than the file says`);
  } finally {
    await server[Symbol.asyncDispose]();
  }
});

Deno.test("import: what was exported can be imported, in each format", async () => {
  const { text, good, exported } = data(7);
  using directory = new TemporaryDirectory();
  const file = directory.join("in.csv");
  Deno.writeTextFileSync(file, text);
  await using server = await Server.start();
  const address = `--server=127.0.0.1:${server.port}`;
  const first = await Server.run(["import", "--tree=t", address, file]);
  assertStringIncludes(first.stdout, `${good} lines imported, `);
  for (const format of ["csv", "jsonl"]) {
    const copy = directory.join(`copy.${format}`);
    const out = await Server.run(["export", "--tree=t", `--format=${format}`, address, copy]);
    assertEquals([out.code, out.stderr], [0, ""]);
    const back = await Server.run(["import", `--tree=${format}`, "--mode=replace", address, copy]);
    assertEquals([back.code, back.stderr], [0, ""]);
    assertEquals((await Server.run(["export", `--tree=${format}`, address])).stdout, exported);
  }
  const missing = await Server.run(["export", "--tree=nowhere", address]);
  assertEquals([missing.code, missing.stderr], [1, 'not_found: Tree "nowhere" not found\n']);
});
