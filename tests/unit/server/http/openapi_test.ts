// The OpenAPI document: every operation is in it, its references lead somewhere, and a validator finds nothing wrong.

import { assert, assertEquals } from "@std/assert";
import { OPERATIONS } from "../../../../lib/command/operation.ts";
import { openapi } from "../../../../lib/server/http/openapi.ts";
import { TemporaryDirectory } from "../../../support/server.ts";

const VALIDATOR = "@seriousme/openapi-schema-validator@2.11.0";

const document = JSON.parse(openapi());

/** All objects and lists in a value, itself among them. */
function* parts(value: unknown): Generator<Record<string, unknown>> {
  if (typeof value !== "object" || value === null) return;
  yield value as Record<string, unknown>;
  for (const part of Object.values(value)) yield* parts(part);
}

Deno.test("openapi: every operation is there under all its names, with its fields", () => {
  const names = OPERATIONS.flatMap(({ v2 }) => v2?.ops ?? []);
  assertEquals(
    Object.keys(document.paths).sort(),
    ["/v2", ...names.map((op) => `/v2/${op}`)].sort(),
  );
  const schema = (op: string) => {
    return document.paths[`/v2/${op}`].post.requestBody.content["application/json"].schema;
  };
  assertEquals(schema("system.ping"), { type: "object", properties: {} });
  assertEquals(schema("counter.increment").required, ["series", "key"]);
  assert("idempotency_key" in schema("counter.increment").properties);
  assert(!("idempotency_key" in schema("counter.sum").properties));
  assertEquals(schema("limit.consume").required, ["limits"]);
  const zoned = names.filter((op) => "timezone" in schema(op).properties);
  assertEquals(zoned, [
    "counter.increment",
    "series.increment",
    "counter.decrement",
    "limit.consume",
    "limit.check",
  ]);
  const ids = [...parts(document)].flatMap(({ operationId }) => operationId ?? []);
  assertEquals(new Set(ids).size, ids.length, "operations have names of their own");
});

Deno.test("openapi: references lead somewhere, and what is required is there", () => {
  for (const part of parts(document)) {
    if (typeof part.$ref === "string") {
      const found = part.$ref.slice(2).split("/").reduce((at, name) => at[name], document);
      assert(found !== undefined, part.$ref);
    }
    if (Array.isArray(part.required)) {
      const properties = part.properties as Record<string, unknown>;
      for (const name of part.required) assert(name in properties, name);
    }
  }
});

/** What a validator of the schema of OpenAPI says; null: it is not to be had. */
function validated(): string | null {
  using files = new TemporaryDirectory();
  Deno.writeTextFileSync(files.join("openapi.json"), openapi());
  const script = `import { Validator } from "@seriousme/openapi-schema-validator";
    const { readFileSync } = await import("node:fs");
    const validator = new Validator();
    const result = await validator.validate(JSON.parse(readFileSync("openapi.json", "utf8")));
    console.log(validator.version, JSON.stringify(result));`;
  Deno.writeTextFileSync(files.join("validate.mjs"), script);
  const run = (command: string, ...args: string[]) => {
    const options = { args, cwd: files.path, stdin: "null", stderr: "null" } as const;
    const { success, stdout } = new Deno.Command(command, options).outputSync();
    return success ? new TextDecoder().decode(stdout).trim() : null;
  };
  try {
    if (run("npm", "install", "--no-audit", "--no-fund", "--prefix", ".", VALIDATOR) === null) {
      return null;
    }
    return run("node", "validate.mjs");
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return null;
    throw error;
  }
}

Deno.test("openapi: a validator finds nothing wrong", () => {
  const said = validated();
  if (said === null) {
    console.log(`Passed over: it needs node and npm, which installs ${VALIDATOR}`);
    return;
  }
  assertEquals(said, '3.1 {"valid":true}');
});
