// Work beside answers: that it is done within turns, however many sessions have some, and whose work it is.

import { assert, assertEquals, assertRejects } from "@std/assert";
import { ReceiveBuffer } from "../../../lib/bytes/receive_buffer.ts";
import { Statistics } from "../../../lib/metrics/statistics.ts";
import type { Connection } from "../../../lib/server/connection.ts";
import { type Loop, TurnBudget } from "../../../lib/server/turn_budget.ts";
import { beginRead, growInTurn, READ_BYTES_MAX, readInTurn } from "../../../lib/server/in_turn.ts";

const COUNT = 200;

/** What a turn has time for: 3 ms at 4 MiB a millisecond, as far as the clock is looked at, and the last slice. */
const TURN_BYTES_MAX = 1 << 20;
const BYTES_A_MS = 131_072;

/** A loop whose clock goes on as bytes are read, and connections that always have more to be read. */
class World implements Loop {
  readonly turnBudget = new TurnBudget(new Statistics(), this);
  bytes = 0;
  longestBytes = 0;
  #call: (() => void) | null = null;

  now(): number {
    return this.bytes / BYTES_A_MS;
  }

  later(call: () => void): void {
    this.#call = call;
  }

  connection(): Connection {
    return {
      read: (into) => {
        this.bytes += into.length;
        return Promise.resolve(into.length);
      },
      write: () => Promise.reject(new Error("nothing is written")),
      closeWrite: () => Promise.resolve(),
      close() {},
    };
  }

  /** Lets the loop turn until all is done; notes the most that was read in a turn. */
  async until(done: Promise<unknown>): Promise<number> {
    let isOver = false;
    done.finally(() => isOver = true).catch(() => {});
    let turns = 0;
    for (let before = this.bytes; !isOver; before = this.bytes, turns++) {
      for (let step = 0; step < 50; step++) await Promise.resolve();
      this.longestBytes = Math.max(this.longestBytes, this.bytes - before);
      if (isOver) break;
      before = this.bytes;
      const call = this.#call;
      this.#call = null;
      call?.();
      for (let step = 0; step < 50; step++) await Promise.resolve();
      this.longestBytes = Math.max(this.longestBytes, this.bytes - before);
    }
    await done;
    return turns;
  }
}

Deno.test("in_turn: however many read large requests, a turn reads no more than it has time for", async () => {
  const world = new World();
  const payers = Array.from({ length: COUNT }, () => ({ tag: 0 }));
  const space = new Uint8Array(READ_BYTES_MAX);
  const all = payers.map(async (payer) => {
    for (let read = 0; read < 4; read++) {
      assertEquals(
        await readInTurn(world.connection(), space, world.turnBudget, payer),
        space.length,
      );
    }
  });
  const turns = await world.until(Promise.all(all));
  assertEquals(world.bytes, COUNT * 4 * READ_BYTES_MAX);
  assert(world.longestBytes <= TURN_BYTES_MAX, `${world.longestBytes} bytes in a turn`);
  assert(turns >= world.bytes / TURN_BYTES_MAX, `${turns}`);
  for (const { tag } of payers) assert(tag > 0, "each pays for its own");
});

Deno.test("in_turn: a buffer grows a piece at a time, and keeps what is in it", async () => {
  const world = new World();
  const received = new ReceiveBuffer(4 << 20);
  const text = "0123456789abcdef".repeat(65536);
  for (let at = 0; at < text.length;) {
    if (received.isFull) received.growWhole();
    const space = received.space(true);
    const { written } = new TextEncoder().encodeInto(text.slice(at), space);
    received.filled(written);
    at += written;
  }
  const before = received.bytes.length;
  const payer = { tag: 0 };
  await world.until(growInTurn(received, world.turnBudget, payer));
  assert(received.bytes.length > before);
  const { bytes, partStart, partEnd } = received;
  assertEquals(new TextDecoder().decode(bytes.subarray(partStart, partEnd)), text);
  assert(payer.tag >= text.length / 262_144 * 8192, "each piece is paid for");
});

Deno.test("in_turn: a read that fails fails for who awaits it", async () => {
  const world = new World();
  const gone = { ...world.connection(), read: () => Promise.reject(new Error("gone")) };
  const space = new Uint8Array(16);
  const { reading } = await beginRead(gone, space, world.turnBudget, { tag: 0 });
  await assertRejects(() => reading, Error, "gone");
});
