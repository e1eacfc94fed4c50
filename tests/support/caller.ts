// A client of protocol v2 whose server may be killed at any moment, and as many of them as one likes.
//
// Invariant: a line it returns came whole; when the server has gone there are no more. Trade-off: it knows
// ASCII only.

/** A connection that speaks lines of protocol v2. */
export class Caller implements Disposable {
  readonly #connection: Deno.TcpConn;
  readonly #lines: AsyncGenerator<string>;

  private constructor(connection: Deno.TcpConn) {
    this.#connection = connection;
    this.#lines = this.#read();
  }

  static async connect(port: number): Promise<Caller> {
    return new Caller(await Deno.connect({ hostname: "127.0.0.1", port }));
  }

  async send(lines: readonly string[]): Promise<void> {
    const bytes = new TextEncoder().encode(lines.map((line) => `${line}\n`).join(""));
    for (let at = 0; at < bytes.length;) at += await this.#connection.write(bytes.subarray(at));
  }

  /** The next line; null when the server has gone. */
  async line(): Promise<string | null> {
    const { value, done } = await this.#lines.next();
    return done ? null : value;
  }

  async ask(line: string): Promise<string> {
    await this.send([line]);
    return await this.line() ?? "";
  }

  async *#read(): AsyncGenerator<string> {
    const buffer = new Uint8Array(65536);
    let text = "";
    for (;;) {
      const count = await this.#connection.read(buffer).catch(() => null);
      if (count === null) return;
      text += new TextDecoder().decode(buffer.subarray(0, count)); // all is ASCII
      const lines = text.split("\n");
      text = lines.pop()!;
      yield* lines;
    }
  }

  [Symbol.dispose](): void {
    this.#connection.close();
  }
}

/** So many clients, a hundred at a time: the queue of those that wait is short. */
export async function connectAll(count: number, port: number): Promise<Caller[]> {
  const callers: Caller[] = [];
  while (callers.length < count) {
    const some = Array.from({ length: Math.min(100, count - callers.length) });
    callers.push(...await Promise.all(some.map(() => Caller.connect(port))));
  }
  return callers;
}
