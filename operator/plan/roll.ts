/**
 * Rolls members over to what is wanted now, one at a time: those that take no part first, as that costs nothing, then
 * followers, the furthest behind first, and the leader last, after it has handed over to one that is up to date.
 */
import type { OperationView } from "../api/etcd-cluster.ts";
import { type Decision, type Doing, stalled } from "./decision.ts";
import { disrupt } from "./disrupt.ts";
import { isWell, type Member, takesNoPart } from "./members.ts";
import { isOutdated } from "./target.ts";
import type { View } from "./view.ts";

/** Nothing when nobody of `outdated` has to be restarted, or a person does it. */
export function roll(view: View, outdated: readonly Member[], why: string): Decision | undefined {
  const isLeftToPeople = view.spec.update.strategy === "OnDelete" && !view.requests.has("restart");
  if (outdated.length === 0 || isLeftToPeople || view.wish.state === "refused") return undefined;
  const type: OperationView["type"] = view.requests.has("restart") ? "Request" : "Update";
  const doing = (member: Member): Doing => ({ type, member: member.name, step: "RestartingMember" });
  const idle = view.voters.find(
    (member) => isOutdated(view, member) && takesNoPart(member) && member.pod?.isTerminating === false,
  );
  if (idle !== undefined) return disrupt(view, idle, "restart", `${why}: ${idle.name} takes no part`, doing(idle));
  const stuck = stuckMember(view);
  if (stuck !== undefined)
    return stalled("ProgressDeadlineExceeded", `${why} has stopped: ${stuck.message}`, {
      doing: { ...doing(stuck.member), step: "WaitingForMember" },
    });
  const [next] = [...outdated].sort(
    (left, right) => order(left) - order(right) || (right.lag ?? 0) - (left.lag ?? 0) || right.serial - left.serial,
  );
  return next === undefined ? undefined : disrupt(view, next, "restart", why, doing(next));
}

/** One that is not well costs the least, and may be unwell for what is to be mended. */
function order(member: Member): number {
  if (!isWell(member) && member.answer !== undefined) return -1;
  return member.isLeader ? 1 : 0;
}

/** A member that runs what is wanted and is not well after the time it was given: the others stay as they are. */
export function stuckMember(view: View): { readonly member: Member; readonly message: string } | undefined {
  for (const member of view.voters) {
    const { pod } = member;
    if (pod === undefined || isOutdated(view, member)) continue;
    if (view.now - Math.max(pod.createdAt, member.healthSince) < view.memberTimeoutMs) continue;
    if (member.answer !== undefined && member.isServing && pod.readySince !== undefined) continue;
    const reason = pod.container?.reason ?? "";
    const why =
      pod.unscheduledSince === undefined
        ? `${reason} ${pod.container?.message ?? member.error ?? ""}`.trim()
        : "no node takes its Pod";
    return {
      member,
      message: `${member.name} has not been well for ${Math.round(view.memberTimeoutMs / 60_000)} minutes${why === "" ? "" : ` (${why})`}`,
    };
  }
  return undefined;
}
