// packaging/karma.service as systemd itself judges it: nothing misspelt, and little left exposed.

import { assertEquals } from "@std/assert";
import { fromFileUrl, join } from "@std/path";

const UNIT = fromFileUrl(new URL("../../packaging/karma.service", import.meta.url));
const BINARY = "/usr/local/bin/karma";
/** In tenths; the scale runs from 0 (safe) to 10. */
const EXPOSURE_MAX = 19;

function analyze(...args: string[]): { success: boolean; said: string } {
  const { success, stdout, stderr } = new Deno.Command("systemd-analyze", { args }).outputSync();
  const text = new TextDecoder();
  return { success, said: text.decode(stdout) + text.decode(stderr) };
}

function missing(): string | undefined {
  try {
    return analyze("--version").success ? undefined : "systemd-analyze does not work here";
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return "systemd-analyze is not installed";
    throw error;
  }
}

const reason = missing();
if (reason) console.log(`Skipped systemd_test.ts: ${reason}`);

Deno.test({ name: "systemd: the unit is without mistakes", ignore: reason !== undefined }, () => {
  // The check wants every command to exist. Karma need not be installed where it is tested, so a
  // copy of the unit names a program that surely is; nothing else in it changes.
  const text = Deno.readTextFileSync(UNIT);
  const parts = text.split(`ExecStart=${BINARY}\n`);
  assertEquals(parts.length, 2, "The unit starts another program, or starts it with options");
  const directory = Deno.makeTempDirSync({ prefix: "karma-systemd-" });
  try {
    const copy = join(directory, "karma.service");
    Deno.writeTextFileSync(copy, parts.join(`ExecStart=${Deno.execPath()}\n`));
    const { success, said } = analyze("verify", "--man=no", "--recursive-errors=no", copy);
    assertEquals(said, "");
    assertEquals(success, true);
  } finally {
    Deno.removeSync(directory, { recursive: true });
  }
});

Deno.test({ name: "systemd: the unit exposes little", ignore: reason !== undefined }, () => {
  const { success, said } = analyze(
    "security",
    "--offline=true",
    "--no-pager",
    `--threshold=${EXPOSURE_MAX}`,
    UNIT,
  );
  assertEquals(success, true, said);
});

/** The values of a setting in the unit. */
function settings(name: string): string[] {
  const lines = Deno.readTextFileSync(UNIT).split("\n");
  return lines.filter((line) => line.startsWith(`${name}=`)).map((line) =>
    line.slice(name.length + 1)
  );
}

Deno.test("systemd: Karma waits for the network, and is started again but where somebody must look", () => {
  for (const name of ["Wants", "After"]) assertEquals(settings(name), ["network-online.target"]);
  assertEquals(settings("StartLimitIntervalSec"), ["0"]);
  assertEquals(settings("Restart"), ["on-failure"]);
  // 1 and 5 are not among them: what is in the way of a start, or a full disk, may go by itself.
  assertEquals(settings("RestartPreventExitStatus"), ["2 3 4"]);
});
