// Connections to a server, as little of them as a client needs.

import { HostError } from "../errors.ts";

/** A connection in both directions. */
export interface Wire {
  /** Reads some bytes and returns how many; null at the end. */
  read(into: Uint8Array<ArrayBuffer>): Promise<number | null>;
  /** Writes some of the bytes and returns how many. */
  write(bytes: Uint8Array<ArrayBuffer>): Promise<number>;
  close(): void;
}

/**
 * Connects to a server.
 *
 * @throws {HostError} If there is none within that time
 */
export async function connectTo(host: string, port: number, timeoutMs: number): Promise<Wire> {
  const what = `No connection to ${host}:${port}`;
  const late = Promise.withResolvers<never>();
  const timer = setTimeout(() => late.reject(new Error("it did not answer in time")), timeoutMs);
  const connecting = Deno.connect({ hostname: host, port });
  try {
    const connection = await Promise.race([connecting, late.promise]);
    connection.setNoDelay(true);
    return connection;
  } catch (error) {
    connecting.then((connection) => connection.close(), () => {}); // it comes too late
    throw new HostError(what, error);
  } finally {
    clearTimeout(timer);
  }
}
