// The project's own files, for tests that hold them to the house rules.

import { fromFileUrl, join } from "@std/path";

/** The project's folder. */
export const ROOT = fromFileUrl(new URL("../..", import.meta.url));

/** Paths, relative to the project, of the files below a folder whose names have this ending. */
export function filesBelow(folder: string, ending = ""): string[] {
  return [...Deno.readDirSync(join(ROOT, folder))].flatMap(({ name, isDirectory }) => {
    const path = `${folder}/${name}`;
    if (isDirectory) return filesBelow(path, ending);
    return name.endsWith(ending) ? [path] : [];
  });
}
