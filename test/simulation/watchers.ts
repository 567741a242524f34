/**
 * Clients that watch a simulated cluster, now through this member, now through that one. Every event is held against the
 * one history as it comes: each change of the range once, in order, none left out, also behind a progress notice and over
 * a change of the member; or the watch is told that its history is compacted.
 */
import { printableBytes, utf8Bytes, utf8Text } from "../../server/base/bytes.ts";
import type { Prng } from "../../server/base/prng.ts";
import { WatchCreateRequest } from "../../server/proto/etcdserverpb.ts";
import { Event, EventType } from "../../server/proto/mvccpb.ts";
import type { Delivery } from "../../server/watch/outbox.ts";
import type { WatchStream } from "../../server/watch/stream.ts";
import type { Agreed, Change } from "./agreed.ts";
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
/** How long it reads nothing, now and then: it falls behind. */
const PAUSE_MS = 1500;

export class WatchingClient {
  readonly #name: string;
  readonly #host: WatcherHost;
  readonly #random: Prng;
  /** Below it; undefined: all keys. */
  readonly #prefix: string;
  /** The next revision that it has not been told of; 0: it begins with what comes next. */
  #next = 0;
  /** Changes of `#next` that it was told of. */
  #told = 0;
  events = 0;

  constructor(name: string, host: WatcherHost, random: Prng) {
    this.#name = name;
    this.#host = host;
    this.#random = random;
    this.#prefix = random.pick(["", "key ", "lease/"]);
  }

  /** For as long as the world's clock goes. */
  async run(): Promise<never> {
    for (;;) {
      const place = this.#host.place(this.#random);
      if (place?.member !== undefined) await this.#watch(place);
      await this.#host.rest(50 + this.#random.below(200));
    }
  }

  /** Knows of everything that there is. */
  get isLevel(): boolean {
    return this.#next > this.#host.agreed.revision || this.#next === 0;
  }

  /** For people. */
  get state(): string {
    return `${this.#name} of "${this.#prefix}" waits for revision ${this.#next}`;
  }

  async #watch(place: Place): Promise<void> {
    const { clock, member } = place;
    if (member === undefined) return;
    let isDue = false;
    let isEnded = false;
    const stream: WatchStream = member.hub.openStream({
      onWritable: () => {
        isDue = true;
      },
    });
    const range = this.#prefix === "" ? { key: Uint8Array.of(0), rangeEnd: Uint8Array.of(0) } : prefixOf(this.#prefix);
    if (this.#next > 0) this.#host.point("watch resumed");
    this.#told = 0; // the revision that it stands at is told again from its beginning
    stream.create(WatchCreateRequest.create({ ...range, startRevision: this.#next }));
    const until = 200 + this.#random.below(STAY_MS);
    for (let passed = 0; passed < until && clock.isAlive && !isEnded; ) {
      const wait = this.#random.chance(0.03) ? this.#random.below(PAUSE_MS) : 1 + this.#random.below(40);
      await this.#host.rest(wait);
      passed += wait;
      if (!clock.isAlive || clock.isStopped) continue;
      if (this.#random.chance(0.1)) stream.requestProgress();
      if (!isDue) continue;
      isDue = false;
      for (let delivery = stream.next(); delivery !== undefined; delivery = stream.next())
        isEnded = this.#take(delivery, place) || isEnded;
    }
    if (clock.isAlive) stream.close();
  }

  /** Whether the watch has ended. */
  #take({ response, revision }: Delivery, place: Place): boolean {
    try {
      if (response.canceled) return this.#canceled(response.compactRevision);
      if (response.created) {
        if (this.#next === 0) this.#next = revision + 1;
        return false;
      }
      for (const bytes of response.events) {
        if (this.#host.losesEvents && this.#random.chance(0.01)) continue;
        this.#event(Event.decode(bytes), revision);
      }
      this.#through(revision, response.events.length > 0, response.fragment);
      return false;
    } catch (error) {
      this.#host.fail(new Error(`${this.#name} through ${place.name}: ${(error as Error).message}`, { cause: error }));
      return true;
    }
  }

  #canceled(compactRevision: number): boolean {
    if (compactRevision === 0) throw new Error("the watch was canceled without a reason");
    if (this.#next >= compactRevision)
      throw new Error(`told that ${compactRevision} is compacted, and waited for ${this.#next}`);
    this.#host.point("watch compacted");
    this.#next = compactRevision;
    return true;
  }

  #event({ type, kv }: Event, revision: number): void {
    const expected = this.#expected();
    const key = printableBytes(kv?.key ?? new Uint8Array(0));
    const value = type === EventType.PUT ? utf8Text(kv?.value ?? new Uint8Array(0)) : undefined;
    const found = `"${key}" = ${value ?? "gone"} at revision ${kv?.modRevision}`;
    if (expected === undefined) throw new Error(`was told of ${found}, which is not in the history`);
    const ought = `"${expected.key}" = ${expected.version?.value ?? "gone"} at revision ${expected.revision}`;
    if (found !== ought) throw new Error(`was told of ${found}, and ${ought} comes next`);
    if (revision < expected.revision)
      throw new Error(`the header says ${revision}, before the event's ${expected.revision}`);
    this.#told++;
    this.events++;
  }

  /** Nothing up to `revision` may be missing; behind events, up to the last of them: whole revisions. */
  #through(revision: number, hadEvents: boolean, isFragment: boolean): void {
    if (isFragment) return;
    if (hadEvents) {
      if (this.#changes(this.#next).length !== this.#told) throw new Error(`revision ${this.#next} was told in part`);
      this.#next++;
      this.#told = 0;
      return;
    }
    const missing = this.#expected();
    if (missing !== undefined && missing.revision <= revision)
      throw new Error(`nothing up to ${revision} should be missing, and revision ${missing.revision} is`);
    this.#next = Math.max(this.#next, revision + 1);
    this.#told = 0;
    this.#host.point("watch progress");
  }

  /** The change that comes next; moves on to its revision. */
  #expected(): Change | undefined {
    for (let at = this.#next; at <= this.#host.agreed.revision; at++) {
      const change = this.#changes(at)[at === this.#next ? this.#told : 0];
      if (change === undefined) continue;
      if (at > this.#next) {
        this.#next = at;
        this.#told = 0;
      }
      return change;
    }
    return undefined;
  }

  #changes(revision: number): readonly Change[] {
    return this.#host.agreed.at(revision).filter(({ key }) => key.startsWith(this.#prefix));
  }
}

/** All keys that begin so. */
export function prefixOf(prefix: string): { key: Uint8Array; rangeEnd: Uint8Array } {
  const key = utf8Bytes(prefix);
  const rangeEnd = key.slice();
  const last = rangeEnd.length - 1;
  rangeEnd[last] = (rangeEnd[last] as number) + 1;
  return { key, rangeEnd };
}
