/** leasepb: a lease as it is stored, and what a member asks the primary about one. */
import { int64, int64Id, message, submessage, type TypeOf } from "./codec.ts";
import { LeaseTimeToLiveRequest, LeaseTimeToLiveResponse } from "./etcdserverpb/lease.ts";

/** TTLs in seconds; `remainingTtl` 0 means that nothing was checkpointed. */
export const Lease = message("leasepb.Lease", { id: int64Id(1), ttl: int64(2), remainingTtl: int64(3) });
export type Lease = TypeOf<typeof Lease>;

export const LeaseInternalRequest = message("leasepb.LeaseInternalRequest", {
  leaseTimeToLiveRequest: submessage(1, LeaseTimeToLiveRequest),
});
export type LeaseInternalRequest = TypeOf<typeof LeaseInternalRequest>;

export const LeaseInternalResponse = message("leasepb.LeaseInternalResponse", {
  leaseTimeToLiveResponse: submessage(1, LeaseTimeToLiveResponse),
});
export type LeaseInternalResponse = TypeOf<typeof LeaseInternalResponse>;
