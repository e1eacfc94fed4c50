// The one table of operations: what there is, what it is called in each protocol, what it needs.
//
// Adding one is three edits: a row here, a function in the engine, golden lines. The rows of protocol
// v1 may share a name and differ in whether a key is given (`sum` of a counter, `find` over a tree);
// everything else that tells operations apart is said by their fields.
//
// tidy-allow: it is a table, with a row for each operation.

/**
 * What a request says, in the order in which it is checked. What each is called on the wire, and what
 * its values are, is the protocols' (`?`: it may be left out).
 */
export type Field =
  | "tree" // the tree's name
  | "key"
  | "day?" // the day of a change; today if it is left out
  | "value?" // how much; 1
  | "range"
  | "range?"
  | "items" // [key, day, value] of each
  | "amounts" // likewise, no value being zero
  | "keys"
  | "counters" // tree and key of each
  | "cursor?"
  | "after?" // the cursor of a list of names: the last one that was told
  | "limit?"
  | "before" // the first day to keep
  | "time" // a moment
  | "file" // the name of a dump's file
  | "offset?"
  | "stream" // the id of an ingest stream
  | "mode"
  | "granularity?"
  | "sequence" // the number of a chunk
  | "source" // of events
  | "source?"
  | "progress" // how far a source's events were taken in
  | "report" // what a reconciliation found
  | "key?"
  | "subject" // a key, or keys
  | "cost?" // how much of each limit; 1
  | "limits" // how much may be used of what, in which window
  | "limitMode?" // what becomes of a cost that does not fit; nothing
  | "wantsReceipt?" // whether it is to be given back, perhaps
  | "replyForm?" // how much of the verdict is told; all of it
  | "receipt" // what is to be given back
  | "refund?"; // how much of it; all

/** What becomes of a request about a tree that isn't there. */
export type Missing =
  | "create" // it is created
  | "empty" // the answer is that of an empty tree
  | "refuse"; // the answer is that it isn't there

export interface Operation {
  /** Its name inside, and that of the engine's function for it. */
  readonly id: OperationId;
  /** Its place in the table. */
  readonly index: number;
  /** What it does to the state: nothing, a change, or work beside it (files). */
  readonly access: "read" | "write" | "admin";
  readonly fields: readonly Field[];
  /** How many there may be at most, and how many are meant without a word. */
  readonly page?: { readonly max: number; readonly fallback: number };
  /** Whether it changes all counters of a tree: such operations wait for each other, tree by tree. */
  readonly sweeps?: true;
  /**
   * What two requests under one idempotency key must have in common beside operation and tree. Without it the
   * operation looks at no idempotency key.
   */
  readonly fingerprint?: Fingerprint;
  /**
   * Whether a member that it does not know is refused: where one is misspelt, the request would do more than was
   * meant. Others skip such members, as Karma 1.x did.
   */
  readonly isStrict?: true;
  readonly v1?: WordsV1;
  readonly v2?: WordsV2;
  /** What the command is called in RESP. */
  readonly resp: string;
}

type Fingerprint =
  | "counter" // key, or none, and range
  | "change" // key, day and value
  | "items"
  | "keys" // and range
  | "limits" // each with key, cost, maximum and window
  | "receipt";

interface WordsV1 {
  readonly command: string;
  readonly missing?: Missing;
  /** How it says that something isn't there. */
  readonly absent?: string;
  /** Whether it leaves a counter behind though it adds nothing. */
  readonly touches?: true;
  /** False: the reply does not tell how the work went. */
  readonly isAwaited?: false;
}

interface WordsV2 {
  /** The name, then those that mean the same. */
  readonly ops: readonly string[];
  /** What it is called in errors and fingerprints. */
  readonly label: string;
  readonly missing?: Missing;
}

export type OperationId = (typeof ROWS)[number]["id"];

const ROWS = [
  {
    id: "ping",
    access: "read",
    fields: [],
    v1: { command: "ping" },
    v2: { ops: ["system.ping"], label: "ping" },
    resp: "KARMA.PING",
  },
  {
    id: "health",
    access: "read",
    fields: [],
    v2: { ops: ["system.health"], label: "health" },
    resp: "KARMA.HEALTH",
  },
  {
    id: "stats",
    access: "read",
    fields: [],
    v2: { ops: ["system.stats"], label: "stats" },
    resp: "KARMA.STATS",
  },
  {
    id: "metrics",
    access: "read",
    fields: [],
    v2: { ops: ["system.metrics"], label: "metrics" },
    resp: "KARMA.METRICS",
  },
  {
    id: "trees",
    access: "read",
    fields: ["limit?", "cursor?"],
    page: { max: 10_000, fallback: 0 },
    v1: { command: "trees" },
    v2: { ops: ["tree.list"], label: "trees" },
    resp: "KARMA.TREES",
  },
  {
    id: "create",
    access: "write",
    fields: ["tree"],
    v1: { command: "create", missing: "create" },
    v2: { ops: ["tree.create"], label: "create", missing: "create" },
    resp: "KARMA.CREATE",
  },
  {
    id: "drop",
    access: "write",
    fields: ["tree"],
    v1: { command: "drop", missing: "refuse", absent: "not exists" },
    v2: { ops: ["tree.drop"], label: "drop", missing: "refuse" },
    resp: "KARMA.DROP",
  },
  {
    id: "increment",
    access: "write",
    fields: ["tree", "key", "day?", "value?"],
    fingerprint: "change",
    v1: { command: "increment", missing: "create" },
    v2: { ops: ["counter.increment", "series.increment"], label: "increment", missing: "create" },
    resp: "KARMA.ADD",
  },
  {
    id: "decrement",
    access: "write",
    fields: ["tree", "key", "day?", "value?"],
    fingerprint: "change",
    v1: { command: "decrement", missing: "create" },
    v2: { ops: ["counter.decrement"], label: "decrement", missing: "create" },
    resp: "KARMA.SUB",
  },
  {
    id: "addAll",
    access: "write",
    fields: ["tree", "amounts"],
    fingerprint: "items",
    v2: {
      ops: ["series.batch_add", "counter.batch_increment"],
      label: "batch_add",
      missing: "create",
    },
    resp: "KARMA.MADD",
  },
  {
    id: "setAll",
    access: "write",
    fields: ["tree", "items"],
    fingerprint: "items",
    v2: { ops: ["series.batch_set"], label: "batch_set", missing: "create" },
    resp: "KARMA.MSET",
  },
  {
    id: "sum",
    access: "read",
    fields: ["range?", "tree", "key"],
    v1: { command: "sum", missing: "empty" },
    v2: { ops: ["counter.sum", "series.sum"], label: "sum", missing: "refuse" },
    resp: "KARMA.SUM",
  },
  {
    id: "sumAll",
    access: "read",
    fields: ["range?", "tree", "keys"],
    v2: { ops: ["counter.batch_sum", "series.batch_sum"], label: "batch_sum", missing: "refuse" },
    resp: "KARMA.MSUM",
  },
  {
    id: "sumAcross",
    access: "read",
    fields: ["range?", "counters"],
    v2: { ops: ["counter.multi_sum"], label: "multi_sum" },
    resp: "KARMA.SUMACROSS",
  },
  {
    id: "find",
    access: "read",
    fields: ["range", "tree", "key"],
    v1: { command: "find", missing: "empty" },
    v2: { ops: ["counter.series", "series.points"], label: "find", missing: "refuse" },
    resp: "KARMA.SERIES",
  },
  {
    id: "findAll",
    access: "read",
    fields: ["range", "tree"],
    v1: { command: "find", missing: "empty" },
    v2: { ops: ["tree.series"], label: "find", missing: "refuse" },
    resp: "KARMA.TREESERIES",
  },
  {
    id: "reset",
    access: "write",
    fields: ["tree", "key"],
    fingerprint: "counter",
    v1: { command: "reset", missing: "empty", touches: true },
    v2: { ops: ["counter.reset"], label: "reset", missing: "create" },
    resp: "KARMA.RESET",
  },
  {
    id: "resetAll",
    access: "write",
    fields: ["tree"],
    sweeps: true,
    fingerprint: "counter",
    v1: { command: "reset", missing: "empty" },
    v2: { ops: ["tree.reset"], label: "reset", missing: "create" },
    resp: "KARMA.TREERESET",
  },
  {
    id: "resetKeys",
    access: "write",
    fields: ["tree", "keys"],
    fingerprint: "keys",
    v2: { ops: ["counter.batch_reset"], label: "batch_reset", missing: "refuse" },
    resp: "KARMA.MRESET",
  },
  {
    id: "delete",
    access: "write",
    fields: ["range", "tree", "key"],
    fingerprint: "counter",
    v1: { command: "delete", missing: "empty", touches: true },
    v2: { ops: ["counter.delete_range"], label: "delete", missing: "create" },
    resp: "KARMA.DEL",
  },
  {
    id: "deleteAll",
    access: "write",
    fields: ["range", "tree"],
    sweeps: true,
    fingerprint: "counter",
    v1: { command: "delete", missing: "empty" },
    v2: { ops: ["tree.delete_range"], label: "delete", missing: "create" },
    resp: "KARMA.TREEDEL",
  },
  {
    id: "deleteKeys",
    access: "write",
    fields: ["range", "tree", "keys"],
    fingerprint: "keys",
    v2: { ops: ["counter.batch_delete_range"], label: "batch_delete_range", missing: "refuse" },
    resp: "KARMA.MDEL",
  },
  {
    id: "compact",
    access: "write",
    fields: ["tree"],
    sweeps: true,
    v2: { ops: ["series.compact", "tree.compact"], label: "compact", missing: "refuse" },
    resp: "KARMA.COMPACT",
  },
  {
    id: "compactAll",
    access: "write",
    fields: [],
    sweeps: true,
    v2: { ops: ["system.compact"], label: "compact" },
    resp: "KARMA.COMPACTALL",
  },
  {
    id: "deleteBefore",
    access: "write",
    fields: ["tree", "before"],
    sweeps: true,
    v2: {
      ops: ["series.delete_before", "tree.delete_before"],
      label: "delete_before",
      missing: "refuse",
    },
    resp: "KARMA.DELBEFORE",
  },
  {
    id: "treeInfo",
    access: "read",
    fields: ["tree"],
    v2: { ops: ["tree.info"], label: "tree_info", missing: "refuse" },
    resp: "KARMA.TREEINFO",
  },
  {
    id: "treeKeys",
    access: "read",
    fields: ["tree", "limit?", "cursor?"],
    page: { max: 10_000, fallback: 1000 },
    v2: { ops: ["tree.keys"], label: "tree_keys", missing: "refuse" },
    resp: "KARMA.KEYS",
  },
  {
    id: "treeSummary",
    access: "read",
    fields: ["range?", "tree", "cursor?"],
    v2: { ops: ["tree.summary"], label: "tree_summary", missing: "refuse" },
    resp: "KARMA.SUMMARY",
  },
  {
    id: "treeTop",
    access: "read",
    fields: ["range?", "tree", "limit?", "cursor?"],
    page: { max: 1000, fallback: 100 },
    v2: { ops: ["tree.top"], label: "tree_top", missing: "refuse" },
    resp: "KARMA.TOP",
  },
  {
    id: "consume",
    access: "write",
    fields: ["key?", "cost?", "limits", "limitMode?", "wantsReceipt?", "replyForm?"],
    fingerprint: "limits",
    isStrict: true,
    v2: { ops: ["limit.consume"], label: "limit_consume", missing: "create" },
    resp: "KARMA.CONSUME",
  },
  {
    id: "checkLimits",
    access: "read",
    fields: ["subject", "cost?", "limits", "limitMode?", "replyForm?"],
    isStrict: true,
    v2: { ops: ["limit.check"], label: "limit_check" },
    resp: "KARMA.CHECK",
  },
  {
    id: "refund",
    access: "write",
    fields: ["receipt", "refund?"],
    fingerprint: "receipt",
    isStrict: true,
    v2: { ops: ["limit.refund"], label: "limit_refund" },
    resp: "KARMA.REFUND",
  },
  {
    id: "ingestBegin",
    access: "write",
    fields: ["stream", "mode", "granularity?"],
    v2: { ops: ["ingest.begin"], label: "ingest_begin" },
    resp: "KARMA.INGESTBEGIN",
  },
  {
    id: "ingestChunk",
    access: "write",
    fields: ["tree", "stream", "sequence", "items"],
    v2: { ops: ["ingest.chunk"], label: "ingest_chunk", missing: "create" },
    resp: "KARMA.INGESTCHUNK",
  },
  {
    id: "ingestCommit",
    access: "write",
    fields: ["stream"],
    v2: { ops: ["ingest.commit"], label: "ingest_commit" },
    resp: "KARMA.INGESTCOMMIT",
  },
  {
    id: "ingestAbort",
    access: "write",
    fields: ["stream"],
    v2: { ops: ["ingest.abort"], label: "ingest_abort" },
    resp: "KARMA.INGESTABORT",
  },
  {
    id: "dump",
    access: "admin",
    fields: ["tree"],
    v1: { command: "dump", missing: "refuse", absent: "not found" },
    v2: { ops: ["snapshot.create"], label: "dump", missing: "refuse" },
    resp: "KARMA.SNAPSHOT",
  },
  {
    id: "dumpAll",
    access: "admin",
    fields: [],
    v1: { command: "dump_all", isAwaited: false },
    v2: { ops: ["snapshot.create_all"], label: "dump_all" },
    resp: "KARMA.SNAPSHOTALL",
  },
  {
    id: "dumps",
    access: "read",
    fields: ["limit?", "after?"],
    page: { max: 10_000, fallback: 0 },
    v1: { command: "dumps" },
    v2: { ops: ["snapshot.list"], label: "dumps" },
    resp: "KARMA.SNAPSHOTS",
  },
  {
    id: "load",
    access: "admin",
    fields: ["file"],
    v1: { command: "load", absent: "not exists" },
    v2: { ops: ["snapshot.load"], label: "load" },
    resp: "KARMA.SNAPSHOTLOAD",
  },
  {
    id: "snapshotInfo",
    access: "read",
    fields: ["limit?", "after?"],
    page: { max: 10_000, fallback: 0 },
    v2: { ops: ["snapshot.info"], label: "snapshot_info" },
    resp: "KARMA.SNAPSHOTINFO",
  },
  {
    id: "verify",
    access: "admin",
    fields: [],
    v2: { ops: ["snapshot.verify"], label: "verify" },
    resp: "KARMA.SNAPSHOTVERIFY",
  },
  {
    id: "fetch",
    access: "read",
    fields: ["file"],
    v2: { ops: ["snapshot.fetch"], label: "snapshot_fetch" },
    resp: "KARMA.SNAPSHOTFETCH",
  },
  {
    id: "fetchChunk",
    access: "read",
    fields: ["file", "offset?", "limit?"],
    page: { max: 524_288, fallback: 262_144 },
    v2: { ops: ["snapshot.fetch_chunk"], label: "snapshot_fetch_chunk" },
    resp: "KARMA.SNAPSHOTCHUNK",
  },
  {
    id: "backupBegin",
    access: "admin",
    fields: [],
    v2: { ops: ["backup.begin"], label: "backup_begin" },
    resp: "KARMA.BACKUPBEGIN",
  },
  {
    id: "backupRead",
    access: "admin",
    fields: ["offset?", "limit?"],
    page: { max: 524_288, fallback: 262_144 },
    v2: { ops: ["backup.read"], label: "backup_read" },
    resp: "KARMA.BACKUPREAD",
  },
  {
    id: "backupEnd",
    access: "admin",
    fields: [],
    v2: { ops: ["backup.end"], label: "backup_end" },
    resp: "KARMA.BACKUPEND",
  },
  {
    id: "prune",
    access: "write",
    fields: ["time", "limit?"],
    page: { max: 100_000, fallback: 0 },
    v2: { ops: ["idempotency.prune"], label: "idempotency_prune" },
    resp: "KARMA.PRUNE",
  },
  {
    id: "checkpoint",
    access: "write",
    fields: ["source", "progress"],
    v2: { ops: ["recovery.checkpoint"], label: "recovery_checkpoint" },
    resp: "KARMA.CHECKPOINT",
  },
  {
    id: "checkpoints",
    access: "read",
    fields: ["source?"],
    v2: { ops: ["recovery.status"], label: "recovery_status" },
    resp: "KARMA.CHECKPOINTS",
  },
  {
    id: "reconcile",
    access: "admin",
    fields: ["report"],
    v2: { ops: ["reconciliation.report"], label: "reconciliation_report" },
    resp: "KARMA.RECONCILE",
  },
  {
    id: "replication",
    access: "read",
    fields: ["limit?", "after?"],
    page: { max: 10_000, fallback: 0 },
    v2: { ops: ["replication.status"], label: "replication_status" },
    resp: "KARMA.REPLICATION",
  },
] as const;

/** All rows get the same members: objects of one shape are looked up fastest. */
const SHAPE = {
  page: undefined,
  sweeps: undefined,
  fingerprint: undefined,
  isStrict: undefined,
  v1: undefined,
};

export const OPERATIONS: readonly Operation[] = ROWS.map((row, index) => {
  return { ...SHAPE, ...row, index };
});
