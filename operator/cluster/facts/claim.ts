/** What a plan knows of a claim of storage. */

import { ANNOTATIONS, type ClaimState, claimName, LABELS } from "../../api/names.ts";
import { bytesOf } from "../../api/quantity.ts";
import type { ClaimFacts } from "../../plan/observation.ts";
import type { KubeObject } from "../../runtime/kube.ts";
import type { ConditionJson } from "./conditions.ts";
import { controllerUid } from "./owner.ts";

export interface ClaimJson extends KubeObject {
  readonly spec?: {
    readonly storageClassName?: string;
    readonly resources?: { readonly requests?: { readonly storage?: string } };
  };
  readonly status?: {
    readonly phase?: string;
    readonly capacity?: { readonly storage?: string };
    readonly conditions?: readonly ConditionJson[];
  };
}

const STATES: readonly ClaimState[] = ["initializing", "joining", "ready", "retired"];
const PHASES: readonly ClaimFacts["phase"][] = ["Pending", "Bound", "Lost"];
const ID = /^[0-9a-f]{16}$/;

export function claimFacts({ metadata, spec, status }: ClaimJson): ClaimFacts {
  const annotations = metadata.annotations ?? {};
  const state = annotations[ANNOTATIONS.state];
  const capacity = status?.capacity?.storage;
  return {
    name: metadata.name,
    uid: metadata.uid ?? "",
    resourceVersion: metadata.resourceVersion ?? "",
    ownerUid: controllerUid(metadata),
    clusterUid: annotations[ANNOTATIONS.clusterUid],
    clusterId: idIn(annotations[ANNOTATIONS.clusterId]),
    member: metadata.labels?.[LABELS.member] ?? memberOfName(metadata.name),
    memberId: idIn(annotations[ANNOTATIONS.memberId]),
    state: STATES.find((known) => known === state),
    annotations,
    labels: metadata.labels ?? {},
    isTerminating: metadata.deletionTimestamp !== undefined,
    phase: PHASES.find((phase) => phase === status?.phase) ?? "Pending",
    storageClassName: spec?.storageClassName,
    requested: bytesOf(spec?.resources?.requests?.storage ?? "0"),
    capacity: capacity === undefined ? undefined : bytesOf(capacity),
    conditions: (status?.conditions ?? []).filter(({ status: is }) => is === "True").map(({ type }) => type),
  };
}

/** People may write into annotations; what is no id is none. */
function idIn(text: string | undefined): string | undefined {
  return text !== undefined && ID.test(text) ? text : undefined;
}

function memberOfName(claim: string): string {
  const prefix = claimName("");
  return claim.startsWith(prefix) ? claim.slice(prefix.length) : claim;
}
