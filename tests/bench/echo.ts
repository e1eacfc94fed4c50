// The least that a server of lines on Deno can do: it answers each line with the same bytes.
//
//   deno run -A tests/bench/echo.ts PORT
//
// It reads and writes as lib/server/session.ts does (one read awaited for all the requests that it brings,
// one write for all their replies) and looks at nothing but line feeds. What it does is so the upper
// bound of what Karma could do at the same connections; its reply is that of an increment, to the byte.

const REPLY = '{"protocol_version":2,"success":true,"response":1,"error_code":null}\n';
const BUFFER_BYTES = 65536;
const LINE_FEED = 10;

/** More replies than lines fit into a read. */
const replies = new TextEncoder().encode(REPLY.repeat(BUFFER_BYTES));

function countLines(bytes: Uint8Array, end: number): number {
  let lines = 0;
  for (let at = 0; at < end; at++) if (bytes[at] === LINE_FEED) lines++;
  return lines;
}

async function serve(connection: Deno.TcpConn): Promise<void> {
  connection.setNoDelay(true);
  const buffer = new Uint8Array(BUFFER_BYTES);
  for (;;) {
    const count = await connection.read(buffer);
    if (count === null) return connection.close();
    const end = countLines(buffer, count) * REPLY.length;
    for (let at = 0; at < end;) at += await connection.write(replies.subarray(at, end));
  }
}

const listener = Deno.listen({ hostname: "127.0.0.1", port: Number(Deno.args[0]) });
for await (const connection of listener) serve(connection).catch(() => connection.close());
