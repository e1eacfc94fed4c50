// Admission: what a request over HTTP asks for, or why it is refused before its body is read.
//
// A browser lets any page send requests to any address. What a page can send without asking the server first (forms,
// `no-cors` fetches, beacons) never has a JSON content type, so no other body is taken; and whatever names the page that
// it comes from (`Origin`) is refused, unless that page is ours or `--cors-origin` names it. A page is ours if its address
// is that of the server as digits or `localhost`: a name could be anybody's, who has it lead here (DNS rebinding).
//
// Invariant: what is refused here changes nothing. Clients that are no browsers name no origin, and notice nothing.

import { type Operation, OPERATIONS } from "../../command/mod.ts";
import type { ErrorCode } from "../../errors.ts";
import type { Envelope } from "../../protocol/mod.ts";

export interface HttpOptions {
  /** The origins of other pages that may ask, as browsers write them; `*`: all. */
  readonly corsOrigins: readonly string[];
}

/** A request that is carried out. */
export interface Admitted {
  readonly envelope: Envelope;
  /** Whether a refusal by a limit is the status 429. */
  readonly wants429: boolean;
}

/** A request that is not. */
export interface Refused {
  readonly status: number;
  readonly code: ErrorCode;
  readonly sentence: string;
  readonly headers: readonly (readonly [name: string, value: string])[];
}

const BY_NAME: ReadonlyMap<string, Operation> = new Map(
  OPERATIONS.flatMap((operation) => {
    return (operation.v2?.ops ?? []).map((name): [string, Operation] => [name, operation]);
  }),
);

/** Where requests are posted to: here, or behind a slash the name of the operation. */
const PATH = "/v2";

const JSON_TYPE = "application/json";
const LINES_TYPE = "application/x-ndjson";

/** A host that is an address itself, and so leads to where it says: digits, or this machine. */
const ADDRESS = /^(localhost|\d{1,3}(\.\d{1,3}){3}|\[[0-9a-f:.]+\])(:\d+)?$/i;

const encoder = new TextEncoder();

/** Whether a path is one of those that requests are posted to. */
export function isPosted(path: string): boolean {
  return path === PATH || path.startsWith(`${PATH}/`);
}

/** Decides on a request to a path that `isPosted`. */
export function admit(request: Request, url: URL, options: HttpOptions): Admitted | Refused {
  if (!isWelcome(request.headers, options)) return foreignPage();
  const { pathname: path } = url;
  if (request.method !== "POST") {
    return refused(405, "unknown_command", `Requests are posted to ${PATH}`, [["allow", "POST"]]);
  }
  const name = path.slice(PATH.length + 1);
  const operation = name === "" ? null : BY_NAME.get(name);
  if (operation === undefined || path === `${PATH}/`) {
    return refused(404, "unknown_command", `Unknown op ${name}`);
  }
  const type = typeOf(request.headers);
  if (type !== JSON_TYPE && type !== LINES_TYPE) {
    const sentence = `Content-Type must be ${JSON_TYPE}, or ${LINES_TYPE} for a request a line`;
    return refused(415, "unsupported_protocol", sentence, [[
      "accept-post",
      `${JSON_TYPE}, ${LINES_TYPE}`,
    ]]);
  }
  if ((request.headers.get("content-encoding") ?? "identity") !== "identity") {
    return refused(415, "unsupported_protocol", "Content-Encoding must be identity");
  }
  const token = tokenOf(request.headers);
  return {
    envelope: { operation, token, isWhole: type === JSON_TYPE },
    wants429: url.searchParams.get("status") === "429",
  };
}

/** Whether no page asks, or one that may. */
export function isWelcome(headers: Headers, { corsOrigins }: HttpOptions): boolean {
  const origin = headers.get("origin");
  if (origin === null) return headers.get("sec-fetch-site") !== "cross-site";
  if (corsOrigins.includes("*") || corsOrigins.includes(origin)) return true;
  const host = headers.get("host");
  if (host === null || !ADDRESS.test(host)) return false;
  return origin === `http://${host}` || origin === `https://${host}`;
}

/** What a page of another origin is told. */
export function foreignPage(): Refused {
  const sentence = "Pages of this origin may not use Karma: --cors-origin names those that may";
  return refused(403, "forbidden", sentence);
}

/** The headers that let a page read the response; none if no other origin has asked, or may. */
export function corsHeaders(headers: Headers, { corsOrigins }: HttpOptions): [string, string][] {
  const origin = headers.get("origin");
  if (corsOrigins.length === 0) return [];
  const isNamed = origin !== null && (corsOrigins.includes("*") || corsOrigins.includes(origin));
  if (!isNamed) return [["vary", "origin"]];
  return [
    ["vary", "origin"],
    ["access-control-allow-origin", origin],
    ["access-control-expose-headers", "ratelimit, ratelimit-policy, retry-after"],
  ];
}

/** Makes a refusal. */
export function refused(
  status: number,
  code: ErrorCode,
  sentence: string,
  headers: Refused["headers"] = [],
): Refused {
  return { status, code, sentence, headers };
}

/** The type of a body, without its parameters. */
function typeOf(headers: Headers): string {
  return (headers.get("content-type") ?? "").split(";", 1)[0].trim().toLowerCase();
}

/** The bearer token; null: there is none. */
export function tokenOf(headers: Headers): Uint8Array | null {
  const [, token] = /^bearer +(\S+) *$/i.exec(headers.get("authorization") ?? "") ?? [];
  return token === undefined ? null : encoder.encode(token);
}
