/** What people are told: from what a decision does, and from what is different between two statuses. */
import type { Condition, EtcdClusterStatus, MemberView } from "../../api/etcd-cluster.ts";
import type { Happening } from "../action.ts";

/** More in one pass would be noise, and each is a call. */
const MAX_EVENTS = 16;

export function eventsOf(
  before: EtcdClusterStatus,
  after: EtcdClusterStatus,
  own: readonly Happening[],
): readonly Happening[] {
  return [
    ...own,
    // Only what was said to be lost is restored: a cluster that is being formed, or elects a leader, had lost nothing.
    ...turn(before, after, "Available", (now, was) =>
      now.status === "True" && was.reason === "QuorumLost"
        ? { type: "Normal", reason: "QuorumRestored", message: now.message }
        : undefined,
    ),
    ...reasonTurned(before, after, "Available", "QuorumLost"),
    ...turn(before, after, "Ready", (now) =>
      now.status === "True" ? { type: "Normal", reason: "ClusterReady", message: now.message } : undefined,
    ),
    ...stalls(before, after),
    ...turn(before, after, "UpToDate", (now) =>
      now.status === "True"
        ? { type: "Normal", reason: "RolloutCompleted", message: now.message }
        : { type: "Normal", reason: "RolloutStarted", message: now.message },
    ),
    ...turn(before, after, "VolumesReady", (now) =>
      now.status === "True" ? { type: "Normal", reason: "VolumesReady", message: now.message } : undefined,
    ),
    ...leaders(before, after),
    ...memberships(before, after),
  ].slice(0, MAX_EVENTS);
}

function find(status: EtcdClusterStatus, type: string): Condition | undefined {
  return status.conditions?.find((one) => one.type === type);
}

/** Only where there was one before: the first status tells nothing new. */
function turn(
  before: EtcdClusterStatus,
  after: EtcdClusterStatus,
  type: string,
  tell: (now: Condition, was: Condition) => Happening | undefined,
): readonly Happening[] {
  const was = find(before, type);
  const now = find(after, type);
  if (was === undefined || now === undefined || was.status === now.status) return [];
  const told = tell(now, was);
  return told === undefined ? [] : [told];
}

function reasonTurned(
  before: EtcdClusterStatus,
  after: EtcdClusterStatus,
  type: string,
  reason: string,
): readonly Happening[] {
  const now = find(after, type);
  return now?.reason === reason && find(before, type)?.reason !== reason
    ? [{ type: "Warning", reason, message: now.message }]
    : [];
}

/** Once for each generation and reason. */
function stalls(before: EtcdClusterStatus, after: EtcdClusterStatus): readonly Happening[] {
  const was = find(before, "Stalled");
  const now = find(after, "Stalled");
  if (now?.status !== "True") return [];
  if (was?.status === "True" && was.reason === now.reason && was.observedGeneration === now.observedGeneration)
    return [];
  const isSpec = now.reason === "InvalidSpec" || now.reason === "UnsupportedVersion";
  return [{ type: "Warning", reason: isSpec ? "SpecRejected" : now.reason, message: now.message }];
}

function leaders(before: EtcdClusterStatus, after: EtcdClusterStatus): readonly Happening[] {
  if (before.leader === undefined || after.leader === undefined || before.leader === after.leader) return [];
  return [
    {
      type: "Normal",
      reason: "LeaderMoved",
      message: `from ${before.leader} to ${after.leader}`,
      member: after.leader,
    },
  ];
}

function memberships(before: EtcdClusterStatus, after: EtcdClusterStatus): readonly Happening[] {
  const was = new Map((before.members ?? []).map((member) => [member.name, member]));
  const is = new Map((after.members ?? []).map((member) => [member.name, member]));
  const told: Happening[] = [];
  for (const member of after.members ?? []) told.push(...alarms(was.get(member.name), member));
  for (const member of before.members ?? [])
    if (!is.has(member.name))
      told.push({
        type: "Normal",
        reason: "MemberRemoved",
        message: `${member.name} is no member any more`,
        member: member.name,
      });
  return told;
}

function alarms(was: MemberView | undefined, is: MemberView): readonly Happening[] {
  const had = was?.alarms ?? [];
  const has = is.alarms ?? [];
  return [
    ...has
      .filter((one) => !had.includes(one))
      .map(
        (one): Happening => ({
          type: "Warning",
          reason: "AlarmRaised",
          message: `${is.name}: ${one}`,
          member: is.name,
        }),
      ),
    ...had
      .filter((one) => !has.includes(one))
      .map(
        (one): Happening => ({
          type: "Normal",
          reason: "AlarmCleared",
          message: `${is.name}: ${one}`,
          member: is.name,
        }),
      ),
  ];
}
