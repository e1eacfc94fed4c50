// Reloading: all is taken over or nothing, and what happened is told.

import { assert, assertEquals } from "@std/assert";
import { Access } from "../../../lib/command/access.ts";
import type { Config } from "../../../lib/cli/options.ts";
import { reload } from "../../../lib/cli/reload.ts";

const NONE = {
  authToken: "",
  authTokenFile: "",
  readAuthToken: "",
  readAuthTokenFile: "",
  tlsPort: "",
  tlsCertificate: "",
  tlsKey: "",
  tlsClientAuthorities: "",
};
const TLS = { tlsPort: 0, tlsCertificate: "/cert", tlsKey: "/key" };

/** A server whose files a test changes. */
class World {
  readonly files: Record<string, string> = { "/token": "old", "/cert": "good", "/key": "good" };
  readonly access = new Access("old", null);
  readonly told: string[] = [];
  readonly certificates: string[] = [];

  reload(given: Record<string, unknown>): Promise<void> {
    const reader = {
      readFile: (path: string) => new TextEncoder().encode(this.files[path]),
      examine({ certificate }: { certificate: string }) {
        if (certificate !== "good") throw new Error("it is not good");
        return new Date("2999-01-01T00:00:00Z");
      },
      log: (line: string) => void this.told.push(line),
    };
    return reload({ ...NONE, ...given } as unknown as Config, this.access, reader, (texts) => {
      this.certificates.push(texts.certificate);
      return Promise.resolve();
    });
  }

  admits(token: string): boolean {
    const bytes = new TextEncoder().encode(token);
    return this.access.authenticate(bytes, 0, bytes.length);
  }
}

Deno.test("reload: where nothing is in files there is nothing to reload", async () => {
  const world = new World();
  await world.reload({ authToken: "other" });
  assertEquals(world.told, ["SIGHUP is ignored: there is nothing to reload"]);
  assert(world.admits("old") && !world.admits("other"));
});

Deno.test("reload: tokens and certificates are taken over, the old tokens are wrong", async () => {
  const world = new World();
  world.files["/token"] = "new";
  await world.reload({ authTokenFile: "/token", ...TLS });
  assert(world.admits("new") && !world.admits("old"));
  assertEquals(world.certificates, ["good"]);
  assertEquals(world.told.at(-1), "Tokens and certificates were read again");
});

Deno.test("reload: if anything cannot be used, all stays as it was", async () => {
  const world = new World();
  world.files["/token"] = "new";
  world.files["/cert"] = "bad";
  await world.reload({ authTokenFile: "/token", ...TLS });
  world.files["/cert"] = "good";
  world.files["/token"] = "";
  await world.reload({ authTokenFile: "/token", ...TLS });
  assert(world.admits("old") && !world.admits("new"));
  assertEquals(world.certificates, []);
  assertEquals(world.told, [
    "The TLS certificate cannot be used: it is not good; tokens and certificates stay as they were",
    "Option --auth-token-file: /token is empty; tokens and certificates stay as they were",
  ]);
});
