// The command line and the environment, as tables: what is accepted, what is refused, what is said.

import { assert, assertEquals, assertStringIncludes, assertThrows } from "@std/assert";
import { memoryLimits, parseCommandLine, UsageError } from "../../../lib/cli/config.ts";
import { usage } from "../../../lib/cli/help.ts";
import type { Config, Size } from "../../../lib/cli/options.ts";

const DEFAULTS: Config = {
  host: "0.0.0.0",
  port: 8080,
  protocols: new Set(["json", "resp", "http"] as const),
  corsOrigins: [],
  tlsPort: "",
  tlsCertificate: "",
  tlsKey: "",
  tlsClientAuthorities: "",
  directory: ".",
  restore: true,
  wal: true,
  walSync: "everysec",
  walSegmentBytes: 67108864,
  walBytesMax: 1073741824,
  dumpsKept: 5,
  noDelay: true,
  tcpKeepAliveSeconds: 300,
  timeZone: "UTC",
  requestBytesMax: 1048576,
  connectionsMax: 10000,
  treesMax: 1000000,
  memoryMax: { percent: 75 },
  bufferMemoryMax: { percent: 25 },
  responseBytesMax: 1048576,
  batchItemsMax: 10000,
  queryTimeoutMs: 1000,
  requestTimeoutSeconds: 60,
  readTimeoutSeconds: 0,
  writeTimeoutSeconds: 0,
  authTimeoutSeconds: 10,
  authToken: "",
  authTokenFile: "",
  readAuthToken: "",
  readAuthTokenFile: "",
  idempotencyRecordsMax: 1000000,
  idempotencyBytesMax: { percent: 25 },
  idempotencyAgeSeconds: 604800,
  retentionDays: 0,
  ingestStreamsMax: 1000,
  ingestStagedItemsMax: 10000000,
};

type Environment = Record<string, string>;

function parse(args: string[], environment: Environment = {}) {
  return parseCommandLine(
    args,
    (name) => Object.hasOwn(environment, name) ? environment[name] : undefined,
  );
}

function configOf(args: string[], environment?: Environment): Config {
  const line = parse(args, environment);
  assert(line.kind === "run", `${JSON.stringify(args)} asks for ${line.kind}`);
  return line.config;
}

Deno.test("config: nothing given means the defaults, frozen", () => {
  const config = configOf([]);
  assertEquals(config, DEFAULTS);
  assert(Object.isFrozen(config));
});

const ACCEPTED: [args: string[], changed: Partial<Config>][] = [
  [["-p", "1"], { port: 1 }],
  [["-p1"], { port: 1 }],
  [["--port=1"], { port: 1 }],
  [["--port", "1"], { port: 1 }],
  [["-p", "0"], { port: 0 }],
  [["-p", "65535"], { port: 65535 }],
  [["-p", "0080"], { port: 80 }],
  [["-p", "abc", "-p", "2"], { port: 2 }],
  [["--port=1", "-p2", "--port", "3"], { port: 3 }],
  [["-b", "::1"], { host: "::1" }],
  [["-bHOST"], { host: "HOST" }],
  [["--bind=a=b"], { host: "a=b" }],
  [["-b", "127.0.0.1", "-p", "9"], { host: "127.0.0.1", port: 9 }],
  [["-b", "1"], { host: "1" }],
  [["-b", "true"], { host: "true" }],
  [["-d/tmp/x"], { directory: "/tmp/x" }],
  [["-d", "-n"], { directory: "-n" }],
  [["-d", "--"], { directory: "--" }],
  [["-d", "-h"], { directory: "-h" }],
  [["--directory", "--port=1"], { directory: "--port=1" }],
  [["-d", "0x10"], { directory: "0x10" }],
  [["-d", "1e3"], { directory: "1e3" }],
  [["-d", "007"], { directory: "007" }],
  [["-d", "a b\nc"], { directory: "a b\nc" }],
  [["-d", "данные"], { directory: "данные" }],
  [["--directory==x"], { directory: "=x" }],
  [["-r", "false"], { restore: false }],
  [["-rfalse", "-r", "true"], { restore: true }],
  [["--restore=false", "-nfalse"], { restore: false, noDelay: false }],
  [["--nodelay", "false"], { noDelay: false }],
  [["--timezone", "local"], { timeZone: "local" }],
  [["--timezone=Europe/Oslo"], { timeZone: "Europe/Oslo" }],
  [["--timezone", "utc"], { timeZone: "UTC" }],
  [["--max-request-bytes", "64"], { requestBytesMax: 64 }],
  [["--max-request-bytes=1073741824"], { requestBytesMax: 1073741824 }],
  [["--max-connections=1"], { connectionsMax: 1 }],
  [["--protocols=http"], { protocols: new Set(["http" as const]) }],
  [["--protocols", "http,json"], { protocols: new Set(["json", "http"] as const) }],
  [["--tls-port=8443", "--tls-cert=/c", "--tls-key=/k", "--tls-client-ca=/a"], {
    tlsPort: 8443,
    tlsCertificate: "/c",
    tlsKey: "/k",
    tlsClientAuthorities: "/a",
  }],
  [["--cors-origin=*"], { corsOrigins: ["*"] }],
  [["--cors-origin=https://a.example,http://b:8080"], {
    corsOrigins: ["https://a.example", "http://b:8080"],
  }],
  [["--max-response-bytes=0"], { responseBytesMax: 0 }],
  [["--max-response-bytes=1024"], { responseBytesMax: 1024 }],
  [["--max-batch-items=1"], { batchItemsMax: 1 }],
  [["--query-timeout-ms=0"], { queryTimeoutMs: 0 }],
  [["--request-timeout=5"], { requestTimeoutSeconds: 5 }],
  [["--read-timeout=5", "--write-timeout=6"], { readTimeoutSeconds: 5, writeTimeoutSeconds: 6 }],
  [["--auth-token=a=b", "--read-auth-token", "-x"], { authToken: "a=b", readAuthToken: "-x" }],
  [["--auth-token-file=/t"], { authTokenFile: "/t" }],
  [["--read-auth-token-file=/t"], { readAuthTokenFile: "/t" }],
  [["--idempotency-max-records=1"], { idempotencyRecordsMax: 1 }],
  [["--idempotency-max-age-seconds=0"], { idempotencyAgeSeconds: 0 }],
  [["--ingest-max-streams=2"], { ingestStreamsMax: 2 }],
  [["--ingest-max-staged-items=3"], { ingestStagedItemsMax: 3 }],
  [["--max-connections", "1000000"], { connectionsMax: 1000000 }],
  [["--"], {}],
];

Deno.test("config: accepted command lines", () => {
  for (const [args, changed] of ACCEPTED) {
    assertEquals(configOf(args), { ...DEFAULTS, ...changed }, args.join(" "));
  }
});

const REFUSED: [args: string[], message: string][] = [
  [["--port", "-1"], 'Option --port must be an integer from 0 to 65535: "-1"'],
  [["--port=-1"], 'Option --port must be an integer from 0 to 65535: "-1"'],
  [["-p-1"], 'Option --port must be an integer from 0 to 65535: "-1"'],
  [["-p", "abc"], 'Option --port must be an integer from 0 to 65535: "abc"'],
  [["-p", "1.5"], 'Option --port must be an integer from 0 to 65535: "1.5"'],
  [["-p", "1e3"], 'Option --port must be an integer from 0 to 65535: "1e3"'],
  [["-p", "0x50"], 'Option --port must be an integer from 0 to 65535: "0x50"'],
  [["-p", "+1"], 'Option --port must be an integer from 0 to 65535: "+1"'],
  [["-p", " 1"], 'Option --port must be an integer from 0 to 65535: " 1"'],
  [["-p", "1\n"], 'Option --port must be an integer from 0 to 65535: "1\\n"'],
  [["-p", "٣"], 'Option --port must be an integer from 0 to 65535: "٣"'],
  [["-p", "65536"], 'Option --port must be an integer from 0 to 65535: "65536"'],
  [
    ["-p", "9".repeat(400)],
    `Option --port must be an integer from 0 to 65535: "${"9".repeat(400)}"`,
  ],
  [["-p", "true"], 'Option --port must be an integer from 0 to 65535: "true"'],
  [["-p", "--bind"], 'Option --port must be an integer from 0 to 65535: "--bind"'],
  [["-p", "1", "-p", "x"], 'Option --port must be an integer from 0 to 65535: "x"'],
  [["-p", ""], 'Option --port needs a value: ""'],
  [["--port", ""], 'Option --port needs a value: ""'],
  [["--port="], 'Option --port needs a value: ""'],
  [["-b", ""], 'Option --bind needs a value: ""'],
  [["-d", ""], 'Option --directory needs a value: ""'],
  [["--port", "", "--port", "1"], 'Option --port needs a value: ""'],
  [["-p"], "Option --port needs a value"],
  [["--port"], "Option --port needs a value"],
  [["-p", "1", "--bind"], "Option --bind needs a value"],
  [["--timezone"], "Option --timezone needs a value"],
  [["-p=1"], 'Unknown option: "-p=1"'],
  [["-d=/tmp"], 'Unknown option: "-d=/tmp"'],
  [["-x"], 'Unknown option: "-x"'],
  [["-x", "1"], 'Unknown option: "-x"'],
  [["--x=1"], 'Unknown option: "--x=1"'],
  [["--por", "1"], 'Unknown option: "--por"'],
  [["--Port", "1"], 'Unknown option: "--Port"'],
  [["--p", "1"], 'Unknown option: "--p"'],
  [["-port"], 'Option --port must be an integer from 0 to 65535: "ort"'],
  [["--no-restore"], 'Unknown option: "--no-restore"'],
  [["--__proto__=1"], 'Unknown option: "--__proto__=1"'],
  [["--constructor", "1"], 'Unknown option: "--constructor"'],
  [["--_=1"], 'Unknown option: "--_=1"'],
  [["--=1"], 'Unknown option: "--=1"'],
  [["---port=1"], 'Unknown option: "---port=1"'],
  [["-hp"], 'Unknown option: "-hp"'],
  [["--help=1"], 'Unknown option: "--help=1"'],
  [["--version=false"], 'Unknown option: "--version=false"'],
  [["-"], 'Unknown option: "-"'],
  [["start"], 'Unexpected argument: "start"'],
  [["8080"], 'Unexpected argument: "8080"'],
  [[""], 'Unexpected argument: ""'],
  [["-p", "1", "2"], 'Unexpected argument: "2"'],
  [["--", "x"], 'Unexpected argument: "x"'],
  [["--", "-h"], 'Unknown option: "-h"'],
  [["a", "-x", "-p"], 'Unexpected argument: "a"'],
  [["-r", "yes"], 'Option --restore must be true or false: "yes"'],
  [["-r", "TRUE"], 'Option --restore must be true or false: "TRUE"'],
  [["-r", "1"], 'Option --restore must be true or false: "1"'],
  [["-r", "-n"], 'Option --restore must be true or false: "-n"'],
  [["-n0"], 'Option --nodelay must be true or false: "0"'],
  [["--timezone=Mars"], 'Option --timezone must be UTC, local or the name of a time zone: "Mars"'],
  [
    ["--timezone=+03:00"],
    'Option --timezone must be UTC, local or the name of a time zone: "+03:00"',
  ],
  [
    ["--max-request-bytes=63"],
    'Option --max-request-bytes must be an integer from 64 to 1073741824: "63"',
  ],
  [
    ["--max-request-bytes=1073741825"],
    'Option --max-request-bytes must be an integer from 64 to 1073741824: "1073741825"',
  ],
  [
    ["--protocols=json,"],
    'Option --protocols must be one or more of json, resp, http, with commas between them: "json,"',
  ],
  [
    ["--cors-origin=a.example"],
    'Option --cors-origin must be *, or origins such as https://app.example.com with commas between them: "a.example"',
  ],
  [
    ["--cors-origin=https://a.example/"],
    'Option --cors-origin must be *, or origins such as https://app.example.com with commas between them: "https://a.example/"',
  ],
  [["--max-connections=0"], 'Option --max-connections must be an integer from 1 to 1000000: "0"'],
  [
    ["--max-connections=1000001"],
    'Option --max-connections must be an integer from 1 to 1000000: "1000001"',
  ],
];

Deno.test("config: refused command lines say which option and which value", () => {
  for (const [args, message] of REFUSED) {
    const error = assertThrows(() => parse(args), UsageError, "", args.join(" "));
    assertEquals(error.message, message, args.join(" "));
  }
});

const ASKED: [args: string[], kind: "help" | "version"][] = [
  [["-h"], "help"],
  [["--help"], "help"],
  [["--version"], "version"],
  [["-h", "--version"], "help"],
  [["--version", "-h"], "help"],
  [["-x", "-h"], "help"],
  [["-h", "-x"], "help"],
  [["word", "-h"], "help"],
  [["-p", "abc", "-h"], "help"],
  [["-h", "-p"], "help"],
  [["-p1", "--help"], "help"],
  [["-x", "--version"], "version"],
  [["--version", "--version"], "version"],
];

Deno.test("config: help and version win over whatever is wrong around them", () => {
  for (const [args, kind] of ASKED) assertEquals(parse(args), { kind }, args.join(" "));
  assertEquals(parse(["-h"], { KARMA_PORT: "abc" }), { kind: "help" });
});

const ENVIRONMENT: [variable: string, value: string, changed: Partial<Config>][] = [
  ["KARMA_HOST", "::", { host: "::" }],
  ["KARMA_PORT", "1", { port: 1 }],
  ["KARMA_DUMP_DIR", "-d", { directory: "-d" }],
  ["KARMA_RESTORE", "false", { restore: false }],
  ["KARMA_TCP_NODELAY", "false", { noDelay: false }],
  ["KARMA_TIMEZONE", "local", { timeZone: "local" }],
  ["KARMA_MAX_REQUEST_BYTES", "64", { requestBytesMax: 64 }],
  ["KARMA_MAX_CONNECTIONS", "7", { connectionsMax: 7 }],
  ["KARMA_TLS_PORT", "0", { tlsPort: 0 }],
  ["KARMA_TLS_CERT", "/c", { tlsCertificate: "/c" }],
  ["KARMA_TLS_KEY", "/k", { tlsKey: "/k" }],
  ["KARMA_TLS_CLIENT_CA", "/a", { tlsClientAuthorities: "/a" }],
  ["KARMA_PROTOCOLS", "json", { protocols: new Set(["json" as const]) }],
  ["KARMA_CORS_ORIGIN", "https://a.example", { corsOrigins: ["https://a.example"] }],
  ["KARMA_MAX_MEMORY", "256mb", { memoryMax: { bytes: 268435456 } }],
  ["KARMA_MAX_BUFFER_MEMORY", "10%", { bufferMemoryMax: { percent: 10 } }],
  ["KARMA_MAX_RESPONSE_BYTES", "2400", { responseBytesMax: 2400 }],
  ["KARMA_MAX_BATCH_ITEMS", "7", { batchItemsMax: 7 }],
  ["KARMA_QUERY_TIMEOUT_MS", "7", { queryTimeoutMs: 7 }],
  ["KARMA_REQUEST_TIMEOUT_SECONDS", "7", { requestTimeoutSeconds: 7 }],
  ["KARMA_READ_TIMEOUT_SECONDS", "7", { readTimeoutSeconds: 7 }],
  ["KARMA_WRITE_TIMEOUT_SECONDS", "7", { writeTimeoutSeconds: 7 }],
  ["KARMA_AUTH_TOKEN", "t", { authToken: "t" }],
  ["KARMA_AUTH_TOKEN_FILE", "/t", { authTokenFile: "/t" }],
  ["KARMA_READ_AUTH_TOKEN", "t", { readAuthToken: "t" }],
  ["KARMA_READ_AUTH_TOKEN_FILE", "/t", { readAuthTokenFile: "/t" }],
  ["KARMA_IDEMPOTENCY_MAX_RECORDS", "7", { idempotencyRecordsMax: 7 }],
  ["KARMA_IDEMPOTENCY_MAX_BYTES", "1gb", { idempotencyBytesMax: { bytes: 1073741824 } }],
  ["KARMA_IDEMPOTENCY_MAX_AGE_SECONDS", "7", { idempotencyAgeSeconds: 7 }],
  ["KARMA_RETENTION_DAYS", "400", { retentionDays: 400 }],
  ["KARMA_INGEST_MAX_STREAMS", "7", { ingestStreamsMax: 7 }],
  ["KARMA_INGEST_MAX_STAGED_ITEMS", "7", { ingestStagedItemsMax: 7 }],
  ["KARMA_WAL", "false", { wal: false }],
  ["KARMA_WAL_FSYNC", "always", { walSync: "always" }],
  ["KARMA_WAL_FSYNC", "true", { walSync: "always" }],
  ["KARMA_WAL_FSYNC", "false", { walSync: "no" }],
  ["KARMA_WAL_SEGMENT_BYTES", "4096", { walSegmentBytes: 4096 }],
  ["KARMA_WAL_MAX_BYTES", "65536", { walBytesMax: 65536 }],
  ["KARMA_DUMP_RETENTION_PER_TREE", "0", { dumpsKept: 0 }],
  ["KARMA_PORT", "", {}],
  ["KARMA_HOST", "", {}],
  ["KARMA_WAL", "", {}],
  ["KARMA_WAL_FSYNC", "", {}],
  ["KARMA_UNKNOWN", "x", {}],
  ["PORT", "1", {}],
];

Deno.test("config: the environment fills in what is not given; empty counts as unset", () => {
  for (const [variable, value, changed] of ENVIRONMENT) {
    assertEquals(configOf([], { [variable]: value }), { ...DEFAULTS, ...changed }, variable);
  }
});

Deno.test("config: an option wins over the environment, which is then not even read", () => {
  assertEquals(configOf(["-p", "2"], { KARMA_PORT: "1" }).port, 2);
  assertEquals(configOf(["-p", "2"], { KARMA_PORT: "abc" }).port, 2);
  assertEquals(configOf(["-r", "true"], { KARMA_RESTORE: "false" }).restore, true);
});

Deno.test("config: what Kubernetes tells of a service called karma is passed over, with a note", () => {
  const noted = (env: Record<string, string>, args: string[] = []) => {
    const commandLine = parse(args, env);
    assert(commandLine.kind === "run");
    return { port: commandLine.config.port, notes: commandLine.notes };
  };
  const note = (value: string) =>
    `Environment variable KARMA_PORT is passed over: ${value} tells of a Kubernetes service`;
  for (const value of ["tcp://10.0.0.1:8080", "udp://10.0.0.1:53", "tcp://[fd00::1]:8080"]) {
    const env = {
      KARMA_PORT: value,
      KARMA_SERVICE_HOST: "10.0.0.1",
      KARMA_SERVICE_PORT: "8080",
      KARMA_PORT_8080_TCP: value,
      KARMA_PORT_8080_TCP_PROTO: "tcp",
      KARMA_PORT_8080_TCP_PORT: "8080",
      KARMA_PORT_8080_TCP_ADDR: "10.0.0.1",
    };
    assertEquals(noted(env), { port: 8080, notes: [note(value)] });
    assertEquals(noted(env, ["--port=1"]), { port: 1, notes: [] });
  }
  assertEquals(configOf([], { KARMA_HOST: "tcp://x" }).host, "tcp://x"); // no service makes that
  assertEquals(configOf([], { KARMA_AUTH_TOKEN: "tcp://x" }).authToken, "tcp://x");
});

Deno.test("config: a flag for a token or its file wins over the variables of both", () => {
  const env = { KARMA_AUTH_TOKEN: "t", KARMA_AUTH_TOKEN_FILE: "/t", KARMA_READ_AUTH_TOKEN: "r" };
  const tokens = (...args: string[]) => {
    const { authToken, authTokenFile, readAuthToken, readAuthTokenFile } = configOf(args, env);
    return [authToken, authTokenFile, readAuthToken, readAuthTokenFile];
  };
  assertEquals(tokens(), ["t", "/t", "r", ""]);
  assertEquals(tokens("--auth-token-file=/f"), ["", "/f", "r", ""]);
  assertEquals(tokens("--auth-token=f"), ["f", "", "r", ""]);
  assertEquals(tokens("--read-auth-token-file=/f"), ["t", "/t", "", "/f"]);
});

Deno.test("config: an empty variable for a token is refused, unless the token is set elsewhere", () => {
  const names = ["AUTH_TOKEN", "AUTH_TOKEN_FILE", "READ_AUTH_TOKEN", "READ_AUTH_TOKEN_FILE"];
  for (const name of names.map((name) => `KARMA_${name}`)) {
    const error = assertThrows(() => parse([], { [name]: "" }), UsageError);
    const sentence = "is empty: unset it if no token is wanted";
    assertEquals(error.message, `Environment variable ${name} ${sentence}`);
  }
  const both = { KARMA_AUTH_TOKEN: "", KARMA_AUTH_TOKEN_FILE: "/t" };
  assertEquals(configOf([], both).authTokenFile, "/t");
  assertEquals(configOf(["--auth-token=x"], { KARMA_AUTH_TOKEN: "" }).authToken, "x");
  assertEquals(configOf(["--auth-token-file=x"], { KARMA_AUTH_TOKEN: "" }).authTokenFile, "x");
});

const REFUSED_ENVIRONMENT: [variable: string, value: string, message: string][] = [
  ["KARMA_PORT", "abc", 'must be an integer from 0 to 65535: "abc"'],
  ["KARMA_PORT", " ", 'must be an integer from 0 to 65535: " "'],
  ["KARMA_RESTORE", "yes", 'must be true or false: "yes"'],
  ["KARMA_TCP_NODELAY", "0", 'must be true or false: "0"'],
  ["KARMA_TIMEZONE", "Mars", 'must be UTC, local or the name of a time zone: "Mars"'],
  ["KARMA_MAX_REQUEST_BYTES", "1", 'must be an integer from 64 to 1073741824: "1"'],
  [
    "KARMA_MAX_RESPONSE_BYTES",
    "1023",
    'must be 0 or an integer from 1024 to 1073741824: "1023"',
  ],
  ["KARMA_MAX_BATCH_ITEMS", "0", 'must be an integer from 1 to 1000000: "0"'],
  ["KARMA_MAX_CONNECTIONS", "-1", 'must be an integer from 1 to 1000000: "-1"'],
  ["KARMA_WAL", "1", 'must be true or false: "1"'],
  ["KARMA_WAL_FSYNC", "often", 'must be always, everysec or no: "often"'],
  ["KARMA_WAL_SEGMENT_BYTES", "-1", 'must be an integer from 0 to 2147483647: "-1"'],
  ["KARMA_WAL_MAX_BYTES", "1", 'must be an integer from 65536 to 9007199254740991: "1"'],
  ["KARMA_DUMP_RETENTION_PER_TREE", "x", 'must be an integer from 0 to 1000000: "x"'],
];

Deno.test("config: a refused variable is named, not the option it stands for", () => {
  for (const [variable, value, message] of REFUSED_ENVIRONMENT) {
    const error = assertThrows(() => parse([], { [variable]: value }), UsageError);
    assertEquals(error.message, `Environment variable ${variable} ${message}`);
  }
});

// The lines of Karma 0.1, which scripts and people know.
const USAGE_BEFORE = `Usage: karma [arguments]
    -b host, --bind=host             Host to bind (default: 0.0.0.0)
    -p port, --port=port             Port to listen for connection (default: 8080)
    -d path, --directory=path        Directory for storing and loading dumps (default: .)
    -r flag, --restore=flag          Load last state from dumps (default: true)
    -n flag, --nodelay=flag          Disable Nagle's algorithm (default: true)
`;

Deno.test("config: usage opens as it always did and names every option, default and variable", () => {
  const text = usage();
  assert(text.startsWith(USAGE_BEFORE));
  assert(text.endsWith("\n") && !text.endsWith("\n\n"));
  assertStringIncludes(text, "\n    -h, --help                       Show this help\n");
  for (const line of text.split("\n")) assert(line.length <= 100, line);
  const named = [
    ...["--timezone=zone", "--max-request-bytes=bytes", "--max-connections=count", "--version"],
    ...["(default: UTC)", "(default: 1048576)", "(default: 10000)"],
    ...["-w flag, --wal=flag", "--wal-fsync=when", "(default: everysec)", "karma check"],
    ...["--wal-segment-bytes=bytes", "--wal-max-bytes=bytes", "--dump-retention-per-tree=count"],
    ...ENVIRONMENT.filter(([, , changed]) => Object.keys(changed).length > 0)
      .map(([variable]) => ` ${variable} `),
    ...["(default: 67108864)", "(default: 1073741824)", "(default: 5)"],
  ];
  for (const part of named) assertStringIncludes(text, part);
});

const LOG_OPTIONS: [args: string[], expected: Partial<Config>][] = [
  [["-w", "false"], { wal: false }],
  [["-wfalse"], { wal: false }],
  [["--wal=false", "-w", "true"], {}],
  [["--wal=true"], { wal: true }],
  [["--wal-fsync=always"], { walSync: "always" }],
  [["--wal-fsync", "true"], { walSync: "always" }], // as Karma 1.x said it
  [["--wal-fsync=false"], { walSync: "no" }],
  [["--wal-fsync=no"], { walSync: "no" }],
  [["--wal-fsync=everysec"], { walSync: "everysec" }],
  [["--wal-segment-bytes=0"], { walSegmentBytes: 0 }],
  [["--wal-segment-bytes=2147483647"], { walSegmentBytes: 2147483647 }],
  [["--wal-max-bytes=65536"], { walBytesMax: 65536 }],
  [["--wal-max-bytes=9007199254740991"], { walBytesMax: 9007199254740991 }],
  [["--dump-retention-per-tree=0"], { dumpsKept: 0 }],
  [["--dump-retention-per-tree", "1000000"], { dumpsKept: 1000000 }],
];

const LOG_OPTIONS_REFUSED: [option: string, value: string, expected: string][] = [
  ["wal", "no", "true or false"],
  ["wal-fsync", "ALWAYS", "always, everysec or no"],
  ["wal-fsync", "1", "always, everysec or no"],
  ["wal-segment-bytes", "2147483648", "an integer from 0 to 2147483647"],
  ["wal-segment-bytes", "64M", "an integer from 0 to 2147483647"],
  ["wal-max-bytes", "65535", "an integer from 65536 to 9007199254740991"],
  ["wal-max-bytes", "9007199254740992", "an integer from 65536 to 9007199254740991"],
  ["wal-max-bytes", "0", "an integer from 65536 to 9007199254740991"],
  ["dump-retention-per-tree", "-1", "an integer from 0 to 1000000"],
  ["dump-retention-per-tree", "1000001", "an integer from 0 to 1000000"],
];

Deno.test("config: the options of the log and of the dumps", () => {
  for (const [args, expected] of LOG_OPTIONS) {
    assertEquals(configOf(args), { ...DEFAULTS, ...expected }, args.join(" "));
  }
  for (const [option, value, expected] of LOG_OPTIONS_REFUSED) {
    const error = assertThrows(() => parse([`--${option}=${value}`]), UsageError);
    assertEquals(error.message, `Option --${option} must be ${expected}: "${value}"`);
  }
});

Deno.test("config: `check` asks for an examination, as the first word only", () => {
  const line = parse(["check", "--directory", "/data"]);
  assert(line.kind === "check");
  assertEquals(line.config, { ...DEFAULTS, directory: "/data" });
  assertEquals(parse(["check"], { KARMA_DUMP_DIR: "/data" }), line, "as for a start");
  assertEquals(parse(["check", "--help"]).kind, "help");
  assertEquals(parse(["check", "--version"]).kind, "version");
  assertEquals(configOf(["--directory", "check"]).directory, "check");
  for (const word of ["Check", "--check", "checks"]) assertThrows(() => parse([word]), UsageError);
  assertThrows(() => parse(["-p", "1", "check"]), UsageError, 'Unexpected argument: "check"');
  assertThrows(() => parse(["check", "check"]), UsageError, 'Unexpected argument: "check"');
  assertThrows(() => parse(["check", "--bogus"]), UsageError, "Unknown option");
});

Deno.test("config: `repair` tells what it would do, and does it with --yes, which nothing else knows", () => {
  const line = parse(["repair", "--directory", "/data"]);
  assert(line.kind === "repair");
  assertEquals([line.isMeant, line.config], [false, { ...DEFAULTS, directory: "/data" }]);
  for (const words of [["--yes", "--directory=/data"], ["-d", "/data", "--yes"]]) {
    assertEquals(parse(["repair", ...words]), { ...line, isMeant: true });
  }
  assertEquals(parse(["repair", "--yes", "--help"]).kind, "help");
  for (const words of [["--yes"], ["check", "--yes"], ["repair", "--no"], ["repair", "yes"]]) {
    assertThrows(() => parse(words), UsageError);
  }
});

const SIZES: [text: string, size: Size][] = [
  ["1", { bytes: 1 }],
  ["268435456", { bytes: 268435456 }],
  ["64kb", { bytes: 65536 }],
  ["256mb", { bytes: 268435456 }],
  ["256MB", { bytes: 268435456 }],
  ["3gb", { bytes: 3221225472 }],
  ["1%", { percent: 1 }],
  ["100%", { percent: 100 }],
];

const SIZES_REFUSED = [
  ...["0", "0mb", "0%", "101%", "-1", "1.5gb", "1 gb", "gb", "%", "1tb", "1m", "1b", "1e9", "75%%"],
  "9007199254740992",
  "8388608gb",
];

Deno.test("config: sizes in bytes, with units, and as shares", () => {
  for (const flag of ["max-memory", "max-buffer-memory"]) {
    const field = flag === "max-memory" ? "memoryMax" : "bufferMemoryMax";
    for (const [text, size] of SIZES) {
      assertEquals(configOf([`--${flag}=${text}`]), { ...DEFAULTS, [field]: size }, text);
    }
    for (const text of SIZES_REFUSED) {
      const error = assertThrows(() => parse([`--${flag}=${text}`]), UsageError, "", text);
      const expected = "a size such as 268435456, 256mb or 75%";
      assertEquals(error.message, `Option --${flag} must be ${expected}: "${text}"`);
    }
  }
});

const MEMORY: [args: string[], bytesMax: number, bufferBytesMax: number, answerBytesMax: number][] =
  [
    [[], 750, 187, 187],
    [["--max-memory=50%"], 500, 125, 125],
    [["--max-memory=2000", "--max-buffer-memory=50%"], 2000, 1000, 500],
    [["--max-buffer-memory=100", "--idempotency-max-bytes=10"], 750, 100, 10],
    [["--max-buffer-memory=1gb", "--idempotency-max-bytes=1gb"], 750, 750, 750],
  ];

Deno.test("config: shares of memory are taken of the machine's, and of each other", () => {
  for (const [args, bytesMax, bufferBytesMax, answerBytesMax] of MEMORY) {
    const limits = { bytesMax, bufferBytesMax, answerBytesMax };
    assertEquals(memoryLimits(configOf(args), 1000), limits, args.join(" "));
  }
});
