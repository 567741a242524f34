/** Conditions of Pods, nodes and claims, as Kubernetes writes them. */
import { fromTime } from "../../plan/time.ts";

export interface ConditionJson {
  readonly type: string;
  readonly status: string;
  readonly reason?: string;
  readonly lastTransitionTime?: string | null;
}

export function conditionOf(conditions: readonly ConditionJson[] | undefined, type: string): ConditionJson | undefined {
  return conditions?.find((condition) => condition.type === type);
}

/** Since when the condition has this status, milliseconds since 1970; nothing when it has another or says no time. */
export function sinceWhen(condition: ConditionJson | undefined, status: string): number | undefined {
  return condition?.status === status ? fromTime(condition.lastTransitionTime ?? undefined) : undefined;
}
