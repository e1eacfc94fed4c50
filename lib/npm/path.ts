// Stands in for @std/path where JSR cannot be reached: the five functions Karma uses.
//
// Invariant: same names and results as the real ones on POSIX systems, which is where Karma runs.

import { fileURLToPath } from "node:url";

export { basename, dirname, join, resolve } from "node:path";

export function fromFileUrl(url: URL | string): string {
  return fileURLToPath(url);
}
