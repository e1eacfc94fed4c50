// Progress: what long starts and stops tell of themselves, every few seconds.

/** How often a line comes. What takes less tells nothing. */
const INTERVAL_MS = 3000;

export class Progress {
  readonly #tell: (line: string) => void;
  #toldAt = performance.now();

  constructor(tell: (line: string) => void) {
    this.#tell = tell;
  }

  /** Tells how far it is, if it is time. */
  tell(line: () => string): void {
    const now = performance.now();
    if (now - this.#toldAt < INTERVAL_MS) return;
    this.#toldAt = now;
    this.#tell(line());
  }
}

/** `1.2 MB` */
export function bytesText(bytes: number): string {
  if (bytes < 1000) return `${bytes} bytes`;
  const units = ["kB", "MB", "GB", "TB"];
  let value = bytes / 1000;
  let unit = 0;
  for (; value >= 1000 && unit < units.length - 1; unit++) value /= 1000;
  return `${value.toFixed(1)} ${units[unit]}`;
}

/** How long something took that began then, by performance.now(): `0.1 s`. */
export function secondsText(began: number): string {
  return `${((performance.now() - began) / 1000).toFixed(1)} s`;
}
