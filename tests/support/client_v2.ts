// A client of protocol v2 for tests: operations with their fields, and what they were answered.
//
// Invariant: integers are exact both ways: bigints are written as integers, and integers that a
// number can't hold are read as bigints. `get` takes no error for an answer, `refused` no answer for
// an error.

import { Client } from "./client.ts";

export type Fields = Record<string, unknown>;

/** What a reply says, but for its version. */
export interface Answer {
  readonly success: boolean;
  readonly response: unknown;
  readonly idempotent?: boolean;
  readonly error_code: string | null;
}

export class ClientV2 implements Disposable {
  /** The connection, for what is no operation. */
  readonly connection: Client;
  readonly #token: Fields;

  private constructor(connection: Client, token: Fields) {
    this.connection = connection;
    this.#token = token;
  }

  static async connect(port: number, token?: string): Promise<ClientV2> {
    return new ClientV2(await Client.connect(port), token === undefined ? {} : { token });
  }

  /** The line of a request. */
  line(op: string, fields: Fields = {}): string {
    return written({ v: 2, op, ...this.#token, ...fields });
  }

  async ask(op: string, fields: Fields = {}): Promise<Answer> {
    return read(await this.connection.ask(this.line(op, fields)));
  }

  /** The response of a request that must succeed. */
  async get(op: string, fields: Fields = {}): Promise<unknown> {
    const { success, response, error_code } = await this.ask(op, fields);
    if (!success) throw new Error(`${op} was refused, ${error_code}: ${response}`);
    return response;
  }

  /** Code and sentence of the error that a request must get. */
  async refused(op: string, fields: Fields = {}): Promise<string> {
    const { success, response, error_code } = await this.ask(op, fields);
    if (success) throw new Error(`${op} was not refused: ${written(response)}`);
    return `${error_code}: ${response}`;
  }

  /** Sends many requests at once; their answers. */
  async all(requests: readonly [op: string, fields: Fields][]): Promise<Answer[]> {
    const lines = requests.map(([op, fields]) => this.line(op, fields));
    return (await this.connection.pipeline(lines)).map(read);
  }

  /** A figure of `system.stats`. */
  async figure(name: string): Promise<unknown> {
    return (await this.get("system.stats") as Fields)[name];
  }

  close(): void {
    this.connection.close();
  }

  [Symbol.dispose](): void {
    this.connection[Symbol.dispose]();
  }
}

/** What a reply's line says. */
export function read(line: string): Answer {
  const exact = (_: string, value: unknown, context?: { source: string }) => {
    const isExact = typeof value !== "number" || Number.isSafeInteger(value);
    return isExact || !/^-?\d+$/.test(context!.source) ? value : BigInt(context!.source);
  };
  const { protocol_version, ...answer } = JSON.parse(line, exact);
  if (protocol_version !== 2) throw new Error(`It is not of protocol v2: ${line}`);
  return answer;
}

/** JSON with bigints; what is undefined is left out. */
function written(value: unknown): string {
  if (typeof value === "bigint") return `${value}`;
  if (Array.isArray(value)) return `[${value.map(written)}]`;
  if (value === null || typeof value !== "object") return JSON.stringify(value);
  const members = Object.entries(value).filter(([, of]) => of !== undefined);
  return `{${members.map(([name, of]) => `${JSON.stringify(name)}:${written(of)}`)}}`;
}
