/**
 * Observations in a line or two, and plans as one. A cluster named `c` whose members are given as words, separated by
 * ";", the serial first:
 *
 *     see("0 leader; 1 voter; 2 voter silent 11m")
 *
 * Standing: `leader`, `voter`, `learner`, `unstarted` (a learner that has no name yet), `out` (not in the list).
 * Left out: `no-pod`, `no-claim`, `fresh` (a Pod of just now). Answers: `silent` (none, and its Pod is not ready),
 * `unheard` (none, but its Pod is ready), `behind` (50,000 entries). Pods: `unready`, `terminating`, `failed`,
 * `unscheduled`, `pulling`, `crashed`, `emptied` (exit 78), `old` (other template), `older` (other version), `seed`
 * (told to start a cluster), `empty` (told to join with an empty disk), `role:learner|voter|none`. Nodes: `node-down`, `node-gone`, `node-out`. Claims: `lost`,
 * `unmarked` (no ids), `state:joining|ready|initializing|retired`, `small`. Alarms: `corrupt`, `nospace`.
 * A duration such as `11m` says since when it is as it is.
 */

import { durationMs } from "../../operator/api/duration.ts";
import type { EtcdCluster, EtcdClusterSpec, EtcdClusterStatus, MemberView } from "../../operator/api/etcd-cluster.ts";
import { exampleCluster, exampleSpec } from "../../operator/api/example.ts";
import {
  ANNOTATIONS,
  type ClaimState,
  claimName,
  FINALIZER,
  LABELS,
  memberHost,
  REQUESTS,
} from "../../operator/api/names.ts";
import type { Action, Plan } from "../../operator/plan/action.ts";
import type { Builders, PodNeed } from "../../operator/plan/builders.ts";
import type {
  AskedFacts,
  ChildFacts,
  ClaimFacts,
  EtcdFacts,
  MemberListFacts,
  NodeFacts,
  Observation,
  PodFacts,
} from "../../operator/plan/observation.ts";
import { plan } from "../../operator/plan/plan.ts";
import { budgetFloor } from "../../operator/plan/quorum.ts";
import { stamped } from "../../operator/plan/steps/children.ts";
import { fromTime, toTime } from "../../operator/plan/time.ts";
import { plainBuilders, plainHash } from "./plain-builders.ts";

export const NOW = fromTime("2026-06-01T12:00:00Z") ?? 0;
export const CLUSTER_ID = "cafe000000000001";
const UID = "11111111-2222-3333-4444-555555555555";
const LONG_AGO = NOW - 86_400_000;
const INDEX = 100_000;

export interface Sight {
  readonly spec?: Partial<EtcdClusterSpec>;
  readonly status?: Partial<EtcdClusterStatus>;
  readonly metadata?: Partial<EtcdCluster["metadata"]>;
  /** Requests by annotation. */
  readonly ask?: Partial<Record<keyof typeof REQUESTS, string>>;
  /** Not born: nothing of the cluster's id is known. */
  readonly isUnborn?: boolean;
  /** The status is empty, and the claims are as they were. */
  readonly isStatusLost?: boolean;
  /** No member gave a list. */
  readonly isListless?: boolean;
  /** Absent: as many as the numbers give. */
  readonly budgetAllows?: number;
  /** The floor that the budget has; absent: the right one. */
  readonly floor?: number;
  readonly strangers?: MemberListFacts["members"];
  /** Anything else, last of all. */
  readonly more?: Partial<Observation>;
}

export function see(text: string, sight: Sight = {}): Observation {
  const members = text
    .split(";")
    .map((one) => one.trim())
    .filter((one) => one !== "")
    .map((words) => memberOf(words));
  const spec = exampleSpec({ replicas: 3, ...sight.spec });
  const voters = members.filter((member) => member.has("leader", "voter")).length + (sight.strangers ?? []).length;
  const cluster = clusterOf(spec, sight, members);
  const learners = members.some((member) => member.has("learner", "unstarted")) ? 1 : 0;
  const grows = !sight.isUnborn && voters < spec.replicas ? 1 : 0;
  const floor = sight.floor ?? budgetFloor(voters + Math.max(learners, grows), spec.replicas);
  const healthy = members.filter(
    (member) => member.has("leader", "voter") && member.isReady && !member.has("role:none"),
  ).length;
  return {
    now: NOW,
    cluster,
    acceptedSpec: spec,
    namespaceIsTerminating: false,
    pods: members.filter((member) => member.hasPod).map((member) => podOf(member, cluster)),
    claims:
      spec.storage.persistent === undefined
        ? []
        : members.filter((member) => !member.has("no-claim")).map((member) => claimOf(member, sight)),
    children: childrenOf(
      cluster,
      Math.max(voters, spec.replicas, voters + learners, sight.floor ?? 0) > 1 && !spec.hibernate ? floor : undefined,
    ),
    budget: {
      minAvailable: floor,
      disruptionsAllowed: sight.budgetAllows ?? Math.max(0, healthy - floor),
      isCurrent: true,
    },
    nodes: new Map(members.map((member) => [`node-${member.serial}`, nodeOf(member)])),
    secrets: new Map(),
    storageClasses: new Map([["standard", { allowsExpansion: true }]]),
    etcd: etcdOf(members, sight),
    ...sight.more,
  };
}

interface Words {
  readonly name: string;
  readonly serial: number;
  readonly id: string;
  readonly sinceMs: number | undefined;
  readonly isReady: boolean;
  readonly answers: boolean;
  readonly hasPod: boolean;
  has(...words: readonly string[]): boolean;
  value(key: string): string | undefined;
}

/** Words for a Pod whose container does not run. */
const DOWN = ["silent", "failed", "unscheduled", "pulling", "crashed", "emptied", "node-down", "node-gone", "node-out"];

function memberOf(text: string): Words {
  const words = text.split(/\s+/);
  const serial = Number(words[0]);
  const has = (...wanted: readonly string[]): boolean => wanted.some((word) => words.includes(word));
  const since = words.find((word) => /^\d+(?:s|m|h)$/.test(word));
  const hasPod = !has("no-pod");
  return {
    name: `c-${serial}`,
    serial,
    id: idOf(serial),
    sinceMs: since === undefined ? undefined : durationMs(since),
    hasPod,
    answers: hasPod && !has(...DOWN, "unheard", "unstarted"),
    isReady: hasPod && !has(...DOWN, "unready", "learner", "unstarted", "terminating"),
    has,
    value: (key) => words.find((word) => word.startsWith(`${key}:`))?.slice(key.length + 1),
  };
}

/** The id that member `c-SERIAL` has in observations. */
export function idOf(serial: number): string {
  return `00000000000000${String(serial + 16).padStart(2, "0")}`;
}

function clusterOf(spec: EtcdClusterSpec, sight: Sight, members: readonly Words[]): EtcdCluster {
  const base = exampleCluster();
  const annotations = Object.fromEntries(
    Object.entries(sight.ask ?? {}).map(([name, value]) => [REQUESTS[name as keyof typeof REQUESTS], value]),
  );
  const born =
    sight.isUnborn === true || sight.isStatusLost === true
      ? {}
      : { clusterID: CLUSTER_ID, initialized: true, currentVersion: spec.version };
  const status: EtcdClusterStatus = {
    observedGeneration: 1,
    ...born,
    members: members.filter((member) => member.sinceMs !== undefined).map(viewOf),
    ...sight.status,
  };
  return {
    ...base,
    metadata: { ...base.metadata, name: "c", uid: UID, finalizers: [FINALIZER], annotations, ...sight.metadata },
    spec,
    status,
  };
}

function viewOf(member: Words): MemberView {
  const health = member.has("corrupt") ? "Corrupt" : member.answers ? "Healthy" : "Unreachable";
  const role = member.has("leader") ? "Leader" : member.has("voter") ? "Follower" : "Learner";
  return {
    name: member.name,
    id: member.id,
    serial: member.serial,
    role,
    health,
    healthSince: toTime(NOW - (member.sinceMs ?? 0)),
  };
}

function podOf(member: Words, cluster: EtcdCluster): PodFacts {
  const defaultRole = member.has("leader", "voter")
    ? "voter"
    : member.has("learner", "unstarted")
      ? "learner"
      : undefined;
  const role = member.value("role") ?? defaultRole;
  const isPlaced = !member.has("unscheduled");
  const createdAt = member.has("fresh") ? NOW - 1000 : LONG_AGO;
  return {
    name: member.name,
    uid: `pod-${member.serial}`,
    resourceVersion: "1",
    ownerUid: member.has("foreign") ? "somebody" : UID,
    member: member.name,
    role: role === "none" ? undefined : role,
    labels: {
      [LABELS.cluster]: "c",
      [LABELS.member]: member.name,
      [LABELS.version]: member.has("older") ? "0.0.9" : cluster.spec.version,
    },
    annotations: {
      [ANNOTATIONS.templateHash]: member.has("old", "older") ? "another" : plainHash(cluster),
      ...(member.has("seed", "empty") ? { [ANNOTATIONS.start]: member.has("seed") ? "new" : "empty" } : {}),
      ...(member.has("restarted") ? { [ANNOTATIONS.restart]: "again" } : {}),
    },
    createdAt: member.value("age") === undefined ? createdAt : NOW - durationMs(member.value("age") ?? "0s"),
    isTerminating: member.has("terminating"),
    phase: member.has("failed") ? "Failed" : isPlaced ? "Running" : "Pending",
    ip: isPlaced ? `10.0.0.${member.serial}` : undefined,
    nodeName: isPlaced ? `node-${member.serial}` : undefined,
    readySince: member.isReady ? (member.has("fresh") ? NOW - 1000 : LONG_AGO) : undefined,
    unscheduledSince: isPlaced ? undefined : NOW - (member.sinceMs ?? 0),
    container: isPlaced ? containerOf(member) : undefined,
  };
}

function containerOf(member: Words): PodFacts["container"] {
  const base = { reason: "", message: "", restarts: 0, exitCode: undefined, endReason: undefined };
  if (member.has("pulling")) return { ...base, state: "Waiting", reason: "ImagePullBackOff" };
  if (member.has("emptied"))
    return { ...base, state: "Waiting", reason: "CrashLoopBackOff", exitCode: 78, endReason: "Error", restarts: 3 };
  if (member.has("crashed"))
    return { ...base, state: "Waiting", reason: "CrashLoopBackOff", exitCode: 1, endReason: "Error", restarts: 9 };
  if (member.has("failed")) return { ...base, state: "Terminated", reason: "Error", exitCode: 137, endReason: "Error" };
  return { ...base, state: "Running" };
}

function claimOf(member: Words, sight: Sight): ClaimFacts {
  const isMember = member.has("leader", "voter", "learner", "unstarted");
  const state = member.value("state") ?? (member.has("leader", "voter") ? "ready" : "joining");
  const isMarked = !member.has("unmarked") && sight.isUnborn !== true;
  return {
    name: claimName(member.name),
    uid: `claim-${member.serial}`,
    resourceVersion: "1",
    ownerUid: undefined,
    clusterUid: member.has("orphan") ? "an-earlier-cluster" : UID,
    clusterId: isMarked ? CLUSTER_ID : undefined,
    member: member.name,
    memberId: isMarked && (isMember || state === "ready" || state === "retired") ? member.id : undefined,
    state: state as ClaimState,
    annotations: {},
    labels: { [LABELS.cluster]: "c", [LABELS.member]: member.name },
    isTerminating: member.has("claim-terminating"),
    phase: member.has("lost") ? "Lost" : "Bound",
    storageClassName: "standard",
    requested: (member.has("small") ? 1 : 2) * 1024 ** 3,
    capacity: (member.has("small") ? 1 : 2) * 1024 ** 3,
    conditions: member.has("resize-pending") ? ["FileSystemResizePending"] : [],
  };
}

function nodeOf(member: Words): NodeFacts {
  return {
    isReady: !member.has("node-down", "node-gone", "node-out"),
    notReadySince: member.has("node-down", "node-out") ? NOW - (member.sinceMs ?? 0) : undefined,
    isOutOfService: member.has("node-out"),
    zone: undefined,
    ...(member.has("node-gone") && { isGone: true }),
  };
}

function childrenOf(cluster: EtcdCluster, floor: number | undefined): ReadonlyMap<string, ChildFacts> {
  const builders = plainBuilders();
  const objects = [
    ...builders.children(cluster),
    ...(floor === undefined ? [] : [builders.budget(cluster, floor)]),
  ].map(stamped);
  return new Map(
    objects.map((object) => [
      `${object.kind}/${object.metadata.name}`,
      { uid: `uid-${object.kind}`, ownerUid: UID, object: object as unknown as ChildFacts["object"] },
    ]),
  );
}

function etcdOf(members: readonly Words[], sight: Sight): EtcdFacts {
  const listed = members.filter((member) => member.has("leader", "voter", "learner", "unstarted"));
  const leader = members.find((member) => member.has("leader"));
  const entries = listed.map((member) => ({
    id: member.id,
    name: member.has("unstarted") ? "" : member.name,
    peerUrls: [`http://${memberHost("c", "default", member.name)}:2380`],
    isLearner: member.has("learner", "unstarted"),
  }));
  const answering = members.filter((member) => member.answers);
  return {
    list:
      sight.isListless === true || answering.length === 0
        ? undefined
        : { clusterId: CLUSTER_ID, members: [...entries, ...(sight.strangers ?? [])] },
    members: new Map(
      members.filter((member) => member.hasPod).map((member) => [member.name, askedOf(member, leader, sight)]),
    ),
    earlier: new Map(
      answering.map((member) => [member.name, { at: NOW - 3000, raftTerm: 5, leaderId: leader?.id ?? "" }]),
    ),
    alarms: members.flatMap((member) => [
      ...(member.has("corrupt") ? [{ memberId: member.id, alarm: "CORRUPT" as const }] : []),
      ...(member.has("nospace") ? [{ memberId: member.id, alarm: "NOSPACE" as const }] : []),
    ]),
  };
}

function askedOf(member: Words, leader: Words | undefined, sight: Sight): AskedFacts {
  const nothing = {
    at: NOW,
    status: undefined,
    isServing: false,
    loadedCertificates: undefined,
    error: "no answer within 2 s",
  };
  if (!member.answers) return nothing;
  const index = member.has("behind") ? INDEX - 50_000 : INDEX;
  return {
    ...nothing,
    status: {
      clusterId: member.has("other-cluster") ? "beef000000000002" : CLUSTER_ID,
      memberId: member.id,
      version: "3.6.0",
      leaderId: leader?.id ?? "",
      isLearner: member.has("learner"),
      raftTerm: 5,
      raftIndex: index,
      appliedIndex: index,
      dbSize: 4096,
      dbSizeInUse: 4096,
    },
    isServing: !member.has("learner") && sight.isListless !== true,
    error: undefined,
  };
}

/** The plan for it, with builders that hold little. */
export function planFor(text: string, sight: Sight = {}, builders: Builders = plainBuilders()): Plan {
  return plan(see(text, sight), builders);
}

/** The next action in words, such as `remove-member c-2`; where nothing is done, the reason of Stalled or "none". */
export function nextFor(text: string, sight: Sight = {}, builders: Builders = plainBuilders()): string {
  const { action, status } = planFor(text, sight, builders);
  if (action.kind !== "none") return told(action);
  const stalled = status.conditions?.find((one) => one.type === "Stalled");
  return stalled?.status === "True" ? stalled.reason : "none";
}

export function told(action: Action): string {
  switch (action.kind) {
    case "create-pod": {
      const need = (action.object as unknown as { readonly need: PodNeed }).need;
      return `create-pod ${action.member} ${need.start}${need.expectsData ? " expecting data" : ""}`;
    }
    case "create-claim":
    case "add-learner":
    case "promote":
    case "remove-member":
    case "defragment":
      return `${action.kind} ${action.member}`;
    case "delete-pod":
      return `delete-pod ${action.pod}${action.isForced === true ? " by force" : ""}`;
    case "mark-pod":
      return `mark-pod ${action.pod} ${words(action.marks)}`;
    case "mark-claim":
      return `mark-claim ${action.claim} ${words(action.marks)}`;
    case "grow-claim":
    case "delete-claim":
      return `${action.kind} ${action.claim}`;
    case "apply-child":
      return `apply ${action.object.kind}/${action.object.metadata.name}`;
    case "delete-child":
      return `delete ${action.child}`;
    case "move-leader":
      return `move-leader ${action.from} to ${action.to}`;
    case "disarm":
      return `disarm ${action.alarm} of ${action.memberId}`;
    case "issue-certificates":
      return `issue ${action.secrets.join(" ")}${action.rotation !== undefined ? " with a new authority" : ""}`;
    default:
      return action.kind;
  }
}

function words(marks: object): string {
  return Object.entries(marks)
    .map(([key, value]) => (value === true ? key : `${key}=${value}`))
    .join(" ");
}

export function conditionOf(plan: Plan, type: string): string {
  const condition = plan.status.conditions?.find((one) => one.type === type);
  return `${condition?.status}/${condition?.reason}`;
}
