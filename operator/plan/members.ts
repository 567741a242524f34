/**
 * What each member is: Pods, claims and etcd's own list joined by member id and name, never by position. What could not
 * be read stays unknown; nothing here decides what to do.
 */
import type { EtcdCluster, Health, MemberView } from "../api/etcd-cluster.ts";
import { serialOf } from "../api/names.ts";
import type {
  AskedFacts,
  ClaimFacts,
  EtcdFacts,
  MemberListFacts,
  NodeFacts,
  Observation,
  PodFacts,
} from "./observation.ts";
import { fromTime } from "./time.ts";

/** Entries of the log that a member may be behind and still count as caught up. */
export const LAG_MAX = 1000;

export type Answer = NonNullable<AskedFacts["status"]>;
export type Listed = MemberListFacts["members"][number];

/**
 * `absent`: a linearizable list does not hold it. `unknown`: there is no list, and nothing may be concluded.
 */
export type Standing = "voter" | "learner" | "absent" | "unknown";

export interface Member {
  readonly name: string;
  readonly serial: number;
  readonly standing: Standing;
  /** Of the list, else as it was last written down. */
  readonly id: string | undefined;
  /** Its entry, when it is listed. */
  readonly listed: Listed | undefined;
  readonly pod: PodFacts | undefined;
  /** The node of its Pod, where nodes are read. */
  readonly node: NodeFacts | undefined;
  readonly claim: ClaimFacts | undefined;
  /** Its own answer; nothing when it gave none, or one under another id. */
  readonly answer: Answer | undefined;
  readonly isServing: boolean;
  readonly loadedCertificates: readonly string[] | undefined;
  readonly error: string | undefined;
  readonly isLeader: boolean;
  /** Entries behind the furthest answer; nothing when it did not answer. */
  readonly lag: number | undefined;
  readonly alarms: readonly ("NOSPACE" | "CORRUPT")[];
  readonly health: Health;
  /** Since when `health` is what it is. */
  readonly healthSince: number;
  /** How it was described before. */
  readonly view: MemberView | undefined;
}

/** Entries of etcd's list that are no members of ours by their name and address. */
export type Stranger = Listed;

export interface Joined {
  /** By serial. */
  readonly members: readonly Member[];
  readonly strangers: readonly Stranger[];
}

/** Joins what was observed of `cluster`. Claims that are retired belong to nobody any more. */
export function joinMembers(seen: Observation): Joined {
  const { cluster } = seen;
  const own = ownPods(seen);
  const claims = ownClaims(seen).filter((claim) => claim.state !== "retired");
  const list = seen.etcd?.list;
  const named = (list?.members ?? []).map((entry) => ({ entry, name: nameOfEntry(entry, cluster, claims) }));
  const names = new Set<string>();
  for (const { name } of named) if (name !== undefined) names.add(name);
  for (const pod of own) names.add(pod.member);
  for (const claim of claims) names.add(claim.member);
  if (list === undefined) for (const view of cluster.status?.members ?? []) names.add(view.name);
  let furthest = 0;
  for (const { status } of seen.etcd?.members.values() ?? []) furthest = Math.max(furthest, status?.raftIndex ?? 0);
  const members = [...names].flatMap((name) => {
    const serial = serialOf(cluster.metadata.name, name);
    if (serial === undefined) return [];
    const listed = named.find((one) => one.name === name)?.entry;
    const claim = claims.find((one) => one.member === name);
    return [
      joined({
        seen,
        name,
        serial,
        listed,
        claim,
        pod: own.find((one) => one.member === name),
        furthest,
        leaderId: leaderOf(seen.etcd),
      }),
    ];
  });
  members.sort((left, right) => left.serial - right.serial);
  return { members, strangers: named.filter((one) => one.name === undefined).map((one) => one.entry) };
}

/** Pods that this very cluster controls. */
export function ownPods(seen: Observation): readonly PodFacts[] {
  return seen.pods.filter((pod) => pod.ownerUid === seen.cluster.metadata.uid);
}

/** Claims whose data is this very cluster's. */
export function ownClaims(seen: Observation): readonly ClaimFacts[] {
  return seen.claims.filter((claim) => claim.clusterUid === seen.cluster.metadata.uid);
}

/** A member that was added and has not started has no name yet: its id on a claim or its peer URL says who it is. */
function nameOfEntry(entry: Listed, cluster: EtcdCluster, claims: readonly ClaimFacts[]): string | undefined {
  const candidates = [
    entry.name,
    claims.find((claim) => claim.memberId === entry.id)?.member,
    ...entry.peerUrls.map(firstLabel),
  ];
  return candidates.find((name) => name !== undefined && serialOf(cluster.metadata.name, name) !== undefined);
}

/** Of the host in a URL: members are reached as MEMBER.SERVICE.NAMESPACE.svc. */
export function firstLabel(url: string): string | undefined {
  return /^https?:\/\/([^.:/]+)/.exec(url)?.[1];
}

interface Parts {
  readonly seen: Observation;
  readonly name: string;
  readonly serial: number;
  readonly listed: Listed | undefined;
  readonly claim: ClaimFacts | undefined;
  readonly pod: PodFacts | undefined;
  readonly furthest: number;
  readonly leaderId: string | undefined;
}

function joined({ seen, name, serial, listed, claim, pod, furthest, leaderId }: Parts): Member {
  const view = seen.cluster.status?.members?.find((one) => one.name === name);
  const asked = seen.etcd?.members.get(name);
  const id = listed?.id ?? claim?.memberId ?? view?.id;
  const answer = answerOf(asked, id);
  const error =
    asked?.status !== undefined && answer === undefined
      ? `it answers as member ${asked.status.memberId}`
      : asked?.error;
  const alarms = alarmsOf(seen.etcd, id);
  const isServing = answer !== undefined && asked?.isServing === true;
  const lag = answer === undefined ? undefined : Math.max(0, furthest - answer.appliedIndex);
  const health = healthOf({ answer, isServing, lag, alarms, isLearner: listed?.isLearner === true });
  return {
    name,
    serial,
    standing: standingOf(seen.etcd?.list, listed),
    id,
    listed,
    pod,
    node: pod?.nodeName === undefined ? undefined : seen.nodes.get(pod.nodeName),
    claim,
    answer,
    isServing,
    loadedCertificates: asked?.loadedCertificates,
    error,
    isLeader: id !== undefined && id === leaderId,
    lag,
    alarms,
    health,
    healthSince: (view?.health === health && view.id === id ? fromTime(view.healthSince) : undefined) ?? seen.now,
    view,
  };
}

/** Whom the answers of the newest term follow: a leader that does not answer us leads all the same. */
function leaderOf(etcd: EtcdFacts | undefined): string | undefined {
  let newest: Answer | undefined;
  for (const { status } of etcd?.members.values() ?? [])
    if (status !== undefined && status.leaderId !== "" && status.raftTerm > (newest?.raftTerm ?? -1)) newest = status;
  return newest?.leaderId;
}

function standingOf(list: MemberListFacts | undefined, listed: Listed | undefined): Standing {
  if (list === undefined) return "unknown";
  if (listed === undefined) return "absent";
  return listed.isLearner ? "learner" : "voter";
}

/** An answer under another id is somebody else's: an old address, or a disk that was mixed up. */
function answerOf(asked: AskedFacts | undefined, id: string | undefined): Answer | undefined {
  if (asked?.status === undefined) return undefined;
  return id === undefined || asked.status.memberId === id ? asked.status : undefined;
}

const NO_ALARMS: readonly ("NOSPACE" | "CORRUPT")[] = [];

function alarmsOf(etcd: EtcdFacts | undefined, id: string | undefined): readonly ("NOSPACE" | "CORRUPT")[] {
  if (etcd === undefined || etcd.alarms.length === 0) return NO_ALARMS;
  return etcd.alarms.filter((alarm) => alarm.memberId === id).map((alarm) => alarm.alarm);
}

interface Signs {
  readonly answer: Answer | undefined;
  readonly isServing: boolean;
  readonly lag: number | undefined;
  readonly alarms: readonly string[];
  readonly isLearner: boolean;
}

/** A learner serves no linearizable reads to us; that it answers is enough. */
function healthOf({ answer, isServing, lag, alarms, isLearner }: Signs): Health {
  if (alarms.includes("CORRUPT")) return "Corrupt";
  if (answer === undefined || (!isServing && !isLearner)) return "Unreachable";
  if (alarms.length > 0) return "Alarmed";
  return lag !== undefined && lag >= LAG_MAX ? "Lagging" : "Healthy";
}

/** Whether it counts towards a quorum: it serves, and its data is not known to be wrong. */
export function isHealthyVoter(member: Member): boolean {
  return member.standing === "voter" && member.isServing && member.health !== "Corrupt";
}

/** Whether its Pod's node will not come back to finish anything: deleting by force is then no lie. */
export function isNodeLost(member: Member): boolean {
  return member.node !== undefined && (member.node.isGone === true || member.node.isOutOfService);
}

/** Whether its node answers the API server no longer, so that a deleted Pod would stay Terminating. */
export function isNodeSilent(member: Member): boolean {
  return member.node !== undefined && (isNodeLost(member) || !member.node.isReady);
}

/** Two observers agree that it takes no part: it gave us no answer, and its kubelet does not call it ready. */
export function takesNoPart(member: Member): boolean {
  return member.answer === undefined && !member.isServing && member.pod?.readySince === undefined;
}

/** Well, or out of space: it then serves and votes as all others do, and only clients are refused. */
export function isSound(member: Member): boolean {
  return (member.health === "Healthy" || member.health === "Alarmed") && member.pod?.readySince !== undefined;
}

/** Healthy by its own word, and ready by its kubelet's. */
export function isWell(member: Member): boolean {
  return member.health === "Healthy" && member.pod?.readySince !== undefined;
}
