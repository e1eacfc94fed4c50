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

const NAMED = `${HIDDEN}names-`;

/** What the named tree of the tree with a serial is called; 0: of one that is in no forest, which has names of its own. */
export function namedTreeName(ownerSerial: number): string {
  return NAMED + ownerSerial;
}

/** The serial of the tree whose named counters a tree of that name has; -1: it is no named tree. */
export function ownerSerialOf(name: string): number {
  return name.startsWith(NAMED) ? Number(name.slice(NAMED.length)) : -1;
}

/** Whether bytes[start..end) may be a key that is no number: by the rule for names of trees. */
export function isKeyName(bytes: Uint8Array, start: number, end: number): boolean {
  if (end === start || end - start > NAME_BYTES_MAX) return false;
  for (let at = start; at < end; at++) {
    const byte = bytes[at];
    if (byte >= 0x80) return treeName(bytes, start, end) !== null;
    if (byte < 0x20 || byte === 0x7f) return false;
  }
  return true;
}

/** What the name of a hidden tree begins with that goes with another one; that one's serial follows. */
const BESIDE = `${HIDDEN}beside-`;

/** The name of the hidden tree that goes with the tree of a serial, for a purpose. */
export function besideName(serial: number, purpose: string): string {
  return `${BESIDE}${serial} ${purpose}`;
}

/** What the name of such a tree says; null for all other names. */
export function besideOf(name: string): { serial: number; purpose: string } | null {
  if (!name.startsWith(BESIDE)) return null;
  const space = name.indexOf(" ", BESIDE.length);
  if (space < 0) return null;
  return { serial: Number(name.slice(BESIDE.length, space)), purpose: name.slice(space + 1) };
}

/** Whether a name is that of a tree that clients don't know of. */
export function isHidden(name: string): boolean {
  return name.startsWith(HIDDEN);
}
