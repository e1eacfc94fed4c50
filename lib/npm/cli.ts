// Stands in for @std/cli where JSR cannot be reached: `parseArgs` as lib/cli/config.ts calls it.
//
// Invariant: for `--name=value`, `--switch` and anything after `--` it answers as the real one does.
// The trade: nothing else is imitated. lib/cli/config.ts rewrites a command line into those three forms
// before it calls, because the real one guesses at the others.

import { parseArgs as nodeParseArgs } from "node:util";

export interface ParseOptions {
  string?: readonly string[];
  boolean?: readonly string[];
}

export type Args = { _: Array<string | number>; [name: string]: unknown };

export function parseArgs(args: string[], options: ParseOptions = {}): Args {
  const strings = options.string ?? [];
  const booleans = options.boolean ?? [];
  const { values, positionals } = nodeParseArgs({
    args,
    strict: false,
    options: Object.fromEntries([
      ...strings.map((name) => [name, { type: "string" as const }]),
      ...booleans.map((name) => [name, { type: "boolean" as const }]),
    ]),
  });
  // A switch that is not given is false and not absent.
  const unset = Object.fromEntries(booleans.map((name) => [name, false]));
  return { ...unset, ...values, _: positionals };
}
