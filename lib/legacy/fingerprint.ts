// Fingerprints as Karma 1.x made them: the SHA-256, in hexadecimal, of what a request asks for, as
// lines `name:type:value`.
//
//   command:s:9:increment        a text, its bytes counted
//   key:u:1                      a number
//   items_count:i:2              a count
//   key:n                        nothing

import { createHash } from "node:crypto";
import { u64ToBigInt } from "../bytes/mod.ts";
import { type Batch, ITEM_WORDS, KEY_WORDS } from "./batch.ts";
import type { Entry, Field } from "./entry.ts";

const encoder = new TextEncoder();

/** The fingerprint of an entry that changes counters of a series. */
export function fingerprintOf(entry: Entry, series: string, batch: Batch): string {
  let lines = text("command", entry.command) + text("series", series);
  switch (entry.command) {
    case "increment":
    case "decrement":
      lines += number(entry, "key");
      entry.bucket();
      lines += `bucket:u:${decimal(entry.lo, entry.hi)}\n`;
      return hash(lines + valueLine(entry));
    case "batch_add":
    case "batch_set":
      return hash(lines + items(batch));
    case "batch_reset":
    case "batch_delete_range":
      lines += keys(batch);
      break;
    default:
      lines += entry.has("key") ? number(entry, "key") : "key:n\n";
  }
  if (entry.has("range")) {
    lines += number(entry, "from", "range_from") + number(entry, "to", "range_to");
  }
  return hash(lines);
}

/** The fingerprint of the beginning of an ingest stream. */
export function beginFingerprint(id: string, mode: string, granularity: string | null): string {
  const last = granularity === null ? "granularity:n\n" : text("granularity", granularity);
  return hash(
    text("command", "ingest_begin") + text("stream_id", id) + text("mode", mode) + last,
  );
}

/** The fingerprint of a chunk of one. */
export function chunkFingerprint(id: string, series: string, sequence: number, batch: Batch) {
  const lines = text("command", "ingest_chunk") + text("stream_id", id) + text("series", series);
  return hash(`${lines}chunk_seq:u:${sequence}\n${items(batch)}`);
}

function valueLine(entry: Entry): string {
  return entry.has("value") ? number(entry, "value") : "value:u:1\n";
}

function items({ count, words }: Batch): string {
  let lines = `items_count:i:${count}\n`;
  for (let at = 0; at < ITEM_WORDS * count; at += ITEM_WORDS) {
    lines += `item_key:u:${decimal(words[at], words[at + 1])}\n`;
    lines += `item_bucket:u:${decimal(words[at + 2], words[at + 3])}\n`;
    lines += `item_value:u:${decimal(words[at + 4], words[at + 5])}\n`;
  }
  return lines;
}

function keys({ count, words }: Batch): string {
  let lines = `keys_count:i:${count}\n`;
  for (let at = 0; at < KEY_WORDS * count; at += KEY_WORDS) {
    lines += `key_value:u:${decimal(words[at], words[at + 1])}\n`;
  }
  return lines;
}

function text(name: string, value: string): string {
  return `${name}:s:${encoder.encode(value).length}:${value}\n`;
}

function number(entry: Entry, field: Field, name: string = field): string {
  entry.number(field);
  return `${name}:u:${decimal(entry.lo, entry.hi)}\n`;
}

function decimal(lo: number, hi: number): string {
  return hi === 0 ? `${lo}` : `${u64ToBigInt(lo, hi)}`;
}

function hash(lines: string): string {
  return createHash("sha256").update(lines).digest("hex");
}
