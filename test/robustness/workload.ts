/**
 * Writers that remember what they were told. A put that was acknowledged is kept with its revision; one whose answer
 * never came may or may not have happened, and is kept as that.
 */
import { utf8Bytes } from "../../server/base/bytes.ts";
import { type Client, connect } from "../../server/client/client.ts";
import { SERVICES } from "../../server/proto/services.ts";

export interface Acknowledged {
  readonly key: string;
  readonly value: string;
  readonly revision: number;
}

const KEYS_PER_WRITER = 20;

export class Workload {
  readonly #url: string;
  readonly #writers: number;
  readonly #valueBytes: number;
  #running = false;
  #next = 0;
  #loops: Promise<void>[] = [];
  #client: Client | undefined;
  /** In the order in which the answers came. */
  readonly acknowledged: Acknowledged[] = [];
  /** Values sent whose answer never came. */
  readonly unknown = new Set<string>();

  constructor(options: { url: string; writers: number; valueBytes?: number }) {
    this.#url = options.url;
    this.#writers = options.writers;
    this.#valueBytes = options.valueBytes ?? 64;
  }

  start(): void {
    this.#running = true;
    this.#client = connect(this.#url);
    this.#loops = Array.from({ length: this.#writers }, (_, writer) => this.#write(writer, this.#client as Client));
  }

  /** Forgets what has been judged. */
  forget(): void {
    this.acknowledged.length = 0;
    this.unknown.clear();
  }

  /** Resolves when no request is under way any more. */
  async stop(): Promise<void> {
    this.#running = false;
    this.#client?.close();
    await Promise.all(this.#loops);
  }

  async #write(writer: number, client: Client): Promise<void> {
    for (let at = 0; this.#running; at++) {
      const key = `writer/${writer}/${at % KEYS_PER_WRITER}`;
      const value = `${this.#next++}`.padEnd(this.#valueBytes, ".");
      const { response } = await client.call(SERVICES.kv.methods.put, { key: utf8Bytes(key), value: utf8Bytes(value) });
      if (response !== undefined) {
        this.acknowledged.push({ key, value, revision: response.header?.revision ?? 0 });
      } else {
        this.unknown.add(value);
        return; // the server is gone; the next cycle begins anew
      }
    }
  }
}
