// "This cannot happen": a broken assertion is our mistake, never the client's and never the world's.
// It is thrown as its own class so that nobody answers it politely: main stops the process.

export class AssertionFailed extends Error {
  override name = "AssertionFailed";
}

/** Stops the process (by a throw that nobody catches on the way) when an invariant of ours is broken. */
export function assert(condition: boolean, invariant: string): asserts condition {
  if (!condition) throw new AssertionFailed(invariant);
}
