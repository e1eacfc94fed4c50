// The protocol of RESP, in its versions 2 and 3.

import type { ProtocolFamily } from "../protocol.ts";
import { Resp } from "./resp.ts";

/** Codecs share the counter that tells connections apart. */
export const respProtocols: ProtocolFamily = ({ access, itemsMax }) => {
  let connections = 0;
  return () => [new Resp(access, itemsMax, () => ++connections)];
};
