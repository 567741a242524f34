/**
 * What is kept in memory of a store, read from one that is not in use yet: in slices, and each record of it is looked at,
 * so that a damaged one is found before anybody relies on it.
 */
import { restoreLeaseSteps } from "../apply/lease-requests.ts";
import { AssertionFailure } from "../base/assert.ts";
import { Alarms } from "../cluster/alarms.ts";
import { Membership } from "../cluster/membership.ts";
import type { Lessor } from "../lease/lessor.ts";
import type { Contents } from "../mvcc/contents.ts";
import { readContents } from "../mvcc/restore.ts";
import { type Backend, type BackendReader, CorruptRecord } from "../ports/backend.ts";

/** As it will be, once the store is the member's own. */
export interface ReadState {
  readonly contents: Contents;
  readonly lessor: Lessor;
}

export interface ReadStateOptions {
  readonly reader: BackendReader;
  /** The present one: only for what has to have one. Neither read nor written. */
  readonly backend: Backend;
  /** Any 32 bits, see `KeyTable`. */
  readonly hashSeed: number;
  /** Empty; it is filled. */
  readonly lessor: Lessor;
}

/**
 * Yields every millisecond or so. Throws `CorruptRecord` at the first record that is not what etcd stores there. A broken
 * promise of our own is not the sender's fault and stays what it is.
 */
export function* readStateSteps(options: ReadStateOptions): Generator<void, ReadState> {
  try {
    return yield* steps(options);
  } catch (error) {
    if (error instanceof CorruptRecord || error instanceof AssertionFailure) throw error;
    // Whoever made it may have put anything there: what we rely on elsewhere is no promise of theirs.
    throw new CorruptRecord(`the records do not fit each other: ${String(error)}`);
  }
}

function* steps({ reader, backend, hashSeed, lessor }: ReadStateOptions): Generator<void, ReadState> {
  checkRead("members", () => new Membership(backend).restore(reader));
  checkRead("alarm", () => new Alarms(backend).restore(reader));
  yield;
  const keys = readContents(reader, hashSeed);
  let step = keys.next();
  for (; step.done !== true; step = keys.next()) yield;
  const contents = step.value;
  yield* restoreLeaseSteps(reader, contents.leases.entries(), lessor);
  contents.leases.clear();
  return { contents, lessor };
}

/** What these few small buckets hold is read again when the store is in use. */
function checkRead(bucket: string, read: () => void): void {
  try {
    read();
  } catch (error) {
    if (error instanceof CorruptRecord || error instanceof AssertionFailure) throw error;
    throw new CorruptRecord(`a record in bucket "${bucket}" is damaged: ${String(error)}`);
  }
}
