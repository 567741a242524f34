/**
 * Writers that remember what they were told. A request that was acknowledged is kept with its revision; one whose answer
 * never came may or may not have happened, and is kept as that. Every key has one writer, so what a read must answer is
 * known while the load runs too.
 */
import { utf8Bytes, utf8Text } from "../../server/base/bytes.ts";
import { Prng } from "../../server/base/prng.ts";
import { type CallStatus, type Client, connect } from "../../server/client/client.ts";
import { PutRequest, RequestOp, type ResponseHeader } from "../../server/proto/etcdserverpb.ts";
import { KeyValue } from "../../server/proto/mvccpb.ts";
import { type Method, SERVICES } from "../../server/proto/services.ts";

/** What happens to one key; without a value it is deleted. */
export interface KeyChange {
  readonly key: string;
  readonly value: string | undefined;
  readonly lease: bigint;
}

/** What one request does when it happens: all of it at one revision and in this order, or nothing. */
export type Changes = readonly KeyChange[];

export interface Acknowledged {
  readonly changes: Changes;
  readonly revision: number;
}

/** What is there when the load begins. */
export interface Start {
  readonly values: ReadonlyMap<string, string>;
  /** Revisions above the first and up to the second may be compacted. */
  readonly compacted: number;
  readonly revision: number;
}

/** What the answers said, for a judge. */
export interface Promises {
  /** In the order in which the answers came. */
  readonly acknowledged: readonly Acknowledged[];
  /** Requests whose answer never came. */
  readonly unknown: readonly Changes[];
  /** Whether a lease must be there; "unknown" when the answer to its grant or its end never came. */
  readonly leases: Map<bigint, "granted" | "revoked" | "unknown">;
  /** Answers that were wrong when they came. */
  readonly wrong: readonly string[];
  /** The highest revision in any answer, and the highest compaction acknowledged; -1 for none. */
  readonly highest: number;
  readonly compacted: number;
}

export type Kind = "put" | "txn" | "delete" | "read" | "compact" | "grant" | "revoke";

const KEYS_PER_WRITER = 20;
const SMALL_BYTES = 64;
const LARGE_BYTES = 60_000;
const LARGE_SHARE = 0.02;
/** Longer than a server keeps anybody waiting, which answers itself then. */
const PATIENCE_MS = 30_000;
/** gRPC's code for a server that is gone: the only way in which a request may fail here. */
const UNAVAILABLE = 14;
const COMPACT_EVERY_MS = 30;
/** By itself, while one load runs. */
const COMPACTIONS = 6;
/** Longer than any test. */
const TTL_SECONDS = 86_400;

export class Workload implements Promises {
  readonly #url: string;
  readonly #writers: number;
  readonly #compactShare: number;
  readonly #random: Prng;
  /** What may still be compacted: above the first and up to the second revision. */
  #compactable = { last: 0, end: 0 };
  #compacting: Promise<boolean> = Promise.resolve(true);
  #running = false;
  #client: Client | undefined;
  #loops: Promise<void>[] = [];
  #number = 0;
  #values = new Map<string, string>();
  readonly acknowledged: Acknowledged[] = [];
  readonly unknown: Changes[] = [];
  readonly leases = new Map<bigint, "granted" | "revoked" | "unknown">();
  readonly wrong: string[] = [];
  readonly counts = new Map<Kind, number>();
  /** Requests of any kind that found the server gone. */
  unanswered = 0;
  highest = 0;
  compacted = -1;

  /**
   * `compactShare`: how much of what was judged before it compacts by itself, from 0 to 1, which it is when absent. What it
   * leaves is there for `compactNext`.
   */
  constructor(options: { url: string; writers: number; seed: number; compactShare?: number }) {
    this.#url = options.url;
    this.#writers = options.writers;
    this.#compactShare = options.compactShare ?? 1;
    this.#random = new Prng(options.seed);
  }

  /** Answers of all kinds so far. */
  get answers(): number {
    let sum = 0;
    for (const count of this.counts.values()) sum += count;
    return sum;
  }

  start(start: Start): void {
    const client = connect(this.#url);
    this.#client = client;
    this.#running = true;
    this.#values = new Map(start.values);
    this.#compactable = { last: Math.max(start.compacted, 1), end: start.revision };
    this.#compacting = Promise.resolve(true);
    this.#loops = Array.from({ length: this.#writers }, (_, writer) => this.#write(client, writer));
    this.#loops.push(this.#lease(client));
    this.#loops.push(this.#compact(client));
  }

  /** Forgets what has been judged. */
  forget(): void {
    this.acknowledged.length = 0;
    this.unknown.length = 0;
  }

  /** All that it remembers, to be judged more than once. */
  promises(): Promises {
    const { acknowledged, unknown, leases, wrong, highest, compacted } = this;
    return {
      acknowledged: [...acknowledged],
      unknown: [...unknown],
      leases: new Map(leases),
      wrong,
      highest,
      compacted,
    };
  }

  /** Resolves when no request is under way any more. */
  async stop(): Promise<void> {
    this.#running = false;
    await Promise.all([...this.#loops, this.#compacting]);
    this.#client?.close();
  }

  async #write(client: Client, writer: number): Promise<void> {
    const random = new Prng(this.#random.uint32());
    const keys = Array.from({ length: KEYS_PER_WRITER }, (_, at) => `writer/${writer}/${at}`);
    for (let at = 0; this.#running; at++) {
      const key = keys[at % keys.length] as string;
      const dice = random.below(100);
      const answered =
        dice < 60
          ? await this.#put(client, this.#newValue(random, key))
          : dice < 80
            ? await this.#txn(client, this.#newValue(random, key), random.pick(keys))
            : dice < 90
              ? await this.#delete(client, key)
              : await this.#read(client, random.pick(keys));
      if (!answered) return; // the server is gone; the next cycle begins anew
    }
  }

  /** Leases that keep their keys, and leases that take them along. */
  async #lease(client: Client): Promise<void> {
    const random = new Prng(this.#random.uint32());
    while (this.#running) {
      const id = BigInt(1000 + this.#number++);
      this.leases.set(id, "unknown");
      const { leaseGrant, leaseRevoke } = SERVICES.lease.methods;
      if (!(await this.#send(client, "grant", leaseGrant, { id, ttl: TTL_SECONDS }, []))) return;
      this.leases.set(id, "granted");
      const keys = ["a", "b", "c"].map((name) => `leased/${id}/${name}`);
      for (const key of keys) if (!(await this.#put(client, this.#newValue(random, key, id)))) return;
      if (random.below(4) === 0) continue;
      const changes = keys.map((key) => ({ key, value: undefined, lease: 0n }));
      this.leases.set(id, "unknown");
      if (!(await this.#send(client, "revoke", leaseRevoke, { id }, changes))) return;
      this.leases.set(id, "revoked");
    }
  }

  /**
   * Compacts one revision more of those that were judged before, after whatever compaction is under way; does nothing when
   * none is left or no load runs. Resolves when it is answered, or failed.
   */
  async compactNext(): Promise<void> {
    const client = this.#client;
    if (this.#running && client !== undefined) await this.#compactUpTo(client, this.#compactable.last + 1);
  }

  /** In a few steps up to its share of what was judged before. */
  async #compact(client: Client): Promise<void> {
    const { last, end } = this.#compactable;
    const size = (end - last) * this.#compactShare;
    for (let step = 1; this.#running && step <= COMPACTIONS && size > 0; step++) {
      await new Promise((resolve) => setTimeout(resolve, COMPACT_EVERY_MS));
      if (!(await this.#compactUpTo(client, Math.floor(last + (size * step) / COMPACTIONS)))) return;
    }
  }

  /** One at a time, so that none comes to the server when a later one has overtaken it. False: it failed. */
  #compactUpTo(client: Client, revision: number): Promise<boolean> {
    const compacted = this.#compacting.then(async (goesOn) => {
      const { last, end } = this.#compactable;
      if (!goesOn || revision <= last || revision > end) return goesOn;
      if (!(await this.#send(client, "compact", SERVICES.kv.methods.compact, { revision }, []))) return false;
      this.#compactable.last = revision;
      this.compacted = revision;
      return true;
    });
    this.#compacting = compacted;
    return compacted;
  }

  #newValue(random: Prng, key: string, lease = 0n): KeyChange & { value: string } {
    const bytes = random.chance(LARGE_SHARE) ? LARGE_BYTES : SMALL_BYTES;
    return { key, value: `${this.#number++} `.padEnd(bytes, "."), lease };
  }

  #put(client: Client, change: KeyChange & { value: string }): Promise<boolean> {
    return this.#send(client, "put", SERVICES.kv.methods.put, putRequest(change), [change]).then(Boolean);
  }

  /** A put, the deletion of another key if that is there, and a second put of a key that no other request touches. */
  async #txn(client: Client, first: KeyChange & { value: string }, other: string): Promise<boolean> {
    const second = { ...first, key: `${first.key}/second` };
    const changes: KeyChange[] = [first];
    const success = [RequestOp.create({ request: { kind: "put", value: PutRequest.create(putRequest(first)) } })];
    if (other !== first.key && this.#values.has(other)) {
      const value = { key: utf8Bytes(other), rangeEnd: new Uint8Array(0), prevKv: false };
      changes.push({ key: other, value: undefined, lease: 0n });
      success.push(RequestOp.create({ request: { kind: "deleteRange", value } }));
    }
    changes.push(second);
    success.push(RequestOp.create({ request: { kind: "put", value: PutRequest.create(putRequest(second)) } }));
    const response = await this.#send(client, "txn", SERVICES.kv.methods.txn, { success }, changes);
    return response !== undefined;
  }

  async #delete(client: Client, key: string): Promise<boolean> {
    const changes = this.#values.has(key) ? [{ key, value: undefined, lease: 0n }] : [];
    const request = { key: utf8Bytes(key) };
    const response = await this.#send(client, "delete", SERVICES.kv.methods.deleteRange, request, changes);
    if (response !== undefined && response.deleted !== changes.length)
      this.wrong.push(`a deletion of "${key}" found ${response.deleted} keys, not ${changes.length}`);
    return response !== undefined;
  }

  async #read(client: Client, key: string): Promise<boolean> {
    const response = await this.#send(client, "read", SERVICES.kv.methods.range, { key: utf8Bytes(key) }, []);
    if (response === undefined) return false;
    const [kv] = response.kvs;
    const value = kv === undefined ? undefined : utf8Text(KeyValue.decode(kv).value);
    if (value !== this.#values.get(key))
      this.wrong.push(`a read of "${key}" gave "${text(value)}", not "${text(this.#values.get(key))}"`);
    return true;
  }

  /** Sends one request and notes how it ended; no answer when it failed. */
  async #send<Req, Res extends { header: ResponseHeader | undefined }>(
    client: Client,
    kind: Kind,
    method: Method<"unary", Req, Res>,
    request: Partial<Req>,
    changes: Changes,
  ): Promise<Res | undefined> {
    const { response, status } = await client.call(method, request, { timeoutMs: PATIENCE_MS });
    if (response === undefined) {
      this.#failed(kind, status);
      if (changes.length > 0) this.unknown.push(changes);
      return undefined;
    }
    const revision = response.header?.revision ?? 0;
    this.highest = Math.max(this.highest, revision);
    this.counts.set(kind, (this.counts.get(kind) ?? 0) + 1);
    if (changes.length > 0) this.acknowledged.push({ changes, revision });
    for (const { key, value } of changes) {
      if (value === undefined) this.#values.delete(key);
      else this.#values.set(key, value);
    }
    return response;
  }

  #failed(kind: Kind, { code, text }: CallStatus): void {
    if (code === UNAVAILABLE) this.unanswered++;
    else this.wrong.push(`a ${kind} failed with ${code}: ${text}`);
  }
}

function putRequest({ key, value, lease }: KeyChange & { value: string }): Partial<PutRequest> {
  return { key: utf8Bytes(key), value: utf8Bytes(value), lease };
}

/** The number that a value begins with says which it is. */
function text(value: string | undefined): string {
  return value === undefined ? "nothing" : (value.split(" ")[0] ?? "");
}
