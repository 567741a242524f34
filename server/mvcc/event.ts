/** A change of a key, as whoever watches it will see it. */
import { type ByteString, fromByteString, toByteString } from "../base/bytes.ts";
import { encodeKeyValue, KeyValue } from "../proto/mvccpb.ts";
import { isTombstone, type Revision, readRevision } from "./revision.ts";

export interface Change {
  readonly type: "put" | "delete";
  readonly key: ByteString;
  readonly revision: Revision;
  /** Encoded KeyValue: of a put as it is stored, of a deletion only its key and its revision. */
  readonly kv: Uint8Array;
  /** The put created the key. */
  readonly created: boolean;
}

/** A put of `kv`, the encoded KeyValue. As etcd has it, a key counts as created in the whole revision that did so. */
export function putChange(key: ByteString, revision: Revision, kv: Uint8Array, createRevision: number): Change {
  return { type: "put", key, revision, kv, created: createRevision === revision.main };
}

export function deleteChange(key: ByteString, revision: Revision): Change {
  const kv = encodeKeyValue({ ...KeyValue.create(), key: fromByteString(key), modRevision: revision.main });
  return { type: "delete", key, revision, kv, created: false };
}

/** The change that a record of the bucket stands for. */
export function changeOf(revisionKey: Uint8Array, value: Uint8Array): Change {
  const { key, createRevision } = KeyValue.decode(value);
  const revision = readRevision(revisionKey);
  if (isTombstone(revisionKey)) return deleteChange(toByteString(key), revision);
  return putChange(toByteString(key), revision, value, createRevision);
}
