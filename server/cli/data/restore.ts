/**
 * `snapshot restore`: a new data directory out of a snapshot, for one member of a new cluster. Members, log and applied
 * index are new; keys, leases, users and the rest are the snapshot's.
 */
import { join } from "node:path";
import { storeConsistentIndex } from "../../apply/consistent-index.ts";
import { utf8Bytes } from "../../base/bytes.ts";
import { WorldError } from "../../base/error.ts";
import { memberIdText } from "../../base/int64.ts";
import { writeJsonWithIds } from "../../base/json-ids.ts";
import { clusterIdOf, memberIdOf } from "../../cluster/ids.ts";
import { encodeMember, type MemberRecord } from "../../cluster/membership.ts";
import { parseInitialCluster, parseUrls, urlTexts } from "../../config/urls.ts";
import { revisionKey } from "../../mvcc/revision.ts";
import type { Backend } from "../../ports/backend.ts";
import { ConfChange, ConfChangeType, ConfState, type Entry, EntryType } from "../../proto/raftpb.ts";
import { Metadata } from "../../proto/walpb.ts";
import { SystemDisk } from "../../system/disk.ts";
import { Wal } from "../../wal/wal.ts";
import { asWorldError, openBolt } from "./bolt-source.ts";
import { type LoadedStore, loadStore, META } from "./load-store.ts";
import { makeFolderWhole } from "./new-folder.ts";

export interface RestoreOptions {
  readonly snapshot: string;
  readonly dataDir: string;
  /** Undefined: inside the data directory. */
  readonly walDir: string | undefined;
  readonly name: string;
  readonly initialCluster: string;
  readonly initialClusterToken: string;
  readonly peerUrls: string;
  readonly skipHashCheck: boolean;
  /** 0: revisions go on where the snapshot ends. */
  readonly bumpRevision: number;
}

/** Every first entry is of this term. */
const TERM = 1;

/** Answers what was restored. Rejects with an Error for people; there is no data directory then. */
export async function restore(options: RestoreOptions): Promise<LoadedStore> {
  const cluster = clusterOf(options);
  const bolt = openBolt(options.snapshot, { checkDigest: !options.skipHashCheck });
  try {
    if (bolt.digest === "none" && !options.skipHashCheck) {
      throw new WorldError(
        `read "${options.snapshot}"`,
        "it has no SHA-256 at its end, so it was not saved by a snapshot call; " +
          "if it was copied from a data directory, give --skip-hash-check",
      );
    }
    let loaded: LoadedStore | undefined;
    await makeFolderWhole(options.dataDir, async (partial) => {
      loaded = await loadStore(bolt.file, join(partial, "member", "kvorum"), {
        leaveOut: (bucket) => bucket === "members" || bucket === "members_removed",
        complete: (backend, { revision }) => {
          beginCluster(backend, cluster);
          if (options.bumpRevision > 0) bump(backend, revision + options.bumpRevision);
        },
      });
      const inside = join(partial, "member", "wal");
      if (options.walDir === undefined) createLog(inside, cluster);
      else await makeFolderWhole(options.walDir, async (folder) => createLog(folder, cluster));
    });
    return loaded as LoadedStore;
  } catch (error) {
    throw asWorldError(options.snapshot, error);
  } finally {
    bolt.close();
  }
}

interface NewCluster {
  /** In rising order of ids. */
  readonly members: readonly MemberRecord[];
  readonly self: MemberRecord;
  readonly clusterId: bigint;
}

function clusterOf({ name, initialCluster, initialClusterToken, peerUrls }: RestoreOptions): NewCluster {
  const named = parseInitialCluster(initialCluster);
  const own = named.get(name);
  if (own === undefined) throw new Error(`--initial-cluster "${initialCluster}" does not name "${name}", the --name`);
  const advertised = urlTexts(parseUrls(peerUrls));
  if (own.join() !== advertised.join()) {
    throw new Error(
      `--initial-cluster has ${name}=${own.join()}, but --initial-advertise-peer-urls is ${advertised.join()}: ` +
        "both must name the same URLs",
    );
  }
  const members = [...named]
    .map(([memberName, urls]) => ({
      id: memberIdOf(urls, initialClusterToken),
      name: memberName,
      peerUrls: urls,
      clientUrls: [],
      isLearner: false,
    }))
    .sort((left, right) => (left.id < right.id ? -1 : 1));
  const self = members.find((member) => member.name === name) as MemberRecord;
  return { members, self, clusterId: clusterIdOf(members.map(({ id }) => id)) };
}

/** The state after the first entries, one for each member: as if they had been applied. */
function beginCluster(backend: Backend, { members }: NewCluster): void {
  for (const member of members) {
    backend.put("members", utf8Bytes(memberIdText(member.id)), utf8Bytes(encodeMember(member)));
  }
  const confState = writeJsonWithIds({ voters: members.map(({ id }) => id), auto_leave: false });
  backend.put("meta", META.confState, utf8Bytes(confState));
  storeConsistentIndex(backend, { index: members.length, term: TERM });
}

/**
 * The newest revision becomes `revision`, marked by a record without content as etcdutl marks it, and everything up to it
 * counts as compacted: who goes on from a revision that he saw before the restore hears so, and lists anew.
 */
function bump(backend: Backend, revision: number): void {
  if (!Number.isSafeInteger(revision)) throw new Error(`--bump-revision leads to ${revision}, which is too high`);
  backend.put("key", revisionKey(revision, 0), new Uint8Array(0));
  backend.put("meta", META.scheduledCompaction, revisionKey(revision, 0));
}

/** The log of a cluster that has just begun, with its first entries in a snapshot: what the store holds already. */
function createLog(folder: string, { members, self, clusterId }: NewCluster): void {
  const entries: Entry[] = members.map((member, at) => {
    const context = utf8Bytes(encodeMember(member));
    const change = ConfChange.create({ type: ConfChangeType.ADD_NODE, nodeId: member.id, context });
    return { type: EntryType.CONF_CHANGE, term: TERM, index: at + 1, data: ConfChange.encode(change) };
  });
  const voters = members.map(({ id }) => id);
  const hardState = { term: TERM, vote: voters[0] as bigint, commit: entries.length };
  const metadata = Metadata.encode(Metadata.create({ nodeId: self.id, clusterId }));
  const wal = Wal.create(new SystemDisk(), folder, metadata, { first: { hardState, entries } });
  try {
    wal.saveSnapshot({ index: entries.length, term: TERM, confState: ConfState.create({ voters }) });
    wal.syncNow();
  } finally {
    wal.close();
  }
}
