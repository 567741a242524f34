/** The rows of the table: what each is called, its unit, and what it is held against. How it is measured: experiments. */
import type { Goal } from "./verdict.ts";

export interface Row {
  readonly name: string;
  readonly unit: string;
  readonly goal: Goal;
}

const more = (aim: number, floor: number): Goal => ({ of: "ratio", better: "more", aim, floor });
const less = (aim: number, floor: number): Goal => ({ of: "ratio", better: "less", aim, floor });
const atMost = (aim: number, floor: number): Goal => ({ of: "ours", better: "less", aim, floor });

export const ROWS = {
  rangeSerializable: { name: "range serializable, 1000 in flight", unit: "/s", goal: more(5, 4) },
  rangeTls: { name: "range serializable over TLS, 1000 in flight", unit: "/s", goal: more(12, 8) },
  rangeLinearizable: { name: "range linearizable, 1000 in flight", unit: "/s", goal: more(4.5, 3.5) },
  rangeLatency: { name: "range p50, 1 in flight", unit: "us", goal: less(0.6, 0.8) },
  put1000: { name: "put, 1000 in flight", unit: "/s", goal: more(5, 2.5) },
  put100: { name: "put, 100 in flight", unit: "/s", goal: more(4, 2.5) },
  putGo1000: { name: "put by etcd's benchmark, 1000 clients", unit: "/s", goal: more(2.4, 1.8) },
  putGo1: { name: "put by etcd's benchmark, 1 client", unit: "/s", goal: more(1.3, 1.1) },
  putLatency: { name: "put p50, 1 in flight", unit: "us", goal: less(0.7, 0.85) },
  update: { name: "txn compare-and-put 1 KiB, 1000 in flight", unit: "/s", goal: more(4, 2.5) },
  list: { name: "list of 500 x 1 KiB, 16 in flight", unit: "/s", goal: more(3, 2) },
  watch: { name: "watch fan-out 1 to 1000", unit: "events/s", goal: more(15, 10) },
  keepalive: { name: "keepalives, 200 streams", unit: "/s", goal: more(1.5, 1) },
  memory: { name: "size: RSS with 1 M keys", unit: "MiB", goal: less(1, 1.2) },
  restart: { name: "size: restart with 1 M keys", unit: "ms", goal: less(0.5, 0.8) },
  compaction: { name: "stall while compacting 300 k revisions", unit: "ms", goal: atMost(20, 50) },
  defragment: { name: "stall while giving space back", unit: "ms", goal: atMost(20, 50) },
  clusterPut1: { name: "three members: put, 1 in flight", unit: "/s", goal: more(1.4, 1.4) },
  clusterPut10: { name: "three members: put, 10 in flight", unit: "/s", goal: more(2.5, 2.5) },
  clusterPut100: { name: "three members: put, 100 in flight", unit: "/s", goal: more(3, 3) },
  clusterPut1000: { name: "three members: put, 1000 in flight", unit: "/s", goal: more(3.2, 3.2) },
  clusterPutTail: { name: "three members: put p99, 1 in flight", unit: "us", goal: less(1, 1) },
  clusterRange: { name: "three members: range by a follower", unit: "/s", goal: more(3, 3) },
  clusterFailover: { name: "three members: away after kill -9 of the leader", unit: "ms", goal: less(1, 1) },
  clusterMemory: { name: "three members: RSS of all", unit: "MiB", goal: less(1, 1) },
  clusterCatchUp: { name: "three members: a new one catches up", unit: "ms", goal: less(1.2, 1.2) },
  clusterStall: { name: "three members: stall meanwhile", unit: "ms", goal: atMost(20, 20) },
  kubernetes: {
    name: "kube-apiserver: creates, updates, lists; the store's processor time",
    unit: "",
    goal: { of: "elsewhere", aim: "1x; 0.5x", floor: "1x; 0.8x", by: "npm run test:kubernetes -- bench" },
  },
} as const satisfies Record<string, Row>;

export type RowId = keyof typeof ROWS;

export const ROW_IDS: readonly RowId[] = Object.keys(ROWS) as RowId[];

/** Rows whose name has one of the parts in it; all when there is no part. */
export function chosenRows(parts: readonly string[]): RowId[] {
  return ROW_IDS.filter((id) => parts.length === 0 || parts.some((part) => ROWS[id].name.includes(part)));
}
