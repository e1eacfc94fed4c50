// Placeholder while the reader of original dumps is being written.
import { DamagedError } from "../errors.ts";
import type { Tree } from "../tree/tree.ts";
import type { Window } from "./window.ts";
export function readOriginal(
  _w: Window,
  file: string,
  _t: Tree,
  _l: (line: string) => void,
  _p: () => Promise<void>,
): Promise<void> {
  throw new DamagedError(`${file} cannot be read yet`);
}
