/**
 * Events and responses made once and shared. However many watchers see a change, it is encoded at most twice, with and
 * without the previous value; watchers of one range and shape share the list of events; watchers with the same id too
 * (clients that open one watch a stream all have id 0) share the whole message.
 */
import type { ByteString } from "../base/bytes.ts";
import type { Change } from "../mvcc/event.ts";
import type { WatchResponse } from "../proto/etcdserverpb.ts";
import { EventType, encodeEvent } from "../proto/mvccpb.ts";
import { cut, responseBytes } from "./fragment.ts";
import type { Delivery, Parcel } from "./outbox.ts";
import { SHAPE_NO_DELETE, SHAPE_NO_PUT, SHAPE_PREVIOUS, type Watcher } from "./watcher.ts";

/** Where previous values come from. */
export interface PreviousValues {
  /** The encoded KeyValue of `key` just before that revision; undefined when there was none or it was compacted. */
  previous(key: ByteString, revision: { readonly main: number; readonly sub: number }): Uint8Array | undefined;
}

/** One change, encoded when the first watcher needs it. */
export class SharedEvent {
  readonly change: Change;
  readonly #history: PreviousValues;
  #plain: Uint8Array | undefined;
  #withPrevious: Uint8Array | undefined;

  constructor(change: Change, history: PreviousValues) {
    this.change = change;
    this.#history = history;
  }

  bytes(withPrevious: boolean): Uint8Array {
    if (!withPrevious || this.change.created) {
      this.#plain ??= this.#encode(undefined);
      return this.#plain;
    }
    // As etcd: what the key held before the whole revision, not before this one change of it.
    this.#withPrevious ??= this.#encode(
      this.#history.previous(this.change.key, { main: this.change.revision.main, sub: 0 }),
    );
    return this.#withPrevious;
  }

  #encode(previous: Uint8Array | undefined): Uint8Array {
    return encodeEvent(this.change.type === "put" ? EventType.PUT : EventType.DELETE, this.change.kv, previous);
  }
}

/** The events of some revisions for watchers of one range and one shape, and the messages made of them. */
export class EventList {
  readonly events: Uint8Array[];
  /** Of the response that carries them all. */
  readonly bytes: number;
  /** The message made last, whole and in fragments: mostly the next watcher has the same id. */
  #whole: Parcel | undefined;
  #fragments: Parcel | undefined;

  constructor(events: Uint8Array[]) {
    this.events = events;
    this.bytes = responseBytes(events);
  }

  /** The message for `watcher`, its header to say `revision`; cut if the watcher wants so and it is too large. */
  parcelFor(watcher: Watcher, revision: number, maxResponseBytes: number): Parcel {
    if (watcher.fragment && this.bytes >= maxResponseBytes && this.events.length > 1) {
      if (this.#fragments?.deliveries[0]?.response.watchId !== watcher.id) {
        this.#fragments = this.#fragmentsFor(watcher.id, revision, maxResponseBytes);
      }
      return this.#fragments as Parcel;
    }
    if (this.#whole?.deliveries[0]?.response.watchId !== watcher.id) {
      this.#whole = this.#parcel([delivery(eventResponse(watcher.id, this.events, false), revision)]);
    }
    return this.#whole as Parcel;
  }

  #fragmentsFor(watchId: number, revision: number, maxResponseBytes: number): Parcel {
    const pieces = cut(this.events, maxResponseBytes);
    const last = pieces.length - 1;
    return this.#parcel(pieces.map((events, at) => delivery(eventResponse(watchId, events, at < last), revision)));
  }

  #parcel(deliveries: Delivery[]): Parcel {
    return { deliveries, answer: false, events: this.events.length, bytes: this.bytes };
  }
}

/** Those of `matched` at or above `fromRevision` that a watcher of `shape` wants. */
export function selectEvents(matched: readonly SharedEvent[], shape: number, fromRevision: number): EventList {
  const withPrevious = (shape & SHAPE_PREVIOUS) !== 0;
  const events: Uint8Array[] = [];
  for (const event of matched) {
    const { type, revision } = event.change;
    if (revision.main < fromRevision) continue;
    if ((shape & (type === "put" ? SHAPE_NO_PUT : SHAPE_NO_DELETE)) !== 0) continue;
    events.push(event.bytes(withPrevious));
  }
  return new EventList(events);
}

const NO_EVENTS: Uint8Array[] = [];

/** "Nothing up to `revision` is missing": for one watch, or for all of a stream (INVALID_WATCH_ID). */
export function progressParcel(watchId: number, revision: number): Parcel {
  const notice = delivery(eventResponse(watchId, NO_EVENTS, false), revision);
  return { deliveries: [notice], answer: false, events: 0, bytes: 0 };
}

/** An answer to a create or cancel request, or the end of a watch. */
export function answerParcel(
  fields: Partial<Pick<WatchResponse, "created" | "canceled" | "compactRevision" | "cancelReason">> & {
    readonly watchId: number;
  },
  revision: number,
): Parcel {
  const answer = delivery({ ...eventResponse(fields.watchId, NO_EVENTS, false), ...fields }, revision);
  return { deliveries: [answer], answer: true, events: 0, bytes: 0 };
}

function delivery(response: WatchResponse, revision: number): Delivery {
  return { response, revision, encoded: undefined };
}

function eventResponse(watchId: number, events: Uint8Array[], fragment: boolean): WatchResponse {
  return {
    header: undefined,
    watchId,
    created: false,
    canceled: false,
    compactRevision: 0,
    cancelReason: "",
    fragment,
    events,
  };
}
