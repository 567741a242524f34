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

type Writable<T> = { -readonly [Key in keyof T]: T[Key] };

/** Field by field: this is done for every member in every pass. */
function viewOf(member: Member): MemberView {
  const { pod, claim, answer, node } = member;
  const view: Writable<MemberView> = {
    name: member.name,
    serial: member.serial,
    role: roleOf(member),
    health: member.health,
    healthSince: toTime(member.healthSince),
  };
  if (member.id !== undefined) view.id = member.id;
  if (pod !== undefined) {
    view.podName = pod.name;
    view.podUID = pod.uid;
    const version = pod.labels[LABELS.version];
    const templateHash = pod.annotations[ANNOTATIONS.templateHash];
    if (version !== undefined) view.version = version;
    if (pod.nodeName !== undefined) view.nodeName = pod.nodeName;
    if (templateHash !== undefined) view.templateHash = templateHash;
  }
  if (node?.zone !== undefined) view.zone = node.zone;
  if (claim !== undefined) view.pvcName = claim.name;
  if (claim?.capacity !== undefined) view.capacity = formatBytes(claim.capacity);
  if (answer !== undefined) addAnswer(view, answer);
  if (member.alarms.length > 0) view.alarms = member.alarms;
  const error = podFault(member) ?? member.error;
  if (error !== undefined) view.lastError = error.slice(0, MAX_ERROR);
  return view;
}

function addAnswer(view: Writable<MemberView>, answer: NonNullable<Member["answer"]>): void {
  view.dbSize = answer.dbSize;
  view.dbSizeInUse = answer.dbSizeInUse;
  view.raftTerm = answer.raftTerm;
  view.raftIndex = answer.raftIndex;
  view.appliedIndex = answer.appliedIndex;
}

function roleOf(member: Member): Role {
  if (member.listed?.name === "") return "Unstarted";
  if (member.standing === "learner") return "Learner";
  if (member.answer !== undefined) return member.answer.isLearner ? "Learner" : member.isLeader ? "Leader" : "Follower";
  if (member.standing === "unknown") return member.view?.role ?? "Unknown";
  return "Unknown";
}
