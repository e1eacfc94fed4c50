// One reply, before a dialect writes it: the record that the engine fills.
//
// It is reused. Invariant: either `code` tells an error, or `shape` tells which of the other fields
// hold the response. A reply that takes time is `pending` first, and one that is long has a `walk`.

import type { ErrorCode } from "../errors.ts";
import { Cells } from "../tree/cells.ts";
import type { Walk } from "../tree/walk.ts";

const NONE = new Uint8Array(0);

export type Shape =
  | "pong"
  | "ok"
  | "true"
  | "number" // in `lanes`
  | "text" // in `text`
  | "names" // in `names`
  | "cells" // in `cells`: a counter's days
  | "counters"; // of a whole tree, in `walk`

export class Reply {
  code: ErrorCode | null = null;
  shape: Shape = "ok";
  readonly lanes = new Uint32Array(2);
  /** A text response, or the sentence of an error. */
  text = "";
  /** With some errors the name that `text` is about, as the client sent it. */
  subject: Uint8Array = NONE;
  names: string[] = [];
  readonly cells = new Cells();
  walk: Walk | null = null;
  /** What must be waited for before the reply is complete. */
  pending: Promise<void> | null = null;

  /** Begins anew. */
  clear(): void {
    this.code = null;
    this.subject = NONE;
    this.walk = null;
    this.pending = null;
  }

  number(lo: number, hi: number): void {
    this.shape = "number";
    this.lanes[0] = lo;
    this.lanes[1] = hi;
  }

  fail(code: ErrorCode, sentence: string): void {
    this.code = code;
    this.text = sentence;
  }

  /** Says that a tree or dump of that name isn't there; each dialect has its own sentence for it. */
  notFound(kind: "Tree" | "Dump", name: Uint8Array): void {
    this.code = "not_found";
    this.text = kind;
    this.subject = name;
  }
}
