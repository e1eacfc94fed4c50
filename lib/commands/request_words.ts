// A request as it is written in a shell or at the prompt: JSON, or an operation and its fields.
//
//     counter.increment series=api_requests key=42
//     {"op":"counter.increment","series":"api_requests","key":42}
//
// Invariant: numbers are sent digit by digit as they were written.

/** A request that cannot be sent, in a sentence. */
export class RequestError extends Error {
  override name = "RequestError";
}

/**
 * The line of a request, without its line end.
 *
 * @param words JSON in one word, or an operation and words `FIELD=VALUE`: a value is JSON, or a text where it is not
 * @param token What is shown to the server, unless the request has its own; null: nothing
 * @throws {RequestError} If there is no such request
 */
export function requestOf(words: readonly string[], token: string | null): string {
  const [first, ...rest] = words;
  const isJson = first.trimStart().startsWith("{");
  if (isJson && rest.length > 0) {
    throw new RequestError(`Behind a request in JSON there is nothing: ${JSON.stringify(rest[0])}`);
  }
  const members = isJson ? membersOf(first) : ["op", ...rest].map((word, at) => {
    return at === 0 ? `"op":${JSON.stringify(first)}` : memberOf(word);
  });
  const names = isJson ? Object.keys(JSON.parse(first)) : [];
  const shown = token === null || names.includes("token")
    ? []
    : [`"token":${JSON.stringify(token)}`];
  const version = names.includes("v") ? [] : ['"v":2'];
  return `{${[...version, ...shown, ...members].join(",")}}`;
}

/** The words of a line: parted by blanks, unless they are within quotes or brackets. */
export function wordsOf(line: string): string[] {
  if (line.trimStart().startsWith("{")) return [line.trim()];
  const words = line.match(/(?:"(?:\\.|[^"\\])*"|\{[^]*\}|\[[^]*?\](?=\s|$)|[^\s])+/g);
  return words ?? [];
}

/** The members of an object as they stand, in one piece. */
function membersOf(json: string): string[] {
  let value: unknown;
  try {
    value = JSON.parse(json);
  } catch (error) {
    throw new RequestError(`The request is no JSON: ${(error as Error).message}`);
  }
  const inner = json.trim().slice(1, -1).replaceAll(/[\r\n]/g, " ").trim();
  return Object.keys(value as object).length === 0 ? [] : [inner];
}

function memberOf(word: string): string {
  const equals = word.indexOf("=");
  if (equals <= 0) {
    throw new RequestError(`A field is written FIELD=VALUE: ${JSON.stringify(word)}`);
  }
  const text = word.slice(equals + 1);
  return `${JSON.stringify(word.slice(0, equals))}:${isJson(text) ? text : JSON.stringify(text)}`;
}

function isJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}
