// The gate: how long strangers may stay, and which of them makes room for a newcomer.

import { assert, assertEquals } from "@std/assert";
import { Access } from "../../../lib/command/access.ts";
import { addressOf, Gate, type Stranger } from "../../../lib/server/gate.ts";
import { Notices } from "../../../lib/server/notices.ts";

const closed: string[] = [];

function strangers(gate: Gate, ...sinces: number[]): Stranger[] {
  return sinces.map((since) => {
    const stranger = { since, authenticate() {}, close: () => void closed.push(`${since}`) };
    gate.enter(stranger);
    return stranger;
  });
}

function gateOf(timeoutMs: number, told: string[] = []): Gate {
  return new Gate(new Access("t", null), timeoutMs, new Notices((line) => told.push(line)));
}

Deno.test("gate: strangers go when their time is over, those who are known stay", () => {
  const gate = gateOf(10_000);
  const [, known] = strangers(gate, 1000, 2000, 3000, 4000);
  gate.leave(known);
  gate.expire(11_000);
  assertEquals(closed.splice(0), []);
  gate.expire(13_001);
  assertEquals(closed.splice(0), ["1000", "3000"]);
  gate.expire(1e12);
  assertEquals(closed.splice(0), ["4000"]);
  const patient = gateOf(0);
  strangers(patient, 1000);
  patient.expire(1e12);
  assertEquals(closed.splice(0), [], "0 is no limit");
});

Deno.test("gate: the one that came first makes room, but not who has just come", () => {
  const gate = gateOf(10_000);
  const [first] = strangers(gate, 1000, 1500, 2000);
  gate.leave(first);
  assert(!gate.makeRoom(2499));
  assert(gate.makeRoom(2500));
  assert(!gate.makeRoom(2500));
  assert(gate.makeRoom(60_000));
  assert(!gate.makeRoom(60_000), "nobody is left");
  assertEquals(closed.splice(0), ["1500", "2000"]);
});

Deno.test("gate: requests without a right token are noted with where they came from", () => {
  const told: string[] = [];
  const gate = gateOf(0, told);
  gate.unauthorized({ remoteAddr: { transport: "tcp", hostname: "10.0.0.7", port: 4711 } });
  assertEquals(told, ["Request without a right token: from 10.0.0.7"]);
  assertEquals([addressOf({}), addressOf({ remoteAddr: {} })], Array(2).fill("an unknown address"));
});
