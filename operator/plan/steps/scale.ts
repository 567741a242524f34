/** One member more, as a learner, or one less; never both, and never two at once. */
import { memberName } from "../../api/names.ts";
import { acting, type Decision, type Doing, stalled, waiting } from "../decision.ts";
import { chooseVoter, disrupt } from "../disrupt.ts";
import { gate } from "../gate.ts";
import { growthGivenUp, growthRest, growthType } from "../growth.ts";
import { createClaim } from "../make.ts";
import { isOtherVersion, leaving, wantsGrowth } from "../target.ts";
import type { View } from "../view.ts";

export function scale(view: View): Decision | undefined {
  const victim = leaving(view);
  if (victim !== undefined) {
    if (view.wish.state === "refused") return undefined;
    const type = view.requests.has("replaceMember") ? "Request" : "ScaleDown";
    return disrupt(view, victim, "remove", `${view.voterCount} voters are there and ${view.spec.replicas} are wanted`, {
      type,
      member: victim.name,
      step: "RemovingMember",
    });
  }
  return wantsGrowth(view) && growthGivenUp(view) === undefined ? grow(view) : undefined;
}

/** The last word, when nothing else is left to be done: the spec is not fulfilled, and waits for a person. */
export function growthStalled(view: View): Decision | undefined {
  const message = growthGivenUp(view);
  if (message === undefined) return undefined;
  return stalled("ProgressDeadlineExceeded", message, { doing: { type: growthType(view), step: "AddingMember" } });
}

/** The claim first: it says what is intended. Then the learner; its Pod comes when it is listed. */
function grow(view: View): Decision {
  const doing: Doing = { type: growthType(view), step: "AddingMember" };
  const why = `${view.voterCount} voters are there and ${view.spec.replicas} are wanted`;
  const refusal = resting(view, doing) ?? mixedVersions(view, doing);
  if (refusal !== undefined) return refusal;
  const fault = gate(view);
  if (fault !== undefined)
    return waiting(`${why}: ${fault}`, { doing: { ...doing, step: "WaitingForHealth" }, againInMs: 1000 });
  const prepared = view.members.find(
    (member) =>
      member.standing === "absent" &&
      member.claim?.state === "joining" &&
      member.claim.memberId === undefined &&
      !member.claim.isTerminating &&
      member.pod === undefined,
  );
  if (prepared !== undefined) return add(view, prepared.name, why, doing);
  const name = memberName(view.cluster.metadata.name, view.nextSerial);
  if (!view.isPersistent) return add(view, name, why, doing, view.nextSerial + 1);
  return acting(createClaim(view, name, "joining"), `${why}: the claim of ${name} is made`, {
    doing: { ...doing, member: name },
    learns: { nextMemberSerial: view.nextSerial + 1 },
  });
}

function add(view: View, name: string, why: string, doing: Doing, nextMemberSerial?: number): Decision {
  const via = chooseVoter(view);
  if (via === undefined) return waiting(`${why}: no healthy voter to ask`, { doing });
  const peerUrl = view.builders.peerUrl(view.cluster, name);
  return acting({ kind: "add-learner", member: name, peerUrl, via: via.name }, `${why}: ${name} is added`, {
    doing: { ...doing, member: name, deadline: view.now + view.memberTimeoutMs },
    events: [{ type: "Normal", reason: "MemberAdding", message: `${name} as a learner`, member: name }],
    ...(nextMemberSerial !== undefined && { learns: { nextMemberSerial } }),
  });
}

function resting(view: View, doing: Doing): Decision | undefined {
  const rest = growthRest(view);
  if (rest === undefined) return undefined;
  return waiting(rest.message, { doing: { ...doing, step: "Resting" }, againInMs: rest.untilMs - view.now });
}

/**
 * A new member would run the version wanted while others run an older one. Only where two are left, of which none can be
 * restarted, it joins all the same: it is then what the first of an upgrade is anyway.
 */
function mixedVersions(view: View, doing: Doing): Decision | undefined {
  if (view.voterCount === 2) return undefined;
  const other = view.voters.find((member) => isOtherVersion(view, member));
  if (other === undefined || !view.isPersistent) return undefined;
  return waiting(
    `${other.name} runs another version than ${view.spec.version}: no member is added before all run one`,
    { doing: { ...doing, step: "WaitingForUpgrade" } },
  );
}
