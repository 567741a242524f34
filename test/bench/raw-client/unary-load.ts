/** A closed loop of unary requests: so many always in flight, over so many connections, each key by chance. */
import { type ConnectionUser, type Head, RawConnection, type Target } from "./connection.ts";
import { Latencies } from "./latencies.ts";
import { Random } from "./random.ts";
import type { Template } from "./template.ts";

export interface UnaryLoad {
  readonly target: Target;
  readonly path: string;
  readonly template: Template;
  readonly connections: number;
  /** On each connection. */
  readonly inFlight: number;
  /** Numbers of keys are below this. */
  readonly keys: number;
  /** Ends after so many seconds, or after so many requests. */
  readonly seconds?: number | undefined;
  readonly total?: number | undefined;
  readonly seed: number;
}

export interface LoadResult {
  /** Answers that came in time; all were OK. */
  readonly count: number;
  readonly perSecond: number;
  /** Of one in flight, else 0. */
  readonly p50Us: number;
  readonly p99Us: number;
  /** Share of one processor that the client took; what prints the result adds it. */
  readonly busy?: number;
}

/** How long answers may take when no more is asked. */
const DRAIN_MS = 10_000;

/** What all connections of a load share. */
class Progress {
  sent = 0;
  answered = 0;
  isOver = false;
  readonly limit: number;
  readonly finished: Promise<void>;
  readonly #finish: () => void;

  constructor(limit: number) {
    this.limit = limit;
    let finish = () => {};
    this.finished = new Promise((resolve) => {
      finish = resolve;
    });
    this.#finish = finish;
  }

  answer(): void {
    this.answered++;
    if (this.sent === this.answered && (this.isOver || this.answered >= this.limit)) this.#finish();
  }

  /** No more is sent; finished when all that was sent is answered. */
  end(): void {
    this.isOver = true;
    if (this.sent === this.answered) this.#finish();
  }
}

export async function runUnary(load: UnaryLoad): Promise<LoadResult> {
  const progress = new Progress(load.total ?? Number.POSITIVE_INFINITY);
  const latencies = load.connections * load.inFlight === 1 ? new Latencies() : undefined;
  const lanes = await Promise.all(
    Array.from({ length: load.connections }, (_, index) => Lane.open(load, index, progress, latencies)),
  );
  const failed = Promise.race(lanes.map(({ connection }) => connection.failed));
  const startMs = performance.now();
  for (const lane of lanes) lane.start();
  let count = 0;
  let elapsedMs = 0;
  const over = () => {
    count = progress.answered;
    elapsedMs = performance.now() - startMs;
    progress.end();
  };
  const timers: NodeJS.Timeout[] = [];
  const late = new Promise<never>((_, reject) => {
    if (load.seconds === undefined) return;
    const missing = () => new Error(`${progress.sent - progress.answered} requests are not answered`);
    timers.push(setTimeout(over, load.seconds * 1000));
    timers.push(setTimeout(() => reject(missing()), load.seconds * 1000 + DRAIN_MS));
  });
  await Promise.race([progress.finished, failed, late]).finally(() => timers.forEach(clearTimeout));
  if (elapsedMs === 0) over();
  for (const { connection } of lanes) connection.close();
  const [p50Us, p99Us] = [0.5, 0.99].map((part) => latencies?.quantileUs(part) ?? 0) as [number, number];
  return { count, perSecond: (count * 1000) / elapsedMs, p50Us, p99Us };
}

/** One connection's part. */
class Lane implements ConnectionUser {
  readonly #load: UnaryLoad;
  readonly #progress: Progress;
  readonly #latencies: Latencies | undefined;
  readonly #random: Random;
  #connection: RawConnection | undefined;
  #head: Head | undefined;
  #inFlight = 0;
  #sentAtMs = 0;

  static async open(load: UnaryLoad, index: number, progress: Progress, latencies?: Latencies): Promise<Lane> {
    const lane = new Lane(load, index, progress, latencies);
    lane.#connection = await RawConnection.open(load.target, lane);
    lane.#head = lane.#connection.head(load.path);
    return lane;
  }

  private constructor(load: UnaryLoad, index: number, progress: Progress, latencies: Latencies | undefined) {
    this.#load = load;
    this.#progress = progress;
    this.#latencies = latencies;
    this.#random = new Random((load.seed + index) * 7919);
  }

  get connection(): RawConnection {
    return this.#connection as RawConnection;
  }

  start(): void {
    this.room();
    this.connection.flush();
  }

  data(): void {}

  done(): void {
    if (this.#latencies !== undefined) this.#latencies.add(performance.now() - this.#sentAtMs);
    this.#inFlight--;
    this.room();
    this.#progress.answer();
  }

  /** Fills up what may be in flight. */
  room(): void {
    const head = this.#head;
    if (head === undefined) return;
    const { template, keys, inFlight } = this.#load;
    const progress = this.#progress;
    const connection = this.connection;
    while (
      this.#inFlight < inFlight &&
      !progress.isOver &&
      progress.sent < progress.limit &&
      connection.fits(template.bytes.length)
    ) {
      template.setKey(keys === 1 ? 0 : this.#random.below(keys));
      if (this.#latencies !== undefined) this.#sentAtMs = performance.now();
      connection.request(head, template.bytes);
      this.#inFlight++;
      progress.sent++;
    }
  }
}
