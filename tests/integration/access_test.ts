// Access: tokens from the command line and from files, in both protocols, what each allows of every
// operation there is, and where tokens are never to be found.

import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { OPERATIONS } from "../../lib/command/operation.ts";
import { Client, failure, success } from "../support/client.ts";
import { type Answer, ClientV2, type Fields } from "../support/client_v2.ts";
import { live } from "../support/life.ts";
import { Server, TemporaryDirectory } from "../support/server.ts";

const FULL = "full-token-7c1e";
const READ = "read-token-93ab";
const DAY = 20260101;
const RANGE = { from: 20260101, to: 20260131 };
const UNAUTHORIZED = "unauthorized: Unauthorized";

const told = ({ response, error_code }: Answer) => `${error_code}: ${response}`;

/** A good request of each operation; those of one row have the same fields. */
const REQUESTS: { readonly [id in (typeof OPERATIONS)[number]["id"]]: Fields } = {
  ping: {},
  health: {},
  stats: {},
  metrics: {},
  trees: {},
  create: { tree: "new" },
  drop: { tree: "new" },
  increment: { tree: "t", key: 1 },
  decrement: { tree: "t", key: 1 },
  addAll: { tree: "t", items: [[1, DAY, 1]] },
  setAll: { tree: "t", items: [[1, DAY, 1]] },
  sum: { tree: "t", key: 1 },
  sumAll: { tree: "t", keys: [1] },
  sumAcross: { items: [{ series: "t", key: 1 }] },
  find: { tree: "t", key: 1, range: RANGE },
  findAll: { tree: "t", range: RANGE },
  reset: { tree: "t", key: 9 },
  resetAll: { tree: "new" },
  resetKeys: { tree: "t", keys: [9] },
  delete: { tree: "t", key: 9, range: RANGE },
  deleteAll: { tree: "new", range: RANGE },
  deleteKeys: { tree: "t", keys: [9], range: RANGE },
  compact: { tree: "t" },
  compactAll: {},
  deleteBefore: { tree: "t", before: 20250101 },
  treeInfo: { tree: "t" },
  treeKeys: { tree: "t" },
  treeSummary: { tree: "t" },
  treeTop: { tree: "t" },
  consume: { key: 1, limits: [{ series: "t", window: "day", max: 1000 }] },
  checkLimits: { key: 1, limits: [{ series: "t", window: "day", max: 1000 }] },
  refund: { receipt: "none" },
  ingestBegin: { stream_id: "s", mode: "add" },
  ingestChunk: { stream_id: "s", tree: "t", chunk_seq: 1, items: [[1, DAY, 1]] },
  ingestCommit: { stream_id: "s" },
  ingestAbort: { stream_id: "none" },
  dump: { tree: "t" },
  dumpAll: {},
  dumps: {},
  load: { file: "1_none.tree" },
  snapshotInfo: {},
  verify: {},
  fetch: { file: "1_none.tree" },
  fetchChunk: { file: "1_none.tree" },
  backupBegin: {},
  backupRead: {},
  backupEnd: {},
  prune: { before: 0 },
  checkpoint: { source: "s", offset: 1 },
  checkpoints: {},
  reconcile: { checked_points: 1, mismatch_count: 0 },
  replication: {},
};

/** Requests that are good and yet find nothing. */
const NOT_FOUND = ["refund", "ingestAbort", "load", "fetch", "fetchChunk"];

Deno.test("access: what each token allows of each operation, under each of its names", async () => {
  const args = [`--auth-token=${FULL}`, `--read-auth-token=${READ}`];
  await using server = await Server.start({ args });
  using full = await ClientV2.connect(server.port, FULL);
  using read = await ClientV2.connect(server.port, READ);
  using nobody = await ClientV2.connect(server.port);
  await full.get("counter.increment", { tree: "t", key: 1 });
  let names = 0;
  for (const { id, access, v2 } of OPERATIONS) {
    for (const op of v2?.ops ?? []) {
      const fields = REQUESTS[id];
      assertEquals(told(await nobody.ask(op, fields)), UNAUTHORIZED, op);
      const isRead = access === "read";
      const answer = await read.ask(op, isRead ? fields : { ...fields, tree: "refused" });
      const forbidden = `Read-only token cannot execute command ${v2!.label}`;
      if (isRead) assert(answer.error_code !== "forbidden", op);
      else assertEquals(told(answer), `forbidden: ${forbidden}`, op);
      // Before the shape of its fields is looked at.
      if (!isRead) assertEquals(told(await read.ask(op)), `forbidden: ${forbidden}`);
      const { success, error_code } = await full.ask(op, fields);
      assertEquals(success || error_code, NOT_FOUND.includes(id) ? "not_found" : true, op);
      names++;
    }
  }
  assert(names > 50, `${names} names`);
  assertEquals(await read.get("tree.list"), ["t", "new"]);
});

Deno.test("access: what each token allows in protocol v1", async () => {
  const args = [`--auth-token=${FULL}`, `--read-auth-token=${READ}`];
  await using server = await Server.start({ args });
  using client = await Client.connect(server.port);
  const rest = { tree_name: "t", key: 1, time_from: 0, time_to: 99999999 };
  for (const { access, v1, v2 } of OPERATIONS) {
    if (v1 === undefined) continue;
    const request = {
      command: v1.command,
      ...rest,
      tree_name: v1.command === "load" ? "1_t.tree" : "t",
    };
    const refused = failure("Unauthorized");
    for (const token of [undefined, "", null, 7, "Full-token-7c1e", `${FULL} `, FULL.slice(1)]) {
      assertEquals(await client.ask({ ...request, token }), refused, v1.command);
    }
    const answer = await client.ask({ ...request, token: READ });
    const forbidden = failure(`Read-only token cannot execute command ${v2!.label}`);
    if (access !== "read") assertEquals(answer, forbidden);
    else assert(answer.startsWith('{"success":true,'), answer);
    const done = await client.ask({ ...request, token: FULL });
    assert(![refused, forbidden].includes(done), done);
  }
  // A connection is of nobody: each request says who asks.
  const ping = { command: "ping" };
  assertEquals(await client.ask({ ...ping, token: FULL }), success('"pong"'));
  assertEquals(await client.ask(ping), failure("Unauthorized"));
});

Deno.test("access: one token alone, and one for both", async () => {
  const create = { tree: "t" };
  const cases: [args: string[], token: string | undefined, ping: string, create: string][] = [
    [[], undefined, "null: pong", "null: OK"],
    [[], "anything", "null: pong", "null: OK"],
    [[`--auth-token=${FULL}`], undefined, UNAUTHORIZED, UNAUTHORIZED],
    [[`--auth-token=${FULL}`], FULL, "null: pong", "null: OK"],
    // Only a token to read: nobody can write.
    [[`--read-auth-token=${READ}`], undefined, UNAUTHORIZED, UNAUTHORIZED],
    [
      [`--read-auth-token=${READ}`],
      READ,
      "null: pong",
      "forbidden: Read-only token cannot execute command create",
    ],
    // The same for both allows everything.
    [[`--auth-token=${FULL}`, `--read-auth-token=${FULL}`], FULL, "null: pong", "null: OK"],
  ];
  for (const [args, token, ping, created] of cases) {
    await using server = await Server.start({ args });
    using client = await ClientV2.connect(server.port, token);
    const answers = [await client.ask("system.ping"), await client.ask("tree.create", create)];
    assertEquals(answers.map(told), [ping, created], `${args} with ${token}`);
  }
});

Deno.test("access: from the environment and from files, whose last line feed does not count", async () => {
  using directory = new TemporaryDirectory();
  const write = (name: string, text: string) => {
    Deno.writeTextFileSync(directory.join(name), text);
    return directory.join(name);
  };
  const odd = 'tökén "\\ with  spaces ';
  const cases: [args: string[], env: Record<string, string>, full: string, read: string][] = [
    [[`--auth-token-file=${write("a", FULL)}`], { KARMA_READ_AUTH_TOKEN: READ }, FULL, READ],
    [
      [`--auth-token-file=${write("b", `${FULL}\n`)}`],
      { KARMA_READ_AUTH_TOKEN_FILE: write("c", `${READ}\r\n`) },
      FULL,
      READ,
    ],
    [[], { KARMA_AUTH_TOKEN: FULL, KARMA_READ_AUTH_TOKEN: READ }, FULL, READ],
    [[], { KARMA_AUTH_TOKEN_FILE: write("d", `${odd}\n`), KARMA_READ_AUTH_TOKEN: READ }, odd, READ],
    // As editors on Windows write them.
    [
      [`--auth-token-file=${write("e", `\ufeff${FULL}\r\n`)}`, `--read-auth-token=${READ}`],
      {},
      FULL,
      READ,
    ],
    // Flags win over variables, over those of the other option for the same token too.
    [
      [`--auth-token-file=${write("f", FULL)}`, `--read-auth-token=${READ}`],
      { KARMA_AUTH_TOKEN: "other", KARMA_READ_AUTH_TOKEN_FILE: "/none" },
      FULL,
      READ,
    ],
    [[], { KARMA_AUTH_TOKEN: `${FULL}\n`, KARMA_READ_AUTH_TOKEN: READ }, FULL, READ],
  ];
  for (const [args, env, full, read] of cases) {
    await using server = await Server.start({ args, env });
    using client = await ClientV2.connect(server.port);
    const ask = async (token?: string) =>
      told(await client.ask("tree.create", { tree: "t", token }));
    assertEquals(await ask(full), "null: OK");
    assertEquals(await ask(read), "forbidden: Read-only token cannot execute command create");
    for (const wrong of [undefined, "", `${full}\n`, full.slice(0, -1)]) {
      assertEquals(await ask(wrong), UNAUTHORIZED, JSON.stringify([wrong, args, env]));
    }
  }
});

Deno.test("access: files that can't be used end the start with 2 and a sentence", async () => {
  using directory = new TemporaryDirectory();
  const data = directory.join("data");
  const empty = directory.join("empty");
  const blank = directory.join("blank");
  const good = directory.join("good");
  const lines = directory.join("lines");
  const wide = directory.join("wide");
  Deno.writeTextFileSync(lines, `${FULL}\r\n# the one before\r\n`);
  Deno.writeFileSync(wide, new Uint8Array([0xff, 0xfe, 0x61, 0x00]));
  Deno.writeTextFileSync(empty, "");
  Deno.writeTextFileSync(blank, "\n");
  Deno.writeTextFileSync(good, FULL);
  for (const flag of ["auth-token", "read-auth-token"]) {
    const cases: [args: string[], sentence: RegExp][] = [
      [
        [`--${flag}-file=${directory.join("none")}`],
        /could not be read: No such file or directory/,
      ],
      [[`--${flag}-file=${directory.path}`], /could not be read: Is a directory/],
      [[`--${flag}-file=${empty}`], /is empty/],
      [[`--${flag}-file=${blank}`], /is empty/],
      [[`--${flag}-file=${lines}`], /has more than one line/],
      [[`--${flag}-file=${wide}`], /is not UTF-8 text/],
      [[`--${flag}=${FULL}`, `--${flag}-file=${good}`], /exclude each other/],
    ];
    for (const [args, sentence] of cases) {
      const place = ["--bind=127.0.0.1", "--port=0", `--directory=${data}`];
      const { code, stdout, stderr } = await Server.run([...place, ...args]);
      assertEquals([code, stdout], [2, ""], `${args}`);
      assertMatch(stderr, /^Options? .+\n$/);
      assertMatch(stderr, sentence);
      assertStringIncludes(stderr, `--${flag}-file`);
      assert(!stderr.includes(FULL), stderr);
    }
    const variable = `KARMA_${flag.toUpperCase().replaceAll("-", "_")}`;
    const env = { [variable]: FULL, [`${variable}_FILE`]: good };
    const { code, stderr } = await Server.run([], { env });
    assertEquals(code, 2);
    assertMatch(stderr, /exclude each other/);
    const nothing = await Server.run([], { env: { [variable]: "" } });
    assertEquals(nothing.code, 2);
    assertStringIncludes(nothing.stderr, `${variable} is empty`);
    const unset = await Server.run([`--${flag}=`]);
    assertEquals([unset.code, unset.stderr.split("\n")[0]], [
      2,
      `Option --${flag} needs a value: ""`,
    ]);
  }
  assert(![...Deno.readDirSync(directory.path)].some(({ name }) => name === "data"));
});

Deno.test("access: tokens are in no answer, no line and no file", async () => {
  using directory = new TemporaryDirectory();
  const args = [`--auth-token=${FULL}`, `--read-auth-token=${READ}`];
  const said = await live(directory, async (client, server) => {
    const lines: string[] = [];
    const { connection } = client;
    const ask = async (line: string) => lines.push(await connection.ask(line));
    for (const token of [FULL, READ]) {
      const who = `"token":"${token}"`;
      for (
        const op of ["counter.increment", "tree.drop", "no.such", "ingest.begin", "snapshot.load"]
      ) {
        const key = '"tree":"t","key":1,"idempotency_key":"k","stream_id":"s","mode":"add"';
        await ask(`{"v":2,"op":"${op}",${who},${key},"file":"x"}`);
        await ask(`{"v":2,"op":"${op}",${who}}`);
      }
      await ask(`{"v":2,"op":"counter.increment",${who},"tree":7`);
      await ask(`{"v":2,"op":"counter.increment",${who},"tree":"t","key":1e999}`);
      await ask(`{"v":1,"op":"system.ping",${who}}`);
      await ask(`{"command":"no such",${who}}`);
      await ask(`{"command":"increment",${who},"tree_name":"u","key":"x"}`);
      await ask(`{"command":"increment",${who},"tree_name":"u","key":1}`);
    }
    for (const op of ["system.stats", "system.metrics", "snapshot.info", "replication.status"]) {
      lines.push(JSON.stringify(await client.ask(op)));
    }
    await client.get("counter.increment", { tree: "t", key: 2, idempotency_key: "k2" });
    await client.get("snapshot.create_all");
    await client.get("counter.increment", { tree: "t", key: 2 });
    await connection.ask(`{"v":2,"op":"counter.increment","token":"${FULL}`.padEnd(1 << 20));
    return () => [...lines, server.stdout, server.stderr];
  }, { args, token: FULL, end: "SIGTERM" });
  const files = [...Deno.readDirSync(directory.path)].filter(({ isFile }) => isFile);
  const latin = new TextDecoder("latin1");
  const held = files.map(({ name }) => latin.decode(Deno.readFileSync(directory.join(name))));
  assert(said().length > 30 && held.length >= 4, `${said().length} lines, ${held.length} files`);
  for (const text of [...said(), ...held]) {
    for (const token of [FULL, READ]) assert(!text.includes(token), text.slice(0, 300));
  }
});
