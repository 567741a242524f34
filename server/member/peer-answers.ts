/** What this member answers when others ask it; `Network.ask` is the other side. */
import { fromByteString } from "../base/bytes.ts";
import { EtcdError } from "../base/error.ts";
import type { MemberRecord } from "../cluster/membership.ts";
import type { Lessor } from "../lease/lessor.ts";
import type { AnswerTable } from "../ports/network.ts";
import type { MembershipChanges } from "./membership-changes.ts";

/** Of the member, what is asked for. */
export interface Asked {
  readonly clusterId: bigint;
  readonly clusterVersion: string;
  readonly storageVersion: string;
  readonly isLeader: boolean;
  readonly lessor: Lessor;
  readonly changes: MembershipChanges;
  readonly store: { readonly currentRevision: number };
  members(linearizable: boolean): Promise<MemberRecord[]>;
  hashKv(revision: number): Promise<{
    readonly hash: number;
    readonly compactRevision: number;
    readonly hashRevision: number;
  }>;
  leaseRenew(id: bigint): Promise<number>;
  leaseRemainingSeconds(id: bigint): number;
  linearizableRead(): Promise<void>;
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
    leaseRenew: ({ id }) => {
      // Passed on once more it could go round in circles.
      if (!member.isLeader) throw new EtcdError("NotPrimaryLessor");
      return member.leaseRenew(id);
    },
    leaseTimeToLive: ({ id, keys }) => {
      if (!member.isLeader) throw new EtcdError("NotPrimaryLessor");
      const lease = member.lessor.lookup(id);
      if (lease === undefined) throw new EtcdError("LeaseNotFound");
      return {
        ttlSeconds: member.leaseRemainingSeconds(id),
        grantedTtlSeconds: lease.ttlSeconds,
        keys: keys ? member.lessor.keysOf(id).map(fromByteString) : [],
      };
    },
    promote: async ({ id }) => {
      if (!member.isLeader) throw new EtcdError("NotLeader");
      await member.changes.promote(id);
      return member.members(false);
    },
  };
}
