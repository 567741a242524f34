/**
 * Who led in which term a while ago, kept between two passes in memory: a cluster is calm when two samples that lie some
 * seconds apart agree. After a restart there is no earlier sample, and calm is only known after the wait.
 */
import type { AskedFacts, EtcdFacts } from "../plan/observation.ts";

/** Two samples count as two when they lie so far apart. */
const APART_MS = 2000;

/** Kept of each member: passes that follow each other fast leave only this many behind. */
const MAX_SAMPLES = 8;

type Sample = EtcdFacts["earlier"] extends ReadonlyMap<string, infer S> ? S : never;

export class Samples {
  /** By the cluster's uid, then by member; oldest first. */
  readonly #byCluster = new Map<string, Map<string, Sample[]>>();

  /** For each member the newest sample that is old enough at `now`. */
  earlier(uid: string, now: number): EtcdFacts["earlier"] {
    const found = new Map<string, Sample>();
    for (const [member, samples] of this.#byCluster.get(uid) ?? []) {
      const sample = samples.findLast(({ at }) => at <= now - APART_MS);
      if (sample !== undefined) found.set(member, sample);
    }
    return found;
  }

  /** Takes what was answered now. A member that did not answer begins anew: it may have been away in between. */
  keep(uid: string, members: ReadonlyMap<string, AskedFacts>): void {
    const before = this.#byCluster.get(uid);
    const kept = new Map<string, Sample[]>();
    for (const [member, { at, status }] of members) {
      if (status === undefined) continue;
      const samples = [...(before?.get(member) ?? []), { at, raftTerm: status.raftTerm, leaderId: status.leaderId }];
      kept.set(member, thinned(samples, at));
    }
    this.#byCluster.set(uid, kept);
  }

  forget(uid: string): void {
    this.#byCluster.delete(uid);
  }

  get size(): number {
    return this.#byCluster.size;
  }
}

/** Of those that are old enough only the newest is needed; of the young ones the oldest, which become old first. */
function thinned(samples: readonly Sample[], now: number): Sample[] {
  const firstYoung = samples.findIndex(({ at }) => at > now - APART_MS);
  const from = firstYoung === -1 ? samples.length - 1 : Math.max(0, firstYoung - 1);
  const needed = samples.slice(from);
  return needed.length <= MAX_SAMPLES
    ? needed
    : [...needed.slice(0, MAX_SAMPLES - 1), needed[needed.length - 1] as Sample];
}
