/**
 * One writer, many watchers of its key: each put becomes an event on every watch. The writer goes on when the events of
 * earlier puts have come, but for a few; at the end every event must have come: one that is missing ends the run.
 */
import { utf8Bytes } from "../../../server/base/bytes.ts";
import { SERVICES } from "../../../server/proto/services.ts";
import { type ConnectionUser, type Head, RawConnection, type Target } from "./connection.ts";
import { countField, MessageReader, varintField } from "./messages.ts";
import { someValue, VALUE_BYTES } from "./shapes.ts";
import { grpcFrame } from "./template.ts";
import type { LoadResult } from "./unary-load.ts";

export interface WatchLoad {
  readonly target: Target;
  readonly connections: number;
  /** On each connection. */
  readonly watchers: number;
  /** Puts whose events have not all come. */
  readonly putsAhead: number;
  readonly seconds: number;
}

const KEY = utf8Bytes("watched");
const LAST_EVENTS_MS = 20_000;
const Field = { CREATED: 3, CANCELED: 4, EVENTS: 11 } as const;
const { watch } = SERVICES.watch.methods;
const { put } = SERVICES.kv.methods;

export async function runWatch(load: WatchLoad): Promise<LoadResult> {
  const tally = new Tally(load);
  const lanes = await Promise.all(Array.from({ length: load.connections }, () => WatchLane.open(load, tally)));
  const writer = await Writer.open(load, tally);
  const connections = [...lanes.map(({ connection }) => connection), writer.connection];
  const failed = Promise.race(connections.map((connection) => connection.failed));
  for (const lane of lanes) lane.start();
  await Promise.race([tally.created, failed]);
  const startMs = performance.now();
  writer.write();
  let timer: NodeJS.Timeout | undefined;
  const over = (ms: number) =>
    new Promise<void>((resolve) => {
      timer = setTimeout(resolve, ms);
    });
  await Promise.race([over(load.seconds * 1000), failed]).finally(() => clearTimeout(timer));
  const count = tally.events;
  const elapsedMs = performance.now() - startMs;
  await Promise.race([tally.end(), over(LAST_EVENTS_MS), failed]).finally(() => clearTimeout(timer));
  for (const connection of connections) connection.close();
  if (tally.events !== tally.expected)
    throw new Error(`${tally.expected - tally.events} of ${tally.expected} events did not come`);
  return { count, perSecond: (count * 1000) / elapsedMs, p50Us: 0, p99Us: 0 };
}

/** What has been written and what has come of it. */
class Tally {
  events = 0;
  puts = 0;
  answered = 0;
  isOver = false;
  /** Called when the writer may go on. */
  goOn: () => void = () => {};
  readonly created: Promise<void>;
  readonly #watchers: number;
  readonly #ahead: number;
  #toCreate: number;
  #allCreated: () => void = () => {};
  #allCame: (() => void) | undefined;

  constructor({ connections, watchers, putsAhead }: WatchLoad) {
    this.#watchers = connections * watchers;
    this.#ahead = putsAhead;
    this.#toCreate = this.#watchers;
    this.created = new Promise((resolve) => {
      this.#allCreated = resolve;
    });
  }

  get expected(): number {
    return this.puts * this.#watchers;
  }

  get mayPut(): boolean {
    return !this.isOver && this.expected - this.events < this.#ahead * this.#watchers;
  }

  create(): void {
    if (--this.#toCreate === 0) this.#allCreated();
  }

  come(events: number): void {
    this.events += events;
    if (this.events > this.expected) throw new Error("an event came twice");
    this.goOn();
    this.look();
  }

  /** Resolves when all events of all puts have come. */
  end(): Promise<void> {
    this.isOver = true;
    return new Promise((resolve) => {
      this.#allCame = resolve;
      this.look();
    });
  }

  look(): void {
    if (this.events === this.expected && this.answered === this.puts) this.#allCame?.();
  }
}

/** The watches of one connection. */
class WatchLane implements ConnectionUser {
  readonly #load: WatchLoad;
  readonly #tally: Tally;
  readonly #readers: MessageReader[] = [];
  #connection: RawConnection | undefined;
  #came = 0;

  static async open(load: WatchLoad, tally: Tally): Promise<WatchLane> {
    const lane = new WatchLane(load, tally);
    lane.#connection = await RawConnection.open(load.target, lane);
    return lane;
  }

  private constructor(load: WatchLoad, tally: Tally) {
    this.#load = load;
    this.#tally = tally;
  }

  get connection(): RawConnection {
    return this.#connection as RawConnection;
  }

  start(): void {
    const head = this.connection.head(watch.path);
    const value = { key: KEY, rangeEnd: new Uint8Array(0), startRevision: 0, progressNotify: false, filters: [] };
    const request = watch.request.create({
      requestUnion: { kind: "create", value: { ...value, prevKv: false, watchId: 0, fragment: false } },
    });
    const message = grpcFrame(watch.request.encode(request));
    for (let index = 0; index < this.#load.watchers; index++) {
      const stream = this.connection.stream(head);
      this.#readers[stream >> 1] = new MessageReader();
      if (!this.connection.send(stream, message)) throw new Error("the window has no room to create the watches");
    }
    this.connection.flush();
  }

  data(stream: number, bytes: Buffer, from: number, to: number): void {
    this.#came = 0;
    (this.#readers[stream >> 1] as MessageReader).read(bytes, from, to, this.#take);
    if (this.#came > 0) this.#tally.come(this.#came);
  }

  readonly #take = (bytes: Buffer, from: number, to: number): void => {
    const events = countField(bytes, from, to, Field.EVENTS);
    this.#came += events;
    if (events > 0) return;
    if (varintField(bytes, from, to, Field.CANCELED) !== 0) throw new Error("the server canceled a watch");
    if (varintField(bytes, from, to, Field.CREATED) !== 0) this.#tally.create();
  };

  done(): void {
    throw new Error("the server ended a watch");
  }

  room(): void {}
}

class Writer implements ConnectionUser {
  readonly #tally: Tally;
  readonly #message: Uint8Array;
  #connection: RawConnection | undefined;
  #head: Head | undefined;

  static async open(load: WatchLoad, tally: Tally): Promise<Writer> {
    const writer = new Writer(tally);
    writer.#connection = await RawConnection.open(load.target, writer);
    writer.#head = writer.#connection.head(put.path);
    return writer;
  }

  private constructor(tally: Tally) {
    this.#tally = tally;
    this.#message = grpcFrame(put.request.encode(put.request.create({ key: KEY, value: someValue(VALUE_BYTES) })));
  }

  get connection(): RawConnection {
    return this.#connection as RawConnection;
  }

  write(): void {
    this.#tally.goOn = () => this.#fill();
    this.#fill();
  }

  data(): void {}

  done(): void {
    this.#tally.answered++;
    this.#tally.look();
  }

  room(): void {
    this.#tally.goOn();
  }

  #fill(): void {
    const tally = this.#tally;
    if (!tally.mayPut) return;
    while (tally.mayPut && this.connection.fits(this.#message.length)) {
      this.connection.request(this.#head as Head, this.#message);
      tally.puts++;
    }
    this.connection.flush();
  }
}
