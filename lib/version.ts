// The version of Karma, for `--version` and for dumps.
//
// Invariant: equal to the one in deno.json, which a compiled binary cannot read. A test keeps it so.

export const VERSION = "2.0.0";
