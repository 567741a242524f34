/**
 * What a server holds after it came back, judged against what it had promised. Its history is read by a watch from a
 * revision that was judged before; every acknowledgement must be in it once, everything in it must have been sent, and a
 * store into which the same history is replayed must have its HashKV, its keys and the keys of its leases.
 */
import { EMPTY_BYTES, equalBytes, utf8Bytes, utf8Text } from "../../server/base/bytes.ts";
import { type Client, connect } from "../../server/client/client.ts";
import { Store } from "../../server/mvcc/store.ts";
import { WatchCreateRequest } from "../../server/proto/etcdserverpb.ts";
import { Event, EventType, KeyValue } from "../../server/proto/mvccpb.ts";
import { SERVICES } from "../../server/proto/services.ts";
import { MemoryBackend } from "../simulation/world/backend.ts";
import type { Changes, KeyChange, Promises, Start } from "./workload.ts";

const PATIENCE_MS = 30_000;
const EVERY_KEY = { key: Uint8Array.of(0), rangeEnd: Uint8Array.of(0) };

/** What happened at one revision. */
interface Happened {
  readonly revision: number;
  readonly changes: Changes;
}

export class History {
  readonly #replay = new Store(new MemoryBackend());
  #revision = 1;
  #judged = 0;

  constructor() {
    for (const _ of this.#replay.restore());
  }

  /** How many acknowledged changes were found in their place so far. */
  get judged(): number {
    return this.#judged;
  }

  /** What is there now, for the next load. */
  start(): Start {
    const values = this.#latest().map((kv) => [utf8Text(kv.key), utf8Text(kv.value)] as const);
    return { values: new Map(values), compacted: this.#replay.compactRevision, revision: this.#revision };
  }

  /**
   * Reads on from where the last call ended. Throws an Error that says what was lost, invented or changed. What was
   * unknown of a lease is known afterwards.
   */
  async judge(url: string, promises: Promises): Promise<void> {
    const [wrong] = promises.wrong;
    if (wrong !== undefined) throw new Error(wrong);
    const client = connect(url);
    try {
      const { header } = await client.unary(SERVICES.kv.methods.range, { key: Uint8Array.of(0) });
      const current = header?.revision ?? 0;
      if (current < promises.highest)
        throw new Error(`revision ${promises.highest} was seen, but the store stands at ${current}`);
      const happened = current > this.#revision ? await readHistory(client, this.#revision + 1, current) : [];
      this.#check(happened, promises);
      for (const one of happened) this.#apply(one);
      await this.#compareHash(client, promises);
      await this.#compareKeys(client, 0);
      await this.#compareKeys(client, Math.ceil((Math.max(this.#replay.compactRevision, 1) + current) / 2));
      await this.#compareLeases(client, promises);
    } finally {
      client.close();
    }
  }

  #check(happened: readonly Happened[], promises: Promises): void {
    const promised = new Map<number, string>();
    for (const { changes, revision } of promises.acknowledged) {
      if (revision <= this.#revision || promised.has(revision))
        throw new Error(`revision ${revision} of ${shown(textOf(changes))} was another's before`);
      promised.set(revision, textOf(changes));
    }
    const possible = new Map<string, number>();
    for (const changes of promises.unknown) add(possible, textOf(changes), 1);
    for (const { revision, changes } of happened) {
      const text = textOf(changes);
      const promise = promised.get(revision);
      if (promise !== undefined) {
        if (promise !== text)
          throw new Error(`revision ${revision} was acknowledged as ${shown(promise)} and holds ${shown(text)}`);
        promised.delete(revision);
        this.#judged++;
      } else if ((possible.get(text) ?? 0) > 0) {
        add(possible, text, -1);
      } else {
        throw new Error(`revision ${revision} holds what nobody sent, or sent only once: ${shown(text)}`);
      }
    }
    for (const [revision, text] of promised)
      throw new Error(`${shown(text)} was acknowledged at revision ${revision} and is not there`);
  }

  #apply({ revision, changes }: Happened): void {
    if (revision !== this.#revision + 1)
      throw new Error(`the history jumps from revision ${this.#revision} to ${revision}`);
    const write = this.#replay.beginWrite();
    for (const { key, value, lease } of changes) {
      if (value === undefined) write.deleteRange(utf8Bytes(key), EMPTY_BYTES);
      else write.put(utf8Bytes(key), utf8Bytes(value), lease);
    }
    this.#revision = write.end().revision;
  }

  async #compareHash(client: Client, promises: Promises): Promise<void> {
    const request = { revision: this.#revision };
    const { hash, compactRevision } = await client.unary(SERVICES.maintenance.methods.hashKv, request);
    if (compactRevision < promises.compacted)
      throw new Error(`compaction ${promises.compacted} was acknowledged, but the store has ${compactRevision}`);
    if (compactRevision > this.#replay.compactRevision) {
      const compaction = this.#replay.scheduleCompaction(compactRevision);
      while (!compaction.step(10_000));
    }
    const steps = this.#replay.hashKv(this.#revision);
    let step = steps.next();
    while (step.done !== true) step = steps.next();
    if (hash !== step.value.hash)
      throw new Error(`HashKV at revision ${this.#revision} is ${hash}, a replay gives ${step.value.hash}`);
  }

  async #compareKeys(client: Client, revision: number): Promise<void> {
    const { kvs, count } = await client.unary(SERVICES.kv.methods.range, { ...EVERY_KEY, revision });
    const expected = this.#range(revision);
    if (count !== expected.count)
      throw new Error(`there are ${count} keys at revision ${revision}, not ${expected.count}`);
    for (const [at, bytes] of expected.kvs.entries()) {
      if (!equalBytes(bytes, kvs[at] ?? EMPTY_BYTES))
        throw new Error(`key "${utf8Text(KeyValue.decode(bytes).key)}" at revision ${revision} is not what it was`);
    }
  }

  /** Leases, and which keys go with them. */
  async #compareLeases(client: Client, promises: Promises): Promise<void> {
    const { leaseLeases, leaseTimeToLive } = SERVICES.lease.methods;
    const { leases } = await client.unary(leaseLeases);
    const present = new Set(leases.map(({ id }) => id));
    for (const [id, state] of promises.leases) {
      if (state === "granted" && !present.has(id)) throw new Error(`lease ${id} was acknowledged and is not there`);
      if (state === "revoked" && present.has(id)) throw new Error(`lease ${id} was revoked and is there again`);
      promises.leases.set(id, present.has(id) ? "granted" : "revoked");
    }
    const attached = new Map<bigint, string[]>([...present].map((id) => [id, []]));
    for (const { key, lease } of this.#latest()) if (lease !== 0n) attached.get(lease)?.push(utf8Text(key));
    for (const [id, expected] of attached) {
      if (!promises.leases.has(id)) throw new Error(`there is a lease ${id} that nobody asked for`);
      const { keys } = await client.unary(leaseTimeToLive, { id, keys: true });
      const names = keys.map(utf8Text).sort();
      if (names.join() !== expected.sort().join())
        throw new Error(`lease ${id} has the keys ${names.join(" ")}, not ${expected.join(" ")}`);
    }
  }

  #range(revision: number): { kvs: Uint8Array[]; count: number } {
    return this.#replay.range(EVERY_KEY.key, EVERY_KEY.rangeEnd, { revision, limit: 0, countOnly: false });
  }

  #latest(): KeyValue[] {
    return this.#range(0).kvs.map((bytes) => KeyValue.decode(bytes));
  }
}

async function readHistory(client: Client, from: number, to: number): Promise<Happened[]> {
  const stream = client.bidi(SERVICES.watch.methods.watch, { timeoutMs: PATIENCE_MS });
  const value = WatchCreateRequest.create({ ...EVERY_KEY, startRevision: from });
  stream.send({ requestUnion: { kind: "create", value } });
  const happened: { revision: number; changes: KeyChange[] }[] = [];
  try {
    while ((happened.at(-1)?.revision ?? 0) < to) {
      const response = await stream.next();
      if (response === undefined)
        throw new Error(`the history from ${from} to ${to} ends at ${happened.at(-1)?.revision}`);
      if (response.canceled) throw new Error(`the watch of the history was canceled: ${response.cancelReason}`);
      for (const bytes of response.events) {
        const { revision, change } = changeOf(bytes);
        if (happened.at(-1)?.revision !== revision) happened.push({ revision, changes: [] });
        happened.at(-1)?.changes.push(change);
      }
    }
    return happened;
  } finally {
    stream.cancel();
  }
}

function changeOf(bytes: Uint8Array): { revision: number; change: KeyChange } {
  const { type, kv } = Event.decode(bytes);
  if (kv === undefined) throw new Error("an event has no key");
  const value = type === EventType.PUT ? utf8Text(kv.value) : undefined;
  return { revision: kv.modRevision, change: { key: utf8Text(kv.key), value, lease: kv.lease } };
}

/** The changes in a text that is theirs alone. */
function textOf(changes: Changes): string {
  return changes.map(({ key, value, lease }) => `${key}=${value ?? "deleted"} lease ${lease}`).join(" + ");
}

/** The same for people: a value begins with its number, and goes on with dots. */
function shown(text: string): string {
  return text.replaceAll(/ \.+/g, "").replaceAll(" lease 0", "");
}

function add(counts: Map<string, number>, name: string, count: number): void {
  counts.set(name, (counts.get(name) ?? 0) + count);
}
