// HTTP servers of the runtime, each for one connection whose bytes somebody hands over.
//
// The runtime serves HTTP on listeners only, and knows of no way to be given a connection that was read from. So
// each connection has a server of its own, which listens on a Unix socket in a directory that nobody else may enter,
// and what the client sends is relayed to it. Invariant: whatever a server is asked was sent over the one connection
// that it was opened for.
// Trade-off: relaying takes four calls of the system a request, and a server 16 KB of memory and a tenth of a
// millisecond. One server for all connections would be lighter, but could not tell whose request it was asked.

import { HostError } from "../errors.ts";

/** A connection to a server of the runtime. */
interface HttpWire {
  read(into: Uint8Array<ArrayBuffer>): Promise<number | null>;
  write(bytes: Uint8Array<ArrayBuffer>): Promise<number>;
  closeWrite(): Promise<void>;
  close(): void;
}

export interface HttpServer {
  /** What the client sends is written to it, and what is read from it is sent to the client. */
  readonly wire: HttpWire;
  /** Serves what has been asked, and then ends the wire. */
  stop(): void;
  /** Ends at once. */
  close(): void;
}

export class HttpServers {
  #directory: string | null = null;
  #opened = 0;

  /**
   * Opens a server and the connection to it.
   *
   * @param handle Answers a request
   * @throws {HostError} If the system has no room for it
   */
  async open(handle: (request: Request) => Promise<Response>): Promise<HttpServer> {
    try {
      this.#directory ??= Deno.makeTempDirSync({ prefix: "karma-http-" });
      const path = `${this.#directory}/${++this.#opened}`;
      const server = Deno.serve({ path, onListen() {}, onError: broken }, handle);
      const stop = () => void server.shutdown().catch(() => {}); // it may have ended already
      try {
        const wire = await Deno.connect({ transport: "unix", path });
        return { wire, stop, close: () => end(wire, stop) };
      } catch (error) {
        stop();
        throw error;
      }
    } catch (error) {
      throw new HostError("HTTP could not be served", error);
    }
  }

  /** Removes what is left in the file system. */
  close(): void {
    try {
      if (this.#directory !== null) Deno.removeSync(this.#directory, { recursive: true });
    } catch { /* it lies among temporary files */ }
  }
}

/** Ends a server at once: without its wire it has nothing to wait for. */
function end(wire: HttpWire, stop: () => void): void {
  wire.close();
  stop();
}

/** The answer where a handler has failed: because its client has gone, mostly. */
function broken(): Response {
  return new Response(null, { status: 500 });
}
