// The options: what can be set, from where, to what, and how `--help` tells it.
//
// Invariant: OPTIONS describes every option once; reading, limits, defaults and `--help` all come
// from it (cli/config.ts), and a Config holds only values within their limits.
//
// tidy-allow: it is a table, with an entry for each option.

import { PORT_PROTOCOLS, type PortProtocol } from "../server/mod.ts";

export interface Config {
  readonly host: string;
  /** 0 lets the system choose. */
  readonly port: number;
  /** What clients may speak. */
  readonly protocols: ReadonlySet<PortProtocol>;
  /** The origins of pages that browsers may let use Karma; `*`: all. */
  readonly corsOrigins: readonly string[];
  /** The port for TLS; "": there is none. 0 lets the system choose. */
  readonly tlsPort: number | "";
  /** Files in PEM: certificates, their key, and authorities whose clients alone may connect; "": anybody may. */
  readonly tlsCertificate: string;
  readonly tlsKey: string;
  readonly tlsClientAuthorities: string;
  readonly directory: string;
  readonly restore: boolean;
  /** Whether what is counted goes into the log. */
  readonly wal: boolean;
  readonly walSync: "always" | "everysec" | "no";
  /** 0: one segment for ever. */
  readonly walSegmentBytes: number;
  readonly walBytesMax: number;
  /** 0: all. */
  readonly dumpsKept: number;
  readonly noDelay: boolean;
  /** "local" or a name that Intl knows. */
  readonly timeZone: string;
  readonly requestBytesMax: number;
  /** Of protocol v2; 0: no limit. */
  readonly responseBytesMax: number;
  readonly batchItemsMax: number;
  readonly connectionsMax: number;
  /** Of silence after which the system asks whether a client is still there; 0: it never does. */
  readonly tcpKeepAliveSeconds: number;
  readonly treesMax: number;
  /** Of all that the process holds; a share is one of the memory that it may have. */
  readonly memoryMax: Size;
  /** Of the buffers of all connections; a share is one of `memoryMax`. */
  readonly bufferMemoryMax: Size;
  /** 0: a reading of a whole tree may take as long as it takes. */
  readonly queryTimeoutMs: number;
  /** From a request's first byte to its last; 0: no limit. */
  readonly requestTimeoutSeconds: number;
  /** Of a client that sends nothing; 0: no limit. */
  readonly readTimeoutSeconds: number;
  /** Of a client that takes nothing; 0: no limit. */
  readonly writeTimeoutSeconds: number;
  /** Of a connection without a right token; 0: no limit. */
  readonly authTimeoutSeconds: number;
  /** Tokens, and files with them; empty: there is none. */
  readonly authToken: string;
  readonly authTokenFile: string;
  readonly readAuthToken: string;
  readonly readAuthTokenFile: string;
  readonly idempotencyRecordsMax: number;
  /** Of all of them; a share is one of `memoryMax`. */
  readonly idempotencyBytesMax: Size;
  /** 0: for ever. */
  readonly idempotencyAgeSeconds: number;
  /** How many days before today are kept; 0: all. */
  readonly retentionDays: number;
  readonly ingestStreamsMax: number;
  readonly ingestStagedItemsMax: number;
}

/** An amount of memory: so many bytes, or a share of a whole that is known at the start only. */
export type Size = { readonly bytes: number } | { readonly percent: number };

/** What a value may be: `read` gives undefined for a text that is not `expected`. */
export interface Kind<V> {
  readonly expected: string;
  read(text: string): V | undefined;
}

export const anyText: Kind<string> = { expected: "a text", read: (text) => text };

const trueOrFalse: Kind<boolean> = {
  expected: "true or false",
  read: (text) => text === "true" ? true : text === "false" ? false : undefined,
};

const syncPolicy: Kind<Config["walSync"]> = {
  expected: "always, everysec or no",
  read(text) {
    if (text === "true") return "always";
    if (text === "false") return "no";
    return text === "always" || text === "everysec" || text === "no" ? text : undefined;
  },
};

const zone: Kind<string> = {
  expected: "UTC, local or the name of a time zone",
  read(text) {
    if (text === "local") return text;
    // Intl takes offsets like +03:00 too, but those are not names and know no summer time.
    if (/^[+-]/.test(text)) return undefined;
    try {
      return new Intl.DateTimeFormat("en", { timeZone: text }).resolvedOptions().timeZone;
    } catch {
      return undefined;
    }
  },
};

const protocols: Kind<ReadonlySet<PortProtocol>> = {
  expected: `one or more of ${PORT_PROTOCOLS.join(", ")}, with commas between them`,
  read(text) {
    const words = text.split(",").map((word) => PORT_PROTOCOLS.find((known) => known === word));
    return words.every((word) => word !== undefined) ? new Set(words) : undefined;
  },
};

const origins: Kind<readonly string[]> = {
  expected: "*, or origins such as https://app.example.com with commas between them",
  read(text) {
    const words = text === "" ? [] : text.split(",");
    return words.every((word) => word === "*" || URL.parse(word)?.origin === word)
      ? words
      : undefined;
  },
};

export function integer(min: number, max: number): Kind<number> {
  return {
    expected: `an integer from ${min} to ${max}`,
    read(text) {
      const value = /^\d+$/.test(text) ? Number(text) : NaN;
      return value >= min && value <= max ? value : undefined;
    },
  };
}

const portOrNone: Kind<number | ""> = {
  expected: "an integer from 0 to 65535",
  read: (text) => text === "" ? "" : integer(0, 65535).read(text),
};

const SIZE_UNITS: Readonly<Record<string, number>> = {
  "": 1,
  kb: 1024,
  mb: 1024 ** 2,
  gb: 1024 ** 3,
};

const size: Kind<Size> = {
  expected: "a size such as 268435456, 256mb or 75%",
  read(text) {
    const [, digits, unit] = /^(\d+)(|kb|mb|gb|%)$/i.exec(text) ?? [];
    const value = Number(digits);
    if (unit === "%") return value >= 1 && value <= 100 ? { percent: value } : undefined;
    const bytes = value * SIZE_UNITS[unit?.toLowerCase()];
    return bytes >= 1 && bytes <= Number.MAX_SAFE_INTEGER ? { bytes } : undefined;
  },
};

const SECONDS_MAX = 2147483647;

/** The longest reply to a change: a limit below would have changes that cannot be answered. */
const RESPONSE_BYTES_MIN = 1024;

const responseLimit: Kind<number> = {
  expected: `0 or an integer from ${RESPONSE_BYTES_MIN} to 1073741824`,
  read(text) {
    return text === "0" ? 0 : integer(RESPONSE_BYTES_MIN, 1073741824).read(text);
  },
};

export interface Option<V> {
  readonly flag: string;
  readonly short?: string;
  readonly value: string;
  readonly variable: string;
  /** As an operator would write it; it is read like any other value. */
  readonly fallback: string;
  readonly kind: Kind<V>;
  /**
   * Another option for the same thing. A flag for one makes the variables of both count for nothing; and a
   * variable that is empty is a mistake, since without a token everybody may do everything.
   */
  readonly rival?: keyof Config;
  readonly help: string;
}

/** In the order of `--help`. */
export const OPTIONS: { readonly [Field in keyof Config]: Option<Config[Field]> } = {
  host: {
    flag: "bind",
    short: "b",
    value: "host",
    variable: "KARMA_HOST",
    fallback: "0.0.0.0",
    kind: anyText,
    help: "Host to bind",
  },
  port: {
    flag: "port",
    short: "p",
    value: "port",
    variable: "KARMA_PORT",
    fallback: "8080",
    kind: integer(0, 65535),
    help: "Port to listen for connection",
  },
  directory: {
    flag: "directory",
    short: "d",
    value: "path",
    variable: "KARMA_DUMP_DIR",
    fallback: ".",
    kind: anyText,
    help: "Directory for storing and loading dumps",
  },
  restore: {
    flag: "restore",
    short: "r",
    value: "flag",
    variable: "KARMA_RESTORE",
    fallback: "true",
    kind: trueOrFalse,
    help: "Load last state from dumps",
  },
  noDelay: {
    flag: "nodelay",
    short: "n",
    value: "flag",
    variable: "KARMA_TCP_NODELAY",
    fallback: "true",
    kind: trueOrFalse,
    help: "Disable Nagle's algorithm",
  },
  tcpKeepAliveSeconds: {
    flag: "tcp-keepalive",
    value: "seconds",
    variable: "KARMA_TCP_KEEPALIVE_SECONDS",
    fallback: "300",
    kind: integer(0, 32767),
    help: "Probe silent clients; 0: never",
  },
  wal: {
    flag: "wal",
    short: "w",
    value: "flag",
    variable: "KARMA_WAL",
    fallback: "true",
    kind: trueOrFalse,
    help: "Log every change before it is answered",
  },
  walSync: {
    flag: "wal-fsync",
    value: "when",
    variable: "KARMA_WAL_FSYNC",
    fallback: "everysec",
    kind: syncPolicy,
    help: "When the log is brought to the disk",
  },
  walSegmentBytes: {
    flag: "wal-segment-bytes",
    value: "bytes",
    variable: "KARMA_WAL_SEGMENT_BYTES",
    fallback: "67108864",
    kind: integer(0, 2147483647),
    help: "Size of one file of the log; 0: no limit",
  },
  walBytesMax: {
    flag: "wal-max-bytes",
    value: "bytes",
    variable: "KARMA_WAL_MAX_BYTES",
    fallback: "1073741824",
    kind: integer(65536, Number.MAX_SAFE_INTEGER),
    help: "Size of the log that has all dumped",
  },
  dumpsKept: {
    flag: "dump-retention-per-tree",
    value: "count",
    variable: "KARMA_DUMP_RETENTION_PER_TREE",
    fallback: "5",
    kind: integer(0, 1000000),
    help: "Dumps kept of each tree; 0: all",
  },
  timeZone: {
    flag: "timezone",
    value: "zone",
    variable: "KARMA_TIMEZONE",
    fallback: "UTC",
    kind: zone,
    help: "Zone of the days: UTC, local or an IANA name",
  },
  protocols: {
    flag: "protocols",
    value: "list",
    variable: "KARMA_PROTOCOLS",
    fallback: PORT_PROTOCOLS.join(","),
    kind: protocols,
    help: "What clients may speak",
  },
  corsOrigins: {
    flag: "cors-origin",
    value: "origins",
    variable: "KARMA_CORS_ORIGIN",
    fallback: "",
    kind: origins,
    help: "Pages that browsers may let use HTTP; *: all",
  },
  tlsPort: {
    flag: "tls-port",
    value: "port",
    variable: "KARMA_TLS_PORT",
    fallback: "",
    kind: portOrNone,
    help: "Port for connections over TLS",
  },
  tlsCertificate: {
    flag: "tls-cert",
    value: "path",
    variable: "KARMA_TLS_CERT",
    fallback: "",
    kind: anyText,
    help: "File with its certificates (PEM)",
  },
  tlsKey: {
    flag: "tls-key",
    value: "path",
    variable: "KARMA_TLS_KEY",
    fallback: "",
    kind: anyText,
    help: "File with the key to them (PEM)",
  },
  tlsClientAuthorities: {
    flag: "tls-client-ca",
    value: "path",
    variable: "KARMA_TLS_CLIENT_CA",
    fallback: "",
    kind: anyText,
    help: "Authorities (PEM) that clients must show certificates of",
  },
  requestBytesMax: {
    flag: "max-request-bytes",
    value: "bytes",
    variable: "KARMA_MAX_REQUEST_BYTES",
    fallback: "1048576",
    kind: integer(64, 1073741824),
    help: "Longest request accepted",
  },
  connectionsMax: {
    flag: "max-connections",
    value: "count",
    variable: "KARMA_MAX_CONNECTIONS",
    fallback: "10000",
    kind: integer(1, 1000000),
    help: "Most connections open at once",
  },
  treesMax: {
    flag: "max-trees",
    value: "count",
    variable: "KARMA_MAX_TREES",
    fallback: "1000000",
    kind: integer(1, 16777216),
    help: "Most trees; without counters 0.4 KB each",
  },
  memoryMax: {
    flag: "max-memory",
    value: "size",
    variable: "KARMA_MAX_MEMORY",
    fallback: "75%",
    kind: size,
    help: "Most memory held; %: of what there is",
  },
  bufferMemoryMax: {
    flag: "max-buffer-memory",
    value: "size",
    variable: "KARMA_MAX_BUFFER_MEMORY",
    fallback: "25%",
    kind: size,
    help: "Most of it for buffers of all connections",
  },
  responseBytesMax: {
    flag: "max-response-bytes",
    value: "bytes",
    variable: "KARMA_MAX_RESPONSE_BYTES",
    fallback: "1048576",
    kind: responseLimit,
    help: "Longest reply (v2); 0: no limit",
  },
  batchItemsMax: {
    flag: "max-batch-items",
    value: "count",
    variable: "KARMA_MAX_BATCH_ITEMS",
    fallback: "10000",
    kind: integer(1, 1000000),
    help: "Most items or keys of one request",
  },
  queryTimeoutMs: {
    flag: "query-timeout-ms",
    value: "ms",
    variable: "KARMA_QUERY_TIMEOUT_MS",
    fallback: "1000",
    kind: integer(0, SECONDS_MAX),
    help: "Longest reading of a tree (v2); 0: no limit",
  },
  requestTimeoutSeconds: {
    flag: "request-timeout",
    value: "seconds",
    variable: "KARMA_REQUEST_TIMEOUT_SECONDS",
    fallback: "60",
    kind: integer(0, SECONDS_MAX),
    help: "Longest wait for a request's rest; 0: no limit",
  },
  readTimeoutSeconds: {
    flag: "read-timeout",
    value: "seconds",
    variable: "KARMA_READ_TIMEOUT_SECONDS",
    fallback: "0",
    kind: integer(0, SECONDS_MAX),
    help: "Longest wait for a request; 0: no limit",
  },
  writeTimeoutSeconds: {
    flag: "write-timeout",
    value: "seconds",
    variable: "KARMA_WRITE_TIMEOUT_SECONDS",
    fallback: "0",
    kind: integer(0, SECONDS_MAX),
    help: "Longest wait for a reply to be taken; 0: no limit",
  },
  authTimeoutSeconds: {
    flag: "auth-timeout",
    value: "seconds",
    variable: "KARMA_AUTH_TIMEOUT_SECONDS",
    fallback: "10",
    kind: integer(0, SECONDS_MAX),
    help: "Longest wait for a right token; 0: no limit",
  },
  authToken: {
    flag: "auth-token",
    value: "token",
    variable: "KARMA_AUTH_TOKEN",
    fallback: "",
    kind: anyText,
    help: "Token without which nobody may do anything",
    rival: "authTokenFile",
  },
  authTokenFile: {
    flag: "auth-token-file",
    value: "path",
    variable: "KARMA_AUTH_TOKEN_FILE",
    fallback: "",
    kind: anyText,
    help: "File with that token",
    rival: "authToken",
  },
  readAuthToken: {
    flag: "read-auth-token",
    value: "token",
    variable: "KARMA_READ_AUTH_TOKEN",
    fallback: "",
    kind: anyText,
    help: "Token that allows reading only",
    rival: "readAuthTokenFile",
  },
  readAuthTokenFile: {
    flag: "read-auth-token-file",
    value: "path",
    variable: "KARMA_READ_AUTH_TOKEN_FILE",
    fallback: "",
    kind: anyText,
    help: "File with that token",
    rival: "readAuthToken",
  },
  idempotencyRecordsMax: {
    flag: "idempotency-max-records",
    value: "count",
    variable: "KARMA_IDEMPOTENCY_MAX_RECORDS",
    fallback: "1000000",
    kind: integer(1, 100000000),
    help: "Most idempotency keys remembered",
  },
  idempotencyBytesMax: {
    flag: "idempotency-max-bytes",
    value: "size",
    variable: "KARMA_IDEMPOTENCY_MAX_BYTES",
    fallback: "25%",
    kind: size,
    help: "Most memory for them; %: of --max-memory",
  },
  idempotencyAgeSeconds: {
    flag: "idempotency-max-age-seconds",
    value: "seconds",
    variable: "KARMA_IDEMPOTENCY_MAX_AGE_SECONDS",
    fallback: "604800",
    kind: integer(0, SECONDS_MAX),
    help: "How long they are; 0: for ever",
  },
  retentionDays: {
    flag: "retention-days",
    value: "days",
    variable: "KARMA_RETENTION_DAYS",
    fallback: "0",
    kind: integer(0, 36525),
    help: "Delete days older than that; 0: none",
  },
  ingestStreamsMax: {
    flag: "ingest-max-streams",
    value: "count",
    variable: "KARMA_INGEST_MAX_STREAMS",
    fallback: "1000",
    kind: integer(1, 100000),
    help: "Most ingest streams, open or remembered",
  },
  ingestStagedItemsMax: {
    flag: "ingest-max-staged-items",
    value: "count",
    variable: "KARMA_INGEST_MAX_STAGED_ITEMS",
    fallback: "10000000",
    kind: integer(1, Number.MAX_SAFE_INTEGER),
    help: "Most items that wait for a stream's end",
  },
};
