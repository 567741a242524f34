/** Maintenance: what an operator asks of one member. */
import { EtcdError, WorldError } from "../base/error.ts";
import {
  type AlarmRequest,
  type AlarmResponse,
  type DefragmentRequest,
  DefragmentResponse,
  type HashKVRequest,
  HashKVResponse,
  type HashRequest,
  HashResponse,
  type MoveLeaderRequest,
  MoveLeaderResponse,
  type SnapshotRequest,
  type SnapshotResponse,
  type StatusRequest,
  type StatusResponse,
} from "../proto/etcdserverpb.ts";
import type { Call, Outlet } from "./call.ts";
import { withHeader } from "./header.ts";
import { HeavyReads, type Steps } from "./heavy-reads.ts";
import type { MemberApi } from "./member-api.ts";
import { SnapshotStream } from "./snapshot-stream.ts";
import { unimplemented } from "./unimplemented.ts";

export class Maintenance {
  readonly #member: MemberApi;
  readonly downgrade = unimplemented("Downgrade");

  readonly #reads: HeavyReads;
  /** Hashes of keys go one after another: each is in slices, but so many at once would be one long one. */
  #hashing: Promise<unknown> = Promise.resolve();

  /** `reads`: the turns of all that may be long; without them everything is done at once. */
  constructor(member: MemberApi, reads: HeavyReads = new HeavyReads(undefined)) {
    this.#member = member;
    this.#reads = reads;
  }

  /** Listing alarms goes through the log too, as in etcd: the answer is never stale. */
  async alarm(request: AlarmRequest, call: Call): Promise<AlarmResponse> {
    return withHeader(await this.#member.alarm(request, call), this.#member);
  }

  status(_request: StatusRequest): StatusResponse {
    return this.#member.status();
  }

  /** Answers without a header. */
  async moveLeader({ targetId }: MoveLeaderRequest): Promise<MoveLeaderResponse> {
    await this.#member.moveLeader(targetId);
    return MoveLeaderResponse.create();
  }

  /** Answers without a header. One that fails leaves the store as it was, and is no reason to stop serving. */
  async defragment(_request: DefragmentRequest): Promise<DefragmentResponse> {
    try {
      await this.#member.defragment();
    } catch (error) {
      if (error instanceof WorldError) throw new EtcdError("DefragmentationFailed", error.message);
      throw error;
    }
    return DefragmentResponse.create();
  }

  async hash(_request: HashRequest, call: Call): Promise<HashResponse> {
    const hash = await this.#reads.run(call, hashSteps(this.#member));
    return withHeader(HashResponse.create({ hash }), this.#member);
  }

  async hashKv(request: HashKVRequest, call: Call): Promise<HashKVResponse> {
    const turn = this.#hashing.then(() => {
      if (call.canceled) throw new EtcdError("Canceled"); // nobody hears it
      return this.#member.hashKv(request.revision);
    });
    this.#hashing = turn.catch(() => undefined);
    const { hash, compactRevision, hashRevision } = await turn;
    return withHeader(HashKVResponse.create({ hash, compactRevision, hashRevision }), this.#member);
  }

  snapshot(_request: SnapshotRequest, call: Call, outlet: Outlet<SnapshotResponse>): void {
    new SnapshotStream(this.#member, call, outlet).start();
  }
}

/** They hold nothing in memory. */
function* hashSteps(member: MemberApi): Steps<number> {
  const steps = member.hashSteps();
  for (let step = steps.next(); ; step = steps.next()) {
    if (step.done === true) return step.value;
    yield 0;
  }
}
