// Receipts beside other answers: whatever bytes a client's idempotency key has, it is no receipt.

import { assertEquals, assertStringIncludes } from "@std/assert";
import { success } from "../../support/client.ts";
import { LocalKarma } from "../../support/local_karma.ts";

const encoder = new TextEncoder();

Deno.test("receipts: a client's key is none, though its bytes begin as theirs", async () => {
  const karma = await LocalKarma.start();
  const client = karma.connect();
  // Answers of v2 end in LF alone: what is read ends with that to a ping in v1.
  const ask = async (...parts: (string | number[])[]) => {
    const bytes = parts.flatMap((part) =>
      typeof part === "string" ? [...encoder.encode(part)] : part
    );
    client.push(Uint8Array.from([...bytes, ...encoder.encode('\n{"command":"ping"}\n')]));
    return (await client.line()).split("\n")[0];
  };
  const increment = '{"v":2,"op":"counter.increment","tree":"t","key":1,"idempotency_key":"';
  assertStringIncludes(await ask(increment, [0xff], 'mine"}'), '"idempotent":false');
  assertStringIncludes(await ask(increment, [0xff], 'mine"}'), '"idempotent":true');
  assertStringIncludes(
    await ask('{"v":2,"op":"limit.refund","receipt":"mine"}'),
    '"response":"Receipt \\"mine\\" not found","error_code":"not_found"',
  );

  const limits = '"limits":[{"series":"t","window":"day","max":10}]';
  const told = await ask(`{"v":2,"op":"limit.consume","key":2,${limits},"receipt":true}`);
  const receipt = JSON.parse(told).response.receipt;
  assertStringIncludes(await ask(increment, [0xff], `${receipt}"}`), "idempotency_conflict");
  const refund = `{"v":2,"op":"limit.refund","receipt":"${receipt}"}`;
  assertStringIncludes(await ask(refund), '"refunded":true');
  assertStringIncludes(await ask(refund), '"refunded":false');
  assertEquals(await client.ask({ command: "sum", tree_name: "t", key: 2 }), success(0));
  await client.end();
});
