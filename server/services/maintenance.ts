/** Maintenance: what an operator asks of one member. */
import {
  type AlarmRequest,
  type AlarmResponse,
  type DefragmentRequest,
  DefragmentResponse,
  type HashKVRequest,
  HashKVResponse,
  type HashRequest,
  HashResponse,
  type SnapshotRequest,
  type SnapshotResponse,
  type StatusRequest,
  type StatusResponse,
} from "../proto/etcdserverpb.ts";
import type { Call, Outlet } from "./call.ts";
import { withHeader } from "./header.ts";
import type { MemberApi } from "./member-api.ts";
import { SnapshotStream } from "./snapshot-stream.ts";
import { unimplemented } from "./unimplemented.ts";

export class Maintenance {
  readonly #member: MemberApi;
  readonly moveLeader = unimplemented("MoveLeader");
  readonly downgrade = unimplemented("Downgrade");

  constructor(member: MemberApi) {
    this.#member = member;
  }

  /** Listing alarms goes through the log too, as in etcd: the answer is never stale. */
  async alarm(request: AlarmRequest, call: Call): Promise<AlarmResponse> {
    return withHeader(await this.#member.alarm(request, call), this.#member);
  }

  status(_request: StatusRequest): StatusResponse {
    return this.#member.status();
  }

  /** Answers without a header. */
  async defragment(_request: DefragmentRequest): Promise<DefragmentResponse> {
    await this.#member.defragment();
    return DefragmentResponse.create();
  }

  hash(_request: HashRequest): HashResponse {
    return withHeader(HashResponse.create({ hash: this.#member.hash() }), this.#member);
  }

  async hashKv(request: HashKVRequest): Promise<HashKVResponse> {
    const { hash, compactRevision, hashRevision } = await this.#member.hashKv(request.revision);
    return withHeader(HashKVResponse.create({ hash, compactRevision, hashRevision }), this.#member);
  }

  snapshot(_request: SnapshotRequest, call: Call, outlet: Outlet<SnapshotResponse>): void {
    new SnapshotStream(this.#member, call, outlet).start();
  }
}
