// A client for tests: it sends bytes as they are and reads lines as they are.
//
// Invariant: a line it returns ended in CR LF, and is exact: bytes that are not UTF-8 throw. Nothing
// waits for ever: after PATIENCE_MS the connection is cut and what was awaited throws.

const PATIENCE_MS = 20_000;
const LINE_FEED = 10;
const CARRIAGE_RETURN = 13;

const encoder = new TextEncoder();
const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** The line of a reply, its response as it stands in JSON. */
export function success(response: string | number | boolean): string {
  return `{"success":true,"response":${response}}`;
}

/** The line of an error, with a sentence that needs no escapes but those of quotes. */
export function failure(sentence: string): string {
  return `{"success":false,"response":${JSON.stringify(sentence)}}`;
}

export class Client implements Disposable {
  readonly #connection: Deno.TcpConn;
  #received = new Uint8Array(65536);
  #head = 0;
  #tail = 0;

  private constructor(connection: Deno.TcpConn) {
    this.#connection = connection;
  }

  static async connect(port: number): Promise<Client> {
    const connection = await Deno.connect({ hostname: "127.0.0.1", port });
    connection.setNoDelay(true); // chunks leave as they are sent
    return new Client(connection);
  }

  /** Sends bytes, or text as UTF-8. */
  async send(chunk: string | Uint8Array): Promise<void> {
    const bytes = typeof chunk === "string" ? encoder.encode(chunk) : chunk;
    for (let at = 0; at < bytes.length;) {
      at += await this.#patiently(this.#connection.write(bytes.subarray(at)));
    }
  }

  /** The next line, without its CR LF, or, of protocol v2, its LF. */
  async line(): Promise<string> {
    let searched = this.#head;
    let end = -1;
    while ((end = this.#received.subarray(0, this.#tail).indexOf(LINE_FEED, searched)) < 0) {
      searched = this.#tail - this.#head;
      if (!await this.#fill()) throw new Error(`The server closed after: ${this.#rest()}`);
      searched += this.#head;
    }
    const hasReturn = this.#received[end - 1] === CARRIAGE_RETURN;
    const line = decoder.decode(this.#received.subarray(this.#head, hasReturn ? end - 1 : end));
    const isV2 = line.startsWith('{"protocol_version":2,');
    if (hasReturn === isV2) {
      throw new Error(`A line ended ${hasReturn ? "in CR LF" : "in LF alone"}`);
    }
    this.#head = end + 1;
    return line;
  }

  async lines(count: number): Promise<string[]> {
    const lines: string[] = [];
    while (lines.length < count) lines.push(await this.line());
    return lines;
  }

  /** Sends a line and returns the one that answers it. */
  async ask(request: string | Record<string, unknown>): Promise<string> {
    await this.send(`${typeof request === "string" ? request : JSON.stringify(request)}\n`);
    return await this.line();
  }

  /** Sends many lines at once and returns those that answer them. */
  async pipeline(requests: readonly string[]): Promise<string[]> {
    const sent = this.send(requests.map((request) => `${request}\n`).join(""));
    const lines = await this.lines(requests.length);
    await sent;
    return lines;
  }

  /** Reads some bytes as they come, past the lines; none at the end. For clients with their own pace. */
  async sip(bytesMax: number): Promise<Uint8Array> {
    const into = new Uint8Array(bytesMax);
    return into.subarray(0, await this.#patiently(this.#connection.read(into)) ?? 0);
  }

  /** Tells the server that no more will come; it can still answer. */
  end(): Promise<void> {
    return this.#connection.closeWrite();
  }

  /** Asserts that the server closes and sends nothing more. */
  async atEnd(): Promise<void> {
    if (this.#head === this.#tail && !await this.#fill()) return;
    throw new Error(`The server sent more: ${this.#rest()}`);
  }

  close(): void {
    this.#connection.close();
  }

  [Symbol.dispose](): void {
    try {
      this.#connection.close();
    } catch (error) {
      if (!(error instanceof Deno.errors.BadResource)) throw error; // the test has closed it
    }
  }

  /** Reads more. False: the server has closed. */
  async #fill(): Promise<boolean> {
    const length = this.#tail - this.#head;
    const room = length > this.#received.length / 2
      ? new Uint8Array(2 * this.#received.length)
      : this.#received;
    room.set(this.#received.subarray(this.#head, this.#tail));
    this.#received = room;
    this.#head = 0;
    this.#tail = length;
    const count = await this.#patiently(this.#connection.read(room.subarray(length)));
    this.#tail += count ?? 0;
    return count !== null;
  }

  #rest(): string {
    return new TextDecoder().decode(this.#received.subarray(this.#head, this.#tail)).slice(0, 200);
  }

  async #patiently<T>(work: Promise<T>): Promise<T> {
    let late = false;
    const cut = setTimeout(() => {
      late = true;
      this.#connection.close();
    }, PATIENCE_MS);
    try {
      return await work;
    } catch (error) {
      if (!late) throw error;
      throw new Error(`The server did nothing for ${PATIENCE_MS} ms`, { cause: error });
    } finally {
      clearTimeout(cut);
    }
  }
}

/** The line that tells an error in protocol v2. */
export function failureV2(sentence: string, code: string): string {
  const response = JSON.stringify(sentence);
  return `{"protocol_version":2,"success":false,"response":${response},"error_code":"${code}"}`;
}
