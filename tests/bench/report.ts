// The bench for machines: one JSON file with all that was measured, and on what.

import type { Figure } from "./figures.ts";
import type { Result, Row } from "./measure.ts";
import { output } from "./server.ts";
import { ratiosOf } from "./table.ts";

export interface Machine {
  readonly cpu: string;
  readonly cores: number;
  readonly memoryBytes: number;
  readonly kernel: string;
  readonly deno: string;
  readonly redis: string | null;
}

export async function machineOf(isAgainstRedis: boolean): Promise<Machine> {
  const [, cpu] = /^model name\s*: (.*)$/m.exec(Deno.readTextFileSync("/proc/cpuinfo")) ?? [];
  const redis = isAgainstRedis ? await redisVersion() : null;
  return {
    cpu: cpu ?? Deno.build.arch,
    cores: navigator.hardwareConcurrency,
    memoryBytes: Deno.systemMemoryInfo().total,
    kernel: Deno.osRelease(),
    deno: Deno.version.deno,
    redis,
  };
}

async function redisVersion(): Promise<string> {
  try {
    const told = await output("redis-server", "--version");
    return /v=(\S+)/.exec(told)?.[1] ?? told;
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
    throw new Error("There is no redis-server here: apt-get install redis-server");
  }
}

function columns({ work, connections, pipeline, log, keys, spread }: Row): object {
  return { work: work.name, connections, pipeline, log, keys, spread };
}

/** Writes everything; `results` has those of one row together. The bare echo, which bounds Karma, is apart. */
export function writeReport(
  path: string,
  machine: Machine,
  rounds: number,
  results: readonly (readonly Result[])[],
  figures: readonly Figure[],
): void {
  const told = ({ server, row, runs }: Result) => {
    return { server, ...columns(row), unit: row.work.unit, runs };
  };
  const all = results.flat();
  const ratios = (wanted: "redis" | "echo") => {
    return results.flatMap(ratiosOf).filter(({ against }) => against === wanted)
      .map(({ row, ...ratio }) => ({ ...columns(row), ...ratio }));
  };
  const report = {
    when: new Date().toISOString(),
    machine,
    rounds,
    results: all.filter(({ server }) => server !== "echo").map(told),
    ratios: ratios("redis"),
    bounds: all.filter(({ server }) => server === "echo").map(told),
    boundRatios: ratios("echo"),
    figures,
  };
  Deno.writeTextFileSync(path, JSON.stringify(report, null, 2) + "\n");
}
