/** Names of the backend's buckets: etcd's. What is inside one belongs to the room that owns it. */
export type Bucket =
  | "key" // mvcc: revision -> KeyValue
  | "meta" // apply, mvcc: consistent_index, term, confState, scheduledCompactRev, finishedCompactRev, storageVersion
  | "lease" // apply: id -> leasepb.Lease
  | "alarm" // cluster
  | "cluster" // cluster: clusterVersion, downgrade
  | "members" // cluster: hex id -> JSON
  | "members_removed" // cluster
  | "auth" // auth
  | "authUsers"
  | "authRoles";

/** In the order of their names, as etcd's Hash walks them. */
export const BUCKETS: readonly Bucket[] = [
  "alarm",
  "auth",
  "authRoles",
  "authUsers",
  "cluster",
  "key",
  "lease",
  "members",
  "members_removed",
  "meta",
];
