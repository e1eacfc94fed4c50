// The commands about a connection: who asks, in which version, and what a client wants to know before it asks for more.
//
// Invariant: what outlasts a command is in the peer. A client without a right token may only introduce itself, show one,
// or leave.

import type { Access, Data, Peer, Reply, Request } from "../../command/mod.ts";
import { VERSION } from "../../version.ts";
import { COMMANDS, type ConnectionCommand } from "./commands.ts";
import { SYNTAX } from "./argument_reader.ts";

/** The only name of a user there is, as in Redis without access lists. */
const USER = "default";

const NAME = /^[!-~]*$/;

/** Names that a connection keeps are this long at most. */
const NAME_BYTES_MAX = 256;

/** Those that need no token. */
const OPEN: readonly ConnectionCommand[] = ["HELLO", "AUTH", "QUIT", "RESET"];

export function isOpenCommand(command: ConnectionCommand): boolean {
  return OPEN.includes(command);
}

const encoder = new TextEncoder();

export class ConnectionCommands {
  readonly #access: Access;

  constructor(access: Access) {
    this.#access = access;
  }

  /**
   * Answers a command: fills the reply, or returns the operation that answers, "ping", or "stats" in the form that
   * `request` then has. `words` begin with its name; the second one is in `reply.subject` as it came.
   */
  answer(
    command: ConnectionCommand,
    words: readonly string[],
    peer: Peer,
    request: Request,
    reply: Reply,
  ): "ping" | "stats" | null {
    switch (command) {
      case "PING":
        if (words.length === 1) return "ping";
        return words.length > 2 ? arity(command, reply) : echo(reply);
      case "ECHO":
        return echo(reply);
      case "SELECT":
        return words[1] === "0" ? ok(reply) : fail("DB index is out of range", reply);
      case "QUIT":
        reply.isLast = true;
        return ok(reply);
      case "RESET":
        peer.version = 2;
        peer.grant = null;
        peer.name = "";
        return status("RESET", reply);
      case "HELLO":
        return this.#hello(words, peer, reply);
      case "AUTH":
        if (words.length > 3) return fail(SYNTAX, reply);
        return this.#authenticate(words.slice(1), peer, reply) ? ok(reply) : null;
      case "CLIENT":
        return client(words, peer, reply);
      case "COMMAND":
        return describe(words, reply);
      case "CONFIG":
        // There is nothing that could be asked for: what clients look for here does not exist in Karma.
        return upper(words[1]) === "GET" ? tell({}, reply) : unknownSub(words, reply);
      case "INFO":
      case "DBSIZE":
        request.form = command === "INFO" ? "info" : "size";
        return "stats";
    }
  }

  /** `HELLO [version [AUTH user token] [SETNAME name]]` */
  #hello(words: readonly string[], peer: Peer, reply: Reply): null {
    const version = words.length === 1 ? peer.version : Number(words[1]);
    if (version !== 2 && version !== 3) {
      reply.fail("unsupported_protocol", "unsupported protocol version");
      return null;
    }
    let name: string | null = null;
    for (let at = 2; at < words.length;) {
      const option = upper(words[at]);
      if (option === "AUTH" && at + 2 < words.length) {
        if (!this.#authenticate(words.slice(at + 1, at + 3), peer, reply)) return null;
        at += 3;
      } else if (option === "SETNAME" && at + 1 < words.length) {
        name = words[at + 1];
        at += 2;
      } else return fail(`Syntax error in HELLO option '${option}'`, reply);
    }
    if (!this.#access.resume(peer.grant)) {
      reply.fail(
        "unauthorized",
        "HELLO must be called with the client already authenticated, " +
          "otherwise the HELLO <proto> AUTH <user> <pass> option can be used",
      );
      return null;
    }
    if (name !== null && !setName(name, peer, reply)) return null;
    peer.version = version;
    return tell({
      server: "karma",
      version: VERSION,
      proto: version,
      id: peer.id,
      mode: "standalone",
      role: "master",
      modules: [],
    }, reply);
  }

  /** Takes `[user] token`; a right one is remembered. False: the reply says what is wrong. */
  #authenticate(words: readonly string[], peer: Peer, reply: Reply): boolean {
    if (this.#access.isOpen) {
      fail("AUTH called without any token configured: this server admits everyone", reply);
      return false;
    }
    const token = encoder.encode(words.at(-1)!);
    const isUser = words.length < 2 || words[0] === USER;
    if (this.#access.authenticate(token, 0, token.length) && isUser) {
      peer.grant = this.#access.grant;
      return true;
    }
    this.#access.forget();
    reply.fail("unauthorized", "WRONGPASS");
    return false;
  }
}

function upper(word: string): string {
  return word.toUpperCase();
}

function client(words: readonly string[], peer: Peer, reply: Reply): null {
  switch (upper(words[1])) {
    case "ID":
      return tell(peer.id, reply);
    case "GETNAME":
      return tell(peer.name === "" ? null : peer.name, reply);
    case "SETNAME":
      if (words.length !== 3) return arity("client|setname", reply);
      return setName(words[2], peer, reply) ? ok(reply) : null;
    case "SETINFO": {
      if (words.length !== 4) return arity("client|setinfo", reply);
      const [, , attribute, value] = words;
      if (!isName(value)) return fail("names cannot contain blanks or control characters", reply);
      if (upper(attribute) === "LIB-NAME") peer.library = value;
      else if (upper(attribute) === "LIB-VER") peer.libraryVersion = value;
      else return fail(`Unrecognized option '${attribute}'`, reply);
      return ok(reply);
    }
    case "INFO":
    case "LIST": // of this connection: Karma does not show clients to one another
      return tell(`${lineOf(peer)}\n`, reply);
    default:
      return unknownSub(words, reply);
  }
}

function lineOf(peer: Peer): string {
  const age = Math.floor((Date.now() - peer.since) / 1000);
  return `id=${peer.id} name=${peer.name} age=${age} db=0 resp=${peer.version} ` +
    `lib-name=${peer.library} lib-ver=${peer.libraryVersion}`;
}

function isName(name: string): boolean {
  return name.length <= NAME_BYTES_MAX && NAME.test(name);
}

function setName(name: string, peer: Peer, reply: Reply): boolean {
  if (isName(name)) {
    peer.name = name;
    return true;
  }
  fail("Client names cannot contain spaces, newlines or special characters.", reply);
  return false;
}

/** `COMMAND [COUNT | INFO [name ...] | DOCS [name ...]]` */
function describe(words: readonly string[], reply: Reply): null {
  const asked = words.slice(2).map(upper);
  const wanted = asked.length === 0
    ? COMMANDS
    : COMMANDS.filter(({ name }) => asked.includes(name));
  switch (words.length === 1 ? "INFO" : upper(words[1])) {
    case "COUNT":
      return tell(COMMANDS.length, reply);
    case "INFO":
      if (asked.length === 0) return tell(COMMANDS.map(rowOf), reply);
      return tell(
        asked.map((name) => {
          const command = COMMANDS.find((command) => command.name === name);
          return command === undefined ? null : rowOf(command);
        }),
        reply,
      );
    case "DOCS":
      return tell(Object.fromEntries(wanted.map(docOf)), reply);
    default:
      return unknownSub(words, reply);
  }
}

/** Name, arity (negative: at least so many), flags, and where keys of Redis are: nowhere. */
function rowOf({ name, least, operation }: (typeof COMMANDS)[number]): Data {
  const flags = operation === null || operation.access === "read"
    ? ["readonly"]
    : [operation.access];
  return [name.toLowerCase(), -least, flags, 0, 0, 0];
}

function docOf({ name, operation }: (typeof COMMANDS)[number]): [string, Data] {
  const summary = operation === null
    ? "About the connection or the server."
    : name === operation.resp
    ? `The operation ${operation.v2!.ops[0]}.`
    : `The operation ${operation.v2!.ops[0]}, as redis-cell has it.`;
  return [name.toLowerCase(), { summary, group: operation === null ? "connection" : "karma" }];
}

function tell(data: Data, reply: Reply): null {
  reply.object(data);
  return null;
}

/** The argument comes back as it is: it need not be text. */
function echo(reply: Reply): null {
  reply.shape = "echo";
  return null;
}

function ok(reply: Reply): null {
  reply.shape = "ok";
  return null;
}

/** A word that is a status, not a string. */
function status(word: string, reply: Reply): null {
  reply.shape = "status";
  reply.text = word;
  return null;
}

function fail(sentence: string, reply: Reply): null {
  reply.fail("validation_error", sentence);
  return null;
}

function arity(name: string, reply: Reply): null {
  return fail(arityFault(name), reply);
}

/** What is wrong with a command that has too few arguments, or too many. */
export function arityFault(name: string): string {
  return `wrong number of arguments for '${name.toLowerCase()}' command`;
}

function unknownSub([command, word]: readonly string[], reply: Reply): null {
  return fail(`unknown subcommand '${word}' of ${command.toUpperCase()}`, reply);
}
