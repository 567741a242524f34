/** Conditions as KEP-1623 wants them: the time of one changes only when its status does. */
import { assert } from "../../server/base/assert.ts";
import { timestamp } from "./time.ts";

export interface Condition {
  readonly type: string;
  readonly status: "True" | "False" | "Unknown";
  /** UpperCamelCase, never empty: programs read it. */
  readonly reason: string;
  /** For people; may be empty. */
  readonly message: string;
  /** RFC 3339. */
  readonly lastTransitionTime: string;
  readonly observedGeneration?: number;
}

/** What is true now, without the time since when. */
export type ConditionNow = Omit<Condition, "lastTransitionTime">;

const REASON = /^[A-Za-z](?:[A-Za-z0-9_,:]*[A-Za-z0-9_])?$/;
const MAX_REASON = 1024;
const MAX_MESSAGE = 32_768;

/**
 * `before` with these conditions set and the others as they were, in the order in which they came first. One that does
 * not change at all is the same object as before.
 */
export function withConditions(
  before: readonly Condition[],
  changes: readonly ConditionNow[],
  wallMs: number,
): readonly Condition[] {
  const conditions = new Map(before.map((condition) => [condition.type, condition]));
  for (const change of changes) conditions.set(change.type, withTime(conditions.get(change.type), change, wallMs));
  return [...conditions.values()];
}

/** The condition of this type, if there is one. */
export function conditionOf(conditions: readonly Condition[] | undefined, type: string): Condition | undefined {
  return conditions?.find((condition) => condition.type === type);
}

/** Whether two lists say the same: in types, statuses and reasons. Words and times do not count. */
export function haveSameConditions(left: readonly Condition[] = [], right: readonly Condition[] = []): boolean {
  const said = (conditions: readonly Condition[]) =>
    conditions.map(({ type, status, reason }) => `${type}=${status}/${reason}`).sort();
  return said(left).join() === said(right).join();
}

function withTime(before: Condition | undefined, now: ConditionNow, wallMs: number): Condition {
  assert(
    REASON.test(now.reason) && now.reason.length <= MAX_REASON,
    `"${now.reason}" can be the reason of ${now.type}`,
  );
  assert(now.message.length <= MAX_MESSAGE, `the message of ${now.type} has at most ${MAX_MESSAGE} characters`);
  const isSame =
    before?.status === now.status &&
    before.reason === now.reason &&
    before.message === now.message &&
    before.observedGeneration === now.observedGeneration;
  if (isSame) return before;
  const lastTransitionTime = before?.status === now.status ? before.lastTransitionTime : timestamp(wallMs);
  return { ...now, lastTransitionTime };
}
