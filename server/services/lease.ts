/** Lease: grants and revokes go through the log; renewals and questions are answered by the leader's lessor. */
import { EtcdError } from "../base/error.ts";
import {
  type LeaseGrantRequest,
  type LeaseGrantResponse,
  type LeaseKeepAliveRequest,
  LeaseKeepAliveResponse,
  type LeaseLeasesRequest,
  LeaseLeasesResponse,
  type LeaseRevokeRequest,
  type LeaseRevokeResponse,
  type LeaseStatus,
  type LeaseTimeToLiveRequest,
  LeaseTimeToLiveResponse,
} from "../proto/etcdserverpb.ts";
import type { Call, Inlet, Outlet } from "./call.ts";
import { headerAt, withHeader } from "./header.ts";
import { HeavyReads, type Steps } from "./heavy-reads.ts";
import type { LeaseReader, MemberApi } from "./member-api.ts";

/** The TTL that says "no such lease" where it is not an error to ask for one. */
const GONE_TTL = -1;

export class Lease {
  readonly #member: MemberApi;

  readonly #reads: HeavyReads;

  /** `reads`: the turns of all that may be long; without them everything is done at once. */
  constructor(member: MemberApi, reads: HeavyReads = new HeavyReads(undefined)) {
    this.#member = member;
    this.#reads = reads;
  }

  async leaseGrant(request: LeaseGrantRequest, call: Call): Promise<LeaseGrantResponse> {
    return withHeader(await this.#member.leaseGrant(request, call), this.#member);
  }

  async leaseRevoke(request: LeaseRevokeRequest, call: Call): Promise<LeaseRevokeResponse> {
    return withHeader(await this.#member.leaseRevoke(request, call), this.#member);
  }

  leaseKeepAlive(call: Call, outlet: Outlet<LeaseKeepAliveResponse>): Inlet<LeaseKeepAliveRequest> {
    return new KeepAlive(this.#member, call, outlet);
  }

  async leaseTimeToLive({ id, keys }: LeaseTimeToLiveRequest): Promise<LeaseTimeToLiveResponse> {
    const lease = await this.#member.leaseTimeToLive(id, keys);
    const response = LeaseTimeToLiveResponse.create({ id, ttl: GONE_TTL });
    if (lease !== undefined) {
      response.ttl = lease.ttlSeconds;
      response.grantedTtl = lease.grantedTtlSeconds;
      response.keys = [...lease.keys];
    }
    return withHeader(response, this.#member);
  }

  async leaseLeases(_request: LeaseLeasesRequest, call: Call): Promise<LeaseLeasesResponse> {
    const leases = await this.#reads.run(call, listSteps(this.#member.lessor));
    return withHeader(LeaseLeasesResponse.create({ leases }), this.#member);
  }
}

/** What a lease in a list holds, about: its place in the list while that is sorted. */
const LISTED_BYTES = 32;

function* listSteps(lessor: LeaseReader): Steps<LeaseStatus[]> {
  const steps = lessor.leasesInSlices();
  for (;;) {
    const step = steps.next();
    if (step.done === true) return step.value;
    yield lessor.size * LISTED_BYTES;
  }
}

/** Renews one lease after the other, in the order in which the client asks. */
class KeepAlive implements Inlet<LeaseKeepAliveRequest> {
  readonly #member: MemberApi;
  readonly #call: Call;
  readonly #outlet: Outlet<LeaseKeepAliveResponse>;
  #drained: (() => void) | undefined;

  constructor(member: MemberApi, call: Call, outlet: Outlet<LeaseKeepAliveResponse>) {
    this.#member = member;
    this.#call = call;
    this.#outlet = outlet;
    outlet.onDrain(() => this.#letOn());
  }

  async message({ id }: LeaseKeepAliveRequest): Promise<void> {
    // Before the renewal: its revision must not be newer than the moment at which the lease was known to live.
    const header = headerAt(this.#member, 0);
    const ttl = await this.#renew(id);
    if (this.#outlet.write(LeaseKeepAliveResponse.create({ header, id, ttl }))) return;
    await new Promise<void>((resolve) => {
      this.#drained = resolve;
    });
  }

  halfClose(): void {
    this.#outlet.end();
  }

  canceled(): void {
    this.#letOn();
  }

  /** Seconds; 0 for a lease that is gone, which is no error here. */
  async #renew(id: bigint): Promise<number> {
    try {
      return await this.#member.leaseRenew(id, this.#call);
    } catch (error) {
      if (error instanceof EtcdError && error.code === "LeaseNotFound") return 0;
      throw error;
    }
  }

  #letOn(): void {
    const drained = this.#drained;
    this.#drained = undefined;
    drained?.();
  }
}
