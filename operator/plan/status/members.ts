/** Members as the status shows them. */
import type { MemberView, Role } from "../../api/etcd-cluster.ts";
import { ANNOTATIONS, LABELS } from "../../api/names.ts";
import { formatBytes } from "../../api/quantity.ts";
import { podFault } from "../failure.ts";
import type { Member } from "../members.ts";
import { toTime } from "../time.ts";
import type { View } from "../view.ts";

/** More than there can ever be of one cluster, and little enough for one object. */
const MAX_VIEWS = 32;
const MAX_ERROR = 256;

/** Whoever is listed; without a list, whoever was known. What is only left over of a member is none. */
export function memberViews(view: View): readonly MemberView[] {
  return view.members
    .filter((member) => member.standing !== "absent")
    .slice(0, MAX_VIEWS)
    .map(viewOf);
}

function viewOf(member: Member): MemberView {
  const { pod, claim, answer, node } = member;
  const error = podFault(member) ?? member.error;
  return {
    name: member.name,
    ...(member.id !== undefined && { id: member.id }),
    serial: member.serial,
    role: roleOf(member),
    health: member.health,
    healthSince: toTime(member.healthSince),
    ...defined("version", pod?.labels[LABELS.version]),
    ...defined("podName", pod?.name),
    ...defined("podUID", pod?.uid),
    ...defined("nodeName", pod?.nodeName),
    ...defined("zone", node?.zone),
    ...defined("pvcName", claim?.name),
    ...defined("capacity", claim?.capacity === undefined ? undefined : formatBytes(claim.capacity)),
    ...defined("dbSize", answer?.dbSize),
    ...defined("dbSizeInUse", answer?.dbSizeInUse),
    ...defined("raftTerm", answer?.raftTerm),
    ...defined("raftIndex", answer?.raftIndex),
    ...defined("appliedIndex", answer?.appliedIndex),
    ...(member.alarms.length > 0 && { alarms: member.alarms }),
    ...defined("templateHash", pod?.annotations[ANNOTATIONS.templateHash]),
    ...defined("lastError", error?.slice(0, MAX_ERROR)),
  };
}

function roleOf(member: Member): Role {
  if (member.listed?.name === "") return "Unstarted";
  if (member.standing === "learner") return "Learner";
  if (member.answer !== undefined) return member.answer.isLearner ? "Learner" : member.isLeader ? "Leader" : "Follower";
  if (member.standing === "unknown") return member.view?.role ?? "Unknown";
  return "Unknown";
}

function defined<K extends keyof MemberView>(key: K, value: MemberView[K] | undefined): Partial<MemberView> {
  return value === undefined ? {} : { [key]: value };
}
