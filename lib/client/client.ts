// A client of protocol v2: operations with their fields, and what they were answered.

import { connectTo, type Wire } from "../host/mod.ts";
import { Connection } from "./connection.ts";
import { type Answer, dataOf, readAnswer, requestLine } from "./reply.ts";

interface ClientOptions {
  readonly host: string;
  readonly port: number;
  /** null: the server has none. */
  readonly token: string | null;
  /** The longest wait, for a connection and for each reply. */
  readonly timeoutMs: number;
}

/** Connects; tests give wires of their own. */
export type Connect = (host: string, port: number, timeoutMs: number) => Promise<Wire>;

export class Client {
  readonly #connection: Connection;
  readonly token: string | null;

  private constructor(connection: Connection, token: string | null) {
    this.#connection = connection;
    this.token = token;
  }

  /** @throws {HostError} If there is no connection */
  static async connect(options: ClientOptions, connect: Connect = connectTo): Promise<Client> {
    const { host, port, token, timeoutMs } = options;
    return new Client(new Connection(await connect(host, port, timeoutMs), timeoutMs), token);
  }

  /**
   * Asks, and returns what was answered, errors too.
   *
   * @throws {HostError} If there is no answer
   */
  async ask(op: string, fields: Readonly<Record<string, unknown>> = {}): Promise<Answer> {
    return await this.send(requestLine(op, fields, this.token));
  }

  /** As `ask`, for the bytes of a line with its line end. */
  async send(line: Uint8Array<ArrayBuffer>): Promise<Answer> {
    return readAnswer(await this.#connection.ask(line));
  }

  /**
   * Asks, and returns the data of the response.
   *
   * @throws {RefusedError} If it was refused
   * @throws {HostError} If there is no answer
   */
  async get(op: string, fields: Readonly<Record<string, unknown>> = {}): Promise<unknown> {
    return dataOf(await this.ask(op, fields));
  }

  close(): void {
    this.#connection.close();
  }
}
