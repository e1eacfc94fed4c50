// The files of TLS: which options go together, and what is said of files that cannot be used.

import { assertEquals, assertThrows } from "@std/assert";
import { UsageError } from "../../../lib/cli/config.ts";
import type { Config } from "../../../lib/cli/options.ts";
import { tlsTextsOf } from "../../../lib/cli/tls.ts";

const NONE = { tlsPort: "" as const, tlsCertificate: "", tlsKey: "", tlsClientAuthorities: "" };
const ALL = { tlsPort: 8443, tlsCertificate: "/cert", tlsKey: "/key" };
const NEVER = new Date("2999-01-01T00:00:00Z");

/** What is read, and what was told meanwhile. */
function read(given: Partial<Config>, end: Date | Error = NEVER) {
  const told: string[] = [];
  const reader = {
    readFile(path: string) {
      if (path === "/nowhere") throw new Error("No such file or directory (os error 2)");
      return new TextEncoder().encode(`text of ${path}`);
    },
    examine() {
      if (end instanceof Error) throw end;
      return end;
    },
    log: (line: string) => void told.push(line),
  };
  return { texts: tlsTextsOf({ ...NONE, ...given } as Config, reader), told };
}

Deno.test("tls files: none, or certificates and key, or authorities too", () => {
  assertEquals(read({}), { texts: null, told: [] });
  const texts = { certificate: "text of /cert", key: "text of /key", clientAuthorities: null };
  assertEquals(read(ALL), {
    texts,
    told: ["The TLS certificate is valid until 2999-01-01T00:00:00.000Z"],
  });
  const { texts: more } = read({ ...ALL, tlsPort: 0, tlsClientAuthorities: "/ca" });
  assertEquals(more, { ...texts, clientAuthorities: "text of /ca" });
  const { told } = read(ALL, new Date("2001-01-01T00:00:00Z"));
  assertEquals(told, ["The TLS certificate was valid until 2001-01-01T00:00:00.000Z"]);
});

Deno.test("tls files: what cannot be used is a sentence", () => {
  const refused: [given: Partial<Config>, sentence: string][] = [
    [{ tlsPort: 8443 }, "Option --tls-port needs --tls-cert"],
    [{ ...ALL, tlsKey: "" }, "Option --tls-port needs --tls-key"],
    [{ tlsCertificate: "/cert" }, "Option --tls-cert needs --tls-port"],
    [{ tlsKey: "/key" }, "Option --tls-key needs --tls-port"],
    [{ tlsClientAuthorities: "/ca" }, "Option --tls-client-ca needs --tls-port"],
    [
      { ...ALL, tlsClientAuthorities: "/nowhere" },
      "Option --tls-client-ca: /nowhere could not be read: No such file or directory (os error 2)",
    ],
  ];
  for (const [given, sentence] of refused) {
    const { message } = assertThrows(() => read(given), UsageError);
    assertEquals(message, sentence);
  }
  const { message } = assertThrows(() => read(ALL, new Error("KeyMismatch")), UsageError);
  assertEquals(message, "The TLS certificate cannot be used: KeyMismatch");
});
