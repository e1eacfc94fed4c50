// What a command has of the world, and how it ends.

import { cpuUsage } from "node:process";
import { type ConnectionOptions, tokenOf } from "../cli/mod.ts";
import { Client, type Connect } from "../client/mod.ts";
import { HostError, orHostError } from "../errors.ts";
import {
  connectTo,
  DirectoryLock,
  type Disk,
  HostDisk,
  HostTerminal,
  type Reading,
  type Terminal,
} from "../host/mod.ts";

/** The world of a command; tests put another one in its place. */
export interface ToolHost {
  readonly terminal: Terminal;
  readonly disk: Disk;
  readonly connect: Connect;
  /** Milliseconds, from some moment on. */
  now(): number;
  /** Milliseconds of processor time that this process has taken. */
  cpuMs(): number;
  /** Takes a directory for this process; returns who has it, if somebody does. */
  lock(directory: string): Promise<string | null>;
  /** @throws what the system says */
  readFile(path: string): Uint8Array;
}

/** What a command ends with, as docs/operations.md tells. */
export const EXIT = { done: 0, failed: 1, usage: 2, damaged: 3 } as const;

export type ExitCode = (typeof EXIT)[keyof typeof EXIT];

/** A file with a token has no more. */
const FILE_BYTES_MAX = 65536;

const encoder = new TextEncoder();

/** The world that this process is in. */
export function toolHost(): ToolHost {
  const disk = new HostDisk();
  return {
    terminal: new HostTerminal(),
    disk,
    connect: connectTo,
    now: () => performance.now(),
    cpuMs() {
      const { user, system } = cpuUsage();
      return (user + system) / 1000;
    },
    async lock(directory) {
      const taken = await DirectoryLock.take(directory);
      if (!("holder" in taken)) return null;
      return taken.holder === "" ? "another process" : `process ${taken.holder}`;
    },
    readFile: (path) => {
      const bytes = disk.readNow(path, FILE_BYTES_MAX);
      if (bytes === null) throw new Error("there is no such file");
      if (bytes === "large") throw new Error(`it has more than ${FILE_BYTES_MAX} bytes`);
      return bytes;
    },
  };
}

/** Connects to the server that the options name. */
export function clientOf(options: ConnectionOptions, host: ToolHost): Promise<Client> {
  const { server, timeoutSeconds } = options;
  const token = tokenOf(options, (path) => host.readFile(path));
  return Client.connect({ ...server, token, timeoutMs: 1000 * timeoutSeconds }, host.connect);
}

/** Prints a line. */
export function print(terminal: Terminal, line: string): Promise<void> {
  return terminal.write(encoder.encode(`${line}\n`));
}

/** A file, or the standard input for "-". */
export async function sourceOf(file: string, { disk, terminal }: ToolHost): Promise<Reading> {
  if (file === "-") return { size: 0, read: (into) => terminal.read(into), close() {} };
  const reading = await orHostError(`${file} could not be opened`, () => disk.open(file));
  if (reading === null) throw new HostError(`${file} could not be opened`, "there is no such file");
  return reading;
}
