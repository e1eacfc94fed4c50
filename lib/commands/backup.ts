// `karma backup`: the data of a running server, or of a directory without one, as it is at one moment, in one file.
//
// Invariant: a file appears under its name when all of it is there and on the disk. The server keeps its data frozen for
// us, and goes on counting; it is told when we are done, and finds out when we are gone.

import { basename, dirname } from "@std/path";
import { type ToolLine, UsageError } from "../cli/mod.ts";
import type { Client } from "../client/mod.ts";
import { HostError, orHostError } from "../errors.ts";
import { replaceFile } from "../host/mod.ts";
import { Archive } from "../recovery/mod.ts";
import { type BackupHead, BackupWriter } from "./backup_file.ts";
import { Progress } from "./progress.ts";
import { clientOf, EXIT, type ExitCode, print, type ToolHost } from "./tool_host.ts";

type BackupLine = Extract<ToolLine, { name: "backup" }>;
type Out = (bytes: Uint8Array<ArrayBuffer>) => Promise<void>;

/** What is asked for at once: the server makes it into a reply in one go, in a millisecond or two. */
const PART_BYTES = 1 << 16;

/** A part of a backup, as a server gives it. */
interface Part {
  readonly moment: string;
  readonly data_base64: string;
}

/** Where the bytes of a backup come from. */
interface Source {
  readonly head: BackupHead;
  read(offset: number): Promise<Uint8Array<ArrayBuffer>>;
  /** Releases the data. */
  end(): Promise<void>;
}

export async function backup({ options, words }: BackupLine, host: ToolHost): Promise<ExitCode> {
  const [file] = words;
  const { terminal } = host;
  const source = options.directory === ""
    ? await sourceOfServer(await clientOf(options, host))
    : await sourceOfDirectory(options.directory, host);
  const { moment, files, bytes } = source.head;
  try {
    if (file === "-") {
      await write(source, host, (part) => terminal.write(part));
    } else {
      await orHostError(
        `${file} could not be written`,
        () =>
          replaceFile(host.disk, dirname(file), `.${basename(file)}.part`, async (writing) => {
            await write(source, host, (part) => writing.write(part));
            return basename(file);
          }),
      );
    }
  } finally {
    await source.end();
  }
  const told = `Backup of ${moment}: ${files} files, ${bytes} bytes`;
  if (file === "-") terminal.tell(`${told}\n`);
  else await print(terminal, told);
  return EXIT.done;
}

async function write(source: Source, host: ToolHost, out: Out): Promise<void> {
  const { head } = source;
  const writer = new BackupWriter(out);
  const progress = new Progress(host, "bytes");
  await writer.begin(head);
  let next = source.read(0);
  for (let offset = 0; offset < head.bytes;) {
    const part = await next;
    if (part.length === 0) throw new HostError("The backup could not be read", "it ends too early");
    offset += part.length;
    // The next part is on its way while this one is written.
    if (offset < head.bytes) next = source.read(offset);
    next.catch(() => {});
    await writer.entries(part);
    progress.tell(offset, head.bytes);
  }
  await writer.end();
  progress.end(head.bytes);
}

async function sourceOfServer(client: Client): Promise<Source> {
  let head: BackupHead;
  try {
    head = await client.get("backup.begin") as BackupHead;
  } catch (error) {
    client.close();
    throw error;
  }
  return {
    head,
    async read(offset) {
      const fields = { offset, limit: PART_BYTES };
      const { moment, data_base64: data } = await client.get("backup.read", fields) as Part;
      if (moment === head.moment) return Uint8Array.fromBase64(data);
      throw new HostError("The backup could not be read", "the server gave it up");
    },
    async end() {
      await client.ask("backup.end").catch(() => {}); // gone, it finds out by itself
      client.close();
    },
  };
}

async function sourceOfDirectory(directory: string, host: ToolHost): Promise<Source> {
  const what = `Directory ${directory} could not be read`;
  await orHostError(what, () => host.disk.list(directory)); // it is there
  const holder = await orHostError(what, () => host.lock(directory));
  if (holder !== null) {
    throw new UsageError(
      `Directory ${directory} is in use by ${holder}; back up that server: karma backup --server HOST:PORT FILE`,
    );
  }
  const archive = await orHostError(what, () => {
    return Archive.ofDirectory(host.disk, directory);
  });
  const { lsn, files, bytes } = archive;
  const moment = new Date().toISOString();
  return {
    head: { moment, lsn, files, bytes },
    read: (offset) => archive.read(offset, PART_BYTES),
    end: () => Promise.resolve(),
  };
}
