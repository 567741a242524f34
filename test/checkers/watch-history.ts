/** What a watcher asked for and was sent, and what it had to be sent: the form that the watch validators read. */
import { type ChangeLog, contains, type Interval, type Kv } from "./history.ts";
import { Versions } from "./model.ts";
import { intervalWords } from "./words.ts";

export interface WatchEvent {
  readonly kind: "put" | "delete";
  /** Of a delete: the key and the revision, nothing else. */
  readonly kv: Kv;
  readonly prevKv: Kv | undefined;
}

export interface WatchResponse {
  /** Undefined: there was none. */
  readonly header: { readonly revision: number } | undefined;
  readonly created: boolean;
  readonly canceled: boolean;
  readonly cancelReason: string;
  readonly compactRevision: number;
  /** More of the same follows. */
  readonly fragment: boolean;
  readonly events: readonly WatchEvent[];
  /** What the member had applied when the answer was received, where somebody could look. */
  readonly appliedRevision?: number;
}

/** One watcher, from `created` on. What a stream is told as a whole (progress on id -1) is in each of its watchers. */
export interface Watcher extends Interval {
  /** For messages: the client and the watch's id. */
  readonly name: string;
  /** 0: from the revision behind that of `created`. */
  readonly startRevision: number;
  readonly prevKv: boolean;
  readonly fragment: boolean;
  readonly noPut: boolean;
  readonly noDelete: boolean;
  /** In the order in which they came. */
  readonly responses: readonly WatchResponse[];
}

/** The events that the log holds, with all that an event can tell. */
export interface TrueEvents {
  readonly log: ChangeLog;
  readonly list: readonly TrueEvent[];
  /** Where each revision begins in `list`. */
  readonly at: ReadonlyMap<number, number>;
}

export interface TrueEvent extends WatchEvent {
  readonly revision: number;
}

/** Replays the log. `start`: the state before its first revision, for a log that does not begin with the store. */
export function trueEvents(log: ChangeLog, start: readonly Kv[] = []): TrueEvents {
  const state = new Versions(log.first - 1, start);
  const list: TrueEvent[] = [];
  const at = new Map<number, number>();
  for (let revision = log.first; revision <= log.last; revision++) {
    const changes = log.changes.get(revision) ?? [];
    at.set(revision, list.length);
    // What a key was before is asked change by change: a revision may change one twice.
    for (const change of changes) {
      const key = change.kind === "put" ? change.kv.key : change.key;
      const prevKv = state.get(key);
      list.push({
        kind: change.kind,
        kv: change.kind === "put" ? change.kv : tombstone(key, revision),
        prevKv,
        revision,
      });
      state.apply(revision, [change]);
    }
  }
  at.set(log.last + 1, list.length);
  return { log, list, at };
}

/** Whether the watcher asked for such an event. */
export function isWanted(watcher: Watcher, { kind, kv }: WatchEvent): boolean {
  return contains(watcher, kv.key) && !(kind === "put" ? watcher.noPut : watcher.noDelete);
}

/** What the watcher had to be sent of the revisions `from` to `to`. */
export function wantedEvents(watcher: Watcher, { list, at, log }: TrueEvents, from: number, to: number): TrueEvent[] {
  const begin = at.get(Math.max(from, log.first)) ?? list.length;
  const end = at.get(Math.min(to, log.last) + 1) ?? list.length;
  return list.slice(begin, end).filter((event) => isWanted(watcher, event));
}

export function tombstone(key: string, modRevision: number): Kv {
  return { key, value: "", createRevision: 0, modRevision, version: 0, lease: 0n };
}

export function watcherWords(watcher: Watcher): string {
  const options = [
    watcher.startRevision > 0 ? `from ${watcher.startRevision}` : "from now",
    watcher.noPut ? "no puts" : "",
    watcher.noDelete ? "no deletes" : "",
    watcher.prevKv ? "with prev_kv" : "",
  ].filter((option) => option !== "");
  return `${watcher.name} (${intervalWords(watcher)}, ${options.join(", ")})`;
}
