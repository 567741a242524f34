/** Cluster: who the members are. Changing them comes with the issue on clusters. */
import { Member, type MemberListRequest, MemberListResponse } from "../proto/etcdserverpb.ts";
import { headerWithRevision } from "./header.ts";
import type { MemberApi } from "./member-api.ts";
import { unimplemented } from "./unimplemented.ts";

export class Cluster {
  readonly #member: MemberApi;
  readonly memberAdd = unimplemented("MemberAdd");
  readonly memberRemove = unimplemented("MemberRemove");
  readonly memberUpdate = unimplemented("MemberUpdate");
  readonly memberPromote = unimplemented("MemberPromote");

  constructor(member: MemberApi) {
    this.#member = member;
  }

  async memberList(request: MemberListRequest): Promise<MemberListResponse> {
    const members = await this.#member.members(request.linearizable);
    return MemberListResponse.create({
      header: headerWithRevision(this.#member, 0),
      members: members.map(({ id, name, peerUrls, clientUrls, isLearner }) =>
        Member.create({ id, name, peerUrls: [...peerUrls], clientUrls: [...clientUrls], isLearner }),
      ),
    });
  }
}
