/** What a plan knows of a Pod. */
import { LABELS } from "../../api/names.ts";
import type { ContainerFacts, PodFacts } from "../../plan/observation.ts";
import { fromTime } from "../../plan/time.ts";
import type { KubeObject } from "../../runtime/kube.ts";
import { type ConditionJson, conditionOf, sinceWhen } from "./conditions.ts";
import { controllerUid } from "./owner.ts";

/** The parts that are read. The API server leaves out what is empty. */
export interface PodJson extends KubeObject {
  readonly spec?: { readonly nodeName?: string; readonly containers?: readonly ContainerJson[] };
  readonly status?: {
    readonly phase?: string;
    readonly reason?: string;
    readonly message?: string;
    readonly podIP?: string;
    readonly conditions?: readonly ConditionJson[];
    readonly containerStatuses?: readonly ContainerStatusJson[];
  };
}

interface ContainerJson {
  readonly name: string;
  readonly args?: readonly string[];
}

interface ContainerStatusJson {
  readonly name: string;
  readonly restartCount?: number;
  readonly state?: ContainerStateJson;
  readonly lastState?: ContainerStateJson;
}

interface ContainerStateJson {
  readonly waiting?: { readonly reason?: string; readonly message?: string };
  readonly running?: { readonly startedAt?: string };
  readonly terminated?: { readonly exitCode?: number; readonly reason?: string; readonly message?: string };
}

const PHASES: readonly PodFacts["phase"][] = ["Pending", "Running", "Succeeded", "Failed", "Unknown"];

/** `container`: the name of the one that runs the member; sidecars are no concern of a plan. */
export function podFacts(pod: PodJson, container: string): PodFacts {
  const { metadata, spec, status } = pod;
  const scheduled = conditionOf(status?.conditions, "PodScheduled");
  return {
    name: metadata.name,
    uid: metadata.uid ?? "",
    resourceVersion: metadata.resourceVersion ?? "",
    ownerUid: controllerUid(metadata),
    member: metadata.labels?.[LABELS.member] ?? metadata.name,
    role: metadata.labels?.[LABELS.role],
    labels: metadata.labels ?? {},
    annotations: metadata.annotations ?? {},
    createdAt: fromTime(metadata.creationTimestamp) ?? 0,
    isTerminating: metadata.deletionTimestamp !== undefined,
    phase: PHASES.find((phase) => phase === status?.phase) ?? "Pending",
    ip: status?.podIP === "" ? undefined : status?.podIP,
    nodeName: spec?.nodeName === "" ? undefined : spec?.nodeName,
    readySince: sinceWhen(conditionOf(status?.conditions, "Ready"), "True"),
    unscheduledSince: scheduled?.reason === "Unschedulable" ? sinceWhen(scheduled, "False") : undefined,
    container: containerFacts(pod, container),
  };
}

/**
 * Whether the member answers clients over TLS, as its flags say: while a spec is rolled out members differ. Nothing when
 * they do not say.
 */
export function speaksTls({ spec }: PodJson, container: string): boolean | undefined {
  const args = spec?.containers?.find(({ name }) => name === container)?.args ?? [];
  const scheme = args
    .map((text) => /^--advertise-client-urls=(https?):/.exec(text)?.[1])
    .findLast((found) => found !== undefined);
  return scheme === undefined ? undefined : scheme === "https";
}

function containerFacts({ status }: PodJson, name: string): ContainerFacts | undefined {
  const found = status?.containerStatuses?.find((container) => container.name === name);
  if (found === undefined) return undefined;
  const { state = {}, lastState = {}, restartCount = 0 } = found;
  const end = state.terminated ?? lastState.terminated;
  const present = state.waiting ?? state.terminated;
  return {
    state: state.running !== undefined ? "Running" : state.terminated !== undefined ? "Terminated" : "Waiting",
    reason: present?.reason ?? "",
    message: present?.message ?? "",
    restarts: restartCount,
    exitCode: end?.exitCode,
    endReason: end?.reason,
  };
}
