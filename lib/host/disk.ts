// The disk outside, as little of it as Karma uses. Tests put a simulated one in its place.
//
// Every method throws what the system says, unchanged; whoever promised something with it makes a
// sentence of that. Nothing here is buffered: what `write` took is with the kernel, what `sync`
// returned from is on the disk.

/** A file that is being read from its beginning. */
export interface Reading {
  readonly size: number;
  /** Reads some bytes into an array and returns how many; null at the end. */
  read(into: Uint8Array<ArrayBuffer>): Promise<number | null>;
  close(): void;
}

/** A file that is being written from its beginning. */
export interface Writing {
  /** Writes all of the bytes. */
  write(bytes: Uint8Array<ArrayBuffer>): Promise<void>;
  sync(): Promise<void>;
  close(): void;
}

export interface Disk {
  /** The names of the regular files in a directory, links to such files included. */
  list(directory: string): Promise<string[]>;
  /** Opens a file; null when there is no regular file of that name. */
  open(path: string): Promise<Reading | null>;
  /** Creates a file, or empties the one that is there. */
  create(path: string): Promise<Writing>;
  exists(path: string): Promise<boolean>;
  /** Gives a file another name, in place of the file that has it. Lasting after `syncDirectory`. */
  rename(from: string, to: string): Promise<void>;
  remove(path: string): Promise<void>;
  syncDirectory(directory: string): Promise<void>;
  makeDirectory(directory: string): Promise<void>;
}

export class HostDisk implements Disk {
  async list(directory: string): Promise<string[]> {
    const names: string[] = [];
    for await (const entry of Deno.readDir(directory)) {
      // A link that leads nowhere, or in a circle, is nobody's dump.
      const link = () => isFile(`${directory}/${entry.name}`).catch(() => false);
      if (entry.isFile || entry.isSymlink && await link()) names.push(entry.name);
    }
    return names;
  }

  async open(path: string): Promise<Reading | null> {
    if (!await isFile(path)) return null;
    const file = await Deno.open(path, { read: true });
    const { size } = await file.stat();
    return { size, read: (into) => file.read(into), close: () => file.close() };
  }

  async create(path: string): Promise<Writing> {
    const file = await Deno.open(path, { write: true, create: true, truncate: true });
    return {
      async write(bytes) {
        for (let at = 0; at < bytes.length;) at += await file.write(bytes.subarray(at));
      },
      sync: () => file.syncData(),
      close: () => file.close(),
    };
  }

  async exists(path: string): Promise<boolean> {
    try {
      await Deno.lstat(path);
      return true;
    } catch (error) {
      if (error instanceof Deno.errors.NotFound) return false;
      throw error;
    }
  }

  rename(from: string, to: string): Promise<void> {
    return Deno.rename(from, to);
  }

  remove(path: string): Promise<void> {
    return Deno.remove(path);
  }

  async syncDirectory(directory: string): Promise<void> {
    const handle = await Deno.open(directory, { read: true });
    try {
      await handle.sync();
    } finally {
      handle.close();
    }
  }

  makeDirectory(directory: string): Promise<void> {
    return Deno.mkdir(directory, { recursive: true });
  }
}

async function isFile(path: string): Promise<boolean> {
  try {
    return (await Deno.stat(path)).isFile;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw error;
  }
}
