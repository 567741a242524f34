/** The operation in progress, carried on from pass to pass: a hint for people, a base for deadlines and counts. */
import type { EtcdClusterStatus, OperationView } from "../../api/etcd-cluster.ts";
import type { Decision, Doing } from "../decision.ts";
import { toTime } from "../time.ts";
import type { View } from "../view.ts";

type Operations = Pick<EtcdClusterStatus, "operation" | "lastOperation">;

const MAX_MESSAGE = 512;

export function operations(view: View, decision: Decision): Operations {
  const before = view.status.operation;
  const last = decision.learns?.lastOperation ?? forgiven(view);
  if (decision.doing !== undefined) {
    const operation = carriedOn(view, before, decision.doing, decision.message);
    const ended = before !== undefined && before.id !== operation.id && decision.learns?.lastOperation === undefined;
    return { operation, ...optional(ended && last?.result !== "Failed" ? succeeded(view, before) : last) };
  }
  if (decision.isAtRest !== true && before !== undefined) return { operation: before, ...optional(last) };
  return optional(decision.isAtRest === true && before !== undefined ? succeeded(view, before) : last);
}

function optional(lastOperation: EtcdClusterStatus["lastOperation"]): Operations {
  return lastOperation === undefined ? {} : { lastOperation };
}

/** Failed tries of an earlier spec are not held against a new one. */
function forgiven(view: View): EtcdClusterStatus["lastOperation"] {
  const last = view.status.lastOperation;
  if (last === undefined || view.status.observedGeneration === view.seen.cluster.metadata.generation) return last;
  return { ...last, attempts: 0 };
}

function carriedOn(view: View, before: OperationView | undefined, doing: Doing, text: string): OperationView {
  const isSame = before?.type === doing.type && (before.member === doing.member || doing.type === "Bootstrap");
  const startedAt = isSame ? before.startedAt : toTime(view.now);
  const attempts = (isSame ? before.attempts : 0) + (doing.countsAttempts === true ? 1 : 0);
  return {
    id: isSame
      ? before.id
      : `${doing.type.toLowerCase()}-${doing.member ?? view.cluster.metadata.name}-${Math.floor(view.now / 1000)}`,
    type: doing.type,
    ...(doing.member !== undefined && { member: doing.member }),
    step: doing.step,
    startedAt,
    ...(doing.deadline !== undefined && { deadline: toTime(doing.deadline) }),
    attempts,
    message: text.slice(0, MAX_MESSAGE),
  };
}

function succeeded(view: View, operation: OperationView): EtcdClusterStatus["lastOperation"] {
  return { ...operation, attempts: 0, result: "Succeeded", endedAt: toTime(view.now) };
}
