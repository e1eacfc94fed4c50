// RESP for tests: the plainest reader of replies there could be, and what redis-cli prints of them.

/** A reply: integers are bigints, maps of RESP 3 are Maps, errors are errors. */
export type Value = null | boolean | bigint | number | string | Error | Value[] | Map<Value, Value>;

/** All values that a text is, one behind the other; throws if the last one is not whole. */
export function valuesOf(text: string): Value[] {
  const bytes = new TextEncoder().encode(text);
  const values: Value[] = [];
  for (let at = 0; at < bytes.length;) {
    const [value, next] = valueAt(bytes, at);
    values.push(value);
    at = next;
  }
  return values;
}

function valueAt(bytes: Uint8Array, at: number): [Value, number] {
  const end = bytes.indexOf(0x0d, at);
  if (end < 0 || bytes[end + 1] !== 0x0a) throw new Error("A line has no end");
  const line = new TextDecoder().decode(bytes.subarray(at + 1, end));
  let next = end + 2;
  switch (String.fromCharCode(bytes[at])) {
    case "+":
      return [line, next];
    case "-":
      return [new Error(line), next];
    case ":":
      return [BigInt(line), next];
    case ",":
      return [Number(line), next];
    case "#":
      return [line === "t", next];
    case "_":
      return [null, next];
    case "$": {
      if (line === "-1") return [null, next];
      const text = bytes.subarray(next, next + Number(line));
      next += Number(line) + 2;
      if (next > bytes.length) throw new Error("A string is not whole");
      return [new TextDecoder().decode(text), next];
    }
    case "*":
    case "%": {
      const isMap = bytes[at] === 0x25;
      const elements: Value[] = [];
      for (let left = Number(line) * (isMap ? 2 : 1); left > 0; left--) {
        const [element, behind] = valueAt(bytes, next);
        elements.push(element);
        next = behind;
      }
      if (!isMap) return [elements, next];
      const pairs = elements.flatMap((name, index) => {
        return index % 2 === 0 ? [[name, elements[index + 1]] as [Value, Value]] : [];
      });
      return [new Map(pairs), next];
    }
    default:
      throw new Error(`No value begins like ${JSON.stringify(line)}`);
  }
}

/** A command as clients send it. */
export function commandOf(...words: readonly string[]): string {
  const length = (word: string) => new TextEncoder().encode(word).length;
  return `*${words.length}\r\n` +
    words.map((word) => `$${length(word)}\r\n${word}\r\n`).join("");
}

/** What redis-cli prints of a reply of RESP 2 that is no list of lists. */
export function printed(value: Value): string {
  if (value instanceof Error) return `(error) ${value.message}`;
  if (value === null) return "(nil)";
  if (typeof value === "bigint") return `(integer) ${value}`;
  if (typeof value === "string") return JSON.stringify(value);
  if (!Array.isArray(value)) throw new Error("RESP 2 has no such values");
  if (value.length === 0) return "(empty array)";
  return value.map((element, index) => `${index + 1}) ${printed(element)}`).join("\n");
}

/** A connection that speaks RESP. */
export class RespClient implements Disposable {
  readonly #connection: Deno.TcpConn;

  private constructor(connection: Deno.TcpConn) {
    this.#connection = connection;
  }

  static async connect(port: number): Promise<RespClient> {
    return new RespClient(await Deno.connect({ hostname: "127.0.0.1", port }));
  }

  /** The reply to a command. */
  async ask(...words: readonly string[]): Promise<Value> {
    const [value] = await this.exchange(commandOf(...words), 1);
    return value;
  }

  /** Sends text and returns so many replies to it. */
  async exchange(sent: string, replies: number): Promise<Value[]> {
    const bytes = new TextEncoder().encode(sent);
    for (let at = 0; at < bytes.length;) at += await this.#connection.write(bytes.subarray(at));
    const decoder = new TextDecoder();
    const part = new Uint8Array(65536);
    for (let received = "";;) {
      const count = await this.#connection.read(part);
      if (count === null) throw new Error(`The server closed after: ${received}`);
      received += decoder.decode(part.subarray(0, count), { stream: true });
      const values = wholeValuesOf(received);
      if (values.length >= replies) return values;
    }
  }

  [Symbol.dispose](): void {
    this.#connection.close();
  }
}

/** The values of a text; none, if the last one is not whole. */
function wholeValuesOf(text: string): Value[] {
  try {
    return valuesOf(text);
  } catch {
    return [];
  }
}
