// Zones by the bytes of their names: in any case, and nothing that is no name.

import { assert, assertEquals, assertStrictEquals } from "@std/assert";
import { TimeZones } from "../../../lib/command/time_zones.ts";

const zones = new TimeZones();

function find(name: string) {
  const bytes = new TextEncoder().encode(`"${name}"`);
  return zones.find(bytes, 1, bytes.length - 1);
}

Deno.test("time zones: a name is one zone, whatever its case", () => {
  const zone = find("America/New_York");
  assert(zone !== null);
  assertEquals(zone.name, "america/new_york");
  for (const name of ["America/New_York", "america/new_york", "AMERICA/NEW_YORK"]) {
    assertStrictEquals(find(name), zone, name);
  }
  assertEquals(zone.startOf(20260701), Date.parse("2026-07-01T04:00:00Z"));
  assert(find("Europe/Berlin") !== zone);
  for (const name of ["UTC", "Etc/GMT+5", "US/Eastern", "America/Argentina/ComodRivadavia"]) {
    assert(find(name) !== null, name);
  }
});

Deno.test("time zones: what is no name finds none, again and again", () => {
  const names = [
    "",
    "Mars/Olympus",
    "local",
    "LOCAL",
    "+02:00",
    "-05",
    " UTC",
    "UTC\0",
    "Europe/Berlin/",
    "E".repeat(65),
    "\u00fc",
  ];
  for (const name of [...names, ...names]) assertEquals(find(name), null, name);
});

Deno.test("time zones: more spellings than places, all of them right", () => {
  const names = Intl.supportedValuesOf("timeZone");
  for (const round of [0, 1]) {
    for (const [index, name] of names.entries()) {
      const spelled = (index + round) % 2 === 0 ? name : name.toUpperCase();
      assertEquals(find(spelled)?.name, name.toLowerCase());
    }
  }
});
