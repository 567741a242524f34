/** Actions that make a member's Pod or claim, with all that they depend on. */
import { ANNOTATIONS, claimName } from "../api/names.ts";
import { shortHash } from "../resources/short-hash.ts";
import type { Action, Desired } from "./action.ts";
import { certificateHash } from "./loaded.ts";
import type { Member } from "./members.ts";
import { type View, wasVoter } from "./view.ts";

/** The first member of all starts a cluster; everybody else joins or comes back to the one that is there. */
export function createPod(view: View, member: Member, start: "new" | "existing"): Action {
  const { builders, cluster } = view;
  const peers = start === "new" ? [peerOf(view, member)] : initialCluster(view, member);
  const expectsData = start === "existing" && view.isPersistent && hasHeldData(member);
  const object = builders.pod(cluster, {
    member: member.name,
    start,
    expectsData,
    initialCluster: peers,
    token: view.token,
    memberId: member.id,
    role: start === "new" ? undefined : wasVoter(member) ? "voter" : "learner",
    certificateHash: certificateHash(view),
  });
  const marks = { [ANNOTATIONS.peers]: peersHash(peers), ...restartMark(view), ...startMark(start, expectsData) };
  return { kind: "create-pod", member: member.name, object: withAnnotations(object, marks) };
}

function startMark(start: "new" | "existing", expectsData: boolean): Readonly<Record<string, string>> {
  return expectsData ? {} : { [ANNOTATIONS.start]: start === "new" ? "new" : "empty" };
}

/** Whether its Pod would begin anew if its disk were emptied under it: a container starts again with the same flags. */
export function beginsEmpty(view: View, member: Member): boolean {
  return view.isPersistent && member.pod?.annotations[ANNOTATIONS.start] !== undefined;
}

/** A member has a name in the list from its first start on; and whoever formed the cluster has held its data. */
function hasHeldData(member: Member): boolean {
  const state = member.claim?.state;
  return state === "ready" || state === "initializing" || (member.listed !== undefined && member.listed.name !== "");
}

export function createClaim(view: View, name: string, state: "initializing" | "joining"): Action {
  const object = view.builders.claim(view.cluster, { member: name, state, clusterId: view.clusterId });
  return { kind: "create-claim", member: name, object };
}

/** Whether its Pod was told of other members than there are now: without data of its own it can never join them. */
export function isToldOldPeers(view: View, member: Member): boolean {
  const told = member.pod?.annotations[ANNOTATIONS.peers];
  return told !== undefined && told !== peersHash(initialCluster(view, member));
}

function peersHash(peers: readonly { readonly name: string; readonly peerUrl: string }[]): string {
  return shortHash(
    peers
      .map(({ name, peerUrl }) => `${name}=${peerUrl}`)
      .sort()
      .join(","),
  );
}

/** A member with data takes who its peers are from there; for one without, etcd's list is what counts. */
function initialCluster(view: View, member: Member): readonly { readonly name: string; readonly peerUrl: string }[] {
  const listed = view.members.filter((one) => one.listed !== undefined);
  const known = listed.length > 0 ? listed : view.members.filter((one) => wasVoter(one));
  const peers = known.map((one) => ({
    name: one.name,
    peerUrl: one.listed?.peerUrls[0] ?? view.builders.peerUrl(view.cluster, one.name),
  }));
  return known.includes(member) ? peers : [...peers, peerOf(view, member)];
}

function peerOf(view: View, member: Member): { readonly name: string; readonly peerUrl: string } {
  return { name: member.name, peerUrl: view.builders.peerUrl(view.cluster, member.name) };
}

/** A new Pod has gone through a restart that was asked for before it was made. */
function restartMark(view: View): Readonly<Record<string, string>> {
  const nonce = view.requests.get("restart")?.nonce ?? view.status.handledRequests?.["restart"];
  return nonce === undefined ? {} : { [ANNOTATIONS.restart]: nonce };
}

function withAnnotations(object: Desired, marks: Readonly<Record<string, string>>): Desired {
  const annotations = (object.metadata["annotations"] ?? {}) as Readonly<Record<string, string>>;
  return { ...object, metadata: { ...object.metadata, annotations: { ...annotations, ...marks } } };
}

/**
 * Whether the member has what it needs to start: a claim that is neither lost nor going. Without a disk of its own it
 * may only start once: coming back empty under the same id it would have forgotten what it voted for.
 */
export function canStart(view: View, member: Member): boolean {
  if (!view.isPersistent) return member.listed?.name === "";
  const { claim } = member;
  return claim !== undefined && claim.name === claimName(member.name) && claim.phase !== "Lost" && !claim.isTerminating;
}
