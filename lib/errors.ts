// The stable codes of the client's mistakes, grouped by when they are found.
//
// A dialect may tell a code (v2) or only the sentence that comes with it (v1). Codes never change
// their meaning; sentences may become clearer.

export type ErrorCode =
  // before a request is understood
  | "too_many_connections"
  | "request_too_large"
  | "invalid_json"
  // while it is checked
  | "unknown_command"
  | "validation_error"
  // while it is carried out
  | "not_found"
  | "internal_error";

/** The world's failure, in a sentence for the operator; `cause` is what the system said. */
export class HostError extends Error {
  override name = "HostError";
}

/** Data that is damaged or not what it claims to be; the message says which and why. */
export class DamagedError extends Error {
  override name = "DamagedError";
}

/** What a thrown thing says, without its class and trace. */
export function sentenceOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
