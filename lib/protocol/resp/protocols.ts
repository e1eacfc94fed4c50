// The protocol of RESP, in its versions 2 and 3.

import { TimeZones } from "../../command/mod.ts";
import type { ProtocolFamily } from "../protocol.ts";
import { Resp } from "./resp.ts";

/** Codecs share the counter that tells connections apart, and the time zones: these take 40 KB each. */
export const respProtocols: ProtocolFamily = ({ access, itemsMax }) => {
  let connections = 0;
  const zones = new TimeZones();
  return () => [new Resp(access, itemsMax, zones, () => ++connections)];
};
