// The memory of this process and of the machine: what can be said of it without knowing either.

import { assert } from "@std/assert";
import { machineMemoryBytes, memoryBytes } from "../../../lib/host/memory.ts";

Deno.test("memory: this process fits into what it may have, and that into the machine", () => {
  const machine = machineMemoryBytes();
  assert(Number.isSafeInteger(machine), `${machine}`);
  assert(memoryBytes() <= machine);
  assert(machine <= Deno.systemMemoryInfo().total);
});
