/** All services of one member, put together. */
import { auth } from "./auth.ts";
import { Cluster } from "./cluster.ts";
import { election } from "./election.ts";
import type { Services } from "./handlers.ts";
import { Kv, type KvOptions } from "./kv.ts";
import { Lease } from "./lease.ts";
import { lock } from "./lock.ts";
import { Maintenance } from "./maintenance.ts";
import type { MemberApi } from "./member-api.ts";
import { Watch } from "./watch.ts";

export function createServices(member: MemberApi, options: KvOptions): Services {
  return {
    kv: new Kv(member, options),
    watch: new Watch(member),
    lease: new Lease(member),
    cluster: new Cluster(member),
    maintenance: new Maintenance(member),
    auth,
    lock,
    election,
  };
}
