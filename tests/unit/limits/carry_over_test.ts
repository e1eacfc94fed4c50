// What is carried over: beside bigints, at the edges of lanes and at random.

import { assertEquals } from "@std/assert";
import { highLane, lowLane, u64ToBigInt } from "../../../lib/bytes/u64.ts";
import { carryOver } from "../../../lib/limits/carry_over.ts";
import { Random } from "../../support/random.ts";

const U64_MAX = (1n << 64n) - 1n;
const EDGES = [0n, 1n, 5n, (1n << 32n) - 1n, 1n << 32n, (1n << 32n) + 1n, 1n << 63n, U64_MAX];

const lanes = (value: bigint) => [lowLane(value), highLane(value)] as const;

function carried(max: bigint, bound: bigint, used: bigint): bigint {
  const sum = Uint32Array.from(lanes(used));
  carryOver(lanes(max), lanes(bound), sum);
  return u64ToBigInt(sum[0], sum[1]);
}

/** The same, said in bigints. */
function expected(max: bigint, bound: bigint, used: bigint): bigint {
  const bounds = [max > used ? max - used : 0n, bound, U64_MAX - max];
  return bounds.reduce((least, one) => one < least ? one : least);
}

Deno.test("carry over: what is unused of the max, and no more than the bound", () => {
  assertEquals(carried(1000n, 500n, 700n), 300n);
  assertEquals(carried(1000n, 200n, 700n), 200n);
  assertEquals(carried(1000n, 500n, 1000n), 0n);
  assertEquals(carried(1000n, 500n, 1200n), 0n, "what had been carried is used up last");
});

Deno.test("carry over: beside bigints", () => {
  const seed = Math.floor(Math.random() * 2 ** 31);
  console.log(`seed ${seed}`);
  const random = new Random(seed);
  for (const max of EDGES) {
    for (const bound of EDGES) {
      for (const used of EDGES) {
        assertEquals(
          carried(max, bound, used),
          expected(max, bound, used),
          `${[max, bound, used]}`,
        );
      }
    }
  }
  const draw = () => random.pick(EDGES) ^ BigInt(random.below(1 << 30));
  for (let time = 0; time < 5000; time++) {
    const [max, bound, used] = [draw(), draw(), draw()];
    assertEquals(carried(max, bound, used), expected(max, bound, used), `${[max, bound, used]}`);
  }
});
