/** What version the store says it is of: the cluster's, as all members read it. Only etcd since 3.6 says so. */
import { utf8Bytes, utf8Text } from "../base/bytes.ts";
import type { Backend } from "../ports/backend.ts";
import { compareVersions } from "./cluster-version.ts";

/** The first version whose store says what it is. */
const OLDEST_STORAGE = "3.6.0";
const STORAGE_VERSION_KEY = utf8Bytes("storageVersion");

/** "3.7.0"; "unknown" while the store says nothing. */
export function storageVersionOf(backend: Pick<Backend, "get">): string {
  const value = backend.get("meta", STORAGE_VERSION_KEY);
  return value === undefined ? "unknown" : utf8Text(value);
}

/** Makes the store one of the cluster's version; whether it was another before. */
export function noteStorageVersion(backend: Pick<Backend, "get" | "put">, clusterVersion: string | undefined): boolean {
  if (clusterVersion === undefined || storageVersionOf(backend) === clusterVersion) return false;
  if (compareVersions(clusterVersion, OLDEST_STORAGE) < 0) return false;
  backend.put("meta", STORAGE_VERSION_KEY, utf8Bytes(clusterVersion));
  return true;
}
