/** Drives the hub: slices of catching up while watchers are behind, and progress notices at their interval. */
import type { Clock, Timer } from "../ports/clock.ts";
import type { WatchHub } from "../watch/hub.ts";

/** Those who fall behind at about the same time are read for together. */
const GATHER_MS = 5;
const NEXT_SLICE_MS = 1;
const REVISIONS_PER_SLICE = 1000;

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

  /** Some watcher needs history. */
  behind(): void {
    if (this.#catchUp === undefined) this.#armCatchUp(GATHER_MS);
  }

  #armCatchUp(delayMs: number): void {
    if (this.#stopped) return;
    this.#catchUp = this.#clock.after(delayMs, () => {
      this.#catchUp = undefined;
      if (this.#hub.catchUp(REVISIONS_PER_SLICE)) this.#armCatchUp(NEXT_SLICE_MS);
    });
  }

  #armProgress(): void {
    if (this.#stopped) return;
    this.#progress = this.#clock.after(this.#progressNotifyMs, () => {
      this.#hub.progressTick();
      this.#armProgress();
    });
  }
}
