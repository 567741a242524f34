/**
 * `--force-new-cluster`: what is left of a cluster that has lost its majority goes on alone. As in etcd, entries that this
 * member does not know to be committed are dropped, and changes that remove everybody else are put into its log as
 * committed. The ids of member and cluster stay; the others are removed for good, so their old data cannot come back.
 *
 *     [ entries ... commit ][ not committed ]      before
 *     [ entries ... commit ][ remove A ][ remove B ]   after, of the next term
 *
 * The term rises, which it does not in etcd: should the others run after all, no two entries of one term differ.
 */
import { assert } from "../base/assert.ts";
import { utf8Bytes } from "../base/bytes.ts";
import { memberIdText } from "../base/int64.ts";
import { encodeMember } from "../cluster/membership.ts";
import type { Logger } from "../ports/logger.ts";
import { ConfChange, ConfChangeType, type ConfState, type Entry, EntryType, type HardState } from "../proto/raftpb.ts";
import { LogStorage } from "../raft/log-storage.ts";
import { BootstrapError, type Bootstrapped } from "./bootstrap-result.ts";

/** Everybody in raft's configuration, and whether they only learn. */
type Config = Map<bigint, { readonly isLearner: boolean }>;

/** The configuration that the store holds, and the entry that it is of. */
export interface KnownConfig {
  readonly index: number;
  readonly confState: ConfState;
}

/**
 * Writes the end of the log anew, durable when this returns. `known`: what the store says of the configuration; it may be
 * behind the log. Doing it twice changes nothing but the term. Throws `BootstrapError` when this member was removed.
 */
export function forceNewCluster(found: Bootstrapped, known: KnownConfig, logger: Logger): Bootstrapped {
  const { memberId, wal, log } = found;
  const { commit, term } = log.hardState;
  // What was applied was committed, whether the log says so yet or not.
  const last = Math.max(commit, known.index);
  assert(last <= log.lastIndex(), "what is committed is in the log");
  const kept = entriesThrough(log, last);
  const config = configAfter(
    known.confState,
    kept.filter(({ index }) => index > known.index),
  );
  const changes = changesTo(memberId, config);
  const added = changes.map((change, at) => ({
    type: EntryType.CONF_CHANGE,
    term: term + 1,
    index: last + at + 1,
    data: ConfChange.encode(change),
  }));
  const hardState: HardState = { term: term + 1, vote: 0n, commit: last + added.length };
  wal.save(hardState, added);
  wal.syncNow();
  logger.warn("--force-new-cluster: this member goes on as a cluster of one", {
    "local-member-id": memberIdText(memberId),
    "removed-member-ids": changes.filter(isRemoval).map(({ nodeId }) => memberIdText(nodeId)),
    "commit-index": last,
    "dropped-entries": log.lastIndex() - last,
  });
  const snapshot = log.snapshot.metadata;
  return { ...found, log: new LogStorage({ hardState, snapshot, entries: [...kept, ...added] }) };
}

/** There are no data; etcd begins a new cluster then, which is not what was meant. */
export function nothingToForce(walFolder: string): BootstrapError {
  return new BootstrapError(
    `--force-new-cluster goes on with the data of a member, and there is no log in "${walFolder}": give --data-dir and ` +
      "--wal-dir of that member, or leave --force-new-cluster out to begin a new cluster",
  );
}

function isRemoval({ type }: ConfChange): boolean {
  return type === ConfChangeType.REMOVE_NODE;
}

function entriesThrough(log: LogStorage, last: number): Entry[] {
  const first = log.firstIndex();
  return last < first ? [] : log.entries(first, last + 1, Number.POSITIVE_INFINITY);
}

function configAfter(start: ConfState, entries: readonly Entry[]): Config {
  const config: Config = new Map();
  for (const id of [...start.learners, ...start.learnersNext]) config.set(id, { isLearner: true });
  for (const id of [...start.voters, ...start.votersOutgoing]) config.set(id, { isLearner: false });
  for (const entry of entries) {
    if (entry.type !== EntryType.CONF_CHANGE) continue;
    const { type, nodeId } = ConfChange.decode(entry.data);
    if (type === ConfChangeType.REMOVE_NODE) config.delete(nodeId);
    else if (type === ConfChangeType.ADD_NODE) config.set(nodeId, { isLearner: false });
    else if (type === ConfChangeType.ADD_LEARNER_NODE) config.set(nodeId, { isLearner: true });
  }
  return config;
}

/** A learner is promoted first: there must be a voter at every moment. */
function changesTo(memberId: bigint, config: Config): ConfChange[] {
  const self = config.get(memberId);
  if (self === undefined) {
    throw new BootstrapError(
      `--force-new-cluster: the member ${memberIdText(memberId)} was removed from its cluster and cannot go on as one; ` +
        "use the data directory of another member, or restore a snapshot",
    );
  }
  const changes = [];
  if (self.isLearner) {
    const bare = { id: memberId, name: "", peerUrls: [], clientUrls: [], isLearner: false };
    const context = utf8Bytes(encodeMember(bare, true));
    changes.push(ConfChange.create({ type: ConfChangeType.ADD_NODE, nodeId: memberId, context }));
  }
  const others = [...config.keys()].filter((id) => id !== memberId).sort((left, right) => (left < right ? -1 : 1));
  for (const nodeId of others) changes.push(ConfChange.create({ type: ConfChangeType.REMOVE_NODE, nodeId }));
  return changes;
}
