// The stable codes of the client's mistakes, grouped by when they are found.
//
// A protocol may tell a code (v2) or only the sentence that comes with it (v1). Codes never change
// their meaning; sentences may become clearer.

import { AssertionFailed } from "./assert.ts";

export type ErrorCode =
  // before a request is understood
  | "too_many_connections"
  | "request_too_large"
  | "invalid_json"
  | "unsupported_protocol"
  // while it is checked
  | "unauthorized"
  | "unknown_command"
  | "forbidden"
  | "validation_error"
  | "unknown_field"
  // while it is carried out
  | "loading"
  | "not_found"
  | "idempotency_conflict"
  | "query_timeout"
  | "storage_full"
  | "memory_full"
  | "too_many_trees"
  | "internal_error"
  // when the answer is there
  | "response_too_large";

/** The world's failure: what could not be done, for everyone, and what the system said, for the operator. */
export class HostError extends Error {
  override name = "HostError";
  readonly what: string;

  constructor(what: string, cause: unknown) {
    super(`${what}: ${sentenceOf(cause)}`, { cause });
    this.what = what;
  }
}

/** There was no space where some had been reserved. Nothing that was answered is lost. */
export class FullError extends HostError {
  override name = "FullError";

  constructor(what: string, cause: unknown) {
    super(`${what}, though space was reserved`, cause);
  }
}

/** What was asked for needs more memory than may be taken; nothing of it is left. */
export class MemoryFullError extends Error {
  override name = "MemoryFullError";
}

/** Data that is damaged or not what it claims to be; the message says which and why. */
export class DamagedError extends Error {
  override name = "DamagedError";
  /** The file that is damaged, where it is one that can be done without. */
  readonly file: string | null;
  /** The dump that the message names already, so that who reads it does not name it again. */
  readonly dump: string | null;

  constructor(
    message: string,
    { file = null, dump = null, ...options }: ErrorOptions & {
      file?: string | null;
      dump?: string | null;
    } = {},
  ) {
    super(message, options);
    this.file = file;
    this.dump = dump;
  }
}

/**
 * Runs `work`, which uses the disk, and returns what it returns.
 *
 * @throws {HostError} `what` and what the system said, if the system failed; damage, errors that are HostErrors
 * already and our own mistakes pass as they are.
 */
export async function orHostError<T>(what: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    throw asHostError(what, error);
  }
}

/** What `orHostError` throws for an error; for callers that do not wait. */
export function asHostError(what: string, error: unknown): unknown {
  const isKnown = error instanceof HostError || error instanceof DamagedError;
  return isKnown || error instanceof AssertionFailed ? error : new HostError(what, error);
}

/** What a thrown thing says, without its class and trace. */
export function sentenceOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
