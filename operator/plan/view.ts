/** One observation, thought through once: what every step and the status look at. */

import { durationMs } from "../api/duration.ts";
import type { EtcdCluster, EtcdClusterSpec, EtcdClusterStatus } from "../api/etcd-cluster.ts";
import { ANNOTATIONS, REQUESTS, type RequestName, serialOf } from "../api/names.ts";
import type { Builders } from "./builders.ts";
import { firstLabel, isHealthyVoter, joinMembers, type Member, ownClaims, ownPods, type Stranger } from "./members.ts";
import type { MemberListFacts, Observation, PodFacts } from "./observation.ts";
import { quorumOf } from "./quorum.ts";
import { readWish, type Wish } from "./wish.ts";

export interface View {
  readonly seen: Observation;
  readonly now: number;
  readonly builders: Builders;
  /** Carries the spec that is in force. */
  readonly cluster: EtcdCluster;
  readonly spec: EtcdClusterSpec;
  /** What became of the spec that was asked for. */
  readonly wish: Wish;
  /** As it was before this pass. */
  readonly status: EtcdClusterStatus;
  /** Whether this cluster has ever been formed: the status, any one claim or the Pod of a member is enough to know. */
  readonly isBorn: boolean;
  readonly clusterId: string | undefined;
  readonly token: string;
  readonly members: readonly Member[];
  readonly strangers: readonly Stranger[];
  /** Linearizable, so that having it proves that there is a quorum. */
  readonly list: MemberListFacts | undefined;
  /** A list that was given under another cluster's id: it says nothing about this one. */
  readonly foreignList: MemberListFacts | undefined;
  readonly voters: readonly Member[];
  readonly learners: readonly Member[];
  /** Voters as far as is known: of the list, else of what was written down. */
  readonly voterCount: number;
  readonly healthyCount: number;
  readonly hasQuorum: boolean;
  readonly leader: Member | undefined;
  readonly isPersistent: boolean;
  readonly templateHash: string;
  /** Never used before, by anybody. */
  readonly nextSerial: number;
  readonly memberTimeoutMs: number;
  /** Requests by annotation that have not been carried out. */
  readonly requests: ReadonlyMap<RequestName, Request>;
}

export interface Request {
  readonly nonce: string;
  /** The member that is named, or "". */
  readonly value: string;
}

/** A request's text is bounded: it is copied into the status. */
const MAX_REQUEST = 128;

export function lookAt(observed: Observation, builders: Builders): View {
  const status = observed.cluster.status ?? { observedGeneration: -1 };
  const clusterId = status.clusterID ?? ownClaims(observed).find((claim) => claim.clusterId !== undefined)?.clusterId;
  const isKnownByPods = clusterId === undefined && ownPods(observed).some(hasMemberId);
  const seen = withoutForeignList(observed, clusterId);
  const wish = readWish(seen, builders);
  const cluster = { ...seen.cluster, spec: wish.inForce };
  const { members, strangers } = joinMembers(seen);
  const list = seen.etcd?.list;
  const voters = members.filter((member) => member.standing === "voter");
  const healthyCount = members.filter(isHealthyVoter).length;
  const voterCount =
    list === undefined
      ? presumedVoters(members, status)
      : voters.length + strangers.filter((one) => !one.isLearner).length;
  return {
    seen,
    foreignList: seen === observed ? undefined : observed.etcd?.list,
    now: seen.now,
    builders,
    cluster,
    spec: wish.inForce,
    wish,
    status,
    isBorn: status.initialized === true || clusterId !== undefined || isKnownByPods,
    clusterId: isKnownByPods ? list?.clusterId : clusterId,
    token: status.clusterToken ?? `${cluster.metadata.namespace}/${cluster.metadata.name}/${cluster.metadata.uid}`,
    members,
    strangers,
    list,
    voters,
    learners: members.filter((member) => member.standing === "learner"),
    voterCount,
    healthyCount,
    hasQuorum: list !== undefined && healthyCount >= quorumOf(voterCount),
    leader: members.find((member) => member.isLeader && member.standing === "voter"),
    isPersistent: wish.inForce.storage.persistent !== undefined,
    templateHash: builders.templateHash(cluster),
    nextSerial: nextSerial(seen, status),
    memberTimeoutMs: durationMs(wish.inForce.update.memberTimeout),
    requests: openRequests(seen.cluster, status),
  };
}

/** A Pod carries it once its member is listed: where there are no claims, it outlives a status that is lost. */
function hasMemberId(pod: PodFacts): boolean {
  return pod.annotations[ANNOTATIONS.memberId] !== undefined;
}

function withoutForeignList(seen: Observation, clusterId: string | undefined): Observation {
  const { etcd } = seen;
  if (etcd?.list === undefined || clusterId === undefined || etcd.list.clusterId === clusterId) return seen;
  return { ...seen, etcd: { ...etcd, list: undefined } };
}

/** Without a list: members that are known to have been voters. */
function presumedVoters(members: readonly Member[], status: EtcdClusterStatus): number {
  return Math.max(members.filter(wasVoter).length, status.voters ?? 0);
}

/** Whether it was a voter when that was last known. */
export function wasVoter(member: Member): boolean {
  if (member.standing !== "unknown") return member.standing === "voter";
  const wasSeenVoting = member.view?.role === "Leader" || member.view?.role === "Follower";
  // The first member votes from its birth on, though its claim may not say so yet.
  if (member.claim?.state === "initializing") return wasSeenVoting;
  if (member.claim !== undefined) return member.claim.state === "ready";
  return wasSeenVoting || member.pod?.role === "voter";
}

/** One above every serial ever seen, on anybody's Pods and claims and in etcd's list: survives a lost status. */
function nextSerial(seen: Observation, status: EtcdClusterStatus): number {
  const { name } = seen.cluster.metadata;
  let next = status.nextMemberSerial ?? 0;
  const count = (member: string): void => {
    const serial = serialOf(name, member);
    if (serial !== undefined && serial >= next) next = serial + 1;
  };
  for (const pod of seen.pods) count(pod.name);
  for (const claim of seen.claims) count(claim.member);
  for (const member of status.members ?? []) count(member.name);
  for (const entry of seen.etcd?.list?.members ?? []) {
    count(entry.name);
    for (const url of entry.peerUrls) count(firstLabel(url) ?? "");
  }
  return next;
}

function openRequests(cluster: EtcdCluster, status: EtcdClusterStatus): ReadonlyMap<RequestName, Request> {
  const open = new Map<RequestName, Request>();
  for (const name of Object.keys(REQUESTS) as RequestName[]) {
    const text = cluster.metadata.annotations?.[REQUESTS[name]]?.slice(0, MAX_REQUEST);
    if (text === undefined || text === "" || status.handledRequests?.[name] === text) continue;
    const colon = text.indexOf(":");
    open.set(name, colon < 0 ? { nonce: text, value: "" } : { nonce: text, value: text.slice(0, colon) });
  }
  return open;
}
