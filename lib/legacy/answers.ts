// What Karma 1.x answered under idempotency keys, oldest first: `karma.idempotency.json`, and then the
// entries of the log that have a key.
//
// Invariant: an entry that was written under a key was carried out under it, so its answer takes the
// place of an older one. Karma 1.x finds out about a repeat before it writes anything.
// Trade-off: the log does not tell when. Karma 1.x takes the time of its start (or one that the client
// made up, which it does not believe otherwise); so do we, rather than the time at which the log
// began: a key that is kept for too long costs memory, one that is forgotten too soon counts twice.

import { NameTable } from "../bytes/mod.ts";
import { DamagedError } from "../errors.ts";
import { metadata, type Moment } from "./coverage.ts";
import type { JsonReader } from "./json_reader.ts";
import type { Source } from "./source.ts";
import type { Ingest } from "./ingest.ts";
import type { MigrationReport } from "./migration_report.ts";

export const FILE = "karma.idempotency.json";
export const METADATA = `${FILE}.meta.json`;

export interface Answer {
  readonly key: Uint8Array;
  /** Seconds since 1970. */
  readonly created: number;
  readonly fingerprintHex: string;
  /** JSON. */
  readonly response: string;
}

const FILE_MEMBERS = new NameTable(["records", "committed_streams"]);
const RECORD_MEMBERS = new NameTable(["key", "fingerprint", "response", "created_at_unix"]);
const FINGERPRINT = /^[0-9a-f]{64}$/;

/** Gives different texts to different bytes. */
const decoder = new TextDecoder("latin1");

export class Answers {
  readonly #byKey = new Map<string, Answer>();
  /** The entries up to this one are in the file already. */
  lsn = 0;

  all(): Answer[] {
    return [...this.#byKey.values()];
  }

  /** Reads the file; its streams go to `ingest`. Returns when it was written, null if nothing tells. */
  async read(source: Source, ingest: Ingest, report: MigrationReport): Promise<Moment | null> {
    const moment = await metadata(source, FILE, report);
    this.lsn = moment?.lsn ?? 0;
    await source.readJson(FILE, (reader) => {
      reader.object(FILE_MEMBERS, (index) => {
        if (index === 0) reader.array(() => this.put(record(reader)));
        else reader.array(() => ingest.readCommitted(reader));
      });
    });
    return this.lsn === 0 ? null : moment;
  }

  put(answer: Answer): void {
    const key = decoder.decode(answer.key);
    this.#byKey.delete(key); // it is the newest now
    this.#byKey.set(key, answer);
  }

  /** Forgets those from before a time, the oldest first and not more than `limit`. */
  prune(before: number, limit: number): void {
    for (const [key, { created }] of this.#byKey) {
      if (limit === 0) return;
      if (created >= before) continue;
      this.#byKey.delete(key);
      limit--;
    }
  }
}

function record(reader: JsonReader): Answer {
  let key: Uint8Array | null = null;
  let [fingerprintHex, response, created] = ["", "", 0];
  reader.object(RECORD_MEMBERS, (index) => {
    if (index === 0) key = reader.bytes();
    else if (index === 1) fingerprintHex = reader.text();
    else if (index === 2) response = reader.json();
    else created = reader.integer();
  });
  if (key === null || response === "" || !FINGERPRINT.test(fingerprintHex)) {
    throw new DamagedError("a record of it lacks its key, fingerprint or response");
  }
  return { key, created, fingerprintHex, response };
}
