/**
 * A member that has failed for good is replaced under a new name, while the others have a quorum: first it leaves the
 * list, so that a new one can be added in its place. How many may be replaced in an hour is bounded: what takes one after
 * the other is not mended by taking more.
 */
import type { Decision, Doing, Learnt } from "../decision.ts";
import { disrupt } from "../disrupt.ts";
import { type Failure, failureOf } from "../failure.ts";
import { isSound, type Member } from "../members.ts";
import { fromTime, toTime } from "../time.ts";
import type { View } from "../view.ts";

const HOUR_MS = 3_600_000;

export function repair(view: View): Decision | undefined {
  for (const member of view.voters) {
    const failure = failureOf(view, member);
    const decision = failure === undefined ? replaceUnwell(view, member) : mend(view, member, failure);
    if (decision !== undefined) return decision;
  }
  return undefined;
}

/** Not failed, and not sound either: on request it is replaced, and leaves first, as none is added beside an unwell one. */
function replaceUnwell(view: View, member: Member): Decision | undefined {
  if (view.requests.get("replaceMember")?.value !== member.name || isSound(member) || view.voterCount < 2)
    return undefined;
  if (view.wish.state === "refused") return undefined;
  return disrupt(view, member, "remove", "its replacement was asked for", {
    type: "Repair",
    member: member.name,
    step: "RemovingMember",
  });
}

function mend(view: View, member: Member, failure: Failure): Decision | undefined {
  const isAsked = view.requests.get("replaceMember")?.value === member.name;
  if (!isAsked && (failure.dueAt > view.now || view.spec.repair.mode === "Manual")) return undefined;
  const doing: Doing = { type: "Repair", member: member.name, step: "RemovingMember" };
  if (failure.isMildFirst && !isAsked)
    return disrupt(view, member, "restart", `repair (${failure.message})`, { ...doing, step: "RecreatingPod" });
  const isBegun =
    view.status.operation?.type === "Repair" &&
    view.status.operation.member === member.name &&
    view.status.operation.step === "RemovingMember";
  if (!isAsked && !isBegun && isFlapping(view)) return undefined;
  if (view.voterCount < 2) return undefined;
  const decision = disrupt(view, member, "remove", `repair (${failure.message})`, doing);
  if (decision.action.kind !== "remove-member") return decision;
  return { ...decision, learns: counted(view, isBegun) };
}

/** Members replaced within the last hour, as times. */
export function recentRepairs(view: View): readonly string[] {
  return (view.status.repairs ?? []).filter((at) => (fromTime(at) ?? 0) > view.now - HOUR_MS);
}

export function isFlapping(view: View): boolean {
  return recentRepairs(view).length >= view.spec.repair.maxPerHour;
}

/** Written before the call, and once for each member, however often the call has to be made. */
function counted(view: View, isBegun: boolean): Learnt {
  const recent = recentRepairs(view);
  return { repairs: isBegun ? recent : [...recent, toTime(view.now)] };
}
