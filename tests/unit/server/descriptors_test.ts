// Descriptors that are kept back: given up when there are none, and had again when there are enough.

import { assert, assertEquals, assertThrows } from "@std/assert";
import { Descriptors } from "../../../lib/server/descriptors.ts";

/** A system with so many descriptors. */
class System {
  free: number;

  constructor(free: number) {
    this.free = free;
  }

  readonly open = () => {
    if (this.free === 0) throw new Error("Too many open files (os error 24)");
    this.free--;
    let isOpen = true;
    return {
      close: () => {
        assert(isOpen, "each is closed once");
        isOpen = false;
        this.free++;
      },
    };
  };
}

Deno.test("descriptors: they are held, given up once, and had again only when there are more", () => {
  const system = new System(20);
  const descriptors = new Descriptors(system.open);
  descriptors.hold();
  assertEquals(system.free, 12);
  system.free = 0; // connections have them
  assert(descriptors.release());
  assertEquals(system.free, 8);
  assert(!descriptors.release(), "they are gone");
  for (let free = 0; free < 16; free++) {
    system.free = free;
    assert(!descriptors.recover(), `${free}`);
    assertEquals(system.free, free, "what was opened to see is closed");
  }
  system.free = 16;
  assert(descriptors.recover());
  assertEquals(system.free, 8);
  assert(descriptors.recover(), "also when they are held already");
  assertEquals(system.free, 8);
});

Deno.test("descriptors: without enough of them at the start there is an error", () => {
  const descriptors = new Descriptors(new System(3).open);
  assertThrows(() => descriptors.hold(), Error, "Too many open files");
});
