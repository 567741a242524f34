/** Cluster: who the members are, and changing that. */
import { EtcdError } from "../base/error.ts";
import {
  Member,
  type MemberAddRequest,
  MemberAddResponse,
  type MemberListRequest,
  MemberListResponse,
  type MemberPromoteRequest,
  MemberPromoteResponse,
  type MemberRemoveRequest,
  MemberRemoveResponse,
  type MemberUpdateRequest,
  MemberUpdateResponse,
} from "../proto/etcdserverpb.ts";
import { headerWithRevision } from "./header.ts";
import type { MemberApi, MemberOfCluster } from "./member-api.ts";

/** What peers can be found at: a scheme, a host, a port, and nothing behind it. */
const PEER_URL = /^https?:\/\/[^/?#\s]+:\d{1,5}\/?$/;
const PEER_URLS_MAX = 64;
const PORT_MAX = 65_535;

export class Cluster {
  readonly #member: MemberApi;

  constructor(member: MemberApi) {
    this.#member = member;
  }

  async memberAdd({ peerUrls, isLearner }: MemberAddRequest): Promise<MemberAddResponse> {
    checkPeerUrls(peerUrls);
    const member = memberOf(await this.#member.changes.add(peerUrls, isLearner));
    return MemberAddResponse.create({ ...(await this.#list()), member });
  }

  async memberRemove({ id }: MemberRemoveRequest): Promise<MemberRemoveResponse> {
    await this.#member.changes.remove(id);
    return MemberRemoveResponse.create(await this.#list());
  }

  async memberUpdate({ id, peerUrls }: MemberUpdateRequest): Promise<MemberUpdateResponse> {
    checkPeerUrls(peerUrls);
    await this.#member.changes.update(id, peerUrls);
    return MemberUpdateResponse.create(await this.#list());
  }

  async memberPromote({ id }: MemberPromoteRequest): Promise<MemberPromoteResponse> {
    await this.#member.changes.promote(id);
    return MemberPromoteResponse.create(await this.#list());
  }

  async memberList({ linearizable }: MemberListRequest): Promise<MemberListResponse> {
    return MemberListResponse.create(await this.#list(linearizable));
  }

  async #list(linearizable = false) {
    const members = (await this.#member.members(linearizable)).map(memberOf);
    return { header: headerWithRevision(this.#member, 0), members };
  }
}

function memberOf({ id, name, peerUrls, clientUrls, isLearner }: MemberOfCluster): Member {
  return Member.create({ id, name, peerUrls: [...peerUrls], clientUrls: [...clientUrls], isLearner });
}

function checkPeerUrls(urls: readonly string[]): void {
  const isGood = (url: string) => PEER_URL.test(url) && Number(/:(\d+)\/?$/.exec(url)?.[1]) <= PORT_MAX;
  if (urls.length === 0 || urls.length > PEER_URLS_MAX || !urls.every(isGood)) throw new EtcdError("BadMemberUrls");
}
