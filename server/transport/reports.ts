/**
 * What the member is told of its own sending. Told after the call that found it out, never inside it: raft must not be
 * stepped while its messages are being sent.
 */
import type { Receiver } from "../ports/network.ts";

export class Reports {
  readonly #receiver: Pick<Receiver, "unreachable" | "snapshotStatus" | "selfRemoved">;
  /** Told once however many messages were lost; it has at most one entry a member. */
  readonly #unreachable = new Set<bigint>();
  #snapshots: { readonly id: bigint; readonly wasDelivered: boolean }[] = [];
  #isRemoved = false;
  #isRemovalTold = false;
  #isDue = false;
  #isClosed = false;

  constructor(receiver: Pick<Receiver, "unreachable" | "snapshotStatus" | "selfRemoved">) {
    this.#receiver = receiver;
  }

  unreachable(id: bigint): void {
    this.#unreachable.add(id);
    this.#schedule();
  }

  snapshotStatus(id: bigint, wasDelivered: boolean): void {
    this.#snapshots.push({ id, wasDelivered });
    this.#schedule();
  }

  selfRemoved(): void {
    this.#isRemoved = true;
    this.#schedule();
  }

  /** Tells what has not been told. */
  flush(): void {
    this.#isDue = false;
    const lost = [...this.#unreachable];
    const snapshots = this.#snapshots;
    this.#unreachable.clear();
    this.#snapshots = [];
    for (const id of lost) this.#receiver.unreachable(id);
    for (const { id, wasDelivered } of snapshots) this.#receiver.snapshotStatus(id, wasDelivered);
    if (!this.#isRemoved || this.#isRemovalTold) return;
    this.#isRemovalTold = true;
    this.#receiver.selfRemoved();
  }

  /** Nothing is told any more. */
  close(): void {
    this.#isClosed = true;
  }

  #schedule(): void {
    if (this.#isDue || this.#isClosed) return;
    this.#isDue = true;
    process.nextTick(() => {
      if (this.#isDue && !this.#isClosed) this.flush();
    });
  }
}
