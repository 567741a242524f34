/** Places that a volume of runs of the whole server should come by: what was never reached was never tried. */
import { MOMENTS, type Moment } from "./place.ts";

/** The power went out in one of the moments that are waited for. */
export function powerCutAt(moment: Moment): string {
  return `power cut: ${moment}`;
}

/** What a member says when it comes by, and the name of the place. */
export const SAID: Readonly<Record<string, string>> = {
  "installed the state that another member sent": "snapshot installed",
  "loaded the state that another member sent": "snapshot loaded",
  "cut a torn record off the end of the log": "torn record cut off",
  "the store is the state that another member sent, and the log does not say so yet: it goes on from there":
    "restarted between store and log",
  "saved snapshot": "log cut",
  "restarting local member": "member restarted",
  "joining a running cluster": "member joined",
  "this member was removed from the cluster: it stops": "member heard of its removal",
  "finished scheduled compaction": "compaction finished",
  "could not end leases whose time is up; trying again": "leases could not be ended",
  "could not publish this member's name and URLs; trying again": "name could not be published",
  "could not prepare the next file of the log; it will be made when it is needed": "no spare file of the log",
  "set cluster version": "cluster version set",
};

/** Those that the world itself comes by. */
const SEEN = [
  ...MOMENTS,
  ...MOMENTS.map(powerCutAt),
  "state exchanged under a watch",
  "watch without room",
  "watch from the past",
  "watch from the future",
  "list transaction committed",
  "list transaction aborted",
  "list transaction unknown",
  "register searched",
  "lease revoked",
  "leader elected",
  "leader moved",
  "learner promoted",
  "member added",
  "member removed",
  "defragmented",
  "disk failed a member",
  "lease ended by time",
  "lease renewed",
  "watch resumed",
  "watch compacted",
  "watch progress",
  "refused: Compacted",
  "refused: LeaderChanged",
  "refused: LeaseNotFound",
  "refused: NoLeader",
  "refused: Timeout",
];

export const POINTS: readonly string[] = [...Object.values(SAID), ...SEEN];
