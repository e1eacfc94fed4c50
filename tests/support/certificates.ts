// Certificates that openssl makes: an authority, and keys with certificates that it has signed.
//
// Invariant: they are made in a directory of the test's and are good for nothing but this machine's own addresses.

import { join } from "@std/path";

function openssl(directory: string, ...args: string[]): void {
  const command = new Deno.Command("openssl", { args, cwd: directory, stdout: "null" });
  const { success, stderr } = command.outputSync();
  if (!success) throw new Error(`openssl ${args[0]}: ${new TextDecoder().decode(stderr)}`);
}

function missing(): string | undefined {
  try {
    new Deno.Command("openssl", { args: ["version"], stdout: "null" }).outputSync();
    return undefined;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return "no openssl here; apt-get install openssl";
    throw error;
  }
}

/** Why no certificates can be made; undefined: they can. */
export const noCertificates: string | undefined = missing();

const KEY = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"];

/** An authority, whose files are `NAME.pem` and `NAME.key`. */
export class Authority {
  readonly directory: string;
  readonly #name: string;

  constructor(directory: string, name = "authority") {
    this.directory = directory;
    this.#name = name;
    const files = ["-keyout", `${name}.key`, "-out", `${name}.pem`];
    openssl(directory, "req", "-x509", ...KEY, "-days", "30", "-subj", `/CN=${name}`, ...files);
  }

  /** The path of its certificate. */
  get path(): string {
    return this.pathOf(`${this.#name}.pem`);
  }

  get text(): string {
    return Deno.readTextFileSync(this.path);
  }

  pathOf(file: string): string {
    return join(this.directory, file);
  }

  /** Makes `NAME.pem` and `NAME.key`. `days`: how long the certificate is valid; a negative number: it has expired. */
  issue(name: string, days = 20): void {
    const request = ["-subj", `/CN=${name}`, "-keyout", `${name}.key`, "-out", `${name}.csr`];
    openssl(this.directory, "req", "-new", ...KEY, ...request);
    const extensions = "subjectAltName=DNS:localhost,IP:127.0.0.1\nbasicConstraints=CA:FALSE\n";
    Deno.writeTextFileSync(this.pathOf(`${name}.ext`), extensions);
    const signer = ["-CA", `${this.#name}.pem`, "-CAkey", `${this.#name}.key`, "-CAcreateserial"];
    const files = ["-in", `${name}.csr`, "-out", `${name}.pem`, "-extfile", `${name}.ext`];
    openssl(this.directory, "x509", "-req", ...signer, ...files, "-days", `${days}`);
  }
}
