// `karma export`: the cells of a tree as lines of CSV or JSON.
//
// Invariant: a line for each day of each counter, in ascending order. A file appears under its name when all of it is
// there. Trade-off: it is one reading of the whole tree in protocol v1, which takes no memory however large the tree
// is, on either side, but sees what is written meanwhile.

import { basename, dirname } from "@std/path";
import { tokenOf, type ToolLine } from "../cli/mod.ts";
import { HostError, orHostError } from "../errors.ts";
import { replaceFile, type Wire } from "../host/mod.ts";
import { CellsScanner } from "./cells_scanner.ts";
import { Progress } from "./progress.ts";
import { clientOf, EXIT, type ExitCode, type ToolHost } from "./tool_host.ts";

type ExportLine = Extract<ToolLine, { name: "export" }>;
type Write = (bytes: Uint8Array<ArrayBuffer>) => Promise<void>;

const RECEIVE_BYTES = 1 << 18;
const PLAIN_KEY = /^[^",\\\r\n]*$/;
const U64 = /^(0|[1-9]\d{0,19})$/;

const [encoder, decoder] = [new TextEncoder(), new TextDecoder()];

export async function exportTree(
  { options, words }: ExportLine,
  host: ToolHost,
): Promise<ExitCode> {
  const [file = "-"] = words;
  const client = await clientOf(options, host); // refuses a tree that is not there, which v1 takes for an empty one
  try {
    await client.get("tree.info", { series: options.tree });
  } finally {
    client.close();
  }
  if (file === "-") {
    await write(options, host, (bytes) => host.terminal.write(bytes));
  } else {
    const temporary = `.${basename(file)}.part`;
    await orHostError(
      `${file} could not be written`,
      () =>
        replaceFile(host.disk, dirname(file), temporary, async (writing) => {
          await write(options, host, (bytes) => writing.write(bytes));
          return basename(file);
        }),
    );
  }
  return EXIT.done;
}

/** Asks for all cells, and writes their lines as they come. */
async function write(options: ExportLine["options"], host: ToolHost, out: Write): Promise<void> {
  const { host: name, port } = options.server;
  const wire = await host.connect(name, port, 1000 * options.timeoutSeconds);
  try {
    const lines = new LineWriter(options.format);
    const scanner = new CellsScanner(lines);
    const progress = new Progress(host);
    await ask(wire, options, host);
    const into = new Uint8Array(RECEIVE_BYTES);
    while (!scanner.isOver) {
      const read = await received(wire, into, options.timeoutSeconds);
      scanner.push(into.subarray(0, read));
      await out(lines.taken());
      progress.tell(lines.count);
    }
    progress.end(lines.count);
  } finally {
    wire.close();
  }
}

async function ask(wire: Wire, options: ExportLine["options"], host: ToolHost): Promise<void> {
  const { tree: tree_name, from: time_from, to: time_to } = options;
  const token = tokenOf(options, (path) => host.readFile(path));
  const request = {
    command: "find",
    tree_name,
    time_from,
    time_to,
    ...token === null ? {} : { token },
  };
  const bytes = encoder.encode(`${JSON.stringify(request)}\n`);
  await orHostError("The connection ended", async () => {
    for (let at = 0; at < bytes.length;) at += await wire.write(bytes.subarray(at));
  });
}

async function received(
  wire: Wire,
  into: Uint8Array<ArrayBuffer>,
  timeoutSeconds: number,
): Promise<number> {
  const timer = setTimeout(() => wire.close(), 1000 * timeoutSeconds);
  try {
    const read = await wire.read(into);
    if (read === null) throw new Error("the server closed it");
    return read;
  } catch (error) {
    throw new HostError("The connection ended", error);
  } finally {
    clearTimeout(timer);
  }
}

/** Lines of cells, in bytes. */
class LineWriter {
  readonly #isCsv: boolean;
  #bytes = new Uint8Array(4 * RECEIVE_BYTES);
  #length = 0;
  /** The key as a line begins with it. */
  #start = new Uint8Array(0);
  readonly #middle: Uint8Array;
  readonly #end: Uint8Array;
  count = 0;

  constructor(format: "csv" | "jsonl") {
    this.#isCsv = format === "csv";
    const head = encoder.encode(this.#isCsv ? "key,day,value\n" : "");
    this.#put(head, 0, head.length);
    this.#middle = encoder.encode(this.#isCsv ? "," : ',"value":');
    this.#end = encoder.encode(this.#isCsv ? "\n" : "}\n");
  }

  key(key: Uint8Array): void {
    this.#start = encoder.encode(this.#startOf(decoder.decode(key)));
  }

  cell(from: Uint8Array, dayStart: number, dayEnd: number, start: number, end: number): void {
    this.#put(this.#start, 0, this.#start.length);
    this.#put(from, dayStart, dayEnd);
    this.#put(this.#middle, 0, this.#middle.length);
    this.#put(from, start, end);
    this.#put(this.#end, 0, this.#end.length);
    this.count++;
  }

  /** What was written since the last time; it is good until the next cell. */
  taken(): Uint8Array<ArrayBuffer> {
    const taken = this.#bytes.subarray(0, this.#length);
    this.#length = 0;
    return taken;
  }

  #startOf(key: string): string {
    if (!this.#isCsv) return `{"key":${U64.test(key) ? key : `"${key}"`},"day":`;
    if (PLAIN_KEY.test(key)) return `${key},`;
    return `"${JSON.parse(`"${key}"`).replaceAll('"', '""')}",`;
  }

  #put(from: Uint8Array, start: number, end: number): void {
    let to = this.#length;
    this.#length += end - start;
    if (this.#length > this.#bytes.length) {
      const larger = new Uint8Array(2 * this.#bytes.length + end - start);
      larger.set(this.#bytes);
      this.#bytes = larger;
    }
    const bytes = this.#bytes;
    for (let at = start; at < end; at++) bytes[to++] = from[at];
  }
}
