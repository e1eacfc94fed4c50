// Reads a JSON text that is expected to be of a certain form: the small files of Karma 1.x, and the
// large one with its idempotency records, without making an object of all of it.
//
// Invariant: what is not of that form throws a DamagedError that says what and where. Unknown
// members are passed over.

import {
  INTEGER,
  JsonScanner,
  type Kind,
  type NameTable,
  NULL,
  STRING,
  u64ToBigInt,
  WRONG,
} from "../bytes/mod.ts";
import { DamagedError } from "../errors.ts";

const decoder = new TextDecoder("utf-8", { ignoreBOM: true });

export class JsonReader {
  readonly #scanner = new JsonScanner();
  readonly #from: number;

  constructor(bytes: Uint8Array<ArrayBuffer>, start: number, end: number) {
    this.#scanner.open(bytes, start, end);
    this.#from = start;
  }

  /** Goes through an object: `visit` takes the value of each member that has one of the names. */
  object(names: NameTable, visit: (index: number) => void): void {
    const scanner = this.#scanner;
    this.#check(scanner.openObject());
    for (let more = scanner.member(true); more !== 0; more = scanner.member(false)) {
      this.#check(more > 0);
      const index = names.find(scanner.bytes, scanner.start, scanner.end);
      if (index >= 0) visit(index);
      else this.#value();
    }
  }

  /** Goes through an object whose names are not known before: `visit` gets each. */
  entries(visit: (name: string) => void): void {
    const scanner = this.#scanner;
    this.#check(scanner.openObject());
    for (let more = scanner.member(true); more !== 0; more = scanner.member(false)) {
      this.#check(more > 0);
      visit(decoder.decode(scanner.bytes.subarray(scanner.start, scanner.end)));
    }
  }

  /** Goes through an array: `visit` takes each element. */
  array(visit: () => void): void {
    const scanner = this.#scanner;
    this.#check(scanner.openArray());
    for (let more = scanner.element(true); more !== 0; more = scanner.element(false)) {
      this.#check(more > 0);
      visit();
    }
  }

  /** The bytes of a string. */
  bytes(): Uint8Array {
    const scanner = this.#scanner;
    if (this.#value() !== STRING) throw this.#fault("a string is missing");
    return scanner.bytes.slice(scanner.start, scanner.end);
  }

  text(): string {
    return decoder.decode(this.bytes());
  }

  /** A text, an integer as its text, or null. */
  textOrNull(): string | null {
    const scanner = this.#scanner;
    const kind = this.#value();
    if (kind === NULL) return null;
    if (kind !== STRING && kind !== INTEGER) throw this.#fault("a string is missing");
    if (kind === INTEGER) return `${u64ToBigInt(scanner.lanes[0], scanner.lanes[1])}`;
    return decoder.decode(scanner.bytes.subarray(scanner.start, scanner.end));
  }

  /** An integer from 0 to 2^53-1. */
  integer(): number {
    const { lanes } = this.#scanner;
    if (this.#value() !== INTEGER || lanes[1] >= 1 << 21) throw this.#fault("a number is missing");
    return Number(u64ToBigInt(lanes[0], lanes[1]));
  }

  /** The next value as it is written. */
  json(): string {
    const scanner = this.#scanner;
    scanner.peek();
    const start = scanner.at;
    // A string is unescaped where it lies; what is nested is left alone.
    if (this.#value() === STRING) {
      return JSON.stringify(decoder.decode(scanner.bytes.subarray(scanner.start, scanner.end)));
    }
    return decoder.decode(scanner.bytes.subarray(start, scanner.at));
  }

  end(): void {
    this.#check(this.#scanner.takeEnd());
  }

  #value(): Kind {
    const kind = this.#scanner.value();
    this.#check(kind !== WRONG);
    return kind;
  }

  #check(isRight: boolean): void {
    if (!isRight) throw this.#fault(this.#scanner.fault);
  }

  #fault(what: string): DamagedError {
    return new DamagedError(`${what}, at byte ${this.#scanner.at - this.#from}`);
  }
}
