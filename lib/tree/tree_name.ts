// What may be the name of a tree: 1 to 255 bytes of UTF-8 without control characters.

const NAME_BYTES_MAX = 255;

/** What the names of hidden trees begin with: no client can name one. */
export const HIDDEN = "\u0000";

export const TREE_NAME_RULE = "must be 1 to 255 bytes of UTF-8 without control characters";

const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** The name that bytes[start..end) are, or null when no tree can have it. */
export function treeName(bytes: Uint8Array, start: number, end: number): string | null {
  if (end === start || end - start > NAME_BYTES_MAX) return null;
  let name: string;
  try {
    name = decoder.decode(bytes.subarray(start, end));
  } catch {
    return null;
  }
  return /\p{Cc}/u.test(name) ? null : name;
}

/** Whether a name is that of a tree that clients don't know of. */
export function isHidden(name: string): boolean {
  return name.startsWith(HIDDEN);
}
