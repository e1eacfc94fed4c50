// The commands of the binary: what there is, with which options and words, and how help tells it.
//
// Invariant: COMMANDS describes every command once; parsing, `karma help` and the completions of shells all come from
// it. The options of the server are in cli/options.ts.
//
// tidy-allow: it is a table, with an entry for each command.

import { anyText, integer, type Kind, OPTIONS } from "./options.ts";
import type { OptionWords } from "./words.ts";

interface CommandOption<V> extends OptionWords {
  /** What help calls the value; empty for a switch. */
  readonly value: string;
  readonly variable?: string;
  /** As it would be written; it is read like any other value. "" where there is none. */
  readonly fallback: string;
  readonly kind: Kind<V>;
  /** The flag of another option for the same thing: if that is given, the variable of this one counts for nothing. */
  readonly rival?: string;
  readonly help: string;
}

type Table = Readonly<Record<string, CommandOption<unknown>>>;

/** What the options of a table say. */
export type Values<T extends Table> = {
  readonly [F in keyof T]: T[F] extends CommandOption<infer V> ? V : never;
};

interface Command {
  readonly summary: string;
  /** The words behind the name, as help tells them. */
  readonly words: string;
  readonly wordsMin: number;
  readonly wordsMax: number;
  readonly options: Table;
  /** What more there is to say, a line each. */
  readonly about: readonly string[];
  /** Lines for a shell. */
  readonly examples: readonly string[];
}

/** Where a server listens. */
interface Address {
  readonly host: string;
  readonly port: number;
}

const address: Kind<Address> = {
  expected: "HOST:PORT",
  read(text) {
    const [, bracketed, plain, digits] = /^(?:\[([^\]]+)\]|([^:]+)):(\d{1,5})$/.exec(text) ?? [];
    const port = Number(digits);
    return port >= 1 && port <= 65535 ? { host: bracketed ?? plain, port } : undefined;
  },
};

const day: Kind<number> = {
  expected: "a day such as 20260131",
  read: (text) => /^\d{8}$/.test(text) ? Number(text) : undefined,
};

const name: Kind<string> = { expected: "a text", read: (text) => text === "" ? undefined : text };

/** One of some words. */
function oneOf<W extends string>(...words: readonly W[]): Kind<W> {
  return {
    expected: `${words.slice(0, -1).join(", ")} or ${words.at(-1)}`,
    read: (text) => words.find((word) => word === text),
  };
}

function switchOf(flag: string, help: string): CommandOption<boolean> {
  const kind: Kind<boolean> = { expected: "", read: (text) => text === "true" };
  return { flag, isSwitch: true, value: "", fallback: "false", kind, help };
}

const CONNECTION = {
  server: {
    flag: "server",
    short: "s",
    value: "host:port",
    variable: "KARMA_SERVER",
    fallback: "127.0.0.1:8080",
    kind: address,
    help: "Server to connect to",
  },
  token: {
    flag: "token",
    value: "token",
    variable: "KARMA_AUTH_TOKEN",
    fallback: "",
    kind: anyText,
    rival: "token-file",
    help: "Token of the server",
  },
  tokenFile: {
    flag: "token-file",
    value: "path",
    variable: "KARMA_AUTH_TOKEN_FILE",
    fallback: "",
    kind: anyText,
    rival: "token",
    help: "File with that token",
  },
  timeoutSeconds: {
    flag: "timeout",
    value: "seconds",
    fallback: "60",
    kind: integer(1, 86400),
    help: "Longest wait for the server",
  },
} as const;

const TREE = {
  flag: "tree",
  short: "t",
  value: "name",
  fallback: "",
  kind: name,
  help: "The tree",
} as const;

export type ConnectionOptions = Values<typeof CONNECTION>;

/** The shells that completions are written for. */
export const SHELLS = ["bash", "zsh", "fish"] as const;

/** The commands that run beside a server, and end by themselves. */
export const TOOLS = {
  ask: {
    summary: "Ask a server, once or at a prompt",
    words: "[OPERATION [FIELD=VALUE ...] | JSON]",
    wordsMin: 0,
    wordsMax: Infinity,
    options: {
      ...CONNECTION,
      json: switchOf("json", "Print the whole line of each reply"),
    },
    about: [
      "A value is JSON, or a text where it is not. Without an operation, each line of the input",
      "is one; on a terminal there is a prompt with history, and Tab completes operations.",
      "Prints the response and exits with 0, or the error and exits with 1.",
    ],
    examples: [
      "karma ask system.ping",
      "karma ask counter.increment series=api_requests key=42",
      `karma ask '{"op":"counter.sum","series":"api_requests","key":42}'`,
      "karma ask < requests.jsonl",
    ],
  },
  backup: {
    summary: "Write all data of a server or a directory into a file",
    words: "FILE",
    wordsMin: 1,
    wordsMax: 1,
    options: {
      ...CONNECTION,
      directory: {
        flag: "directory",
        short: "d",
        value: "path",
        fallback: "",
        kind: anyText,
        help: "Directory without a server, instead of one",
      },
    },
    about: [
      "The data is as it was at one moment, which is printed; a server goes on meanwhile. A file",
      "appears when it is whole; - is the standard output.",
    ],
    examples: [
      "karma backup --server 127.0.0.1:8080 karma.backup",
      "karma backup --directory ./data - | zstd > karma.backup.zst",
    ],
  },
  restore: {
    summary: "Put a backup into an empty directory",
    words: "FILE",
    wordsMin: 1,
    wordsMax: 1,
    options: {
      directory: {
        flag: "directory",
        short: "d",
        value: "path",
        fallback: "",
        kind: name,
        help: "Directory, which is made if it is not there",
      },
    },
    about: [
      "Nothing is put there before all of the backup was read and its checksum fits. Then start",
      "karma on that directory. - is the standard input.",
    ],
    examples: ["karma restore --directory ./data karma.backup"],
  },
  import: {
    summary: "Count the lines of a file",
    words: "[FILE]",
    wordsMin: 0,
    wordsMax: 1,
    options: {
      ...CONNECTION,
      tree: TREE,
      format: {
        flag: "format",
        short: "f",
        value: "csv|jsonl",
        fallback: "auto",
        kind: oneOf("auto", "csv", "jsonl"),
        help: "How lines are written; auto: the name tells",
      },
      mode: {
        flag: "mode",
        short: "m",
        value: "add|set|replace",
        fallback: "add",
        kind: oneOf("add", "set", "replace"),
        help: "What becomes of what is there",
      },
      stream: {
        flag: "stream",
        value: "id",
        fallback: "",
        kind: anyText,
        help: "Ingest stream; of a file else named by its contents",
      },
      chunkItems: {
        flag: "chunk-items",
        value: "count",
        fallback: "10000",
        kind: integer(1, 1_000_000),
        help: "Lines of a request",
      },
    },
    about: [
      'Lines are 42,20260105,7, or {"key":42,"day":20260105,"value":7}, or [42,20260105,7]. A first line',
      "of CSV may name the columns. Repeat an import that was interrupted: nothing is counted twice.",
      "Bad lines are told and left out, and the exit code is 1 then.",
    ],
    examples: [
      "karma import --tree api_requests requests.csv",
      "zcat requests.jsonl.gz | karma import --tree api_requests --format jsonl --stream nov-27",
    ],
  },
  export: {
    summary: "Print the counters of a tree",
    words: "[FILE]",
    wordsMin: 0,
    wordsMax: 1,
    options: {
      ...CONNECTION,
      tree: TREE,
      format: {
        flag: "format",
        short: "f",
        value: "csv|jsonl",
        fallback: "csv",
        kind: oneOf("csv", "jsonl"),
        help: "How lines are written",
      },
      from: { flag: "from", value: "day", fallback: "00010101", kind: day, help: "First day" },
      to: { flag: "to", value: "day", fallback: "99991231", kind: day, help: "Last day" },
    },
    about: [
      "One line for each day of each counter, in ascending order of keys and days. What is counted",
      "meanwhile may be among them or not.",
    ],
    examples: [
      "karma export --tree api_requests > requests.csv",
      "karma export --tree api_requests --from 20260101 --to 20260131 january.csv",
    ],
  },
  top: {
    summary: "Watch a server",
    words: "",
    wordsMin: 0,
    wordsMax: 0,
    options: {
      ...CONNECTION,
      intervalSeconds: {
        flag: "interval",
        short: "i",
        value: "seconds",
        fallback: "2",
        kind: integer(1, 3600),
        help: "From one look to the next",
      },
      once: switchOf("once", "Print what happens in one interval, and end"),
    },
    about: ["Rates, times, memory, and the trees that grow most. Ctrl-C ends it."],
    examples: ["karma top --server 127.0.0.1:8080", "karma top --once"],
  },
  bench: {
    summary: "Measure how fast a server answers",
    words: "",
    wordsMin: 0,
    wordsMax: 0,
    options: {
      ...CONNECTION,
      operation: {
        flag: "operation",
        short: "o",
        value: "increment|sum|consume",
        fallback: "increment",
        kind: oneOf("increment", "sum", "consume"),
        help: "What is asked",
      },
      connections: {
        flag: "connections",
        short: "c",
        value: "count",
        fallback: "50",
        kind: integer(1, 10_000),
        help: "Connections at once",
      },
      pipeline: {
        flag: "pipeline",
        short: "P",
        value: "count",
        fallback: "16",
        kind: integer(1, 10_000),
        help: "Requests that each sends at once",
      },
      seconds: {
        flag: "seconds",
        value: "seconds",
        fallback: "10",
        kind: integer(1, 86_400),
        help: "How long",
      },
      keys: {
        flag: "keys",
        short: "k",
        value: "count",
        fallback: "100000",
        kind: integer(1, 1_000_000_000),
        help: "Different keys",
      },
      tree: {
        ...TREE,
        fallback: "karma-bench",
        help: "A new tree; it is dropped",
      },
    },
    about: [
      "It is one process: on the server's machine it takes processor time from it, and says how much.",
    ],
    examples: ["karma bench --connections 50 --pipeline 16", "karma bench -c 1 -P 1 -o consume"],
  },
  completions: {
    summary: "Print the completions for a shell",
    words: SHELLS.join(" | "),
    wordsMin: 1,
    wordsMax: 1,
    options: {},
    about: [],
    examples: [
      "source <(karma completions bash)",
      "source <(karma completions zsh)",
      "karma completions fish | source",
    ],
  },
} as const satisfies Record<string, Command>;

const SERVERS = {
  serve: {
    summary: "Serve; what karma does without a command",
    words: "",
    wordsMin: 0,
    wordsMax: 0,
    options: OPTIONS,
    about: [],
    examples: ["karma serve --directory ./data", "karma --directory ./data"],
  },
  check: {
    summary: "Look for damage in a directory, changing nothing",
    words: "",
    wordsMin: 0,
    wordsMax: 0,
    options: OPTIONS,
    about: ["Exits with 0 if there is none, and with 3 if there is. It may run beside a server."],
    examples: ["karma check --directory ./data"],
  },
  repair: {
    summary: "Tell what can be kept of a damaged directory, or do it",
    words: "",
    wordsMin: 0,
    wordsMax: 0,
    options: { yes: switchOf("yes", "Do it, and not only tell"), ...OPTIONS },
    about: ["Nothing is deleted: what is damaged is moved to a folder in the directory."],
    examples: ["karma repair --directory ./data", "karma repair --directory ./data --yes"],
  },
} as const satisfies Record<string, Command>;

const HELP = {
  help: {
    summary: "Tell about a command",
    words: "[COMMAND]",
    wordsMin: 0,
    wordsMax: 1,
    options: {},
    about: [],
    examples: ["karma help ask"],
  },
} as const satisfies Record<string, Command>;

export type ToolName = keyof typeof TOOLS;

/** All commands, in the order of help. */
export const COMMANDS: Readonly<Record<string, Command>> = { ...SERVERS, ...TOOLS, ...HELP };
