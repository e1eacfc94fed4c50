// The list of protocols.

import { jsonProtocols } from "./json/protocols.ts";
import type { ProtocolFamily } from "./protocol.ts";

export const PROTOCOLS: readonly ProtocolFamily[] = [jsonProtocols];
