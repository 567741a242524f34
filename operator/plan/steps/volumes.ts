/** Volumes grow one claim a pass; where the file system grows only with a restart, the member is restarted. */
import { bytesOf } from "../../api/quantity.ts";
import { acting, type Decision } from "../decision.ts";
import { disrupt } from "../disrupt.ts";
import type { Member } from "../members.ts";
import { refusedClaim } from "../refused.ts";
import { fromTime } from "../time.ts";
import type { View } from "../view.ts";

/** So long a mounted file system is given to grow by itself. */
const GROWS_BY_ITSELF_MS = 600_000;
/** What restarts have not brought about by then they never will; the condition goes on saying so. */
const GIVEN_UP_MS = 2 * 3_600_000;

export function volumes(view: View): Decision | undefined {
  return grow(view, (claim) => refusedClaim(view, claim) === undefined);
}

/** What a quota or a driver would not let grow is tried again when nothing else is left to do. */
export function refusedVolumes(view: View): Decision | undefined {
  const decision = grow(view, (claim) => refusedClaim(view, claim) !== undefined);
  return decision && { ...decision, events: [], againInMs: 30_000 };
}

function grow(view: View, isItsTurn: (claim: string) => boolean): Decision | undefined {
  const size = view.spec.storage.persistent?.size;
  if (size === undefined || view.wish.state === "refused") return undefined;
  for (const member of view.members) {
    const { claim } = member;
    if (
      claim === undefined ||
      !isItsTurn(claim.name) ||
      claim.isTerminating ||
      claim.requested >= bytesOf(size) ||
      !mayGrow(view, member)
    )
      continue;
    return acting(
      { kind: "grow-claim", claim: claim.name, uid: claim.uid, size: String(size) },
      `claim ${claim.name} grows to ${size}`,
      {
        doing: { type: "Resize", member: member.name, step: "GrowingClaim" },
        events: [
          { type: "Normal", reason: "VolumeGrowing", message: `claim ${claim.name} to ${size}`, member: member.name },
        ],
      },
    );
  }
  return undefined;
}

/** Whether the class of its volume says that it can; one that cannot be read is tried, and the API server decides. */
export function mayGrow(view: View, member: Member): boolean {
  const name = member.claim?.storageClassName;
  const storageClass = name === undefined ? undefined : view.seen.storageClasses.get(name);
  return member.claim?.phase === "Bound" && storageClass?.allowsExpansion !== false;
}

/** After scaling, as the budget leaves room for it then. */
export function fileSystems(view: View): Decision | undefined {
  if (view.wish.state === "refused") return undefined;
  const waiting = view.voters.find(
    (member) => member.claim?.conditions.includes("FileSystemResizePending") === true && member.pod !== undefined,
  );
  const condition = view.status.conditions?.find((one) => one.type === "VolumesReady");
  const since = condition?.reason === "FileSystemResizePending" ? fromTime(condition.lastTransitionTime) : undefined;
  if (waiting === undefined || since === undefined || view.now - since > GIVEN_UP_MS) return undefined;
  if (
    view.now - Math.max(since, waiting.pod?.createdAt ?? 0) < GROWS_BY_ITSELF_MS ||
    view.spec.update.strategy === "OnDelete"
  )
    return undefined;
  return disrupt(view, waiting, "restart", `the file system of ${waiting.name} grows with a restart`, {
    type: "Resize",
    member: waiting.name,
    step: "RestartingMember",
  });
}
