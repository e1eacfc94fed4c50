import { assert, assertEquals } from "@std/assert";
import { ReceiveBuffer } from "../../../../lib/bytes/receive_buffer.ts";
import { SendBuffer } from "../../../../lib/bytes/send_buffer.ts";
import { TimeZones } from "../../../../lib/command/time_zones.ts";
import { Access } from "../../../../lib/command/access.ts";
import { COST, MAX } from "../../../../lib/command/limits.ts";
import type { Peer } from "../../../../lib/command/peer.ts";
import { Reply } from "../../../../lib/command/reply.ts";
import { KEY, Request, VALUE } from "../../../../lib/command/request.ts";
import { Resp } from "../../../../lib/protocol/resp/resp.ts";
import { commandOf, printed, type Value, valuesOf } from "../../../support/resp.ts";

const encoder = new TextEncoder();
const decoder = new TextDecoder();

/** A connection to a protocol without an engine behind it. */
class World {
  readonly resp: Resp;
  readonly peer: Peer;
  readonly request = new Request();
  reply = new Reply();

  constructor(access = new Access(null, null)) {
    this.resp = new Resp(access, 3, new TimeZones(), () => 1);
    this.peer = this.resp.meet(encoder.encode("*"), 0, 1)!;
  }

  /** The reply to a command that no engine is needed for; null: it is for the engine. */
  ask(...words: string[]): Value {
    const received = new ReceiveBuffer(4096);
    const bytes = encoder.encode(commandOf(...words));
    received.space().set(bytes);
    received.filled(bytes.length);
    assertEquals(this.resp.frame(received, false), "frame");
    this.reply = new Reply();
    this.request.clear();
    this.request.peer = this.peer;
    if (this.resp.decode(received, this.request, this.reply)) return null;
    const out = new SendBuffer(64);
    this.resp.encode(this.request, this.reply, out);
    return valuesOf(decoder.decode(out.view(0)))[0];
  }

  /** What redis-cli would print. */
  says(...words: string[]): string {
    return printed(this.ask(...words));
  }
}

Deno.test("resp: a connection is recognized by its first line, wherever it is cut", () => {
  const { resp } = new World();
  const cases: [line: string, least: number | null][] = [
    ["*1\r\n$4\r\nPING\r\n", 1],
    ["ping\r\n", 6],
    ["Karma.Nothing\n", 14],
    ["KARMA.SUM t 7\r\n", 15],
    ["PING / HTTP/1.1\r\n", null],
    ["GET / HTTP/1.1\r\n", null],
    ['{"v":2}\n', null],
    ["PINGS\r\n", null],
    ["\r\n*1\r\n", null],
    ["\x16\x03\x01\n", null],
  ];
  for (const [line, least] of cases) {
    const bytes = encoder.encode(line);
    for (let length = 0; length <= bytes.length; length++) {
      const isMet = resp.meet(bytes, 0, length) !== null;
      assertEquals(isMet, least !== null && length >= least, `${JSON.stringify(line)}, ${length}`);
    }
  }
});

Deno.test("resp: arguments become the fields of a request", () => {
  const world = new World();
  const { request } = world;
  assertEquals(world.ask("karma.add", "t", "7", "18446744073709551615", "day", "20260102"), null);
  assertEquals(request.operation.id, "increment");
  assertEquals([...request.lanes], [7, 0, 0xffffffff, 0xffffffff]);
  assertEquals(request.day, 20260102);
  assertEquals(world.ask("KARMA.ADD", "t", "4294967296"), null);
  assertEquals([...request.lanes], [0, 1, 1, 0]);
  assertEquals(request.day, 0);
  assertEquals(world.ask("KARMA.SUM", "t", "7", "20260101", "20260131"), null);
  assertEquals([request.hasRange, request.dayFrom, request.dayTo], [true, 20260101, 20260131]);
  assertEquals(world.ask("KARMA.MSUM", "t", "7", "8", "RANGE", "20260101", "20260131"), null);
  assertEquals([request.items.count, request.dayTo], [2, 20260131]);
  assertEquals(world.ask("KARMA.MADD", "t", "1", "20260101", "5", "IDEMPOTENCY", "k"), null);
  assertEquals([request.items.count, request.hasIdempotencyKey], [1, true]);
  assertEquals(world.ask("KARMA.KEYS", "t", "COUNT", "5", "CURSOR", "7"), null);
  assertEquals([request.pageSize, request.details.get("cursor")], [5, 7n]);
  assertEquals(world.ask("KARMA.ADD", "t", "7", "TIMEZONE", "Europe/Berlin"), null);
  assert(request.zone !== null);
  assertEquals([request.lanes[KEY], request.lanes[VALUE]], [7, 1]);
});

Deno.test("resp: what is wrong with arguments is told", () => {
  const world = new World();
  const cases: [command: string, says: string][] = [
    ["NOTHING t", "unknown command 'NOTHING'"],
    ["KARMA.ADD t", "wrong number of arguments for 'karma.add' command"],
    ["KARMA.ADD t a\tb", "key must be 1 to 255 bytes of UTF-8 without control characters"],
    [
      `KARMA.ADD t ${"x".repeat(256)}`,
      "key must be 1 to 255 bytes of UTF-8 without control characters",
    ],
    ["KARMA.ADD t 7 18446744073709551616", "value is not an integer or out of range"],
    ["KARMA.ADD t 7 0", "the amount must be greater than 0"],
    ["KARMA.ADD t 7 1 2", "syntax error"],
    ["KARMA.ADD t 7 DAY", "syntax error"],
    ["KARMA.ADD t 7 COUNT 5", "syntax error"],
    ["KARMA.ADD t 7 DAY 20260230", "Invalid bucket date"],
    ["KARMA.ADD t 7 TIMEZONE Mars", "TIMEZONE must be the name of a time zone"],
    ["KARMA.SUM t 7 20260101", "Invalid bucket date"],
    [
      "KARMA.SUM t 7 20260102 20260101",
      "Bucket range start must be less than or equal to range end",
    ],
    ["KARMA.SUM t 7 20200101 20260101", "Range exceeds max days"],
    ["KARMA.MSUM t 1 2 3 4", "lists have at most 3 items"],
    ["KARMA.MADD t 1 20260101", "wrong number of arguments for 'karma.madd' command"],
    ["KARMA.MADD t 1 20260101 1 2", "Invalid bucket date"],
    ["KARMA.MSUM t 1 KEY", "syntax error"],
    ["KARMA.CHECK 1 2 3 4 LIMIT t 1 day", "lists have at most 3 items"],
    ["KARMA.CONSUME 7 COST 1 BRIEF RECEIPT", "LIMIT tree max window is required"],
    ["KARMA.CONSUME 7 LIMIT t 1 day LIMIT", "syntax error"],
    ["KARMA.CONSUME 7 LIMIT t 1 day COST 1 LIMIT t 2 month", "limits must stand together"],
    [
      "KARMA.CONSUME 7 LIMIT t x day",
      "Field limits[].max must be an integer from 0 to 18446744073709551615",
    ],
    ["KARMA.CONSUME 7 LIMIT t 1 days=3,x=1", "Field limits[].window.x is unknown"],
    ["KARMA.CONSUME 7 LIMIT t 1 day MODE some", "MODE must be one of reject, saturate, force"],
    [
      "KARMA.CONSUME 7 LIMIT t 1 day WEIGHT 2 LIMIT t 1 month",
      "WEIGHT must be one for each tree and key",
    ],
    [
      "CL.THROTTLE k x 30 60",
      "burst must be 0 to 999999, count 1 to 1000000, and period 1 to 2678400 seconds",
    ],
    ["CL.THROTTLE k 15 30 60 1 1", "syntax error"],
    ["CL.THROTTLE k 15 30 60 -1", "value is not an integer or out of range"],
    ["KARMA.SNAPSHOTLOAD ../t.tree", "Field file must be a snapshot basename"],
    ["KARMA.CHECKPOINT s", "Field offset or event_id is required"],
    ["KARMA.MADD t 1 20260101 0", "the amount must be greater than 0"],
    ["KARMA.MDEL t 1", "RANGE from to is required"],
    ["KARMA.KEYS t COUNT 0", "COUNT must be 1 to 10000"],
    ["SELECT 1", "DB index is out of range"],
    ["CLIENT KILL", "unknown subcommand 'KILL' of CLIENT"],
  ];
  for (const [command, says] of cases) {
    assertEquals(world.says(...command.split(" ")), `(error) ERR ${says}`, command);
  }
});

Deno.test("resp: any string is a key, numbers as they are written are numbers", () => {
  const world = new World();
  const { request } = world;
  const keys: [word: string, number: number | null][] = [
    ["7", 7],
    ["0", 0],
    ["4294967295", 4294967295],
    ["007", null],
    ["-1", null],
    ["user:9f2c", null],
    ["RANGE", null],
    ["18446744073709551616", null],
  ];
  for (const [word, number] of keys) {
    assertEquals(world.ask("KARMA.SUM", "t", word), null, word);
    const name = decoder.decode(request.bytes.subarray(request.keyStart, request.keyEnd));
    assertEquals(request.isNamed ? name : request.lanes[KEY], number ?? word);
    assertEquals(world.ask("KARMA.MSUM", "t", "KEY", word, "RANGE", "20260101", "20260102"), null);
    const { items } = request;
    const [lo, hi] = items.words;
    const inList = items.isName(0) ? decoder.decode(request.bytes.subarray(lo, hi)) : lo;
    assertEquals([items.count, inList, request.hasRange], [1, number ?? word, true]);
  }
});

Deno.test("resp: limits are what they are in JSON, the first time and again", () => {
  const world = new World();
  const { request } = world;
  for (const word of ["7", "user:9f2c", "7"]) {
    const limits = "LIMIT api 3 day LIMIT Total 5 days=14,anchor=2026-01-05 CARRY 2 NOTIFY 0.8,1";
    const command =
      `KARMA.CONSUME ${word} COST 2 ${limits} BUCKET b 9 2 60 KEY o MODE force RECEIPT`;
    assertEquals(world.ask(...command.split(" ")), null);
    const { set } = request.limits;
    assertEquals(set.limits.map(({ name }) => decoder.decode(name)), ["api", "Total", "b"]);
    assertEquals(set.limits.map(({ max }) => max[0]), [3, 5, 10]);
    assertEquals(set.limits.map(({ window }) => window.kind), ["day", "period", "fine"]);
    assertEquals(set.limits[1].carry, [2, 0]);
    assertEquals(set.limits[1].notify?.map(({ text }) => text), ["0.8", "1"]);
    assertEquals(decoder.decode(set.limits[2].keyName!), "o");
    assertEquals([request.mode, request.wantsReceipt, request.isBrief], ["force", true, false]);
    assertEquals(request.limits.keyName(0) === null, word === "7");
    assertEquals([request.limits.lo(0, COST), request.limits.lo(2, COST)], [2, 2]);
  }
  assertEquals(world.ask(..."KARMA.CONSUME 7 LIMIT api 3 day LIMIT api 4 month".split(" ")), null);
  assertEquals([request.limits.count, request.mode, request.lanes[VALUE]], [2, "reject", 1]);
  assertEquals(world.ask(..."KARMA.CHECK 7 x LIMIT api 3 day BRIEF".split(" ")), null);
  assertEquals([request.hasKeys, request.items.count, request.isBrief], [true, 2, true]);
  assertEquals(world.ask(..."KARMA.CHECK x LIMIT api 3 day".split(" ")), null);
  assertEquals([request.hasKeys, request.isNamed, request.limits.count], [false, true, 1]);
});

Deno.test("resp: CL.THROTTLE consumes from a token bucket of its key", () => {
  const world = new World();
  const { request } = world;
  for (const quantity of [null, 0, 3, 3]) {
    const words = ["cl.throttle", "user:1", "15", "30", "60"];
    assertEquals(world.ask(...words, ...quantity === null ? [] : [`${quantity}`]), null);
    assertEquals([request.operation.id, request.form], ["consume", "throttle"]);
    assertEquals(request.limits.fine(0)?.bucket, { refill: 30, perMs: 60_000, burst: 15 });
    assertEquals([request.limits.lo(0, MAX), request.limits.lo(0, COST)], [16, quantity ?? 1]);
  }
  assert(world.says("MULTI").includes("transactions and scripts are not supported"));
  assert(world.says("evalsha", "x", "0").includes("transactions and scripts are not supported"));
});

Deno.test("resp: cold operations have their fields as in JSON", () => {
  const world = new World();
  const { details, items } = world.request;
  const cases: [command: string, told: Record<string, unknown>][] = [
    ["KARMA.INGESTBEGIN i add GRANULARITY day", { stream: "i", mode: "add", granularity: "day" }],
    ["KARMA.INGESTCHUNK t 17 3 a 20260101 7", { stream: "17", sequence: 3 }],
    ["KARMA.SNAPSHOTS CURSOR x", { after: "x" }],
    ["KARMA.SNAPSHOTCHUNK 1_t.tree OFFSET 5", { offset: 5 }],
    ["KARMA.PRUNE 2026-01-01T00:00:00Z", { time: Date.UTC(2026, 0) / 1000 }],
    ["KARMA.CHECKPOINT s OFFSET 007 EVENT e", { source: "s", offset: "007", event: "e" }],
    ["KARMA.RECONCILE 5 1 DRIFT 3", { checked_points: 5n, absolute_drift: 3n, max_abs_delta: 0n }],
    ["KARMA.KEYS t CURSOR @17", { cursor: (1n << 64n) + 17n }],
    ["KARMA.REFUND r AMOUNT 3", { receipt: "r", refund: 3n }],
  ];
  for (const [command, told] of cases) {
    assertEquals(world.ask(...command.split(" ")), null, command);
    for (const [name, value] of Object.entries(told)) assertEquals(details.get(name), value, name);
  }
  assertEquals(world.ask(..."KARMA.SUMACROSS t 7 u x".split(" ")), null);
  assertEquals([items.count, items.isName(0), items.isName(1)], [2, false, true]);
  assertEquals(world.ask("KARMA.DELBEFORE", "t", "20260102"), null);
  assertEquals(world.request.dayTo, 20260101);
});

Deno.test("resp: the connection is told about, and remembered", () => {
  const world = new World();
  assertEquals(world.ask("PING"), null);
  assertEquals(world.ask("PING", "x"), "x");
  assertEquals(world.ask("ECHO", "x"), "x");
  assertEquals(world.ask("SELECT", "0"), "OK");
  assertEquals(world.says("CLIENT", "GETNAME"), "(nil)");
  assertEquals(world.ask("CLIENT", "SETNAME", "me"), "OK");
  assertEquals(world.ask("CLIENT", "SETINFO", "lib-name", "mine"), "OK");
  assertEquals(world.ask("CLIENT", "GETNAME"), "me");
  assertEquals(world.ask("CLIENT", "ID"), 1n);
  assert(/^id=1 name=me age=\d+ db=0 resp=2 lib-name=mine lib-ver=\n$/.test(
    world.ask("CLIENT", "INFO") as string,
  ));
  assert(world.says("CLIENT", "SETNAME", "a b").startsWith("(error) ERR Client names"));
  const hello = world.ask("HELLO", "3", "SETNAME", "you") as Map<Value, Value>;
  assertEquals([hello.get("proto"), world.peer.version, world.peer.name], [3n, 3, "you"]);
  assertEquals(world.says("HELLO", "4"), "(error) NOPROTO unsupported protocol version");
  assertEquals(world.ask("RESET"), "RESET");
  assertEquals([world.peer.version, world.peer.name], [2, ""]);
  const commands = world.ask("COMMAND") as Value[][];
  assertEquals(world.ask("COMMAND", "COUNT"), BigInt(commands.length));
  const add = ["karma.add", -3n, ["write"], 0n, 0n, 0n];
  assertEquals(commands.find(([name]) => name === "karma.add"), add);
  assertEquals(world.ask("COMMAND", "INFO", "KARMA.ADD", "x"), [add, null]);
  assertEquals((world.ask("COMMAND", "DOCS", "karma.add") as Value[])[0], "karma.add");
  assertEquals(world.ask("CONFIG", "GET", "save"), []);
  assertEquals([world.ask("QUIT"), world.reply.isLast], ["OK", true]);
});

Deno.test("resp: a token is shown once for the connection, until it is wrong", () => {
  const access = new Access("full", "read");
  const world = new World(access);
  const required = "(error) NOAUTH Authentication required.";
  const wrong = "(error) WRONGPASS invalid username-password pair or user is disabled.";
  assertEquals(world.says("PING"), required);
  assertEquals(world.says("NOTHING"), required);
  assert(world.says("HELLO", "3").startsWith("(error) NOAUTH HELLO"));
  assertEquals(world.says("AUTH", "x"), wrong);
  assertEquals(world.says("AUTH", "someone", "full"), wrong);
  assertEquals(world.says("PING"), required);
  assertEquals(world.ask("AUTH", "read"), "OK");
  assertEquals(world.ask("PING"), null);
  assert(world.says("KARMA.ADD", "t", "7").startsWith("(error) NOPERM"));
  assert(world.ask("HELLO", "2", "AUTH", "default", "full") instanceof Array);
  assertEquals(world.ask("KARMA.ADD", "t", "7"), null);
  access.replace("other", null);
  assertEquals(world.says("KARMA.ADD", "t", "7"), required);
  assertEquals(world.ask("AUTH", "default", "other"), "OK");
  assertEquals(world.ask("KARMA.ADD", "t", "7"), null);
  world.ask("RESET");
  assertEquals(world.says("PING"), required);
  assertEquals(new World().says("AUTH", "x").slice(0, 16), "(error) ERR AUTH");
});
