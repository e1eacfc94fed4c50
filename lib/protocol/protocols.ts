// The list of protocols.

import { jsonProtocols } from "./json/protocols.ts";
import type { ProtocolFamily } from "./protocol.ts";
import { respProtocols } from "./resp/protocols.ts";

export const PROTOCOLS: readonly ProtocolFamily[] = [jsonProtocols, respProtocols];
