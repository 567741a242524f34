/** The members of an etcd cluster, asked over gRPC: each call goes to one member, once, and has an end. */
import { utf8Bytes } from "../../server/base/bytes.ts";
import type { Client } from "../../server/client/client.ts";
import { AlarmAction, AlarmType, type Member } from "../../server/proto/etcdserverpb.ts";
import { type Method, SERVICES } from "../../server/proto/services.ts";
import { type ChannelBounds, Channels } from "./channels.ts";
import {
  type Endpoint,
  type EtcdAdmin,
  type EtcdMember,
  EtcdRefusal,
  type LoadedFingerprints,
  type MemberAlarm,
  type MemberList,
  type MemberStatus,
} from "./etcd-admin.ts";
import { readLoadedCertificates } from "./loaded-certificates.ts";
import { refusalOf } from "./refusals.ts";

const { cluster, maintenance, kv } = SERVICES;

/** A cluster of seven asks for seven; two hundred of three for six hundred. */
const BOUNDS: ChannelBounds = { max: 1024, idleMs: 150_000 };

/** Read by every probe; as with etcd's own health check it need not exist. */
const PROBED_KEY = utf8Bytes("health");

/** How long calls took and how they ended, for metrics; `outcome` is "ok" or a `RefusalKind`. */
export type CallObserver = (call: string, outcome: string, seconds: number) => void;

export class GrpcEtcdAdmin implements EtcdAdmin {
  readonly #channels: Channels;
  readonly #observe: CallObserver;

  constructor(observe: CallObserver = () => undefined, bounds: ChannelBounds = BOUNDS) {
    this.#channels = new Channels(bounds, () => performance.now());
    this.#observe = observe;
  }

  async members(endpoint: Endpoint, timeoutMs: number, isSerializable = false): Promise<MemberList> {
    const request = { linearizable: !isSerializable };
    const { header, members } = await this.#call(endpoint, cluster.methods.memberList, request, timeoutMs);
    return {
      clusterId: idText(header?.clusterId ?? 0n),
      memberId: idText(header?.memberId ?? 0n),
      members: members.map(memberOf),
    };
  }

  async status(endpoint: Endpoint, timeoutMs: number): Promise<MemberStatus> {
    const answer = await this.#call(endpoint, maintenance.methods.status, {}, timeoutMs);
    return {
      clusterId: idText(answer.header?.clusterId ?? 0n),
      memberId: idText(answer.header?.memberId ?? 0n),
      version: answer.version,
      storageVersion: answer.storageVersion,
      leaderId: answer.leader === 0n ? "" : idText(answer.leader),
      isLearner: answer.isLearner,
      raftTerm: answer.raftTerm,
      raftIndex: answer.raftIndex,
      appliedIndex: answer.raftAppliedIndex,
      dbSize: answer.dbSize,
      dbSizeInUse: answer.dbSizeInUse,
      errors: answer.errors,
    };
  }

  async alarms(endpoint: Endpoint, timeoutMs: number): Promise<readonly MemberAlarm[]> {
    const request = { action: AlarmAction.GET, memberId: 0n, alarm: AlarmType.NONE };
    const { alarms } = await this.#call(endpoint, maintenance.methods.alarm, request, timeoutMs);
    return alarms.flatMap(({ memberId, alarm }) => {
      if (alarm === AlarmType.NONE) return [];
      return [{ memberId: idText(memberId), alarm: alarm === AlarmType.CORRUPT ? "CORRUPT" : "NOSPACE" }];
    });
  }

  async probe(endpoint: Endpoint, timeoutMs: number): Promise<void> {
    await this.#call(endpoint, kv.methods.range, { key: PROBED_KEY, countOnly: true }, timeoutMs);
  }

  async addLearner(endpoint: Endpoint, peerUrl: string, timeoutMs: number): Promise<EtcdMember> {
    const request = { peerUrls: [peerUrl], isLearner: true };
    const { member } = await this.#call(endpoint, cluster.methods.memberAdd, request, timeoutMs);
    if (member === undefined) throw new EtcdRefusal("unknown", "the answer names no member");
    return memberOf(member);
  }

  async promote(endpoint: Endpoint, memberId: string, timeoutMs: number): Promise<void> {
    await this.#call(endpoint, cluster.methods.memberPromote, { id: idOf(memberId) }, timeoutMs);
  }

  async remove(endpoint: Endpoint, memberId: string, timeoutMs: number): Promise<void> {
    await this.#call(endpoint, cluster.methods.memberRemove, { id: idOf(memberId) }, timeoutMs);
  }

  async moveLeader(endpoint: Endpoint, targetId: string, timeoutMs: number): Promise<void> {
    await this.#call(endpoint, maintenance.methods.moveLeader, { targetId: idOf(targetId) }, timeoutMs);
  }

  async defragment(endpoint: Endpoint, timeoutMs: number): Promise<void> {
    await this.#call(endpoint, maintenance.methods.defragment, {}, timeoutMs);
  }

  async disarm(endpoint: Endpoint, memberId: string, alarm: MemberAlarm["alarm"], timeoutMs: number): Promise<void> {
    const request = { action: AlarmAction.DEACTIVATE, memberId: idOf(memberId), alarm: AlarmType[alarm] };
    await this.#call(endpoint, maintenance.methods.alarm, request, timeoutMs);
  }

  loadedCertificates(metricsUrl: string, timeoutMs: number): Promise<LoadedFingerprints> {
    return readLoadedCertificates(metricsUrl, timeoutMs);
  }

  /** Closes every channel. */
  close(): void {
    this.#channels.close();
  }

  async #call<Req, Res>(
    endpoint: Endpoint,
    method: Method<"unary", Req, Res>,
    request: Partial<Req>,
    timeoutMs: number,
  ): Promise<Res> {
    const { client, giveBack } = this.#channels.lend(endpoint);
    const start = performance.now();
    const { response, refusal } = await asked(client, method, request, timeoutMs);
    giveBack(refusal?.kind === "unknown");
    this.#observe(method.name, refusal?.kind ?? "ok", (performance.now() - start) / 1000);
    if (response === undefined) throw refusal ?? new EtcdRefusal("unknown", "no answer");
    return response;
  }
}

interface Asked<Res> {
  readonly response?: Res;
  readonly refusal?: EtcdRefusal;
}

/** One attempt. An answer that cannot be read is as good as none. */
async function asked<Req, Res>(
  client: Client,
  method: Method<"unary", Req, Res>,
  request: Partial<Req>,
  timeoutMs: number,
): Promise<Asked<Res>> {
  try {
    const { response, status } = await client.call(method, request, { timeoutMs });
    return response === undefined ? { refusal: refusalOf(status) } : { response };
  } catch (error) {
    return { refusal: new EtcdRefusal("unknown", (error as Error).message) };
  }
}

function memberOf({ id, name, peerUrls, clientUrls, isLearner }: Member): EtcdMember {
  return { id: idText(id), name, peerUrls, clientUrls, isLearner };
}

/** 16 digits of lower-case hex. */
function idText(id: bigint): string {
  return BigInt.asUintN(64, id).toString(16).padStart(16, "0");
}

function idOf(text: string): bigint {
  if (!/^[0-9a-f]{16}$/.test(text)) throw new EtcdRefusal("other", `"${text}" is no id: 16 digits of lower-case hex`);
  return BigInt(`0x${text}`);
}
