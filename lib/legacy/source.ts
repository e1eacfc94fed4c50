// The directory of Karma 1.x as its files, for reading. What the system says becomes a HostError that
// names the file; what is wrong in a file, a DamagedError that does.

import { join } from "@std/path";
import { asHostError, DamagedError, orHostError, sentenceOf } from "../errors.ts";
import { type Disk, ReadWindow } from "../host/mod.ts";
import { JsonReader } from "./json_reader.ts";

export class Source {
  readonly #directory: string;
  readonly #disk: Disk;

  constructor(directory: string, disk: Disk) {
    this.#directory = directory;
    this.#disk = disk;
  }

  /** The names of all files, in order. */
  async list(): Promise<string[]> {
    const failure = `Directory ${this.#directory} could not be listed`;
    return (await orHostError(failure, () => this.#disk.list(this.#directory))).sort();
  }

  /** Reads a file through a window; null when there is no such file. */
  async read<T>(file: string, read: (window: ReadWindow, size: number) => Promise<T>) {
    let reading = null;
    try {
      reading = await this.#disk.open(join(this.#directory, file));
      return reading === null ? null : await read(new ReadWindow(reading), reading.size);
    } catch (error) {
      if (error instanceof DamagedError) throw damaged(file, error);
      throw asHostError(`File ${file} could not be read`, error);
    } finally {
      reading?.close();
    }
  }

  /** Reads a file that is one JSON text, in one go. False: there is no such file. */
  async readJson(file: string, read: (reader: JsonReader) => void): Promise<boolean> {
    const done = await this.read(file, async (window, size) => {
      await window.fill(size + 1);
      const reader = new JsonReader(window.bytes, window.at, window.end);
      read(reader);
      reader.end();
      return true;
    });
    return done ?? false;
  }
}

function damaged(file: string, error: DamagedError): DamagedError {
  return new DamagedError(`File ${file} of Karma 1.x is damaged: ${sentenceOf(error)}`, {
    cause: error,
  });
}
