// What is in a directory, byte for byte: for tests that nothing was changed, or what was.

import { join } from "@std/path";
import type { TemporaryDirectory } from "./server.ts";

/** The files in a directory, hidden ones but not the lock: when each was changed, and its bytes. */
export function filesOf({ path }: TemporaryDirectory): Record<string, string> {
  const names = [...Deno.readDirSync(path)].map(({ name }) => name);
  const kept = names.filter((name) => name !== ".karma.lock").sort();
  return Object.fromEntries(kept.map((name) => {
    const file = join(path, name);
    const bytes = Deno.readFileSync(file).toBase64();
    return [name, `${Deno.statSync(file).mtime!.getTime()} ${bytes}`];
  }));
}

/** The names of the segments of the WAL, oldest first. */
export function segmentsOf(directory: TemporaryDirectory): string[] {
  return directory.files().filter((file) => file.endsWith(".wal"));
}

/** The names of the dumps, oldest first. */
export function dumpsOf(directory: TemporaryDirectory): string[] {
  return directory.files().filter((file) => file.endsWith(".tree"));
}

/** Changes a byte of a file. */
export function flip(path: string, offset: number): void {
  const bytes = Deno.readFileSync(path);
  bytes[offset] ^= 0x10;
  Deno.writeFileSync(path, bytes);
}
