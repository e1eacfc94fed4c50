// Protocol v1 where tokens are set: the first Karma had none, so a request may bring one along.

import { assertEquals } from "@std/assert";
import { Access } from "../../../../lib/command/access.ts";
import { OPERATIONS } from "../../../../lib/command/operation.ts";
import { Asker } from "../../../support/asker.ts";

const open = new Asker();
const guarded = new Asker(new Access("full", "read"));
const readable = new Asker(new Access(null, "read"));

const UNAUTHORIZED = "unauthorized Unauthorized";
const T = '"tree_name":"t"';

Deno.test("v1_access: without tokens a request may say what it likes", () => {
  for (const token of ['"x"', "null", "5", "[]"]) {
    assertEquals(open.ask(`{"command":"create",${T},"token":${token}}`), 'create "t"');
  }
});

Deno.test("v1_access: nothing is told without a token", () => {
  for (
    const members of ['"command":"ping"', '"command":"x"', '"command":5', `"command":"sum",${T}`]
  ) {
    assertEquals(guarded.ask(`{${members}}`), UNAUTHORIZED);
    for (const token of ["null", "5", '""', '"ful"', '"full "', '"READ"', "[]", '"readfull"']) {
      assertEquals(guarded.ask(`{${members},"token":${token}}`), UNAUTHORIZED, token);
    }
    assertEquals(guarded.ask(`{${members},"token":"full","token":null}`), UNAUTHORIZED);
  }
});

Deno.test("v1_access: each token allows what it is for", () => {
  const all = `${T},"key":1,"time_from":1,"time_to":2`;
  for (const { access, v1, v2 } of OPERATIONS) {
    if (v1 === undefined) continue;
    const ask = (asker: Asker, token: string) =>
      asker.ask(`{"command":"${v1.command}",${all},"token":"${token}"}`).split(" ")[0];
    const isDone = (answer: string) => !/^(forbidden|unauthorized)/.test(answer);
    assertEquals(isDone(ask(guarded, "full")), true, v1.command);
    assertEquals(isDone(ask(guarded, "read")), access === "read", v1.command);
    assertEquals(isDone(ask(readable, "read")), access === "read", v1.command);
    assertEquals(ask(readable, "full"), "unauthorized");
    if (access === "read") continue;
    assertEquals(
      guarded.ask(`{"command":"${v1.command}",${all},"token":"read"}`),
      `forbidden Read-only token cannot execute command ${v2!.label}`,
    );
  }
});

Deno.test("v1_access: what is missing comes after what is allowed", () => {
  const line = (token: string) => `{"command":"increment","token":"${token}"}`;
  assertEquals(guarded.ask(line("x")), UNAUTHORIZED);
  assertEquals(
    guarded.ask(line("read")),
    "forbidden Read-only token cannot execute command increment",
  );
  assertEquals(guarded.ask(line("full")), "validation_error Field tree_name is required");
  assertEquals(
    guarded.ask('{"command":"sum","token":"read"}'),
    "validation_error Field tree_name is required",
  );
});
