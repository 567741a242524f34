/**
 * From one configuration to the next: single-server changes and the way into and out of a joint configuration (thesis
 * sections 4.1 and 4.3). Pure: a `ConfState` goes in, another or the reason for a refusal comes out. As in etcd, a
 * change takes effect when its entry is applied, and the leader lets only one be unapplied.
 *
 *     voters 1 2 3
 *        | enter: v4 r1            (votersOutgoing keeps the old half; both halves must agree)
 *     voters 2 3 4, votersOutgoing 1 2 3
 *        | leave
 *     voters 2 3 4
 */
import { assert } from "../base/assert.ts";
import {
  type ConfChange,
  type ConfChangeSingle,
  ConfChangeTransition,
  ConfChangeType,
  type ConfChangeV2,
  type ConfState,
} from "../proto/raftpb.ts";
import { NONE } from "./message.ts";

/** A change of one member, or of several at once by way of a joint configuration. */
export type AnyConfChange = ConfChange | ConfChangeV2;

export type ConfChangeResult = { readonly config: ConfState } | { readonly refused: string };

/** The configuration of nobody. */
export function emptyConfState(): ConfState {
  return { voters: [], learners: [], votersOutgoing: [], learnersNext: [], autoLeave: false };
}

/** Whether the change is the empty one, which leaves a joint configuration. */
export function leavesJoint(change: AnyConfChange): boolean {
  return "changes" in change && change.transition === ConfChangeTransition.AUTO && change.changes.length === 0;
}

/** What `change` makes of `config`. */
export function changeConfiguration(config: ConfState, change: AnyConfChange): ConfChangeResult {
  if (!("changes" in change)) return changeSimply(config, [{ type: change.type, nodeId: change.nodeId }]);
  if (leavesJoint(change)) return leaveJoint(config);
  // As etcd: more than one change, or the wish for it, goes through a joint configuration.
  if (change.transition !== ConfChangeTransition.AUTO || change.changes.length > 1) {
    return enterJoint(config, change.changes, change.transition !== ConfChangeTransition.JOINT_EXPLICIT);
  }
  return changeSimply(config, change.changes);
}

/** The configuration with its ids in order; refused when it contradicts itself. For one that comes from outside. */
export function checkConfState(config: ConfState): ConfChangeResult {
  const draft = new Draft(config);
  const refused = draft.contradiction();
  return refused === undefined ? { config: draft.finish(config.autoLeave) } : { refused };
}

/** Whether both say the same, whatever the order of their ids. */
export function equalConfStates(left: ConfState, right: ConfState): boolean {
  return (
    left.autoLeave === right.autoLeave &&
    sameIds(left.voters, right.voters) &&
    sameIds(left.learners, right.learners) &&
    sameIds(left.votersOutgoing, right.votersOutgoing) &&
    sameIds(left.learnersNext, right.learnersNext)
  );
}

/** Every id of the configuration once, in order. */
export function membersOf(config: ConfState): bigint[] {
  // Those in learnersNext are still in votersOutgoing.
  return sortedIds(new Set([...config.voters, ...config.votersOutgoing, ...config.learners]));
}

function changeSimply(
  config: ConfState,
  changes: readonly Pick<ConfChangeSingle, "type" | "nodeId">[],
): ConfChangeResult {
  if (config.votersOutgoing.length > 0) return { refused: "a joint configuration must be left first" };
  const draft = new Draft(config);
  const refused = draft.apply(changes) ?? draft.contradiction();
  if (refused !== undefined) return { refused };
  // One voter more or less keeps a majority of the old and one of the new in touch; two might not.
  assert(difference(config.voters, draft.voters) <= 1, "a single change changes one voter at most");
  return { config: draft.finish(false) };
}

function enterJoint(config: ConfState, changes: readonly ConfChangeSingle[], autoLeave: boolean): ConfChangeResult {
  if (config.votersOutgoing.length > 0) return { refused: "the configuration is joint already" };
  if (config.voters.length === 0) return { refused: "a configuration without voters cannot become joint" };
  const draft = new Draft({ ...config, votersOutgoing: config.voters });
  const refused = draft.apply(changes) ?? draft.contradiction();
  return refused === undefined ? { config: draft.finish(autoLeave) } : { refused };
}

function leaveJoint(config: ConfState): ConfChangeResult {
  if (config.votersOutgoing.length === 0) return { refused: "the configuration is not joint" };
  const draft = new Draft(config);
  for (const id of draft.learnersNext) draft.learners.add(id);
  draft.learnersNext.clear();
  draft.outgoing.clear();
  const refused = draft.contradiction();
  return refused === undefined ? { config: draft.finish(false) } : { refused };
}

/** A configuration being changed. Changes touch the incoming half only. */
class Draft {
  readonly voters: Set<bigint>;
  readonly outgoing: Set<bigint>;
  readonly learners: Set<bigint>;
  /** Voters of the outgoing half that become learners once it is left: until then nobody is both. */
  readonly learnersNext: Set<bigint>;

  constructor(config: ConfState) {
    this.voters = new Set(config.voters);
    this.outgoing = new Set(config.votersOutgoing);
    this.learners = new Set(config.learners);
    this.learnersNext = new Set(config.learnersNext);
  }

  /** The reason for a refusal, if there is one. */
  apply(changes: readonly Pick<ConfChangeSingle, "type" | "nodeId">[]): string | undefined {
    for (const { type, nodeId } of changes) {
      // A change that was refused when it was applied comes with its id set to zero; its entry stays, its effect not.
      if (nodeId === NONE) continue;
      switch (type) {
        case ConfChangeType.ADD_NODE:
          this.#remove(nodeId);
          this.voters.add(nodeId);
          break;
        case ConfChangeType.ADD_LEARNER_NODE:
          this.#makeLearner(nodeId);
          break;
        case ConfChangeType.REMOVE_NODE:
          this.#remove(nodeId);
          break;
        case ConfChangeType.UPDATE_NODE:
          break;
        default:
          return `unknown kind of configuration change ${type}`;
      }
    }
    return this.voters.size === 0 ? "no voter would remain" : undefined;
  }

  contradiction(): string | undefined {
    for (const id of this.learnersNext) {
      if (!this.outgoing.has(id)) return `${id} is to become a learner but is no outgoing voter`;
      if (this.learners.has(id)) return `${id} is to become a learner and is one already`;
    }
    for (const id of this.learners) {
      if (this.voters.has(id) || this.outgoing.has(id)) return `${id} is a learner and a voter`;
    }
    return undefined;
  }

  finish(autoLeave: boolean): ConfState {
    return {
      voters: sortedIds(this.voters),
      learners: sortedIds(this.learners),
      votersOutgoing: sortedIds(this.outgoing),
      learnersNext: sortedIds(this.learnersNext),
      autoLeave,
    };
  }

  #makeLearner(id: bigint): void {
    if (this.learners.has(id)) return;
    this.#remove(id);
    if (this.outgoing.has(id)) this.learnersNext.add(id);
    else this.learners.add(id);
  }

  #remove(id: bigint): void {
    this.voters.delete(id);
    this.learners.delete(id);
    this.learnersNext.delete(id);
  }
}

function difference(left: readonly bigint[], right: ReadonlySet<bigint>): number {
  const kept = left.filter((id) => right.has(id)).length;
  return left.length - kept + (right.size - kept);
}

function sortedIds(ids: Iterable<bigint>): bigint[] {
  return [...ids].sort((left, right) => (left < right ? -1 : left > right ? 1 : 0));
}

function sameIds(left: readonly bigint[], right: readonly bigint[]): boolean {
  if (left.length !== right.length) return false;
  const sorted = sortedIds(right);
  return sortedIds(left).every((id, at) => id === sorted[at]);
}
