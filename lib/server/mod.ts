// The server: connections from accept to close, turns of work that are shared fairly, and the drain at a stop.

export { Acceptor, type AcceptorOptions } from "./acceptor.ts";
export { PORT_PROTOCOLS, type PortProtocol } from "./connection.ts";
export { Descriptors } from "./descriptors.ts";
export { Loading } from "./loading.ts";
