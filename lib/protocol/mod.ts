// Protocols: bytes of a connection to requests, and replies to bytes. One folder for each wire format.

export { Codec, type ProtocolName } from "./json/codec.ts";
export { DecodeCaches } from "./json/request_line.ts";
