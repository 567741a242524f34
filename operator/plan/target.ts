/** How many voters there should be just now, and who goes when there are too many. Derived anew each time. */
import { ANNOTATIONS, LABELS } from "../api/names.ts";
import { isSound, type Member, takesNoPart } from "./members.ts";
import type { View } from "./view.ts";

/** Whether one more member is wanted: some are missing, or one is to be put in another's place before that one goes. */
export function wantsGrowth(view: View): boolean {
  const voters = view.voterCount;
  if (voters < view.spec.replicas) return true;
  return voters === view.spec.replicas && toBeReplaced(view) !== undefined;
}

export function wantsRemoval(view: View): boolean {
  return view.voterCount > view.spec.replicas;
}

/**
 * A member that serves and that another has to take the place of: named by a request; or one that loses its data with its Pod, as
 * its claim has been deleted, or as it is outdated and has no disk of its own.
 */
export function toBeReplaced(view: View): Member | undefined {
  if (view.wish.state === "refused") return undefined;
  const named = view.requests.get("replaceMember")?.value;
  const member = view.voters.find((one) => one.name === named && isSound(one));
  if (member !== undefined) return member;
  const losing = view.voters.find((one) => one.claim?.isTerminating === true && isSound(one));
  if (losing !== undefined && view.spec.repair.mode === "Automatic") return losing;
  if (view.isPersistent || (view.spec.update.strategy === "OnDelete" && !view.requests.has("restart")))
    return undefined;
  return view.voters.find((one) => one.pod !== undefined && isOutdated(view, one) && !takesNoPart(one));
}

/** Who is to go; nothing while nobody is. The same again in the next pass, so that it can be done in steps. */
export function leaving(view: View): Member | undefined {
  if (!wantsRemoval(view)) return undefined;
  const replaced = toBeReplaced(view);
  const rank = (member: Member): readonly number[] => [
    isOutOfService(member) ? 0 : 1,
    member === replaced ? 0 : 1,
    takesNoPart(member) ? 0 : 1,
    member.isLeader ? 1 : 0,
    isOutdated(view, member) ? 0 : 1,
    sharesPlace(view, member) ? 0 : 1,
    -member.serial,
  ];
  return [...view.voters].sort((left, right) => compareRanks(rank(left), rank(right)))[0];
}

/** Its Pod differs from what is wanted now, or has not gone through the restart that was asked for. */
export function isOutdated(view: View, member: Member): boolean {
  if (member.pod === undefined) return false;
  if (member.pod.annotations[ANNOTATIONS.templateHash] !== view.templateHash) return true;
  const restart = view.requests.get("restart");
  if (restart === undefined || (restart.value !== "" && restart.value !== member.name)) return false;
  return member.pod.annotations[ANNOTATIONS.restart] !== restart.nonce;
}

/** Its Pod runs another version than the one wanted. */
export function isOtherVersion(view: View, member: Member): boolean {
  const version = member.pod?.labels[LABELS.version];
  return version !== undefined && version !== view.spec.version;
}

/** Members are restarted for another version before any is added; see the step that does it. */
export function isUpgradePending(view: View): boolean {
  if (!view.isPersistent || view.voterCount === 2 || view.spec.update.strategy === "OnDelete") return false;
  return view.wish.state !== "refused" && view.voters.some((member) => isOtherVersion(view, member));
}

/** Clients are no longer sent to it: it was chosen before. */
function isOutOfService(member: Member): boolean {
  return member.pod !== undefined && member.pod.role === undefined;
}

function sharesPlace(view: View, member: Member): boolean {
  const { nodeName } = member.pod ?? {};
  const zone = member.node?.zone;
  return view.voters.some(
    (other) =>
      other !== member &&
      ((nodeName !== undefined && other.pod?.nodeName === nodeName) ||
        (zone !== undefined && other.node?.zone === zone)),
  );
}

function compareRanks(left: readonly number[], right: readonly number[]): number {
  for (const [index, rank] of left.entries()) if (rank !== right[index]) return rank - (right[index] ?? 0);
  return 0;
}
