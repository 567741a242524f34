/** What may be wrong with a member for good, and from when on it is replaced. */
import { durationMs } from "../api/duration.ts";
import { ANNOTATIONS, EXIT_DATA_LOST } from "../api/names.ts";
import { isHealthyVoter, isNodeSilent, type Member, takesNoPart } from "./members.ts";
import type { View } from "./view.ts";

export interface Failure {
  /** UpperCamelCase. */
  readonly kind: "DataLost" | "Corrupt" | "VolumeLost" | "Unscheduled" | "Unreachable";
  readonly message: string;
  /** Milliseconds since 1970; before it, only reported. */
  readonly dueAt: number;
  /** Whether its Pod is made anew before the member is given up. */
  readonly isMildFirst: boolean;
}

/** Ends of a container that say nothing about the member's data: another member would fare no better. */
const NOT_OF_DATA: readonly string[] = [
  "ErrImagePull",
  "ImagePullBackOff",
  "InvalidImageName",
  "ErrImageNeverPull",
  "ImageInspectError",
  "CreateContainerConfigError",
  "CreateContainerError",
  "RunContainerError",
  "OOMKilled",
];

/** Nothing for a member that is well, or whose fault is not its own. */
export function failureOf(view: View, member: Member): Failure | undefined {
  const at = (kind: Failure["kind"], message: string, dueAt: number, isMildFirst = false): Failure => ({
    kind,
    message,
    dueAt,
    isMildFirst,
  });
  if (member.health === "Corrupt") return at("Corrupt", `${member.name} has an alarm CORRUPT`, view.now);
  if (!takesNoPart(member)) return undefined;
  if (lostData(member)) return at("DataLost", `${member.name} found its disk empty`, view.now);
  if (lostVolume(view, member)) return at("VolumeLost", `the volume of ${member.name} is lost`, view.now);
  if (podFault(member) !== undefined) return undefined;
  if (!isProven(view, member)) return unscheduled(view, member, at, UNPROVEN_PATIENCE);
  return unscheduled(view, member, at) ?? unreachable(view, member, at);
}

/**
 * So many times as long a member is waited for that no node takes and that runs what nobody else does yet: it may be the
 * spec, which people then mend. But its volume may lie on a node that is gone, and the roll-out would wait for ever.
 */
const UNPROVEN_PATIENCE = 3;

type At = (kind: Failure["kind"], message: string, dueAt: number, isMildFirst?: boolean) => Failure;

/** It said so itself: it was started where data should be, and found none. */
export function lostData(member: Member): boolean {
  const { container } = member.pod ?? {};
  return container !== undefined && container.state !== "Running" && container.exitCode === EXIT_DATA_LOST;
}

/** Without a disk of its own a member's data is gone with its Pod. */
function lostVolume(view: View, member: Member): boolean {
  const { pod, claim } = member;
  const hasEnded = pod === undefined || pod.phase === "Failed" || pod.phase === "Succeeded";
  if (!view.isPersistent) return hasEnded && member.listed?.name !== "";
  if (claim?.phase === "Lost") return true;
  return claim === undefined && (pod === undefined || pod.phase === "Pending");
}

/** Why its container does not run, where that has nothing to do with its data; nothing otherwise. */
export function podFault(member: Member): string | undefined {
  const { container } = member.pod ?? {};
  if (container === undefined || container.state === "Running") return undefined;
  const reason = [container.reason, container.endReason ?? ""].find((one) => NOT_OF_DATA.includes(one));
  return reason === undefined ? undefined : `${reason}${container.message === "" ? "" : `: ${container.message}`}`;
}

/** What it runs is known to work: somebody else runs the same and is well. Else it may be the spec that is wrong. */
function isProven(view: View, member: Member): boolean {
  if (member.pod === undefined) return true;
  const hash = member.pod.annotations[ANNOTATIONS.templateHash];
  return view.voters.some(
    (other) => other !== member && isHealthyVoter(other) && other.pod?.annotations[ANNOTATIONS.templateHash] === hash,
  );
}

function unscheduled(view: View, member: Member, at: At, patience = 1): Failure | undefined {
  const since = member.pod?.unscheduledSince;
  if (since === undefined) return undefined;
  const dueAt = since + patience * durationMs(view.spec.repair.unscheduledAfter);
  return at("Unscheduled", `no node takes the Pod of ${member.name}`, dueAt);
}

/** The clock starts when it stopped answering, and again with a Pod that was made since. */
function unreachable(view: View, member: Member, at: At): Failure | undefined {
  if (member.health !== "Unreachable") return undefined;
  const after = durationMs(view.spec.repair.unhealthyAfter);
  const created = member.pod?.createdAt ?? 0;
  const isMildFirst =
    member.pod !== undefined && created <= member.healthSince && !isNodeSilent(member) && view.isPersistent;
  const since = isNodeSilent(member) ? member.healthSince : Math.max(member.healthSince, created);
  return at(
    "Unreachable",
    `${member.name} does not answer${member.error === undefined ? "" : `: ${member.error}`}`,
    since + after,
    isMildFirst,
  );
}
