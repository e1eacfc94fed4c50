// `karma ask`: one request, the requests of a file, or a prompt.
//
// Invariant: what is printed of a response is what came, digit by digit; a text is printed without its quotes.
// Requests of a file are answered in their order, with many under way at once.

import type { ToolLine } from "../cli/mod.ts";
import type { Answer, Client } from "../client/mod.ts";
import { OPERATIONS } from "../command/mod.ts";
import type { Terminal } from "../host/mod.ts";
import { LineEditor } from "./line_editor.ts";
import { lines } from "./lines.ts";
import { RequestError, requestOf, wordsOf } from "./request_words.ts";
import { clientOf, EXIT, type ExitCode, print, type ToolHost } from "./tool_host.ts";

type AskLine = Extract<ToolLine, { name: "ask" }>;

/** How many requests of a file are under way at once. */
const PIPELINE = 64;

const PROMPT = "karma> ";
const HELP = "OPERATION [FIELD=VALUE ...], or JSON; Tab completes operations, Ctrl-D ends";

const [encoder, decoder] = [new TextEncoder(), new TextDecoder()];
const OPS = OPERATIONS.flatMap(({ v2 }) => v2?.ops ?? []).sort();

export async function ask({ options, words }: AskLine, host: ToolHost): Promise<ExitCode> {
  const { terminal } = host;
  const client = await clientOf(options, host);
  try {
    const session = new Asking(client, terminal, options.json);
    if (words.length > 0) return await session.one(words);
    return terminal.isInteractive ? await session.prompt() : await session.file();
  } finally {
    client.close();
  }
}

class Asking {
  readonly #client: Client;
  readonly #terminal: Terminal;
  /** Whether whole lines of replies are printed. */
  readonly #isRaw: boolean;

  constructor(client: Client, terminal: Terminal, isRaw: boolean) {
    this.#client = client;
    this.#terminal = terminal;
    this.#isRaw = isRaw;
  }

  /** Asks, and prints what is answered. */
  async one(words: readonly string[]): Promise<ExitCode> {
    const answer = this.#send(words);
    if (answer instanceof RequestError) {
      this.#terminal.tell(`${answer.message}\n`);
      return EXIT.usage;
    }
    return await this.#print(await answer);
  }

  async file(): Promise<ExitCode> {
    const { read } = this.#terminal;
    const waiting: [answer: Promise<Answer>, place: string][] = [];
    let [code, number]: [ExitCode, number] = [EXIT.done, 0];
    const printNext = async () => {
      const [answer, place] = waiting.shift()!;
      if (await this.#print(await answer, place) !== EXIT.done) code = EXIT.failed;
    };
    for await (const bytes of lines({ read: read.bind(this.#terminal) })) {
      number++;
      const words = wordsOf(decoder.decode(bytes));
      if (words.length === 0) continue;
      const place = `Line ${number}: `;
      const answer = this.#send(words);
      if (answer instanceof RequestError) {
        while (waiting.length > 0) await printNext();
        this.#terminal.tell(`${place}${answer.message}\n`);
        return EXIT.usage;
      }
      answer.catch(() => {}); // its turn comes
      if (waiting.push([answer, place]) === PIPELINE) await printNext();
    }
    while (waiting.length > 0) await printNext();
    return code;
  }

  async prompt(): Promise<ExitCode> {
    const terminal = this.#terminal;
    const editor = new LineEditor(PROMPT, completed);
    const into = new Uint8Array(4096);
    terminal.tell(`${HELP}\n`);
    terminal.setRaw(true);
    try {
      while (true) {
        await terminal.write(encoder.encode(editor.shown));
        const read = await terminal.read(into);
        if (read === null) return EXIT.done;
        for (const entered of editor.take(decoder.decode(into.subarray(0, read)))) {
          terminal.setRaw(false);
          const line = entered === "end" ? "" : entered.line;
          await terminal.write(encoder.encode(`\r\x1b[K${PROMPT}${line}\n`));
          const words = wordsOf(line);
          if (entered === "end" || words[0] === "exit" || words[0] === "quit") return EXIT.done;
          if (words[0] === "help") await print(terminal, `${HELP}\n${OPS.join("\n")}`);
          else if (words.length > 0) await this.one(words);
          terminal.setRaw(true);
        }
      }
    } finally {
      terminal.setRaw(false);
    }
  }

  #send(words: readonly string[]): Promise<Answer> | RequestError {
    try {
      return this.#client.send(encoder.encode(`${requestOf(words, this.#client.token)}\n`));
    } catch (error) {
      if (error instanceof RequestError) return error;
      throw error;
    }
  }

  /** Prints an answer; `place` says of an error whose it is. */
  async #print({ line, code, response }: Answer, place = ""): Promise<ExitCode> {
    if (this.#isRaw) await print(this.#terminal, line);
    else if (code === null) await print(this.#terminal, textOf(response));
    else this.#terminal.tell(`${place}${code}: ${response}\n`);
    return code === null ? EXIT.done : EXIT.failed;
  }
}

/** A response for people and shells. */
function textOf(response: string): string {
  return response.startsWith('"') ? JSON.parse(response).replace(/\n$/, "") : response;
}

/** The operations that the beginning of a line may become. */
function completed(line: string): string[] {
  return OPS.filter((op) => op.startsWith(line));
}
