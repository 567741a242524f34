/**
 * Writers that remember what they were told. A put that was acknowledged is kept with its revision; one whose answer
 * never came may or may not have happened, and is kept as that.
 */
import { utf8Bytes } from "../../server/base/bytes.ts";
import { connect, type EtcdClient } from "../../server/client/client.ts";
import { PutRequest, type PutResponse } from "../../server/proto/etcdserverpb.ts";

export interface Acknowledged {
  readonly key: string;
  readonly value: string;
  readonly revision: number;
}

const KEYS_PER_WRITER = 20;

export class Workload {
  readonly #address: string;
  readonly #writers: number;
  readonly #valueBytes: number;
  #running = false;
  #next = 0;
  #loops: Promise<void>[] = [];
  #client: EtcdClient | undefined;
  /** In the order in which the answers came. */
  readonly acknowledged: Acknowledged[] = [];
  /** Values sent whose answer never came. */
  readonly unknown = new Set<string>();

  constructor(options: { address: string; writers: number; valueBytes?: number }) {
    this.#address = options.address;
    this.#writers = options.writers;
    this.#valueBytes = options.valueBytes ?? 64;
  }

  start(): void {
    this.#running = true;
    this.#client = connect(this.#address);
    this.#loops = Array.from({ length: this.#writers }, (_, writer) => this.#write(writer, this.#client as EtcdClient));
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

  async #write(writer: number, client: EtcdClient): Promise<void> {
    for (let at = 0; this.#running; at++) {
      const key = `writer/${writer}/${at % KEYS_PER_WRITER}`;
      const value = `${this.#next++}`.padEnd(this.#valueBytes, ".");
      const message = PutRequest.create({ key: utf8Bytes(key), value: utf8Bytes(value) });
      const answer = await client.collect("etcdserverpb.KV", "Put", message);
      if (answer.code === 0) {
        const revision = (answer.messages[0] as PutResponse).header?.revision ?? 0;
        this.acknowledged.push({ key, value, revision });
      } else {
        this.unknown.add(value);
        return; // the server is gone; the next cycle begins anew
      }
    }
  }
}
