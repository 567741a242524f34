/** What an action gets, and what became of it. */
import type { EtcdCluster } from "../api/etcd-cluster.ts";
import type { Certificates } from "./certificates.ts";
import type { Endpoints } from "./members.ts";
import type { World } from "./world.ts";

/** What an action may use: the cluster as it was read in this pass, after its status was written. */
export interface Acting {
  readonly world: World;
  readonly cluster: EtcdCluster;
  readonly endpoints: Endpoints;
  readonly certificates: Certificates;
}

/** `refused`: nothing was changed, and a later pass may find it otherwise. */
export type Acted = { readonly result: "done" } | { readonly result: "refused"; readonly why: string };

export const DONE: Acted = { result: "done" };

export function refused(why: string): Acted {
  return { result: "refused", why };
}
