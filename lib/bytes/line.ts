// A line: the span of a request in the buffer that it came into.

export interface Line {
  /** Tells a line from the one before it in the same buffer. */
  readonly serial: number;
  readonly bytes: Uint8Array<ArrayBufferLike>;
  /** The same bytes, for whoever reads several at once. */
  readonly view: DataView<ArrayBufferLike>;
  readonly start: number;
  readonly end: number;
}

/** A line that is part of some bytes, or all of them. */
export function lineOf(bytes: Uint8Array<ArrayBufferLike>, start = 0, end = bytes.length): Line {
  return {
    serial: 0,
    bytes,
    view: new DataView(bytes.buffer, bytes.byteOffset, bytes.length),
    start,
    end,
  };
}
