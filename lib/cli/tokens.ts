// The tokens of a configuration, as they are given or from their files.
//
// Invariant: a token is one line of text that is not empty. The line end behind it does not count: files
// end in one, and so do secrets that were made by `echo token | base64`.

import { UsageError } from "./config.ts";
import { sentenceOf } from "../errors.ts";
import type { Config } from "./options.ts";

/** The token that allows everything, and the one that allows reading; null: there is none. */
interface Tokens {
  readonly full: string | null;
  readonly read: string | null;
}

const MARK = "\ufeff";

/**
 * Reads the tokens.
 *
 * @param readFile Gives the bytes of a file, or throws what the system says
 * @throws {UsageError} If a file or a token cannot be used; no message tells a token
 */
export function tokensOf(config: Config, readFile: (path: string) => Uint8Array): Tokens {
  const { authToken, authTokenFile, readAuthToken, readAuthTokenFile } = config;
  return {
    full: oneToken("auth-token", authToken, authTokenFile, readFile),
    read: oneToken("read-auth-token", readAuthToken, readAuthTokenFile, readFile),
  };
}

/** Reads the token that a client shows; null: it has none. As `tokensOf`. */
export function tokenOf(
  { token, tokenFile }: { readonly token: string; readonly tokenFile: string },
  readFile: (path: string) => Uint8Array,
): string | null {
  return oneToken("token", token, tokenFile, readFile);
}

function oneToken(
  flag: string,
  given: string,
  path: string,
  readFile: (path: string) => Uint8Array,
): string | null {
  if (given !== "" && path !== "") {
    throw new UsageError(
      `Options --${flag} and --${flag}-file, and their variables, exclude each other`,
    );
  }
  if (path !== "") return lineOf(`Option --${flag}-file: ${path}`, textOf(flag, path, readFile));
  return given === "" ? null : lineOf(`Option --${flag}: the token`, given);
}

function textOf(flag: string, path: string, readFile: (path: string) => Uint8Array): string {
  let bytes: Uint8Array;
  try {
    bytes = readFile(path);
  } catch (error) {
    throw new UsageError(
      `Option --${flag}-file: ${path} could not be read: ${sentenceOf(error)}`,
    );
  }
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    throw new UsageError(`Option --${flag}-file: ${path} is not UTF-8 text`);
  }
}

/** The one line of a text, without the mark that some editors begin files with. */
function lineOf(source: string, text: string): string {
  const token = (text.startsWith(MARK) ? text.slice(1) : text).replace(/[\r\n]+$/, "");
  if (token === "") throw new UsageError(`${source} is empty`);
  if (/[\r\n]/.test(token)) throw new UsageError(`${source} has more than one line`);
  if (token.includes("\0")) throw new UsageError(`${source} is not text`);
  return token;
}
