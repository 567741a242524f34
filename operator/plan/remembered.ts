/**
 * Builders that remember, of each cluster, what they made out of its spec the last time. Most passes find the spec as it
 * was; objects are then the same ones again, so that what hangs on them (a hash, a comparison) is not done again either.
 * What is remembered follows from name, namespace, uid and spec alone, as everything that builders make does.
 */
import type { EtcdCluster, EtcdClusterSpec } from "../api/etcd-cluster.ts";
import type { Desired } from "./action.ts";
import type { Builders } from "./builders.ts";

/** Clusters that are remembered at once; beyond it the one that was first seen is forgotten. */
export const REMEMBERED_MAX = 1024;
/** Floors of a disruption budget that are remembered of one spec: more than a cluster ever has. */
const FLOORS_MAX = 8;

/** What was made out of one spec. */
interface Made {
  faults?: ReturnType<Builders["validate"]>;
  templateHash?: string;
  children?: readonly Desired[];
  secrets?: ReturnType<Builders["secrets"]>;
  endpoints?: ReturnType<Builders["endpoints"]>;
  readonly budgets: Map<number, Desired>;
}

/** The same builders; Pods and claims are made anew each time. Never changes what `builders` answer. */
export function remembered(builders: Builders, max = REMEMBERED_MAX): Builders {
  const asked = new Memory(max);
  const inForce = new Memory(max);
  return {
    ...builders,
    validate: (cluster) => {
      const made = asked.of(cluster);
      made.faults ??= builders.validate(cluster);
      return made.faults;
    },
    templateHash: (cluster) => {
      const made = inForce.of(cluster);
      made.templateHash ??= builders.templateHash(cluster);
      return made.templateHash;
    },
    children: (cluster) => {
      const made = inForce.of(cluster);
      made.children ??= builders.children(cluster);
      return made.children;
    },
    secrets: (cluster) => {
      const made = inForce.of(cluster);
      made.secrets ??= builders.secrets(cluster);
      return made.secrets;
    },
    endpoints: (cluster) => {
      const made = inForce.of(cluster);
      made.endpoints ??= builders.endpoints(cluster);
      return made.endpoints;
    },
    budget: (cluster, minAvailable) => {
      const { budgets } = inForce.of(cluster);
      const known = budgets.get(minAvailable);
      if (known !== undefined) return known;
      if (budgets.size >= FLOORS_MAX) budgets.clear();
      const made = builders.budget(cluster, minAvailable);
      budgets.set(minAvailable, made);
      return made;
    },
  };
}

interface Entry {
  readonly name: string;
  readonly namespace: string;
  /** The object that it was last asked for: mostly the same one again. */
  spec: EtcdClusterSpec;
  readonly text: string;
  readonly made: Made;
}

/** The last spec of each cluster, by uid. */
class Memory {
  readonly #max: number;
  readonly #entries = new Map<string, Entry>();

  constructor(max: number) {
    this.#max = max;
  }

  of({ metadata: { uid, name, namespace }, spec }: EtcdCluster): Made {
    const known = this.#entries.get(uid);
    const isNamesake = known?.name === name && known.namespace === namespace;
    if (isNamesake && known.spec === spec) return known.made;
    const text = JSON.stringify(spec);
    if (isNamesake && known.text === text) {
      known.spec = spec;
      return known.made;
    }
    if (known === undefined && this.#entries.size >= this.#max) this.#forgetOldest();
    const made: Made = { budgets: new Map() };
    this.#entries.set(uid, { name, namespace, spec, text, made });
    return made;
  }

  #forgetOldest(): void {
    for (const uid of this.#entries.keys()) {
      this.#entries.delete(uid);
      return;
    }
  }
}
