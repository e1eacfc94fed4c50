// The thread of a pulse: told a port, it connects; told "begin", it pings one after the other with a
// millisecond between; told "tell", it says how long they took, the one under way included.

import type { Beats } from "./pulse.ts";

/** What a worker's global is; the tests' own types know of a window's only. */
const thread = globalThis as unknown as {
  onmessage: (event: MessageEvent<{ port: number } | "begin" | "tell">) => void;
  postMessage: (message: unknown) => void;
};

const REST_MS = 1;
const PING = new TextEncoder().encode('{"v":2,"op":"system.ping"}\n');
const LINE_FEED = 10;

let connection: Deno.TcpConn;
let isBeating = false;
let beating: Promise<number[]> = Promise.resolve([]);

async function ping(into: Uint8Array): Promise<number> {
  const began = performance.now();
  await connection.write(PING);
  for (let end = 0; into[end - 1] !== LINE_FEED;) {
    const count = await connection.read(into.subarray(end));
    if (count === null) throw new Error("The server has closed");
    end += count;
  }
  return performance.now() - began;
}

async function beat(): Promise<number[]> {
  const took: number[] = [];
  while (isBeating) {
    took.push(await ping(new Uint8Array(256)));
    await new Promise((done) => setTimeout(done, REST_MS));
  }
  return took.sort((a, b) => a - b);
}

thread.onmessage = async ({ data }) => {
  if (typeof data === "object") {
    connection = await Deno.connect({ hostname: "127.0.0.1", port: data.port });
    connection.setNoDelay(true);
    return thread.postMessage("ready");
  }
  if (data === "begin") {
    isBeating = true;
    beating = beat();
    return thread.postMessage("begun");
  }
  isBeating = false;
  const took = await beating;
  const beats: Beats = {
    count: took.length,
    median: took[took.length >> 1] ?? 0,
    longest: took.at(-1) ?? 0,
  };
  thread.postMessage(beats);
};
