/** What is read off the whole store while it goes on serving: a hash in slices, and a snapshot. */
import { EtcdError } from "../base/error.ts";
import type { Store } from "../mvcc/store.ts";
import type { Backend } from "../ports/backend.ts";
import type { Clock } from "../ports/clock.ts";
import type { Commits } from "./commits.ts";
import type { Standing } from "./standing.ts";
import { StoreSnapshot } from "./store-snapshot.ts";

/** Snapshots under way: each keeps pages of the store from being used again. */
const SNAPSHOTS_MAX = 8;

/** The hash of the keys at a revision; 0: the newest. Throws Compacted or FutureRevision. */
export async function hashInSlices(
  store: Store,
  clock: Clock,
  revision: number,
): Promise<{ hash: number; compactRevision: number; hashRevision: number }> {
  const steps = store.hashKv(revision);
  for (;;) {
    const step = steps.next();
    if (step.done === true) return step.value;
    await nextTurn(clock);
  }
}

/** What is applied now, made durable first. Throws TooManyRequests when too many are open, Stopped. */
export async function openSnapshot(backend: Backend, commits: Commits, standing: Standing): Promise<StoreSnapshot> {
  await commits.commit();
  if (standing.isStopping) throw new EtcdError("Stopped");
  if (backend.openReadViews() >= SNAPSHOTS_MAX) throw new EtcdError("TooManyRequests");
  return new StoreSnapshot(backend.openReadView());
}

/** Resolves when what waits now has run. */
export function nextTurn(clock: Clock): Promise<void> {
  return new Promise((resolve) => clock.soon(resolve));
}
