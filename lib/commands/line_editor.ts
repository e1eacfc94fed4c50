// A line that a person types at a raw terminal, with history and completion.
//
// Invariant: nothing but keys comes in and text to be shown goes out, so it can be tested without a terminal. `cursor` is
// within the line. Trade-off: lines are thought of as one row of characters that are all as wide; longer ones wrap as the
// terminal likes.

const ESCAPE = "\x1b";
/** An escape sequence, or one character. */
const KEY = new RegExp(`^${ESCAPE}(?:\\[[\\d;]*[~A-Za-z]|O[A-Za-z]|.)?|^[^]`, "u");
const HOME = ["\x01", `${ESCAPE}[H`, `${ESCAPE}[1~`, `${ESCAPE}OH`];
const END = ["\x05", `${ESCAPE}[F`, `${ESCAPE}[4~`, `${ESCAPE}OF`];

/** What a key has come to: a line, the end of the input, or neither. */
type Entered = { readonly line: string } | "end" | null;

export class LineEditor {
  readonly #prompt: string;
  readonly #complete: (line: string) => readonly string[];
  readonly #history: string[] = [];
  #line = "";
  #cursor = 0;
  /** The place in the history; its length: the line that is new. */
  #place = 0;
  #draft = "";
  /** What is to be shown beside the line. */
  #notes = "";

  /** `complete` gives what the word at the end of a line may be completed to. */
  constructor(prompt: string, complete: (line: string) => readonly string[]) {
    this.#prompt = prompt;
    this.#complete = complete;
  }

  /** The text that shows the line as it is. */
  get shown(): string {
    const notes = this.#notes;
    this.#notes = "";
    const back = this.#line.length - this.#cursor;
    const left = back === 0 ? "" : `${ESCAPE}[${back}D`;
    return `\r${notes}${ESCAPE}[K${this.#prompt}${this.#line}${left}`;
  }

  /** Takes the keys of a text one by one; gives what each line, or the end, was entered as. */
  *take(text: string): Generator<Exclude<Entered, null>> {
    for (let rest = text; rest !== "";) {
      const [key] = KEY.exec(rest)!;
      rest = rest.slice(key.length);
      const entered = this.#key(key);
      if (entered !== null) yield entered;
    }
  }

  #key(key: string): Entered {
    switch (key) {
      case "\r":
      case "\n":
        return { line: this.#enter() };
      case "\x03": // Ctrl-C
        this.#notes = `${ESCAPE}[K${this.#prompt}${this.#line}^C\r\n`;
        this.#replace("");
        return null;
      case "\x04": // Ctrl-D
        if (this.#line === "") return "end";
        this.#cut(this.#cursor, this.#cursor + 1);
        return null;
      case "\t":
        this.#tab();
        return null;
      case "\x7f":
      case "\b":
        this.#cut(this.#cursor - 1, this.#cursor);
        return null;
      case "\x15": // Ctrl-U
        this.#cut(0, this.#cursor);
        return null;
      case "\x17": { // Ctrl-W
        const start = this.#line.slice(0, this.#cursor).replace(/\S*\s*$/, "").length;
        this.#cut(start, this.#cursor);
        return null;
      }
      default:
        this.#moveOrInsert(key);
        return null;
    }
  }

  #moveOrInsert(key: string): void {
    const { length } = this.#line;
    if (key === `${ESCAPE}[A` || key === "\x10") this.#recall(this.#place - 1);
    else if (key === `${ESCAPE}[B` || key === "\x0e") this.#recall(this.#place + 1);
    else if (key === `${ESCAPE}[C` || key === "\x06") {
      this.#cursor = Math.min(this.#cursor + 1, length);
    } else if (key === `${ESCAPE}[D` || key === "\x02") {
      this.#cursor = Math.max(this.#cursor - 1, 0);
    } else if (HOME.includes(key)) this.#cursor = 0;
    else if (END.includes(key)) this.#cursor = length;
    else if (key === `${ESCAPE}[3~`) this.#cut(this.#cursor, this.#cursor + 1);
    else if (key >= " " && !key.startsWith(ESCAPE)) {
      this.#line = this.#line.slice(0, this.#cursor) + key + this.#line.slice(this.#cursor);
      this.#cursor += key.length;
    }
  }

  #enter(): string {
    const line = this.#line;
    if (line.trim() !== "" && line !== this.#history.at(-1)) this.#history.push(line);
    this.#replace("");
    return line;
  }

  #replace(line: string): void {
    this.#line = line;
    this.#cursor = line.length;
    this.#place = this.#history.length;
  }

  #cut(from: number, to: number): void {
    if (from < 0) return;
    this.#line = this.#line.slice(0, from) + this.#line.slice(to);
    this.#cursor = from;
  }

  #recall(place: number): void {
    if (place < 0 || place > this.#history.length) return;
    if (this.#place === this.#history.length) this.#draft = this.#line;
    const line = this.#history[place] ?? this.#draft;
    this.#line = line;
    this.#cursor = line.length;
    this.#place = place;
  }

  #tab(): void {
    const before = this.#line.slice(0, this.#cursor);
    const word = /\S*$/.exec(before)![0];
    const fitting = this.#complete(before);
    if (fitting.length === 0) return;
    const common = fitting.reduce((one, other) => {
      let at = 0;
      while (at < one.length && one[at] === other[at]) at++;
      return one.slice(0, at);
    });
    const added = common.slice(word.length) + (fitting.length === 1 ? " " : "");
    this.#line = before + added + this.#line.slice(this.#cursor);
    this.#cursor += added.length;
    if (fitting.length > 1 && added === "") {
      this.#notes = `${ESCAPE}[K${fitting.join("  ")}\r\n`;
    }
  }
}
