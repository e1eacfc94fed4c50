// `deno task bench`: starts what it measures, measures it, prints one table, and ends.
//
//   --against redis  the same for a local redis-server, in turns, and the ratios
//   --json FILE      all of it for machines
//   --rounds COUNT   how often each is measured: 5, with --quick 1
//   --only TEXT      the rows and figures with one of these texts, separated by `;`
//   --list           what there is
//   --quick          short runs over a tenth of the keys: whether all works, not how fast it is
//   --kload PATH     the judge's generator, compiled, in place of load.c where it can ask the same
//
// KARMA_BIN measures a binary instead of the source. Invariant: whatever happens, no process and no
// file is left behind. The trade: a row that fails ends it all, since its numbers would be believed.

import { parseArgs } from "node:util";
import { compile } from "./fill.ts";
import { type Figure, type FigureGroup, FIGURES } from "./figures.ts";
import { measureRow, type Options, type Result, type Row } from "./measure.ts";
import { machineOf, writeReport } from "./report.ts";
import { rows, titleOf } from "./rows.ts";
import { cleanUp } from "./server.ts";
import { printFigure, printHead, printRow } from "./table.ts";

const QUICK = { rounds: 1, seconds: 0.3, warmUpSeconds: 0.3, scale: 10 };
const FULL = { rounds: 5, seconds: 1.5, warmUpSeconds: 1.5, scale: 1 };
const INTERRUPTED = 130;

interface Plan {
  readonly options: Options;
  readonly json: string | null;
  readonly rows: readonly Row[];
  readonly figures: readonly FigureGroup[];
}

function planOf(args: string[]): Plan {
  const text = { type: "string" } as const;
  const { values } = parseArgs({
    args,
    options: {
      against: text,
      json: text,
      rounds: text,
      only: text,
      kload: text,
      quick: { type: "boolean" },
      list: { type: "boolean" },
    },
  });
  const length = values.quick ? QUICK : FULL;
  const rounds = Number(values.rounds ?? length.rounds);
  if (!Number.isInteger(rounds) || rounds < 1) throw new TypeError("--rounds must be 1 or more");
  if (![undefined, "redis"].includes(values.against)) {
    throw new TypeError("There is only: --against redis");
  }
  const isAgainstRedis = values.against === "redis";
  const only = values.only?.split(";").map((part) => part.trim());
  const isWanted = (title: string) => only?.some((part) => title.includes(part)) ?? true;
  const plan = {
    options: { ...length, rounds, isAgainstRedis, kload: values.kload ?? null },
    json: values.json ?? null,
    rows: rows(length.scale).filter((row) => isWanted(titleOf(row))),
    figures: FIGURES.filter(({ title }) => isWanted(title)),
  };
  const titles = [...plan.rows.map(titleOf), ...plan.figures.map(({ title }) => title)];
  if (titles.length === 0) throw new TypeError(`Nothing has ${values.only} in its title: --list`);
  if (!values.list) return plan;
  console.log(titles.join("\n"));
  return { ...plan, json: null, rows: [], figures: [] };
}

async function run({ options, json, rows, figures }: Plan): Promise<void> {
  if (rows.length + figures.length > 0) await compile("load");
  const machine = await machineOf(options.isAgainstRedis);
  const results: Result[][] = [];
  const found: Figure[] = [];
  if (rows.length > 0) printHead();
  for (const row of rows) {
    const measured = await measureRow(row, options);
    printRow(measured);
    results.push(measured);
  }
  for (const group of figures) {
    const measured = await group.measure(options);
    measured.forEach(printFigure);
    found.push(...measured);
  }
  if (json !== null) writeReport(json, machine, options.rounds, results, found);
}

let ending: Promise<void> | null = null;

/** Ends everything that was started, once, and then this process. */
async function end(code: number): Promise<never> {
  ending ??= cleanUp();
  await ending;
  Deno.exit(code);
}

for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
  Deno.addSignalListener(signal, () => end(INTERRUPTED));
}
try {
  await run(planOf(Deno.args));
} catch (error) {
  if (ending === null) console.error(error instanceof Error ? error.message : error);
  await end(1);
}
await end(0);
