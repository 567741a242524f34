/**
 * One of several operators leads: whose name stands in a Lease, and who renews it. Others may take it over once they have
 * seen no renewal for its whole duration, by their own monotonic clock: the times in the Lease are for people only, as the
 * clocks of two machines differ.
 *
 *   candidate ──► leader ──► (lost | stopped)     who has lost it does not come back: its process ends
 */
import { isAlreadyThere, isConflict, type Key, type Kube, type KubeObject, type Resource } from "./kube.ts";
import { type LeaderMetrics, NO_LEADER_METRICS } from "./series.ts";
import { jittered, microTimestamp, pause, type Time } from "./time.ts";

export const LEASES: Resource = {
  group: "coordination.k8s.io",
  version: "v1",
  plural: "leases",
  kind: "Lease",
  isNamespaced: true,
};

export interface LeaseSpec {
  readonly holderIdentity?: string | null;
  readonly leaseDurationSeconds?: number | null;
  readonly acquireTime?: string | null;
  readonly renewTime?: string | null;
  readonly leaseTransitions?: number | null;
}

export interface Lease extends KubeObject {
  readonly spec?: LeaseSpec;
}

export interface LeaderElectionOptions {
  readonly kube: Kube;
  readonly time: Time;
  /** Of the Lease. */
  readonly key: Key & { readonly namespace: string };
  /** Of this process, and of no other one ever: a name with something random. */
  readonly identity: string;
  /** We lead from now on. */
  readonly won: () => void;
  /** We do not lead any more, or cannot know it: stop at once. Called once, and not after `stop`. */
  readonly lost: (why: string) => void;
  readonly failed?: (what: string, error: unknown) => void;
  readonly metrics?: LeaderMetrics;
  /** Others wait so long after the last renewal; a multiple of 1000. */
  readonly durationMs?: number;
  /** Who has not managed to renew it for so long gives up; less than the duration. */
  readonly renewLimitMs?: number;
  /** Between two renewals. Who waits for its turn looks about twice as often. */
  readonly retryMs?: number;
}

const DURATION_MS = 30_000;
const RENEW_LIMIT_MS = 20_000;
const RETRY_MS = 5000;

/** No call may take so long that a second attempt would come too late. */
const CALL_LIMIT_MS = 8000;

type State =
  | { readonly kind: "candidate" }
  /** `monotonic` and `wall`: before the renewal was sent that last succeeded. */
  | { readonly kind: "leader"; readonly monotonic: number; readonly wall: number }
  | { readonly kind: "over" };

export class LeaderElection {
  readonly #options: LeaderElectionOptions;
  readonly #time: Time;
  readonly #durationMs: number;
  readonly #renewLimitMs: number;
  readonly #metrics: LeaderMetrics;
  readonly #stopping = new AbortController();
  #state: State = { kind: "candidate" };
  #running: Promise<void> | undefined;
  /** The version of the Lease that was seen last, since when, and for how long it holds. */
  #seen: { readonly version: string; readonly since: number; readonly durationMs: number } | undefined;
  #giveUp: { cancel(): void } | undefined;

  constructor(options: LeaderElectionOptions) {
    this.#options = options;
    this.#time = options.time;
    this.#durationMs = options.durationMs ?? DURATION_MS;
    this.#renewLimitMs = options.renewLimitMs ?? RENEW_LIMIT_MS;
    this.#metrics = options.metrics ?? NO_LEADER_METRICS;
  }

  get isLeader(): boolean {
    return this.#state.kind === "leader";
  }

  /**
   * For how long nobody else can lead, milliseconds; 0 when we do not. Counted from before the last renewal was sent, by
   * the clock that has moved most since: a monotonic clock may stand still while a machine sleeps.
   */
  remainingMs(): number {
    if (this.#state.kind !== "leader") return 0;
    const { monotonic, wall } = this.#state;
    const passed = Math.max(this.#time.monotonic() - monotonic, this.#time.now() - wall);
    return Math.max(0, this.#durationMs - passed);
  }

  start(): void {
    this.#running ??= this.#run();
  }

  /** Gives the Lease back, so that the next one need not wait. To be called when nothing is done any more. */
  async stop(): Promise<void> {
    this.#stopping.abort();
    await this.#running;
    this.#giveUp?.cancel();
    const wasLeader = this.isLeader;
    this.#state = { kind: "over" };
    this.#metrics.leads(false);
    if (wasLeader) await this.#release();
  }

  async #run(): Promise<void> {
    const { retryMs = RETRY_MS } = this.#options;
    while (!this.#stopping.signal.aborted && this.#state.kind !== "over") {
      await this.#attempt();
      const waitMs = this.isLeader ? retryMs : this.#untilNextLookMs(retryMs);
      await pause(this.#time, waitMs, this.#stopping.signal);
    }
  }

  /**
   * Who waits sees a renewal as late as it looks, and counts from there: so it looks twice as often as a leader renews, and
   * once more at the very moment when the Lease runs out. Not all at once.
   */
  #untilNextLookMs(retryMs: number): number {
    const lookMs = jittered(this.#time, retryMs / 2, 0.2);
    if (this.#seen === undefined) return lookMs;
    const expiresInMs = this.#seen.since + this.#seen.durationMs - this.#time.monotonic();
    return expiresInMs > 0 ? Math.min(lookMs, expiresInMs) : lookMs;
  }

  async #attempt(): Promise<void> {
    const sent = { monotonic: this.#time.monotonic(), wall: this.#time.now() };
    try {
      const isHeld = await this.#withinLimit(this.#hold());
      // Meanwhile we may have been stopped, or have given up.
      if (this.#state.kind === "over" || this.#stopping.signal.aborted) return;
      if (isHeld) this.#held(sent);
      else if (this.isLeader) this.#lose("another process holds the Lease");
    } catch (error) {
      this.#report("the Lease could not be read or renewed", error);
    }
  }

  #held(sent: { readonly monotonic: number; readonly wall: number }): void {
    const isNew = !this.isLeader;
    this.#state = { kind: "leader", ...sent };
    this.#giveUp?.cancel();
    const leftMs = this.#renewLimitMs - (this.#time.monotonic() - sent.monotonic);
    this.#giveUp = this.#time.after(leftMs, () =>
      this.#lose(`the Lease was not renewed within ${this.#renewLimitMs} ms`),
    );
    if (!isNew) return;
    this.#metrics.leads(true);
    this.#options.won();
  }

  #lose(why: string): void {
    if (!this.isLeader || this.#stopping.signal.aborted) return;
    this.#state = { kind: "over" };
    this.#giveUp?.cancel();
    this.#metrics.leads(false);
    this.#options.lost(why);
  }

  /** Whether the Lease is ours now: taken, renewed, or both in an attempt whose answer was lost. */
  async #hold(): Promise<boolean> {
    const { kube, key, identity } = this.#options;
    const lease = await kube.get<Lease>(LEASES, key);
    // An answer that came late must not make who has ended a holder.
    if (this.#state.kind === "over" || this.#stopping.signal.aborted) return false;
    if (lease === undefined) return this.#create();
    const holder = lease.spec?.holderIdentity ?? "";
    if (holder !== identity && holder !== "" && !this.#isExpired(lease)) return false;
    const isOurs = holder === identity;
    const renewTime = microTimestamp(this.#time.now());
    const spec: LeaseSpec = {
      holderIdentity: identity,
      leaseDurationSeconds: Math.round(this.#durationMs / 1000),
      renewTime,
      ...(isOurs ? {} : { acquireTime: renewTime, leaseTransitions: (lease.spec?.leaseTransitions ?? 0) + 1 }),
    };
    return this.#patch(lease, spec);
  }

  async #create(): Promise<boolean> {
    const { kube, key, identity } = this.#options;
    const time = microTimestamp(this.#time.now());
    const leaseDurationSeconds = Math.round(this.#durationMs / 1000);
    const spec = {
      holderIdentity: identity,
      leaseDurationSeconds,
      acquireTime: time,
      renewTime: time,
      leaseTransitions: 0,
    };
    const { group, version, kind } = LEASES;
    try {
      await kube.create<Lease>(LEASES, { apiVersion: `${group}/${version}`, kind, metadata: key, spec });
      return true;
    } catch (error) {
      if (isAlreadyThere(error)) return false;
      throw error;
    }
  }

  /** Bound to the version that was read: of two who try, one gets it. */
  async #patch(lease: Lease, spec: LeaseSpec): Promise<boolean> {
    const { kube, key } = this.#options;
    const { resourceVersion = "" } = lease.metadata;
    try {
      await kube.patch<Lease>(LEASES, key, { spec }, { resourceVersion });
      return true;
    } catch (error) {
      // Somebody was faster; who it was is seen the next time.
      if (isConflict(error) && !this.isLeader) return false;
      throw error;
    }
  }

  /** Whether we have seen this very version for as long as its holder asked for. */
  #isExpired({ metadata: { resourceVersion = "" }, spec }: Lease): boolean {
    const now = this.#time.monotonic();
    const durationMs = Math.max((spec?.leaseDurationSeconds ?? 0) * 1000, 1000);
    if (this.#seen?.version !== resourceVersion) this.#seen = { version: resourceVersion, since: now, durationMs };
    return now - this.#seen.since >= durationMs;
  }

  async #release(): Promise<void> {
    const { kube, key, identity } = this.#options;
    try {
      const lease = await this.#withinLimit(kube.get<Lease>(LEASES, key));
      if (lease?.spec?.holderIdentity !== identity) return;
      const renewTime = microTimestamp(this.#time.now());
      await this.#withinLimit(this.#patch(lease, { holderIdentity: "", leaseDurationSeconds: 1, renewTime }));
    } catch (error) {
      this.#report("the Lease could not be given back: others wait until it has run out", error);
    }
  }

  #withinLimit<T>(call: Promise<T>): Promise<T> {
    return new Promise((resolve, reject) => {
      const timer = this.#time.after(CALL_LIMIT_MS, () => reject(new Error(`no answer within ${CALL_LIMIT_MS} ms`)));
      call.then(resolve, reject).finally(() => timer.cancel());
    });
  }

  #report(what: string, error: unknown): void {
    try {
      this.#options.failed?.(what, error);
    } catch {
      // Who cannot even be told of errors must not become one.
    }
  }
}
