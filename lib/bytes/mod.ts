// Bytes: buffers that are received into and sent from, the JSON scanner, 64-bit numbers as lanes,
// hash tables of names, and the budget that memory is charged to.
//
// The lowest room: it knows neither trees nor protocols.

export { Budget } from "./budget.ts";
export { BufferPool } from "./buffer_pool.ts";
export { cellsWork, chunkedWork, effort } from "./effort.ts";
export { HashIndex } from "./hash_index.ts";
export {
  ABSENT,
  ARRAY,
  FALSE,
  FRACTION,
  INTEGER,
  JsonScanner,
  type Kind,
  NEGATIVE,
  NULL,
  OBJECT,
  STRING,
  TRUE,
  WRONG,
} from "./json_scanner.ts";
export { ENDED, FAULTS } from "./json_string.ts";
export type { Line } from "./line.ts";
export { NameIndex } from "./name_index.ts";
export { equals, NameTable } from "./name_table.ts";
export { type Frame, ReceiveBuffer } from "./receive_buffer.ts";
export { SendBuffer } from "./send_buffer.ts";
export { compareU64, highLane, LANE, LANE_MAX, lowLane, parseU64, u64ToBigInt } from "./u64.ts";
