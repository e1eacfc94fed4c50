// Dumps of hidden trees: they stay for as long as the log may need them.

import { assertEquals } from "@std/assert";
import { StateWriter } from "../../../lib/state/state_writer.ts";
import { contentsOf } from "../../fuzz/dump_fuzz.ts";
import { LocalKarma } from "../../support/local_karma.ts";

const HIDDEN = "\0staged-1";

Deno.test("dumper: a hidden tree that gets its name while all is dumped is not lost", async () => {
  const kinds = ["create", "sync", "rename", "syncDirectory", "remove"] as const;
  for (const kind of kinds) {
    for (let count = 1; count <= 6; count++) {
      const karma = await LocalKarma.start();
      const stateWriter = new StateWriter(karma.forest, karma.dedup, karma.wal, true);
      for (const name of [HIDDEN, "t"]) stateWriter.create(name);
      const hidden = karma.forest.named(HIDDEN)!;
      stateWriter.add(hidden, 5, 0, 20260101, 3, 0);
      let left = count;
      karma.disk.latency = (happens) => {
        if (happens === kind && --left === 0) stateWriter.adopt(hidden, "t");
      };
      assertEquals(await karma.checkpointer.dumpAll("a test"), 0);
      karma.disk.latency = () => null;
      await karma.wal.sync();
      const disk = karma.disk.clone();
      disk.crash({ names: true, bytes: true });
      const again = await LocalKarma.start(disk);
      const name = left <= 0 ? "t" : HIDDEN;
      assertEquals(contentsOf(again.forest.named(name)!), contentsOf(hidden), `${kind} ${count}`);
      await again.checkpointer.dumpAll("a test");
      assertEquals(again.forest.trees().length, left <= 0 ? 1 : 2);
      const files = (await again.files()).filter((file) => file.includes("%00"));
      assertEquals(files.length > 0, left > 0, "what nobody needs any more is gone");
      for (const { wal } of [karma, again]) await wal.close();
    }
  }
});
