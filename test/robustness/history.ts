/**
 * What a server holds after it came back, judged against what it had promised. Its history is read by a watch from a
 * revision that was judged before; every acknowledgement must be in it, everything in it must have been sent, and its
 * HashKV must be that of a store into which the same history is replayed.
 */
import { utf8Text } from "../../server/base/bytes.ts";
import { connect } from "../../server/client/client.ts";
import { Store } from "../../server/mvcc/store.ts";
import { WatchCreateRequest } from "../../server/proto/etcdserverpb.ts";
import { Event, EventType } from "../../server/proto/mvccpb.ts";
import { SERVICES } from "../../server/proto/services.ts";
import { MemoryBackend } from "../simulation/world/backend.ts";
import type { Workload } from "./workload.ts";

const PATIENCE_MS = 30_000;

export class History {
  readonly #replay = new Store(new MemoryBackend());
  #revision = 1;
  #judged = 0;

  constructor() {
    for (const _ of this.#replay.restore());
  }

  /** How many acknowledgements were found in their place so far. */
  get judged(): number {
    return this.#judged;
  }

  /** Reads on from where the last call ended. Throws an Error that says what was lost, invented or changed. */
  async judge(url: string, workload: Workload): Promise<void> {
    const client = connect(url);
    try {
      const { header } = await client.unary(SERVICES.kv.methods.range, { key: Uint8Array.of(0) });
      const current = header?.revision ?? 0;
      const highest = workload.acknowledged.reduce((highest, { revision }) => Math.max(highest, revision), 0);
      if (current < highest)
        throw new Error(`revision ${highest} was acknowledged, but the store stands at ${current}`);
      const events = current > this.#revision ? await readEvents(url, this.#revision + 1, current) : [];
      this.#check(events, workload);
      for (const event of events) this.#apply(event);
      await this.#compareHash(url, current);
    } finally {
      client.close();
    }
  }

  #check(events: readonly Event[], workload: Workload): void {
    const stored = new Map(events.map((event) => [event.kv?.modRevision ?? 0, event]));
    const promised = new Set<string>();
    for (const { key, value, revision } of workload.acknowledged) {
      promised.add(value);
      if (revision <= this.#revision) continue;
      const kv = stored.get(revision)?.kv;
      if (kv === undefined)
        throw new Error(`the put of "${key}" was acknowledged at revision ${revision} and is not there`);
      if (utf8Text(kv.key) !== key || utf8Text(kv.value) !== value) {
        throw new Error(`revision ${revision} was acknowledged as "${key}" and holds "${utf8Text(kv.key)}"`);
      }
      this.#judged++;
    }
    for (const { kv } of events) {
      const value = utf8Text(kv?.value ?? new Uint8Array());
      if (!promised.has(value) && !workload.unknown.has(value)) {
        throw new Error(`revision ${kv?.modRevision} holds a value that nobody sent: "${value}"`);
      }
    }
  }

  #apply(event: Event): void {
    const { kv } = event;
    if (kv === undefined || event.type !== EventType.PUT) throw new Error("the workload only puts");
    if (kv.modRevision !== this.#revision + 1) {
      throw new Error(`the history jumps from revision ${this.#revision} to ${kv.modRevision}`);
    }
    const write = this.#replay.beginWrite();
    write.put(kv.key, kv.value, kv.lease);
    this.#revision = write.end().revision;
  }

  async #compareHash(url: string, revision: number): Promise<void> {
    const client = connect(url);
    const { hash: theirs } = await client.unary(SERVICES.maintenance.methods.hashKv, { revision });
    client.close();
    const steps = this.#replay.hashKv(revision);
    let step = steps.next();
    while (step.done !== true) step = steps.next();
    if (theirs !== step.value.hash)
      throw new Error(`HashKV at revision ${revision} is ${theirs}, a replay gives ${step.value.hash}`);
  }
}

async function readEvents(url: string, from: number, to: number): Promise<Event[]> {
  const client = connect(url);
  const stream = client.bidi(SERVICES.watch.methods.watch, { timeoutMs: PATIENCE_MS });
  const value = WatchCreateRequest.create({ key: Uint8Array.of(0), rangeEnd: Uint8Array.of(0), startRevision: from });
  stream.send({ requestUnion: { kind: "create", value } });
  const events: Event[] = [];
  try {
    while ((events.at(-1)?.kv?.modRevision ?? 0) < to) {
      const response = await stream.next();
      if (response === undefined)
        throw new Error(`the history from ${from} to ${to} ends at ${events.at(-1)?.kv?.modRevision}`);
      if (response.canceled) throw new Error(`the watch of the history was canceled: ${response.cancelReason}`);
      for (const bytes of response.events) events.push(Event.decode(bytes));
    }
    return events;
  } finally {
    stream.cancel();
    client.close();
  }
}
