/** A watch stream under test, read a message at a time and only when the test asks. */
import assert from "node:assert/strict";
import { setTimeout as sleep } from "node:timers/promises";
import { utf8Text } from "../../server/base/bytes.ts";
import type { CallStatus } from "../../server/client/call-status.ts";
import type { CallSettings, Client } from "../../server/client/client.ts";
import type { BidiStream } from "../../server/client/streams.ts";
import { WatchCreateRequest, type WatchRequest, type WatchResponse } from "../../server/proto/etcdserverpb.ts";
import { Event, EventType } from "../../server/proto/mvccpb.ts";
import { SERVICES } from "../../server/proto/services.ts";
import { type Fields, made } from "./store.ts";

const PATIENCE_MS = 10_000;

/** An event in one line: "put a=1 @5" or "delete a @6"; with what was before: "put a=2 @7 (was a=1 @5)". */
export function eventText(bytes: Uint8Array): string {
  const { type, kv, prevKv } = Event.decode(bytes);
  assert.ok(kv !== undefined, "an event has a key");
  const text = (one: { key: Uint8Array; value: Uint8Array; modRevision: number }, isDelete = false) =>
    `${utf8Text(one.key)}${isDelete ? "" : `=${utf8Text(one.value)}`} @${one.modRevision}`;
  const isDelete = type === EventType.DELETE;
  return `${isDelete ? "delete" : "put"} ${text(kv, isDelete)}${prevKv === undefined ? "" : ` (was ${text(prevKv)})`}`;
}

export class Watching {
  readonly #stream: BidiStream<WatchRequest, WatchResponse>;
  /** A read that no message has answered yet. */
  #reading: Promise<WatchResponse | undefined> | undefined;

  constructor(client: Client, settings?: CallSettings) {
    this.#stream = client.bidi(SERVICES.watch.methods.watch, settings);
  }

  get status(): Promise<CallStatus> {
    return this.#stream.status;
  }

  /** Asks for a watcher and answers what the server says first. */
  async create(key: string, fields: Fields<WatchCreateRequest> = {}): Promise<WatchResponse> {
    this.sendCreate(key, fields);
    return await this.next();
  }

  sendCreate(key: string, fields: Fields<WatchCreateRequest> = {}): void {
    this.send({ kind: "create", value: made(WatchCreateRequest, { key, ...fields }) });
  }

  send(requestUnion: WatchRequest["requestUnion"]): void {
    this.#stream.send({ requestUnion });
  }

  cancel(watchId: number): void {
    this.send({ kind: "cancel", value: { watchId } });
  }

  requestProgress(): void {
    this.send({ kind: "progress", value: {} });
  }

  halfClose(): void {
    this.#stream.halfClose();
  }

  async next(): Promise<WatchResponse> {
    const response = await this.nextWithin(PATIENCE_MS);
    assert.ok(response !== undefined, `the server says nothing for ${PATIENCE_MS} ms`);
    return response;
  }

  /** Undefined when nothing comes in time. */
  async nextWithin(ms: number): Promise<WatchResponse | undefined> {
    this.#reading ??= this.#stream.next();
    const timer = new AbortController();
    const late = sleep(ms, "late" as const, { signal: timer.signal }).catch(() => "late" as const);
    const response = await Promise.race([this.#reading, late]);
    timer.abort();
    if (response === "late") return undefined;
    this.#reading = undefined;
    assert.ok(response !== undefined, "the stream goes on");
    return response;
  }

  /** Reads until `count` events have come, whoever they are for; fails on any answer of another kind. */
  async events(count: number): Promise<string[]> {
    const texts: string[] = [];
    while (texts.length < count) texts.push(...eventsOf(await this.next()));
    return texts;
  }

  /** Ends the stream as a client does that goes away. */
  async close(): Promise<void> {
    this.#stream.cancel();
    await this.#stream.status;
  }
}

/** The events of an answer that brings nothing else. */
export function eventsOf(response: WatchResponse): string[] {
  const { created, canceled, compactRevision, cancelReason, events } = response;
  assert.deepEqual(
    { created, canceled, compactRevision, cancelReason },
    {
      created: false,
      canceled: false,
      compactRevision: 0,
      cancelReason: "",
    },
  );
  assert.ok(events.length > 0, "an answer brings events");
  return events.map(eventText);
}
