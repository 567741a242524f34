/** How a member comes to its log: it starts a new cluster, joins one that runs, or goes on with the log it finds. */
import { assert } from "../base/assert.ts";
import { utf8Bytes } from "../base/bytes.ts";
import { memberIdText } from "../base/int64.ts";
import { clusterIdOf, memberIdOf } from "../cluster/ids.ts";
import { encodeMember, type MemberRecord } from "../cluster/membership.ts";
import type { Disk } from "../ports/disk.ts";
import type { Logger } from "../ports/logger.ts";
import { ConfChange, ConfChangeType, ConfState, type Entry, EntryType, type HardState } from "../proto/raftpb.ts";
import { Metadata } from "../proto/walpb.ts";
import { LogStorage } from "../raft/log-storage.ts";
import { READYS_OUT_MAX } from "../raft/raw-node.ts";
import { Wal } from "../wal/wal.ts";
import { BootstrapError, type Bootstrapped } from "./bootstrap-result.ts";
import { forceNewCluster, nothingToForce } from "./force-new-cluster.ts";
import type { JoinedCluster, MemberOptions } from "./options.ts";
import { removeReceived, wasReceived } from "./received-files.ts";

/** What the store says of the last entry that it holds. */
export interface StoreMark {
  readonly term: number;
  /** Undefined: it does not say who votes. */
  readonly confState: ConfState | undefined;
}

/**
 * Opens the log in `options.walFolder`, or begins a new cluster when there is none. `storeIndex`: how far the data has come.
 * A store that was exchanged for the state of another member when the log did not say so yet is made good in the log.
 */
export function bootstrap(
  options: MemberOptions,
  disk: Disk,
  storeIndex: number,
  logger: Logger,
  mark?: StoreMark,
): Bootstrapped {
  if (Wal.exists(disk, options.walFolder)) {
    const restarted = restart(options, disk, { storeIndex, mark }, logger);
    removeReceived(disk, options.receivedFolder);
    if (options.forceNewCluster !== true) return restarted;
    const { log, snapshotIndex } = restarted;
    const stored = mark?.confState;
    const known =
      stored === undefined
        ? { index: snapshotIndex, confState: log.confState }
        : { index: storeIndex, confState: stored };
    return forceNewCluster(restarted, known, logger);
  }
  if (options.forceNewCluster === true) {
    throw nothingToForce(options.walFolder);
  }
  if (storeIndex > 0) {
    throw new BootstrapError(
      `the data has been applied up to entry ${storeIndex}, but there is no log in "${options.walFolder}": ` +
        "give --wal-dir the folder that was used before, or restore the data directory from a copy",
    );
  }
  return options.joined === undefined
    ? beginCluster(options, disk, logger)
    : joinCluster(options, options.joined, disk, logger);
}

/** The log is empty: all of it comes from the leader. Who we are stands in the running cluster, under our peer URLs. */
function joinCluster(options: MemberOptions, joined: JoinedCluster, disk: Disk, logger: Logger): Bootstrapped {
  const self = matchMembers(options, joined).get(options.name);
  if (self === undefined) {
    throw new BootstrapError(`--initial-cluster does not name this member: add "${options.name}=PEER-URL" to it`);
  }
  const { clusterId } = joined;
  const wal = Wal.create(disk, options.walFolder, Metadata.encode(Metadata.create({ nodeId: self.id, clusterId })), {
    segmentBytes: options.walSegmentBytes,
  });
  logger.info("joining a running cluster", {
    "local-member-id": memberIdText(self.id),
    "cluster-id": memberIdText(clusterId),
    members: joined.members.length,
  });
  return { memberId: self.id, clusterId, wal, log: new LogStorage(), snapshotIndex: 0 };
}

/**
 * The running cluster's members by the names in --initial-cluster: they must be as many, with the same peer URLs. Throws
 * `BootstrapError`.
 */
function matchMembers({ initialCluster }: MemberOptions, { members }: JoinedCluster): Map<string, MemberRecord> {
  const names = (urls: readonly string[]) => [...urls].sort().join(",");
  if (initialCluster.size !== members.length) {
    throw new BootstrapError(
      `--initial-cluster names ${initialCluster.size} members, and the running cluster has ${members.length}: ` +
        `${members.map(({ peerUrls }) => names(peerUrls)).join("; ")}. Name all of them, this one too; ` +
        "it must have been added before (etcdctl member add)",
    );
  }
  const matched = new Map<string, MemberRecord>();
  for (const [name, urls] of initialCluster) {
    const member = members.find(({ peerUrls }) => names(peerUrls) === names(urls));
    if (member === undefined) {
      throw new BootstrapError(
        `--initial-cluster says that "${name}" has the peer URLs ${names(urls)}, but no member of the running cluster has: ` +
          `${members.map(({ peerUrls }) => names(peerUrls)).join("; ")}`,
      );
    }
    matched.set(name, member);
  }
  return matched;
}

function beginCluster(options: MemberOptions, disk: Disk, logger: Logger): Bootstrapped {
  const peers = [...options.initialCluster].map(([name, peerUrls]) => ({
    name,
    peerUrls,
    id: memberIdOf(peerUrls, options.clusterToken),
  }));
  const self = peers.find(({ name }) => name === options.name);
  if (self === undefined) {
    const names = peers.map(({ name }) => `"${name}"`).join(", ");
    throw new BootstrapError(`--initial-cluster names ${names}, not this member: add "${options.name}=PEER-URL" to it`);
  }
  const clusterId = clusterIdOf(peers.map(({ id }) => id));
  const metadata = Metadata.encode(Metadata.create({ nodeId: self.id, clusterId }));
  const entries = firstEntries(peers);
  const hardState = { term: 1, vote: 0n, commit: entries.length };
  const wal = Wal.create(disk, options.walFolder, metadata, {
    segmentBytes: options.walSegmentBytes,
    first: { hardState, entries },
  });
  const confState = ConfState.create();
  logger.info("starting a new cluster", {
    "local-member-id": memberIdText(self.id),
    "cluster-id": memberIdText(clusterId),
    "initial-cluster-token": options.clusterToken,
  });
  const log = new LogStorage({ hardState, snapshot: { confState, index: 0, term: 0 }, entries });
  return { memberId: self.id, clusterId, wal, log, snapshotIndex: 0 };
}

/** One addition for each first member, ids rising, all of term 1 and committed from the start, as etcd writes them. */
function firstEntries(peers: readonly { id: bigint; name: string; peerUrls: readonly string[] }[]): Entry[] {
  const sorted = [...peers].sort((left, right) => (left.id < right.id ? -1 : 1));
  return sorted.map(({ id, name, peerUrls }, at) => {
    const context = utf8Bytes(encodeMember({ id, name, peerUrls, clientUrls: [], isLearner: false }));
    const change = ConfChange.create({ type: ConfChangeType.ADD_NODE, nodeId: id, context });
    return { type: EntryType.CONF_CHANGE, term: 1, index: at + 1, data: ConfChange.encode(change) };
  });
}

/** How many saves of a member among so many, itself included, may be under way: with others, rounds go on meanwhile. */
export function savesOutOf(members: number): number {
  return members > 1 ? READYS_OUT_MAX : 1;
}

/** How many stand in a configuration that is not joint, which is what the store keeps. */
export function membersIn({ voters, learners }: ConfState): number {
  return voters.length + learners.length;
}

function restart(
  options: MemberOptions,
  disk: Disk,
  { storeIndex, mark }: { readonly storeIndex: number; readonly mark: StoreMark | undefined },
  logger: Logger,
): Bootstrapped {
  const { wal, metadata, hardState, snapshot, entries, repaired } = Wal.open(disk, options.walFolder, {
    savesOut: savesOutOf(mark?.confState === undefined ? options.initialCluster.size : membersIn(mark.confState)),
    segmentBytes: options.walSegmentBytes,
  });
  if (repaired !== undefined) logger.warn("cut a torn record off the end of the log", { detail: repaired });
  const { nodeId, clusterId } = Metadata.decode(metadata);
  if (hardState.commit < storeIndex && wasReceived(disk, options.receivedFolder, storeIndex)) {
    logger.warn(
      "the store is the state that another member sent, and the log does not say so yet: it goes on from there",
      {
        "snapshot-index": storeIndex,
      },
    );
    return { memberId: nodeId, clusterId, wal, ...goOnFrom(wal, hardState, storeIndex, mark) };
  }
  if (storeIndex < snapshot.index) {
    throw new BootstrapError(
      `the log in "${options.walFolder}" begins after entry ${snapshot.index}, but the data has been applied only up to ` +
        `entry ${storeIndex}: the store beside it is missing or older; restore both from the same copy`,
    );
  }
  const confState = snapshot.confState ?? ConfState.create();
  if (snapshot.index > 0 && confState.voters.length === 0) {
    throw new BootstrapError(
      `the log in "${options.walFolder}" begins after entry ${snapshot.index} and does not say who votes: it is damaged; ` +
        "restore it and the store beside it from a copy",
    );
  }
  const lastIndex = entries.at(-1)?.index ?? snapshot.index;
  if (storeIndex > lastIndex) {
    throw new BootstrapError(
      `the data has been applied up to entry ${storeIndex}, but the log in "${options.walFolder}" ends at entry ` +
        `${lastIndex}: it is older than the store beside it; restore both from the same copy`,
    );
  }
  logger.info("restarting local member", {
    "cluster-id": memberIdText(clusterId),
    "local-member-id": memberIdText(nodeId),
    "commit-index": hardState.commit,
    entries: entries.length,
  });
  const log = new LogStorage({
    hardState,
    snapshot: { confState, index: snapshot.index, term: snapshot.term },
    entries,
  });
  return { memberId: nodeId, clusterId, wal, log, snapshotIndex: snapshot.index };
}

/**
 * The end of an exchange that a crash met: what the log was to say is in the store itself. Entries that the log holds beyond
 * it are of an older term and were overtaken, else raft would not have taken the state. A term that the log has not heard of
 * has no vote of ours: nothing was said before it was synced.
 */
function goOnFrom(
  wal: Wal,
  before: HardState,
  index: number,
  mark: StoreMark | undefined,
): { log: LogStorage; snapshotIndex: number } {
  const confState = mark?.confState;
  assert(mark !== undefined && confState !== undefined, "a store that came from another member says who votes");
  const term = Math.max(before.term, mark.term);
  const hardState = { term, vote: term === before.term ? before.vote : 0n, commit: index };
  const snapshot = { index, term: mark.term, confState };
  wal.saveSnapshot(snapshot);
  wal.save(hardState, []);
  wal.syncNow();
  return { log: new LogStorage({ hardState, snapshot, entries: [] }), snapshotIndex: index };
}
