// `karma bench`: how fast a running server answers, from here.
//
// Each connection sends a few requests at once, waits for all their replies, and does it again. Invariant: every reply
// is looked at, and one that is an error is counted as such. What it writes is in a tree of its own, which it drops.
// Trade-off: it is one process in one thread. Where it takes all of a processor itself, or shares the server's machine,
// it measures both; the processor time that it took is told, so that one can see that.

import type { ToolLine } from "../cli/mod.ts";
import { RefusedError, requestLine } from "../client/mod.ts";
import { HostError } from "../errors.ts";
import type { Wire } from "../host/mod.ts";
import { Histogram } from "./histogram.ts";
import { clientOf, EXIT, type ExitCode, print, type ToolHost } from "./tool_host.ts";

type BenchLine = Extract<ToolLine, { name: "bench" }>;
type Options = BenchLine["options"];

const LINE_FEED = 10;
/** How a reply that tells success begins. */
const DONE = new TextEncoder().encode('{"protocol_version":2,"success":true');

/** What all connections have measured together. */
interface Measured {
  readonly durations: Histogram;
  requests: number;
  errors: number;
  /** Processor time that this process has taken, in milliseconds. */
  cpuMs: number;
}

export async function bench({ options }: BenchLine, host: ToolHost): Promise<ExitCode> {
  const client = await clientOf(options, host);
  try {
    const series = options.tree;
    const { code, response } = await client.ask("tree.info", { series });
    if (code === null) {
      const sentence = `Tree ${series} is there already: name another one`;
      throw new RefusedError("validation_error", sentence);
    }
    if (code !== "not_found") throw new RefusedError(code, response);
    await client.get("tree.create", { series });
    const measured = await measure(options, client.token, host)
      .finally(() => client.ask("tree.drop", { series }).catch(() => {}));
    await report(measured, options, host);
    return measured.errors === 0 ? EXIT.done : EXIT.failed;
  } finally {
    client.close();
  }
}

async function measure(options: Options, token: string | null, host: ToolHost): Promise<Measured> {
  const { server, connections, seconds, timeoutSeconds } = options;
  const wires = await Promise.all(
    Array.from({ length: connections }, () => {
      return host.connect(server.host, server.port, 1000 * timeoutSeconds);
    }),
  );
  const measured = { durations: new Histogram(), requests: 0, errors: 0, cpuMs: 0 };
  const cpuMs = host.cpuMs();
  const end = host.now() + 1000 * seconds;
  try {
    await Promise.all(
      wires.map((wire, at) => drive(wire, at, options, token, end, measured, host)),
    );
  } catch (error) {
    throw error instanceof HostError ? error : new HostError("The connection ended", error);
  } finally {
    for (const wire of wires) wire.close();
  }
  measured.cpuMs = host.cpuMs() - cpuMs;
  return measured;
}

/** Asks over one connection until the end. */
async function drive(
  wire: Wire,
  seed: number,
  options: Options,
  token: string | null,
  end: number,
  measured: Measured,
  host: ToolHost,
): Promise<void> {
  const { pipeline } = options;
  const batches = batchesOf(options, token, seed);
  const into = new Uint8Array(65536);
  for (let round = 0; host.now() < end; round++) {
    const began = host.now();
    const bytes = batches[round % batches.length];
    for (let at = 0; at < bytes.length;) at += await wire.write(bytes.subarray(at));
    let [left, matched] = [pipeline, 0];
    while (left > 0) {
      const read = await wire.read(into);
      if (read === null) throw new Error("the server closed it");
      for (let at = 0; at < read; at++) {
        if (into[at] === LINE_FEED) {
          left--;
          if (matched < DONE.length) measured.errors++;
          matched = 0;
        } else if (matched < DONE.length && matched >= 0) {
          matched = into[at] === DONE[matched] ? matched + 1 : -1;
        }
      }
    }
    measured.durations.add(host.now() - began);
    measured.requests += pipeline;
  }
}

/** Requests for some rounds, made before the clock runs; keys are spread evenly. */
function batchesOf(
  options: Options,
  token: string | null,
  seed: number,
): Uint8Array<ArrayBuffer>[] {
  const { pipeline, keys, tree: series, operation } = options;
  let key = seed * 7919;
  const line = () => {
    key = (key + 104_729) % keys;
    if (operation === "consume") {
      const limits = [{ series, max: 1_000_000_000, window: "day" }];
      return requestLine("limit.consume", { key, limits }, token);
    }
    return requestLine(`counter.${operation}`, { series, key }, token);
  };
  return Array.from({ length: 64 }, () => {
    const lines = Array.from({ length: pipeline }, line);
    const bytes = new Uint8Array(lines.reduce((sum, { length }) => sum + length, 0));
    let at = 0;
    for (const each of lines) {
      bytes.set(each, at);
      at += each.length;
    }
    return bytes;
  });
}

async function report(
  { durations, requests, errors, cpuMs }: Measured,
  { connections, pipeline, seconds, operation }: Options,
  { terminal }: ToolHost,
): Promise<void> {
  const shares: [string, number][] = [["p50", 0.5], ["p90", 0.9], ["p99", 0.99], ["p99.9", 0.999]];
  const at = shares.map(([name, share]) => `${name} ${durations.percentile(share).toFixed(2)}`);
  const busy = Math.round(cpuMs / 10 / seconds);
  await print(
    terminal,
    [
      `${operation}: ${Math.round(requests / seconds)} requests a second, ${errors} errors`,
      `ms for ${pipeline} at once on each of ${connections} connections: ` +
      `${at.join(", ")}, max ${durations.max.toFixed(2)}`,
      `This command itself took ${busy} % of a processor${
        busy > 80 ? ": it may be the bound" : ""
      }`,
    ].join("\n"),
  );
}
