/** All services of one member, put together. */
import { auth } from "./auth.ts";
import { Cluster } from "./cluster.ts";
import { election } from "./election.ts";
import type { Services } from "./handlers.ts";
import { HeavyReads, type TurnClock } from "./heavy-reads.ts";
import { Kv, type KvOptions } from "./kv.ts";
import { Lease } from "./lease.ts";
import { lock } from "./lock.ts";
import { Maintenance } from "./maintenance.ts";
import type { MemberApi } from "./member-api.ts";
import { Watch } from "./watch.ts";

/** `clock`: of the turns that long reads take; without one every read is answered at once. */
export function createServices(member: MemberApi, options: KvOptions, clock?: TurnClock): Services {
  const reads = new HeavyReads(clock);
  return {
    kv: new Kv(member, options, reads),
    watch: new Watch(member),
    lease: new Lease(member, reads),
    cluster: new Cluster(member),
    maintenance: new Maintenance(member, reads),
    auth,
    lock,
    election,
  };
}
