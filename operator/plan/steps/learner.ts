/** A member that has been added and has no vote yet: started, caught up, promoted; or taken back when it cannot be. */
import { acting, type Decision, type Doing, type Learnt, waiting } from "../decision.ts";
import { chooseVoter, deletePod } from "../disrupt.ts";
import { lostData, podFault } from "../failure.ts";
import { growthType } from "../growth.ts";
import { beginsEmpty, canStart, createPod, isToldOldPeers } from "../make.ts";
import { isNodeLost, isNodeSilent, LAG_MAX, type Member, takesNoPart } from "../members.ts";
import { quorumOf } from "../quorum.ts";
import { isOutdated, wantsGrowth } from "../target.ts";
import { fromTime, toTime } from "../time.ts";
import type { View } from "../view.ts";

export function learner(view: View): Decision | undefined {
  const [one] = view.learners;
  if (one === undefined) return undefined;
  const doing: Doing = {
    type: growthType(view),
    member: one.name,
    step: "StartingMember",
    deadline: deadlineOf(view, one),
  };
  if (!wantsGrowth(view)) return takeBack(view, one, "it is no longer wanted", doing);
  if (lostData(one))
    return takeBack(view, one, "it lost the data that it had", doing, failed(view, one, "the learner lost its data"));
  if (one.claim?.isTerminating === true) return takeBack(view, one, "its claim has been deleted", doing);
  if (one.pod === undefined && !canStart(view, one)) return takeBack(view, one, "it has no volume", doing);
  if (view.now >= (doing.deadline ?? 0) && notReady(view, one) !== undefined)
    return takeBack(view, one, "it did not catch up in time", doing, failed(view, one, trouble(one)));
  if (one.pod === undefined)
    return acting(createPod(view, one, "existing"), `the Pod of ${one.name} is made`, { doing });
  return mendPod(view, one, doing) ?? promote(view, one, doing);
}

/** A learner that is still moving is given so many times its time; one that never catches up must not hold all else up. */
const EXTENSIONS_MAX = 8;

/** The deadline moves on while its data does: a large store may take longer than the time for one step. */
function deadlineOf(view: View, one: Member): number {
  const before = view.status.operation?.member === one.name ? view.status.operation : undefined;
  const known = fromTime(before?.deadline);
  const begun = one.pod?.createdAt ?? view.now;
  const moved = one.answer !== undefined && one.answer.appliedIndex > (one.view?.appliedIndex ?? 0);
  if (!moved) return known ?? begun + view.memberTimeoutMs;
  return Math.min(view.now, begun + (EXTENSIONS_MAX - 1) * view.memberTimeoutMs) + view.memberTimeoutMs;
}

function mendPod(view: View, one: Member, doing: Doing): Decision | undefined {
  const { pod } = one;
  if (pod === undefined || (pod.isTerminating && !isNodeLost(one))) return undefined;
  const hasEnded = pod.phase === "Failed" || pod.phase === "Succeeded";
  if (!view.isPersistent && hasEnded) return takeBack(view, one, "its Pod has ended, and its data with it", doing);
  if (hasEnded) return deletePod(one, `its Pod has ended (${pod.container?.endReason ?? pod.phase})`, doing);
  if (view.isPersistent && isNodeLost(one)) return deletePod(one, "its node is gone or out of service", doing);
  if (one.listed?.name === "" && takesNoPart(one) && isToldOldPeers(view, one) && !isNodeSilent(one))
    return deletePod(one, "the members have changed since it was told of them", doing);
  if (!takesNoPart(one) || !isOutdated(view, one) || isNodeSilent(one)) return undefined;
  return view.isPersistent
    ? deletePod(one, "the spec has changed before it took part", doing)
    : takeBack(view, one, "the spec has changed before it took part", doing);
}

function promote(view: View, one: Member, doing: Doing): Decision {
  const refusal = notReady(view, one);
  if (refusal !== undefined)
    return waiting(`${one.name} joins: ${refusal}`, {
      doing: { ...doing, step: one.answer === undefined ? "StartingMember" : "CatchingUp" },
      againInMs: 1000,
    });
  if (beginsEmpty(view, one))
    return deletePod(one, "it has data now, and is to expect it before it has a vote", { ...doing, step: "Arming" });
  const via = chooseVoter(view);
  if (via === undefined || one.id === undefined)
    return waiting(`${one.name} joins: no healthy voter to ask`, { doing });
  return acting(
    { kind: "promote", member: one.name, memberId: one.id, via: via.name },
    `${one.name} has caught up and becomes a voter`,
    {
      doing: { ...doing, step: "Promoting" },
    },
  );
}

function notReady(view: View, one: Member): string | undefined {
  if (one.answer === undefined) return `it has not started${trouble(one) === "" ? "" : ` (${trouble(one)})`}`;
  if (one.listed?.name === "") return "it has not said its name";
  if (one.pod?.isTerminating === true) return "its Pod is terminating";
  if ((one.lag ?? LAG_MAX) >= LAG_MAX) return `it is ${one.lag} entries behind`;
  if (one.alarms.length > 0) return `it has an alarm ${one.alarms.join(", ")}`;
  if (view.healthyCount + 1 < quorumOf(view.voterCount + 1))
    return `${view.healthyCount} of ${view.voterCount} voters are healthy`;
  return undefined;
}

function trouble(one: Member): string {
  return podFault(one) ?? one.error ?? (one.pod?.unscheduledSince === undefined ? "" : "no node takes its Pod");
}

/** A learner has no vote: taking it back costs nothing but its copy. */
function takeBack(view: View, one: Member, why: string, doing: Doing, learns?: Learnt): Decision {
  const via = chooseVoter(view);
  if (via === undefined || one.id === undefined)
    return waiting(`${one.name} is taken back: no healthy voter to ask`, { doing });
  return acting(
    { kind: "remove-member", member: one.name, memberId: one.id, via: via.name },
    `${one.name} is taken back: ${why}`,
    {
      doing: { ...doing, step: "TakingBack" },
      ...(learns !== undefined && { learns }),
      events: [
        {
          type: learns === undefined ? "Normal" : "Warning",
          reason: "LearnerTakenBack",
          message: `${one.name}: ${why}`,
          member: one.name,
        },
      ],
    },
  );
}

/** Counts the failure once, however often the removal has to be asked for. */
function failed(view: View, one: Member, message: string): Learnt {
  const { lastOperation, operation } = view.status;
  if (lastOperation?.member === one.name && lastOperation.result === "Failed") return {};
  const attempts = (lastOperation?.result === "Failed" ? lastOperation.attempts : 0) + 1;
  const at = toTime(view.now);
  return {
    lastOperation: {
      id: operation?.id ?? `${growthType(view)}-${one.name}`,
      type: growthType(view),
      member: one.name,
      step: "TakingBack",
      startedAt: operation?.startedAt ?? at,
      attempts,
      message,
      result: "Failed",
      endedAt: at,
    },
  };
}
