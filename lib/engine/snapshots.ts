// Snapshots, as the wire calls dumps (in the making).

import type { Json } from "../command/json.ts";
import type { Reply } from "../command/reply.ts";
import type { Request } from "../command/request.ts";
import { dumpedName } from "../dump/file_name.ts";
import { DamagedError, HostError } from "../errors.ts";
import { isDone } from "./finder.ts";
import type { EngineLimits, Parts } from "./engine.ts";

export class Snapshots {
  readonly #parts: Parts;
  readonly #tell: (line: string) => void;
  constructor(parts: Parts, _limits: EngineLimits, tell: (line: string) => void) {
    this.#parts = parts;
    this.#tell = tell;
  }
  dump(request: Request, reply: Reply): void {
    const tree = this.#parts.forest.find(request.bytes, request.nameStart, request.nameEnd);
    const name = request.bytes.slice(request.nameStart, request.nameEnd);
    if (tree === null) return reply.notFound("Tree", name);
    reply.shape = "text";
    reply.text = `Tree "${tree.name}" saved`;
    reply.pending = this.#told(reply, () => this.#parts.dumper.dump(tree));
  }
  dumpAll(_request: Request, reply: Reply): void {
    reply.shape = "ok";
    this.#parts.dumper.dumpAll();
  }
  list(_request: Request, reply: Reply): void {
    reply.shape = "names";
    reply.pending = this.#told(reply, async () => {
      reply.names = await this.#parts.dumps.list();
    });
  }
  load(request: Request, reply: Reply): void {
    const file = new TextDecoder().decode(request.bytes.slice(request.nameStart, request.nameEnd));
    if (file === "" || file.length > 4096) {
      return reply.fail("validation_error", "Field tree_name must name a dump file");
    }
    reply.shape = "text";
    reply.pending = this.#told(reply, async () => {
      const dumped = await this.#parts.dumps.load(file);
      if (dumped === null) {
        return reply.notFound("Dump", new TextEncoder().encode(dumpedName(file)));
      }
      reply.text = `Tree "${dumped.tree.name}" loaded`;
      isDone(await this.#parts.ledger.put(dumped.tree), reply);
    });
  }
  info(_r: Reply) {}
  verify(_r: Reply) {}
  fetch(_q: Request, _r: Reply) {}
  fetchChunk(_q: Request, _r: Reply) {}
  async count(): Promise<number> {
    return (await this.#parts.dumps.list()).length;
  }
  latest(): Promise<{ lastLsn: number; latest: Json }> {
    return Promise.resolve({ lastLsn: 0, latest: [] });
  }
  async #told(reply: Reply, work: () => Promise<void>): Promise<void> {
    try {
      await work();
    } catch (error) {
      if (!(error instanceof HostError || error instanceof DamagedError)) throw error;
      this.#tell(error.message);
      reply.fail("internal_error", error instanceof HostError ? error.what : error.message);
    }
  }
}
