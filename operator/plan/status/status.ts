/** The whole status, from what was seen and what was decided. It is written before the action is carried out. */
import type { EtcdClusterStatus } from "../../api/etcd-cluster.ts";
import { LABELS } from "../../api/names.ts";
import { shownBytes } from "../../api/quantity.ts";
import type { Decision } from "../decision.ts";
import { hasLoaded } from "../loaded.ts";
import { quorumOf, tolerance } from "../quorum.ts";
import { recentRepairs } from "../steps/repair.ts";
import { isOutdated } from "../target.ts";
import { toTime } from "../time.ts";
import { lowestVersion, versionsOf } from "../versions.ts";
import type { View } from "../view.ts";
import { runningVersion } from "../wish.ts";
import { conditionsOf } from "./conditions.ts";
import { memberViews } from "./members.ts";
import { operations } from "./operation.ts";
import { phaseOf } from "./phase.ts";

export function statusOf(view: View, decision: Decision): EtcdClusterStatus {
  const { operation, lastOperation } = operations(view, decision);
  return {
    observedGeneration: view.seen.cluster.metadata.generation,
    phase: phaseOf(view, decision, operation),
    ...birth(view),
    ...versions(view),
    ...counts(view),
    selector: `${LABELS.cluster}=${view.cluster.metadata.name},${LABELS.role}=voter`,
    nextMemberSerial: view.nextSerial,
    ...leadership(view),
    ...(view.isBorn && { quorum: quorum(view) }),
    ...largestStore(view),
    members: memberViews(view),
    ...(operation !== undefined && { operation }),
    ...(lastOperation !== undefined && { lastOperation }),
    ...certificates(view),
    endpoints: view.builders.endpoints(view.cluster),
    ...(view.status.handledRequests !== undefined && { handledRequests: view.status.handledRequests }),
    repairs: recentRepairs(view),
    conditions: conditionsOf(view, decision, operation),
    ...withoutOperation(decision),
  };
}

/** Its own last operation has been taken in already. */
function withoutOperation(decision: Decision): Partial<EtcdClusterStatus> {
  const { lastOperation: _taken, ...rest } = decision.learns ?? {};
  return rest;
}

/** Once known it is never dropped; a claim that kept it brings it back. */
function birth(view: View): Partial<EtcdClusterStatus> {
  return {
    ...(view.clusterId !== undefined && { clusterID: view.clusterId, initialized: true }),
    ...(view.isBorn || view.status.clusterToken !== undefined ? { clusterToken: view.token } : {}),
  };
}

function versions(view: View): Partial<EtcdClusterStatus> {
  const currentVersion = view.isBorn ? (sharedVersion(view) ?? runningVersion(view.seen)) : undefined;
  return { ...(currentVersion !== undefined && { currentVersion }), targetVersion: view.spec.version };
}

/** Only where every voter is ready is the lowest of their versions above what it was before. */
function sharedVersion(view: View): string | undefined {
  if (view.list === undefined || view.voters.some((member) => member.pod?.readySince === undefined)) return undefined;
  return lowestVersion(versionsOf(view.voters.flatMap((member) => member.pod ?? [])));
}

function counts(view: View): Partial<EtcdClusterStatus> {
  const isKnown = view.list !== undefined || view.status.voters === undefined;
  const pods = view.members.filter((member) => member.pod !== undefined && member.standing !== "absent");
  return {
    replicas: pods.length,
    readyReplicas: pods.filter((member) => member.pod?.readySince !== undefined).length,
    voters: isKnown ? view.voterCount : (view.status.voters ?? 0),
    learners: isKnown ? view.learners.length : (view.status.learners ?? 0),
    updatedReplicas: pods.filter((member) => !isOutdated(view, member)).length,
  };
}

function leadership(view: View): Partial<EtcdClusterStatus> {
  const leader = view.leader?.name;
  if (leader === undefined) return {};
  const since = view.status.leader === leader ? view.status.leaderChangedAt : undefined;
  return { leader, leaderChangedAt: since ?? toTime(view.now) };
}

/** One that nobody answers for stays as it was. */
function largestStore(view: View): Partial<EtcdClusterStatus> {
  const largest = Math.max(-1, ...view.members.map((member) => member.answer?.dbSize ?? -1));
  const dbSize = largest < 0 ? view.status.dbSize : shownBytes(largest);
  return dbSize === undefined ? {} : { dbSize };
}

function quorum(view: View): NonNullable<EtcdClusterStatus["quorum"]> {
  const size = quorumOf(view.voterCount);
  return { size, healthy: view.healthyCount, tolerates: tolerance(view.voterCount, view.healthyCount) };
}

function certificates(view: View): Partial<EtcdClusterStatus> {
  const shown = view.builders.secrets(view.cluster).flatMap(({ name }) => {
    const secret = view.seen.secrets.get(name);
    if (secret?.notAfter === undefined) return [];
    const loadedBy = view.members.filter((member) => hasLoaded(member, secret) === true).map((member) => member.name);
    return [{ name, notAfter: toTime(secret.notAfter), caHash: secret.caHash ?? "", loadedBy }];
  });
  return shown.length === 0 ? {} : { certificates: shown };
}
