// Idempotency: the first request under an idempotency key is executed and its answer kept; repetitions get that answer.
//
// Invariant: a change and its answer are one group of the WAL. After a crash both are there or neither, so a retry
// never counts twice. The answers of failed requests are not kept.

import { SendBuffer } from "../bytes/mod.ts";
import type { Reply, ReplyWriter, Request } from "../command/mod.ts";
import {
  type AgeClock,
  answerWords,
  type DedupState,
  IDEMPOTENCY_RECORD,
  type IdempotencyRecords,
  writeAnswer,
} from "../idempotency/mod.ts";
import type { Statistics } from "../metrics/mod.ts";
import { isApplied, type StateWriter } from "../state/mod.ts";
import { fingerprintOf } from "./fingerprint.ts";

/** The most that an answer to a request under a key takes: sixteen limits on trees with long names. */
const RESPONSE_BYTES_MAX = 32768;

/** Words of a fingerprint that are kept: 128 bits tell requests apart well enough. */
const PRINT_WORDS = 4;

const encoder = new TextEncoder();

export class Idempotency {
  readonly #answers: IdempotencyRecords;
  readonly #stateWriter: StateWriter;
  readonly #ages: AgeClock;
  readonly #statistics: Statistics;
  readonly #writer: ReplyWriter;
  readonly #response = new SendBuffer(256);

  constructor(
    { records: answers }: DedupState,
    stateWriter: StateWriter,
    ages: AgeClock,
    statistics: Statistics,
    writer: ReplyWriter,
  ) {
    this.#answers = answers;
    this.#stateWriter = stateWriter;
    this.#ages = ages;
    this.#statistics = statistics;
    this.#writer = writer;
  }

  /** Carries out a request with `execute`, or gives the answer that it got before. */
  perform(request: Request, reply: Reply, today: number, execute: () => void): void {
    const { bytes, idempotencyKeyStart, idempotencyKeyEnd } = request;
    const answers = this.#answers;
    const seconds = this.#ages.seconds();
    const isKnown = answers.find(bytes, idempotencyKeyStart, idempotencyKeyEnd, seconds);
    // Without a day it was for the day of the first time, however late it is repeated.
    const isToday = request.day === 0 && request.operation.fields.includes("day?");
    const day = isToday ? isKnown && answers.day !== 0 ? answers.day : today : 0;
    const print = fingerprintOf(request, day);
    if (
      !isPrinted(request, print) &&
      !(day !== 0 && isPrinted(request, fingerprintOf(request, today)))
    ) {
      this.#statistics.idempotencyConflicts++;
      const sentence = "Field fingerprint does not match request fingerprint";
      return reply.fail("idempotency_conflict", sentence);
    }
    const words = new Uint32Array(print.slice(0, 4 * PRINT_WORDS).buffer);
    if (!isKnown) return this.#first(request, reply, seconds, day, words, execute);
    if (words.every((word, index) => word === answers.fingerprint[index])) {
      this.#statistics.idempotencyHits++;
      reply.shape = "stored";
      reply.stored = answers.response.slice(); // the reply may wait, and answers move
      reply.isRepeated = true;
      return;
    }
    this.#statistics.idempotencyConflicts++;
    const sentence = "Idempotency key was already used with a different request";
    reply.fail("idempotency_conflict", sentence);
  }

  #first(
    request: Request,
    reply: Reply,
    seconds: number,
    day: number,
    print: Uint32Array,
    execute: () => void,
  ): void {
    const { bytes, idempotencyKeyStart, idempotencyKeyEnd, items } = request;
    // All that the change may need, and the answer: it must not be the one of them without space.
    const size = idempotencyKeyEnd - idempotencyKeyStart + RESPONSE_BYTES_MAX;
    if (!isApplied(this.#stateWriter.reserve(8, size, items.count) ? "done" : "full", reply)) {
      return;
    }
    const words = answerWords(idempotencyKeyEnd - idempotencyKeyStart, RESPONSE_BYTES_MAX);
    if (!isApplied(this.#answers.hasRoom(words) ? "done" : "memory", reply)) return;
    execute();
    if (reply.code !== null) return;
    reply.isRepeated = false;
    if (!reply.isKept) return;
    const began = performance.now();
    const out = this.#response;
    out.clear();
    this.#writer.write(reply, out);
    const response = out.view(0);
    const answer = new Uint32Array(
      answerWords(idempotencyKeyEnd - idempotencyKeyStart, response.length),
    );
    writeAnswer(
      answer,
      0,
      seconds,
      day,
      print,
      bytes,
      idempotencyKeyStart,
      idempotencyKeyEnd,
      response,
    );
    this.#stateWriter.note(IDEMPOTENCY_RECORD, new Uint8Array(answer.buffer));
    this.#statistics.idempotencyWrites++;
    this.#statistics.idempotencyWriteMs(performance.now() - began);
  }
}

/** Whether the fingerprint that came with a request, if one did, is its own. */
function isPrinted(
  { bytes, fingerprintStart, fingerprintEnd }: Request,
  print: Uint8Array,
): boolean {
  if (fingerprintStart === fingerprintEnd) return true;
  const hex = encoder.encode(
    Array.from(print, (byte) => byte.toString(16).padStart(2, "0")).join(""),
  );
  return hex.length === fingerprintEnd - fingerprintStart &&
    hex.every((byte, index) => byte === bytes[fingerprintStart + index]);
}
