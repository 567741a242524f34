/**
 * Clients that watch a simulated cluster, now through this member, now through that one, and take down all that they are
 * sent: each goes on where it was, over a change of the member, or is told that its history is compacted. Some read so
 * little that they fall behind; some begin in the past, or with a revision that is not there yet.
 */
import { prefixEnd, toByteString, utf8Bytes } from "../../server/base/bytes.ts";
import type { Prng } from "../../server/base/prng.ts";
import { FilterType, WatchCreateRequest } from "../../server/proto/etcdserverpb.ts";
import { Event, EventType } from "../../server/proto/mvccpb.ts";
import type { Delivery } from "../../server/watch/outbox.ts";
import type { WatchStream } from "../../server/watch/stream.ts";
import { plainKv } from "../checkers/messages.ts";
import type { WatchEvent, Watcher, WatchResponse } from "../checkers/watch-history.ts";
import type { Agreed } from "./agreed.ts";
import type { Place } from "./place.ts";

export interface WatcherHost {
  readonly agreed: Agreed;
  /** One event in a hundred is kept from the watcher: a planted mistake. */
  readonly losesEvents: boolean;
  place(random: Prng): Place | undefined;
  rest(ms: number): Promise<void>;
  point(name: string): void;
  say(who: string, what: string): void;
  fail(error: unknown): void;
}

/** How long a watcher stays with one member, at most. */
const STAY_MS = 6000;
/** How long it reads nothing, now and then; a slow one stays longer, and then its stream has no room. */
const PAUSE_MS = 1500;
const SLOW_PAUSE_MS = 6000;
/** Messages that a stream holds: behind that its watch falls behind. */
const STREAM_MESSAGES_MAX = 128;
/** What is looked at from a revision that is not there yet begins at most so far ahead. */
const AHEAD_REVISIONS = 30;

/** A watch that is taken down. */
interface Taken extends Watcher {
  readonly responses: WatchResponse[];
}

export class WatchingClient {
  /** Each stay with a member is one. */
  readonly watchers: Taken[] = [];
  readonly #name: string;
  readonly #host: WatcherHost;
  readonly #random: Prng;
  /** "": all keys. */
  readonly #prefix: string;
  readonly #wish: Pick<Watcher, "prevKv" | "fragment" | "noPut" | "noDelete">;
  readonly #isSlow: boolean;
  /** The next revision that it has not been told of; 0: it begins with what comes next. */
  #next = 0;
  /** The member that it watches through. */
  #place: Place | undefined;
  events = 0;

  constructor(name: string, host: WatcherHost, random: Prng) {
    this.#name = name;
    this.#host = host;
    this.#random = random;
    this.#prefix = random.pick(["", "", "key ", "lease/"]);
    const [noPut, noDelete] = [random.chance(0.1), random.chance(0.1)];
    this.#wish = { prevKv: random.chance(0.5), fragment: random.chance(0.5), noPut, noDelete };
    this.#isSlow = random.chance(0.3);
  }

  /** For as long as the world's clock goes. */
  async run(): Promise<never> {
    for (;;) {
      const place = this.#host.place(this.#random);
      if (place?.member !== undefined) await this.#stay(place);
      await this.#host.rest(50 + this.#random.below(200));
    }
  }

  /** Knows of everything that there is. */
  get isLevel(): boolean {
    return this.#next > this.#host.agreed.revision || this.#next === 0;
  }

  /** Whether it watches through that member now. */
  isAt(place: Place): boolean {
    return this.#place === place;
  }

  /** For people. */
  get state(): string {
    return `${this.#name} of "${this.#prefix}" waits for revision ${this.#next}`;
  }

  async #stay(place: Place): Promise<void> {
    const { clock, member } = place;
    if (member === undefined) return;
    let isDue = false;
    let isEnded = false;
    const stream: WatchStream = member.hub.openStream({
      onWritable: () => {
        isDue = true;
      },
    });
    const watcher = this.#create(stream);
    this.#place = place;
    // As soon as it is created: then history is still to be read.
    if (this.#random.chance(0.3)) stream.requestProgress();
    const until = 200 + this.#random.below(STAY_MS);
    for (let passed = 0; passed < until && clock.isAlive && !isEnded; ) {
      const wait = this.#pause();
      await this.#host.rest(wait);
      passed += wait;
      if (!clock.isAlive || clock.isStopped) continue;
      if (this.#random.chance(0.1)) stream.requestProgress();
      if (!isDue) continue;
      isDue = false;
      if (stream.waiting >= STREAM_MESSAGES_MAX) this.#host.point("watch without room");
      for (let delivery = stream.next(); delivery !== undefined; delivery = stream.next())
        isEnded = this.#take(delivery, watcher, member.store.currentRevision) || isEnded;
    }
    this.#place = undefined;
    if (clock.isAlive) stream.close();
  }

  #create(stream: WatchStream): Taken {
    const { noPut, noDelete, ...wish } = this.#wish;
    const range = rangeOf(this.#prefix);
    const startRevision = this.#startRevision();
    const filters = [...(noPut ? [FilterType.NOPUT] : []), ...(noDelete ? [FilterType.NODELETE] : [])];
    stream.create(WatchCreateRequest.create({ ...range, ...wish, filters, startRevision }));
    const [key, end] = [toByteString(range.key), toByteString(range.rangeEnd)];
    const name = `${this.#name}.${this.watchers.length}`;
    const watcher: Taken = { name, key, end, startRevision, ...this.#wish, responses: [] };
    this.watchers.push(watcher);
    return watcher;
  }

  /** Mostly where it was. */
  #startRevision(): number {
    const { revision } = this.#host.agreed;
    if (this.#next > 0) this.#host.point("watch resumed");
    if (this.#random.chance(0.1)) {
      this.#host.point("watch from the past");
      this.#next = 1 + this.#random.below(revision);
    } else if (this.#random.chance(0.05)) {
      this.#host.point("watch from the future");
      this.#next = revision + 1 + this.#random.below(AHEAD_REVISIONS);
    }
    return this.#next;
  }

  #pause(): number {
    if (!this.#random.chance(0.03)) return 1 + this.#random.below(40);
    return this.#random.below(this.#isSlow ? SLOW_PAUSE_MS : PAUSE_MS);
  }

  /** Whether the watch has ended. */
  #take({ response, revision }: Delivery, watcher: Taken, appliedRevision: number): boolean {
    const { created, canceled, compactRevision, fragment } = response;
    const events = response.events.map((bytes) => eventOf(Event.decode(bytes)));
    const told = this.#host.losesEvents ? events.filter(() => !this.#random.chance(0.01)) : events;
    // Clients of etcd give this reason themselves: the server sends the revision alone.
    const cancelReason = compactRevision > 0 ? "compacted" : response.cancelReason;
    watcher.responses.push({
      header: { revision },
      created,
      canceled,
      cancelReason,
      compactRevision,
      fragment,
      events: told,
      appliedRevision,
    });
    this.events += told.length;
    this.#goOn(response, revision, told);
    return canceled;
  }

  /** Notes what comes next, for the member that it goes to afterwards. */
  #goOn(
    { created, canceled, compactRevision, fragment }: Delivery["response"],
    revision: number,
    events: readonly WatchEvent[],
  ): void {
    if (canceled) {
      if (compactRevision > 0) this.#host.point("watch compacted");
      else this.#host.fail(new Error(`${this.#name} was canceled, and nothing had been compacted`));
      this.#next = Math.max(this.#next, compactRevision);
    } else if (created) {
      if (this.#next === 0) this.#next = revision + 1;
    } else if (events.length === 0) {
      this.#host.point("watch progress");
      this.#next = Math.max(this.#next, revision + 1);
    } else if (!fragment) this.#next = Math.max(this.#next, (events.at(-1)?.kv.modRevision ?? 0) + 1);
  }
}

function eventOf({ type, kv, prevKv }: Event): WatchEvent {
  if (kv === undefined) throw new Error("an event without a key");
  return {
    kind: type === EventType.PUT ? "put" : "delete",
    kv: plainKv(kv),
    prevKv: prevKv === undefined ? undefined : plainKv(prevKv),
  };
}

/** All keys that begin so; all of all for "". */
function rangeOf(prefix: string): { key: Uint8Array; rangeEnd: Uint8Array } {
  if (prefix === "") return { key: Uint8Array.of(0), rangeEnd: Uint8Array.of(0) };
  const key = utf8Bytes(prefix);
  return { key, rangeEnd: prefixEnd(key) };
}
