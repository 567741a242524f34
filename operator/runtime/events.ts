/**
 * Tells people what happened, as Events of events.k8s.io/v1. The same thing happening again is no new Event but a series
 * that is counted on, written at most every few seconds. Whoever tells something never waits and never fails: what cannot
 * be sent is dropped and counted.
 */
import { isAlreadyThere, isNotFound, type Kube, type KubeObject, type Resource } from "./kube.ts";
import { type EventMetrics, NO_EVENT_METRICS } from "./series.ts";
import { microTimestamp, pause, type Time } from "./time.ts";

export const EVENTS: Resource = {
  group: "events.k8s.io",
  version: "v1",
  plural: "events",
  kind: "Event",
  isNamespaced: true,
};

/** What happened. */
export interface Happened {
  readonly type: "Normal" | "Warning";
  /** UpperCamelCase, at most 128 characters. */
  readonly reason: string;
  /** For people; cut after 1024 bytes. */
  readonly message: string;
  /** The part of the object that it is about: the same reason for another one is another series. */
  readonly member?: string;
}

export interface EventRecorderOptions {
  readonly kube: Kube;
  readonly time: Time;
  /** Such as `kvorum.dev/operator`. */
  readonly controller: string;
  /** Of this process: its Pod's name. */
  readonly instance: string;
  readonly failed?: (what: string, error: unknown) => void;
  readonly metrics?: EventMetrics;
}

interface EventObject extends KubeObject {
  readonly eventTime: string;
  readonly series?: { readonly count: number; readonly lastObservedTime: string };
}

interface EventKey {
  readonly namespace: string;
  readonly name: string;
}

/** One thing that happened, perhaps many times. */
interface Series {
  readonly about: KubeObject;
  readonly happened: Happened;
  readonly name: string;
  /** Times that it happened since the Event was made. */
  count: number;
  lastAt: number;
  /** What of it the API server knows: 0 until the Event is made. */
  written: number;
  writtenAt: number;
  readonly madeAt: number;
  isQueued: boolean;
}

/** A series that has been quiet for so long is over: the same thing is news again. */
const SERIES_QUIET_MS = 360_000;
/** Other words for the same thing are a new Event, but not more often than this. */
const NEW_WORDS_MS = 60_000;
/** A series is written no more often than this. */
const SERIES_WRITE_MS = 10_000;
/** Series that are remembered; beyond it the oldest is forgotten, and begins anew if it happens again. */
const MAX_SERIES = 2000;
/** Writes that wait; beyond it what is new is dropped. */
const MAX_WAITING = 500;
/** New Events of one object: so many at once, then one every half a minute. */
const BURST = 25;
const REFILL_MS = 30_000;
const ATTEMPTS = 3;
const RETRY_MS = 2000;
const MAX_NOTE_BYTES = 1024;
const MAX_REASON = 128;

export class EventRecorder {
  readonly #options: EventRecorderOptions;
  readonly #time: Time;
  readonly #metrics: EventMetrics;
  readonly #series = new Map<string, Series>();
  readonly #buckets = new Map<string, { tokens: number; at: number }>();
  readonly #waiting: Series[] = [];
  readonly #stopping = new AbortController();
  #sending: Promise<void> | undefined;
  #serial = 0;

  constructor(options: EventRecorderOptions) {
    this.#options = options;
    this.#time = options.time;
    this.#metrics = options.metrics ?? NO_EVENT_METRICS;
  }

  /** Never fails and never waits. */
  emit(about: KubeObject, happened: Happened): void {
    if (this.#stopping.signal.aborted) return;
    const id = [about.metadata.uid, happened.type, happened.reason, happened.member].join("\n");
    const now = this.#time.monotonic();
    const series = this.#series.get(id);
    if (series !== undefined && !isNews(series, happened, now)) this.#again(series, now);
    else if (this.#mayMake(about, now)) this.#begin(id, this.#fresh(about, happened, now));
    else this.#metrics.dropped("flood");
  }

  /** What waits is still sent, for at most `limitMs`; the rest is dropped. */
  async stop(limitMs: number): Promise<void> {
    const limit = this.#time.after(limitMs, () => this.#stopping.abort());
    await this.#sending;
    limit.cancel();
    this.#stopping.abort();
  }

  #begin(id: string, series: Series): void {
    if (!this.#queue(series)) return;
    this.#series.delete(id);
    this.#series.set(id, series);
    if (this.#series.size > MAX_SERIES) this.#series.delete(this.#series.keys().next().value as string);
  }

  #again(series: Series, now: number): void {
    series.count++;
    series.lastAt = now;
    if (series.isQueued) return;
    series.isQueued = true;
    const dueMs = series.writtenAt + SERIES_WRITE_MS - now;
    this.#time.after(Math.max(0, dueMs), () => {
      series.isQueued = false;
      this.#queue(series);
    });
  }

  #fresh(about: KubeObject, happened: Happened, now: number): Series {
    const unique = `${this.#time.now().toString(16)}${(this.#serial++).toString(16).padStart(4, "0")}`;
    const name = `${about.metadata.name.slice(0, 200)}.${unique}`;
    return { about, happened, name, count: 1, lastAt: now, written: 0, writtenAt: now, madeAt: now, isQueued: false };
  }

  /** Of each object so many at once: a mistake must not fill etcd. */
  #mayMake({ metadata: { uid = "" } }: KubeObject, now: number): boolean {
    const bucket = this.#buckets.get(uid) ?? { tokens: BURST, at: now };
    bucket.tokens = Math.min(BURST, bucket.tokens + (now - bucket.at) / REFILL_MS);
    bucket.at = now;
    this.#buckets.delete(uid);
    this.#buckets.set(uid, bucket);
    if (this.#buckets.size > MAX_SERIES) this.#buckets.delete(this.#buckets.keys().next().value as string);
    if (bucket.tokens < 1) return false;
    bucket.tokens--;
    return true;
  }

  #queue(series: Series): boolean {
    if (this.#waiting.length >= MAX_WAITING) {
      this.#metrics.dropped("full");
      return false;
    }
    series.isQueued = true;
    this.#waiting.push(series);
    this.#sending ??= this.#send();
    return true;
  }

  async #send(): Promise<void> {
    for (let series = this.#waiting.shift(); series !== undefined; series = this.#waiting.shift()) {
      series.isQueued = false;
      await this.#sendOne(series);
    }
    this.#sending = undefined;
  }

  async #sendOne(series: Series): Promise<void> {
    for (let attempt = 1; !this.#stopping.signal.aborted; attempt++) {
      try {
        await this.#write(series);
        this.#metrics.sent();
        return;
      } catch (error) {
        if (attempt >= ATTEMPTS) {
          this.#report(`an event "${series.happened.reason}" could not be sent`, error);
          break;
        }
        await pause(this.#time, RETRY_MS * attempt, this.#stopping.signal);
      }
    }
    this.#metrics.dropped("failed");
  }

  async #write(series: Series): Promise<void> {
    const { count, about, name } = series;
    series.writtenAt = this.#time.monotonic();
    const key = { namespace: about.metadata.namespace ?? "default", name };
    const wallMs = this.#time.now() - (this.#time.monotonic() - series.lastAt);
    if (series.written === 0 || !(await this.#count(series, key, wallMs))) await this.#make(series, key, wallMs);
    series.written = count;
  }

  /** One that is there already was made by an attempt whose answer was lost. */
  async #make(series: Series, key: EventKey, wallMs: number): Promise<void> {
    try {
      await this.#options.kube.create(EVENTS, this.#object(series, key, wallMs));
    } catch (error) {
      if (!isAlreadyThere(error)) throw error;
    }
  }

  /** False when the Event is no longer there: it is kept for an hour. */
  async #count({ count }: Series, key: EventKey, wallMs: number): Promise<boolean> {
    try {
      await this.#options.kube.patch(EVENTS, key, { series: { count, lastObservedTime: microTimestamp(wallMs) } });
      return true;
    } catch (error) {
      if (isNotFound(error)) return false;
      throw error;
    }
  }

  #object({ about, happened, count }: Series, key: EventKey, wallMs: number): EventObject {
    const { apiVersion, kind, metadata } = about;
    const { namespace, name, uid, resourceVersion } = metadata;
    const { type, reason, message, member } = happened;
    const time = microTimestamp(wallMs);
    return {
      apiVersion: "events.k8s.io/v1",
      kind: "Event",
      metadata: key,
      eventTime: time,
      ...(count > 1 ? { series: { count, lastObservedTime: time } } : {}),
      reportingController: this.#options.controller,
      reportingInstance: this.#options.instance.slice(0, MAX_REASON),
      type,
      reason: reason.slice(0, MAX_REASON),
      action: (member ?? reason).slice(0, MAX_REASON),
      note: cut(message),
      regarding: { apiVersion, kind, name, uid, resourceVersion, ...(namespace === undefined ? {} : { namespace }) },
    } as EventObject;
  }

  #report(what: string, error: unknown): void {
    try {
      this.#options.failed?.(what, error);
    } catch {
      // Who cannot even be told of errors must not become one.
    }
  }
}

function isNews(series: Series, { message }: Happened, now: number): boolean {
  if (now - series.lastAt >= SERIES_QUIET_MS) return true;
  return series.happened.message !== message && now - series.madeAt >= NEW_WORDS_MS;
}

/** At most so many bytes, and no half character. */
function cut(message: string): string {
  const bytes = Buffer.from(message);
  if (bytes.length <= MAX_NOTE_BYTES) return message;
  let end = MAX_NOTE_BYTES - 3;
  while (((bytes[end] as number) & 0xc0) === 0x80) end--;
  return `${bytes.subarray(0, end).toString()}...`;
}
