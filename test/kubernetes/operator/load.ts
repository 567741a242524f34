/**
 * The load client: runs in a Pod of the server's image, below the client code that is there, with this file and
 * records.ts mounted beside it. Some writers, each with a connection of its own and one write at a time; some watchers.
 * A write is sent once. When it fails its outcome is unknown, the connection is given up, and the next write is another
 * one. A watcher whose stream ends begins again behind the last event that it was sent, as every client of etcd does.
 *
 * SIGUSR2: writers pause, watchers are given time to come level, what has been written since the last look is read and
 * told, writers go on. SIGTERM: the same with all keys, and then nothing more is done.
 */
import { readFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { type Client, connect } from "../../../server/client/client.ts";
import { RangeRequest, WatchCreateRequest, type WatchResponse } from "../../../server/proto/etcdserverpb.ts";
import { Event, EventType, KeyValue } from "../../../server/proto/mvccpb.ts";
import { SERVICES } from "../../../server/proto/services.ts";
import { type Batch, encode, nameOf, type State, valueUnder } from "./records.ts";

const { LOAD_URL = "", LOAD_SERVER_NAME, LOAD_TLS, LOAD_PREFIX = "/load/", LOAD_PLANT = "" } = process.env;
const WRITERS = 4;
const WATCHERS = 2;
/** Between two writes of one writer, milliseconds: with four of them some forty writes a second. */
const EVERY_MS = 100;
/** A write that has no answer by then has failed. */
const PATIENCE_MS = 2000;
/** A stream on which nothing comes, while writers write, is dead. */
const SILENCE_MS = 6000;
/** After a failure, before the next connection. */
const REST_MS = 100;
const TELL_MS = 250;
/** How long watchers are given to come level, and a read to succeed. */
const LEVEL_MS = 30_000;
/** Planted mistakes, where they are asked for: which acknowledged write is taken back, and whose event is not told. */
const PLANTED_AT = 20;

const started = performance.now();
const now = (): number => Math.round(performance.now() - started);
const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
const text = (from: Uint8Array): string => new TextDecoder().decode(from);
const all = { key: bytes(LOAD_PREFIX), rangeEnd: bytes(`${LOAD_PREFIX.slice(0, -1)}0`) };

type Changing<T> = { -readonly [K in keyof T]?: T[K] extends readonly (infer E)[] | undefined ? E[] : T[K] };
let batch: Changing<Batch> = {};
let lines = 0;
let isPaused = false;
let isOver = false;
let writing = 0;
/** The revision that the last look was at. */
let looked = 0;

const watchers = Array.from({ length: WATCHERS }, (_, index) => ({ name: String(index), through: 0 }));

function tell(): void {
  if (Object.keys(batch).length === 0) return;
  process.stdout.write(encode({ n: lines++, ...batch } as Batch));
  batch = {};
}

/** Files are read each time: a new authority comes by them. */
function dial(): Client {
  if (LOAD_TLS === undefined) return connect(LOAD_URL);
  const file = (name: string): string => readFileSync(`${LOAD_TLS}/${name}`, "utf8");
  const pair = { cert: file("client/tls.crt"), key: file("client/tls.key") };
  return connect(LOAD_URL, { tls: { ca: file("server/ca.crt"), ...pair, serverName: LOAD_SERVER_NAME } });
}

async function write(writer: string): Promise<void> {
  let client = dial();
  for (let number = 0; !isOver; number++) {
    while (isPaused && !isOver) await sleep(20);
    if (isOver) break;
    const key = `${writer}/${number}`;
    const begun = performance.now();
    writing++;
    const put = { key: bytes(LOAD_PREFIX + key), value: bytes(valueUnder(key)) };
    const { response, status } = await client.call(SERVICES.kv.methods.put, put, { timeoutMs: PATIENCE_MS });
    writing--;
    if (response !== undefined) {
      batch.acked ??= [];
      batch.acked.push([key, response.header?.revision ?? 0, now()]);
      if (writer === "0" && number === PLANTED_AT && LOAD_PLANT.includes("loss")) await lose(client, key);
      await sleep(Math.max(0, EVERY_MS - (performance.now() - begun)));
      continue;
    }
    batch.failed ??= [];
    batch.failed.push([key, now(), `${status.code}: ${status.text.slice(0, 120)}`]);
    client.close();
    await sleep(REST_MS);
    client = dial();
  }
  client.close();
}

/** The planted loss: a write that was acknowledged is gone. */
async function lose(client: Client, key: string): Promise<void> {
  await client.unary(SERVICES.kv.methods.deleteRange, { key: bytes(LOAD_PREFIX + key) });
}

async function watch(watcher: { readonly name: string; through: number }): Promise<void> {
  while (!isOver) {
    const why = await follow(watcher);
    if (isOver) return;
    batch.broken ??= [];
    batch.broken.push([watcher.name, now(), why]);
    await sleep(REST_MS);
  }
}

/** One stream, to its end; answers why it ended. */
async function follow(watcher: { readonly name: string; through: number }): Promise<string> {
  const client = dial();
  const stream = client.bidi(SERVICES.watch.methods.watch);
  const value = WatchCreateRequest.create({ ...all, startRevision: watcher.through + 1 });
  stream.send({ requestUnion: { kind: "create", value } });
  try {
    for (;;) {
      const silence = setTimeout(() => stream.cancel(), SILENCE_MS);
      const message = await stream.next();
      clearTimeout(silence);
      if (message === undefined) return isPaused ? "quiet" : (await stream.status).text.slice(0, 120);
      if (message.canceled) return `canceled: ${message.cancelReason}`;
      take(watcher, message);
    }
  } finally {
    stream.cancel();
    client.close();
  }
}

function take(watcher: { readonly name: string; through: number }, { events }: WatchResponse): void {
  for (const encoded of events) {
    const { type, kv } = Event.decode(encoded);
    if (kv === undefined) continue;
    const name = nameOf(LOAD_PREFIX, text(kv.key), type === EventType.DELETE ? "" : text(kv.value));
    watcher.through = kv.modRevision;
    if (watcher.name === "1" && name === `1/${PLANTED_AT}` && LOAD_PLANT.includes("event")) continue;
    batch.events ??= [];
    batch.events.push([watcher.name, kv.modRevision, name]);
  }
}

/** Reads until it succeeds: a read may be tried again. */
async function look(since: number): Promise<State> {
  const end = performance.now() + LEVEL_MS;
  for (;;) {
    const client = dial();
    try {
      return await read(client, since);
    } catch (error) {
      if (performance.now() > end) throw error;
      await sleep(500);
    } finally {
      client.close();
    }
  }
}

async function read(client: Client, since: number): Promise<State> {
  const settings = { timeoutMs: 10_000 };
  const { range } = SERVICES.kv.methods;
  const { header, count } = await client.unary(range, RangeRequest.create({ ...all, countOnly: true }), settings);
  const revision = header?.revision ?? 0;
  const wanted = RangeRequest.create({ ...all, revision, minCreateRevision: since + 1 });
  const { kvs } = await client.unary(range, wanted, settings);
  const keys = kvs.map((encoded) => {
    const { key, value, modRevision } = KeyValue.decode(encoded);
    return [nameOf(LOAD_PREFIX, text(key), text(value)), modRevision] as const;
  });
  return { revision, count, since, keys };
}

/** What is written late, by a call that has failed, is found by the next look. */
async function checkpoint(since: number): Promise<void> {
  isPaused = true;
  while (writing > 0) await sleep(20);
  const state = await look(since);
  const last = Math.max(0, ...state.keys.map(([, revision]) => revision));
  const end = performance.now() + LEVEL_MS;
  while (watchers.some(({ through }) => through < last) && performance.now() < end) await sleep(20);
  batch.state = state;
  looked = state.revision;
  tell();
}

async function main(): Promise<void> {
  const { revision } = await look(0);
  looked = revision;
  for (const watcher of watchers) watcher.through = revision;
  batch.began = { revision, watchers: watchers.map(({ name }) => name) };
  tell();
  setInterval(tell, TELL_MS);
  let work: Promise<void> = Promise.resolve();
  const failed = (error: unknown): void => {
    process.stderr.write(`${error instanceof Error ? error.stack : String(error)}\n`);
    process.exit(1);
  };
  process.on("SIGUSR2", () => {
    work = work
      .then(() => checkpoint(looked))
      .then(() => {
        isPaused = false;
      }, failed);
  });
  process.once("SIGTERM", () => {
    work = work.then(async () => {
      await checkpoint(0);
      isOver = true;
      batch.ended = true;
      tell();
      // Whoever follows the log takes the Pod away: the last lines of one that has ended are at times cut off.
    }, failed);
    work.catch(failed);
  });
  for (const watcher of watchers) void watch(watcher).catch(failed);
  for (let writer = 0; writer < WRITERS; writer++) void write(String(writer)).catch(failed);
}

await main();
