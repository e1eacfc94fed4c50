// Stands in for @std/assert where JSR cannot be reached: the assertions Karma's tests use.
//
// Invariant: what passes here passes with the real ones. The trade: `node:assert` decides what is
// equal and is stricter in two things: it tells 0 from -0, and `{}` from an object without prototype
// (which is what Deno hands out for addresses).

import nodeAssert from "node:assert";

type ErrorClass<E extends Error> = abstract new (...args: never[]) => E;

export function assert(expr: unknown, msg = ""): asserts expr {
  if (!expr) fail(msg);
}

export function assertEquals<T>(actual: T, expected: T, msg?: string): void {
  nodeAssert.deepStrictEqual(actual, expected, msg);
}

export function assertNotEquals<T>(actual: T, expected: T, msg?: string): void {
  nodeAssert.notDeepStrictEqual(actual, expected, msg);
}

export function assertStrictEquals<T>(
  actual: unknown,
  expected: T,
  msg?: string,
): asserts actual is T {
  nodeAssert.strictEqual(actual, expected, msg);
}

export function assertStringIncludes(actual: string, expected: string, msg?: string): void {
  if (!actual.includes(expected)) {
    fail(msg ?? `Expected ${JSON.stringify(actual)} to contain ${JSON.stringify(expected)}`);
  }
}

export function assertMatch(actual: string, expected: RegExp, msg?: string): void {
  nodeAssert.match(actual, expected, msg);
}

export function assertThrows(fn: () => unknown, msg?: string): unknown;
export function assertThrows<E extends Error = Error>(
  fn: () => unknown,
  errorClass: ErrorClass<E>,
  msgIncludes?: string,
  msg?: string,
): E;
export function assertThrows(fn: () => unknown, ...expected: Expected): unknown {
  try {
    fn();
  } catch (error) {
    return expectedError(error, expected);
  }
  fail("Expected function to throw");
}

export function assertRejects(fn: () => PromiseLike<unknown>, msg?: string): Promise<unknown>;
export function assertRejects<E extends Error = Error>(
  fn: () => PromiseLike<unknown>,
  errorClass: ErrorClass<E>,
  msgIncludes?: string,
  msg?: string,
): Promise<E>;
export async function assertRejects(
  fn: () => PromiseLike<unknown>,
  ...expected: Expected
): Promise<unknown> {
  let promise: PromiseLike<unknown>;
  try {
    promise = fn();
  } catch {
    // A function that throws before it returns a promise breaks its contract, whatever it throws.
    fail("Function throws when expected to reject");
  }
  try {
    await promise;
  } catch (error) {
    return expectedError(error, expected);
  }
  fail("Expected function to reject");
}

export function fail(msg?: string): never {
  throw new nodeAssert.AssertionError({ message: msg || "Failed assertion" });
}

type Expected = [errorClassOrMsg?: ErrorClass<Error> | string, msgIncludes?: string, msg?: string];

function expectedError(error: unknown, [errorClass, msgIncludes = "", msg]: Expected): unknown {
  if (typeof errorClass !== "function") return error;
  if (!(error instanceof errorClass)) {
    fail(msg ?? `Expected error to be instance of "${errorClass.name}", but was ${error}`);
  }
  assertStringIncludes(error.message, msgIncludes, msg);
  return error;
}
