/** Ids of members and clusters, derived as etcd derives them: every member must come to the same numbers. */
import { concatBytes, utf8Bytes } from "../base/bytes.ts";
import { sha1 } from "../base/digest.ts";
import { idBytes, readUnsignedId } from "../base/int64.ts";

/**
 * The id of a member: the first 8 bytes of SHA-1 over its sorted peer URLs and the cluster token. A member added later
 * mixes in the time of its addition in whole seconds, so that the same URLs never give a removed id again.
 */
export function memberIdOf(peerUrls: readonly string[], clusterToken: string, addedAtSeconds?: number): bigint {
  const text =
    [...peerUrls].sort().join("") + clusterToken + (addedAtSeconds === undefined ? "" : String(addedAtSeconds));
  return readUnsignedId(sha1(utf8Bytes(text)));
}

/** The id of a cluster: the first 8 bytes of SHA-1 over its first members' ids in rising order. */
export function clusterIdOf(memberIds: readonly bigint[]): bigint {
  const sorted = [...memberIds].sort((left, right) => (left < right ? -1 : left > right ? 1 : 0));
  return readUnsignedId(sha1(concatBytes(sorted.map(idBytes))));
}
