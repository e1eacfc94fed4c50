// The transcripts of Karma 1.0.1 (v2/*.jsonl, from ../shared/golden), replayed.
//
// To a real process line by line and whole in one write, and to sessions in this process byte by
// byte and cut at every position. Every answer must be the recorded one, byte for byte, but for what
// the recording says varies, and for the cases in DIFFERENCES, which say why ours is another and
// which one. And what the requests left behind must outlive the process: the original could not
// start again after some of them.

import { assert, assertEquals } from "@std/assert";
import { budget, positions } from "../support/budget.ts";
import { Client } from "../support/client.ts";
import { type LocalClient, LocalKarma } from "../support/local_karma.ts";
import { Server, TemporaryDirectory } from "../support/server.ts";
import {
  assertNone,
  byteByByte,
  type Case,
  checkDifferences,
  cutAt,
  type Difference,
  longestRequest,
  masked,
  mismatch,
  noon,
  ours,
  readTranscript,
  sortedCounters,
  type Transcript,
} from "../support/transcript.ts";

/** Points of the project's design that some answers follow instead of the original. */
const POINTS = {
  "6": "the log is our own: LSNs count changes, and its bytes depend on what came together",
  "10.1": "integers go to 2^64-1, and keys, values and cursors may be decimal strings",
  "10.2": "a day is a real date, and may be a string wherever there is one",
  "10.3": "a tree's name has 1 to 255 bytes of UTF-8 without control characters",
  "10.4": "authentication comes before anything about the operation is told",
  "10.5": "a command applies whole or not at all: a refused chunk binds nothing",
  "10.7": "tree.keys and tree.top have default limits",
  "10.9": "snapshot.verify changes nothing, and so counts nothing",
  "admin": "snapshot.verify reads everything there is, which is not a reader's to ask for",
  "10.11": "there is no replication yet",
  "v1": "both protocols are spoken on one port; what has a command is a request of v1",
  "note": "the recording itself calls the original's answer a fault",
};

const success = (response: string) =>
  `{"protocol_version":2,"success":true,"response":${response},"error_code":null}`;
const failure = (code: string, sentence: string) =>
  `{"protocol_version":2,"success":false,"response":"${sentence}","error_code":"${code}"}`;

const UNAUTHORIZED = failure("unauthorized", "Unauthorized");
const NO_NAME = failure("validation_error", "Field tree_name is required");
const BAD_NAME = failure(
  "validation_error",
  "Field tree_name must be 1 to 255 bytes of UTF-8 without control characters",
);
const BAD_DATE = failure("validation_error", "Invalid bucket date");
const unknown = (op: string) => failure("unknown_command", `Unknown op ${op}`);
const NO_ENTRIES = unknown("replication.entries");

/** The recorded answer, with other numbers in it. */
const numbers = (other: Record<string, number>) => (recorded: string): string => {
  for (const [name, value] of Object.entries(other)) {
    const before = recorded;
    recorded = before.replace(new RegExp(`(?<="${name}":)\\d+`), `${value}`);
    assert(recorded !== before, `Another ${name}`);
  }
  return recorded;
};

const DIFFERENCES: Record<string, Difference<keyof typeof POINTS>[]> = {
  auth: [
    [29, "read token may snapshot.info", "6", numbers({}), "response.wal_bytes"],
    [
      30,
      "read token may snapshot.verify",
      "admin",
      failure("forbidden", "Read-only token cannot execute command verify"),
    ],
    [34, "read token may replication.status", "6", numbers({}), "response.wal_bytes"],
    [35, "read token may replication.entries", "10.11", NO_ENTRIES],
    [
      36,
      "read token may idempotency.snapshot_fetch_chunk",
      "10.11",
      unknown("idempotency.snapshot_fetch_chunk"),
    ],
    [
      37,
      "read token may system.stats",
      "10.9",
      // snapshot.verify had counted two; line 35 was no error.
      numbers({ command_count: 35, error_count: 15 }),
      "response.wal_bytes",
    ],
    [62, "unknown op reported before auth", "10.4", UNAUTHORIZED],
    [63, "missing fields reported before auth", "10.4", UNAUTHORIZED],
    [64, "type error reported before auth", "10.4", UNAUTHORIZED],
    [65, "bad range order reported before auth", "10.4", UNAUTHORIZED],
  ],
  basic: [
    // Four trees more were created by a first change; one creation and one decrement changed nothing.
    [59, "stats", "6", numbers({ wal_current_lsn: 26 })],
  ],
  batch: [
    [15, "batch_sum key string", "10.1", success('[{"key":1,"value":0}]')],
    [31, "add string bucket", "10.2", success('{"applied":1,"total":1}')],
    [
      34,
      "rejected batches changed nothing",
      "10.2", // line 31 did
      success('[{"key":1,"value":1},{"key":2,"value":0}]'),
    ],
    [35, "add unvalidated bucket number", "10.2", BAD_DATE],
    [36, "odd buckets counted", "10.2", failure("not_found", 'Tree \\"odd\\" not found')],
  ],
  errors: [
    [
      26,
      "v over int32",
      "note",
      failure(
        "unsupported_protocol",
        "Karma 1.0 accepts only protocol v2 requests with field v=2",
      ),
    ],
    [38, "legacy command field", "v1", '{"success":true,"response":"pong"}\r'],
    [47, "unused integer too large is a JSON error", "10.1", success('"pong"')],
    [61, "key string", "10.1", success("1")],
    [70, "value string", "10.1", success("1")],
    [79, "bucket overflow string", "note", BAD_DATE],
    [80, "date string", "10.2", success("1")],
    [84, "empty series on fast path creates a nameless series", "10.3", NO_NAME],
    [87, "list", "10.3", success('["e"]')],
    [88, "only one increment above took effect", "10.1", success("4")], // lines 61, 70, 75, 80
  ],
  idempotency: [],
  ingest: [
    [
      69,
      "so another series is refused",
      "10.5",
      success('{"stream_id":"s9","chunk_seq":1,"skipped":false,"applied":1,"total":1}'),
    ],
    [
      70,
      "idempotency_key on chunk is not used",
      "10.5", // line 69 was the first chunk
      failure("validation_error", "Ingest stream is already bound to series unbound"),
    ],
  ],
  limits_sizes: [
    [22, "entries are cut by bytes", "10.11", NO_ENTRIES],
    [24, "entries after the large ones", "10.11", NO_ENTRIES],
    [31, "page cut by bytes", "10.11", NO_ENTRIES],
    [32, "next page", "10.11", NO_ENTRIES],
    [33, "page cut by limit", "10.11", NO_ENTRIES],
    [34, "a mutation is applied even when its name is long", "10.3", BAD_NAME],
    [35, "list still fits", "10.3", success('["w","z","z2","z3","z4","z5","z6","z7"]')],
    [36, "second long name", "10.3", BAD_NAME],
    [37, "third long name makes the list too large", "10.3", BAD_NAME],
    [38, "list too large", "10.3", success('["w","z","z2","z3","z4","z5","z6","z7"]')],
  ],
  tree_inspection: [
    [
      24,
      "keys cursor string",
      "10.1",
      success('{"tree":"x","limit":1,"cursor":10,"next_cursor":18,"keys":[{"key":18,"total":3}]}'),
    ],
    [
      25,
      "keys without limit (documented default is broken)",
      "10.7",
      success(
        '{"tree":"x","limit":1000,"cursor":null,"next_cursor":null,"keys":[{"key":9,"total":2},' +
          '{"key":10,"total":6},{"key":18,"total":3},{"key":20,"total":7},{"key":30,"total":7},' +
          '{"key":40,"total":0}]}',
      ),
    ],
    [
      38,
      "top without limit (documented default is broken)",
      "10.7",
      success(
        '{"tree":"x","limit":100,"items":[{"key":20,"value":7},{"key":30,"value":7},' +
          '{"key":10,"value":6},{"key":18,"value":3},{"key":9,"value":2}]}',
      ),
    ],
  ],
};

const TRANSCRIPTS = Object.keys(DIFFERENCES).map((name) =>
  readTranscript(new URL("v2/", import.meta.url), name)
);

/** Sends a request without its end and returns the answer without its line feed; "": closed. */
type Ask = (send: string) => Promise<string>;

/** What is wrong with an answer. */
function judge(transcript: Transcript, row: Case, reply: string): string | null {
  const expected = ours(row, DIFFERENCES[transcript.name]);
  if (!row.send.includes('"op":"tree.series"')) return mismatch(transcript, expected, reply);
  // The order of counters is free, as in v1 (9.4).
  const sorted = { ...expected, expect: sortedCounters(expected.expect) };
  return mismatch(transcript, sorted, sortedCounters(reply));
}

async function replay(transcript: Transcript, ask: Ask): Promise<void> {
  const found: (string | null)[] = [];
  for (const row of transcript.cases) found.push(judge(transcript, row, await ask(row.send)));
  assertNone(found);
}

const LINE_FEED = 10;
const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** Lines out of bytes as they come, without their line feeds but with all else. */
class Lines {
  #bytes = new Uint8Array(0);

  push(bytes: Uint8Array): void {
    const all = new Uint8Array(this.#bytes.length + bytes.length);
    all.set(this.#bytes);
    all.set(bytes, this.#bytes.length);
    this.#bytes = all;
  }

  /** The next line, if the whole of it is there. */
  next(): string | null {
    const end = this.#bytes.indexOf(LINE_FEED);
    if (end < 0) return null;
    const line = decoder.decode(this.#bytes.subarray(0, end));
    this.#bytes = this.#bytes.slice(end + 1);
    return line;
  }
}

/** A client of a real process, which connects again where the server closes. */
class Caller implements Disposable {
  readonly #port: number;
  #client: Client | null = null;
  #lines = new Lines();

  constructor(port: number) {
    this.#port = port;
  }

  async send(text: string): Promise<void> {
    this.#client ??= await Client.connect(this.#port);
    await this.#client.send(text);
  }

  /** The next line; "" if the server has closed instead. */
  async line(): Promise<string> {
    let line: string | null;
    while ((line = this.#lines.next()) === null) {
      const bytes = await this.#client!.sip(65536);
      if (bytes.length === 0) return this.#forget("");
      this.#lines.push(bytes);
    }
    if (!line.includes('"error_code":"request_too_large"')) return line;
    await this.#client!.atEnd();
    return this.#forget(line);
  }

  async ask(send: string): Promise<string> {
    await this.send(`${send}\n`);
    return await this.line();
  }

  #forget(line: string): string {
    this[Symbol.dispose]();
    this.#client = null;
    this.#lines = new Lines();
    return line;
  }

  [Symbol.dispose](): void {
    this.#client?.[Symbol.dispose]();
  }
}

/** The answers to all that can be asked about the counts, in whatever tree. */
async function stateOf(ask: Ask): Promise<string[]> {
  // The token, where there is none to be had, means nothing.
  const list = await ask('{"v":2,"op":"tree.list","token":"full"}');
  const names: string[] = JSON.parse(list).response;
  const state = [list];
  for (const tree of names) {
    state.push(await ask(JSON.stringify({ v: 2, op: "tree.keys", tree, token: "full" })));
    state.push(await ask(JSON.stringify({ v: 2, op: "tree.summary", tree, token: "full" })));
  }
  return state;
}

/** The lines that a session in this process answers. */
function linesOf(client: LocalClient): () => Promise<string> {
  const lines = new Lines();
  const { connection } = client;
  const { write, close } = connection;
  let isClosed = false;
  let heard = () => {};
  connection.write = async (bytes) => {
    const count = await write(bytes);
    lines.push(bytes.subarray(0, count));
    heard();
    return count;
  };
  connection.close = () => {
    close();
    isClosed = true;
    heard();
  };
  return async () => {
    let line: string | null;
    while ((line = lines.next()) === null) {
      if (isClosed) return "";
      await new Promise<void>((resolve) => heard = resolve);
    }
    return line;
  };
}

/** Plays a transcript to a new session, each line in the chunks that `cut` makes of it. */
async function replayLocally(
  transcript: Transcript,
  cut: (line: string) => Uint8Array[],
): Promise<void> {
  const karma = await LocalKarma.start();
  const client = karma.connect();
  const line = linesOf(client);
  await replay(transcript, (send) => {
    for (const chunk of cut(`${send}\r\n`)) client.push(chunk);
    return line();
  });
  await client.end();
  assertEquals(karma.log, []);
}

for (const transcript of TRANSCRIPTS) {
  const { name, cases, server_flags } = transcript;

  Deno.test(`golden v2: ${name}, line by line, and what is left after a kill`, async () => {
    using directory = new TemporaryDirectory();
    const args = [`--timezone=${noon().zone}`, ...server_flags];
    let before: string[];
    {
      await using server = await Server.start({ directory: directory.path, args });
      using caller = new Caller(server.port);
      await replay(transcript, (send) => caller.ask(send));
      before = await stateOf((send) => caller.ask(send));
      await server.kill();
      assertEquals(complaints(server), "");
    }
    await using server = await Server.start({ directory: directory.path, args });
    using caller = new Caller(server.port);
    assertEquals(await stateOf((send) => caller.ask(send)), before);
  });

  const closes = cases.some(({ expect }) => expect.includes('"error_code":"request_too_large"'));
  if (!closes) {
    Deno.test(`golden v2: ${name}, whole in one write`, async () => {
      using directory = new TemporaryDirectory();
      const args = [`--timezone=${noon().zone}`, ...server_flags];
      await using server = await Server.start({ directory: directory.path, args });
      using caller = new Caller(server.port);
      await caller.send(cases.map(({ send }) => `${send}\r\n`).join(""));
      const found: (string | null)[] = [];
      for (const row of cases) found.push(judge(transcript, row, await caller.line()));
      assertNone(found);
      assertEquals(await server.stop(), 0);
      assertEquals(complaints(server), "");
    });
  }

  // Flags are for processes.
  if (server_flags.length > 0) continue;

  Deno.test(`golden v2: ${name}, byte by byte`, async () => {
    await replayLocally(transcript, byteByByte);
    await LocalKarma.timersDone();
  });

  Deno.test(`golden v2: ${name}, cut in two at ${budget("some positions", "every position")}`, async () => {
    // Each replay cuts every line, at the same position.
    for (const at of positions(1, longestRequest(transcript) - 1, 25)) {
      await replayLocally(transcript, cutAt(at));
    }
    await LocalKarma.timersDone();
  });
}

Deno.test("golden v2: every difference is one, and of the case that it names", () => {
  checkDifferences(TRANSCRIPTS, DIFFERENCES);
});

Deno.test("golden v2: what varies is cut out, and nothing else", () => {
  const text = success(
    '{"a":1,"list":[{"x":"}\\"","y":2},{"x":[],"y":3}],"b":{"c":null,"ab":-1.5e3}}',
  );
  const table: [paths: string[], cut: string][] = [
    [[], text],
    [["a", "response.c", "response.list.x", "response.list[2].x"], text],
    [["response"], success("*")],
    [["response", "response.a"], success("*")],
    [["response.a"], text.replace('"a":1', '"a":*')],
    [["response.list[1].x"], text.replace('"x":[]', '"x":*')],
    [["response.list[*].y"], text.replace('"y":2', '"y":*').replace('"y":3', '"y":*')],
    [["response.b", "response.b.c"], text.replace(/"b":.*?\}/, '"b":*')],
    [["response.b.ab", "error_code"], text.replace("-1.5e3", "*").replace(/null\}$/, "*}")],
  ];
  for (const [paths, cut] of table) assertEquals(masked(text, paths), cut, `${paths}`);
  for (const broken of ["", text.slice(0, -1), `${text}\r`, text.replace(":", "")]) {
    assertEquals(masked(broken, ["response"]), broken);
  }
});

/** What the server has told its operator, less that tokens were wrong, as some are meant to be. */
function complaints({ stderr }: Server): string {
  return stderr.replaceAll(/^Request without a right token: .*\n/gm, "");
}
