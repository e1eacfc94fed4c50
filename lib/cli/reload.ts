// Reloading: tokens and certificates are read again while the server runs.
//
// Invariant: either all of them are taken over or none, and what is wrong is told. Connections stay; requests on them need
// one of the new tokens.

import type { Access } from "../command/mod.ts";
import { UsageError } from "./config.ts";
import type { Config } from "./options.ts";
import { type TlsReader, type TlsTexts, tlsTextsOf } from "./tls.ts";
import { tokensOf } from "./tokens.ts";

/**
 * Reads tokens and certificates again.
 *
 * @param replaceTls Greets newcomers with other certificates from now on
 */
export async function reload(
  config: Config,
  access: Access,
  reader: TlsReader,
  replaceTls: (texts: TlsTexts) => Promise<void>,
): Promise<void> {
  const { tlsPort, authTokenFile, readAuthTokenFile } = config;
  if (tlsPort === "" && authTokenFile === "" && readAuthTokenFile === "") {
    return reader.log("SIGHUP is ignored: there is nothing to reload");
  }
  try {
    const { full, read } = tokensOf(config, reader.readFile);
    const texts = tlsTextsOf(config, reader);
    access.replace(full, read);
    if (texts !== null) await replaceTls(texts);
    reader.log("Tokens and certificates were read again");
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
    reader.log(`${error.message}; tokens and certificates stay as they were`);
  }
}
