/** What this member answers when others ask it; `Network.ask` is the other side. */
import { EtcdError } from "../base/error.ts";
import { besideFailpoint } from "../base/failpoint.ts";
import type { MemberRecord } from "../cluster/membership.ts";
import type { AnswerTable, PeerLease } from "../ports/network.ts";
import type { MembershipChanges } from "./membership-changes.ts";

/** Of the member, what is asked for. */
export interface Asked {
  readonly clusterId: bigint;
  readonly clusterVersion: string;
  readonly storageVersion: string;
  readonly isLeader: boolean;
  readonly changes: MembershipChanges;
  readonly store: { readonly currentRevision: number };
  members(linearizable: boolean): Promise<MemberRecord[]>;
  hashKv(revision: number): Promise<{
    readonly hash: number;
    readonly compactRevision: number;
    readonly hashRevision: number;
  }>;
  leaseRenew(id: bigint): Promise<number>;
  leaseTimeToLive(id: bigint, keys: boolean): Promise<PeerLease | undefined>;
}

export function peerAnswers(member: Asked, serverVersion: string): AnswerTable {
  return {
    version: () => ({ server: serverVersion, cluster: member.clusterVersion, storage: member.storageVersion }),
    members: async () => ({ clusterId: member.clusterId, members: await member.members(false) }),
    downgradeEnabled: () => false,
    hashKv: async ({ revision }) => ({
      revision: member.store.currentRevision,
      ...(await member.hashKv(revision)),
    }),
    leaseRenew: async ({ id }) => {
      if (besideFailpoint !== undefined) await besideFailpoint("beforeServeHTTPLeaseRenew");
      // Passed on once more it could go round in circles.
      if (!member.isLeader) throw new EtcdError("NotPrimaryLessor");
      return member.leaseRenew(id);
    },
    leaseTimeToLive: async ({ id, keys }) => {
      if (!member.isLeader) throw new EtcdError("NotPrimaryLessor");
      if (besideFailpoint !== undefined) await besideFailpoint("beforeLookupWhenForwardLeaseTimeToLive");
      const lease = await member.leaseTimeToLive(id, keys);
      if (lease === undefined) throw new EtcdError("LeaseNotFound");
      return lease;
    },
    promote: async ({ id }) => {
      if (!member.isLeader) throw new EtcdError("NotLeader");
      await member.changes.promote(id);
      return member.members(false);
    },
  };
}
