// A pulse: a client that pings a server all the time, from a thread of its own, and notes how long
// it waited. So what the test itself does meanwhile holds up no ping.
//
// Invariant: `longest` counts every ping that was sent since `begin`. Trade-off: the thread shares the
// machine with all else, so the longest wait is an upper bound of what the server is to blame for.

const WORKER = new URL("pulse_worker.ts", import.meta.url);

export interface Beats {
  readonly count: number;
  /** How long a ping took, in milliseconds. */
  readonly median: number;
  readonly longest: number;
}

export class Pulse implements Disposable {
  readonly #worker: Worker;

  private constructor(worker: Worker) {
    this.#worker = worker;
  }

  static async of(port: number): Promise<Pulse> {
    const pulse = new Pulse(new Worker(WORKER, { type: "module" }));
    await pulse.#ask({ port });
    return pulse;
  }

  /** What pings had to wait while something was done. */
  async during(work: () => Promise<unknown>): Promise<Beats> {
    await this.#ask("begin");
    await work();
    return await this.#ask("tell") as Beats;
  }

  [Symbol.dispose](): void {
    this.#worker.terminate();
  }

  #ask(message: unknown): Promise<unknown> {
    const { promise, resolve, reject } = Promise.withResolvers();
    this.#worker.onmessage = ({ data }) => resolve(data);
    this.#worker.onerror = (event) => {
      event.preventDefault();
      reject(new Error(`The pulse has stopped: ${event.message}`));
    };
    this.#worker.postMessage(message);
    return promise;
  }
}
