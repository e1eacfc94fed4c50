// Fingerprints: those that Karma 1.x recorded, and for every operation a second, slow way to the same.

import { lineOf } from "../../../lib/bytes/line.ts";
import { assert, assertEquals, assertNotEquals } from "@std/assert";
import { OPERATIONS } from "../../../lib/command/operation.ts";
import { Reply } from "../../../lib/command/reply.ts";
import { Request } from "../../../lib/command/request.ts";
import { codecOf } from "../../support/codec.ts";
import { chunkFingerprintOf, fingerprintOf } from "../../../lib/engine/fingerprint.ts";
import { Random } from "../../support/random.ts";

const TODAY = 20261122;
const encoder = new TextEncoder();
const codec = codecOf();
const request = new Request(); // one for all, as a connection has

/** The fingerprint of a request whose members are as they stand in JSON. */
function fingerprint(op: string, members: string): string {
  const reply = new Reply();
  const bytes = encoder.encode(`{"v":2,"op":"${op}",${members}}`);
  const isDecoded = codec.decode(lineOf(bytes), "v2", request, reply);
  assert(isDecoded, `${op} ${members}: ${reply.text}`);
  const isChunk = request.operation.id === "ingestChunk";
  return (isChunk ? chunkFingerprintOf(request) : fingerprintOf(request, TODAY)).toHex();
}

async function hash(lines: string): Promise<string> {
  return new Uint8Array(await crypto.subtle.digest("SHA-256", encoder.encode(lines))).toHex();
}

Deno.test("fingerprint: the recorded ones", () => {
  const RECORDED: [op: string, members: string, fingerprint: string][] = [
    [
      "counter.increment",
      '"series":"alpha","key":1,"bucket":20260103,"value":5',
      "53c0d224b3ebe6ccd295524084e0229d559834af95dae3d9c639ab4e50aeac12",
    ],
    [
      "series.increment",
      '"tree":"i","key":6,"date":"2026-01-01","value":2',
      "aa792b7e6d6feb4ffe94ad45beff8798063f0e4d35d62ddc77ddb575a07c57a6",
    ],
    [
      "series.batch_add",
      '"series":"beta_two","items":[[10,20260101,100],[11,20260102,200],' +
      "[9007199254740993,20260103,9007199254740993]]",
      "8cf81150f08d5ec36bcbf38a9b4e6e5f5eddbc8f5906efe394ee181700f385be",
    ],
  ];
  for (const [op, members, recorded] of RECORDED) {
    assertEquals(fingerprint(op, members), recorded, op);
  }
});

/** What operations are said to be made of, in the words of the protocol. */
class Lines {
  text = "";

  string(name: string, value: string): this {
    this.text += `${name}:s:${encoder.encode(value).length}:${value}\n`;
    return this;
  }

  u64(name: string, value: bigint | number): this {
    this.text += `${name}:u:${value}\n`;
    return this;
  }

  i32(name: string, value: number): this {
    this.text += `${name}:i:${value}\n`;
    return this;
  }

  none(name: string): this {
    this.text += `${name}:n\n`;
    return this;
  }
}

type Item = [key: bigint, day: number, value: bigint];

/** What a request may say. */
interface Said {
  series: string;
  key: bigint;
  /** null: today. */
  day: number | null;
  /** null: one. */
  value: bigint | null;
  keys: bigint[];
  items: Item[];
  range: [from: number, to: number];
  stream: string;
  sequence: number;
}

interface Form {
  ops: string[];
  members(said: Said): string[];
  lines(said: Said): Lines;
}

const seriesOf = ({ series }: Said) => `"series":${JSON.stringify(series)}`;
const keyOf = ({ key }: Said) => `"key":${key}`;
const rangeOf = ({ range: [from, to] }: Said) => `"range":{"to":${to},"from":${from}}`;
const keysOf = ({ keys }: Said) => `"keys":[${keys}]`;
const itemsOf = ({ items }: Said) => `"items":[${items.map((item) => `[${item}]`)}]`;

function command(label: string, said: Said): Lines {
  return new Lines().string("command", label).string("series", said.series);
}

function withItems(lines: Lines, { items }: Said): Lines {
  lines.i32("items_count", items.length);
  for (const [key, day, value] of items) {
    lines.u64("item_key", key).u64("item_bucket", day).u64("item_value", value);
  }
  return lines;
}

function withKeys(lines: Lines, { keys }: Said): Lines {
  lines.i32("keys_count", keys.length);
  for (const key of keys) lines.u64("key_value", key);
  return lines;
}

function withRange(lines: Lines, { range: [from, to] }: Said): Lines {
  return lines.u64("range_from", from).u64("range_to", to);
}

function point(label: string, ...ops: string[]): Form {
  return {
    ops,
    members: (said) => {
      const value = said.value === null ? [] : [`"value":${said.value}`];
      const day = said.day === null ? [] : [`"bucket":${said.day}`];
      return [seriesOf(said), keyOf(said), ...day, ...value];
    },
    lines: (said) => {
      const lines = command(label, said).u64("key", said.key);
      return lines.u64("bucket", said.day ?? TODAY).u64("value", said.value ?? 1n);
    },
  };
}

const FORMS: Form[] = [
  point("increment", "counter.increment", "series.increment"),
  point("decrement", "counter.decrement"),
  {
    ops: ["series.batch_add", "counter.batch_increment"],
    members: (said) => [seriesOf(said), itemsOf(said)],
    lines: (said) => withItems(command("batch_add", said), said),
  },
  {
    ops: ["series.batch_set"],
    members: (said) => [seriesOf(said), itemsOf(said)],
    lines: (said) => withItems(command("batch_set", said), said),
  },
  {
    ops: ["counter.reset"],
    members: (said) => [seriesOf(said), keyOf(said)],
    lines: (said) => command("reset", said).u64("key", said.key),
  },
  {
    ops: ["tree.reset"],
    members: (said) => [seriesOf(said)],
    lines: (said) => command("reset", said).none("key"),
  },
  {
    ops: ["counter.batch_reset"],
    members: (said) => [seriesOf(said), keysOf(said)],
    lines: (said) => withKeys(command("batch_reset", said), said),
  },
  {
    ops: ["counter.delete_range"],
    members: (said) => [seriesOf(said), keyOf(said), rangeOf(said)],
    lines: (said) => withRange(command("delete", said).u64("key", said.key), said),
  },
  {
    ops: ["tree.delete_range"],
    members: (said) => [seriesOf(said), rangeOf(said)],
    lines: (said) => withRange(command("delete", said).none("key"), said),
  },
  {
    ops: ["counter.batch_delete_range"],
    members: (said) => [seriesOf(said), keysOf(said), rangeOf(said)],
    lines: (said) => withRange(withKeys(command("batch_delete_range", said), said), said),
  },
  {
    ops: ["ingest.chunk"],
    members: (said) => {
      const stream = `"stream_id":${JSON.stringify(said.stream)}`;
      return [seriesOf(said), stream, `"chunk_seq":${said.sequence}`, itemsOf(said)];
    },
    lines: (said) => {
      const lines = new Lines().string("command", "ingest_chunk").string("stream_id", said.stream);
      lines.string("series", said.series).u64("chunk_seq", said.sequence);
      return withItems(lines, said);
    },
  },
];

function saidBy(random: Random): Said {
  const u64 = () => random.u64() >> BigInt(random.below(64));
  const day = () => 20260101 + random.below(28);
  const list = <T>(one: () => T) => Array.from({ length: random.pick([0, 1, 2, 30]) }, one);
  const name = () =>
    random.pick(["t", "a_b", "день", '"\\', "😀", "x".repeat(255), "key:u:1", "/"]);
  const from = 20260101 + random.below(14);
  return {
    series: name(),
    key: random.pick([0n, 1n, 0xffffffffn, 1n << 32n, (1n << 64n) - 1n, u64()]),
    day: random.pick([null, day()]),
    value: random.pick([null, u64() || 1n]),
    keys: list(u64),
    items: list((): Item => [u64(), day(), (u64() >> 6n) || 1n]),
    range: [from, from + random.below(14)],
    stream: name(),
    sequence: 1 + random.below(2 ** 32 - 1),
  };
}

Deno.test("fingerprint: of every operation, the hash of its lines", async () => {
  const once = OPERATIONS.filter(({ fingerprint }) => fingerprint !== undefined);
  const ofLimits = ["consume", "refund"];
  const formed = FORMS.flatMap(({ ops }) => ops);
  for (const { id, v2 } of once) {
    const isFormed = v2!.ops.every((op) => formed.includes(op));
    assert(isFormed || ofLimits.includes(id), `${id} has a form`);
  }
  const seed = crypto.getRandomValues(new Uint32Array(1))[0];
  const random = new Random(seed);
  for (let round = 0; round < 60; round++) {
    for (const { ops, members, lines } of FORMS) {
      const said = saidBy(random);
      const expected = await hash(lines(said).text);
      for (const op of ops) {
        const shuffled = members(said).sort(() => random.chance(0.5) ? 1 : -1).join(",");
        assertEquals(fingerprint(op, shuffled), expected, `seed ${seed}: ${op} ${shuffled}`);
      }
    }
  }
});

Deno.test("fingerprint: however a request is written, and only what it asks for counts", () => {
  const T = '"series":"t"';
  const SAME: [op: string, ...members: string[]][] = [
    [
      "counter.increment",
      `${T},"key":1,"date":20260103`,
      '"tree":"t","series":"u","key":"1","bucket":"2026-01-03","value":"1"',
      '"tree":7,"series":"\\u0074","value":1,"date":"20260103","bucket":20200101,"key":1',
      `${T},"key":2,"key":1,"bucket":20260103,"idempotency_key":"k","token":"x","granularity":"day"`,
      `${T},"key":1,"bucket":20260103,"range":{"from":20260101,"to":20260102},"items":[]`,
    ],
    [
      "tree.delete_range",
      `${T},"range":{"from":20260101,"to":20260102}`,
      `${T},"key":5,"range":{"to":"2026-01-02","from":"20260101"}`,
    ],
    ["tree.reset", T, `${T},"key":9,"range":{"from":20260101,"to":20260102}`],
    ["series.batch_set", `${T},"items":[[1,20260101,0]]`, `${T},"items":[["1","2026-01-01","0"]]`],
    [
      "counter.batch_reset",
      `${T},"keys":[1,2]`,
      `${T},"keys":["1",2],"range":{"from":20260101,"to":20260101}`,
    ],
  ];
  for (const [op, first, ...others] of SAME) {
    for (const other of others) assertEquals(fingerprint(op, other), fingerprint(op, first), other);
  }
  const OTHER: [op: string, members: string][] = [
    ["counter.increment", `${T},"key":1`],
    ["counter.increment", `${T},"key":1,"date":20261121`],
    ["counter.increment", `${T},"key":1,"value":2`],
    ["counter.increment", `${T},"key":2`],
    ["counter.increment", '"series":"u","key":1'],
    ["counter.decrement", `${T},"key":1`],
    ["counter.reset", `${T},"key":1`],
    ["tree.reset", T],
    ["series.batch_add", `${T},"items":[]`],
    ["series.batch_set", `${T},"items":[]`],
    ["series.batch_add", `${T},"items":[[1,20260101,1],[2,20260101,1]]`],
    ["series.batch_add", `${T},"items":[[2,20260101,1],[1,20260101,1]]`],
    ["counter.batch_reset", `${T},"keys":[]`],
    ["counter.batch_reset", `${T},"keys":[12]`],
    ["counter.batch_reset", `${T},"keys":[1,2]`],
    ["counter.batch_delete_range", `${T},"keys":[1,2],"range":{"from":20260101,"to":20260102}`],
  ];
  const prints = OTHER.map(([op, members]) => fingerprint(op, members));
  assertEquals(new Set(prints).size, OTHER.length);
});

Deno.test("fingerprint: of limits, all that they say", () => {
  const limit = (rest: string) => `"limits":[{"series":"t","max":10,"window":"day"${rest}}]`;
  const consume = (members: string) => fingerprint("limit.consume", members);
  const first = consume(`"key":1,${limit("")}`);
  assertEquals(consume(`${limit("")},"cost":1,"mode":"reject","key":"1"`), first);
  const others = [
    `"key":2,${limit("")}`,
    `"key":1,"cost":2,${limit("")}`,
    `"key":1,"mode":"force",${limit("")}`,
    `"key":1,"receipt":true,${limit("")}`,
    `"key":1,${limit("").replace('"max":10', '"max":11')}`,
    `"key":1,${limit("").replace('"t"', '"u"')}`,
    `"key":1,${limit("").replace("day", "month")}`,
    `"key":1,${limit("").replace("]", `,${limit("").slice(10)}`)}`,
  ];
  const prints = others.map(consume);
  assertEquals(new Set([first, ...prints]).size, others.length + 1);
  const refund = (receipt: string) => fingerprint("limit.refund", `"receipt":"${receipt}"`);
  assertEquals(refund("a"), refund("a"));
  assertNotEquals(refund("a"), refund("b"));
});

Deno.test("fingerprint: a long request leaves nothing behind in the next", async () => {
  const items = Array.from({ length: 10_000 }, (_, key) => `[${key},20260101,1]`);
  const short = new Lines().string("command", "reset").string("series", "t").none("key");
  const expected = await hash(short.text);
  for (let time = 0; time < 3; time++) {
    const long = fingerprint("series.batch_add", `"series":"t","items":[${items}]`);
    assertEquals(fingerprint("tree.reset", '"series":"t"'), expected);
    assertEquals(long.length, 64);
  }
});

Deno.test("fingerprint: a time zone counts where it tells the day, and whatever its case", async () => {
  const change = '"series":"a","key":1,"value":2';
  const zoned = `${change},"timezone":"America/New_York"`;
  const lines = "command:s:9:increment\nseries:s:1:a\nkey:u:1\nbucket:u:20261122\nvalue:u:2\n";
  assertEquals(fingerprint("counter.increment", change), await hash(lines));
  assertEquals(
    fingerprint("counter.increment", zoned),
    await hash(`${lines}timezone:s:16:america/new_york\n`),
  );
  const other = zoned.replace("America/New_York", "AMERICA/new_york");
  assertEquals(
    fingerprint("counter.increment", zoned),
    fingerprint("counter.increment", other),
  );
  const dated = '"bucket":20261122';
  assertEquals(
    fingerprint("counter.increment", `${zoned},${dated}`),
    fingerprint("counter.increment", `${change},${dated}`),
  );
  const limits = '"key":1,"limits":[{"series":"a","max":1,"window":"day"}]';
  const prints = ["", ',"timezone":"UTC"', ',"timezone":"Europe/Berlin"'].map((zone) => {
    return fingerprint("limit.consume", limits + zone);
  });
  assertEquals(new Set(prints).size, 3);
});

Deno.test("fingerprint: what may be carried over counts, and what was carried does not", () => {
  const print = (carry: string) => {
    const window = '"window":"month"';
    return fingerprint(
      "limit.consume",
      `"key":1,"limits":[{"series":"a","max":9,${window}${carry}}]`,
    );
  };
  const prints = ["", ',"carry":{"max":0}', ',"carry":{"max":5}'].map(print);
  assertEquals(new Set(prints).size, 3);
  request.limits.raise(0, 3, 0);
  assertEquals(print(',"carry":{"max":5}'), prints[2]);
});
