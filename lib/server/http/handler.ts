// The handler: what requests over HTTP are answered with.
//
// A request is carried out by a session of its own, which reads its body as it would a connection and knows the rest
// from its envelope. So there is one decoder, and one set of rules about time, memory and tokens.
//
// Invariant: every request gets one response, whatever it is. Trade-off: a session for each request takes some
// microseconds, which is little beside what HTTP takes.

import type { Envelope } from "../../protocol/mod.ts";
import {
  admit,
  type Admitted,
  corsHeaders,
  foreignPage,
  type HttpOptions,
  isPosted,
  isWelcome,
  refused,
} from "./admission.ts";
import { BodyConnection } from "./body_connection.ts";
import { isPlain, type Meaning } from "./known_heads.ts";
import { readingOf } from "./readings.ts";
import { isComplete, linesResponse, refusal, responseOf } from "./response.ts";

/** Whose requests they are. */
export interface Asker {
  readonly remoteAddr?: object;
  /** Lets a session carry out what a connection brings. */
  ask(connection: BodyConnection, envelope: Envelope): void;
  /** The head of the request means this, and its response has a body of so many bytes. */
  learn(meaning: Meaning, replyBytes: number): void;
}

/** For so long a browser need not ask again whether a page may. */
const PREFLIGHT_SECONDS = "600";

export class Handler {
  readonly #options: HttpOptions;
  readonly #busy: () => string | null;

  /** `busy`: why requests are not carried out now; null: they are. */
  constructor(options: HttpOptions, busy: () => string | null) {
    this.#options = options;
    this.#busy = busy;
  }

  /** Answers a request. */
  async handle(request: Request, asker: Asker): Promise<Response> {
    const url = URL.parse(request.url);
    const extra = corsHeaders(request.headers, this.#options);
    if (url === null) return refusal(refused(400, "validation_error", "The URL is none"), extra);
    if (!isPosted(url.pathname)) {
      const reading = await readingOf(url.pathname, request, asker, this.#busy(), extra);
      if (reading !== null) return reading;
      return refusal(refused(404, "unknown_command", `There is nothing at ${url.pathname}`), extra);
    }
    if (request.method === "OPTIONS") return this.#preflight(request, extra);
    const admitted = admit(request, url, this.#options);
    if ("status" in admitted) return refusal(admitted, extra);
    return await this.#carryOut(request, admitted, asker, extra);
  }

  /** Tells a browser whether a page may ask. */
  #preflight({ headers }: Request, extra: [string, string][]): Response {
    if (!isWelcome(headers, this.#options)) return refusal(foreignPage(), extra);
    return new Response(null, {
      status: 204,
      headers: [
        ...extra,
        ["allow", "POST"],
        ["access-control-allow-methods", "POST"],
        ["access-control-allow-headers", "authorization, content-type"],
        ["access-control-max-age", PREFLIGHT_SECONDS],
      ],
    });
  }

  async #carryOut(
    request: Request,
    { envelope, wants429 }: Admitted,
    asker: Asker,
    extra: [string, string][],
  ): Promise<Response> {
    const { body } = request;
    const connection = new BodyConnection(body, envelope.isWhole, asker.remoteAddr);
    asker.ask(connection, envelope);
    const first = await connection.next();
    if (first === null) {
      const gone = refused(503, "request_too_large", "The request was given up: try again later");
      return envelope.isWhole ? refusal(gone, extra) : linesResponse(null, extra);
    }
    if (!envelope.isWhole) return linesResponse(connection.rest(first), extra);
    if (!isComplete(first)) return responseOf(first, connection.rest(first), wants429, extra);
    if (isPlain(request)) {
      const bodyBytes = Number(request.headers.get("content-length"));
      asker.learn({ envelope, bodyBytes, wants429, extra }, first.length);
    }
    return responseOf(first, first, wants429, extra);
  }
}
