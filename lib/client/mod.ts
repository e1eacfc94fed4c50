// The client: one connection in protocol v2, for the commands that speak to a running server.

export { Client, type Connect } from "./client.ts";
export { type Answer, RefusedError, requestLine } from "./reply.ts";
