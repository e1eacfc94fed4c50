// The options: what can be set, from where, to what, and how `--help` tells it.
//
// Invariant: OPTIONS describes every option once; reading, limits, defaults and `--help` all come
// from it (config.ts), and a Config holds only values within their limits.

export interface Config {
  readonly host: string;
  /** 0 lets the system choose. */
  readonly port: number;
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
  readonly connectionsMax: number;
}

/** What a value may be: `read` gives undefined for a text that is not `expected`. */
export interface Kind<V> {
  readonly expected: string;
  read(text: string): V | undefined;
}

const anyText: Kind<string> = { expected: "a text", read: (text) => text };

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

function integer(min: number, max: number): Kind<number> {
  return {
    expected: `an integer from ${min} to ${max}`,
    read(text) {
      const value = /^\d+$/.test(text) ? Number(text) : NaN;
      return value >= min && value <= max ? value : undefined;
    },
  };
}

export interface Option<V> {
  readonly flag: string;
  readonly short?: string;
  readonly value: string;
  readonly variable: string;
  /** As an operator would write it; it is read like any other value. */
  readonly fallback: string;
  readonly kind: Kind<V>;
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
};
