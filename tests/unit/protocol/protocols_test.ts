// Every protocol in the list, held to the same rules. A protocol that is added brings a sample of its own.

import { assert, assertEquals } from "@std/assert";
import { ReceiveBuffer } from "../../../lib/bytes/receive_buffer.ts";
import { SendBuffer } from "../../../lib/bytes/send_buffer.ts";
import { Access } from "../../../lib/command/access.ts";
import { KEY, Request } from "../../../lib/command/request.ts";
import { Reply } from "../../../lib/command/reply.ts";
import { Tree } from "../../../lib/tree/tree.ts";
import { Walk } from "../../../lib/tree/walk.ts";
import type { Protocol } from "../../../lib/protocol/protocol.ts";
import { PROTOCOLS } from "../../../lib/protocol/protocols.ts";
import { valuesOf } from "../../support/resp.ts";

const encoder = new TextEncoder();
const decoder = new TextDecoder();

/** What each protocol says to the same ends. */
const SAMPLES: Record<string, {
  /** A request for the sum of key 7 in the tree "t". */
  readonly sum: string;
  /** The same of an operation that there is not. */
  readonly unknown: string;
  /** A frame that is certainly not in it. */
  readonly foreign: string;
  /** What ends a frame and a reply. */
  readonly end: string;
}> = {
  v1: {
    sum: '{"command":"sum","tree_name":"t","key":7}',
    unknown: '{"command":"no such","tree_name":"t","key":7}',
    foreign: '{"v":2,"op":"system.ping"}',
    end: "\r\n",
  },
  v2: {
    sum: '{"v":2,"op":"counter.sum","series":"t","key":7}',
    unknown: '{"v":2,"op":"no.such","series":"t","key":7}',
    foreign: '{"command":"ping"}',
    end: "\n",
  },
  resp: {
    sum: "KARMA.SUM t 7",
    unknown: "KARMA.NOSUCH t 7",
    foreign: '{"v":2,"op":"system.ping"}',
    end: "\r\n",
  },
};

const all = (access = new Access(null, null)) =>
  PROTOCOLS.flatMap((family) => family({ access, itemsMax: 10 })());

/** Feeds bytes in two parts, and lets a protocol take the frames; `each` is called with each. */
function feed(protocol: Protocol, bytes: Uint8Array, cut: number, each: () => void): void {
  for (const part of [bytes.subarray(0, cut), bytes.subarray(cut)]) {
    received.space(true).set(part);
    received.filled(part.length);
    while (protocol.frame(received, false) === "frame") each();
  }
}

let received = new ReceiveBuffer(4096);

Deno.test("protocols: each has a name of its own, and a sample here", () => {
  const names = all().map(({ name }) => name);
  assertEquals([...names].sort(), Object.keys(SAMPLES).sort());
});

Deno.test("protocols: a request is the same wherever it is cut", () => {
  for (const protocol of all()) {
    const { sum, end } = SAMPLES[protocol.name];
    const bytes = encoder.encode(`${sum}${end}${sum}${end}`);
    for (let cut = 0; cut <= bytes.length; cut++) {
      received = new ReceiveBuffer(4096);
      let met = 0;
      feed(protocol, bytes, cut, () => {
        const [request, reply] = [new Request(), new Reply()];
        assert(protocol.recognizes(received), protocol.name);
        assert(protocol.decode(received, request, reply, null), `${protocol.name}: ${reply.text}`);
        const name = request.bytes.subarray(request.nameStart, request.nameEnd);
        assertEquals([request.operation.id, decoder.decode(name)], ["sum", "t"]);
        assertEquals([...request.lanes.subarray(KEY, KEY + 2)], [7, 0]);
        met++;
      });
      assertEquals(met, 2, `${protocol.name}, cut at ${cut}`);
      received.release();
    }
  }
});

Deno.test("protocols: what is left when the client has closed is a frame", () => {
  for (const protocol of all()) {
    received = new ReceiveBuffer(4096);
    const bytes = encoder.encode(SAMPLES[protocol.name].sum);
    feed(protocol, bytes, bytes.length, () => assert(false, "it is not whole yet"));
    assertEquals(protocol.frame(received, true), "frame");
    assert(protocol.recognizes(received));
    received.release();
  }
});

Deno.test("protocols: what is not in it, is not there, or may not be asked, is told by its code", () => {
  const guarded = new Access("full", null);
  for (const [index, protocol] of all().entries()) {
    const { foreign, unknown, sum, end } = SAMPLES[protocol.name];
    const cases: [protocol: Protocol, text: string, isOurs: boolean, code: string | null][] = [
      [protocol, foreign, false, null],
      [protocol, unknown, true, "unknown_command"],
      [all(guarded)[index], sum, true, "unauthorized"],
    ];
    for (const [protocol, text, isOurs, code] of cases) {
      received = new ReceiveBuffer(4096);
      const bytes = encoder.encode(text + end);
      feed(protocol, bytes, 1, () => {
        assertEquals(protocol.recognizes(received), isOurs, text);
        if (code === null) return;
        const reply = new Reply();
        assert(!protocol.decode(received, new Request(), reply, null));
        assertEquals(reply.code, code);
        const out = new SendBuffer(64);
        protocol.encode(new Request(), reply, out);
        assert(decoder.decode(out.view(0)).endsWith(end), "a reply is a whole frame");
      });
      received.release();
    }
  }
});

Deno.test("protocols: a walked reply is what its pieces are, one after the other", () => {
  const tree = new Tree("t");
  for (let key = 1; key <= 5000; key++) tree.add(key, 0, 20260101, key, 0);
  for (const protocol of all()) {
    const reply = new Reply();
    reply.shape = "counters";
    reply.walk = new Walk(tree);
    const out = new SendBuffer(64);
    const request = new Request();
    let pieces = 1;
    protocol.encode(request, reply, out);
    while (protocol.more(request, reply, out) === "more") pieces++;
    protocol.encodeEnd(request, reply, out);
    assert(pieces > 1, protocol.name);
    const text = decoder.decode(out.view(0));
    if (protocol.name === "resp") {
      const counters = valuesOf(text)[0] as unknown[];
      assertEquals(counters.length, 10_000);
      assertEquals(counters.slice(-2), [5000n, [20260101n, 5000n]]);
      continue;
    }
    const { response } = JSON.parse(text);
    assertEquals(Object.keys(response).length, 5000);
    assertEquals(response[5000], { 20260101: 5000 });
  }
});
