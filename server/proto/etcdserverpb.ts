/** etcdserverpb: the messages of etcd's own services and of its log, gathered from one file per service. */
export * from "./etcdserverpb/auth.ts";
export * from "./etcdserverpb/cluster.ts";
export { ResponseHeader, revisionHeader } from "./etcdserverpb/header.ts";
export * from "./etcdserverpb/kv.ts";
export * from "./etcdserverpb/lease.ts";
export * from "./etcdserverpb/maintenance.ts";
export * from "./etcdserverpb/raft-internal.ts";
export * from "./etcdserverpb/range-parts.ts";
export * from "./etcdserverpb/txn.ts";
export * from "./etcdserverpb/watch.ts";
