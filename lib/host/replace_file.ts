// Replacing a file so that its name leads to the old contents or the new, whole, after a crash at any moment:
// write beside, sync, rename, sync the directory.
//
// Invariant: the new name appears only when the contents are on the disk, and nothing is left under the
// temporary name if that fails.

import { join } from "@std/path";
import type { Disk, Writing } from "./disk.ts";

/**
 * Creates `temporary` in `directory`, lets `write` fill it, and gives it the name that `write` returns, in place of
 * the file that has it. Resolves when all of it lasts.
 *
 * @throws whatever the disk or `write` throws; then the file of that name is the old one.
 */
export async function replaceFile(
  disk: Disk,
  directory: string,
  temporary: string,
  write: (file: Writing) => Promise<string>,
): Promise<void> {
  const path = join(directory, temporary);
  try {
    const file = await disk.create(path);
    let name: string;
    try {
      name = await write(file);
      await file.sync();
    } finally {
      file.close();
    }
    await disk.rename(path, join(directory, name));
  } catch (error) {
    // A part of a file on a full disk must not stay. If it cannot be removed, the error above says enough.
    await disk.remove(path).catch(() => {});
    throw error;
  }
  await disk.syncDirectory(directory);
}
