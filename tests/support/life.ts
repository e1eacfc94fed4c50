// One life of a Karma process on a directory that outlives it: start, work, end by a signal.
//
// Invariant: a life that was ended by SIGINT or SIGTERM has ended with 0.

import { assertEquals } from "@std/assert";
import { ClientV2 } from "./client_v2.ts";
import { Server, type ServerOptions, type TemporaryDirectory } from "./server.ts";

export interface LifeOptions extends Omit<ServerOptions, "directory"> {
  /** How it ends; it is killed. */
  readonly end?: "SIGKILL" | "SIGINT" | "SIGTERM";
  /** What the client says who it is with. */
  readonly token?: string;
}

/** Starts Karma, does something, and ends it while the client is connected. */
export async function live<T>(
  { path }: Pick<TemporaryDirectory, "path">,
  work: (client: ClientV2, server: Server) => Promise<T>,
  { end = "SIGKILL", token, ...options }: LifeOptions = {},
): Promise<T> {
  await using server = await Server.start({ ...options, directory: path });
  using client = await ClientV2.connect(server.port, token);
  const result = await work(client, server);
  const code = await server.stop(end);
  if (end !== "SIGKILL") assertEquals(code, 0, server.stderr);
  return result;
}
