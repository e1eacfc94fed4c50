// TLS listeners: connections whose bytes are encrypted, by the runtime.
//
// There are two, since runtimes differ. `node:tls` of Deno 2.9 checks clients' certificates and changes its own without
// closing the port. Older Deno has `Deno.listenTls` alone, which does neither: there the port is closed and opened
// again, so that those who connect in that moment are refused.
//
// Invariant: certificate and key belong together, whether they are given at the start or later; what is wrong with
// new ones leaves the old ones in place. Connections that are there never notice.
// Trade-off: `node:tls` gives a request four fifths of the rate of `Deno.listenTls` (77 k of 95 k a second), because
// its sockets are streams of Node. That is the price of client certificates, and of reloading without a gap.

import { X509Certificate } from "node:crypto";
import type { Server } from "node:tls";
import { HostError, sentenceOf } from "../errors.ts";
import { sleep } from "./clock.ts";
import { TlsConnection } from "./tls_connection.ts";

/** Texts in PEM: the server's certificates and key, and the authorities of clients' certificates; null: none are wanted. */
export interface TlsTexts {
  readonly certificate: string;
  readonly key: string;
  readonly clientAuthorities: string | null;
}

interface TlsAddress {
  readonly hostname: string;
  readonly port: number;
}

/** How a listener is bounded, and whom it tells. */
interface TlsOptions {
  /** The most connections, those whose handshakes are not over among them. */
  readonly connectionsMax: number;
  /** A handshake has failed. */
  failed(sentence: string, remoteAddr: object): void;
}

/**
 * How long a handshake may take: a few round trips of a bad network. Deno 2.9 keeps sockets, some 15 KB each, for as
 * long whether they have ended or not.
 */
const HANDSHAKE_MS = 10_000;

/** How often, and how long apart, it is tried to open a port again. */
const OPENINGS_MAX = 200;
const OPENING_MS = 10;

type Connection = TlsConnection | Deno.TlsConn;

export interface TlsListener {
  readonly port: number;
  accept(): Promise<Connection>;
  /**
   * Greets newcomers with other certificates.
   *
   * @throws {HostError} If the port could not be opened again
   */
  replace(texts: TlsTexts): Promise<void>;
  close(): void;
}

/**
 * Looks at certificates and key.
 *
 * @returns Until when the certificate is valid
 * @throws {Error} If they cannot be used; the message says why
 */
export function examineTls({ certificate, key, clientAuthorities }: TlsTexts): Date {
  Deno.listenTls({ hostname: "127.0.0.1", port: 0, cert: certificate, key }).close();
  if (clientAuthorities !== null) new X509Certificate(clientAuthorities);
  return new Date(new X509Certificate(certificate).validTo);
}

/**
 * Listens for connections over TLS.
 *
 * @throws {HostError} If the port could not be opened
 */
export async function listenTls(
  address: TlsAddress,
  texts: TlsTexts,
  options: TlsOptions,
): Promise<TlsListener> {
  try {
    const { default: tls } = await import("node:tls"); // nobody else pays for it
    const server = tls.createServer(settingsOf(texts));
    if ("setSecureContext" in server) return await NodeTlsListener.open(server, address, options);
    if (texts.clientAuthorities === null) return new PlainTlsListener(address, texts);
    throw new Error("Deno before 2.9 cannot ask clients for certificates");
  } catch (error) {
    throw new HostError(`Could not listen on ${address.hostname}:${address.port}`, error);
  }
}

class NodeTlsListener implements TlsListener {
  readonly #server: Server;
  readonly #accepted: TlsConnection[] = [];
  #wake = () => {};
  #failure: Error | null = null;

  private constructor(server: Server, { connectionsMax, failed }: TlsOptions) {
    this.#server = server;
    server.maxConnections = connectionsMax;
    this.#server.on("secureConnection", (socket) => {
      socket.allowHalfOpen = true; // not before: a handshake whose client has ended its side is over
      this.#accepted.push(new TlsConnection(socket));
      this.#wake();
    });
    this.#server.on("tlsClientError", (error, socket) => {
      failed(sentenceOf(error), { hostname: socket?.remoteAddress });
      socket?.destroy();
    });
    this.#server.on("error", (error) => this.#fail(error));
    this.#server.on("close", () => this.#fail(new Error("The listener is closed")));
  }

  static async open(server: Server, { hostname, port }: TlsAddress, options: TlsOptions) {
    await new Promise<void>((resolve, reject) => {
      server.once("error", reject);
      server.listen(port, hostname, resolve);
    });
    server.removeAllListeners("error");
    return new NodeTlsListener(server, options);
  }

  get port(): number {
    return (this.#server.address() as { port: number }).port;
  }

  async accept(): Promise<TlsConnection> {
    while (this.#accepted.length === 0) {
      const failure = this.#failure;
      if (failure !== null) {
        if (this.#server.listening) this.#failure = null;
        throw failure;
      }
      await new Promise<void>((resolve) => this.#wake = resolve);
    }
    return this.#accepted.shift()!;
  }

  replace(texts: TlsTexts): Promise<void> {
    this.#server.setSecureContext(contextOf(texts));
    return Promise.resolve();
  }

  close(): void {
    this.#server.close();
  }

  #fail(error: Error): void {
    this.#failure = error;
    this.#wake();
  }
}

function contextOf({ certificate, key, clientAuthorities }: TlsTexts) {
  const ca = clientAuthorities === null ? undefined : [clientAuthorities];
  return { cert: certificate, key, ca };
}

function settingsOf(texts: TlsTexts) {
  const isAsked = texts.clientAuthorities !== null;
  return {
    ...contextOf(texts),
    requestCert: isAsked,
    rejectUnauthorized: isAsked,
    handshakeTimeout: HANDSHAKE_MS,
  };
}

class PlainTlsListener implements TlsListener {
  readonly #address: TlsAddress;
  #listener: Deno.TlsListener;
  /** Resolves when the port is open again; null: it is. */
  #opening: Promise<void> | null = null;

  constructor(address: TlsAddress, texts: TlsTexts) {
    this.#listener = listenPlainly(address, texts);
    this.#address = { ...address, port: this.port };
  }

  get port(): number {
    return this.#listener.addr.port;
  }

  async accept(): Promise<Deno.TlsConn> {
    for (;;) {
      const listener = this.#listener;
      try {
        return await listener.accept();
      } catch (error) {
        if (this.#opening !== null) await this.#opening;
        else if (listener === this.#listener) throw error;
      }
    }
  }

  async replace(texts: TlsTexts): Promise<void> {
    this.#opening = this.#open(texts);
    await this.#opening;
    this.#opening = null;
  }

  async #open(texts: TlsTexts): Promise<void> {
    this.#listener.close();
    for (let left = OPENINGS_MAX;; left--) {
      try {
        this.#listener = listenPlainly(this.#address, texts);
        return;
      } catch (error) {
        const { hostname, port } = this.#address;
        if (left === 0) throw new HostError(`Could not listen on ${hostname}:${port} again`, error);
        await sleep(OPENING_MS); // the system may not have closed it yet
      }
    }
  }

  close(): void {
    this.#listener.close();
  }
}

function listenPlainly(address: TlsAddress, { certificate, key }: TlsTexts): Deno.TlsListener {
  return Deno.listenTls({ ...address, cert: certificate, key });
}
