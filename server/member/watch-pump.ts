/**
 * Drives the hub: slices of catching up while watchers are behind or many wait for one change, and progress notices at
 * their interval. A turn of the loop takes as many slices as fit in its share; everything else has its turn in between.
 */
import { failpoint } from "../base/failpoint.ts";
import type { Clock, Timer } from "../ports/clock.ts";
import type { WatchHub } from "../watch/hub.ts";

/** Those who fall behind at about the same time are read for together. */
const GATHER_MS = 5;
/** Revisions or watchers in a slice, a millisecond or two, and how long a turn goes on with slices. */
const SLICE = 64;
const TURN_MS = 2;

/** Stands for a turn that has been asked for and cannot be taken back. */
const SOON: Timer = { cancel: () => undefined };

export class WatchPump {
  readonly #hub: WatchHub;
  readonly #clock: Clock;
  readonly #progressNotifyMs: number;
  #catchUp: Timer | undefined;
  #progress: Timer | undefined;
  #stopped = false;

  constructor(parts: { hub: WatchHub; clock: Clock; progressNotifyMs: number }) {
    this.#hub = parts.hub;
    this.#clock = parts.clock;
    this.#progressNotifyMs = parts.progressNotifyMs;
  }

  start(): void {
    this.#armProgress();
  }

  stop(): void {
    this.#stopped = true;
    this.#catchUp?.cancel();
    this.#progress?.cancel();
  }

  /** Some watcher needs history, or many wait for a change: these do not wait for others to fall behind. */
  behind(): void {
    if (this.#catchUp !== undefined || this.#stopped) return;
    if (this.#hub.delivering) this.#soon();
    else this.#catchUp = this.#clock.after(GATHER_MS, () => this.#turn());
  }

  #soon(): void {
    this.#catchUp = SOON;
    this.#clock.soon(() => this.#turn());
  }

  #turn(): void {
    this.#catchUp = undefined;
    if (this.#stopped) return;
    failpoint?.("beforeSyncWatchers");
    const startedMs = this.#clock.monotonicMs();
    let more = true;
    while (more && this.#clock.monotonicMs() - startedMs < TURN_MS) more = this.#hub.catchUp(SLICE);
    if (more) this.#soon();
  }

  #armProgress(): void {
    if (this.#stopped) return;
    this.#progress = this.#clock.after(this.#progressNotifyMs, () => {
      failpoint?.("beforeProgressIfSync");
      this.#hub.progressTick();
      this.#armProgress();
    });
  }
}
