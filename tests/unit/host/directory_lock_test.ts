// The hold on a directory: who has it is told, and what becomes of its name is noticed.

import { assert, assertEquals, assertMatch, assertThrows } from "@std/assert";
import { HostDisk } from "../../../lib/host/disk.ts";
import { DirectoryLock } from "../../../lib/host/directory_lock.ts";

async function taken(directory: string): Promise<DirectoryLock> {
  const hold = await DirectoryLock.take(directory);
  assert(!("holder" in hold));
  return hold;
}

Deno.test({
  name: "hold: a directory is taken once, whatever becomes of the lock file, and put back",
  sanitizeResources: false, // a hold lasts as long as its process
  async fn() {
    const directory = Deno.makeTempDirSync({ prefix: "karma-test-" });
    const lock = `${directory}/.karma.lock`;
    try {
      const hold = await taken(directory);
      assertEquals(await DirectoryLock.take(directory), { holder: `${Deno.pid}` });
      Deno.removeSync(lock);
      assertEquals(await DirectoryLock.take(directory), { holder: "" });
      assertEquals([...Deno.readDirSync(directory)], [], "Who is refused leaves nothing there");
      const told: string[] = [];
      for (let look = 0; look < 2; look++) hold.restore((line) => told.push(line));
      assertEquals(told, [`${lock} was removed, and is put back`]);
      assertEquals(Deno.readTextFileSync(lock), `${Deno.pid}\n`);
    } finally {
      Deno.removeSync(directory, { recursive: true });
    }
  },
});

Deno.test({
  name: "hold: a directory that is lost is told at once, and nothing in its place is touched",
  sanitizeResources: false,
  async fn() {
    const home = Deno.makeTempDirSync({ prefix: "karma-test-" });
    const directory = `${home}/data`;
    const file = `${directory}/x`;
    try {
      Deno.mkdirSync(directory);
      const hold = await taken(directory);
      const lost: string[] = [];
      hold.onLost((sentence) => lost.push(sentence));
      const disk = new HostDisk();
      disk.hold = hold;
      disk.check();
      Deno.renameSync(directory, `${home}/elsewhere`);
      assertMatch(hold.fault()!, /is not there any more/);
      Deno.mkdirSync(directory);
      Deno.writeTextFileSync(file, "another's");
      assertMatch(hold.fault()!, /is another one now/);
      const changes: (() => unknown)[] = [
        () => disk.append(file),
        () => disk.renameNow(file, `${file}2`),
        () => disk.removeNow(file),
      ];
      for (const change of changes) assertThrows(change, Error, "is another one now");
      const soon = [
        disk.create(file),
        disk.rename(file, `${file}2`),
        disk.remove(file),
        disk.truncate(file, 0),
      ];
      const ends = await Promise.allSettled(soon);
      assertEquals(ends.map(({ status }) => status), Array(soon.length).fill("rejected"));
      assertEquals(lost.length, changes.length + soon.length);
      assertEquals(Deno.readTextFileSync(file), "another's");
    } finally {
      Deno.removeSync(home, { recursive: true });
    }
  },
});
