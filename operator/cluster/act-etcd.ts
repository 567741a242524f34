/**
 * What is asked of the members. Each call is made only when this process is sure to be the only operator until after the
 * call's end: two that act at once could each take a member away.
 */

import { type Endpoint, EtcdRefusal, type RefusalKind } from "../etcd/etcd-admin.ts";
import type { Action } from "../plan/action.ts";
import { type Acted, type Acting, DONE, refused } from "./acted.ts";

/** A change of membership goes through the log of a majority, or not at all. */
const CHANGE_MS = 5000;
/** Moving the leader takes an election time-out at most. */
const MOVE_MS = 10_000;
/** Rewriting a store blocks its member; beyond this the end is unknown, and the next pass sees the sizes. */
const DEFRAGMENT_MS = 60_000;
/** What may lie between our clock and the end of the call at the member. */
const MARGIN_MS = 2000;

type Of<Kind extends Action["kind"]> = Extract<Action, { kind: Kind }>;

/** One that is in the list under this URL already is the one that we added: its answer was lost. */
export function addLearner(acting: Acting, { peerUrl, via }: Of<"add-learner">): Promise<Acted> {
  return asking(acting, via, CHANGE_MS, ["already-there"], async (endpoint, timeoutMs) => {
    await acting.world.etcd.addLearner(endpoint, peerUrl, timeoutMs);
  });
}

/** One that is a voter already was promoted before: its answer was lost. */
export function promote(acting: Acting, { memberId, via }: Of<"promote">): Promise<Acted> {
  return asking(acting, via, CHANGE_MS, ["already-there"], (endpoint, timeoutMs) =>
    acting.world.etcd.promote(endpoint, memberId, timeoutMs),
  );
}

/** One that is not there any more is what was wanted. */
export function removeMember(acting: Acting, { memberId, via }: Of<"remove-member">): Promise<Acted> {
  return asking(acting, via, CHANGE_MS, ["not-found"], (endpoint, timeoutMs) =>
    acting.world.etcd.remove(endpoint, memberId, timeoutMs),
  );
}

export function moveLeader(acting: Acting, { from, toId }: Of<"move-leader">): Promise<Acted> {
  return asking(acting, from, MOVE_MS, [], (endpoint, timeoutMs) =>
    acting.world.etcd.moveLeader(endpoint, toId, timeoutMs),
  );
}

export function defragment(acting: Acting, { member }: Of<"defragment">): Promise<Acted> {
  return asking(acting, member, DEFRAGMENT_MS, [], (endpoint, timeoutMs) =>
    acting.world.etcd.defragment(endpoint, timeoutMs),
  );
}

export function disarm(acting: Acting, { memberId, alarm, via }: Of<"disarm">): Promise<Acted> {
  return asking(acting, via, CHANGE_MS, [], (endpoint, timeoutMs) =>
    acting.world.etcd.disarm(endpoint, memberId, alarm, timeoutMs),
  );
}

/** `already`: refusals that say that it has been done. */
async function asking(
  { world, endpoints }: Acting,
  member: string,
  limitMs: number,
  already: readonly RefusalKind[],
  call: (endpoint: Endpoint, timeoutMs: number) => Promise<void>,
): Promise<Acted> {
  const endpoint = endpoints.get(member);
  if (endpoint === undefined) return refused(`member "${member}" cannot be reached now`);
  const timeoutMs = Math.min(limitMs, world.leaseLeftMs() - MARGIN_MS);
  if (timeoutMs < Math.min(limitMs, CHANGE_MS))
    return refused("this operator may not be the leading one for much longer");
  try {
    await call(endpoint, timeoutMs);
    return DONE;
  } catch (error) {
    if (!(error instanceof EtcdRefusal) || error.kind === "unknown") throw error;
    return already.includes(error.kind) ? DONE : refused(`member "${member}": ${error.message}`);
  }
}
