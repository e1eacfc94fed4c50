// What a line is in protocol v2, by JSON.parse and the rules as they are written down: a second reading,
// which shares nothing with the decoder but the form of its answer (support/asker.ts).
//
// It gives up on operations about limits ("limit.*"), whose lists have rules of their own.

import { keyTextOf } from "./key_model.ts";
import { bytesOf, tokensOf } from "./json_text.ts";

const U64_MAX = 2n ** 64n - 1n;
const WHOLE = `must be an integer from 0 to ${U64_MAX}`;
const AT_LEAST_0 = "must be greater than or equal to 0";
const BAD_DAY = "Invalid bucket date";

/** Each operation: what it is called inside and in errors, what it does, its fields, its names. */
const TABLE = `
ping            ping                  read  :                          : system.ping
health          health                read  :                          : system.health
stats           stats                 read  :                          : system.stats
metrics         metrics               read  :                          : system.metrics
trees           trees                 read  : limit=0/10000 cursor : tree.list
create          create                write : tree                     : tree.create
drop            drop                  write : tree                     : tree.drop
increment       increment             once  : tree key day value       : counter.increment series.increment
decrement       decrement             once  : tree key day value       : counter.decrement
addAll          batch_add             once  : tree amounts             : series.batch_add counter.batch_increment
setAll          batch_set             once  : tree items               : series.batch_set
sum             sum                   read  : range? tree key          : counter.sum series.sum
sumAll          batch_sum             read  : range? tree keys         : counter.batch_sum series.batch_sum
sumAcross       multi_sum             read  : range? counters          : counter.multi_sum
find            find                  read  : range tree key           : counter.series series.points
findAll         find                  read  : range tree               : tree.series
reset           reset                 once  : tree key                 : counter.reset
resetAll        reset                 once  : tree                     : tree.reset
resetKeys       batch_reset           once  : tree keys                : counter.batch_reset
delete          delete                once  : range tree key           : counter.delete_range
deleteAll       delete                once  : range tree               : tree.delete_range
deleteKeys      batch_delete_range    once  : range tree keys          : counter.batch_delete_range
compact         compact               write : tree                     : series.compact tree.compact
compactAll      compact               write :                          : system.compact
deleteBefore    delete_before         write : tree before              : series.delete_before tree.delete_before
treeInfo        tree_info             read  : tree                     : tree.info
treeKeys        tree_keys             read  : tree limit=1000/10000 cursor : tree.keys
treeSummary     tree_summary          read  : range? tree cursor       : tree.summary
treeTop         tree_top              read  : range? tree limit=100/1000 cursor : tree.top
ingestBegin     ingest_begin          write : stream mode granularity  : ingest.begin
ingestChunk     ingest_chunk          write : tree stream sequence items : ingest.chunk
ingestCommit    ingest_commit         write : stream                   : ingest.commit
ingestAbort     ingest_abort          write : stream                   : ingest.abort
dump            dump                  write : tree                     : snapshot.create
dumpAll         dump_all              write :                          : snapshot.create_all
dumps           dumps                 read  : limit=0/10000 after : snapshot.list
load            load                  write : file                     : snapshot.load
snapshotInfo    snapshot_info         read  : limit=0/10000 after : snapshot.info
verify          verify                admin :                          : snapshot.verify
fetch           snapshot_fetch        read  : file                     : snapshot.fetch
fetchChunk      snapshot_fetch_chunk  read  : file offset limit=262144/524288 : snapshot.fetch_chunk
backupBegin     backup_begin          admin :                          : backup.begin
backupRead      backup_read           admin : offset limit=262144/524288 : backup.read
backupEnd       backup_end            admin :                          : backup.end
prune           idempotency_prune     write : time limit=0/100000      : idempotency.prune
checkpoint      recovery_checkpoint   write : source progress          : recovery.checkpoint
checkpoints     recovery_status       read  : source?                  : recovery.status
reconcile       reconciliation_report write : report                   : reconciliation.report
replication     replication_status    read  : limit=0/10000 after : replication.status
`;

interface Row {
  readonly id: string;
  readonly label: string;
  readonly access: string;
  readonly fields: string[];
}

const wordsOf = (text: string) => text.split(/\s+/).filter((word) => word !== "");

/** The operations by their names. */
export const ROWS = new Map<string, Row>(
  TABLE.trim().split("\n").flatMap((line) => {
    const [head, fields, names] = line.split(" :").map(wordsOf);
    const [id, label, access] = head;
    return names.map((name): [string, Row] => [name, { id, label, access, fields }]);
  }),
);

/** The tokens that let in; null: there are none. */
export interface Tokens {
  readonly full: string;
  readonly read: string;
}

/** A number as it stands in the line. */
class Num {
  readonly source: string;

  constructor(source: string) {
    this.source = source;
  }

  /** The integer that it is; null: it is a fraction. */
  get integer(): bigint | null {
    return /^-?\d+$/.test(this.source) ? BigInt(this.source) : null;
  }
}

/** A string as the bytes that it stands for, a character a byte. */
class Str {
  readonly bytes: string;

  constructor(token: string) {
    this.bytes = bytesOf(token);
  }

  /** The text; null: it is no UTF-8. */
  get text(): string | null {
    try {
      const bytes = Uint8Array.from(this.bytes, (character) => character.charCodeAt(0));
      return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
    } catch {
      return null;
    }
  }
}

type Value = undefined | null | boolean | Num | Str | Value[] | { [name: string]: Value };

/** Gives a string or number as its token, from what JSON.parse says that it stood for. */
function revive(_: string, value: unknown, context?: { source?: string }): unknown {
  if (typeof value === "number") return new Num(context!.source!);
  if (typeof value === "string") return new Str(context!.source!);
  return value;
}

const parse = JSON.parse as (text: string, revive: unknown) => Value;

class Refusal {
  readonly text: string;

  constructor(sentence: string, code = "validation_error") {
    this.text = `${code} ${sentence}`;
  }
}

/** What a line says; null where the model does not know, and "v1" for what is in that. */
export function expected(
  line: Uint8Array,
  spoken: "v1" | "v2",
  tokens: Tokens | null,
  itemsMax: number,
): string | null {
  const parts = tokensOf(line);
  if (parts === null) return "invalid_json";
  const text = Array.from(line, (byte) => String.fromCharCode(byte)).join("");
  const root = parse(text, revive);
  if (!isObject(root)) return "validation_error Request must be a JSON object";
  const isOurs = Object.hasOwn(root, "v") || Object.hasOwn(root, "op");
  if (!isOurs && (Object.hasOwn(root, "command") || spoken === "v1")) return "v1";
  if (parts.some(isBeyond)) return "invalid_json Invalid JSON: a number is too large";
  try {
    return new Reader(root, itemsMax).read(tokens);
  } catch (refusal) {
    if (refusal instanceof Refusal) return refusal.text;
    throw refusal;
  }
}

function isObject(value: Value): value is { [name: string]: Value } {
  return value !== null && typeof value === "object" && !Array.isArray(value) &&
    !(value instanceof Num) && !(value instanceof Str);
}

/** Whether a token is a number that an unsigned 64-bit integer, with its sign, or a double can't hold. */
function isBeyond(token: string): boolean {
  if (!/^[-\d]/.test(token)) return false;
  if (/^-?\d+$/.test(token)) return BigInt(token.replace("-", "")) > U64_MAX;
  return !Number.isFinite(Number(token));
}

function isDay(number: bigint): boolean {
  const digits = String(number);
  if (!/^[1-9]\d{7}$/.test(digits)) return false;
  const [year, month, day] = [digits.slice(0, 4), digits.slice(4, 6), digits.slice(6)].map(Number);
  const date = new Date(Date.UTC(year, month - 1, day));
  return date.getUTCFullYear() === year && date.getUTCMonth() === month - 1 &&
    date.getUTCDate() === day;
}

/** Whether a string has more digits than a day, zeros at the front among them. */
function hasMoreDigits(value: Value): boolean {
  return value instanceof Str && value.bytes.replaceAll("-", "").length > 8;
}

function milliseconds(day: bigint): number {
  const digits = String(day);
  return Date.UTC(
    Number(digits.slice(0, 4)),
    Number(digits.slice(4, 6)) - 1,
    Number(digits.slice(6)),
  );
}

class Reader {
  readonly #root: { [name: string]: Value };
  readonly #itemsMax: number;
  /** What is of the right shape but no good: the first is told when all shapes are right. */
  readonly #later: string[] = [];

  constructor(root: { [name: string]: Value }, itemsMax: number) {
    this.#root = root;
    this.#itemsMax = itemsMax;
  }

  read(tokens: Tokens | null): string | null {
    const v = this.#of("v");
    if (!(v instanceof Num) || v.source !== "2") {
      const sentence = "Karma 1.0 accepts only protocol v2 requests with field v=2";
      throw new Refusal(sentence, "unsupported_protocol");
    }
    const op = this.#of("op");
    if (!(op instanceof Str)) throw new Refusal("Field op is required");
    const token = this.#of("token");
    const sent = token instanceof Str ? token.bytes : null;
    if (tokens !== null && sent !== tokens.full && sent !== tokens.read) {
      throw new Refusal("Unauthorized", "unauthorized");
    }
    if (op.bytes.startsWith("limit.")) return null;
    const row = ROWS.get(op.bytes);
    if (row === undefined) throw new Refusal(`Unknown op ${op.bytes}`, "unknown_command");
    if (tokens !== null && sent !== tokens.full && row.access !== "read") {
      throw new Refusal(`Read-only token cannot execute command ${row.label}`, "forbidden");
    }
    const parts = [row.id, ...row.fields.map((field) => this.#field(field))];
    parts.push(this.#once(row.access === "once"));
    if (this.#later.length > 0) throw new Refusal(this.#later[0]);
    return parts.filter((part) => part !== "").join(" ");
  }

  #of(name: string): Value {
    return Object.hasOwn(this.#root, name) ? this.#root[name] : undefined;
  }

  #field(field: string): string {
    const [name, limits] = field.split("=");
    switch (name) {
      case "tree": {
        const tree = [this.#of("tree"), this.#of("series")].find((name) => name instanceof Str);
        if (!(tree instanceof Str)) throw new Refusal("Field tree or series is required");
        if (tree.bytes === "") this.#later.push("Field tree_name is required");
        return JSON.stringify(tree.bytes);
      }
      case "key":
        return `key=${this.#key("key", this.#required("key"))}`;
      case "value": {
        const value = this.#of("value");
        const amount = value === undefined ? 1n : this.#number("value", value);
        if (amount === 0n) this.#later.push("Field value must be greater than 0");
        return `value=${amount}`;
      }
      case "day": {
        const name = this.#of("date") === undefined ? "bucket" : "date";
        const value = this.#of(name);
        return `day=${value === undefined ? 0 : this.#day(name, value)}`;
      }
      case "range":
      case "range?":
        return this.#range(name === "range?");
      case "items":
      case "amounts":
      case "keys":
      case "counters":
        return this.#list(name);
      case "limit":
        return this.#limit(limits);
      case "cursor": {
        const cursor = this.#of("cursor");
        if (cursor === undefined) return "";
        const id = cursor instanceof Str && /^@(\d{1,16})$/.exec(cursor.bytes);
        if (id) return `cursor=${(1n << 64n) + BigInt(id[1])}`;
        return `cursor=${cursor === null ? null : this.#number("cursor", cursor)}`;
      }
      case "after": {
        const cursor = this.#of("cursor");
        if (cursor === undefined) return "";
        if (cursor === null) return "after=null";
        if (!(cursor instanceof Str)) throw new Refusal("Field cursor must be a string");
        return `after=${this.#text("cursor", cursor)}`;
      }
      case "before": {
        const name = this.#of("before") === undefined ? "date" : "before";
        const value = this.#of(name);
        if (value === undefined) throw new Refusal("Field before is required");
        const before = this.#date(name, value);
        return `to=${before > 0xffffffffn ? 0xffffffffn : before - 1n}`;
      }
      case "file":
        return this.#file();
      default:
        return this.#detail(name);
    }
  }

  #required(name: string): Value {
    const value = this.#of(name);
    if (value === undefined) throw new Refusal(`Field ${name} is required`);
    return value;
  }

  /** An unsigned 64-bit integer. */
  #integer(name: string, value: Value): bigint {
    const integer = value instanceof Num ? value.integer : null;
    if (integer === null) throw new Refusal(`Field ${name} ${WHOLE}`);
    if (integer < 0n) throw new Refusal(`Field ${name} ${AT_LEAST_0}`);
    return integer;
  }

  /** A number, or a string that is the digits of one, or a name. */
  #key(name: string, value: Value): string {
    if (!(value instanceof Str)) return String(this.#integer(name, value));
    const text = keyTextOf(value.bytes);
    if (text !== null) return text;
    throw new Refusal(`Field ${name} must be 1 to 255 bytes of UTF-8 without control characters`);
  }

  /** The same, or up to twenty digits in a string. */
  #number(name: string, value: Value): bigint {
    const isDigits = value instanceof Str && /^\d{1,20}$/.test(value.bytes);
    if (isDigits && BigInt(value.bytes) <= U64_MAX) return BigInt(value.bytes);
    return this.#integer(name, value);
  }

  /** A number that should be a day: as an integer, or as digits in a string with dashes among them. */
  #date(name: string, value: Value): bigint {
    if (!(value instanceof Str)) return this.#integer(name, value);
    if (value.bytes.startsWith("-")) throw new Refusal(`Field ${name} ${AT_LEAST_0}`);
    const digits = value.bytes.replaceAll("-", "");
    if (!/^\d+$/.test(digits)) throw new Refusal(`Field ${name} must be a bucket date`);
    return BigInt(digits);
  }

  #day(name: string, value: Value): bigint {
    const day = this.#date(name, value);
    if (!isDay(day) || hasMoreDigits(value)) this.#later.push(BAD_DAY);
    return day;
  }

  #range(isOptional: boolean): string {
    const range = this.#of("range");
    if (range === undefined && isOptional) return "";
    if (range === undefined) throw new Refusal("Field range is required");
    if (!isObject(range)) throw new Refusal("Field range must be an object");
    const [from, to] = ["from", "to"].map((end) => {
      const name = `range.${end}`;
      if (!Object.hasOwn(range, end)) throw new Refusal(`Field ${name} is required`);
      return this.#date(name, range[end]);
    });
    // What is beyond 32 bits is all the same.
    if (from > to && to <= 0xffffffffn) {
      throw new Refusal("Bucket range start must be less than or equal to range end");
    }
    const isGood = isDay(from) && isDay(to) && !hasMoreDigits(range.from) &&
      !hasMoreDigits(range.to);
    if (!isGood) this.#later.push(BAD_DAY);
    else if (milliseconds(to) - milliseconds(from) > 366 * 86_400_000) {
      this.#later.push("Range exceeds max days");
    }
    return `${from}-${to}`;
  }

  #list(field: string): string {
    const name = field === "keys" ? "keys" : "items";
    const list = this.#required(name);
    if (!Array.isArray(list)) throw new Refusal(`Field ${name} must be an array`);
    const later = this.#later.splice(0); // what is wrong within comes after its length
    let total = 0n;
    let hasZero = false;
    const items = list.map((item) => {
      if (field === "keys") return this.#key("keys[]", item);
      if (field === "counters") return this.#counter(item);
      if (!Array.isArray(item)) throw new Refusal("Field items[] must be an array");
      const form = new Refusal("Each item must be [key, bucket, value]");
      if (item.length < 1) throw form;
      const key = this.#key("items[][0]", item[0]);
      if (item.length < 2) throw form;
      const day = this.#day("items[][1]", item[1]);
      if (item.length < 3) throw form;
      const value = this.#number("items[][2]", item[2]);
      if (item.length > 3) throw form;
      total += value;
      hasZero ||= value === 0n;
      return `${key}/${day}/${value}`;
    });
    const within = this.#later.splice(0);
    this.#later.push(...later);
    if (items.length > this.#itemsMax) this.#later.push(`Field ${name} exceeds max size`);
    this.#later.push(...within);
    if (field === "amounts" && hasZero) {
      this.#later.push("Batch item value must be greater than 0");
    }
    const sum = total > U64_MAX ? "beyond" : total;
    return field === "items" || field === "amounts" ? `[${items}]=${sum}` : `[${items}]`;
  }

  #counter(item: Value): string {
    if (!isObject(item)) throw new Refusal("Field items[] must be an object");
    const series = Object.hasOwn(item, "series") ? item.series : undefined;
    if (!(series instanceof Str)) throw new Refusal("Field items[].series is required");
    if (series.bytes === "") this.#later.push("Field items[].series must not be empty");
    if (!Object.hasOwn(item, "key")) throw new Refusal("Field items[].key is required");
    return `${JSON.stringify(series.bytes)}/${this.#key("items[].key", item.key)}`;
  }

  #limit(limits: string): string {
    const [fallback, max] = limits.split("/").map(BigInt);
    const value = this.#of("limit");
    if (value === undefined) return `limit=${fallback}`;
    const limit = value instanceof Num ? value.integer : null;
    if (limit === null) throw new Refusal("Field limit must be an integer");
    if (BigInt.asIntN(32, limit) !== limit) {
      throw new Refusal("Arithmetic overflow", "internal_error");
    }
    if (limit <= 0n) this.#later.push("Field limit must be greater than 0");
    if (limit > max) this.#later.push("Field limit exceeds max size");
    return `limit=${limit}`;
  }

  #file(): string {
    const file = this.#of("file");
    if (!(file instanceof Str)) throw new Refusal("Field file is required");
    if (file.bytes === "") this.#later.push("Field file must not be empty");
    else if (file.text === null || /[/\0]/.test(file.text)) {
      this.#later.push("Field file must be a snapshot basename");
    } else if (!file.bytes.endsWith(".tree")) this.#later.push("Field file must end with .tree");
    return JSON.stringify(file.bytes);
  }

  #detail(field: string): string {
    switch (field) {
      case "stream":
        return `stream=${this.#named("stream_id")}`;
      case "source":
        return `source=${this.#named("source")}`;
      case "mode": {
        const mode = this.#named("mode");
        if (/^"(add|set|replace_series)"$/.test(mode)) return `mode=${mode}`;
        this.#later.push(`Unsupported ingest mode ${JSON.parse(mode)}`);
        return "";
      }
      case "source?": {
        const source = this.#of("source");
        return source instanceof Str ? `source=${this.#text("source", source)}` : "";
      }
      case "granularity": {
        const value = this.#of("granularity");
        return `granularity=${value instanceof Str ? this.#text("granularity", value) : null}`;
      }
      case "sequence": {
        const sequence = this.#integer("chunk_seq", this.#required("chunk_seq"));
        if (sequence === 0n) this.#later.push("Field chunk_seq must be greater than 0");
        return `sequence=${Number(sequence)}`;
      }
      case "offset": {
        const value = this.#of("offset");
        return `offset=${value === undefined ? 0 : Number(this.#integer("offset", value))}`;
      }
      case "time":
        return this.#time();
      case "progress":
        return this.#progress();
      default:
        return this.#report();
    }
  }

  #named(name: string): string {
    const value = this.#of(name);
    if (!(value instanceof Str) || value.bytes === "") {
      throw new Refusal(`Field ${name} is required`);
    }
    return this.#text(name, value);
  }

  #text(name: string, value: Str): string {
    if (value.bytes.length > 1024) throw new Refusal(`Field ${name} exceeds max size`);
    if (value.text === null) throw new Refusal(`Field ${name} must be UTF-8`);
    return JSON.stringify(value.text);
  }

  #time(): string {
    const before = this.#required("before");
    if (before instanceof Str) {
      const ms = instantOf(before.bytes);
      if (ms === null) this.#later.push("Field before must be an ISO8601 timestamp");
      return `time=${(ms ?? 0) / 1000}`;
    }
    const seconds = before instanceof Num ? before.integer : null;
    if (seconds === null) {
      throw new Refusal("Field before must be an integer or ISO8601 timestamp");
    }
    if (seconds < 0n) this.#later.push(`Field before ${AT_LEAST_0}`);
    return `time=${Number(seconds)}`;
  }

  #progress(): string {
    const name = this.#of("source_offset") === undefined ? "offset" : "source_offset";
    const [offset, event] = [name, "event_id"].map((name) => {
      const value = this.#of(name);
      if (value === undefined) return "null";
      if (value instanceof Str) return this.#text(name, value);
      const integer = value instanceof Num ? value.integer : null;
      if (integer === null) throw new Refusal(`Field ${name} must be a string or integer`);
      return `"${integer}"`;
    });
    if (offset === '""') this.#later.push("Field offset must not be empty");
    if (event === '""') this.#later.push("Field event_id must not be empty");
    if (offset === "null" && event === "null") {
      this.#later.push("Field offset or event_id is required");
    }
    return `offset=${offset} event=${event}`;
  }

  #report(): string {
    const names = ["checked_points", "mismatch_count", "absolute_drift", "max_abs_delta"];
    const counts = names.map((name, index) => {
      const value = index < 2 ? this.#required(name) : this.#of(name);
      const count = value === undefined ? 0n : this.#integer(name, value);
      if (count >= 2n ** 63n) throw new Refusal(`Field ${name} exceeds max size`);
      return count;
    });
    if (counts[1] > counts[0]) {
      this.#later.push("Field mismatch_count must be less than or equal to checked_points");
    }
    return names.map((name, index) => `${name}=${counts[index]}`).join(" ");
  }

  /** The idempotency key, and what belongs to it. */
  #once(counts: boolean): string {
    const key = this.#of("idempotency_key");
    if (key === undefined) return "";
    const once = this.#label("idempotency_key", key, 256);
    const fingerprint = this.#of("fingerprint");
    const print = fingerprint === undefined ? "" : this.#label("fingerprint", fingerprint, 512);
    const created = this.#of("idempotency_created_at_unix");
    if (created !== undefined) {
      const name = "idempotency_created_at_unix";
      const integer = created instanceof Num ? created.integer : null;
      if (integer === null) throw new Refusal(`Field ${name} must be an integer`);
      if (integer < 0n) throw new Refusal(`Field ${name} ${AT_LEAST_0}`);
    }
    return [counts ? `once=${once}` : "", print === "" ? "" : `print=${print}`]
      .filter((part) => part !== "").join(" ");
  }

  /** A string or an integer of one to so many bytes. */
  #label(name: string, value: Value, bytesMax: number): string {
    const integer = value instanceof Num && value.integer !== null ? value.source : null;
    const bytes = value instanceof Str ? value.bytes : integer;
    if (bytes === null) throw new Refusal(`Field ${name} must be a string or integer`);
    if (bytes === "") this.#later.push(`Field ${name} must not be empty`);
    if (bytes.length > bytesMax) this.#later.push(`Field ${name} exceeds max size`);
    return JSON.stringify(bytes);
  }
}

/** The milliseconds of an RFC 3339 text: date, time, a fraction perhaps, and the offset. */
function instantOf(text: string): number | null {
  const form = /^(\d{4})-(\d\d)-(\d\d)T(\d\d):(\d\d):(\d\d)(?:\.(\d+))?(?:Z|([+-])(\d\d):(\d\d))$/i;
  const match = form.exec(text);
  if (match === null || !isDay(BigInt(match[1] + match[2] + match[3]))) return null;
  const [hour, minute, second] = match.slice(4, 7).map(Number);
  const [offsetHour, offsetMinute] = match.slice(9).map((part) => Number(part ?? 0));
  if (hour > 23 || minute > 59 || second > 59 || offsetHour > 23 || offsetMinute > 59) return null;
  const day = milliseconds(BigInt(match[1] + match[2] + match[3]));
  const thousandths = Number((match[7] ?? "").padEnd(3, "0").slice(0, 3));
  const offset = (60 * offsetHour + offsetMinute) * (match[8] === "-" ? -1 : 1);
  return day + ((60 * hour + minute - offset) * 60 + second) * 1000 + thousandths;
}
