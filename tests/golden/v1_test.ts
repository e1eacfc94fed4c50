// The transcripts of the first Karma (v1/*.jsonl, from ../shared/golden), replayed.
//
// To a real process line by line and whole in one write, and to sessions in this process byte by
// byte and cut at every position. Every answer must be the recorded one, byte for byte, but for the
// cases in DIFFERENCES, which say why ours is another and which one.

import { assertEquals, assertMatch } from "@std/assert";
import { budget, positions } from "../support/budget.ts";
import { Client, failure, success } from "../support/client.ts";
import { LocalKarma } from "../support/local_karma.ts";
import { originalDump } from "../support/original_dump.ts";
import { Server, TemporaryDirectory } from "../support/server.ts";
import {
  assertNone,
  byteByByte,
  type Case,
  checkDifferences,
  cutAt,
  type Difference,
  longestRequest,
  mismatch,
  noon,
  ours,
  readTranscript,
  sortedCounters,
  type Transcript,
} from "../support/transcript.ts";

/** Points of the project's design that some answers follow instead of the original. */
const POINTS = {
  "6": "characters unsafe in file names are percent-encoded, so every tree can be dumped",
  "9.1": "sum, find, reset and delete of a tree that doesn't exist create nothing",
  "9.2": "a day that falls to zero is gone",
  "9.3": "an error is a plain sentence that names the field",
  "9.5": "the tree's name in a dump's file name is everything after the first underscore",
  "10.3": "a tree's name has 1 to 255 bytes of UTF-8 without control characters, in v1 too",
};

const NOT_AN_OBJECT = failure("Request must be a JSON object");
const COMMAND_TYPE = failure("Field command must be a string");
const BAD_NAME = failure(
  "Field tree_name must be 1 to 255 bytes of UTF-8 without control characters",
);
const required = (field: string) => failure(`Field ${field} is required`);
const invalid = (fault: string) => failure(`Invalid JSON: ${fault}`);
const character = (at: number) => invalid(`unexpected character at byte ${at}`);
const end = (at: number) => invalid(`unexpected end at byte ${at}`);

const DIFFERENCES: Record<string, Difference<keyof typeof POINTS>[]> = {
  basic: [
    [21, "find keeps the zero day", "9.2", success("{}")],
    [24, "and creates an empty counter", "9.2", success('{"1":{},"2":{}}')],
    [
      28,
      "reads of unknown keys: no counters (2026 lib) / empty counters (2023 lib)",
      "9.2",
      success('{"1":{},"2":{}}'),
    ],
    [44, "and re-created the tree", "9.1", success("[]")],
  ],
  delete_reset: [
    [36, "delete: only from", "9.3", required("time_to")],
    [37, "delete: only to", "9.3", required("time_from")],
    [38, "delete: no range", "9.3", required("time_from")],
    [39, "delete: no range, no key", "9.3", required("time_from")],
    [40, "delete failing on an unknown key makes no counter", "9.3", required("time_from")],
  ],
  dumps: [
    [22, "load a_b goes to tree b", "9.5", success('"Tree \\"a_b\\" loaded"')],
    [23, "trees", "9.5", success('["t","e","a_b"]')],
    [24, "b has the data", "9.5", success(0)],
    [29, "empty name", "10.3", BAD_NAME],
    [30, "dump empty name", "10.3", failure('Tree "" not found')],
    [
      31,
      'load of empty-named dump goes to tree ".tree"',
      "10.3",
      failure('Dump "" not exists'),
    ],
    [32, "trees", "10.3", success('["t","e","日本"]')],
    [33, "drop .tree", "10.3", failure('Tree ".tree" not exists')],
    [34, "drop empty name", "10.3", failure('Tree "" not exists')],
    [36, "dump slash fails", "6", success('"Tree \\"x/y\\" saved"')],
    [39, "dump dotdot fails", "6", success('"Tree \\"../z\\" saved"')],
    [41, "nul tree", "10.3", BAD_NAME],
    [42, "dump nul fails", "10.3", failure('Tree "a\0b" not found')],
    [43, "drop it", "10.3", failure('Tree "a\0b" not exists')],
    [
      46,
      "load empty name: the directory itself",
      "9.3",
      failure("Field tree_name must name a dump file"),
    ],
    [47, "load nul", "9.3", failure('Dump "a\0b" not exists')],
  ],
  errors: [
    [6, "null command", "9.3", COMMAND_TYPE],
    [7, "number command", "9.3", COMMAND_TYPE],
    [8, "bool command", "9.3", COMMAND_TYPE],
    [9, "array command", "9.3", COMMAND_TYPE],
    [10, "object command", "9.3", COMMAND_TYPE],
    [11, "no command", "9.3", required("command")],
    [12, "no command but others", "9.3", required("command")],
    [13, "wrong case of the field", "9.3", required("command")],
    [14, "empty line", "9.3", end(1)],
    [15, "blank line", "9.3", end(4)],
    [16, "array", "9.3", NOT_AN_OBJECT],
    [17, "array of requests", "9.3", NOT_AN_OBJECT],
    [18, "number", "9.3", NOT_AN_OBJECT],
    [19, "negative number", "9.3", NOT_AN_OBJECT],
    [20, "string", "9.3", NOT_AN_OBJECT],
    [21, "null", "9.3", NOT_AN_OBJECT],
    [22, "true", "9.3", NOT_AN_OBJECT],
    [23, "garbage", "9.3", character(1)],
    [24, "open brace", "9.3", end(2)],
    [25, "unclosed object", "9.3", end(18)],
    [26, "unclosed string", "9.3", end(17)],
    [27, "extra brace", "9.3", character(19)],
    [28, "two objects on one line", "9.3", character(20)],
    [29, "text after object", "9.3", character(19)],
    [30, "trailing comma", "9.3", character(19)],
    [31, "single quotes", "9.3", character(2)],
    [32, "missing colon", "9.3", character(12)],
    [33, "missing comma", "9.3", character(19)],
    [34, "bare key", "9.3", character(2)],
    [35, "comment", "9.3", character(18)],
    [36, "NaN", "9.3", character(25)],
    [37, "bad escape", "9.3", invalid("unknown escape at byte 15")],
    [38, "bad unicode escape", "9.3", invalid("unknown escape at byte 17")],
    [39, "lone surrogate", "9.3", invalid("half of a surrogate pair at byte 34")],
    [40, "tab in string", "9.3", invalid("control character in a string at byte 14")],
    [41, "leading zero", "9.3", character(26)],
    [42, "plus sign", "9.3", character(25)],
    [43, "dot number", "9.3", character(25)],
    [44, "1.", "9.3", character(27)],
    [45, "no tree_name increment", "9.3", required("tree_name")],
    [46, "no tree_name decrement", "9.3", required("tree_name")],
    [47, "no tree_name sum", "9.3", required("tree_name")],
    [48, "no tree_name find", "9.3", required("tree_name")],
    [49, "no tree_name reset", "9.3", required("tree_name")],
    [50, "no tree_name delete", "9.3", required("tree_name")],
    [51, "no tree_name create", "9.3", required("tree_name")],
    [52, "no tree_name drop", "9.3", required("tree_name")],
    [53, "no tree_name dump", "9.3", required("tree_name")],
    [54, "no tree_name load", "9.3", required("tree_name")],
    [55, "no key increment", "9.3", required("key")],
    [56, "no key decrement", "9.3", required("key")],
    [57, "no key sum", "9.3", required("key")],
    [58, "no key sum with range", "9.3", required("key")],
    [59, "sum only from", "9.3", required("time_to")],
    [60, "sum only to", "9.3", required("time_from")],
    [61, "find no range", "9.3", required("time_from")],
    [62, "find only from", "9.3", required("time_to")],
    [63, "find only to", "9.3", required("time_from")],
    [64, "find all no range", "9.3", required("time_from")],
    [65, "find all only from", "9.3", required("time_to")],
    [66, "find all only to", "9.3", required("time_from")],
    [73, "nesting 513", "9.3", invalid("nesting deeper than 512 at byte 534")],
    [76, "trees made by failed commands", "9.1", success("[]")],
  ],
  multi_tree: [
    [12, "creation order", "9.1", success('["b","a","z"]')],
    [13, "failed sum (no key) still creates the tree", "9.3", required("key")],
    [14, "failed find still creates", "9.3", required("time_from")],
    [15, "failed delete still creates", "9.3", required("time_from")],
    [16, "increment without key does not create", "9.3", required("key")],
    [17, "decrement without key does not create", "9.3", required("key")],
    [21, "trees after errors", "9.1", success('["b","a","z"]')],
    [27, "delete key made a counter", "9.1", success("{}")],
    [28, "reset key made a counter", "9.1", success("{}")],
    [31, "order after drop", "9.1", success('["a","z","c"]')],
    [33, "b moved to the end", "9.1", success('["a","z","c","b"]')],
    [35, "empty name", "10.3", BAD_NAME],
    [37, "emoji and quotes", "10.3", BAD_NAME],
    [41, "DEL char", "10.3", BAD_NAME],
    [
      45,
      "trees: escaping in the answer",
      "10.3",
      success('["a","z","c","b","日本","a b","x/y","../up","<&>\u2028","B","a_b"]'),
    ],
    [47, "drop empty name", "10.3", failure('Tree "" not exists')],
  ],
};

/** Where a transcript is replayed. */
interface Stage {
  /** Its day, as YYYYMMDD. */
  readonly today: number;
  ask(send: string): Promise<string>;
  files(): string[] | Promise<string[]>;
  pass(ms: number): Promise<void>;
}

const TRANSCRIPTS = Object.keys(DIFFERENCES).map((name) =>
  readTranscript(new URL("v1/", import.meta.url), name)
);

/** What is wrong with an answer. */
function judge(transcript: Transcript, row: Case, reply: string, today: number): string | null {
  const expected = ours(row, DIFFERENCES[transcript.name]);
  const expect = expected.expect.replaceAll("<TODAY>", `${today}`);
  // A transcript with dumps in it shows when they were made.
  const shown = expect.includes("<TS>") ? reply.replaceAll(/\b\d{10}(?=_)/g, "<TS>") : reply;
  if (!isFindAll(row.send)) return mismatch(transcript, { ...expected, expect }, shown);
  return mismatch(
    transcript,
    { ...expected, expect: sortedCounters(expect) },
    sortedCounters(shown),
  );
}

function isFindAll(send: string): boolean {
  return send.includes('"command":"find"') && !send.includes('"key"');
}

async function replay(transcript: Transcript, stage: Stage): Promise<void> {
  const found: (string | null)[] = [];
  for (const row of transcript.cases) {
    await stage.pass(row.sleep_ms ?? 0);
    const reply = await stage.ask(await request(row, stage));
    found.push(judge(transcript, row, reply, stage.today));
    await stage.pass(row.after_ms ?? 0);
  }
  assertNone(found);
}

/** The request of a case, with the name of the newest dump where it stands for one. */
async function request({ send }: Case, stage: Stage): Promise<string> {
  const match = /<LASTDUMP:(.*)>/.exec(send);
  if (match === null) return send;
  const dumps = (await stage.files()).filter((file) =>
    file.replace(/^\d+_/, "") === `${match[1]}.tree`
  );
  // There is none of a tree that ours refused to create.
  return send.replace(match[0], dumps.sort().at(-1) ?? `0_${match[1]}.tree`);
}

/** Puts the files there that a transcript begins with. */
function setUp(transcript: Transcript, put: (file: string, bytes: Uint8Array) => void): void {
  for (const [file, source] of Object.entries(transcript.setup_files)) {
    assertEquals(source, "karma-0.1/1689501600_bigkeys.tree");
    put(file, bigKeys(transcript));
  }
}

/** What is told on a directory that holds only what a transcript begins with. */
function toldAtStart({ setup_files }: Transcript): RegExp {
  const isEmpty = Object.keys(setup_files).length === 0;
  return isEmpty ? /^$/ : /^There was no log: took over the newest dumps of .+\n$/;
}

/** The recorded dump is not among the fixtures, but the transcript shows all that was in it. */
function bigKeys({ cases }: Transcript): Uint8Array {
  const listing = cases.find(({ name }) => name === "counter still listed")!;
  const counters = [...listing.expect.matchAll(/"(\d+)":\{(?:"20230714":(\d+))?\}/g)];
  return originalDump(counters.map(([, key, value]) => {
    // The one without days had 3 on each: the first case shows them, the next ones delete them.
    const days = [20230714, 20230715, 20230716].map((day) => [day, BigInt(value ?? 3)] as const);
    return [BigInt(key), new Map(days)];
  }));
}

/** Lets time pass. Where a transcript waits a second and more, it is for dumps to have other names. */
async function pass(ms: number): Promise<void> {
  if (ms === 0) return;
  const wait = ms < 1000 ? ms : 1000 - Date.now() % 1000;
  await new Promise((done) => setTimeout(done, wait));
}

async function start(transcript: Transcript, directory: TemporaryDirectory, zone: string) {
  setUp(transcript, (file, bytes) => Deno.writeFileSync(directory.join(file), bytes));
  return await Server.start({ directory: directory.path, args: [`--timezone=${zone}`] });
}

/** Plays a transcript to a new session, each line in the chunks that `cut` makes of it. */
async function replayLocally(
  transcript: Transcript,
  cut: (line: string) => Uint8Array[],
) {
  const karma = new LocalKarma();
  setUp(transcript, (file, bytes) => karma.put(file, bytes));
  await karma.start();
  const client = karma.connect();
  await replay(transcript, {
    today: karma.today,
    ask(send) {
      for (const chunk of cut(`${send}\r\n`)) client.push(chunk);
      return client.line();
    },
    files: () => karma.files(),
    pass: (ms) => Promise.resolve(void (karma.now += ms)),
  });
  await client.end();
  await karma.checkpointer.dumpAll("a test"); // after those that the transcript asked for
  assertMatch(karma.log.map((line) => `${line}\n`).join(""), toldAtStart(transcript));
}

for (const transcript of TRANSCRIPTS) {
  const { name, cases } = transcript;

  Deno.test(`golden v1: ${name}, line by line`, async () => {
    using directory = new TemporaryDirectory();
    const { zone, today } = noon();
    await using server = await start(transcript, directory, zone);
    using client = await Client.connect(server.port);
    await replay(transcript, {
      today,
      ask: async (send) => {
        await client.send(`${send}\r\n`);
        return await client.line();
      },
      files: () => directory.dumps(),
      pass,
    });
    assertEquals(await server.stop(), 0);
    assertMatch(server.stderr, toldAtStart(transcript));
  });

  const needsTime = cases.some((row) => row.sleep_ms !== undefined);
  if (!needsTime) {
    Deno.test(`golden v1: ${name}, whole in one write`, async () => {
      using directory = new TemporaryDirectory();
      const { zone, today } = noon();
      await using server = await start(transcript, directory, zone);
      using client = await Client.connect(server.port);
      await client.send(cases.map(({ send }) => `${send}\n`).join(""));
      const found: (string | null)[] = [];
      for (const row of cases) found.push(judge(transcript, row, await client.line(), today));
      assertNone(found);
    });
  }

  Deno.test(`golden v1: ${name}, byte by byte`, async () => {
    await replayLocally(transcript, byteByByte);
    await LocalKarma.timersDone();
  });

  Deno.test(`golden v1: ${name}, cut in two at ${budget("some positions", "every position")}`, async () => {
    // Each replay cuts every line, at the same position.
    for (const at of positions(1, longestRequest(transcript) - 1, 25)) {
      await replayLocally(transcript, cutAt(at));
    }
    await LocalKarma.timersDone();
  });
}

Deno.test("golden v1: every difference is one, and of the case that it names", () => {
  for (const { server_flags } of TRANSCRIPTS) assertEquals(server_flags, ["--directory=<DIR>"]);
  checkDifferences(TRANSCRIPTS, DIFFERENCES);
});
