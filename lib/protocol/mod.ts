// Protocols: bytes of a connection to requests, and replies to bytes. One folder for each wire format.

export { type Codec, codecMaker, errorLine } from "./codec.ts";
export { JsonReplyWriter } from "./json/response.ts";
export { type Schema, schemaOf } from "./json/field_schemas.ts";
export { frameWhole } from "./json/frame_line.ts";
export type { Envelope } from "./protocol.ts";
export { isHttpLine } from "./http_line.ts";
