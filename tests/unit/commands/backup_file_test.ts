// The format of backups: what was written is read, and every damage is found.

import { assertEquals, assertRejects } from "@std/assert";
import { type BackupTaker, BackupWriter, readBackup } from "../../../lib/commands/backup_file.ts";
import { DamagedError } from "../../../lib/errors.ts";

const bytes = (text: string) => new TextEncoder().encode(text);
const HEAD = { moment: "2026-11-27T13:40:00.123Z", lsn: 7, files: 2, bytes: 99 };
const ENTRIES = '{"file":"a.tree","bytes":5}\nhello{"file":"b.wal","bytes":0}\n';

async function written(head = HEAD, entries = ENTRIES): Promise<Uint8Array<ArrayBuffer>> {
  const parts: number[] = [];
  const writer = new BackupWriter((part) => Promise.resolve(void parts.push(...part)));
  await writer.begin(head);
  for (let at = 0; at < entries.length; at += 7) {
    await writer.entries(bytes(entries.slice(at, at + 7)));
  }
  await writer.end();
  return Uint8Array.from(parts);
}

async function read(backup: Uint8Array, size = 1 << 20): Promise<string[]> {
  const told: string[] = [];
  let text = "";
  const taker: BackupTaker = {
    begin: (file, bytes) => Promise.resolve(void (text = `${file} ${bytes} `)),
    write: (part) => Promise.resolve(void (text += new TextDecoder().decode(part))),
    end: () => Promise.resolve(void told.push(text)),
  };
  let at = 0;
  const head = await readBackup((into) => {
    if (at === backup.length) return Promise.resolve(null);
    const part = backup.subarray(at, at + Math.min(size, into.length));
    into.set(part);
    at += part.length;
    return Promise.resolve(part.length);
  }, taker);
  return [head.moment, ...told];
}

Deno.test("backup file: what was written is read, however it comes", async () => {
  const backup = await written();
  for (const size of [1, 2, 3, 50, 1 << 20]) {
    assertEquals(await read(backup, size), [HEAD.moment, "a.tree 5 hello", "b.wal 0 "]);
  }
  assertEquals(await read(await written({ ...HEAD, files: 0 }, "")), [HEAD.moment]);
});

Deno.test("backup file: a byte that is another one, or missing, is found", async () => {
  const backup = await written();
  for (let at = 0; at < backup.length; at++) {
    const damaged = backup.slice();
    damaged[at] ^= 1;
    await assertRejects(() => read(damaged), DamagedError, "", `byte ${at}`);
    await assertRejects(() => read(backup.subarray(0, at)), DamagedError, "", `cut at ${at}`);
  }
  const more = Uint8Array.from([...backup, 10]);
  await assertRejects(() => read(more), DamagedError, "more follows its end");
});

Deno.test("backup file: names that lead elsewhere, other formats and versions are refused", async () => {
  for (const file of ["../a", "a/b", "/etc/passwd", "..", ".", ""]) {
    const entries = `${JSON.stringify({ file, bytes: 0 })}\n`;
    const backup = await written({ ...HEAD, files: 1 }, entries);
    await assertRejects(() => read(backup), DamagedError, "The backup is damaged behind file 0");
  }
  await assertRejects(() => read(bytes("hello\n")), DamagedError, "This is no backup of Karma");
  const later = bytes('{"format":"karma-backup","version":2}\n');
  await assertRejects(() => read(later), DamagedError, "The backup is of version 2");
});
