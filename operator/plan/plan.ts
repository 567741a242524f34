/**
 * The heart of the operator: from what was observed to one action and the whole status. Pure and without memory: the
 * same observation gives the same plan, so that a crash anywhere costs one more look and nothing else.
 */
import type { Action, Plan } from "./action.ts";
import type { Builders } from "./builders.ts";
import type { Decision } from "./decision.ts";
import type { Observation } from "./observation.ts";
import { eventsOf } from "./status/events.ts";
import { statusOf } from "./status/status.ts";
import { alarms } from "./steps/alarms.ts";
import { bootstrap } from "./steps/bootstrap.ts";
import { budget } from "./steps/budget.ts";
import { awaiting, issuing, reloading } from "./steps/certificates.ts";
import { children, refusedChildren } from "./steps/children.ts";
import { deletion } from "./steps/deletion.ts";
import { hibernate } from "./steps/hibernate.ts";
import { identity } from "./steps/identity.ts";
import { inherited } from "./steps/inherited.ts";
import { missingPods } from "./steps/missing-pods.ts";
import { pause } from "./steps/pause.ts";
import { quorumLoss } from "./steps/quorum-loss.ts";
import { repair } from "./steps/repair.ts";
import { requests } from "./steps/requests.ts";
import { rollout } from "./steps/rollout.ts";
import { growthStalled, scale } from "./steps/scale.ts";
import { unfinished } from "./steps/unfinished.ts";
import { upgrade } from "./steps/upgrade.ts";
import { validity } from "./steps/validity.ts";
import { fileSystems, refusedVolumes, volumes } from "./steps/volumes.ts";
import { lookAt, type View } from "./view.ts";

export interface Step {
  readonly name: string;
  /** Nothing where it is not its turn. */
  readonly decide: (view: View) => Decision | undefined;
}

/** In order of urgency: the first that has something to say acts, or keeps the later ones from acting. */
export const STEPS: readonly Step[] = [
  { name: "deletion", decide: deletion },
  { name: "pause", decide: pause },
  { name: "validity", decide: validity },
  { name: "identity", decide: identity },
  // Before what the API server may refuse for a reason of its own: a Service that it does not take costs no member.
  { name: "missing Pods", decide: missingPods },
  { name: "certificates issued", decide: issuing },
  { name: "children", decide: children },
  { name: "disruption budget", decide: budget },
  { name: "hibernate", decide: hibernate },
  { name: "certificates awaited", decide: awaiting },
  { name: "bootstrap", decide: bootstrap },
  { name: "quorum loss", decide: quorumLoss },
  { name: "unfinished membership", decide: unfinished },
  { name: "alarms left behind", decide: alarms },
  // Before anything that may wait for health: certificates that are not read in time end all health.
  { name: "certificates loaded", decide: reloading },
  { name: "inherited metadata", decide: inherited },
  { name: "repair", decide: repair },
  { name: "volumes", decide: volumes },
  { name: "upgrade", decide: upgrade },
  { name: "scale", decide: scale },
  { name: "roll-out", decide: rollout },
  { name: "file systems", decide: fileSystems },
  { name: "requests", decide: requests },
  { name: "children that were refused", decide: refusedChildren },
  { name: "volumes that were refused", decide: refusedVolumes },
  { name: "growth given up", decide: growthStalled },
];

const AFTER_ACTION_MS = 500;
const WHILE_WAITING_MS = 3000;
/** Between 30 and 60 seconds, a cluster's own number, so that many do not come at once. */
const AT_REST_MS = 30_000;

export function plan(seen: Observation, builders: Builders): Plan {
  const view = lookAt(seen, builders);
  const decision = decide(view);
  const status = statusOf(view, decision);
  const events = eventsOf(view.status, status, decision.events ?? []);
  return { action: decision.action, status, events, againInMs: decision.againInMs ?? againIn(decision.action, seen) };
}

function decide(view: View): Decision {
  for (const step of STEPS) {
    const decision = step.decide(view);
    if (decision !== undefined) return decision;
  }
  const unwell = view.voters.find((member) => member.health !== "Healthy");
  const message =
    unwell === undefined
      ? "everything is as the spec asks"
      : `${unwell.name} is ${unwell.health}; there is nothing to do about it now`;
  return { action: { kind: "none" }, message, isAtRest: true, againInMs: atRest(view) };
}

function againIn(action: Action, seen: Observation): number {
  if (action.kind !== "none") return AFTER_ACTION_MS;
  return seen.cluster.metadata.deletionTimestamp === undefined ? WHILE_WAITING_MS : AFTER_ACTION_MS * 2;
}

function atRest(view: View): number {
  // While somebody is unwell the clocks of repairs run, and samples are due.
  if (view.voters.some((member) => member.health !== "Healthy")) return WHILE_WAITING_MS;
  let sum = 0;
  for (const letter of view.cluster.metadata.uid) sum = (sum * 31 + letter.charCodeAt(0)) % AT_REST_MS;
  return AT_REST_MS + sum;
}
