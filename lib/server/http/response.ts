// Responses: the status and the headers that go with a reply of protocol v2, which is the body.
//
// Invariant: the body is the line that JSON lines would have been answered with, so whoever reads it need not know the
// status. Trade-off: the code of an error and the times of limits are read from that line, which only errors, and
// requests that want the status 429, pay for.

import type { ErrorCode } from "../../errors.ts";
import { errorLine } from "../../protocol/mod.ts";
import type { Refused } from "./admission.ts";

type Header = readonly [name: string, value: string];

/** The status that goes with each code of an error. */
export const STATUS: Readonly<Record<ErrorCode, number>> = {
  invalid_json: 400,
  unsupported_protocol: 400,
  validation_error: 400,
  unknown_field: 400,
  response_too_large: 400,
  unauthorized: 401,
  forbidden: 403,
  unknown_command: 404,
  not_found: 404,
  request_too_large: 413,
  idempotency_conflict: 422,
  internal_error: 500,
  too_many_connections: 503,
  loading: 503,
  query_timeout: 503,
  storage_full: 503,
  memory_full: 503,
  too_many_trees: 503,
};

/** The code in an error's line: quotes in the sentence before it, or in the id behind it, are escaped. */
const CODE = /"error_code":"(\w+)"/;

/** Where a line says whether it is a success, and the first letter of that it is. */
const SUCCESS_AT = '{"protocol_version":2,"success":'.length;
const LETTER_T = 0x74;

const LINE_FEED = 10;

/** What a reply must not be: kept by anybody, or changed on its way (the runtime would compress it). */
const PRIVATE: readonly Header[] = [["cache-control", "no-store, no-transform"]];

/** When those that a server which starts refuses may try again. */
const LOADING_SECONDS = 1;

/** The largest integer that a structured header holds. */
const INTEGER_MAX = 999_999_999_999_999;

const decoder = new TextDecoder();

/** Whether the first piece of a single reply is all of it. */
export function isComplete(piece: Uint8Array): boolean {
  return piece[piece.length - 1] === LINE_FEED;
}

/** The status of a single reply, and the headers that go with it, by its first piece or all of it. */
export function describe(
  first: Uint8Array,
  wants429: boolean,
  extra: readonly Header[],
): { status: number; headers: Header[] } {
  const code = codeOf(first);
  const headers: Header[] = [["content-type", "application/json"], ...PRIVATE, ...extra];
  let status = code === null ? 200 : STATUS[code];
  if (code === "unauthorized") headers.push(["www-authenticate", "Bearer"]);
  if (code === "loading") headers.push(["retry-after", `${LOADING_SECONDS}`]);
  const verdict = wants429 && code === null && isComplete(first) ? verdictOf(first) : null;
  if (verdict !== null) {
    if (!verdict.allowed) status = 429;
    headers.push(...limitHeaders(verdict));
  }
  return { status, headers };
}

/** The response with a single reply, of which `first` is the first piece or all. */
export function responseOf(
  first: Uint8Array<ArrayBuffer>,
  body: BodyInit,
  wants429: boolean,
  extra: readonly Header[],
): Response {
  const { status, headers } = describe(first, wants429, extra);
  return new Response(body, { status, headers: headers as [string, string][] });
}

/** The response with replies line by line. */
export function linesResponse(body: BodyInit | null, extra: readonly Header[]): Response {
  const headers = [["content-type", "application/x-ndjson"], ...PRIVATE, ...extra];
  return new Response(body, { headers: headers as [string, string][] });
}

/** The response to what was not admitted. */
export function refusal(refused: Refused, extra: readonly Header[] = []): Response {
  const { status, code, sentence, headers } = refused;
  const all = [["content-type", "application/json"], ...PRIVATE, ...headers, ...extra];
  const body = errorLine(code, sentence);
  return new Response(body, { status, headers: all as [string, string][] });
}

/** Whether the reply that begins with a piece is a success. */
export function isSuccess(piece: Uint8Array): boolean {
  return piece[SUCCESS_AT] === LETTER_T;
}

function codeOf(first: Uint8Array): ErrorCode | null {
  if (isSuccess(first)) return null;
  return (CODE.exec(decoder.decode(first))?.[1] ?? null) as ErrorCode | null;
}

/** What a reply says of limits. Numbers may be texts, if the client wants them so. */
interface Verdict {
  readonly allowed: boolean;
  readonly retry_after_ms?: number | null;
  /** Not in brief replies. */
  readonly limits?: readonly Limit[];
}

interface Limit {
  readonly series: string;
  readonly max: number | string;
  readonly carried?: number | string;
  readonly remaining: number | string;
  readonly resets_in_ms: number | null;
}

/** The verdict of a reply; null: it is about something else. */
function verdictOf(line: Uint8Array): Verdict | null {
  const { response } = JSON.parse(decoder.decode(line));
  const isVerdict = typeof response === "object" && response !== null &&
    typeof response.allowed === "boolean";
  return isVerdict ? response : null;
}

/**
 * `RateLimit` and `RateLimit-Policy` (draft-ietf-httpapi-ratelimit-headers-10), where the reply tells of limits, and
 * when to try again.
 */
export function limitHeaders({ allowed, limits = [], retry_after_ms }: Verdict): Header[] {
  const names = limits.map(({ series }, index) => nameOf(series, index, limits));
  const policies = limits.map(({ max, carried = 0 }, index) => {
    return `${names[index]};q=${integer(Number(max) + Number(carried))}`;
  });
  const rates = limits.map(({ remaining, resets_in_ms: ms }, index) => {
    return `${names[index]};r=${integer(remaining)}${ms === null ? "" : `;t=${seconds(ms)}`}`;
  });
  const headers: Header[] = limits.length === 0 ? [] : [
    ["ratelimit-policy", policies.join(", ")],
    ["ratelimit", rates.join(", ")],
  ];
  if (!allowed && typeof retry_after_ms === "number") {
    headers.push(["retry-after", `${seconds(retry_after_ms)}`]);
  }
  return headers;
}

/** A name for a limit that no other of the list has: that of its tree, if a header can hold it. */
function nameOf(series: string, index: number, limits: readonly Limit[]): string {
  const isFirst = limits.findIndex((limit) => limit.series === series) === index;
  if (!/^[\x20-\x7e]*$/.test(series)) return `"limit ${index + 1}"`;
  const name = series.replaceAll(/["\\]/g, "\\$&");
  return isFirst ? `"${name}"` : `"${name} ${index + 1}"`;
}

function integer(value: number | string): number {
  return Math.min(Math.floor(Number(value)), INTEGER_MAX);
}

/** Whole seconds, at least one. */
function seconds(ms: number): number {
  return Math.max(1, Math.ceil(ms / 1000));
}
