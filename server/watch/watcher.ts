/** One watch: a number, a range of keys, what of it the client wants, and how far it has come. */
import { type ByteString, toByteString } from "../base/bytes.ts";
import { FilterType, type WatchCreateRequest } from "../proto/etcdserverpb.ts";
import { END_OF_KEYS } from "./interval-tree.ts";
import type { WatchStream } from "./stream.ts";
import type { RangeNode } from "./watcher-group.ts";

/** The id of a refused watch, and of a notice for all watches of a stream. */
export const INVALID_WATCH_ID = -1;

/** What a watcher wants to see of an event, as bits: watchers with equal shapes share what was encoded for one. */
export const SHAPE_PREVIOUS = 1;
export const SHAPE_NO_PUT = 2;
export const SHAPE_NO_DELETE = 4;
export const SHAPES = 8;

/**
 * - synced: has been given everything up to the hub's revision; live events reach it.
 * - behind: history from `nextRevision` on is to be read for it.
 * - stalled: the same, but its stream has no room: nothing is done until it has.
 * - gone: canceled, compacted, or its stream was closed.
 */
export type WatcherState = "synced" | "behind" | "stalled" | "gone";

export class Watcher {
  readonly id: number;
  readonly stream: WatchStream;
  readonly start: ByteString;
  /** Exclusive; undefined: the one key `start`. */
  readonly end: ByteString | undefined;
  readonly startRevision: number;
  readonly shape: number;
  readonly fragment: boolean;
  readonly progressNotify: boolean;

  state: WatcherState = "gone";
  /** Nothing below it is wanted any more. While synced only a bound: live events move the hub's revision, not this. */
  nextRevision: number;
  /** No event since the last progress tick: the next one sends a notice. */
  idle = true;
  /** Where it stands in a watcher group. */
  node: RangeNode | undefined = undefined;
  slot = 0;

  constructor(
    stream: WatchStream,
    id: number,
    range: { readonly start: ByteString; readonly end: ByteString | undefined },
    request: WatchCreateRequest,
    nextRevision: number,
  ) {
    this.stream = stream;
    this.id = id;
    this.start = range.start;
    this.end = range.end;
    this.startRevision = request.startRevision;
    this.shape = shapeOf(request);
    this.fragment = request.fragment;
    this.progressNotify = request.progressNotify;
    this.nextRevision = nextRevision;
  }
}

/**
 * The keys a request asks for; undefined when its range is empty. As in etcd: no key means "\0", a rangeEnd of "\0"
 * means to the end of all keys, and no rangeEnd the one key.
 */
export function rangeOf(
  request: WatchCreateRequest,
): { readonly start: ByteString; readonly end: ByteString | undefined } | undefined {
  const start = request.key.length === 0 ? "\0" : toByteString(request.key);
  if (request.rangeEnd.length === 0) return { start, end: undefined };
  const end = toByteString(request.rangeEnd);
  if (end === "\0") return { start, end: END_OF_KEYS };
  return start < end ? { start, end } : undefined;
}

function shapeOf(request: WatchCreateRequest): number {
  let shape = request.prevKv ? SHAPE_PREVIOUS : 0;
  for (const filter of request.filters) {
    if (filter === FilterType.NOPUT) shape |= SHAPE_NO_PUT;
    else if (filter === FilterType.NODELETE) shape |= SHAPE_NO_DELETE;
  }
  return shape;
}
