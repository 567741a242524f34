/**
 * The hub against an oracle that knows everything. A random world (transactions, watches of all kinds, readers that
 * are slow, compactions, a store that jumps ahead) runs from a seed; a checker at the end of each stream says of every
 * message whether a client may receive it, from the list of all changes alone.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { MemoryBackend } from "../../test/simulation/world/backend.ts";
import { EMPTY_BYTES, fromByteString, toByteString, utf8Bytes } from "../base/bytes.ts";
import { Prng } from "../base/prng.ts";
import type { Compaction } from "../mvcc/compaction.ts";
import type { Change } from "../mvcc/event.ts";
import { Store } from "../mvcc/store.ts";
import type { WatchCreateRequest, WatchResponse } from "../proto/etcdserverpb.ts";
import { Event, type KeyValue, KeyValue as KeyValueCodec } from "../proto/mvccpb.ts";
import { HistoryDouble, type Operation } from "./history-double.test.ts";
import { LIVE_AT_ONCE, type WatchHistory, WatchHub } from "./hub.ts";
import type { Delivery } from "./outbox.ts";
import type { WatchStream } from "./stream.ts";

const MAX_RESPONSE_BYTES = 2_000;

/** What a client knows of one of its watches. */
interface Followed {
  readonly request: WatchCreateRequest;
  /** Everything below it was received, or does not concern this watch. */
  next: number;
}

/** Follows one stream. Fails at the first message that a client must not get. */
class StreamChecker {
  readonly #history: HistoryDouble;
  readonly #creates: { readonly request: WatchCreateRequest; readonly revision: number }[] = [];
  readonly #cancels: number[] = [];
  readonly #watches = new Map<number, Followed>();
  #fragments: WatchResponse[] = [];

  constructor(history: HistoryDouble) {
    this.#history = history;
  }

  /** `revision`: published when it was asked. */
  asked(request: WatchCreateRequest, revision: number): void {
    this.#creates.push({ request, revision });
  }

  askedToCancel(watchId: number): void {
    this.#cancels.push(watchId);
  }

  watchIds(): number[] {
    return [...this.#watches.keys()];
  }

  received({ response, revision }: Delivery, published: number): void {
    assert.ok(revision <= published, "no header is ahead of what was published");
    if (response.created) this.#created(response, revision);
    else if (response.canceled && response.compactRevision > 0) this.#compacted(response, revision);
    else if (response.canceled) this.#canceled(response);
    else if (response.events.length === 0) this.#progress(response, revision);
    else this.#events(response, revision);
  }

  /** Nothing more will come. */
  finished(published: number): void {
    assert.deepEqual(this.#creates, [], "every create was answered");
    assert.equal(this.#fragments.length, 0, "the last fragment came");
    for (const watch of this.#watches.values()) {
      assert.deepEqual(this.#expected(watch, published).length, 0, "nothing is missing at the end");
    }
  }

  #created(response: WatchResponse, revision: number): void {
    const asked = this.#creates.shift();
    assert.ok(asked !== undefined, "created answers a request");
    assert.equal(response.canceled, false);
    assert.equal(revision, asked.revision, "created says the current revision");
    assert.equal(this.#watches.has(response.watchId), false, "an id in use is not given again");
    const { startRevision } = asked.request;
    this.#watches.set(response.watchId, {
      request: asked.request,
      next: startRevision === 0 ? revision + 1 : startRevision,
    });
  }

  #canceled(response: WatchResponse): void {
    const at = this.#cancels.indexOf(response.watchId);
    assert.ok(at >= 0, "only what was canceled is answered so");
    this.#cancels.splice(at, 1);
    assert.ok(this.#watches.delete(response.watchId));
  }

  #compacted(response: WatchResponse, revision: number): void {
    assert.equal(revision, 0);
    assert.ok(response.compactRevision <= this.#history.compactRevision);
    const watch = this.#following(response.watchId);
    assert.ok(watch.next < response.compactRevision, "only a watch that needs older revisions is ended by compaction");
    this.#watches.delete(response.watchId);
  }

  #progress(response: WatchResponse, revision: number): void {
    const watches = response.watchId === -1 ? [...this.#watches.values()] : [this.#following(response.watchId)];
    assert.ok(watches.length > 0, "no notice for a stream without watches");
    for (const watch of watches) {
      assert.ok(revision >= watch.request.startRevision, "no notice below the start");
      assert.equal(this.#expected(watch, revision).length, 0, "progress does not run ahead of events");
      watch.next = Math.max(watch.next, revision + 1);
    }
  }

  #events(response: WatchResponse, revision: number): void {
    const watch = this.#following(response.watchId);
    const first = this.#fragments[0];
    if (first !== undefined) assert.equal(first.watchId, response.watchId, "nothing comes between fragments");
    this.#fragments.push(response);
    if (response.fragment) {
      assert.ok(watch.request.fragment, "only who asked gets fragments");
      return;
    }
    const events = this.#fragments.flatMap((piece) => piece.events.map((bytes) => Event.decode(bytes)));
    this.#fragments = [];
    const last = events.at(-1)?.kv?.modRevision ?? 0;
    assert.ok(last <= revision, "the header is not behind the events");
    const expected = this.#expected(watch, last);
    assert.deepEqual(
      events.map((event) => shown(event.type === 0 ? "put" : "delete", event.kv as KeyValue)),
      expected.map((change) => shown(change.type, KeyValueCodec.decode(change.kv))),
      "exactly the events up to here, each once, in order, no revision split",
    );
    for (const [at, event] of events.entries()) this.#checkPrevious(watch, event.prevKv, expected[at] as Change);
    watch.next = last + 1;
  }

  #checkPrevious(watch: Followed, got: KeyValue | undefined, change: Change): void {
    if (!watch.request.prevKv || change.created) {
      assert.equal(got, undefined);
      return;
    }
    const before = this.#history.valueBefore(change.key, change.revision.main);
    if (got === undefined && change.revision.main - 1 < this.#history.compactRevision) return;
    assert.deepEqual(
      got && shown("put", got),
      before && shown("put", KeyValueCodec.decode(before)),
      "the value before the event",
    );
  }

  /** What the watch has still to get up to `revision`. */
  #expected(watch: Followed, revision: number): Change[] {
    return this.#history.all(watch.next, revision).filter((change) => concerns(watch.request, change));
  }

  #following(watchId: number): Followed {
    const watch = this.#watches.get(watchId);
    assert.ok(watch !== undefined, "only an open watch gets messages");
    return watch;
  }
}

/** Written apart from the hub's own matching, from the contract. */
function concerns(request: WatchCreateRequest, change: Change): boolean {
  if (request.filters.includes(change.type === "put" ? 0 : 1)) return false;
  const key = toByteString(request.key);
  const end = toByteString(request.rangeEnd);
  if (end === "") return change.key === key;
  return change.key >= key && (end === "\0" || change.key < end);
}

function shown(type: string, kv: KeyValue): string {
  return `${type} ${toByteString(kv.key)}=${toByteString(kv.value)} @${kv.modRevision}/${kv.createRevision}/${kv.version}`;
}

/** How a mistake is planted between hub and client: what the client receives instead. */
type Tamper = (delivery: Delivery, random: Prng, published: number) => Delivery[];

interface Client {
  readonly stream: WatchStream;
  readonly checker: StreamChecker;
  /** Chance of reading, each time it may. */
  readonly pace: number;
}

interface WorldOptions {
  readonly steps: number;
  /** Watchers that are given a change at once. */
  readonly liveAtOnce?: number;
  /** The hub reads from a store; the lists stay the oracle. */
  readonly withStore?: boolean;
  readonly tamper?: Tamper;
  /** A faulty store or publisher. */
  readonly historyFor?: (history: HistoryDouble, random: Prng) => WatchHistory;
  readonly changesFor?: (changes: readonly Change[], random: Prng) => readonly Change[];
}

class World {
  readonly history = new HistoryDouble();
  readonly random: Prng;
  readonly hub: WatchHub;
  readonly options: WorldOptions;
  readonly store: Store | undefined;
  compactions: Compaction[] = [];
  clients: Client[] = [];
  /** Applied and not yet published. */
  waiting: { revision: number; changes: readonly Change[] }[] = [];
  published = 1;
  counts = { events: 0, stalls: 0, compacted: 0, progress: 0, fragments: 0 };

  constructor(seed: number, options: WorldOptions) {
    this.random = new Prng(seed);
    this.options = options;
    this.store = options.withStore === true ? emptyStore() : undefined;
    const history = options.historyFor?.(this.history, this.random) ?? this.store ?? this.history;
    const { liveAtOnce = LIVE_AT_ONCE } = options;
    this.hub = new WatchHub(history, { maxResponseBytes: MAX_RESPONSE_BYTES, liveAtOnce });
  }

  run(): void {
    for (let step = 0; step < this.options.steps; step++) this.#step();
    this.#publishAll();
    this.#settle();
    for (const client of this.clients) {
      client.checker.finished(this.published);
      client.stream.close();
    }
    const stats = this.hub.stats();
    assert.deepEqual({ ...stats, sentEvents: 0 }, NOTHING, "nothing is left when all streams are closed");
  }

  /** Until everybody has read everything. */
  #settle(): void {
    for (let busy = true; busy; ) {
      busy = this.hub.catchUp(1_000);
      for (const client of this.clients) if (this.#read(client, 1_000) > 0) busy = true;
    }
  }

  #step(): void {
    const { random, hub } = this;
    this.counts.stalls = Math.max(this.counts.stalls, hub.stats().slowWatchers);
    if (this.compactions[0]?.step(1 + random.below(5)) === true) this.compactions.shift();
    switch (random.below(20)) {
      case 0:
        if (this.clients.length < 6) this.#open();
        break;
      case 1:
        if (this.clients.length > 0 && random.chance(0.05)) this.#close(random.below(this.clients.length));
        break;
      case 2:
      case 3:
        this.#create();
        break;
      case 4:
        this.#cancel();
        break;
      case 5:
        for (const { stream } of this.clients) if (random.chance(0.3)) stream.requestProgress();
        break;
      case 6:
        hub.progressTick();
        break;
      case 7:
        if (random.chance(0.1)) this.#compact();
        break;
      case 8:
        if (random.chance(0.05)) this.#jump();
        break;
      case 9:
      case 10:
        hub.catchUp(1 + random.below(50));
        break;
      case 11:
      case 12:
        for (const client of this.clients) if (random.chance(client.pace)) this.#read(client, 1 + random.below(20));
        break;
      case 13:
        for (let more = 0; more < 40; more++) this.#apply();
        this.#publishAll();
        break;
      default:
        this.#apply();
        if (random.chance(0.7)) this.#publishAll();
    }
  }

  #open(): void {
    const checker = new StreamChecker(this.history);
    const stream = this.hub.openStream({ onWritable: () => {} });
    this.clients.push({ stream, checker, pace: this.random.pick([0.02, 0.2, 1]) });
  }

  #close(at: number): void {
    const [client] = this.clients.splice(at, 1);
    client?.stream.close();
  }

  #create(): void {
    const { random } = this;
    if (this.clients.length === 0) return;
    const { stream, checker } = random.pick(this.clients);
    if (stream.full || stream.size > 20) return;
    const request = randomWatch(random, this.published);
    checker.asked(request, this.published);
    stream.create(request);
  }

  #cancel(): void {
    if (this.clients.length === 0) return;
    const { stream, checker } = this.random.pick(this.clients);
    const ids = checker.watchIds();
    if (ids.length === 0 || stream.full) return;
    const id = this.random.pick(ids);
    const watches = stream.size;
    stream.cancel(id);
    if (stream.size < watches) checker.askedToCancel(id); // else its end is on the way already
  }

  #compact(): void {
    const from = Math.max(1, this.history.compactRevision + 1);
    const room = this.history.currentRevision - from;
    if (room <= 0) return;
    const revision = from + this.random.below(room + 1);
    this.hub.deliver();
    this.history.compact(revision);
    if (this.store !== undefined) this.compactions.push(this.store.scheduleCompaction(revision));
  }

  /** As when a snapshot is installed: revisions that were never published. */
  #jump(): void {
    this.#publishAll();
    for (let more = this.random.below(30); more >= 0; more--) this.#apply();
    this.waiting = [];
    this.published = this.history.currentRevision;
    this.hub.restored();
  }

  #apply(): void {
    const operations: Operation[] = [];
    for (let more = this.random.chance(0.2) ? this.random.below(6) : 0; more >= 0; more--) {
      const key = randomKey(this.random);
      if (this.random.chance(0.3)) operations.push({ delete: key });
      else operations.push({ put: key, value: "x".repeat(this.random.below(400)) });
    }
    if (this.store === undefined) this.waiting.push(this.history.write(...operations));
    else this.#applyToStore(this.store, operations);
  }

  /** What the API lets through: each key once a transaction, and deletions of keys that are there. */
  #applyToStore(store: Store, operations: Operation[]): void {
    const keys = new Set<string>();
    const valid = operations.filter((operation) => {
      const key = "put" in operation ? operation.put : operation.delete;
      if (keys.has(key)) return false;
      keys.add(key);
      return "put" in operation || this.history.valueBefore(key, this.history.currentRevision + 1) !== undefined;
    });
    if (valid.length === 0) return;
    const write = store.beginWrite();
    for (const operation of valid) {
      if ("put" in operation) write.put(fromByteString(operation.put), utf8Bytes(operation.value), 0n);
      else write.deleteRange(fromByteString(operation.delete), EMPTY_BYTES);
    }
    const { revision, changes } = write.end();
    assert.equal(this.history.write(...valid).revision, revision);
    this.waiting.push({ revision, changes });
  }

  #publishAll(): void {
    for (const { revision, changes } of this.waiting) {
      this.published = revision;
      this.hub.note(revision, this.options.changesFor?.(changes, this.random) ?? changes);
    }
    this.waiting = [];
    if (this.random.chance(0.7)) this.hub.deliver();
  }

  #read(client: Client, limit: number): number {
    let read = 0;
    for (; read < limit; read++) {
      const delivery = client.stream.next();
      if (delivery === undefined) break;
      this.#count(delivery.response);
      const tampered = this.options.tamper?.(delivery, this.random, this.published) ?? [delivery];
      for (const one of tampered) client.checker.received(one, this.published);
    }
    return read;
  }

  #count(response: WatchResponse): void {
    this.counts.events += response.events.length;
    if (response.compactRevision > 0) this.counts.compacted++;
    if (response.fragment) this.counts.fragments++;
    if (!response.created && !response.canceled && response.events.length === 0) this.counts.progress++;
  }
}

function emptyStore(): Store {
  const store = new Store(new MemoryBackend());
  for (const _ of store.restore());
  return store;
}

const NOTHING = { streams: 0, watchers: 0, slowWatchers: 0, pendingEvents: 0, pendingBytes: 0, sentEvents: 0 };

function randomKey(random: Prng): string {
  return (
    String.fromCharCode(97 + random.below(6)) + (random.chance(0.5) ? String.fromCharCode(97 + random.below(3)) : "")
  );
}

function randomWatch(random: Prng, published: number): WatchCreateRequest {
  const key = randomKey(random);
  const rangeEnd = random.pick(["", "", "\0", `${key}\xff`, "g", `${key}\0`]);
  return {
    key: fromByteString(key),
    rangeEnd: fromByteString(rangeEnd),
    startRevision: random.pick([
      0,
      0,
      1 + random.below(published),
      Math.max(1, published - random.below(40)),
      published + random.below(30),
    ]),
    progressNotify: random.chance(0.5),
    filters: random.pick([[], [], [0], [1], [0, 1], [7]]),
    prevKv: random.chance(0.5),
    watchId: 0,
    fragment: random.chance(0.5),
  };
}

/** Worlds of these seeds, all right by the checker; and wild enough to mean something. */
function isRight(seeds: readonly number[], options: WorldOptions): void {
  const total = { events: 0, stalls: 0, compacted: 0, progress: 0, fragments: 0 };
  for (const seed of seeds) {
    const world = new World(seed, options);
    try {
      world.run();
    } catch (error) {
      throw new Error(`seed ${seed}`, { cause: error });
    }
    for (const key of Object.keys(total) as (keyof typeof total)[]) total[key] += world.counts[key];
  }
  const least = { events: 4_000, stalls: 4, compacted: 2, progress: 40, fragments: 8 };
  for (const key of Object.keys(least) as (keyof typeof least)[]) {
    assert.ok(total[key] >= least[key] * seeds.length, `${total[key]} ${key}`);
  }
}

test("every watcher sees exactly its events: no gap, no duplicate, in order, and progress is never ahead", () => {
  isRight([1, 2, 3, 4, 5], { steps: 2_500 });
});

test("the same with a store underneath, compacting in slices while watchers read", () => {
  isRight([21, 22], { steps: 2_500, withStore: true });
});

test("the same when hardly any watcher is given a change at once: all others have theirs in slices", () => {
  isRight([31, 32, 33], { steps: 2_500, liveAtOnce: 1 });
  isRight([41, 42], { steps: 2_500, liveAtOnce: 3, withStore: true });
});

// --- the checker itself: each planted mistake must be found ---

function isFound(options: Omit<WorldOptions, "steps">): void {
  for (let seed = 1; seed <= 3; seed++) {
    assert.throws(
      () => new World(seed, { steps: 2_000, ...options }).run(),
      (error) => error instanceof assert.AssertionError,
      `seed ${seed}`,
    );
  }
}

function changed(delivery: Delivery, fields: Partial<WatchResponse>, revision = delivery.revision): Delivery {
  return { response: { ...delivery.response, ...fields }, revision, encoded: undefined };
}

const isEvents = ({ response }: Delivery) => response.events.length > 0;

test("the checker finds an event dropped on its way", () => {
  isFound({
    tamper: (delivery, random) =>
      isEvents(delivery) && random.chance(0.01)
        ? [changed(delivery, { events: delivery.response.events.slice(1) })]
        : [delivery],
  });
});

test("the checker finds a whole response dropped", () => {
  isFound({ tamper: (delivery, random) => (isEvents(delivery) && random.chance(0.01) ? [] : [delivery]) });
});

test("the checker finds a response sent twice", () => {
  isFound({
    tamper: (delivery, random) => (isEvents(delivery) && random.chance(0.01) ? [delivery, delivery] : [delivery]),
  });
});

test("the checker finds two responses in the wrong order", () => {
  let held: Delivery | undefined;
  isFound({
    tamper: (delivery, random) => {
      if (held !== undefined && isEvents(delivery)) {
        const late = held;
        held = undefined;
        return [delivery, late];
      }
      if (isEvents(delivery) && random.chance(0.05)) {
        held = delivery;
        return [];
      }
      return [delivery];
    },
  });
});

test("the checker finds progress that runs ahead of events", () => {
  isFound({
    tamper: (delivery, random, published) =>
      isEvents(delivery) && random.chance(0.05) ? [changed(delivery, { events: [] }, published), delivery] : [delivery],
  });
});

test("the checker finds a split revision", () => {
  isFound({
    tamper: (delivery, random) => {
      const { events } = delivery.response;
      return events.length > 1 && random.chance(0.2)
        ? [changed(delivery, { events: events.slice(0, 1) }), changed(delivery, { events: events.slice(1) })]
        : [delivery];
    },
  });
});

test("the checker finds a history that skips a change", () => {
  isFound({
    historyFor: (history, random) => ({
      get currentRevision() {
        return history.currentRevision;
      },
      get compactRevision() {
        return history.compactRevision;
      },
      events: (from, to, limit) => history.events(from, to, limit).filter(() => !random.chance(0.01)),
      previous: (key, revision) => history.previous(key, revision),
    }),
  });
});

test("the checker finds a publisher that forgets a change", () => {
  isFound({
    changesFor: (changes, random) => (random.chance(0.02) ? changes.slice(1) : changes),
  });
});

test("the checker finds a previous value of the wrong revision", () => {
  isFound({
    historyFor: (history) => ({
      get currentRevision() {
        return history.currentRevision;
      },
      get compactRevision() {
        return history.compactRevision;
      },
      events: (from, to, limit) => history.events(from, to, limit),
      previous: (key, { main, sub }) => history.previous(key, { main: main - 2, sub }),
    }),
  });
});
