/**
 * An action carried out on the world, as the operator's own code does it: one write or one call, with the preconditions
 * that it sends. Whether its answer comes back is the business of `operator.ts`.
 */

import type { Text } from "../../../operator/api/etcd-cluster.ts";
import { ANNOTATIONS, FINALIZER, LABELS } from "../../../operator/api/names.ts";
import { bytesOf } from "../../../operator/api/quantity.ts";
import type { Action, ClaimMarks, PodMarks } from "../../../operator/plan/action.ts";
import type { Observation } from "../../../operator/plan/observation.ts";
import { usesTls } from "./certificates.ts";
import { Refused, type Server } from "./etcd.ts";
import { ownerOf } from "./objects.ts";
import { loadedBy, reachable } from "./observe.ts";
import { UID, type World } from "./world.ts";

/** What is asked, on what was seen; `clusterVersion` of the EtcdCluster as it is after its status was written. */
export interface Call {
  readonly action: Action;
  readonly seen: Observation;
  readonly clusterVersion: string;
}

/** "done", or what the answer says. */
export function carryOut(world: World, call: Call): string {
  try {
    return perform(world, call);
  } catch (error) {
    if (error instanceof Refused) return error.kind;
    throw error;
  }
}

function perform(world: World, { action, seen, clusterVersion }: Call): string {
  const { kubernetes, etcd, now } = world;
  switch (action.kind) {
    case "none":
      return "done";
    case "apply-child":
      return applyChild(world, action.object);
    case "delete-child": {
      const child = kubernetes.children.get(action.child);
      if (child?.uid === action.uid) kubernetes.children.delete(action.child);
      kubernetes.changes++;
      return "done";
    }
    case "accept-spec":
      world.acceptedSpec = action.spec;
      kubernetes.changes++;
      return "done";
    case "add-finalizer":
      return world.setFinalizers([FINALIZER], clusterVersion) ? "done" : "conflict";
    case "drop-finalizer":
      return world.setFinalizers([], clusterVersion) ? "done" : "conflict";
    case "issue-certificates":
      return issue(world, action, seen);
    case "create-claim":
      return said(kubernetes.createClaim(action.object));
    case "mark-claim":
      return markClaim(world, action.claim, action.uid, action.marks);
    case "grow-claim": {
      const claim = kubernetes.claims.get(action.claim);
      if (claim?.uid !== action.uid) return "conflict";
      kubernetes.growClaim(claim, bytesOf(action.size), now);
      return "done";
    }
    case "delete-claim":
      return deleteClaim(world, action.claim, action.uid);
    case "create-pod":
      return said(kubernetes.createPod(action.object, now));
    case "mark-pod":
      return markPod(world, action.pod, action.uid, action.marks);
    case "delete-pod":
      return said(kubernetes.deletePod(action.pod, action.uid, action.isForced === true, now));
    case "add-learner":
      etcd.add(serverOf(world, action.via), action.peerUrl);
      return "done";
    case "promote":
      etcd.promote(serverOf(world, action.via), action.memberId);
      return "done";
    case "remove-member":
      etcd.remove(serverOf(world, action.via), action.memberId);
      return "done";
    case "move-leader":
      etcd.moveLeader(serverOf(world, action.from), action.toId);
      return "done";
    case "defragment":
      etcd.defragment(serverOf(world, action.member));
      return "done";
    case "disarm":
      etcd.disarm(serverOf(world, action.via), action.memberId, action.alarm);
      return "done";
  }
}

/** For what was seen, onto the versions that were seen. */
function issue(world: World, action: Extract<Action, { kind: "issue-certificates" }>, seen: Observation): string {
  const { certificates, cluster, now, options } = world;
  if (cluster === undefined || !usesTls(cluster)) return "not found";
  const present = certificates.secrets(cluster);
  const isStale = [...present].some(([name, { hash }]) => seen.secrets.get(name)?.hash !== hash);
  if (isStale) return "conflict";
  const isDue = certificates.issue(seen.cluster, action, loadedBy(seen), now, options.issuer ?? {});
  world.kubernetes.changes++;
  return isDue ? "done" : "nothing is due";
}

/** Looks first: an object of somebody else is not taken over. */
function applyChild(world: World, object: Extract<Action, { kind: "apply-child" }>["object"]): string {
  const present = world.kubernetes.children.get(`${object.kind}/${object.metadata.name}`);
  if (present !== undefined && present.ownerUid !== UID) return "foreign";
  world.kubernetes.applyChild(object, ownerOf(object), world.now);
  return "done";
}

/** Looks once more: data is not deleted on what was known a moment ago. */
function deleteClaim(world: World, name: string, uid: string): string {
  const claim = world.kubernetes.claims.get(name);
  if (claim === undefined || claim.uid !== uid) return "done";
  if (claim.annotations[ANNOTATIONS.clusterUid] !== UID) return "foreign";
  return said(world.kubernetes.deleteClaim(name, uid, world.now));
}

function markClaim(world: World, name: string, uid: string, marks: ClaimMarks): string {
  const claim = world.kubernetes.claims.get(name);
  if (claim === undefined) return "not found";
  if (claim.uid !== uid) return "conflict";
  claim.annotations = {
    ...claim.annotations,
    ...(marks.state === undefined ? {} : { [ANNOTATIONS.state]: marks.state }),
    ...(marks.clusterId === undefined ? {} : { [ANNOTATIONS.clusterId]: marks.clusterId }),
    ...(marks.memberId === undefined ? {} : { [ANNOTATIONS.memberId]: marks.memberId }),
  };
  world.kubernetes.touch(claim);
  return "done";
}

function markPod(world: World, name: string, uid: string, marks: PodMarks): string {
  const pod = world.kubernetes.pods.get(name);
  if (pod === undefined) return "not found";
  if (pod.uid !== uid) return "conflict";
  pod.annotations = {
    ...pod.annotations,
    ...(marks.memberId === undefined ? {} : { [ANNOTATIONS.memberId]: marks.memberId }),
    ...(marks.certificateHash === undefined ? {} : { [ANNOTATIONS.certificateHash]: marks.certificateHash }),
  };
  if (marks.certificateHash !== undefined) world.kubernetes.hurryFiles(pod, world.now);
  if (marks.role !== undefined) pod.labels = { ...pod.labels, [LABELS.role]: marks.role };
  if (marks.dropsRole === true) pod.labels = without(pod.labels, LABELS.role);
  world.kubernetes.touch(pod);
  return "done";
}

function serverOf(world: World, member: string): Server {
  const pod = world.kubernetes.pods.get(member);
  const server = pod === undefined ? undefined : reachable(world, pod);
  if (server === undefined) throw new Refused("unknown", `${member} does not answer`);
  return server;
}

function without(labels: Text, key: string): Text {
  const { [key]: _gone, ...rest } = labels;
  return rest;
}

function said(status: number): string {
  return status < 300 ? "done" : status === 404 ? "not found" : "conflict";
}
