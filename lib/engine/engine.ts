// The engine: keeper of the state. It carries out decoded requests on the forest, one at a time.
//
// Invariant: `execute` is synchronous, so that nothing comes between a check and its change; what
// needs files or many turns goes on as the reply's `pending` and begins from a state of its own.
// A request that fails has changed nothing. No reply may leave before `settled`.

import { u64ToBigInt } from "../bytes/u64.ts";
import { type OperationId, OPERATIONS } from "../command/operation.ts";
import type { Reply } from "../command/reply.ts";
import { KEY, type Request } from "../command/request.ts";
import { dumpedName } from "../dump/file_name.ts";
import type { DumpStore } from "../dump/store.ts";
import { DamagedError, HostError } from "../errors.ts";
import type { Clock } from "../host/clock.ts";
import type { Log } from "../log/log.ts";
import type { Forest } from "../tree/forest.ts";
import type { Tree } from "../tree/tree.ts";
import { TREE_NAME_RULE, treeName } from "../tree/tree_name.ts";
import { Walk } from "../tree/walk.ts";
import type { Dumper } from "./dumper.ts";
import type { Ledger, Outcome } from "./ledger.ts";
import { settle } from "./sweeping.ts";

/** No file's name is nearly as long; beyond, an answer would not even repeat it. */
const LOAD_NAME_BYTES_MAX = 4096;

type Execute = (request: Request, reply: Reply) => void;

/** What an engine works with. */
export interface Parts {
  readonly forest: Forest;
  readonly ledger: Ledger;
  readonly log: Log;
  readonly dumps: DumpStore;
  readonly dumper: Dumper;
  readonly clock: Clock;
}

export class Engine {
  readonly #forest: Forest;
  readonly #ledger: Ledger;
  readonly #log: Log;
  readonly #dumps: DumpStore;
  readonly #dumper: Dumper;
  readonly #clock: Clock;
  readonly #tell: (line: string) => void;
  #today = 0;
  #sweeping: Promise<void> = Promise.resolve();

  readonly #functions: Record<OperationId, Execute> = {
    ping: (_, reply) => reply.shape = "pong",
    trees: (_, reply) => this.#trees(reply),
    create: (request, reply) => this.#create(request, reply),
    drop: (request, reply) => this.#drop(request, reply),
    increment: (request, reply) => this.#increment(request, reply),
    decrement: (request, reply) => this.#decrement(request, reply),
    sum: (request, reply) => this.#sum(request, reply),
    find: (request, reply) => this.#find(request, reply),
    findAll: (request, reply) => this.#findAll(request, reply),
    reset: (request, reply) => this.#removeDays(request, reply, "ok"),
    resetAll: (request, reply) => this.#sweep(request, reply, "ok"),
    delete: (request, reply) => this.#removeDays(request, reply, "true"),
    deleteAll: (request, reply) => this.#sweep(request, reply, "true"),
    dump: (request, reply) => this.#dump(request, reply),
    dumpAll: (_, reply) => this.#dumpAll(reply),
    dumps: (_, reply) => reply.pending = this.#list(reply),
    load: (request, reply) => this.#load(request, reply),
  };
  readonly #table = OPERATIONS.map(({ id }) => this.#functions[id]);

  constructor(parts: Parts, tell: (line: string) => void) {
    this.#forest = parts.forest;
    this.#ledger = parts.ledger;
    this.#log = parts.log;
    this.#dumps = parts.dumps;
    this.#dumper = parts.dumper;
    this.#clock = parts.clock;
    this.#tell = tell;
  }

  /** Looks at the clock: to be called when requests come in, before they are executed. */
  beginTurn(): void {
    this.#today = this.#clock.today();
  }

  /** Carries out a request; see `Reply` for where the answer is. */
  execute(request: Request, reply: Reply): void {
    this.#table[request.operation.index](request, reply);
  }

  /** Resolves when all that replies may tell by now is as safe as promised. */
  settled(): Promise<void> {
    return this.#log.settled();
  }

  /** The tree that a request names, or null: then, if no tree can have that name, the reply says so. */
  #tree(request: Request, reply: Reply): Tree | null {
    const { bytes, nameStart, nameEnd } = request;
    const tree = this.#forest.find(bytes, nameStart, nameEnd);
    if (tree === null && treeName(bytes, nameStart, nameEnd) === null) refuseName(reply);
    return tree;
  }

  #treeOrNew(request: Request, reply: Reply): Tree | null {
    const { bytes, nameStart, nameEnd } = request;
    const tree = this.#forest.find(bytes, nameStart, nameEnd);
    if (tree !== null) return tree;
    const name = treeName(bytes, nameStart, nameEnd);
    if (name === null) refuseName(reply);
    else if (isDone(this.#ledger.create(name), reply)) {
      return this.#forest.find(bytes, nameStart, nameEnd);
    }
    return null;
  }

  #trees(reply: Reply): void {
    reply.shape = "names";
    reply.names = this.#forest.trees().map(({ name }) => name);
  }

  #create(request: Request, reply: Reply): void {
    reply.shape = "ok";
    this.#treeOrNew(request, reply);
  }

  #drop(request: Request, reply: Reply): void {
    const tree = this.#forest.find(request.bytes, request.nameStart, request.nameEnd);
    if (tree === null) return reply.notFound("Tree", nameOf(request));
    reply.shape = "ok";
    isDone(this.#ledger.drop(tree), reply);
  }

  #increment(request: Request, reply: Reply): void {
    const tree = this.#treeOrNew(request, reply);
    if (tree === null) return;
    const { lanes } = request;
    const outcome = this.#ledger.add(tree, lanes[KEY], lanes[KEY + 1], this.#today, 1, 0);
    if (outcome === "done") return reply.number(1, 0);
    if (outcome !== "overflow") return void isDone(outcome, reply);
    const key = u64ToBigInt(lanes[KEY], lanes[KEY + 1]);
    reply.fail("validation_error", `Counter overflow key=${key} bucket=${this.#today}`);
  }

  #decrement(request: Request, reply: Reply): void {
    const tree = this.#treeOrNew(request, reply);
    if (tree === null) return;
    const { lanes } = request;
    reply.number(1, 0);
    isDone(this.#ledger.subtract(tree, lanes[KEY], lanes[KEY + 1], this.#today, 1, 0), reply);
  }

  #sum(request: Request, reply: Reply): void {
    const { lanes, dayFrom, dayTo } = request;
    const tree = this.#tree(request, reply);
    reply.number(0, 0);
    tree?.sum(lanes[KEY], lanes[KEY + 1], dayFrom, dayTo, reply.lanes);
  }

  #find(request: Request, reply: Reply): void {
    const { lanes, dayFrom, dayTo } = request;
    const tree = this.#tree(request, reply);
    reply.shape = "cells";
    reply.cells.clear();
    tree?.collect(lanes[KEY], lanes[KEY + 1], dayFrom, dayTo, reply.cells);
  }

  #findAll(request: Request, reply: Reply): void {
    const tree = this.#tree(request, reply);
    reply.cells.clear();
    reply.shape = tree === null ? "cells" : "counters";
    reply.walk = tree === null ? null : new Walk(tree);
  }

  #removeDays(request: Request, reply: Reply, shape: "ok" | "true"): void {
    const { lanes, dayFrom, dayTo } = request;
    const tree = this.#tree(request, reply);
    reply.shape = shape;
    if (tree === null) return;
    isDone(this.#ledger.remove(tree, lanes[KEY], lanes[KEY + 1], dayFrom, dayTo), reply);
  }

  #sweep(request: Request, reply: Reply, shape: "ok" | "true"): void {
    const tree = this.#tree(request, reply);
    reply.shape = shape;
    if (tree === null) return;
    const { dayFrom, dayTo } = request;
    // One after the other: many at once would make each branch do all of them when it is next touched.
    reply.pending = this.#sweeping = this.#sweeping.then(() => {
      if (!this.#forest.has(tree)) return; // dropped or replaced meanwhile
      const isSwept = isDone(this.#ledger.sweep(tree, dayFrom, dayTo), reply);
      return isSwept ? settle(tree) : undefined;
    });
  }

  #dump(request: Request, reply: Reply): void {
    const tree = this.#forest.find(request.bytes, request.nameStart, request.nameEnd);
    if (tree === null) return reply.notFound("Tree", nameOf(request));
    reply.shape = "text";
    reply.text = `Tree "${tree.name}" saved`;
    reply.pending = this.#told(reply, () => this.#dumper.dump(tree));
  }

  #dumpAll(reply: Reply): void {
    reply.shape = "ok";
    this.#dumper.dumpAll(); // failures are in the log; the reply does not wait
  }

  async #list(reply: Reply): Promise<void> {
    reply.shape = "names";
    await this.#told(reply, async () => {
      reply.names = await this.#dumps.list();
    });
  }

  #load(request: Request, reply: Reply): void {
    const tooLong = request.nameEnd - request.nameStart > LOAD_NAME_BYTES_MAX;
    const file = tooLong ? "" : new TextDecoder().decode(nameOf(request));
    if (file === "") return reply.fail("validation_error", "Field tree_name must name a dump file");
    reply.shape = "text";
    reply.pending = this.#told(reply, async () => {
      const dumped = await this.#dumps.load(file);
      if (dumped === null) {
        return reply.notFound("Dump", new TextEncoder().encode(dumpedName(file)));
      }
      reply.text = `Tree "${dumped.tree.name}" loaded`;
      isDone(await this.#ledger.put(dumped.tree), reply);
    });
  }

  /** Does work with files; what goes wrong outside becomes the reply's error and a line in the log. */
  async #told(reply: Reply, work: () => Promise<void>): Promise<void> {
    try {
      await work();
    } catch (error) {
      if (!(error instanceof HostError || error instanceof DamagedError)) throw error;
      this.#tell(error.message);
      // Paths and what the system said are the operator's.
      reply.fail("internal_error", error instanceof HostError ? error.what : error.message);
    }
  }
}

function refuseName(reply: Reply): void {
  reply.fail("validation_error", `Field tree_name ${TREE_NAME_RULE}`);
}

function nameOf(request: Request): Uint8Array<ArrayBuffer> {
  return new Uint8Array(request.bytes.subarray(request.nameStart, request.nameEnd));
}

/** Whether a change was made; else the reply says why not. */
function isDone(outcome: Outcome, reply: Reply): boolean {
  if (outcome === "full") reply.fail("storage_full", "The disk is full: nothing was changed");
  if (outcome === "crowded") reply.fail("validation_error", "There are too many trees");
  return outcome === "done";
}
