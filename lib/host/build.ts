// What this program was made of: the commit, which packaging/compile.ts puts into the binary, and the runtime.

/** The file in the binary, beside main.ts; of a checkout it may be an older one. */
const COMMIT_FILE = new URL("../../.deno/commit", import.meta.url);

/** The commit, and the versions of Deno and V8, in a line. */
export function buildLine(): string {
  const { deno, v8 } = Deno.version;
  return `commit ${commit() || "unknown"}, Deno ${deno}, V8 ${v8}`;
}

function commit(): string {
  if (!Deno.build.standalone) return "";
  try {
    return Deno.readTextFileSync(COMMIT_FILE).trim();
  } catch {
    return "";
  }
}
