// The names of dump files in requests of every protocol: files are named, never paths.

import { FILE_NAME_BYTES_MAX, type OperationId } from "../command/mod.ts";

/** What is wrong with a file's name of so many bytes, null if it is no UTF-8; null: nothing. */
export function fileFault(file: string | null, bytes: number, operation: OperationId) {
  if (file === "") return "Field file must not be empty";
  if (file === null || /[/\0]/.test(file)) return "Field file must be a snapshot basename";
  if (!file.endsWith(".tree")) return "Field file must end with .tree";
  const isTooLong = operation === "load" && bytes > FILE_NAME_BYTES_MAX;
  return isTooLong ? "Field file must name a dump file" : null;
}
