/**
 * Conditions in the form of KEP-1623: the time changes with the status only, and each says for which generation it
 * holds. Ready, Reconciling and Stalled are what kstatus reads.
 */
import type { Condition, OperationView } from "../../api/etcd-cluster.ts";
import { bytesOf } from "../../api/quantity.ts";
import type { Decision } from "../decision.ts";
import { failureOf, podFault } from "../failure.ts";
import { growthGivenUp } from "../growth.ts";
import { hasLoaded } from "../loaded.ts";
import type { Member } from "../members.ts";
import { refusalOf, refusedClaim } from "../refused.ts";
import { isFlapping } from "../steps/repair.ts";
import { mayGrow } from "../steps/volumes.ts";
import { isOutdated } from "../target.ts";
import { toTime } from "../time.ts";
import type { View } from "../view.ts";
import { availability, isQuorumLost, type Verdict } from "./availability.ts";

/** Certificates that end sooner are not well. */
const CERTIFICATE_ALARM_MS = 7 * 24 * 3_600_000;
const MAX_MESSAGE = 1024;

export function conditionsOf(
  view: View,
  decision: Decision,
  operation: OperationView | undefined,
): readonly Condition[] {
  const verdicts: readonly (readonly [string, Verdict])[] = [
    ["Ready", ready(view, decision, operation)],
    ["Available", availability(view)],
    ["Reconciling", reconciling(view, decision, operation)],
    ["Stalled", stalledVerdict(view, decision)],
    ["Degraded", degraded(view)],
    ["UpToDate", upToDate(view)],
    ["VolumesReady", volumesReady(view)],
    ["CertificatesReady", certificatesReady(view)],
  ];
  return verdicts.map(([type, verdict]) => condition(view, type, verdict));
}

function condition(view: View, type: string, verdict: Verdict): Condition {
  const before = view.status.conditions?.find((one) => one.type === type);
  return {
    type,
    status: verdict.status,
    reason: verdict.reason,
    message: verdict.message.slice(0, MAX_MESSAGE),
    observedGeneration: view.seen.cluster.metadata.generation,
    lastTransitionTime: before?.status === verdict.status ? before.lastTransitionTime : toTime(view.now),
  };
}

function no(reason: string, message: string): Verdict {
  return { status: "False", reason, message };
}

function yes(reason: string, message: string): Verdict {
  return { status: "True", reason, message };
}

const READY_REASON: Readonly<Record<OperationView["type"], string>> = {
  Bootstrap: "Bootstrapping",
  ScaleUp: "Scaling",
  ScaleDown: "Scaling",
  Repair: "Repairing",
  Update: "Updating",
  Resize: "Updating",
  Hibernate: "Hibernated",
  Wake: "Waking",
  Request: "Updating",
};

function ready(view: View, decision: Decision, operation: OperationView | undefined): Verdict {
  if (view.seen.cluster.metadata.deletionTimestamp !== undefined) return no("Terminating", decision.message);
  const stall = stallOf(view, decision);
  if (stall !== undefined) return no(stall.reason, stall.message);
  if (view.spec.hibernate) return no("Hibernated", decision.message);
  if (view.isBorn && isQuorumLost(view)) return no("QuorumLost", availability(view).message);
  const refusal = refusalOf(view, decision.action);
  if (refusal !== undefined) return no("ObjectRefused", refusal);
  if (operation !== undefined) return no(READY_REASON[operation.type], decision.message);
  if (!view.isBorn) return no("NotInitialized", decision.message);
  const fault = unreadiness(view);
  return fault === undefined
    ? yes("AllMembersReady", `${view.voters.length} members are ready and up to date`)
    : no(fault.reason, fault.message);
}

function unreadiness(view: View): { readonly reason: string; readonly message: string } | undefined {
  if (view.list === undefined) return { reason: "NoLeader", message: availability(view).message };
  if (view.voterCount !== view.spec.replicas || view.learners.length > 0)
    return { reason: "Scaling", message: `${view.voterCount} of ${view.spec.replicas} voters are there` };
  const unwell = view.voters.find((member) => member.health !== "Healthy" || member.pod?.readySince === undefined);
  if (unwell !== undefined) return { reason: "MemberUnhealthy", message: unwellness(unwell) };
  const outdated = view.voters.find((member) => isOutdated(view, member));
  return outdated === undefined
    ? undefined
    : { reason: "Updating", message: `${outdated.name} does not run what the spec asks for yet` };
}

function unwellness(member: Member): string {
  const why = podFault(member) ?? member.error ?? (member.pod === undefined ? "it has no Pod" : "its Pod is not ready");
  return member.health === "Healthy"
    ? `${member.name}: ${why}`
    : `${member.name} is ${member.health}: ${member.alarms.join(", ") || why}`;
}

function reconciling(view: View, decision: Decision, operation: OperationView | undefined): Verdict {
  if (stallOf(view, decision) !== undefined) return no("Stalled", "see condition Stalled");
  if (view.seen.cluster.spec.paused) return no("Paused", decision.message);
  if (decision.action.kind === "none" && operation === undefined && decision.isAtRest === true)
    return no("Settled", decision.message);
  if (view.spec.hibernate && decision.action.kind === "none" && decision.doing === undefined)
    return no("Hibernated", decision.message);
  const refusal = refusalOf(view, decision.action);
  if (refusal !== undefined) return yes("ObjectRefused", refusal);
  return yes(operation === undefined ? "Working" : READY_REASON[operation.type], decision.message);
}

function stallOf(view: View, decision: Decision): { readonly reason: string; readonly message: string } | undefined {
  if (decision.stall !== undefined) return decision.stall;
  const growth = growthGivenUp(view);
  if (growth !== undefined) return { reason: "ProgressDeadlineExceeded", message: growth };
  return view.wish.state === "refused"
    ? { reason: view.wish.reason ?? "InvalidSpec", message: view.wish.message ?? "" }
    : undefined;
}

function stalledVerdict(view: View, decision: Decision): Verdict {
  const stall = stallOf(view, decision);
  return stall === undefined ? no("Progressing", "nothing waits for a person") : yes(stall.reason, stall.message);
}

function degraded(view: View): Verdict {
  if (!view.isBorn || view.spec.hibernate) return no("NotRunning", "no redundancy is meant to be there now");
  const alarmed = view.members.find((member) => member.alarms.length > 0);
  if (alarmed !== undefined) return yes("AlarmActive", `${alarmed.name} has an alarm ${alarmed.alarms.join(", ")}`);
  const unwell = view.members.find(
    (member) => member.standing !== "absent" && member.standing !== "learner" && member.health !== "Healthy",
  );
  if (unwell !== undefined)
    return yes(
      unwell.pod === undefined ? "MemberMissing" : "MemberUnhealthy",
      `${unwellness(unwell)}${repairNote(view, unwell)}`,
    );
  if (view.voterCount < view.spec.replicas)
    return yes("MemberMissing", `${view.voterCount} of ${view.spec.replicas} voters are there`);
  return no("AllMembersHealthy", `${view.voterCount} voters are healthy`);
}

function repairNote(view: View, member: Member): string {
  const failure = failureOf(view, member);
  if (failure === undefined) return "";
  if (view.spec.repair.mode === "Manual") return ". It is not replaced, as spec.repair.mode is Manual";
  if (failure.dueAt <= view.now && isFlapping(view))
    return `. It is not replaced yet: ${view.spec.repair.maxPerHour} were within the last hour, as many as spec.repair.maxPerHour allows`;
  return failure.dueAt > view.now ? `. It is repaired at ${toTime(failure.dueAt)} if it stays so` : "";
}

function upToDate(view: View): Verdict {
  const outdated = view.members.filter(
    (member) => member.pod !== undefined && member.standing !== "absent" && isOutdated(view, member),
  );
  if (outdated.length === 0) return yes("AllMembersUpdated", "every Pod is as the spec asks");
  const names = outdated.map((member) => member.name).join(", ");
  return view.spec.update.strategy === "OnDelete"
    ? no("OnDelete", `to be deleted by you, one at a time: ${names}`)
    : no("RolloutInProgress", `not yet as the spec asks: ${names}`);
}

function volumesReady(view: View): Verdict {
  const size = view.spec.storage.persistent?.size;
  if (size === undefined) return yes("Ephemeral", "members have no volumes");
  for (const { claim, name } of view.members) {
    if (claim?.phase === "Lost") return no("Lost", `the volume of claim ${claim.name} is lost`);
    if (claim?.phase === "Pending") return no("Pending", `claim ${claim.name} is not bound yet`);
    if (claim?.conditions.includes("FileSystemResizePending") === true)
      return no("FileSystemResizePending", `the file system of ${name} has not grown yet`);
  }
  const small = view.members.find(
    ({ claim }) => claim !== undefined && Math.min(claim.requested, claim.capacity ?? claim.requested) < bytesOf(size),
  );
  if (small === undefined) return yes("VolumesBound", "every claim is bound and as large as asked");
  if (!mayGrow(view, small))
    return no(
      "ExpansionNotAllowed",
      `storage class ${small.claim?.storageClassName ?? ""} does not let volumes grow: ${small.claim?.name} stays smaller than ${size}`,
    );
  const refusal = small.claim === undefined ? undefined : refusedClaim(view, small.claim.name);
  if (refusal !== undefined)
    return no("ExpansionRefused", `claim ${small.claim?.name} stays smaller than ${size}: ${refusal}`);
  return no("Resizing", `claim ${small.claim?.name} grows to ${size}`);
}

function certificatesReady(view: View): Verdict {
  const needs = view.builders.secrets(view.cluster);
  if (needs.length === 0) return yes("NotConfigured", "TLS is disabled");
  for (const need of needs) {
    const secret = view.seen.secrets.get(need.name);
    if (secret === undefined)
      return no(need.by === "cert-manager" ? "IssuerNotReady" : "SecretMissing", `Secret ${need.name} is not there`);
    if (secret.notAfter !== undefined && secret.notAfter - view.now < CERTIFICATE_ALARM_MS)
      return no("Expiring", `the certificate in Secret ${need.name} ends at ${toTime(secret.notAfter)}`);
    const late = need.isLoaded
      ? view.members.find((member) => member.answer !== undefined && hasLoaded(member, secret) === false)
      : undefined;
    if (late !== undefined) return no("NotLoaded", `${late.name} has not loaded Secret ${need.name} yet`);
  }
  return yes("Valid", "every certificate is there, valid and loaded");
}
