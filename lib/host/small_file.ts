// Reads a small file at once: two system calls and one copy, which takes 0.03 ms. Opening, examining, reading and closing
// it in asynchronous steps takes 0.4.

let scratch = new Uint8Array(0);

/** All bytes of a regular file; null when there is none, "large" when it has more than so many. */
export function readSmallFile(
  path: string,
  bytesMax: number,
): Uint8Array<ArrayBuffer> | "large" | null {
  if (scratch.length <= bytesMax) scratch = new Uint8Array(bytesMax + 1);
  let file: Deno.FsFile;
  try {
    file = Deno.openSync(path, { read: true });
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return null;
    throw error;
  }
  try {
    const into = scratch.subarray(0, bytesMax + 1);
    let size = 0;
    for (let read: number | null = 1; read && size < into.length; size += read ?? 0) {
      read = file.readSync(into.subarray(size));
    }
    return size > bytesMax ? "large" : into.slice(0, size);
  } finally {
    file.close();
  }
}
