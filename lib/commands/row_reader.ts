// Lines of CSV or JSON → the key, day and value of each.
//
//     42,20260105,7                                CSV; a first line `key,day,value` names the columns, in any order
//     {"key":42,"day":20260105,"value":7}          JSON lines; or [42,20260105,7]
//
// Invariant: integers are read digit by digit, never as numbers.

/** The three texts of a line. */
interface Row {
  readonly key: string;
  readonly day: string;
  readonly value: string;
}

/** Reads a line; a text that is returned says what is wrong with it. null: it is no row, and nothing is wrong. */
type RowReader = (line: string) => Row | string | null;

/** How lines are written. */
export type RowFormat = "csv" | "jsonl";

/** What each column may be called. */
const NAMES: Readonly<Record<keyof Row, readonly string[]>> = {
  key: ["key"],
  day: ["day", "date", "bucket"],
  value: ["value"],
};

/** A field, quoted or not, and the comma or the end behind it. */
const FIELD = /(?:"((?:[^"]|"")*)"|([^",]*))(,|$)/y;

/** The format that the name of a file tells; null: it tells none. */
export function formatOf(file: string): RowFormat | null {
  if (/\.csv$/i.test(file)) return "csv";
  return /\.(jsonl|ndjson)$/i.test(file) ? "jsonl" : null;
}

/** A reader for the lines of a file, which it must be given in their order. */
export function rowReader(format: RowFormat): RowReader {
  return format === "csv" ? csvReader() : readJson;
}

function csvReader(): RowReader {
  let columns: Readonly<Record<keyof Row, number>> = { key: 0, day: 1, value: 2 };
  let isFirst = true;
  return (line) => {
    if (line.trim() === "") return null;
    const text = isFirst ? line.replace(/^\ufeff/, "") : line;
    const fields = fieldsOf(text);
    if (fields === null) return "the quotes do not fit";
    const named = isFirst ? columnsOf(fields) : null;
    isFirst = false;
    if (named !== null) {
      columns = named;
      return null;
    }
    const [key, day, value] = [fields[columns.key], fields[columns.day], fields[columns.value]];
    if (key !== undefined && day !== undefined && value !== undefined) return { key, day, value };
    return `there are ${fields.length} columns`;
  };
}

/** The fields of a line; null if its quotes do not fit. */
function fieldsOf(line: string): string[] | null {
  const fields: string[] = [];
  FIELD.lastIndex = 0;
  while (true) {
    const match = FIELD.exec(line);
    if (match === null) return null;
    const [, quoted, plain, end] = match;
    fields.push(quoted === undefined ? plain.trim() : quoted.replaceAll('""', '"'));
    if (end === "") return fields;
  }
}

/** Where the columns are, if these are their names. */
function columnsOf(fields: readonly string[]): Readonly<Record<keyof Row, number>> | null {
  const place = (names: readonly string[]) =>
    fields.findIndex((field) => names.includes(field.toLowerCase()));
  const [key, day, value] = [place(NAMES.key), place(NAMES.day), place(NAMES.value)];
  return key < 0 || day < 0 || value < 0 ? null : { key, day, value };
}

function readJson(line: string): Row | string | null {
  if (line.trim() === "") return null;
  let value: unknown;
  try {
    const digits = (_: string, of: unknown, context?: { source: string }) =>
      typeof of === "number" ? context!.source : of;
    value = JSON.parse(line, digits);
  } catch {
    return "it is no JSON";
  }
  const row = Array.isArray(value) ? { key: value[0], day: value[1], value: value[2] } : value;
  if (row === null || typeof row !== "object") return "it is neither an object nor a list";
  const found = (names: readonly string[]) =>
    names.map((name) => (row as Record<string, unknown>)[name]).find((of) => of !== undefined);
  const [key, day, amount] = [found(NAMES.key), found(NAMES.day), found(NAMES.value)];
  if (typeof key !== "string") return "it has no key";
  if (typeof day !== "string") return "it has no day";
  return typeof amount === "string" ? { key, day, value: amount } : "it has no value";
}
