// The OpenAPI 3.1 document: what can be posted, for machines that make clients of it.
//
// Invariant: it is made of the table of operations, so every operation is in it. Trade-off: it is made when it is first
// asked for, and kept as text.

import { OPERATIONS } from "../../command/mod.ts";
import { type Schema, schemaOf } from "../../protocol/mod.ts";
import { VERSION } from "../../version.ts";
import { STATUS } from "./response.ts";

const REPLY = { $ref: "#/components/schemas/Reply" };
const ERROR = { $ref: "#/components/schemas/Error" };

const STATUS_429: Schema = {
  name: "status",
  in: "query",
  description:
    "429: a refusal by a limit is the status 429, with the headers RateLimit and Retry-After",
  schema: { type: "string", enum: ["429"] },
};

let text: string | null = null;

/** The document. */
export function openapi(): string {
  return text ??= `${JSON.stringify(documentOf())}\n`;
}

function documentOf(): Schema {
  const operations = OPERATIONS.flatMap((operation) => {
    const takesKey = operation.fingerprint !== undefined;
    const schema = schemaOf(operation.fields, takesKey);
    return (operation.v2?.ops ?? []).map((name) => [`/v2/${name}`, {
      post: postOf(name, `${operation.access}: ${operation.v2!.label}`, schema),
    }]);
  });
  const whole = { type: "object", properties: { op: { type: "string" } }, required: ["op"] };
  const lines = { type: "string", description: "A request a line" };
  const any = postOf("request", "Any operation, named by its member op", whole, lines);
  return {
    openapi: "3.1.0",
    info: {
      title: "Karma",
      version: VERSION,
      description:
        "A counter database for usage limits. docs/protocol.md tells the meaning of all of it.",
    },
    paths: { "/v2": { post: any }, ...Object.fromEntries(operations) },
    components: {
      schemas: { Reply: REPLY_SCHEMA, Error: ERROR_SCHEMA },
      securitySchemes: SECURITY,
    },
    security: [{}, { token: [] }],
  };
}

function postOf(name: string, summary: string, schema: Schema, lines?: Schema): Schema {
  const content: Record<string, Schema> = { "application/json": { schema } };
  if (lines !== undefined) content["application/x-ndjson"] = { schema: lines };
  const isVerdict = name.startsWith("limit.c");
  const required = "required" in schema;
  return {
    operationId: name,
    summary,
    ...(isVerdict ? { parameters: [STATUS_429] } : {}),
    requestBody: { required, content },
    responses: {
      "200": { description: "It is done", content: { "application/json": { schema: REPLY } } },
      ...Object.fromEntries(ERRORS),
    },
  };
}

/** What each status of an error means: its codes. */
const ERRORS = Object.entries(Object.groupBy(Object.entries(STATUS), ([, status]) => `${status}`))
  .map(([status, codes]) => {
    const description = codes!.map(([code]) => code).join(", ");
    return [status, { description, content: { "application/json": { schema: ERROR } } }];
  });

const REPLY_SCHEMA: Schema = {
  type: "object",
  properties: {
    protocol_version: { const: 2 },
    success: { const: true },
    response: { description: "What the operation answers: see docs/protocol.md" },
    error_code: { type: "null" },
  },
  required: ["protocol_version", "success", "response", "error_code"],
};

const ERROR_SCHEMA: Schema = {
  type: "object",
  properties: {
    protocol_version: { const: 2 },
    success: { const: false },
    response: { type: "string", description: "A sentence for people" },
    error_code: { type: "string", enum: Object.keys(STATUS) },
  },
  required: ["protocol_version", "success", "response", "error_code"],
};

const SECURITY: Schema = { token: { type: "http", scheme: "bearer" } };
