/** What a person can do about an error that ended the server or kept it from starting. */
import { constants } from "node:os";
import { CorruptRecord } from "../ports/backend.ts";

const NOTHING_LOST = "Everything that was acknowledged is there then";

const ADVICE: Readonly<Record<string, string>> = {
  ENOSPC: `Free space on that disk, then start the server again. ${NOTHING_LOST}`,
  EDQUOT: `Free space or raise the quota of the server's user on that disk, then start it again. ${NOTHING_LOST}`,
  EFBIG: `Raise the limit on the size of files (ulimit -f) of the server's user, then start it again. ${NOTHING_LOST}`,
  EIO: `The disk may be failing: see the system's log and check it, then start the server again. ${NOTHING_LOST}`,
  EROFS: "The disk can only be read: see the system's log for why, mount it for writing, then start the server again",
  EACCES: "Give the server's user the right to read and write there, or choose another place",
  EPERM: "Give the server's user the right to read and write there, or choose another place",
  ENOTDIR: "A file stands where a folder is needed: move it away, or choose another place",
};

/** The others have removed this member. */
export class RemovedFromCluster extends Error {
  override readonly name = "RemovedFromCluster";

  constructor() {
    super("this member was removed from the cluster");
  }
}

/** `--expect-data`, and there is none: where a volume should be there may be an empty folder. */
export class DataExpected extends Error {
  override readonly name = "DataExpected";

  constructor(dataDir: string, walFolder: string) {
    super(
      `--expect-data is given, and there is no member in the data directory "${dataDir}": no log in "${walFolder}"`,
    );
  }
}

const EXPECTED =
  "Check that the right volume is mounted there, and --data-dir and --wal-dir. If the data are lost and other members " +
  "have them: remove this one (etcdctl member remove), add it anew (etcdctl member add --learner), and start it " +
  "with --initial-cluster-state=existing and without --expect-data. For a new cluster start without --expect-data";

const REMOVED =
  "Its data directory is of no use any more. To come back, it is added anew (etcdctl member add) and started with an " +
  "empty folder and --initial-cluster-state=existing";

const DAMAGED =
  "The store, member/kvorum in the data directory, was changed by a failing disk or by somebody else. " +
  "Check the disk, then restore the whole data directory from a copy";

/** A sentence or two; undefined when the error says all that is known. */
export function adviceFor(error: unknown): string | undefined {
  for (let one = error; one instanceof Error; one = one.cause) {
    if (one instanceof CorruptRecord) return DAMAGED;
    if (one instanceof RemovedFromCluster) return REMOVED;
    if (one instanceof DataExpected) return EXPECTED;
    const name = "code" in one ? nameOf(one.code) : undefined;
    if (name !== undefined && Object.hasOwn(ADVICE, name)) return ADVICE[name];
  }
  return undefined;
}

/** Node's errors have a name as their code, those of LMDB the number. */
function nameOf(code: unknown): string | undefined {
  if (typeof code === "string") return code;
  return Object.entries(constants.errno).find(([, number]) => number === code)?.[0];
}
