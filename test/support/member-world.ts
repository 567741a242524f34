/** One member in virtual time, on a disk and a backend in memory that can be slow, fail and die. */
import { EtcdError } from "../../server/base/error.ts";
import { Prng } from "../../server/base/prng.ts";
import { makeDurableFolder } from "../../server/member/durable-folder.ts";
import { Member } from "../../server/member/member.ts";
import { type MemberMetrics, NO_METRICS } from "../../server/member/member-metrics.ts";
import type { MemberOptions } from "../../server/member/options.ts";
import type { Network } from "../../server/ports/network.ts";
import { OPTIONS } from "../simulation/one-member.ts";
import { MemoryBackend } from "../simulation/world/backend.ts";
import { SimClock } from "../simulation/world/clock.ts";
import { SimDisk } from "../simulation/world/disk.ts";
import { LogLines, pass, within } from "./settling.ts";

const LIMIT_MS = 60_000;

export interface MemberWorldOptions extends Partial<MemberOptions> {
  readonly seed?: number;
  readonly maxSizeBytes?: number;
  readonly metrics?: Partial<MemberMetrics>;
  readonly openNetwork?: () => Network;
}

/** The code of a refusal, when it comes; "none" when there was none. */
export function codeOf(promise: Promise<unknown>): Promise<string> {
  return promise.then(
    () => "none",
    (error: unknown) => {
      if (error instanceof EtcdError) return error.code;
      throw error;
    },
  );
}

export class MemberWorld {
  readonly clock = new SimClock();
  readonly disk: SimDisk;
  backend: MemoryBackend;
  readonly logger = new LogLines();
  readonly fatal: unknown[] = [];
  heapShare = 0;
  readonly #options: MemberWorldOptions;
  readonly #random: Prng;
  #stalled = false;
  #held: (() => void)[] = [];
  #member: Member | undefined;

  constructor(options: MemberWorldOptions = {}) {
    this.#options = options;
    this.#random = new Prng(options.seed ?? 1);
    this.disk = new SimDisk({ prng: new Prng(2), later: (action) => void this.clock.after(2, action) });
    makeDurableFolder(this.disk, "/data");
    const { maxSizeBytes } = options;
    this.backend = new MemoryBackend({
      ...(maxSizeBytes === undefined ? {} : { maxSizeBytes }),
      sync: (done) => void (this.#stalled ? this.#held.push(done) : this.clock.after(3, done)),
    });
  }

  get member(): Member {
    if (this.#member === undefined) throw new Error("no member was made");
    return this.#member;
  }

  /** Makes a member on what there is; it is not started. */
  make(): Member {
    const { seed: _seed, maxSizeBytes: _size, metrics, openNetwork, ...options } = this.#options;
    this.#member = new Member(
      { ...OPTIONS, ...options },
      {
        clock: this.clock,
        disk: this.disk,
        random: this.#random,
        backend: this.backend,
        logger: this.logger,
        metrics: { ...NO_METRICS, ...metrics },
        ...(openNetwork === undefined ? {} : { openNetwork }),
        heapShare: () => this.heapShare,
        fatal: (error) => void this.fatal.push(error),
      },
    );
    return this.#member;
  }

  /** Makes a member and waits until it serves. */
  async start(): Promise<Member> {
    await this.come(this.make().start());
    return this.member;
  }

  /** What the promise comes to. */
  come<T>(promise: Promise<T>): Promise<T> {
    return within(this.clock, LIMIT_MS, promise);
  }

  /** The code of a refusal; "none" when there was none. */
  refusal(promise: Promise<unknown>): Promise<string> {
    return this.come(codeOf(promise));
  }

  pass(ms: number): Promise<void> {
    return pass(this.clock, ms);
  }

  /** Commits of the backend come to no end until it goes on. */
  stall(): void {
    this.#stalled = true;
  }

  goOn(): void {
    this.#stalled = false;
    for (const done of this.#held.splice(0)) done();
  }

  /** The process dies: what the backend has not committed is gone, the log is as far as it was written. */
  kill(): void {
    this.clock.forgetAll();
    this.disk.kill();
    this.backend = this.backend.crash();
    this.#held = [];
    this.#stalled = false;
  }
}
