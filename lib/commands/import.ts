// `karma import`: lines of key, day and value into a tree, through an ingest stream.
//
// Invariant: chunks depend on nothing but the input, and the server takes each in once, so an import that is run again
// after any interruption goes on where it was: it makes the chunks anew, and sends the last one that the server has and
// those behind it. The stream of a file is named after its contents: the same file is not counted twice by
// mistake, and a file that has changed is another import.
// Trade-off: a file is read twice, first for its name, which takes a fifth of the time.

import { createHash } from "node:crypto";
import { type ToolLine, UsageError } from "../cli/mod.ts";
import { type Client, RefusedError, requestLine } from "../client/mod.ts";
import { HostError, orHostError } from "../errors.ts";
import type { Reading } from "../host/mod.ts";
import { ItemWriter, USUAL } from "./item_writer.ts";
import { Progress } from "./progress.ts";
import { formatOf, type RowFormat, rowReader } from "./row_reader.ts";
import { clientOf, EXIT, type ExitCode, print, sourceOf, type ToolHost } from "./tool_host.ts";

type ImportLine = Extract<ToolLine, { name: "import" }>;

/** Chunks under way at once: while the server works on one, others are made and received. */
const CHUNKS_UNDER_WAY = 4;

/** Bad lines that are told one by one. */
const BAD_TOLD_MAX = 10;

const READ_BYTES = 1 << 20;
const LINE_BYTES_MAX = 1 << 20;
const LINE_FEED = 10;

const decoder = new TextDecoder();

export async function importFile(
  { options, words }: ImportLine,
  host: ToolHost,
): Promise<ExitCode> {
  const [file = "-"] = words;
  const format = options.format === "auto" ? formatOf(file) : options.format;
  if (format === null) {
    throw new UsageError(`Option --format is needed: ${JSON.stringify(file)} does not tell it`);
  }
  const stream = options.stream || await streamOf(file, format, options, host);
  const client = await clientOf(options, host);
  const source = await sourceOf(file, host);
  try {
    const run = new Importing(client, host, stream, format, options);
    return await run.run(source);
  } catch (error) {
    if (!(error instanceof RefusedError)) throw error;
    host.terminal.tell(
      `${error.message}\nIngest stream ${stream} goes on when the import is repeated\n`,
    );
    return EXIT.failed;
  } finally {
    source.close();
    client.close();
  }
}

class Importing {
  readonly #client: Client;
  readonly #host: ToolHost;
  readonly #stream: string;
  readonly #format: RowFormat;
  readonly #options: ImportLine["options"];
  readonly #items: ItemWriter;
  readonly #underWay: Promise<void>[] = [];
  readonly #progress: Progress;
  #lines = 0;
  #bad = 0;
  #rows = 0;
  #chunk = 0;
  /** The last chunk that the server had at the beginning. */
  #had = 0;

  constructor(
    client: Client,
    host: ToolHost,
    stream: string,
    format: RowFormat,
    options: ImportLine["options"],
  ) {
    this.#client = client;
    this.#host = host;
    this.#stream = stream;
    this.#format = format;
    this.#options = options;
    this.#items = new ItemWriter(options.chunkItems, options.mode === "add");
    this.#progress = new Progress(host);
  }

  async run(source: Reading): Promise<ExitCode> {
    const { mode } = this.#options;
    const begun = await this.#client.get("ingest.begin", {
      stream_id: this.#stream,
      mode: mode === "replace" ? "replace_series" : mode,
    }) as { status: string; last_chunk_seq: number };
    if (begun.status !== "active") {
      await print(this.#host.terminal, `It was imported before, as ingest stream ${this.#stream}`);
      return EXIT.done;
    }
    this.#had = begun.last_chunk_seq;
    if (this.#had > 0) this.#host.terminal.tell(`Going on behind chunk ${this.#had}\n`);
    await this.#read(source);
    if (this.#items.count > 0) await this.#send();
    while (this.#underWay.length > 0) await this.#underWay.shift();
    if (this.#chunk < this.#had) {
      throw new RefusedError("validation_error", "The input is shorter than it was");
    }
    await this.#client.get("ingest.commit", { stream_id: this.#stream });
    const rate = this.#progress.end(this.#lines);
    const counts = `${this.#rows} lines imported, ${this.#bad} bad ones left out`;
    await print(this.#host.terminal, `${counts}; ${rate}`);
    return this.#bad === 0 ? EXIT.done : EXIT.failed;
  }

  async #read(source: Reading): Promise<void> {
    const row = rowReader(this.#format);
    const buffer = new Uint8Array(READ_BYTES + LINE_BYTES_MAX);
    let end = 0;
    while (true) {
      const read = await orHostError(
        "The input could not be read",
        () => source.read(buffer.subarray(end)),
      );
      end += read ?? 0;
      if (read === null && end > 0) buffer[end++] = LINE_FEED; // the last line may lack it
      let at = 0;
      while (at < end) {
        const next = this.#take(buffer, at, end, row);
        if (this.#items.isFull) await this.#send();
        if (next === at) break;
        at = next;
      }
      if (read === null) return;
      buffer.copyWithin(0, at, end);
      end -= at;
      if (end >= LINE_BYTES_MAX) {
        throw new HostError("The input could not be read", "a line is too long");
      }
    }
  }

  /** Takes lines until the chunk is full or no whole line is left; returns where the next one begins. */
  #take(
    buffer: Uint8Array<ArrayBuffer>,
    start: number,
    end: number,
    row: ReturnType<typeof rowReader>,
  ): number {
    const items = this.#items;
    const form = USUAL[this.#format];
    const isNamed = this.#format === "csv" && this.#lines === 0;
    let at = start;
    while (at < end && !items.isFull) {
      const next = isNamed && at === start ? at : items.usual(buffer, at, end, form);
      if (next > at) {
        at = next;
        this.#lines++;
        continue;
      }
      const stop = buffer.subarray(0, end).indexOf(LINE_FEED, at);
      if (stop < 0) break;
      this.#lines++;
      this.#other(decoder.decode(buffer.subarray(at, stop)).replace(/\r$/, ""), row);
      at = stop + 1;
    }
    return at;
  }

  /** Takes a line of another form than the usual. */
  #other(line: string, row: ReturnType<typeof rowReader>): void {
    const found = row(line);
    if (found === null) return;
    const fault = typeof found === "string"
      ? found
      : this.#items.item(found.key, found.day, found.value);
    if (fault === null) return;
    this.#bad++;
    if (this.#bad <= BAD_TOLD_MAX) this.#host.terminal.tell(`Line ${this.#lines}: ${fault}\n`);
    if (this.#bad === BAD_TOLD_MAX) {
      this.#host.terminal.tell("Further bad lines are only counted\n");
    }
  }

  async #send(): Promise<void> {
    const items = this.#items;
    this.#chunk++;
    this.#rows += items.count;
    if (this.#chunk >= this.#had) {
      const line = this.#line();
      if (this.#underWay.length === CHUNKS_UNDER_WAY) await this.#underWay.shift();
      const answer = this.#client.send(line).then((answer) => {
        if (answer.code !== null) throw new RefusedError(answer.code, answer.response);
      });
      answer.catch(() => {}); // its turn comes
      this.#underWay.push(answer);
      // The server compares the last chunk that it has with this one; the next would be right whatever it holds.
      if (this.#chunk === this.#had) await answer;
    }
    items.clear();
    this.#progress.tell(this.#lines);
  }

  /** The line of the request for the chunk. */
  #line(): Uint8Array<ArrayBuffer> {
    const { tree } = this.#options;
    const fields = { series: tree, stream_id: this.#stream, chunk_seq: this.#chunk, items: [] };
    const frame = requestLine("ingest.chunk", fields, this.#client.token);
    const tail = "]}\n".length;
    const { bytes, length } = this.#items;
    const line = new Uint8Array(frame.length + length);
    line.set(frame.subarray(0, frame.length - tail));
    line.set(bytes.subarray(0, length), frame.length - tail);
    line.set(frame.subarray(frame.length - tail), line.length - tail);
    return line;
  }
}

/** The name of the ingest stream of a file, or of an input that cannot be repeated. */
async function streamOf(
  file: string,
  format: RowFormat,
  { tree, mode, chunkItems }: ImportLine["options"],
  host: ToolHost,
): Promise<string> {
  if (file === "-") return `import-${crypto.randomUUID()}`;
  const hash = createHash("sha256").update(JSON.stringify([tree, mode, chunkItems, format]));
  const source = await sourceOf(file, host);
  try {
    const into = new Uint8Array(READ_BYTES);
    for (let read; (read = await source.read(into)) !== null;) hash.update(into.subarray(0, read));
  } catch (error) {
    throw new HostError(`${file} could not be read`, error);
  } finally {
    source.close();
  }
  return `import-${hash.digest("hex").slice(0, 32)}`;
}
