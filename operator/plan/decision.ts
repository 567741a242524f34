/** What a step of the plan says when it is its turn: one action, or that nothing may be done now and why. */
import type { EtcdClusterStatus, OperationView } from "../api/etcd-cluster.ts";
import type { Action, Happening } from "./action.ts";

/** What is being worked at, for `status.operation`. */
export interface Doing {
  readonly type: OperationView["type"];
  readonly member?: string;
  /** UpperCamelCase: what this very action does, or what is waited for. */
  readonly step: string;
  /** Milliseconds since 1970. */
  readonly deadline?: number;
  /** One try more for the same member; tries are counted for as long as the operation lasts. */
  readonly countsAttempts?: boolean;
}

/** Why there is no going on without a person. */
export interface Stall {
  readonly reason:
    | "InvalidSpec"
    | "UnsupportedVersion"
    | "ProgressDeadlineExceeded"
    | "AllMembersLost"
    | "QuorumUnrecoverable"
    | "OrphanedVolumes"
    | "ForeignObject"
    | "ForeignMember"
    | "ClusterIDMismatch";
  readonly message: string;
}

/** What must be in the status before the action is carried out. */
export type Learnt = Partial<
  Pick<
    EtcdClusterStatus,
    | "clusterID"
    | "clusterToken"
    | "initialized"
    | "nextMemberSerial"
    | "repairs"
    | "handledRequests"
    | "lastOperation"
    | "targetVersion"
  >
>;

export interface Decision {
  readonly action: Action;
  /** In words, for people: what is done or waited for. */
  readonly message: string;
  readonly doing?: Doing;
  readonly stall?: Stall;
  readonly learns?: Learnt;
  readonly events?: readonly Happening[];
  /** Nothing is left to do: an operation that was going on is over. */
  readonly isAtRest?: boolean;
  /** Milliseconds; absent: soon after an action, in a few seconds where something is awaited. */
  readonly againInMs?: number;
}

const NOTHING: Action = { kind: "none" };

/** Nothing may be done now, and no later step may act either. */
export function waiting(message: string, more: Omit<Decision, "action" | "message"> = {}): Decision {
  return { action: NOTHING, message, ...more };
}

export function acting(action: Action, message: string, more: Omit<Decision, "action" | "message"> = {}): Decision {
  return { action, message, ...more };
}

export function stalled(
  reason: Stall["reason"],
  message: string,
  more: Omit<Decision, "action" | "message"> = {},
): Decision {
  return { action: NOTHING, message, stall: { reason, message }, againInMs: 30_000, ...more };
}
