// The names of MemoryDisk's files as processes see them, and how many of them a power cut leaves.
//
//   safe      the names as of the last syncs of their directories
//   changes   | x is file 1 | x is none, y is file 1 | ...     since then, in order
//   seen      the safe names with all of the changes
//
// Invariant: a crash leaves the safe names with the first so many changes, each as a whole: that is
// what the journal of a file system gives. A directory itself is safe at once, which Karma does not
// rely on.

import { MemoryFile } from "./memory_file.ts";

/** Names that change at once; null: there is no such name any more. */
type Change = readonly (readonly [path: string, file: MemoryFile | null])[];

export class MemoryNames {
  readonly #directories: Set<string>;
  #seen = new Map<string, MemoryFile>();
  #safe = new Map<string, MemoryFile>();
  #changes: Change[] = [];
  /** Counts all changes, of whatever kind. */
  #count = 0;

  constructor(directories: Iterable<string>) {
    this.#directories = new Set(directories);
  }

  /** How many changes are not safe. */
  get changes(): number {
    return this.#changes.length;
  }

  /** The same names, of copies of the same files. */
  copy(): MemoryNames {
    const copy = new MemoryNames(this.#directories);
    const copies = new Map<MemoryFile, MemoryFile>();
    const copyOf = (file: MemoryFile) => {
      const known = copies.get(file);
      if (known !== undefined) return known;
      const made = file.copy();
      copies.set(file, made);
      return made;
    };
    for (const [path, file] of this.#seen) copy.#seen.set(path, copyOf(file));
    for (const [path, file] of this.#safe) copy.#safe.set(path, copyOf(file));
    copy.#changes = this.#changes.map((change) => {
      return change.map(([path, file]) => [path, file && copyOf(file)]);
    });
    return copy;
  }

  get(path: string): MemoryFile | undefined {
    return this.#seen.get(path);
  }

  /** The file of that name, which must be there. */
  file(path: string): MemoryFile {
    const file = this.#seen.get(path);
    if (file === undefined) throw new Error(`No such file: ${path}`);
    return file;
  }

  files(): Iterable<MemoryFile> {
    return this.#seen.values();
  }

  /** The names in a directory. */
  in(directory: string): string[] {
    this.#check(directory);
    const paths = [...this.#seen.keys()].filter((path) => directoryOf(path) === directory);
    return paths.map((path) => path.slice(directory.length + 1));
  }

  /** How often names in any directory have changed. */
  changesOf(directory: string): number {
    this.#check(directory);
    return this.#count;
  }

  create(path: string): MemoryFile {
    this.#check(directoryOf(path));
    const file = new MemoryFile();
    this.#change([[path, file]]);
    return file;
  }

  rename(from: string, to: string): void {
    this.#check(directoryOf(to));
    this.#change([[from, null], [to, this.file(from)]]);
  }

  /** Removes a file, or a directory that is empty. */
  remove(path: string): void {
    if (this.#directories.has(path)) {
      const names = [...this.#seen.keys()].filter((name) => directoryOf(name) === path);
      if (names.length > 0) throw new Error(`Not empty: ${names}`);
      this.#directories.delete(path);
      return;
    }
    this.file(path);
    this.#change([[path, null]]);
  }

  /** Puts a file there whose name no crash takes. */
  put(path: string, file: MemoryFile): void {
    this.#change([[path, file]]);
    this.#sync((other) => other === path);
  }

  makeDirectory(directory: string): void {
    this.#directories.add(directory);
  }

  syncDirectory(directory: string): void {
    this.#check(directory);
    this.#sync((path) => directoryOf(path) === directory);
  }

  /** The power was off: of the changes that were not safe, the first ones are here. */
  crash(changes: number): void {
    for (const change of this.#changes.slice(0, changes)) {
      for (const entry of change) apply(this.#safe, entry);
    }
    this.#changes = [];
    this.#seen = new Map(this.#safe);
    this.#count++;
  }

  #change(change: Change): void {
    for (const entry of change) apply(this.#seen, entry);
    this.#changes.push(change);
    this.#count++;
  }

  /** All names that `isMeant` accepts are safe from now on. */
  #sync(isMeant: (path: string) => boolean): void {
    const rest: Change[] = [];
    for (const change of this.#changes) {
      for (const entry of change) if (isMeant(entry[0])) apply(this.#safe, entry);
      const others = change.filter(([path]) => !isMeant(path));
      if (others.length > 0) rest.push(others);
    }
    this.#changes = rest;
  }

  #check(directory: string): void {
    if (!this.#directories.has(directory)) throw new Error(`No such directory: ${directory}`);
  }
}

function directoryOf(path: string): string {
  return path.slice(0, path.lastIndexOf("/"));
}

function apply(names: Map<string, MemoryFile>, [path, file]: Change[number]): void {
  if (file === null) names.delete(path);
  else names.set(path, file);
}
