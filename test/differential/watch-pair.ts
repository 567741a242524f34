/** The same watch stream on both servers, and what each watcher of it has seen. */
import { setTimeout as sleep } from "node:timers/promises";
import type { BidiStream } from "../../server/client/streams.ts";
import { WatchCreateRequest, type WatchRequest, type WatchResponse } from "../../server/proto/etcdserverpb.ts";
import { SERVICES } from "../../server/proto/services.ts";
import type { Endpoint } from "./endpoint.ts";

const PROGRESS_RETRY_MS = 30;
const PATIENCE_MS = 20_000;

/** One side of the pair. */
class WatchSide {
  readonly #stream: BidiStream<WatchRequest, WatchResponse>;
  /** By watcher: what it was told, events one by one. */
  readonly seen = new Map<number, string[]>();
  /** Watchers that a compaction has ended. */
  readonly #compacted = new Set<number>();
  #progressRevision = 0;
  #creates = 0;
  #answeredCreates = 0;

  constructor(endpoint: Endpoint) {
    this.#stream = endpoint.client.bidi(SERVICES.watch.methods.watch);
    void this.#read();
  }

  send(requestUnion: WatchRequest["requestUnion"]): void {
    if (requestUnion?.kind === "create") this.#creates++;
    this.#stream.send({ requestUnion });
  }

  /** Resolves when everything up to `revision` has reached every watcher of the stream. */
  async level(revision: number): Promise<void> {
    const deadline = Date.now() + PATIENCE_MS;
    this.#progressRevision = 0;
    while (this.#progressRevision < revision || this.#answeredCreates < this.#creates) {
      if (Date.now() > deadline)
        throw new Error(`no progress up to revision ${revision}; at ${this.#progressRevision}`);
      this.send({ kind: "progress", value: {} });
      await sleep(PROGRESS_RETRY_MS);
    }
  }

  close(): void {
    this.#stream.cancel();
  }

  async #read(): Promise<void> {
    for (;;) {
      const response = await this.#stream.next();
      if (response === undefined) return;
      this.#note(response);
    }
  }

  #note(response: WatchResponse): void {
    const progress = response.events.length === 0 && !response.created && !response.canceled;
    if (progress) {
      this.#progressRevision = Math.max(this.#progressRevision, response.header?.revision ?? 0);
      return;
    }
    if (response.created) {
      this.#answeredCreates++;
      this.#compacted.delete(response.watchId);
    }
    if (this.#compacted.has(response.watchId)) return; // the answer to our own cancel, which only etcd gives
    if (response.compactRevision !== 0) {
      // etcd keeps such a watcher on the stream until it is canceled, and gives no progress while it is there.
      this.#compacted.add(response.watchId);
      this.send({ kind: "cancel", value: { watchId: response.watchId } });
    }
    const seen = this.seen.get(response.watchId) ?? [];
    this.seen.set(response.watchId, seen);
    if (response.created || response.canceled) {
      const { created, canceled, compactRevision, cancelReason } = response;
      const revision = response.header?.revision;
      seen.push(JSON.stringify({ created, canceled, compactRevision, cancelReason, revision }));
    }
    for (const event of response.events) seen.push(Buffer.from(event).toString("hex"));
  }
}

export class WatchPair {
  readonly #sides: readonly [WatchSide, WatchSide];
  /** Watchers believed alive; a stream without any makes no progress. */
  #created = 0;

  constructor(ours: Endpoint, theirs: Endpoint) {
    this.#sides = [new WatchSide(ours), new WatchSide(theirs)];
    // One watcher that stays and sees nothing, so that progress can be asked for.
    this.create(WatchCreateRequest.create({ key: new TextEncoder().encode("nobody writes here") }));
  }

  get watchers(): number {
    return this.#created;
  }

  create(value: WatchCreateRequest): void {
    this.#created++;
    for (const side of this.#sides) side.send({ kind: "create", value });
  }

  cancel(watchId: number): void {
    for (const side of this.#sides) side.send({ kind: "cancel", value: { watchId } });
  }

  /** Waits until both have told everything up to `revision`; the first difference as text, undefined when there is none. */
  async difference(revision: number): Promise<string | undefined> {
    await Promise.all(this.#sides.map((side) => side.level(revision)));
    const [ours, theirs] = this.#sides;
    for (const id of new Set([...ours.seen.keys(), ...theirs.seen.keys()])) {
      const left = ours.seen.get(id) ?? [];
      const right = theirs.seen.get(id) ?? [];
      const at = left.findIndex((line, index) => line !== right[index]);
      if (at >= 0) return `watcher ${id}, item ${at}:\n ours   ${left[at]}\n theirs ${right[at]}`;
      if (left.length !== right.length) return `watcher ${id}: ours told ${left.length} items, theirs ${right.length}`;
    }
    return undefined;
  }

  /** Events and answers compared so far, both sides being level. */
  get items(): number {
    return [...this.#sides[0].seen.values()].reduce((sum, { length }) => sum + length, 0);
  }

  close(): void {
    for (const side of this.#sides) side.close();
  }
}
