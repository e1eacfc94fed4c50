// Which rows the table has: every work at one base point, and from there each axis varied alone.
//
// The trade: the full cross product would take days and say little more.

import type { Row } from "./measure.ts";
import { increment1, increment2, type Work, WORKS } from "./workloads.ts";

const KEYS = 100_000;
const KEYS_MANY = 5_000_000;
const BATCH_CONNECTIONS = 4;

function base(work: Work, keys: number): Row {
  const size = work.unit === "items"
    ? { connections: BATCH_CONNECTIONS, pipeline: 1 }
    : { connections: 50, pipeline: 16 };
  const isEchoed = work === increment2;
  return { work, ...size, log: "off", keys, spread: "uniform", isEchoed };
}

/** All rows; trees have their keys divided by `scale`. */
export function rows(scale: number): Row[] {
  const keys = KEYS / scale;
  const many = KEYS_MANY / scale;
  const increment: Row = { ...base(increment2, keys), isEchoed: false };
  const named = (name: string) => base(WORKS.find((work) => work.name === name)!, keys);
  return [
    ...WORKS.map((work) => base(work, keys)),
    // Connections and pipelines
    { ...increment, connections: 1, pipeline: 1, isEchoed: true },
    { ...increment, connections: 1, pipeline: 16 },
    { ...increment, connections: 50, pipeline: 1, isEchoed: true },
    { ...increment, connections: 1000, pipeline: 1 },
    { ...increment, connections: 1000, pipeline: 16 },
    { ...named(increment1.name), pipeline: 1 },
    { ...named("sum 30 days v2"), pipeline: 1 },
    { ...named("mixed, 90 % read"), pipeline: 1 },
    // The log
    { ...increment, log: "everysec" },
    { ...increment, log: "always" },
    { ...increment, log: "always", pipeline: 1 },
    { ...increment, log: "always", pipeline: 1, connections: 1 },
    { ...named("batch_add of 1000"), log: "everysec" },
    { ...named("limit.consume"), log: "everysec" },
    { ...named("mixed, 90 % read"), log: "everysec" },
    // Keys, and how they are spread
    { ...increment, spread: "zipf" },
    { ...increment, keys: many },
    { ...increment, keys: many, spread: "zipf" },
    { ...named("mixed, 90 % read"), spread: "zipf" },
  ];
}

/** What `--only` looks for its text in. */
export function titleOf({ work, connections, pipeline, log, keys, spread }: Row): string {
  return `${work.name}, ${connections} x ${pipeline}, ${log}, ${keys}, ${spread}`;
}
