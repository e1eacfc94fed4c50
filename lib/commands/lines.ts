// The lines of an input, one at a time.
//
// Invariant: a line is a view that is good until the next one is asked for; an end without a line feed ends a line too.

const LINE_FEED = 10;
const CARRIAGE_RETURN = 13;

/** Gives the lines, without LF or CR LF. */
export async function* lines(
  source: { read(into: Uint8Array<ArrayBuffer>): Promise<number | null> },
): AsyncGenerator<Uint8Array<ArrayBuffer>> {
  let buffer = new Uint8Array(65536);
  let [start, end] = [0, 0];
  while (true) {
    const read = await source.read(buffer.subarray(end));
    if (read === null) break;
    let searched = end;
    end += read;
    for (let at; (at = buffer.subarray(0, end).indexOf(LINE_FEED, searched)) >= 0;) {
      yield trimmed(buffer.subarray(start, at));
      start = searched = at + 1;
    }
    buffer.copyWithin(0, start, end);
    [start, end] = [0, end - start];
    if (end === buffer.length) {
      const larger = new Uint8Array(2 * buffer.length);
      larger.set(buffer);
      buffer = larger;
    }
  }
  if (end > 0) yield trimmed(buffer.subarray(0, end));
}

function trimmed(line: Uint8Array<ArrayBuffer>): Uint8Array<ArrayBuffer> {
  return line.at(-1) === CARRIAGE_RETURN ? line.subarray(0, -1) : line;
}
