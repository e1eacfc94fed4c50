// HTTP servers of the runtime, each for one connection whose bytes somebody hands over.
//
// The runtime serves HTTP on listeners only, and knows of no way to be given a connection that was read from. So
// each connection has a server of its own, which listens on a Unix socket in a directory that nobody else may enter,
// and what the client sends is relayed to it. Invariant: whatever a server is asked was sent over the one connection
// that it was opened for. The directory is gone as soon as that connection is there, so that a killed process leaves
// none.
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

/**
 * Opens a server and the connection to it.
 *
 * @param handle Answers a request
 * @throws {HostError} If the system has no room for it
 */
export async function openHttpServer(
  handle: (request: Request) => Promise<Response>,
): Promise<HttpServer> {
  try {
    const directory = Deno.makeTempDirSync({ prefix: "karma-http-" });
    try {
      const path = `${directory}/socket`;
      const server = Deno.serve({ path, onListen() {}, onError: broken }, handle);
      const stop = () => void server.shutdown().catch(() => {}); // it may have ended already
      const wire = await Deno.connect({ transport: "unix", path }).catch((error) => {
        stop();
        throw error;
      });
      return { wire, stop, close: () => end(wire, stop) };
    } finally {
      Deno.removeSync(directory, { recursive: true });
    }
  } catch (error) {
    throw new HostError("HTTP could not be served", error);
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
