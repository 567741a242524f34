/**
 * Members that a test makes fail under load, and whose history is judged whenever the load stops. Test after test gets the
 * same ones for as long as all goes well. What goes wrong is told with how their processes ended, and the next test gets
 * fresh ones: nothing that one test left behind, neither a member that is down nor a history that nobody has judged, can
 * fail another.
 */
import { setTimeout as sleep } from "node:timers/promises";
import { History } from "./history.ts";
import { Workload } from "./workload.ts";

const WRITERS = 8;
/** Changes before anything is done to a member, in each load: there is something to lose, and to compact in the next. */
const WARM_CHANGES = 20;
/** Loads of new members before the first test. */
const FIRST_LOADS = 2;
const PATIENCE_MS = 60_000;
const LOOK_AGAIN_MS = 5;

export abstract class MembersUnderLoad {
  readonly workload: Workload;
  readonly #history = new History();
  #loads = 0;

  /** The load goes to `url`. */
  protected constructor(url: string, seed: number) {
    this.workload = new Workload({ url, writers: WRITERS, seed, compactShare: 1 / 2 });
  }

  /** How often it was judged after a load. */
  get loads(): number {
    return this.#loads;
  }

  /** Changes that were acknowledged and found in their place. */
  get judged(): number {
    return this.#history.judged;
  }

  /** Runs the load around `action`; then all are back and hold what was promised. Throws an Error that says what not. */
  async under(action: () => Promise<unknown>): Promise<void> {
    await this.load(action);
    await this.judge();
    this.#loads++;
  }

  /** Judges what was promised since the last time. */
  async judge(): Promise<void> {
    await this.restarted();
    await this.#history.judge(await this.level(), this.workload);
    this.workload.forget();
  }

  /** How each process stands, and what it logged last. */
  abstract readonly lastWords: string;

  abstract remove(): Promise<void>;

  /** Starts those that have ended; resolves when they serve. */
  protected abstract restarted(): Promise<void>;

  /** Resolves, when all hold the same, to the URL of the one that is judged. */
  protected abstract level(): Promise<string>;

  /** Starts all and loads them without a failure: there is a history to compact, and there are leases. */
  protected async begin(): Promise<void> {
    try {
      await this.restarted();
      for (let load = 0; load < FIRST_LOADS; load++) await this.under(() => Promise.resolve());
    } catch (error) {
      const told = telling(error, this);
      await this.remove();
      throw told;
    }
  }

  private async load(action: () => Promise<unknown>): Promise<void> {
    const { workload } = this;
    workload.unanswered = 0;
    workload.start(this.#history.start());
    try {
      for (const end = performance.now() + PATIENCE_MS; workload.acknowledged.length < WARM_CHANGES; ) {
        if (workload.unanswered > 0 || performance.now() > end)
          throw new Error(`before anything was done, ${workload.acknowledged.length} changes were acknowledged in all`);
        await sleep(LOOK_AGAIN_MS);
      }
      await action();
      // What a leader was asked that has ended is given up only after seconds: meanwhile it comes back.
      await Promise.all([workload.stop(), this.restarted()]);
    } finally {
      await workload.stop();
    }
  }
}

/** Gives the same members to test after test, others to a test that runs beside it, and fresh ones after a failure. */
export class Supply<M extends MembersUnderLoad> {
  readonly #make: () => Promise<M>;
  readonly #made: M[] = [];
  readonly #free: M[] = [];

  constructor(make: () => Promise<M>) {
    this.#make = make;
  }

  /** Of all members so far. */
  get loads(): number {
    return this.#made.reduce((sum, { loads }) => sum + loads, 0);
  }

  get judged(): number {
    return this.#made.reduce((sum, { judged }) => sum + judged, 0);
  }

  /** Throws what `action` throws, with the last words of the members, which are gone then. */
  async use(action: (members: M) => Promise<unknown>): Promise<void> {
    const members = this.#free.pop() ?? (await this.#fresh());
    try {
      await action(members);
    } catch (error) {
      const told = telling(error, members);
      await members.remove();
      throw told;
    }
    this.#free.push(members);
  }

  /** Ends the processes that no test uses and removes what they wrote. */
  async remove(): Promise<void> {
    await Promise.all(this.#free.splice(0).map((members) => members.remove()));
  }

  async #fresh(): Promise<M> {
    const members = await this.#make();
    this.#made.push(members);
    return members;
  }
}

function telling(error: unknown, { lastWords, workload }: MembersUnderLoad): Error {
  const what = error instanceof Error ? error.message : String(error);
  const why = error instanceof Error && error.cause instanceof Error ? ` (${error.cause.message})` : "";
  const wrong =
    workload.wrong.length === 0 ? "" : `\nanswers that were wrong: ${workload.wrong.slice(0, 3).join("; ")}`;
  return new Error(`${what}${why}${wrong}\n${lastWords}`, { cause: error });
}
