// Readings: what is there for GET, for probes, Prometheus and machines that make clients.
//
// Invariant: probes need no token, since those who probe have none, and tell no more than whether Karma serves; figures
// are those of `system.metrics`, and need what that needs.

import { OPERATIONS } from "../../command/mod.ts";
import { refused, tokenOf } from "./admission.ts";
import { BodyConnection } from "./body_connection.ts";
import type { Asker } from "./handler.ts";
import { openapi } from "./openapi.ts";
import { isSuccess, refusal, responseOf } from "./response.ts";

type Header = readonly [name: string, value: string];

const METRICS = OPERATIONS.find(({ id }) => id === "metrics")!;

const TEXT: Header = ["content-type", "text/plain; charset=utf-8"];
const FIGURES: Header = ["content-type", "text/plain; version=0.0.4; charset=utf-8"];

const decoder = new TextDecoder();

/** Answers a request to one of the paths for GET; null: it is another path. `busy`: why Karma does not serve; null: it does. */
export async function readingOf(
  path: string,
  request: Request,
  asker: Asker,
  busy: string | null,
  extra: readonly Header[],
): Promise<Response | null> {
  const answer = ANSWERS[path];
  if (answer === undefined) return null;
  if (request.method === "GET" || request.method === "HEAD") {
    return await answer({ request, asker, busy, extra });
  }
  const allow = [["allow", "GET, HEAD"]] as const;
  return refusal(refused(405, "unknown_command", "This path can only be read", allow), extra);
}

interface Reading {
  readonly request: Request;
  readonly asker: Asker;
  readonly busy: string | null;
  readonly extra: readonly Header[];
}

const ANSWERS: Readonly<Record<string, (reading: Reading) => Response | Promise<Response>>> = {
  "/healthz": ({ extra }) => respond("ok\n", 200, [TEXT, ...extra]),
  "/readyz": ({ busy, extra }) => {
    return respond(`${busy ?? "ok"}\n`, busy === null ? 200 : 503, [TEXT, ...extra]);
  },
  "/openapi.json": ({ extra }) => {
    return respond(openapi(), 200, [["content-type", "application/json"], ...extra]);
  },
  "/metrics": figures,
};

/** The figures, as text for Prometheus. */
async function figures({ request, asker, extra }: Reading): Promise<Response> {
  const connection = new BodyConnection(null, true, asker.remoteAddr);
  asker.ask(connection, { operation: METRICS, token: tokenOf(request.headers), isWhole: true });
  const reply = await connection.next();
  if (reply === null) return respond("It was given up\n", 503, [TEXT, ...extra]);
  if (!isSuccess(reply)) return responseOf(reply, reply, false, extra);
  return respond(JSON.parse(decoder.decode(reply)).response, 200, [FIGURES, ...extra]);
}

function respond(body: string, status: number, headers: readonly Header[]): Response {
  const all = [...headers, ["cache-control", "no-store, no-transform"]];
  return new Response(body, { status, headers: all as [string, string][] });
}
