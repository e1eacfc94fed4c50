// Prints the flags that let Karma run where JSR cannot be reached, and nothing where it can.
//
// A task puts the output into its own command: `deno run $(deno run lib/npm/flags.ts) main.ts`.
// Invariant: it always ends within PATIENCE_MS and always exits 0, so that a broken network only
// ever means "use npm". The trade: a JSR slower than that counts as absent, even though it would
// have answered in the end.

const PATIENCE_MS = 4000;

// A name computed at run time is resolved only when `import` runs, so its failure can be caught;
// a literal one would end this program before its first line.
const probe = ["@std", "cli"].join("/");

// An address and not a path: it holds wherever the command runs and has no spaces to be split at.
const fallback = `--import-map=${new URL("imports.json", import.meta.url).href} --no-lock`;

const patience = Promise.withResolvers<never>();
setTimeout(patience.reject, PATIENCE_MS);

try {
  await Promise.race([import(probe), patience.promise]);
} catch {
  console.log(fallback);
}
Deno.exit(0);
