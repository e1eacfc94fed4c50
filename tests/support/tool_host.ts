// The world of a command, without a terminal or a network: what is typed is given, and what is printed is kept.

import type { Terminal, Wire } from "../../lib/host/mod.ts";
import type { ToolHost } from "../../lib/commands/tool_host.ts";
import { MemoryDisk } from "./memory_disk.ts";

/** A terminal whose input is given in parts, each what one read brings. */
export class FakeTerminal implements Terminal {
  readonly isInteractive: boolean;
  readonly showsProgress = false;
  readonly #parts: string[];
  output = "";
  errors = "";
  isRaw = false;

  constructor(parts: readonly string[] = [], isInteractive = false) {
    this.#parts = [...parts];
    this.isInteractive = isInteractive;
  }

  size(): { columns: number; rows: number } {
    return { columns: 80, rows: 24 };
  }

  read(into: Uint8Array<ArrayBuffer>): Promise<number | null> {
    const part = this.#parts.shift();
    if (part === undefined) return Promise.resolve(null);
    const { read, written } = new TextEncoder().encodeInto(part, into);
    if (read < part.length) this.#parts.unshift(part.slice(read));
    return Promise.resolve(written);
  }

  write(bytes: Uint8Array<ArrayBuffer>): Promise<void> {
    this.output += new TextDecoder().decode(bytes);
    return Promise.resolve();
  }

  tell(text: string): void {
    this.errors += text;
  }

  setRaw(isRaw: boolean): void {
    this.isRaw = isRaw;
  }
}

/**
 * A connection to a server that answers each line with what `answer` gives: a line without its end; null: nothing, and
 * the connection ends.
 */
export class FakeWire implements Wire {
  readonly asked: string[] = [];
  isClosed = false;
  readonly #answer: (line: string) => string | null;
  #sent = "";
  #replies = "";
  #isOver = false;
  #wake: () => void = () => {};

  constructor(answer: (line: string) => string | null) {
    this.#answer = answer;
  }

  async read(into: Uint8Array<ArrayBuffer>): Promise<number | null> {
    while (this.#replies === "" && !this.#isOver) {
      await new Promise<void>((resolve) => this.#wake = resolve);
    }
    if (this.#replies === "") return null;
    const { read, written } = new TextEncoder().encodeInto(this.#replies, into);
    this.#replies = this.#replies.slice(read);
    return written;
  }

  write(bytes: Uint8Array<ArrayBuffer>): Promise<number> {
    this.#sent += new TextDecoder().decode(bytes);
    const lines = this.#sent.split("\n");
    this.#sent = lines.pop()!;
    for (const line of lines) {
      this.asked.push(line);
      const reply = this.#answer(line);
      if (reply === null) this.#isOver = true;
      else this.#replies += `${reply}\n`;
    }
    this.#wake();
    return Promise.resolve(bytes.length);
  }

  close(): void {
    this.isClosed = true;
    this.#isOver = true;
    this.#wake();
  }
}

/** A world with that terminal, and one connection. */
export function toolHost(terminal: FakeTerminal, wire: Wire, disk = new MemoryDisk()): ToolHost {
  return {
    terminal,
    disk,
    connect: () => Promise.resolve(wire),
    now: () => performance.now(),
    cpuMs: () => 0,
    lock: () => Promise.resolve(null),
    readFile: (path) => {
      throw new Error(`${path} is not there`);
    },
  };
}

/** The line of a reply that tells success. */
export function done(response: string): string {
  return `{"protocol_version":2,"success":true,"response":${response},"error_code":null}`;
}
