// Access: who may do what, by the token that came with a request.
//
// Invariant: where a token is set, no request without a right one is carried out. The time of a comparison
// depends on the length of the configured token alone, so it reveals nothing about its bytes.

import type { Operation } from "./operation.ts";
import type { Reply } from "./reply.ts";

type Role = "none" | "read" | "full";

/** What a right token allows, for whoever is to be known by more than one request. */
export interface Grant {
  readonly role: Role;
}

const encoder = new TextEncoder();

export class Access {
  #full: Uint8Array | null = null;
  #read: Uint8Array | null = null;
  #role: Role = "full";
  /** What the tokens allow that are right now: other tokens bring other grants. */
  #grants: Readonly<Record<Role, Grant>> = grants();

  /** The token that allows everything, and the one that allows reading only; null: not set. */
  constructor(full: string | null, read: string | null) {
    this.replace(full, read);
  }

  /** Takes other tokens in their place: the old ones are wrong from now on. */
  replace(full: string | null, read: string | null): void {
    this.#full = full === null ? null : encoder.encode(full);
    this.#read = read === null ? null : encoder.encode(read);
    this.#grants = grants();
  }

  /** Whether no token is set, so that everyone may do everything. */
  get isOpen(): boolean {
    return this.#full === null && this.#read === null;
  }

  /** Takes the token bytes[start..end), for the questions to come; false if it is none of ours. */
  authenticate(bytes: Uint8Array, start: number, end: number): boolean {
    const isFull = this.#full !== null && isEqual(this.#full, bytes, start, end);
    const isRead = this.#read !== null && isEqual(this.#read, bytes, start, end);
    this.#role = isFull ? "full" : isRead ? "read" : "none";
    return isFull || isRead;
  }

  /** Takes nobody for admitted, until `admit`. */
  forget(): void {
    this.#role = "none";
  }

  /** Whether the token that came last was one of ours. */
  get isAuthenticated(): boolean {
    return this.#role !== "none";
  }

  /** What the token that came last allows; null: it was none of ours. */
  get grant(): Grant | null {
    return this.#role === "none" ? null : this.#grants[this.#role];
  }

  /** Takes a grant in place of a token, for the questions to come; false if there is none, or its token is wrong by now. */
  resume(grant: Grant | null): boolean {
    const isRight = grant !== null && grant === this.#grants[grant.role];
    this.#role = this.isOpen ? "full" : isRight ? grant.role : "none";
    return this.#role !== "none";
  }

  /** Whether who was admitted may do that; if not, the reply says so. */
  allows(operation: Operation, reply: Reply): boolean {
    if (operation.access === "read" || this.#role === "full") return true;
    const label = operation.v2?.label ?? operation.id;
    reply.fail("forbidden", `Read-only token cannot execute command ${label}`);
    return false;
  }
}

function grants(): Readonly<Record<Role, Grant>> {
  return { none: { role: "none" }, read: { role: "read" }, full: { role: "full" } };
}

function isEqual(token: Uint8Array, bytes: Uint8Array, start: number, end: number): boolean {
  let difference = token.length ^ (end - start);
  for (let at = 0; at < token.length; at++) {
    // Beyond what was sent, its own first byte: as much work, and the lengths differ already.
    difference |= token[at] ^ bytes[at < end - start ? start + at : start];
  }
  return difference === 0;
}
