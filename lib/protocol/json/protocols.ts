// The protocols of JSON lines: v2, and v1 of the first Karma.

import type { ProtocolFamily } from "../protocol.ts";
import { DecodeCaches, RequestLine } from "./request_line.ts";
import { JsonReplyWriter } from "./response.ts";
import { V1 } from "./v1.ts";
import { V2 } from "./v2.ts";

/** Both read a line by the same scan, which is done once. */
export const jsonProtocols: ProtocolFamily = ({ access, itemsMax }) => {
  const caches = new DecodeCaches();
  return () => {
    const requestLine = new RequestLine(caches);
    const replies = new JsonReplyWriter();
    return [new V2(requestLine, replies, access, itemsMax), new V1(requestLine, replies, access)];
  };
};
