// How far a command is: a line on stderr that is written anew, where somebody sees it.

import type { ToolHost } from "./tool_host.ts";

const INTERVAL_MS = 200;

export class Progress {
  readonly #host: ToolHost;
  readonly #unit: string;
  readonly #begun: number;
  #told: number;

  /** `unit` is what is counted. */
  constructor(host: ToolHost, unit = "lines") {
    this.#host = host;
    this.#unit = unit;
    this.#begun = this.#told = host.now();
  }

  /** Tells how many there are so far, of all of them if that is known. */
  tell(count: number, all?: number): void {
    const now = this.#host.now();
    if (!this.#host.terminal.showsProgress || now - this.#told < INTERVAL_MS) return;
    this.#told = now;
    const share = all === undefined || all === 0 ? "" : `${Math.floor(100 * count / all)} %, `;
    this.#host.terminal.tell(`\r\x1b[K${share}${count} ${this.#unit}, ${this.#rate(count)}`);
  }

  /** Takes the line away; returns how long it took, and the rate. */
  end(count: number): string {
    if (this.#host.terminal.showsProgress) this.#host.terminal.tell("\r\x1b[K");
    const seconds = (this.#host.now() - this.#begun) / 1000;
    return `${seconds.toFixed(1)} s, ${this.#rate(count)}`;
  }

  #rate(count: number): string {
    const seconds = Math.max(this.#host.now() - this.#begun, 1) / 1000;
    return `${Math.round(count / seconds)} ${this.#unit} a second`;
  }
}
