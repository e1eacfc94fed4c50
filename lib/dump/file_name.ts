// Names of dump files: `SECONDS_TREE.tree`, where the tree's name is everything after the first `_`.
//
//   t            1700000000_t.tree
//   a/b          1700000000_a%2Fb.tree                     characters unsafe in a file name are encoded
//   300 x's      1700000000_xxxx...%~0123456789abcdef.tree   cut, with a hash; the header has the name
//
// Invariant: two trees never share a file name. The seconds order the dumps of a tree. Hidden trees have dumps too;
// lists of dumps leave them out.

import { HIDDEN, isHidden, treeName } from "../tree/mod.ts";

/** What Linux allows. */
export const FILE_NAME_BYTES_MAX = 255;

/** What no file name should hold, on any system; and `%`, which begins an encoded byte. */
// deno-lint-ignore no-control-regex
const UNSAFE = /[\u0000-\u001f\u007f%/\\:*?"<>|]/g;

const HAS_UNSAFE = new RegExp(UNSAFE.source);

const SUFFIX = ".tree";

/** Names of so many units fit a file name with any second, be each of them three bytes. */
const PLAIN_MAX = 64;

const TEMPORARY = /^\.karma-dump(-\d+)?\.tmp$/;

const encoder = new TextEncoder();

export interface DumpFile {
  readonly file: string;
  readonly seconds: number;
  /** The tree's name; null when it was too long for a file name. */
  readonly tree: string | null;
  /** The same for all dumps of a tree, and for no other's. */
  readonly group: string;
}

export function dumpFileName(seconds: number, tree: string): string {
  const encoded = tree.replace(UNSAFE, (character) => {
    return "%" + character.charCodeAt(0).toString(16).toUpperCase().padStart(2, "0");
  });
  const name = `${seconds}_${encoded}${SUFFIX}`;
  if (encoder.encode(name).length <= FILE_NAME_BYTES_MAX) return name;
  const mark = `%~${hash(tree)}`;
  const room = FILE_NAME_BYTES_MAX - encoder.encode(`${seconds}_${mark}${SUFFIX}`).length;
  let start = encoded.slice(0, room);
  while (encoder.encode(start).length > room) start = start.slice(0, -1);
  return `${seconds}_${start.toWellFormed().replaceAll("\ufffd", "")}${mark}${SUFFIX}`;
}

/** What a file name says, or null when it is not that of a dump. */
export function parseDumpFileName(file: string): DumpFile | null {
  const match = /^(\d{1,15})_(.+)\.tree$/su.exec(file);
  if (match === null) return null;
  const seconds = Number(match[1]);
  // What is cut ends with a `%` that is no code, as no name does that was encoded.
  const mark = match[2].includes("%~") ? /%~[0-9a-f]{16}$/.exec(match[2]) : null;
  if (mark !== null) return { file, seconds, tree: null, group: mark[0] };
  const tree = decoded(match[2]);
  return { file, seconds, tree, group: tree };
}

/** What a dump is called before it has its name: of those that are written at once, each otherwise. */
export function temporaryName(index: number): string {
  return index === 0 ? ".karma-dump.tmp" : `.karma-dump-${index}.tmp`;
}

/** Whether that is the name of a file that is being written, or that a crash has left. */
export function isTemporary(file: string): boolean {
  return TEMPORARY.test(file);
}

/** The key of the group that the dumps of a tree of that name are in. */
export function groupOf(tree: string): string {
  // Most names are short and need no code. At a start ten thousand are asked for.
  if (tree.length <= PLAIN_MAX && !HAS_UNSAFE.test(tree)) return tree;
  return parseDumpFileName(dumpFileName(0, tree))!.group;
}

/** The name that a dump's file name, or what a client took for one, is about: for telling and loading. */
export function dumpedName(file: string): string {
  const base = file.slice(file.lastIndexOf("/") + 1);
  const name = base.slice(base.indexOf("_") + 1);
  return decoded(name.endsWith(SUFFIX) ? name.slice(0, -SUFFIX.length) : name);
}

/** Whether a file is the dump of a tree that clients don't know of. */
export function isHiddenDump({ tree }: DumpFile): boolean {
  return tree !== null && isHidden(tree);
}

/** The name that bytes are, that of a hidden tree too; null when no tree can have it. */
export function dumpableName(bytes: Uint8Array): string | null {
  const start = bytes[0] === HIDDEN.charCodeAt(0) ? 1 : 0;
  const name = treeName(bytes, start, bytes.length);
  return name === null || start === 0 ? name : HIDDEN + name;
}

/** Decodes the encoded bytes; what is no code (`50%`, in dumps of the original) stays as it is. */
function decoded(name: string): string {
  if (!name.includes("%")) return name;
  return name.replace(/%([0-9A-Fa-f]{2})/g, (code, hex) => {
    const character = String.fromCharCode(parseInt(hex, 16));
    return character.search(UNSAFE) === 0 ? character : code;
  });
}

/** FNV-1a of 64 bits, as 16 hexadecimal digits. */
function hash(name: string): string {
  let hash = 0xcbf29ce484222325n;
  for (const byte of encoder.encode(name)) {
    hash = BigInt.asUintN(64, (hash ^ BigInt(byte)) * 0x100000001b3n);
  }
  return hash.toString(16).padStart(16, "0");
}
