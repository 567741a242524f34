/**
 * The one way by which a member is stopped or removed on purpose. Roll-outs, upgrades, scaling, repairs and requests all
 * come through here; nothing else makes a `delete-pod` or `remove-member` of a voter.
 */
import { ANNOTATIONS, disruptionBudgetName } from "../api/names.ts";
import type { Action } from "./action.ts";
import { acting, type Decision, type Doing, waiting } from "./decision.ts";
import { gate, gateWithout, type Refusal } from "./gate.ts";
import { isHealthyVoter, isNodeLost, isNodeSilent, isSound, type Member, takesNoPart } from "./members.ts";
import { budgetFloor, quorumOf } from "./quorum.ts";
import type { View } from "./view.ts";

/** What is done to the member: its Pod goes and comes back, it leaves the cluster, or it is busy for a while. */
export type Manner = "restart" | "remove" | "defragment";

/** After so many tries the leader is stopped all the same, and an election finds another. */
export const LEADER_MOVES_MAX = 2;

/**
 * Does it to `victim` if it may be done now; else says what has to come first, or why not. `doing` is what it is done
 * for. Members that take no part any more are no disruption: for them neither the budget nor the others' full health
 * is asked for, only a quorum of the rest.
 */
export function disrupt(view: View, victim: Member, manner: Manner, why: string, doing: Doing): Decision {
  const isOut = takesNoPart(victim) || (manner === "remove" && victim.health === "Corrupt");
  if (isOut) return disruptIdle(view, victim, manner, why, doing);
  const refusal =
    unheard(victim) ?? gate(view, victim) ?? quorumFault(view, victim, manner) ?? budgetFault(view, victim, manner);
  if (refusal !== undefined) return waiting(`${why}: ${refusal}`, { doing: { ...doing, step: "WaitingForHealth" } });
  return (
    moveAway(view, victim, manner, why, doing) ??
    stopRouting(view, victim, manner, why, doing) ??
    doIt(view, victim, manner, why, doing)
  );
}

function disruptIdle(view: View, victim: Member, manner: Manner, why: string, doing: Doing): Decision {
  if (manner === "restart") {
    if (victim.pod?.isTerminating === true || (isNodeSilent(victim) && !isNodeLost(victim)))
      return waiting(`${why}: the node of ${victim.name} does not answer, and its Pod cannot be deleted there`, {
        doing,
      });
    return doIt(view, victim, manner, why, doing);
  }
  if (manner === "defragment") return waiting(`${why}: ${victim.name} does not answer`, { doing });
  const refusal = view.list === undefined ? "the member list could not be read" : gateWithout(view, victim);
  return refusal === undefined
    ? (moveAway(view, victim, manner, why, doing) ?? doIt(view, victim, manner, why, doing))
    : waiting(`${why}: ${refusal}`, { doing: { ...doing, step: "WaitingForHealth" } });
}

/** It may well lead: its Pod is ready, and it is only we who do not hear it. */
function unheard(victim: Member): Refusal {
  return victim.answer === undefined ? `${victim.name} does not answer us, and its Pod is ready` : undefined;
}

/** The healthy that stay must be a quorum of those who are voters then. A single member has nobody to stay for it. */
function quorumFault(view: View, victim: Member, manner: Manner): Refusal {
  const healthy = view.healthyCount - (isHealthyVoter(victim) ? 1 : 0);
  const voters = view.voterCount - (manner === "remove" ? 1 : 0);
  if (manner !== "remove" && view.voterCount === 1) return undefined;
  if (voters === 0) return `${victim.name} is the last voter`;
  if (healthy < quorumOf(voters))
    return `${healthy} of ${voters} voters would be healthy without ${victim.name}, and ${quorumOf(voters)} are needed`;
  return undefined;
}

/**
 * Drains and evictions by others count too. The budget is not asked where it does not hold by its own numbers: for a
 * single member, for two of whom one is to go, and where our own victim is not counted in it.
 */
function budgetFault(view: View, victim: Member, manner: Manner): Refusal {
  if (view.voterCount <= 1 || (manner === "remove" && view.voterCount === 2)) return undefined;
  if (victim.pod?.role === undefined || victim.pod.readySince === undefined) return undefined;
  if (!view.spec.disruptionBudget.enabled) {
    const left = view.healthyCount - budgetFloor(view.voterCount, view.spec.replicas);
    return left >= 1 ? undefined : `${view.healthyCount} voters are healthy, and none can be spared`;
  }
  const { budget } = view.seen;
  const name = disruptionBudgetName(view.cluster.metadata.name);
  if (budget === undefined) return `disruption budget ${name} is not there yet`;
  if (!budget.isCurrent) return `the numbers of disruption budget ${name} are not up to date`;
  return budget.disruptionsAllowed >= 1 ? undefined : `disruption budget ${name} allows no disruption now`;
}

/** A leader hands over first, so that nobody has to wait for an election. */
function moveAway(view: View, victim: Member, manner: Manner, why: string, doing: Doing): Decision | undefined {
  if (!victim.isLeader || view.voterCount === 1) return undefined;
  const heir = heirOf(view, victim);
  const before = view.status.operation;
  const tries = before?.type === doing.type && before.member === victim.name ? before.attempts : 0;
  if (heir?.id === undefined || tries >= LEADER_MOVES_MAX) return undefined;
  const action: Action = { kind: "move-leader", from: victim.name, to: heir.name, toId: heir.id };
  return acting(action, `${why}: leadership moves from ${victim.name} to ${heir.name}`, {
    doing: { ...doing, member: victim.name, step: "MovingLeader", countsAttempts: true },
    events: [
      {
        type: "Normal",
        reason: "LeaderMoving",
        message: `from ${victim.name} to ${heir.name}: ${why}`,
        member: victim.name,
      },
    ],
    againInMs: manner === "defragment" ? 2000 : 1000,
  });
}

/** Who should lead instead: up to date, sound, and the least behind. */
export function heirOf(view: View, leader: Member): Member | undefined {
  const fit = view.voters.filter(
    (member) => member !== leader && isHealthyVoter(member) && isSound(member) && member.pod?.role === "voter",
  );
  const updated = fit.filter((member) => member.pod?.annotations[ANNOTATIONS.templateHash] === view.templateHash);
  return [...(updated.length > 0 ? updated : fit)].sort(
    (a, b) => (a.lag ?? 0) - (b.lag ?? 0) || a.serial - b.serial,
  )[0];
}

/** Before a member leaves for good, clients are no longer sent to it. */
function stopRouting(view: View, victim: Member, manner: Manner, why: string, doing: Doing): Decision | undefined {
  if (manner !== "remove" || view.voterCount <= 1 || victim.pod?.role !== "voter") return undefined;
  const { name, uid } = victim.pod;
  return acting(
    { kind: "mark-pod", pod: name, uid, marks: { dropsRole: true } },
    `${why}: clients are no longer sent to ${victim.name}`,
    {
      doing: { ...doing, member: victim.name, step: "StoppingTraffic" },
    },
  );
}

function doIt(view: View, victim: Member, manner: Manner, why: string, doing: Doing): Decision {
  switch (manner) {
    case "restart": {
      if (victim.pod === undefined) return waiting(`${why}: ${victim.name} has no Pod`, { doing });
      return deletePod(victim, why, { ...doing, member: victim.name, step: "StoppingMember" });
    }
    case "remove": {
      const via = chooseVoter(view, victim);
      if (via === undefined || victim.id === undefined) return waiting(`${why}: no healthy voter to ask`, { doing });
      return acting(
        { kind: "remove-member", member: victim.name, memberId: victim.id, via: via.name },
        `${why}: ${victim.name} is removed from the cluster`,
        {
          doing: { ...doing, member: victim.name, step: "RemovingMember" },
          events: [
            { type: "Normal", reason: "MemberRemoving", message: `${victim.name}: ${why}`, member: victim.name },
          ],
        },
      );
    }
    case "defragment":
      return acting({ kind: "defragment", member: victim.name }, `${why}: ${victim.name} is defragmented`, {
        doing: { ...doing, member: victim.name, step: "Defragmenting" },
      });
  }
}

/** Deletes the Pod of `member`, by force only where its node will never answer. */
export function deletePod(member: Member, why: string, doing?: Doing): Decision {
  const pod = member.pod;
  if (pod === undefined) return waiting(`${why}: ${member.name} has no Pod`);
  const action: Action = {
    kind: "delete-pod",
    pod: pod.name,
    uid: pod.uid,
    why,
    ...(isNodeLost(member) && { isForced: true }),
  };
  return acting(action, `${why}: the Pod of ${member.name} is deleted`, { ...(doing !== undefined && { doing }) });
}

/** The voter to ask for a change of membership: never the one it is about; the leader if it can be, as it decides. */
export function chooseVoter(view: View, except?: Member): Member | undefined {
  const fit = view.voters.filter((member) => member !== except && isHealthyVoter(member));
  return fit.find((member) => member.isLeader) ?? fit[0];
}
