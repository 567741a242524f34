/**
 * Updates as Kubernetes makes them, in a closed loop: each slot has keys of its own and remembers the revision at which
 * it put each, so every compare must hold. One that does not ends the run: the store lost an update, or made one up.
 * The first turn through the keys puts them, and is not counted.
 */
import { type ConnectionUser, type Head, RawConnection, type Target } from "./connection.ts";
import { headerRevision, varintField } from "./messages.ts";
import { SHAPES } from "./shapes.ts";
import type { LoadResult } from "./unary-load.ts";

export interface UpdateLoad {
  readonly target: Target;
  readonly connections: number;
  /** On each connection. */
  readonly inFlight: number;
  /** Of each slot. */
  readonly keysOfSlot: number;
  readonly seconds: number;
}

/** Longest answer that is expected: a header, succeeded, and one put's header. */
const ANSWER_BYTES = 256;
/** Streams from one that is open to the newest, at most. */
const STREAM_SPAN = 65_536;
const SUCCEEDED = 2;

export async function runUpdates(load: UpdateLoad): Promise<LoadResult> {
  const lanes = await Promise.all(Array.from({ length: load.connections }, (_, index) => UpdateLane.open(load, index)));
  const failed = Promise.race(lanes.map(({ connection }) => connection.failed));
  for (const lane of lanes) lane.start();
  await Promise.race([Promise.all(lanes.map(({ warm }) => warm)), failed]);
  const before = lanes.reduce((sum, { answered }) => sum + answered, 0);
  const startMs = performance.now();
  let timer: NodeJS.Timeout | undefined;
  const over = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, load.seconds * 1000);
  });
  await Promise.race([over, failed]).finally(() => clearTimeout(timer));
  const count = lanes.reduce((sum, { answered }) => sum + answered, 0) - before;
  const elapsedMs = performance.now() - startMs;
  await Promise.race([Promise.all(lanes.map((lane) => lane.end())), failed]);
  for (const { connection } of lanes) connection.close();
  return { count, perSecond: (count * 1000) / elapsedMs, p50Us: 0, p99Us: 0 };
}

class UpdateLane implements ConnectionUser {
  answered = 0;
  /** Resolves when all keys have been put. */
  readonly warm: Promise<void>;
  #warmed: () => void = () => {};
  #toPut: number;
  readonly #load: UpdateLoad;
  readonly #firstKey: number;
  readonly #template = SHAPES.update.template();
  readonly #putTemplate = SHAPES.put.template();
  /** By key of this lane: the revision at which it was put; 0: not yet. */
  readonly #revisions: Float64Array;
  /** By slot: the turn of its keys, and the answer's bytes so far. */
  readonly #turns: Int32Array;
  readonly #answers: Buffer;
  readonly #answerBytes: Int32Array;
  readonly #slotOfStream = new Int32Array(STREAM_SPAN).fill(-1);
  readonly #free: number[];
  #connection: RawConnection | undefined;
  #head: Head | undefined;
  #putHead: Head | undefined;
  #ended: (() => void) | undefined;
  #isOver = false;

  static async open(load: UpdateLoad, index: number): Promise<UpdateLane> {
    const lane = new UpdateLane(load, index);
    lane.#connection = await RawConnection.open(load.target, lane);
    lane.#putHead = lane.#connection.head(SHAPES.put.method.path);
    lane.#head = lane.#connection.head(SHAPES.update.method.path);
    return lane;
  }

  private constructor(load: UpdateLoad, index: number) {
    const keys = load.inFlight * load.keysOfSlot;
    this.warm = new Promise((resolve) => {
      this.#warmed = resolve;
    });
    this.#toPut = keys;
    this.#load = load;
    this.#firstKey = index * keys;
    this.#revisions = new Float64Array(keys);
    this.#turns = new Int32Array(load.inFlight);
    this.#answers = Buffer.alloc(load.inFlight * ANSWER_BYTES);
    this.#answerBytes = new Int32Array(load.inFlight);
    this.#free = Array.from({ length: load.inFlight }, (_, slot) => slot);
  }

  get connection(): RawConnection {
    return this.#connection as RawConnection;
  }

  start(): void {
    this.room();
    this.connection.flush();
  }

  end(): Promise<void> {
    this.#isOver = true;
    return new Promise((resolve) => {
      if (this.#free.length === this.#load.inFlight) resolve();
      else this.#ended = resolve;
    });
  }

  data(stream: number, bytes: Buffer, from: number, to: number): void {
    const slot = this.#slotOf(stream);
    const at = this.#answerBytes[slot] as number;
    if (at + to - from > ANSWER_BYTES) throw new Error("an update was not made: its answer is longer than a put's");
    bytes.copy(this.#answers, slot * ANSWER_BYTES + at, from, to);
    this.#answerBytes[slot] = at + to - from;
  }

  done(stream: number): void {
    const slot = this.#slotOf(stream);
    this.#slotOfStream[(stream >> 1) % STREAM_SPAN] = -1;
    const from = slot * ANSWER_BYTES + 5;
    const to = slot * ANSWER_BYTES + (this.#answerBytes[slot] as number);
    const key = this.#keyOf(slot);
    if (this.#revisions[key] === 0) {
      if (--this.#toPut === 0) this.#warmed();
    } else if (varintField(this.#answers, from, to, SUCCEEDED) !== 1)
      throw new Error(`key ${this.#firstKey + key} is not at the revision ${this.#revisions[key]} that it was put at`);
    this.#revisions[key] = headerRevision(this.#answers, from, to);
    this.answered++;
    this.#answerBytes[slot] = 0;
    this.#turns[slot] = ((this.#turns[slot] as number) + 1) % this.#load.keysOfSlot;
    this.#free.push(slot);
    if (!this.#isOver) this.room();
    else if (this.#free.length === this.#load.inFlight) this.#ended?.();
  }

  room(): void {
    if (this.#head === undefined || this.#isOver) return;
    while (this.#free.length > 0 && this.connection.fits(this.#template.bytes.length)) {
      const slot = this.#free.pop() as number;
      const key = this.#keyOf(slot);
      const stream = this.#send(key);
      const place = (stream >> 1) % STREAM_SPAN;
      if (this.#slotOfStream[place] !== -1) throw new Error(`a stream is open since ${STREAM_SPAN} streams`);
      this.#slotOfStream[place] = slot;
    }
  }

  #send(key: number): number {
    const isFirst = this.#revisions[key] === 0;
    const template = isFirst ? this.#putTemplate : this.#template;
    template.setKey(this.#firstKey + key);
    if (!isFirst) template.setRevision(this.#revisions[key] as number);
    return this.connection.request((isFirst ? this.#putHead : this.#head) as Head, template.bytes);
  }

  #keyOf(slot: number): number {
    return slot * this.#load.keysOfSlot + (this.#turns[slot] as number);
  }

  #slotOf(stream: number): number {
    const slot = this.#slotOfStream[(stream >> 1) % STREAM_SPAN] as number;
    if (slot < 0) throw new Error(`an answer on stream ${stream}, on which nothing was asked`);
    return slot;
  }
}
