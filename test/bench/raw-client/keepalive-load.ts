/** Keepalives in a closed loop: each stream keeps a lease of its own alive, with a few requests in flight. */
import { SERVICES } from "../../../server/proto/services.ts";
import { type ConnectionUser, RawConnection, type Target } from "./connection.ts";
import { MessageReader, varintField } from "./messages.ts";
import { grpcFrame } from "./template.ts";
import type { LoadResult } from "./unary-load.ts";

export interface KeepaliveLoad {
  readonly target: Target;
  readonly connections: number;
  /** On each connection. */
  readonly streams: number;
  /** On each stream. */
  readonly inFlight: number;
  /** Leases are numbered from here. */
  readonly firstLease: number;
  readonly seconds: number;
}

const TTL_SECONDS = 600;
const TTL_FIELD = 3;
const DRAIN_MS = 10_000;
const { leaseGrant, leaseKeepAlive, leaseRevoke } = SERVICES.lease.methods;

export async function runKeepalives(load: KeepaliveLoad): Promise<LoadResult> {
  const lanes = await Promise.all(
    Array.from({ length: load.connections }, (_, index) =>
      KeepaliveLane.open(load, load.firstLease + index * load.streams),
    ),
  );
  const failed = Promise.race(lanes.map(({ connection }) => connection.failed));
  await Promise.race([Promise.all(lanes.map((lane) => lane.eachLease("grant"))), failed]);
  const startMs = performance.now();
  for (const lane of lanes) lane.start();
  let timer: NodeJS.Timeout | undefined;
  const over = (ms: number) =>
    new Promise<void>((resolve) => {
      timer = setTimeout(resolve, ms);
    });
  await Promise.race([over(load.seconds * 1000), failed]).finally(() => clearTimeout(timer));
  const count = lanes.reduce((sum, { answered }) => sum + answered, 0);
  const elapsedMs = performance.now() - startMs;
  for (const lane of lanes) lane.stop();
  while (lanes.some(({ waiting }) => waiting > 0)) {
    if (performance.now() - startMs > elapsedMs + DRAIN_MS) throw new Error("keepalives are not answered");
    await Promise.race([over(10), failed]);
  }
  await Promise.race([Promise.all(lanes.map((lane) => lane.eachLease("revoke"))), failed]);
  for (const { connection } of lanes) connection.close();
  return { count, perSecond: (count * 1000) / elapsedMs, p50Us: 0, p99Us: 0 };
}

/** The streams of one connection. */
class KeepaliveLane implements ConnectionUser {
  answered = 0;
  /** Requests that are not answered. */
  waiting = 0;
  readonly #load: KeepaliveLoad;
  readonly #firstLease: number;
  readonly #streams = new Map<number, { readonly message: Uint8Array; readonly reader: MessageReader; due: number }>();
  #connection: RawConnection | undefined;
  #unary: (() => void) | undefined;
  #isOver = false;

  static async open(load: KeepaliveLoad, firstLease: number): Promise<KeepaliveLane> {
    const lane = new KeepaliveLane(load, firstLease);
    lane.#connection = await RawConnection.open(load.target, lane);
    return lane;
  }

  private constructor(load: KeepaliveLoad, firstLease: number) {
    this.#load = load;
    this.#firstLease = firstLease;
  }

  get connection(): RawConnection {
    return this.#connection as RawConnection;
  }

  /** Before the keepalives, and after. One by one: nothing of it is measured. */
  async eachLease(action: "grant" | "revoke"): Promise<void> {
    const grant = action === "grant";
    const head = this.connection.head(grant ? leaseGrant.path : leaseRevoke.path);
    for (let index = 0; index < this.#load.streams; index++) {
      const id = BigInt(this.#firstLease + index);
      const message = grant
        ? leaseGrant.request.encode(leaseGrant.request.create({ ttl: TTL_SECONDS, id }))
        : leaseRevoke.request.encode(leaseRevoke.request.create({ id }));
      await new Promise<void>((resolve) => {
        this.#unary = resolve;
        this.connection.request(head, grpcFrame(message));
        this.connection.flush();
      });
    }
  }

  start(): void {
    const head = this.connection.head(leaseKeepAlive.path);
    const { request } = leaseKeepAlive;
    for (let index = 0; index < this.#load.streams; index++) {
      const message = grpcFrame(request.encode(request.create({ id: BigInt(this.#firstLease + index) })));
      this.#streams.set(this.connection.stream(head), {
        message,
        reader: new MessageReader(),
        due: this.#load.inFlight,
      });
    }
    this.room();
    this.connection.flush();
  }

  stop(): void {
    this.#isOver = true;
  }

  data(stream: number, bytes: Buffer, from: number, to: number): void {
    const own = this.#streams.get(stream);
    if (own === undefined) return; // of a grant: its status tells
    const before = this.answered;
    own.reader.read(bytes, from, to, this.#take);
    own.due += this.answered - before;
    this.waiting -= this.answered - before;
    this.#send(stream, own);
  }

  readonly #take = (bytes: Buffer, from: number, to: number): void => {
    if (varintField(bytes, from, to, TTL_FIELD) === 0) throw new Error("a lease that was kept alive is gone");
    this.answered++;
  };

  done(): void {
    if (this.#unary === undefined) throw new Error("the server ended a stream of keepalives");
    this.#unary();
  }

  room(): void {
    for (const [stream, own] of this.#streams) this.#send(stream, own);
  }

  #send(stream: number, own: { readonly message: Uint8Array; due: number }): void {
    while (own.due > 0 && !this.#isOver && this.connection.send(stream, own.message)) {
      own.due--;
      this.waiting++;
    }
  }
}
