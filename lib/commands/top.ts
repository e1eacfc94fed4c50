// `karma top`: what a running server does, again and again.
//
// Invariant: everything is from the server's own figures (`system.stats`, `system.metrics`, `tree.info`), and rates are
// differences of two of them. What the server does not measure is not there. Trade-off: the trees that grow most are
// found among the first thousand, since each is asked about.

import type { ToolLine } from "../cli/mod.ts";
import type { Client } from "../client/mod.ts";
import { sleep } from "../host/mod.ts";
import { clientOf, EXIT, type ExitCode, print, type ToolHost } from "./tool_host.ts";

type TopLine = Extract<ToolLine, { name: "top" }>;

const TREES_MAX = 1000;
const CLEAR = "\x1b[H\x1b[J";

/** The figures of one moment. */
export interface Sample {
  readonly ms: number;
  /** `system.stats`, and those of `system.metrics` that are not in it. */
  readonly figures: Readonly<Record<string, number>>;
  /** The total of each tree. */
  readonly totals: ReadonlyMap<string, number>;
  /** Whether there are more trees than that. */
  readonly hasMore: boolean;
}

export async function top({ options }: TopLine, host: ToolHost): Promise<ExitCode> {
  const { terminal } = host;
  const client = await clientOf(options, host);
  const { host: name, port } = options.server;
  try {
    let before = await sampleOf(client, host);
    do {
      await sleep(1000 * options.intervalSeconds);
      const now = await sampleOf(client, host);
      const rows = options.once || !terminal.isInteractive ? Infinity : terminal.size().rows - 1;
      const screen = screenOf(`${name}:${port}`, before, now).slice(0, rows);
      const clear = rows === Infinity ? "" : CLEAR;
      await print(terminal, clear + screen.join("\n"));
      before = now;
    } while (!options.once);
    return EXIT.done;
  } finally {
    client.close();
  }
}

async function sampleOf(client: Client, host: ToolHost): Promise<Sample> {
  const [stats, metrics, page] = await Promise.all([
    client.get("system.stats") as Promise<Record<string, unknown>>,
    client.get("system.metrics") as Promise<string>,
    client.get("tree.list", { limit: TREES_MAX, cursor: null }) as Promise<
      { trees: string[]; next_cursor: unknown }
    >,
  ]);
  const figures: Record<string, number> = {};
  for (const [name, value] of Object.entries(stats)) {
    if (typeof value === "number" || typeof value === "bigint") figures[name] = Number(value);
  }
  for (const [, name, value] of metrics.matchAll(/^(karma_\w+) ([\d.]+)$/gm)) {
    figures[name] = Number(value);
  }
  const infos = await Promise.all(page.trees.map((series) => client.ask("tree.info", { series })));
  const totals = new Map<string, number>();
  infos.forEach(({ code, response }, at) => {
    if (code === null) totals.set(page.trees[at], Number(JSON.parse(response).total));
  });
  return { ms: host.now(), figures, totals, hasMore: page.next_cursor !== null };
}

/** The lines that tell what happened between two samples. */
export function screenOf(server: string, before: Sample, now: Sample): string[] {
  const seconds = (now.ms - before.ms) / 1000;
  const figure = (name: string) => now.figures[name] ?? 0;
  const delta = (name: string) => figure(name) - (before.figures[name] ?? 0);
  const rate = (name: string) => `${Math.round(delta(name) / seconds)}`;
  const spent = (sample: Sample) =>
    (sample.figures.latency_ms_avg ?? 0) * (sample.figures.command_count ?? 0);
  const requests = delta("command_count");
  const average = requests > 0 ? (spent(now) - spent(before)) / requests : 0;
  const mebibytes = (name: string) => `${(figure(name) / 1048576).toFixed(1)} MiB`;
  const grown = [...now.totals].map(([tree, total]): [string, number, number] => {
    return [tree, (total - (before.totals.get(tree) ?? 0)) / seconds, total];
  }).filter(([, growth]) => growth > 0).sort((a, b) => b[1] - a[1]);
  return [
    `Karma at ${server}, up ${durationText(figure("uptime_seconds"))}`,
    "",
    row("requests a second", rate("command_count"), "errors", rate("error_count")),
    row(
      "time of a request",
      `${(1000 * average).toFixed(1)} µs`,
      "timeouts",
      rate("query_timeout_count"),
    ),
    row(
      "connections",
      `${figure("karma_connections")}`,
      "changes a second",
      rate("wal_current_lsn"),
    ),
    row("trees", `${figure("trees")}`, "keys", `${figure("keys")}`),
    row("memory", mebibytes("memory_bytes"), "log", mebibytes("wal_bytes")),
    row(
      "allowed",
      mebibytes("karma_memory_limit_bytes"),
      "used of it",
      mebibytes("karma_memory_used_bytes"),
    ),
    row(
      "open streams",
      `${figure("ingest_active_streams")}`,
      "items a second",
      rate("ingest_items_applied"),
    ),
    "",
    `${"a second".padStart(14)}  ${"total".padStart(20)}  tree`,
    ...grown.map(([tree, growth, total]) => {
      return `${growth.toFixed(0).padStart(14)}  ${`${total}`.padStart(20)}  ${tree}`;
    }),
    ...now.hasMore ? [`Of the trees the first ${TREES_MAX} were looked at`] : [],
  ];
}

function row(one: string, value: string, other: string, otherValue: string): string {
  return `${one.padEnd(20)}${value.padStart(14)}    ${other.padEnd(20)}${otherValue.padStart(14)}`;
}

function durationText(seconds: number): string {
  const [days, hours] = [Math.floor(seconds / 86_400), Math.floor(seconds / 3600) % 24];
  const minutes = Math.floor(seconds / 60) % 60;
  if (days > 0) return `${days} d ${hours} h`;
  return hours > 0 ? `${hours} h ${minutes} min` : `${minutes} min ${Math.floor(seconds % 60)} s`;
}
