// Builds ./karma. Arguments go to `deno compile`; the task passes those of lib/npm/flags.ts.
//
// Invariant: what may be done by the binary is what deno.json permits, and no prompt asks for more.
//
// `deno compile` downloads a base runtime. Where that site cannot be reached, an archive of it does:
// $KARMA_DENORT, or the one that lies beside this repository. The trade: the archive belongs to an
// older Deno, which then compiles in place of ours.

const ARCHIVE_NEARBY = "../shared/denort/denort-x86_64-unknown-linux-gnu.zip";
const ARCHIVE_DENO = "2.6.8";
const DENO_DIR = ".deno";

const V8_FLAGS = [
  "--max-semi-space-size=4", // MiB; bounds the memory that waits for the next collection
  // As the start task in deno.json: the way of a request is a chain of small functions.
  "--max-inlined-bytecode-size=1500",
  "--max-inlined-bytecode-size-cumulative=6000",
];

/** What `--version` tells; lib/host/build.ts reads it. */
const COMMIT_FILE = `${DENO_DIR}/commit`;

const compile = [
  "compile",
  "-P",
  "--no-prompt",
  "--no-code-cache", // which would be written to the temporary directory at the first start
  `--v8-flags=${V8_FLAGS}`,
  `--include=${COMMIT_FILE}`,
  ...Deno.args,
  "--output=karma",
  "main.ts",
];

Deno.mkdirSync(DENO_DIR, { recursive: true });
Deno.writeTextFileSync(COMMIT_FILE, commit());

const archive = Deno.env.get("KARMA_DENORT") || (isFile(ARCHIVE_NEARBY) ? ARCHIVE_NEARBY : "");
Deno.exit(await (archive ? compileOver(archive) : run(Deno.execPath(), compile)));

function compileOver(archive: string): Promise<number> {
  const cache = `${DENO_DIR}/dl/release/v${ARCHIVE_DENO}`;
  Deno.mkdirSync(cache, { recursive: true });
  Deno.copyFileSync(archive, `${cache}/denort-${Deno.build.target}.zip`);
  // Older Deno trusts only its own list of authorities, unless told that the system knows better.
  const env = { DENO_DIR: Deno.realPathSync(DENO_DIR), DENO_TLS_CA_STORE: "system" };
  return run("npx", ["-y", `deno@${ARCHIVE_DENO}`, ...compile], env);
}

/** The commit that is checked out, with a mark if files differ from it; "" where git does not say. */
function commit(): string {
  const args = ["describe", "--always", "--dirty", "--abbrev=12", "--exclude=*"];
  try {
    const { success, stdout } = new Deno.Command("git", { args }).outputSync();
    return success ? new TextDecoder().decode(stdout).trim() : "";
  } catch {
    return "";
  }
}

async function run(command: string, args: string[], env?: Record<string, string>): Promise<number> {
  return (await new Deno.Command(command, { args, env, stdin: "null" }).spawn().status).code;
}

function isFile(path: string): boolean {
  try {
    return Deno.statSync(path).isFile;
  } catch {
    return false;
  }
}
