/**
 * What the API server would not take: by a quota, an admission policy, a field that it does not know. The same is tried
 * again, and said in a condition each time; what other work does not hang on waits until that is done.
 */
import type { Action } from "./action.ts";
import type { View } from "./view.ts";

/** Why the object of an action was refused when it was last tried; nothing when it was not. */
export function refusalOf(view: View, action: Action): string | undefined {
  const key = refusableKey(action);
  const why = key === undefined ? undefined : view.seen.refusals?.get(key);
  return why === undefined ? undefined : `${key} was refused by the API server: ${why}`;
}

/** The object that an action makes or changes, as "Kind/name"; nothing for actions that a refusal says nothing about. */
export function refusableKey(action: Action): string | undefined {
  if ("object" in action) return `${action.object.kind}/${action.object.metadata.name}`;
  return action.kind === "grow-claim" ? claimKey(action.claim) : undefined;
}

export function refusedClaim(view: View, claim: string): string | undefined {
  return view.seen.refusals?.get(claimKey(claim));
}

function claimKey(claim: string): string {
  return `PersistentVolumeClaim/${claim}`;
}
