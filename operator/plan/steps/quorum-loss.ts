/**
 * Without a quorum nothing is asked of the members and nothing is taken from them. Pods of known members have been made
 * again before this, for their disks may bring the quorum back; the rest is for a person to decide.
 */
import { type Decision, stalled, waiting } from "../decision.ts";
import { deletePod } from "../disrupt.ts";
import { lostData } from "../failure.ts";
import { isNodeSilent, type Member, takesNoPart } from "../members.ts";
import { quorumOf } from "../quorum.ts";
import { isOutdated } from "../target.ts";
import { type View, wasVoter } from "../view.ts";

export function quorumLoss(view: View): Decision | undefined {
  if (view.hasQuorum) return undefined;
  const mended = replaceIdle(view);
  if (mended !== undefined) return mended;
  const intact = view.members.filter((member) => wasVoter(member) && mayHaveData(view, member)).length;
  const needed = quorumOf(view.voterCount);
  const reachable = view.members.filter((member) => wasVoter(member) && member.answer !== undefined).length;
  if (intact < needed)
    return stalled(
      "QuorumUnrecoverable",
      `${intact} of ${view.voterCount} voters may still have their data, and ${needed} are needed. Nothing is touched: bring the volumes back, or restore from a backup into a new cluster`,
    );
  return waiting(
    `${reachable} of ${view.voterCount} voters answer, and no read is served: nothing is touched until there is a quorum again`,
    { againInMs: 2000 },
  );
}

/**
 * A Pod that never got to take part, of a spec that has been changed since, may go: it costs no quorum, and without it
 * a single member that was given a bad image could never be given a good one.
 */
function replaceIdle(view: View): Decision | undefined {
  const idle = view.members.find(
    (member) => view.isPersistent && isIdle(view, member) && !isNodeSilent(member) && isOutdated(view, member),
  );
  return idle === undefined
    ? undefined
    : deletePod(idle, "its Pod does not serve, and the spec has changed since", {
        type: "Update",
        member: idle.name,
        step: "ReplacingIdlePod",
      });
}

/**
 * Its container does not run; or it runs and was not heard of since it was made, for as long as a member is given. Where
 * it may have been heard of (the status was lost, or it served for a while) it is given twice as long.
 */
function isIdle(view: View, member: Member): boolean {
  const { pod, healthSince } = member;
  if (pod === undefined || pod.isTerminating || !takesNoPart(member)) return false;
  if (pod.container?.state !== "Running") return true;
  const given = view.memberTimeoutMs * (healthSince <= pod.createdAt ? 1 : 2);
  return view.now - Math.max(pod.createdAt, healthSince) >= given;
}

function mayHaveData(view: View, member: Member): boolean {
  if (member.health === "Corrupt" || lostData(member)) return false;
  return view.isPersistent ? member.claim !== undefined && member.claim.phase !== "Lost" : member.pod !== undefined;
}
