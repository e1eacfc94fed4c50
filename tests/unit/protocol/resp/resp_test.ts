import { assert, assertEquals } from "@std/assert";
import { ReceiveBuffer } from "../../../../lib/bytes/receive_buffer.ts";
import { SendBuffer } from "../../../../lib/bytes/send_buffer.ts";
import { TimeZones } from "../../../../lib/command/time_zones.ts";
import { Access } from "../../../../lib/command/access.ts";
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
    ["MULTI", "unknown command 'MULTI'"],
    ["KARMA.ADD t", "wrong number of arguments for 'karma.add' command"],
    ["KARMA.ADD t x", "value is not an integer or out of range"],
    ["KARMA.ADD t -1", "value is not an integer or out of range"],
    ["KARMA.ADD t 18446744073709551616", "value is not an integer or out of range"],
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
