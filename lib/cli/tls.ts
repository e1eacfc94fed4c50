// The files of TLS that a configuration names.
//
// Invariant: there are certificates and their key if there is a port for TLS, and none of them without it; what is
// returned can be used.

import { UsageError } from "./config.ts";
import { sentenceOf } from "../errors.ts";
import type { Config } from "./options.ts";

/** What reading these files takes of the host. */
export interface TlsReader {
  /** Gives the bytes of a file, or throws what the system says. */
  readFile(path: string): Uint8Array;
  /** Says until when a certificate is valid, or throws why it cannot be used. */
  examine(texts: TlsTexts): Date;
  /** Writes a line to the operator's log. */
  log(line: string): void;
}

/** The texts of these files, in PEM; clients need no certificate where no authorities are given. */
export interface TlsTexts {
  readonly certificate: string;
  readonly key: string;
  readonly clientAuthorities: string | null;
}

/**
 * Reads the files, and tells the operator until when the certificate is valid.
 *
 * @returns null: there is no TLS
 * @throws {UsageError} If a file is missing from the options, could not be read, or cannot be used
 */
export function tlsTextsOf(config: Config, reader: TlsReader): TlsTexts | null {
  const { tlsPort, tlsCertificate, tlsKey, tlsClientAuthorities } = config;
  const files = [["tls-cert", tlsCertificate], ["tls-key", tlsKey]] as const;
  const all = [...files, ["tls-client-ca", tlsClientAuthorities]] as const;
  for (const [flag, path] of all) {
    if (tlsPort === "" && path !== "") throw new UsageError(`Option --${flag} needs --tls-port`);
  }
  if (tlsPort === "") return null;
  for (const [flag, path] of files) {
    if (path === "") throw new UsageError(`Option --tls-port needs --${flag}`);
  }
  const read = (flag: string, path: string) => {
    try {
      return new TextDecoder().decode(reader.readFile(path));
    } catch (error) {
      throw new UsageError(`Option --${flag}: ${path} could not be read: ${sentenceOf(error)}`);
    }
  };
  const texts = {
    certificate: read("tls-cert", tlsCertificate),
    key: read("tls-key", tlsKey),
    clientAuthorities: tlsClientAuthorities === ""
      ? null
      : read("tls-client-ca", tlsClientAuthorities),
  };
  try {
    const end = reader.examine(texts);
    const verb = end.getTime() < Date.now() ? "was" : "is";
    reader.log(`The TLS certificate ${verb} valid until ${end.toISOString()}`);
  } catch (error) {
    throw new UsageError(`The TLS certificate cannot be used: ${sentenceOf(error)}`);
  }
  return texts;
}
