/**
 * The version that all members work by: "X.Y.0", the lowest that any of them speaks. The leader looks at all of them now
 * and then and raises it through the log; while it cannot reach one of them it leaves it as it is. A cluster that has
 * none yet begins with etcd's oldest, so that it can be used at once.
 */
import type { MemberRecord } from "../cluster/membership.ts";
import type { Clock, Timer } from "../ports/clock.ts";
import type { Logger } from "../ports/logger.ts";
import type { Answers } from "../ports/network.ts";

/** As etcd's leader looks; the first time at once. */
const LOOK_MS = 5000;
const ASK_TIMEOUT_MS = 2000;
const OLDEST = "3.0.0";

export class ClusterVersion {
  readonly #clock: Clock;
  readonly #logger: Logger;
  readonly #ours: string;
  readonly #known: () => string | undefined;
  readonly #others: () => readonly MemberRecord[];
  readonly #ask: (urls: readonly string[], timeoutMs: number) => Promise<Answers["version"]>;
  readonly #decide: (version: string) => Promise<unknown>;
  #timer: Timer | undefined;
  #leading = false;

  constructor(parts: {
    clock: Clock;
    logger: Logger;
    /** Of this member. */
    ours: string;
    known: () => string | undefined;
    /** All members but this one. */
    others: () => readonly MemberRecord[];
    ask: (urls: readonly string[], timeoutMs: number) => Promise<Answers["version"]>;
    decide: (version: string) => Promise<unknown>;
  }) {
    this.#clock = parts.clock;
    this.#logger = parts.logger;
    this.#ours = parts.ours;
    this.#known = parts.known;
    this.#others = parts.others;
    this.#ask = parts.ask;
    this.#decide = parts.decide;
  }

  start(): void {
    if (this.#leading) return;
    this.#leading = true;
    this.#arm(0);
  }

  stop(): void {
    this.#leading = false;
    this.#timer?.cancel();
  }

  #arm(delayMs: number): void {
    this.#timer?.cancel();
    this.#timer = this.#clock.after(delayMs, () => {
      void this.#look().then((isSettled) => {
        if (this.#leading) this.#arm(isSettled ? LOOK_MS : LOOK_MS / 10);
      });
    });
  }

  /** Whether the version is the highest that it can be. */
  async #look(): Promise<boolean> {
    const lowest = await this.#lowest();
    const known = this.#known();
    const next = lowest ?? (known === undefined ? OLDEST : undefined);
    if (!this.#leading || next === undefined) return false;
    if (known !== undefined && compareVersions(next, known) <= 0) return true;
    try {
      await this.#decide(next);
      this.#logger.info("set cluster version", { "cluster-version": next });
    } catch (error) {
      this.#logger.warn("could not set the cluster version; trying again", { "cluster-version": next, error });
    }
    return next === this.#ours;
  }

  /** Undefined while one of them does not say. */
  async #lowest(): Promise<string | undefined> {
    const asked = this.#others().map(({ peerUrls }) =>
      this.#ask(peerUrls, ASK_TIMEOUT_MS).then(({ server }) => server),
    );
    try {
      const versions = (await Promise.all(asked)).map(minorOf);
      return versions.reduce((least, one) => (compareVersions(one, least) < 0 ? one : least), this.#ours);
    } catch {
      return undefined;
    }
  }
}

/** "3.7.4" belongs to "3.7.0". */
function minorOf(version: string): string {
  const [major = "0", minor = "0"] = version.split(".");
  return `${major}.${minor}.0`;
}

/** By major and minor number. */
export function compareVersions(left: string, right: string): number {
  const [leftMajor = 0, leftMinor = 0] = left.split(".").map(Number);
  const [rightMajor = 0, rightMinor = 0] = right.split(".").map(Number);
  return leftMajor - rightMajor || leftMinor - rightMinor;
}
