/** One server under comparison: the calls of the test as status and decoded answer, nothing thrown. */
import { connect, type EtcdClient } from "../../server/client/client.ts";
import type { Request } from "./generator.ts";

/** What came back, in full. `messages` has one for a unary call and all of them for a stream. */
export interface Answer {
  readonly code: number;
  readonly text: string;
  readonly trailers: readonly string[];
  readonly messages: readonly object[];
}

const METHODS: Record<Request["method"], readonly [service: string, method: string]> = {
  range: ["etcdserverpb.KV", "Range"],
  rangeStream: ["etcdserverpb.KV", "RangeStream"],
  put: ["etcdserverpb.KV", "Put"],
  deleteRange: ["etcdserverpb.KV", "DeleteRange"],
  txn: ["etcdserverpb.KV", "Txn"],
  compact: ["etcdserverpb.KV", "Compact"],
  leaseGrant: ["etcdserverpb.Lease", "LeaseGrant"],
  leaseRevoke: ["etcdserverpb.Lease", "LeaseRevoke"],
  leaseTimeToLive: ["etcdserverpb.Lease", "LeaseTimeToLive"],
  leaseLeases: ["etcdserverpb.Lease", "LeaseLeases"],
  hashKv: ["etcdserverpb.Maintenance", "HashKV"],
};

export class Endpoint {
  readonly name: string;
  readonly client: EtcdClient;

  constructor(name: string, address: string) {
    this.name = name;
    this.client = connect(address);
  }

  call(request: Request): Promise<Answer> {
    const [service, method] = METHODS[request.method];
    return this.client.collect(service, method, request.message);
  }

  close(): void {
    this.client.close();
  }
}
