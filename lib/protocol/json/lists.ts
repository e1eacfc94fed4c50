// The lists of protocol v2: items, keys and counters, read into a request's items.
//
// Invariant: a list is read to its end, or the sentence is about the first value in it of a wrong shape. Values of
// the right shape that are not allowed go to `later`.

import { JsonScanner, NameTable } from "../../bytes/mod.ts";
import type { Items } from "../../command/mod.ts";
import { NOT_A_DATE, Value } from "./value.ts";

const OPEN_BRACE = 0x7b;
const OPEN_BRACKET = 0x5b;

const ITEM_FORM = "Each item must be [key, bucket, value]";

const COUNTER_MEMBERS = new NameTable(["series", "key"]);
const SERIES = 0;
const KEY = 1;

export class Lists {
  readonly #scanner = new JsonScanner();
  readonly #value = new Value();
  /** The first thing that is no good; null: nothing. */
  valueError: string | null = null;

  /** Reads the array bytes[start..end), `[[key, day, value], ...]`; null, or what is wrong. */
  items(bytes: Uint8Array<ArrayBufferLike>, start: number, end: number, items: Items) {
    const scanner = this.#begin(bytes, start, end, items);
    for (let more = scanner.element(true); more > 0; more = scanner.element(false)) {
      if (scanner.peek() !== OPEN_BRACKET) return "Field items[] must be an array";
      scanner.openArray();
      const fault = this.#item(scanner, items);
      if (fault !== null) return fault;
    }
    return null;
  }

  /** Reads `[key, ...]`; null, or what is wrong. */
  keys(bytes: Uint8Array<ArrayBufferLike>, start: number, end: number, items: Items) {
    const scanner = this.#begin(bytes, start, end, items);
    const value = this.#value;
    for (let more = scanner.element(true); more > 0; more = scanner.element(false)) {
      const fault = value.next(scanner).key("keys[]");
      if (fault !== null) return fault;
      items.pushKey(value.lanes[0], value.lanes[1]);
      if (value.isName) items.markName();
    }
    return null;
  }

  /** Reads `[{"series": name, "key": key}, ...]`; null, or what is wrong. */
  counters(bytes: Uint8Array<ArrayBufferLike>, start: number, end: number, items: Items) {
    const scanner = this.#begin(bytes, start, end, items);
    for (let more = scanner.element(true); more > 0; more = scanner.element(false)) {
      if (scanner.peek() !== OPEN_BRACE) return "Field items[] must be an object";
      const fault = this.#counter(scanner, items);
      if (fault !== null) return fault;
    }
    return null;
  }

  #begin(bytes: Uint8Array<ArrayBufferLike>, start: number, end: number, items: Items) {
    this.valueError = null;
    items.clear();
    this.#scanner.open(bytes, start, end);
    this.#scanner.openArray();
    return this.#scanner;
  }

  #item(scanner: JsonScanner, items: Items): string | null {
    const value = this.#value;
    if (scanner.element(true) === 0) return ITEM_FORM;
    let fault = value.next(scanner).key("items[][0]");
    if (fault !== null) return fault;
    const { isName } = value;
    const keyLo = value.lanes[0];
    const keyHi = value.lanes[1];
    if (scanner.element(false) === 0) return ITEM_FORM;
    fault = value.next(scanner).date("items[][1]");
    if (fault !== null) return fault;
    if (!value.isDate) this.valueError ??= NOT_A_DATE;
    if (scanner.element(false) === 0) return ITEM_FORM;
    fault = value.next(scanner).number("items[][2]");
    if (fault !== null) return fault;
    if (scanner.element(false) !== 0) return ITEM_FORM;
    items.pushItem(keyLo, keyHi, value.day, value.lanes[0], value.lanes[1]);
    if (isName) items.markName();
    return null;
  }

  #counter(scanner: JsonScanner, items: Items): string | null {
    const value = this.#value;
    let nameStart = -1;
    let nameEnd = -1;
    let keyFault: string | null = "Field items[].key is required";
    let keyLo = 0;
    let keyHi = 0;
    let isName = false;
    scanner.openObject();
    for (let more = scanner.member(true); more > 0; more = scanner.member(false)) {
      const member = COUNTER_MEMBERS.find(scanner.bytes, scanner.start, scanner.end);
      value.next(scanner);
      if (member === SERIES) {
        nameStart = value.isText ? value.start : -1;
        nameEnd = value.end;
      } else if (member === KEY) {
        keyFault = value.key("items[].key");
        isName = value.isName;
        keyLo = value.lanes[0];
        keyHi = value.lanes[1];
      }
    }
    if (nameStart < 0) return "Field items[].series is required";
    if (nameStart === nameEnd) this.valueError ??= "Field items[].series must not be empty";
    if (keyFault === null) items.pushCounter(nameStart, nameEnd, keyLo, keyHi);
    if (keyFault === null && isName) items.markName();
    return keyFault;
  }
}
