// The acceptor when descriptors run out: the others are refused for as long as that lasts, and no longer.
// And when clients go away before they are accepted: nobody waits for that.

import { assert, assertEquals } from "@std/assert";
import { Access } from "../../../lib/command/access.ts";
import { sleep } from "../../../lib/host/clock.ts";
import { Acceptor, type Newcomer } from "../../../lib/server/acceptor.ts";
import { Descriptors } from "../../../lib/server/descriptors.ts";
import { LocalKarma } from "../../support/local_karma.ts";
import { MemoryDisk } from "../../support/memory_disk.ts";

const OPTIONS = {
  requestBytesMax: 1024,
  requestTimeoutMs: 0,
  readTimeoutMs: 0,
  writeTimeoutMs: 0,
  connectionsMax: 10,
  corsOrigins: [],
  protocols: new Set(["json" as const]),
  noDelay: true,
  keepAlive: true,
  authTimeoutMs: 0,
  bufferBytesMax: 1 << 20,
  batchItemsMax: 10,
  replyBytesMax: 0,
  access: new Access(null, null),
};

/** A client that says nothing. */
function silent(): Newcomer & { told: string } {
  const closed = Promise.withResolvers<null>();
  return {
    told: "",
    read: () => closed.promise,
    write(bytes) {
      this.told += new TextDecoder().decode(bytes);
      return Promise.resolve(bytes.length);
    },
    closeWrite: () => Promise.resolve(),
    close: () => closed.resolve(null),
    setNoDelay() {},
    setKeepAlive() {},
  };
}

Deno.test("acceptor: without descriptors newcomers are refused, and taken again when there are some", async () => {
  const karma = await LocalKarma.start(new MemoryDisk("/dumps"));
  const { statistics } = karma.engine;
  let free = 8;
  const descriptors = new Descriptors(() => {
    if (free === 0) throw new Error("Too many open files (os error 24)");
    free--;
    return { close: () => free++ };
  });
  descriptors.hold();
  let next = Promise.withResolvers<Newcomer>();
  const listener = {
    accept: async () => {
      const newcomer = await next.promise;
      next = Promise.withResolvers();
      return newcomer;
    },
    close: () => next.reject(new Error("closed")),
  };
  const told: string[] = [];
  const acceptor = new Acceptor([listener], karma.engine, OPTIONS, descriptors, (line) => {
    told.push(line);
  });
  const running = acceptor.run();
  const come = async () => {
    const newcomer = silent();
    next.resolve(newcomer);
    await sleep(5);
    return newcomer;
  };
  await come();
  const error = new Error("Too many open files (os error 24)");
  const failing = next;
  next = Promise.withResolvers();
  failing.reject(error);
  await sleep(5);
  assertEquals(free, 8, "they are free for dumps");
  assertEquals(told, [
    "Connection could not be accepted: Too many open files (os error 24); for now at most 1 are taken",
  ]);
  assert((await come()).told.includes("too_many_connections"));
  free += 8; // the cause is gone
  const began = performance.now();
  while (statistics.connections < 2) {
    assert(performance.now() - began < 10_000, "it recovers");
    await come();
    await sleep(50);
  }
  assertEquals(free, 8, "as many are kept back as before");
  await acceptor.stop();
  await running;
  await LocalKarma.timersDone();
});

Deno.test("acceptor: clients that go away before they are accepted make nobody wait", async () => {
  const karma = await LocalKarma.start(new MemoryDisk("/dumps"));
  const closed = Promise.withResolvers<Newcomer>();
  const welcomed = Promise.withResolvers<void>();
  const causes = ["Transport endpoint is not connected (os error 107)", "(os error 103)"];
  let gone = 0;
  const listener = {
    accept: () => {
      if (gone < 1000) return Promise.reject(new Error(causes[gone++ % causes.length]));
      if (gone++ > 1000) return closed.promise;
      return Promise.resolve({ ...silent(), setNoDelay: () => welcomed.resolve() });
    },
    close: () => closed.reject(new Error("closed")),
  };
  const told: string[] = [];
  const descriptors = new Descriptors(() => ({ close() {} }));
  const acceptor = new Acceptor([listener], karma.engine, OPTIONS, descriptors, (line) => {
    told.push(line);
  });
  const running = acceptor.run();
  // At 100 ms for each of them it would be 100 s.
  const deadline = setTimeout(() => welcomed.reject(new Error("a newcomer waits")), 30_000);
  await welcomed.promise;
  clearTimeout(deadline);
  assertEquals(told, [], "there is nothing an operator could do about it");
  await acceptor.stop();
  await running;
  await LocalKarma.timersDone();
});
