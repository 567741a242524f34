/** Several members in virtual time on a simulated network: each can be stopped, killed, and started again on what it has. */
import { Prng } from "../../server/base/prng.ts";
import { memberIdOf } from "../../server/cluster/ids.ts";
import { makeDurableFolder } from "../../server/member/durable-folder.ts";
import { Member } from "../../server/member/member.ts";
import { NO_METRICS } from "../../server/member/member-metrics.ts";
import type { MemberOptions } from "../../server/member/options.ts";
import { LifeClock } from "../simulation/life-clock.ts";
import { OPTIONS } from "../simulation/one-member.ts";
import { MemoryBackend } from "../simulation/world/backend.ts";
import { SimClock } from "../simulation/world/clock.ts";
import { SimDisk } from "../simulation/world/disk.ts";
import { SimulatedNetwork } from "../simulation/world/network.ts";
import { LogLines, within } from "./settling.ts";

const LIMIT_MS = 60_000;

/** One member through all its lives. */
export class Seat {
  readonly name: string;
  readonly url: string;
  readonly id: bigint;
  readonly disk: SimDisk;
  readonly logger = new LogLines();
  readonly fatal: unknown[] = [];
  clock: LifeClock;
  backend: MemoryBackend;
  running: Member | undefined;
  isRemoved = false;

  constructor(name: string, clock: SimClock, seed: number) {
    this.name = name;
    this.url = `http://${name}:2380`;
    this.id = memberIdOf([this.url], OPTIONS.clusterToken);
    this.clock = new LifeClock(clock);
    this.disk = new SimDisk({ prng: new Prng(seed), later: (action) => void this.clock.after(2, action) });
    this.backend = new MemoryBackend({ sync: (done) => void this.clock.after(3, done) });
    makeDurableFolder(this.disk, "/data");
  }

  get member(): Member {
    if (this.running === undefined) throw new Error(`"${this.name}" is down`);
    return this.running;
  }
}

export class MemberCluster {
  readonly clock = new SimClock();
  readonly network: SimulatedNetwork;
  readonly seats: readonly Seat[];
  readonly #random: Prng;
  readonly #options: Partial<MemberOptions>;

  constructor(count: number, options: Partial<MemberOptions> = {}, seed = 1) {
    this.#random = new Prng(seed);
    this.#options = options;
    this.network = new SimulatedNetwork({ clock: this.clock, seed: seed + 1 });
    this.seats = Array.from({ length: count }, (_, at) => new Seat(`m${at}`, this.clock, seed * 10 + at));
  }

  /** All of a new cluster, serving. */
  static async start(count: number, options: Partial<MemberOptions> = {}, seed = 1): Promise<MemberCluster> {
    const cluster = new MemberCluster(count, options, seed);
    await Promise.all(cluster.seats.map((seat) => cluster.come(cluster.begin(seat).start())));
    return cluster;
  }

  /** Makes a member on what its seat holds; it is not started. */
  begin(seat: Seat, options: Partial<MemberOptions> = {}): Member {
    seat.clock = new LifeClock(this.clock);
    seat.running = new Member(
      {
        ...OPTIONS,
        initialCluster: new Map(this.seats.map(({ name, url }) => [name, [url]])),
        ...this.#options,
        ...options,
        name: seat.name,
      },
      {
        clock: seat.clock,
        disk: seat.disk,
        random: this.#random,
        backend: seat.backend,
        logger: seat.logger,
        metrics: NO_METRICS,
        openNetwork: ({ memberId, clusterId }) => this.network.join({ id: memberId, urls: [seat.url], clusterId }),
        removed: () => {
          seat.isRemoved = true;
        },
        heapShare: () => 0,
        fatal: (error) => void seat.fatal.push(error),
      },
    );
    return seat.running;
  }

  /** Its process dies; the machine goes on. */
  kill(seat: Seat): void {
    seat.clock.isAlive = false;
    seat.running = undefined;
    this.network.crash(seat.id);
    seat.disk.kill();
    seat.backend = seat.backend.crash();
  }

  /** It is stopped in good order. */
  async stop(seat: Seat): Promise<void> {
    await this.come(seat.member.handOver());
    await this.come(seat.member.stop());
    this.kill(seat);
  }

  /** The seat whose member leads, once all that run say so. */
  async leader(): Promise<Seat> {
    let found: Seat | undefined;
    await this.until("all know who leads", () => {
      const running = this.seats.filter(({ running }) => running !== undefined);
      const ids = new Set(running.map(({ member }) => member.leaderId));
      found = running.find(({ member }) => member.isLeader && ids.has(member.memberId));
      return ids.size === 1 && found !== undefined;
    });
    return found as Seat;
  }

  /** What the promise comes to. */
  come<T>(promise: Promise<T>): Promise<T> {
    return within(this.clock, LIMIT_MS, promise);
  }

  async until(what: string, holds: () => boolean, limitMs = LIMIT_MS): Promise<void> {
    if (!(await this.clock.run(holds, limitMs))) throw new Error(`not within ${limitMs} ms: ${what}`);
  }

  async pass(ms: number): Promise<void> {
    this.clock.after(ms, () => undefined);
    await this.clock.run(() => false, ms);
  }
}
