// Access: which bytes are a token, and what each token allows.

import { assert, assertEquals } from "@std/assert";
import { Access } from "../../../lib/command/access.ts";
import { type Operation, OPERATIONS } from "../../../lib/command/operation.ts";
import { Reply } from "../../../lib/command/reply.ts";

const encoder = new TextEncoder();

const READING = operation("sum");
const WRITING = operation("increment");
const ADMIN = operation("dump");

function operation(id: string): Operation {
  return OPERATIONS.find((operation) => operation.id === id)!;
}

/** Whether bytes, with others around them, are let in. */
function admits(access: Access, sent: Uint8Array, around: number[]): boolean {
  const bytes = Uint8Array.from([...around, ...sent, ...around]);
  return access.authenticate(bytes, around.length, around.length + sent.length);
}

const TOKENS = ["t", "token", "токен", "😀\u0000 x", "x".repeat(1000)];

Deno.test("access: a token is all of its bytes, and no others", () => {
  for (const token of TOKENS) {
    const bytes = encoder.encode(token);
    // What lies around must not be taken for a part of it.
    for (const around of [[], [0], [...bytes], [bytes[0]], [0xff]]) {
      for (const access of [new Access(token, null), new Access(null, token)]) {
        assert(admits(access, bytes, around));
        assert(!admits(access, new Uint8Array(0), around), "empty");
        assert(!admits(access, Uint8Array.from([...bytes, 0]), around), "longer");
        assert(!admits(access, Uint8Array.from([...bytes, ...bytes]), around), "twice");
        assert(!admits(access, Uint8Array.from([0, ...bytes]), around), "begun before");
        const step = Math.ceil(bytes.length / 20);
        for (let length = 0; length < bytes.length; length += step) {
          assert(!admits(access, bytes.subarray(0, length), around), `${length} bytes of it`);
          assert(!admits(access, bytes.subarray(length + 1), around), `without ${length + 1}`);
          for (const bit of [1, 0x80]) {
            const other = bytes.slice();
            other[length] ^= bit;
            assert(!admits(access, other, around), `byte ${length}`);
          }
        }
      }
    }
  }
});

Deno.test("access: the empty token is one", () => {
  for (const access of [new Access("", null), new Access(null, "")]) {
    assert(!access.isOpen);
    assert(admits(access, new Uint8Array(0), []));
    assert(admits(access, new Uint8Array(0), [1]));
    assert(!admits(access, Uint8Array.of(0), [1]));
  }
});

Deno.test("access: it is open where no token is set", () => {
  assert(new Access(null, null).isOpen);
  assert(!new Access("a", null).isOpen);
  assert(!new Access(null, "a").isOpen);
  assert(!new Access("a", "b").isOpen);
});

// Tokens that are set, one that is sent, and whether it lets read, write and administer.
const ROLES: [full: string | null, read: string | null, sent: string | null, roles: string][] = [
  [null, null, null, "rwa"],
  ["f", "r", "f", "rwa"],
  ["f", "r", "r", "r"],
  ["f", null, "f", "rwa"],
  [null, "r", "r", "r"],
  ["same", "same", "same", "rwa"],
  ["", "r", "", "rwa"],
];

Deno.test("access: the full token allows all, the other one to read", () => {
  for (const [full, read, sent, roles] of ROLES) {
    const access = new Access(full, read);
    if (sent !== null) assert(admits(access, encoder.encode(sent), []));
    const allowed = [[READING, "r"], [WRITING, "w"], [ADMIN, "a"]] as const;
    assertEquals(
      allowed.filter(([operation]) => access.allows(operation, new Reply()))
        .map(([, letter]) => letter).join(""),
      roles,
    );
  }
});

Deno.test("access: each question is answered for the last token", () => {
  const access = new Access("f", "r");
  const steps: [sent: string, isAuthenticated: boolean, mayWrite: boolean][] = [
    ["f", true, true],
    ["r", true, false],
    ["x", false, false],
    ["f", true, true],
    ["", false, false],
  ];
  for (const [sent, isAuthenticated, mayWrite] of steps) {
    assertEquals(admits(access, encoder.encode(sent), []), isAuthenticated);
    const reply = new Reply();
    assertEquals(access.allows(WRITING, reply), mayWrite);
    if (mayWrite) continue;
    assertEquals(reply.code, "forbidden");
    assertEquals(reply.text, "Read-only token cannot execute command increment");
  }
});

Deno.test("access: tokens that were replaced are wrong, whoever has them", () => {
  const access = new Access("f", "r");
  access.replace("g", null);
  const shown = ["f", "r", "g"].map((token) => admits(access, encoder.encode(token), []));
  assertEquals(shown, [false, false, true]);
  assert(!access.isOpen);
});
