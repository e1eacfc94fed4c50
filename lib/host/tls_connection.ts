// A connection over TLS: a socket of Node, with the calls of a connection of the runtime.
//
// Invariant: one read and one write at a time, as sessions do. What was decrypted and not read waits in the socket,
// which then takes no more. Trade-off: a promise for each read that has to wait, as the runtime's own connections make.

import type { TLSSocket } from "node:tls";

export class TlsConnection {
  readonly remoteAddr: { readonly hostname?: string };
  readonly #socket: TLSSocket;
  /** Of the last piece that was taken, what there was no room for. */
  #rest: Uint8Array = new Uint8Array(0);
  #error: Error | null = null;
  #wake = () => {};

  constructor(socket: TLSSocket) {
    this.#socket = socket;
    this.remoteAddr = { hostname: socket.remoteAddress };
    for (const event of ["readable", "end", "close"]) socket.on(event, () => this.#wake());
    socket.on("error", (error) => {
      this.#error = error;
      this.#wake();
    });
  }

  /** @throws {Error} If the connection has failed, or was closed here */
  async read(into: Uint8Array<ArrayBuffer>): Promise<number | null> {
    while (this.#rest.length === 0) {
      const piece: Uint8Array | null = this.#socket.read();
      if (piece !== null) this.#rest = piece;
      else if (this.#error !== null) throw this.#error;
      else if (this.#socket.readableEnded) return null;
      else if (this.#socket.destroyed) throw new Error("The connection is closed");
      else await new Promise<void>((resolve) => this.#wake = resolve);
    }
    const part = this.#rest.subarray(0, into.length);
    into.set(part);
    this.#rest = this.#rest.subarray(part.length);
    return part.length;
  }

  write(bytes: Uint8Array<ArrayBuffer>): Promise<number> {
    return new Promise((resolve, reject) => {
      this.#socket.write(bytes, (error) => {
        if (error) reject(error);
        else resolve(bytes.length);
      });
    });
  }

  closeWrite(): Promise<void> {
    return new Promise((resolve) => this.#socket.end(() => resolve()));
  }

  /**
   * Closes both ways. If everything was sent, the client is told so (close_notify): without it OpenSSL 3 takes the end
   * for an attack that cut the reply, and raises an error. If not, the client does not read, and is not waited for.
   */
  close(): void {
    if (this.#socket.writableLength === 0 && !this.#socket.destroyed) this.#socket.destroySoon();
    else this.#socket.destroy();
  }

  setNoDelay(noDelay: boolean): void {
    this.#socket.setNoDelay(noDelay);
  }

  setKeepAlive(keepAlive: boolean): void {
    this.#socket.setKeepAlive(keepAlive);
  }
}
