/** A log that cannot be trusted: what is wrong, where, and what a person can do. Nothing was changed on disk. */
import { WorldError } from "../base/error.ts";

const ADVICE =
  "Nothing was changed. Entries that were acknowledged may be damaged, so the server does not start on this log: keep a " +
  "copy of the folder, then put back a backup of the data directory, or (in a cluster of several members) remove this " +
  "member and add it again with an empty data directory";

export class CorruptLog extends WorldError {
  /** The file, or the folder when no single file is at fault. */
  readonly path: string;
  /** Bytes from the beginning of the file. */
  readonly offset: number | undefined;
  readonly problem: string;

  constructor(path: string, offset: number | undefined, problem: string) {
    const place = offset === undefined ? `"${path}"` : `"${path}" at byte ${offset}`;
    super(`read the write-ahead log ${place}`, `${problem}. ${ADVICE}`);
    this.path = path;
    this.offset = offset;
    this.problem = problem;
  }
}
