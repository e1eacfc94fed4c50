// Tokens out of files as editors and shells write them: one line, or a sentence that says what is wrong.

import { assert, assertEquals, assertThrows } from "@std/assert";
import { UsageError } from "../../../lib/cli/config.ts";
import type { Config } from "../../../lib/cli/options.ts";
import { tokensOf } from "../../../lib/cli/tokens.ts";

const NONE = { authToken: "", authTokenFile: "", readAuthToken: "", readAuthTokenFile: "" };

function tokens(given: Partial<typeof NONE>, files: Record<string, string | Uint8Array> = {}) {
  return tokensOf({ ...NONE, ...given } as Config, (path) => {
    const file = files[path];
    if (file === undefined) throw new Error("No such file or directory (os error 2)");
    return typeof file === "string" ? new TextEncoder().encode(file) : file;
  });
}

Deno.test("tokens: none, given ones, and one line of a file", () => {
  assertEquals(tokens({}), { full: null, read: null });
  assertEquals(tokens({ authToken: "a", readAuthToken: "b" }), { full: "a", read: "b" });
  const texts = ["t", "t\n", "t\r\n", "t\r", "t\n\n", "t\r\n\r\n", "\ufefft", "\ufefft\r\n"];
  for (const text of texts) {
    assertEquals(tokens({ authTokenFile: "/f" }, { "/f": text }), { full: "t", read: null });
    assertEquals(tokens({ readAuthTokenFile: "/f" }, { "/f": text }), { full: null, read: "t" });
  }
  for (const odd of [" t ", "t\tu", "\u00f6\u{1f511}"]) {
    assertEquals(tokens({ authTokenFile: "/f" }, { "/f": `${odd}\n` }).full, odd);
  }
  assertEquals(tokens({ authToken: "t\n" }).full, "t");
});

const SECRET = "secret-1234";

Deno.test("tokens: what cannot be used is refused, and no sentence tells a token", () => {
  const file = { authTokenFile: "/f" };
  const cases: [Partial<typeof NONE>, Record<string, string | Uint8Array>, string][] = [
    [file, {}, "Option --auth-token-file: /f could not be read: No such file"],
    [file, { "/f": "" }, "Option --auth-token-file: /f is empty"],
    [file, { "/f": "\r\n\n" }, "Option --auth-token-file: /f is empty"],
    [file, { "/f": "\ufeff\n" }, "Option --auth-token-file: /f is empty"],
    [file, { "/f": `${SECRET}\nmore` }, "/f has more than one line"],
    [file, { "/f": `${SECRET}\r\n\r\nmore` }, "/f has more than one line"],
    [file, { "/f": `\n${SECRET}\n` }, "/f has more than one line"],
    [file, { "/f": new Uint8Array([0xff, 0xfe, 0x61, 0]) }, "/f is not UTF-8 text"],
    [file, { "/f": `${SECRET}\0` }, "/f is not text"],
    [{ authToken: `${SECRET}\nmore` }, {}, "Option --auth-token: the token has more than one line"],
    [{ authToken: "\n" }, {}, "Option --auth-token: the token is empty"],
    [{ ...file, authToken: SECRET }, {}, "--auth-token and --auth-token-file"],
    [{ readAuthTokenFile: "/f" }, {}, "Option --read-auth-token-file: /f could not be read"],
  ];
  for (const [given, files, sentence] of cases) {
    const error = assertThrows(() => tokens(given, files), UsageError, sentence);
    assert(!error.message.includes(SECRET), error.message);
  }
});
