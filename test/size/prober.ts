/** One small read after another: how long the longest of them took is how long the server was not there for anybody. */
import type { Client } from "../../server/client/client.ts";
import { SERVICES } from "../../server/proto/services.ts";
import { keyOf } from "./dataset.ts";

export interface Waits {
  readonly reads: number;
  readonly longestMs: number;
  readonly p99Ms: number;
}

export class Prober {
  readonly #client: Client;
  readonly #waits: number[] = [];
  #running = true;
  readonly #ended: Promise<void>;

  constructor(client: Client) {
    this.#client = client;
    this.#ended = this.#run();
    this.#ended.catch(() => undefined); // `stop` tells it
  }

  async stop(): Promise<Waits> {
    this.#running = false;
    await this.#ended;
    const sorted = this.#waits.sort((left, right) => left - right);
    const at = (share: number) => sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0;
    return { reads: sorted.length, longestMs: sorted.at(-1) ?? 0, p99Ms: at(0.99) };
  }

  async #run(): Promise<void> {
    const key = keyOf(1);
    while (this.#running) {
      const started = performance.now();
      await this.#client.unary(SERVICES.kv.methods.range, { key, serializable: true });
      this.#waits.push(performance.now() - started);
    }
  }
}
