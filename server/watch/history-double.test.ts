/**
 * A history in plain lists, for the tests of this room: what the store answers, without a store. It keeps everything,
 * so that a test can ask what a watcher should have seen, and hides what was compacted.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { type ByteString, fromByteString, toByteString, utf8Bytes, utf8Text } from "../base/bytes.ts";
import type { Change } from "../mvcc/event.ts";
import { WatchCreateRequest } from "../proto/etcdserverpb.ts";
import { Event, encodeKeyValue } from "../proto/mvccpb.ts";
import type { WatchHistory, WatchHub } from "./hub.ts";
import type { Delivery } from "./outbox.ts";
import type { WatchStream } from "./stream.ts";

export type Operation = { readonly put: string; readonly value: string } | { readonly delete: string };

interface Version {
  readonly main: number;
  readonly created: number;
  readonly version: number;
  /** The encoded KeyValue; undefined for a deletion. */
  readonly kv: Uint8Array | undefined;
}

export class HistoryDouble implements WatchHistory {
  currentRevision = 1;
  compactRevision = -1;
  /** Calls of `events`, and revisions they read. */
  reads = 0;
  revisionsRead = 0;
  readonly #byRevision: (readonly Change[])[] = [];
  readonly #versions = new Map<ByteString, Version[]>();

  /** One transaction: its operations get one revision. */
  write(...operations: Operation[]): { revision: number; changes: readonly Change[] } {
    const main = this.currentRevision + 1;
    const changes: Change[] = [];
    for (const operation of operations) {
      const key = "put" in operation ? operation.put : operation.delete;
      const versions = this.#versions.get(key) ?? [];
      this.#versions.set(key, versions);
      const before = versions.at(-1);
      const alive = before?.kv !== undefined;
      const revision = { main, sub: changes.length };
      if ("put" in operation) {
        const created = alive ? (before as Version).created : main;
        const version = alive ? (before as Version).version + 1 : 1;
        const kv = encodeKeyValue({
          key: fromByteString(key),
          createRevision: created,
          modRevision: main,
          version,
          value: utf8Bytes(operation.value),
          lease: 0n,
        });
        versions.push({ main, created, version, kv });
        changes.push({ type: "put", key, revision, kv, created: created === main });
      } else {
        const kv = encodeKeyValue({
          key: fromByteString(key),
          createRevision: 0,
          modRevision: main,
          version: 0,
          value: new Uint8Array(0),
          lease: 0n,
        });
        versions.push({ main, created: 0, version: 0, kv: undefined });
        changes.push({ type: "delete", key, revision, kv, created: false });
      }
    }
    this.currentRevision = main;
    this.#byRevision[main] = changes;
    return { revision: main, changes };
  }

  compact(revision: number): void {
    assert.ok(revision <= this.currentRevision && revision > this.compactRevision);
    this.compactRevision = revision;
  }

  events(fromRevision: number, toRevision: number, limitRevisions: number): Change[] {
    assert.ok(fromRevision >= this.compactRevision, "nobody reads what was compacted");
    assert.ok(toRevision <= this.currentRevision, "nobody reads the future");
    this.reads++;
    const last = Math.min(toRevision, fromRevision + limitRevisions - 1);
    this.revisionsRead += last - fromRevision + 1;
    return this.all(fromRevision, last);
  }

  previous(key: ByteString, revision: { readonly main: number; readonly sub: number }): Uint8Array | undefined {
    return revision.main - 1 < this.compactRevision ? undefined : this.valueBefore(key, revision.main);
  }

  /** Compacted or not: for the oracle. */
  all(fromRevision: number, toRevision: number): Change[] {
    const changes: Change[] = [];
    for (let main = Math.max(0, fromRevision); main <= toRevision; main++)
      changes.push(...(this.#byRevision[main] ?? []));
    return changes;
  }

  /** Compacted or not: for the oracle. */
  valueBefore(key: ByteString, main: number): Uint8Array | undefined {
    return this.#versions.get(key)?.findLast((version) => version.main < main)?.kv;
  }
}

/** Writes and publishes one transaction; its revision. */
export function publish(history: HistoryDouble, hub: WatchHub, ...operations: Operation[]): number {
  const { revision, changes } = history.write(...operations);
  hub.publish(revision, changes);
  return revision;
}

/** As `publish`, but the hub delivers later. */
export function note(history: HistoryDouble, hub: WatchHub, ...operations: Operation[]): void {
  const { revision, changes } = history.write(...operations);
  hub.note(revision, changes);
}

/** Puts `count` revisions of `key`, published one by one. */
export function publishMany(history: HistoryDouble, hub: WatchHub, key: string, count: number): void {
  for (let at = 0; at < count; at++) publish(history, hub, { put: key, value: `${at}` });
}

/** A create request; keys as byte strings. */
export function watchOf(
  key: string,
  fields: Partial<Omit<WatchCreateRequest, "key" | "rangeEnd">> & { readonly rangeEnd?: string } = {},
): WatchCreateRequest {
  const { rangeEnd = "", ...rest } = fields;
  return WatchCreateRequest.create({ ...rest, key: fromByteString(key), rangeEnd: fromByteString(rangeEnd) });
}

/** Everything that waits on the stream. */
export function drain(stream: WatchStream): Delivery[] {
  const deliveries: Delivery[] = [];
  for (let next = stream.next(); next !== undefined; next = stream.next()) deliveries.push(next);
  return deliveries;
}

/** Catches up and drains until nothing more comes. */
export function settle(hub: WatchHub, stream: WatchStream): Delivery[] {
  const deliveries: Delivery[] = [];
  for (;;) {
    const more = hub.catchUp(1000);
    const waiting = drain(stream);
    deliveries.push(...waiting);
    if (!more && waiting.length === 0 && !hub.behind) return deliveries;
  }
}

/** An event in short: "put a=1 @5", "delete a @6", with " was a=0 @4" when it brings the previous value. */
export function eventText(bytes: Uint8Array): string {
  const { type, kv, prevKv } = Event.decode(bytes);
  assert.ok(kv !== undefined);
  const key = toByteString(kv.key);
  const now = type === 0 ? `put ${key}=${utf8Text(kv.value)} @${kv.modRevision}` : `delete ${key} @${kv.modRevision}`;
  return prevKv === undefined
    ? now
    : `${now} was ${toByteString(prevKv.key)}=${utf8Text(prevKv.value)} @${prevKv.modRevision}`;
}

/** A message in short: what it is, for which watch, its header revision, its events. */
export function deliveryText({ response, revision }: Delivery): string {
  const { watchId, created, canceled, compactRevision, cancelReason, fragment, events } = response;
  const words = [
    created ? "created" : "",
    canceled ? "canceled" : "",
    compactRevision !== 0 ? `compacted=${compactRevision}` : "",
    cancelReason !== "" ? `"${cancelReason}"` : "",
    !created && !canceled && events.length === 0 ? "progress" : "",
    fragment ? "fragment" : "",
    ...events.map(eventText),
  ].filter((word) => word !== "");
  return `${watchId} r${revision}: ${words.join(", ")}`;
}

export function texts(deliveries: readonly Delivery[]): string[] {
  return deliveries.map(deliveryText);
}

test("the history double answers whole revisions, the previous value, and hides what was compacted", () => {
  const history = new HistoryDouble();
  history.write({ put: "a", value: "1" }, { put: "b", value: "1" });
  history.write({ put: "a", value: "2" });
  history.write({ delete: "a" });
  assert.equal(history.currentRevision, 4);
  assert.equal(history.events(2, 4, 1).length, 2);
  assert.equal(history.events(2, 4, 9).length, 4);
  assert.ok(history.previous("a", { main: 4, sub: 0 }) !== undefined);
  assert.equal(history.previous("b", { main: 2, sub: 1 }), undefined);
  history.compact(4);
  assert.equal(history.previous("a", { main: 4, sub: 0 }), undefined);
  assert.throws(() => history.events(3, 4, 9));
});
