// The terminal: the standard streams of a command, and what a person at them can do.
//
// Invariant: nothing else is kept of the terminal's state than whether it is raw, and it is not any more when the
// process ends in any way that a command can choose. Tests put streams of their own in its place.

/** The bytes that come in, and those that go out. */
export interface Terminal {
  /** Whether a person sits at both ends. */
  readonly isInteractive: boolean;
  /** Whether lines of progress have a reader. */
  readonly showsProgress: boolean;
  /** How many characters a line has, and how many lines there are. */
  size(): { columns: number; rows: number };
  /** Reads some bytes of the input and returns how many; null at the end. */
  read(into: Uint8Array<ArrayBuffer>): Promise<number | null>;
  /** Writes all of the bytes to the output. */
  write(bytes: Uint8Array<ArrayBuffer>): Promise<void>;
  /** Writes text to the stream of errors and progress; what cannot be written is dropped. */
  tell(text: string): void;
  /** Whether keys come one by one and are not shown, instead of lines. */
  setRaw(isRaw: boolean): void;
}

const encoder = new TextEncoder();

export class HostTerminal implements Terminal {
  readonly isInteractive = Deno.stdin.isTerminal() && Deno.stdout.isTerminal();
  readonly showsProgress = Deno.stderr.isTerminal();
  #isRaw = false;

  size(): { columns: number; rows: number } {
    try {
      return Deno.consoleSize();
    } catch {
      return { columns: 80, rows: 24 };
    }
  }

  read(into: Uint8Array<ArrayBuffer>): Promise<number | null> {
    return Deno.stdin.read(into);
  }

  async write(bytes: Uint8Array<ArrayBuffer>): Promise<void> {
    for (let at = 0; at < bytes.length;) at += await Deno.stdout.write(bytes.subarray(at));
  }

  tell(text: string): void {
    try {
      const bytes = encoder.encode(text);
      for (let at = 0; at < bytes.length;) at += Deno.stderr.writeSync(bytes.subarray(at));
    } catch { /* nobody reads it */ }
  }

  setRaw(isRaw: boolean): void {
    if (isRaw === this.#isRaw) return;
    Deno.stdin.setRaw(isRaw);
    this.#isRaw = isRaw;
  }
}
