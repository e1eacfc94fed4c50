// Which answers and receipts are kept, by name only: as many as come, each for so long.

/** What is kept under idempotency keys, receipts among it, the oldest first. */
export class Kept {
  readonly ageMaxSeconds: number;
  #entries: { readonly name: string; readonly created: number }[] = [];

  constructor(ageMaxSeconds: number) {
    this.ageMaxSeconds = ageMaxSeconds;
  }

  has(name: string, now: number): boolean {
    const entry = this.#entries.find((entry) => entry.name === name);
    return entry !== undefined && !this.#isOld(entry.created, now);
  }

  add(name: string, created: number): void {
    this.#entries = this.#entries.filter((entry) => entry.name !== name);
    this.#entries.push({ name, created });
    while (this.#isOld(this.#entries[0].created, created)) this.#entries.shift();
  }

  #isOld(created: number, now: number): boolean {
    return this.ageMaxSeconds > 0 && created < now - this.ageMaxSeconds;
  }
}
