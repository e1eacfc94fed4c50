// Karma for histories of limits: in process, with a clock that is moved and a zone that a restart may
// change. The date is told by the real clock's calendar, and must be the model's.

import { lineOf } from "../../lib/bytes/line.ts";
import { assertEquals } from "@std/assert";
import { SendBuffer } from "../../lib/bytes/send_buffer.ts";
import { highLane, lowLane, u64ToBigInt } from "../../lib/bytes/u64.ts";
import { Reply } from "../../lib/command/reply.ts";
import { Request } from "../../lib/command/request.ts";
import type { Codec } from "../../lib/protocol/codec.ts";
import { codecOf, writeWhole } from "../support/codec.ts";
import { HostClock } from "../../lib/host/clock.ts";
import { Cells } from "../../lib/tree/cells.ts";
import { checkTree } from "../../lib/tree/check.ts";
import { LocalKarma, type LocalOptions } from "../support/local_karma.ts";
import { MemoryDisk } from "../support/memory_disk.ts";
import type { Random } from "../support/random.ts";
import { days } from "./limits_days.ts";
import type { Here } from "./limits_model.ts";

export const ZONES = ["UTC", "Europe/Berlin", "Pacific/Apia", "America/St_Johns"];

const encoder = new TextEncoder();
const decoder = new TextDecoder("utf-8", { fatal: true });

/** The real clock, with hands that are moved. */
class SetClock extends HostClock {
  ms = 0;

  override now(): number {
    return this.ms;
  }
}

const clocks = new Map(ZONES.map((zone) => [zone, new SetClock(zone)]));

export class World {
  readonly #disk = new MemoryDisk("/dumps");
  readonly #request = new Request();
  readonly #reply = new Reply();
  readonly #out = new SendBuffer(4096);
  readonly #options: LocalOptions;
  #codec: Codec;
  karma!: LocalKarma;
  zone: string;
  /** The moment, and the day that it lies in, counted since 1970. */
  ms: number;
  today = 0;

  /** `ageMaxSeconds`: how long answers are kept; 0: for ever. */
  constructor(zone: string, ms: number, ageMaxSeconds: number, options: LocalOptions = {}) {
    this.zone = zone;
    this.ms = ms;
    this.#options = { policy: "always", segmentBytes: 20_000, ageMaxSeconds, ...options };
    this.#codec = this.#interpret();
  }

  get seconds(): number {
    return Math.floor(this.ms / 1000);
  }

  async start(): Promise<void> {
    const calendar = clocks.get(this.zone)!;
    this.karma = new LocalKarma(this.#disk, { ...this.#options, calendar });
    this.moveTo(this.ms);
    await this.karma.start();
    this.#codec = this.#interpret();
  }

  /** Kills it, or turns the power off, and starts it again in a zone. */
  async restart(random: Random, zone: string): Promise<void> {
    if (random.chance(0.5)) this.#disk.kill();
    else this.#disk.crashAt(random);
    this.zone = zone;
    await this.start();
  }

  async end(): Promise<void> {
    await this.karma.wal.close();
    assertEquals(this.karma.lost, null);
  }

  moveTo(ms: number): void {
    const clock = clocks.get(this.zone)!;
    this.ms = clock.ms = this.karma.now = ms;
    this.today = days.in(this.zone, ms);
    this.karma.today = clock.today();
    assertEquals(this.karma.today, days.number(this.today));
  }

  /** A zone, or the server's, and what day it is there now. */
  here(zone = this.zone): Here {
    return { zone, today: days.in(zone, this.ms), ms: this.ms };
  }

  /** Sends a line of protocol v2; returns the one that answers it. */
  async ask(line: string): Promise<string> {
    const { engine } = this.karma;
    const request = this.#request;
    const reply = this.#reply;
    const out = this.#out;
    const bytes = encoder.encode(line);
    reply.clear();
    out.clear();
    engine.beginTurn();
    if (this.#codec.decode(lineOf(bytes), "v2", request, reply)) {
      engine.execute(request, reply);
    }
    await reply.pending;
    writeWhole(this.#codec, request, reply, out);
    const text = decoder.decode(out.view(0));
    await engine.settled();
    return text;
  }

  /** All that is counted by a counter: each day and its value. */
  counted(series: string, key: bigint): string[] {
    const cells = new Cells();
    const tree = this.karma.forest.named(series);
    tree?.collect(lowLane(key), highLane(key), 0, 0xffffffff, cells);
    return Array.from({ length: cells.count }, (_, at) => {
      const [day, lo, hi] = cells.words.subarray(3 * at);
      return `${day} ${u64ToBigInt(lo, hi)}`;
    });
  }

  /** A codec that has read nothing yet. */
  #interpret(): Codec {
    const { replyBytesMax = 1 << 20 } = this.#options;
    return codecOf({ replyBytesMax });
  }

  /** Asserts that all is well inside. */
  check(): void {
    for (const tree of this.karma.forest.visible()) checkTree(tree);
    this.karma.dedup.records.check();
  }
}

/** The line of an answer; of one that is done once, whether it had been done before. */
export function success(response: string, isRepeated: boolean | null): string {
  const idempotent = isRepeated === null ? "" : `,"idempotent":${isRepeated}`;
  return `{"protocol_version":2,"success":true,"response":${response}${idempotent},"error_code":null}\n`;
}

export function failure(code: string, sentence: string): string {
  return `{"protocol_version":2,"success":false,"response":"${sentence}","error_code":"${code}"}\n`;
}
