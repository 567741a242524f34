/**
 * HashKV against real etcd: the same stream of changes goes to etcd through its JSON gateway and to our store, and the
 * hashes must be equal at many revisions, before, during and after compactions. Equal hashes mean equal bytes: keys,
 * revisions, versions, encoding, and what a compaction keeps. SEED and CHANGES in the environment choose another run.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { EMPTY_BYTES, fromByteString, toByteString } from "../../server/base/bytes.ts";
import { EtcdError } from "../../server/base/error.ts";
import { Prng } from "../../server/base/prng.ts";
import type { KeyspaceHash } from "../../server/mvcc/hash.ts";
import { Store } from "../../server/mvcc/store.ts";
import { MemoryBackend } from "../simulation/world/backend.ts";
import { ServerProcess } from "../support/server-process.ts";
import { requireTool } from "../support/tools.ts";

const SEED = Number(process.env["SEED"] ?? Math.floor(Math.random() * 2 ** 32));
const CHANGES = Number(process.env["CHANGES"] ?? 1500);

for (const program of ["etcd", "etcd-3.6"]) {
  test(`HashKV of ${CHANGES} random changes is that of ${program} (seed ${SEED})`, async (t) => {
    const path = requireTool(t, program);
    if (path === undefined) return;
    const server = await ServerProcess.start({ command: [path] });
    try {
      const pair = new Pair(server.url, SEED);
      await pair.example();
      for (let change = 0; change < CHANGES; change++) await pair.step();
      await pair.compareHashes(20);
      t.diagnostic(`${pair.hashes} hashes compared, ${pair.compactions} compactions, at revision ${pair.revision}`);
      assert.ok(pair.hashes > 50 && pair.compactions > 5);
    } finally {
      await server.remove();
    }
  });
}

type Operation =
  | { readonly kind: "put"; readonly key: string; readonly value: string; readonly lease: bigint }
  | { readonly kind: "delete"; readonly key: string; readonly end: string };

/** etcd and our store with the same history. */
class Pair {
  readonly #url: string;
  readonly #random: Prng;
  #backend = new MemoryBackend();
  #store: Store;
  #leases: bigint[] = [0n];
  /** Revisions whose hash etcd remembers from a compaction, and ours did until it was restarted. */
  readonly #forgotten = new Set<number>();
  hashes = 0;
  compactions = 0;

  constructor(url: string, seed: number) {
    this.#url = url;
    this.#random = new Prng(seed);
    this.#store = this.#open();
  }

  get revision(): number {
    return this.#store.currentRevision;
  }

  /** The history of peer-and-disk-contract.md: a, a, b, compact 3, a. */
  async example(): Promise<void> {
    for (const key of ["a", "a", "b"]) await this.#change([{ kind: "put", key, value: key, lease: 0n }]);
    await this.#compact(3);
    await this.#change([{ kind: "put", key: "a", value: "a", lease: 0n }]);
    await this.compareHashes(1);
  }

  async step(): Promise<void> {
    const random = this.#random;
    const dice = random.below(1000);
    if (dice < 8) await this.#change([{ kind: "delete", key: "\0", end: "\0" }]);
    else if (dice < 700) await this.#change([this.#operation()]);
    else if (dice < 900) await this.#change(this.#operations());
    else if (dice < 940) await this.compareHashes(2);
    else if (dice < 955) await this.#compactSomewhere();
    else if (dice < 975) this.#slice(random.below(60));
    else if (dice < 990) await this.#grant();
    else await this.#restart();
  }

  /** At the current revision, at the compacted one, and at `count` others. */
  async compareHashes(count: number): Promise<void> {
    const { currentRevision, compactRevision } = this.#store;
    const revisions = [0, currentRevision, compactRevision, currentRevision + 1];
    for (let more = 0; more < count; more++) revisions.push(this.#random.below(currentRevision + 1));
    for (const { hashRevision } of this.#store.compactionHashes()) revisions.push(hashRevision);
    for (const revision of revisions) await this.#compareHash(revision);
  }

  async #compareHash(revision: number): Promise<void> {
    if (revision < 0 || this.#forgotten.has(revision)) return;
    const theirs = await this.#call("maintenance/hashkv", { revision: String(revision) });
    const ours = this.#hash(revision);
    const at = `at ${revision} of ${this.revision}, compacted ${this.#store.compactRevision}`;
    if (ours instanceof EtcdError) {
      const text = { Compacted: "has been compacted", FutureRevision: "future revision" }[ours.code as string];
      assert.match(String(theirs["message"]), new RegExp(text ?? "?"), at);
      return;
    }
    const found = { hash: Number(theirs["hash"]), compactRevision: Number(theirs["compact_revision"] ?? 0) };
    assert.deepEqual({ hash: ours.hash, compactRevision: ours.compactRevision }, found, at);
    if (theirs["hash_revision"] !== undefined) assert.equal(ours.hashRevision, Number(theirs["hash_revision"]), at);
    this.hashes++;
  }

  #hash(revision: number): KeyspaceHash | EtcdError {
    try {
      const steps = this.#store.hashKv(revision);
      for (;;) {
        const step = steps.next();
        if (step.done === true) return step.value;
      }
    } catch (error) {
      if (error instanceof EtcdError) return error;
      throw error;
    }
  }

  /** One transaction of both. */
  async #change(operations: readonly Operation[]): Promise<void> {
    const write = this.#store.beginWrite();
    for (const operation of operations) {
      const key = fromByteString(operation.key);
      if (operation.kind === "put") write.put(key, fromByteString(operation.value), operation.lease);
      else write.deleteRange(key, fromByteString(operation.end));
    }
    const { revision } = write.end();
    const success = operations.map((operation) =>
      operation.kind === "put"
        ? {
            requestPut: {
              key: base64(operation.key),
              value: base64(operation.value),
              lease: String(operation.lease),
            },
          }
        : { requestDeleteRange: { key: base64(operation.key), range_end: base64(operation.end) } },
    );
    const theirs = await this.#call("kv/txn", { success });
    assert.equal(
      Number((theirs["header"] as Record<string, unknown>)["revision"]),
      revision,
      operations.map(textOf).join("; "),
    );
  }

  #operation(): Operation {
    const random = this.#random;
    const key = this.#key();
    if (random.chance(0.7)) {
      const value = toByteString(random.bytes(random.below(random.chance(0.05) ? 3000 : 40)));
      return { kind: "put", key, value, lease: random.pick(this.#leases) };
    }
    return { kind: "delete", key, end: random.pick(["", "", this.#key(), random.chance(0.1) ? "\0" : ""]) };
  }

  /** Several in one revision, by etcd's rule: no key is put twice or put where something is deleted. */
  #operations(): Operation[] {
    const operations: Operation[] = [];
    if (this.#random.chance(0.2)) {
      while (operations.length < 4) {
        const operation = this.#operation();
        if (operation.kind === "delete") operations.push(operation);
      }
      return operations;
    }
    const puts = new Set<string>();
    for (let count = this.#random.below(6); count >= 0; count--) {
      const operation = this.#operation();
      if (operation.kind === "delete" && operation.end !== "") continue;
      if (puts.has(operation.key)) continue;
      puts.add(operation.key);
      operations.push(operation);
    }
    return operations;
  }

  #key(): string {
    const { below, chance, pick } = {
      below: (bound: number) => this.#random.below(bound),
      chance: (share: number) => this.#random.chance(share),
      pick: (keys: string[]) => this.#random.pick(keys),
    };
    if (chance(0.05)) return pick(["\x01", "\xff", "\xff\xff", "k\x00", "\x80\x00"]);
    return `k${below(chance(0.2) ? 300 : 15)}`;
  }

  async #compactSomewhere(): Promise<void> {
    const { compactRevision, currentRevision } = this.#store;
    const near = this.#random.chance(0.3) ? currentRevision : compactRevision + 1 + this.#random.below(80);
    await this.#compact(Math.min(near, currentRevision));
  }

  /** etcd's is finished when it answers; ours goes on in slices, now or later. */
  async #compact(revision: number): Promise<void> {
    if (revision <= this.#store.compactRevision) return;
    // etcd remembers no hash of one that began before the last had ended: it has none of those.
    this.#finish();
    await this.#call("kv/compaction", { revision: String(revision), physical: true });
    this.#store.scheduleCompaction(revision);
    this.compactions++;
    this.#slice(this.#random.below(30));
    if (this.#random.chance(0.7)) this.#finish();
    else {
      // The hash that the compaction comes by is there only when it ends. All others may be asked at once, unless no key
      // is alive: etcd then hashes whatever has not been deleted yet.
      for (const at of new Set([revision + 1, this.revision])) {
        if (at > revision && at <= this.revision && this.#aliveAt(at) > 0) await this.#compareHash(at);
      }
    }
    this.#finish();
    await this.compareHashes(2);
  }

  #aliveAt(revision: number): number {
    const everything = Uint8Array.of(0);
    return this.#store.range(everything, everything, { revision, limit: 0, countOnly: true }).count;
  }

  #slice(steps: number): void {
    for (let step = 0; step < steps; step++) this.#store.pendingCompaction?.step(1 + this.#random.below(9));
  }

  #finish(): void {
    while (this.#store.pendingCompaction?.step(50) === false);
  }

  async #grant(): Promise<void> {
    const id = BigInt(1 + this.#random.below(2 ** 31)) * (this.#random.chance(0.5) ? 4_294_967_311n : 1n);
    const answer = await this.#call("lease/grant", { TTL: "9000", ID: String(id) });
    if (answer["ID"] !== undefined) this.#leases = [...this.#leases, id].slice(-5);
  }

  /** Only ours: the index is built again from the records. */
  async #restart(): Promise<void> {
    for (const { hashRevision } of this.#store.compactionHashes()) this.#forgotten.add(hashRevision);
    await this.#backend.commit();
    this.#backend = this.#backend.crash();
    this.#store = this.#open();
    await this.compareHashes(2);
  }

  #open(): Store {
    const store = new Store(this.#backend);
    for (const _ of store.restore());
    return store;
  }

  async #call(path: string, body: unknown): Promise<Record<string, unknown>> {
    const response = await fetch(`${this.#url}/v3/${path}`, { method: "POST", body: JSON.stringify(body) });
    return (await response.json()) as Record<string, unknown>;
  }
}

function textOf(operation: Operation): string {
  const key = JSON.stringify(operation.key);
  return operation.kind === "put" ? `put ${key}` : `delete ${key} to ${JSON.stringify(operation.end)}`;
}

function base64(text: string): string {
  return text === "" ? Buffer.from(EMPTY_BYTES).toString("base64") : Buffer.from(text, "latin1").toString("base64");
}
