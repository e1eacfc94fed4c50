// `karma restore`: a backup into an empty directory.
//
// Invariant: nothing of a backup is in the directory before all of it was read and its checksum fits; until then the files
// lie in a folder of it. Then they get their places, those of the log first: a start on a part of them finds that
// dumps are missing, and changes nothing.

import { join } from "@std/path";
import { type ToolLine, UsageError } from "../cli/mod.ts";
import { HostError, orHostError } from "../errors.ts";
import type { Writing } from "../host/mod.ts";
import { type BackupHead, readBackup } from "./backup_file.ts";
import { Progress } from "./progress.ts";
import { EXIT, type ExitCode, print, sourceOf, type ToolHost } from "./tool_host.ts";

type RestoreLine = Extract<ToolLine, { name: "restore" }>;

/** Where files wait until the backup is known to be whole. */
const FOLDER = ".karma-restore";
const LOCK_FILE = ".karma.lock";

export async function restore({ options, words }: RestoreLine, host: ToolHost): Promise<ExitCode> {
  const [file] = words;
  const { directory } = options;
  const { disk } = host;
  const source = await sourceOf(file, host);
  try {
    await prepare(directory, host);
    const { head, files } = await orHostError(`Directory ${directory} could not be written`, () => {
      return unpack((into) => source.read(into), source.size, directory, host);
    });
    await orHostError(`Directory ${directory} could not be written`, async () => {
      const isOfLog = (name: string) => name.endsWith(".wal");
      const order = [...files.filter(isOfLog), ...files.filter((name) => !isOfLog(name))];
      for (const name of order) {
        await disk.rename(join(directory, FOLDER, name), join(directory, name));
      }
      await disk.remove(join(directory, FOLDER));
      await disk.syncDirectory(directory);
    });
    await print(host.terminal, `Restored ${files.length} files, as of ${head.moment}`);
    return EXIT.done;
  } finally {
    source.close();
  }
}

/** Takes the directory, which must be empty but for what an earlier attempt has left, and makes the folder. */
async function prepare(directory: string, { disk, lock }: ToolHost): Promise<void> {
  const what = `Directory ${directory} could not be made`;
  await orHostError(what, () => disk.makeDirectory(directory));
  const holder = await orHostError(what, () => lock(directory));
  if (holder !== null) throw new UsageError(`Directory ${directory} is in use by ${holder}`);
  const names = await orHostError(what, () => disk.list(directory));
  if (names.some((name) => name !== LOCK_FILE)) {
    throw new UsageError(
      `Directory ${directory} is not empty: a backup is restored into an empty one`,
    );
  }
  await orHostError(what, async () => {
    const folder = join(directory, FOLDER);
    if (await disk.exists(folder)) await clear(folder, disk);
    await disk.makeDirectory(folder);
  });
}

async function clear(folder: string, disk: ToolHost["disk"]): Promise<void> {
  for (const name of await disk.list(folder)) await disk.remove(join(folder, name));
}

/** Writes the files of a backup into the folder; they are on the disk when it returns. */
async function unpack(
  read: (into: Uint8Array<ArrayBuffer>) => Promise<number | null>,
  size: number,
  directory: string,
  host: ToolHost,
): Promise<{ head: BackupHead; files: string[] }> {
  const { disk } = host;
  const folder = join(directory, FOLDER);
  const files: string[] = [];
  const progress = new Progress(host, "bytes");
  let writing: Writing | null = null;
  let taken = 0;
  try {
    const head = await readBackup(read, {
      async begin(file) {
        files.push(file);
        writing = await disk.create(join(folder, file));
      },
      async write(bytes) {
        await writing!.write(bytes);
        progress.tell(taken += bytes.length, size);
      },
      async end() {
        await writing!.sync();
        writing!.close();
        writing = null;
      },
    });
    await disk.syncDirectory(folder);
    progress.end(taken);
    return { head, files };
  } catch (error) {
    (writing as Writing | null)?.close();
    await clear(folder, disk);
    await disk.remove(folder);
    throw error instanceof Error ? error : new HostError("The backup could not be read", error);
  }
}
