/** Alarms, the cluster's version, what members say of themselves, and changes of membership. */
import { utf8Bytes, utf8Text } from "../base/bytes.ts";
import { EtcdError } from "../base/error.ts";
import { asId, parseJsonWithIds, writeJsonWithIds } from "../base/json-ids.ts";
import { decodeMember, type Membership } from "../cluster/membership.ts";
import type { Backend } from "../ports/backend.ts";
import { AlarmAction, type AlarmRequest, AlarmResponse, AlarmType } from "../proto/etcdserverpb.ts";
import { type ConfChange, ConfChangeType, type ConfState } from "../proto/raftpb.ts";
import type { State } from "./state.ts";

/** GET lists; the others answer with the alarm that they touched. */
export function executeAlarm(state: State, request: AlarmRequest): AlarmResponse {
  switch (request.action) {
    case AlarmAction.GET:
      return AlarmResponse.create({ alarms: state.alarms.list(request.alarm) });
    case AlarmAction.ACTIVATE: {
      if (request.alarm === AlarmType.NONE) return AlarmResponse.create();
      return AlarmResponse.create({ alarms: [state.alarms.activate(request.memberId, request.alarm)] });
    }
    case AlarmAction.DEACTIVATE: {
      const ended = state.alarms.deactivate(request.memberId, request.alarm);
      return AlarmResponse.create({ alarms: ended === undefined ? [] : [ended] });
    }
    default:
      return AlarmResponse.create();
  }
}

/**
 * Why a change of membership has no effect; undefined: it has. Asked before it is proposed, and again where it stands in
 * the log, where every member must come to the same: `maxLearners` is a setting that all of them share, as in etcd.
 */
export function checkConfChange(
  membership: Membership,
  change: ConfChange,
  maxLearners: number,
): EtcdError | undefined {
  const { nodeId } = change;
  if (membership.isRemoved(nodeId)) return new EtcdError("MemberNotFound");
  const known = membership.get(nodeId);
  if (change.type === ConfChangeType.REMOVE_NODE)
    return known === undefined ? new EtcdError("MemberNotFound") : undefined;
  const { isPromote, peerUrls } = decodeMember(utf8Text(change.context));
  const others = membership.list().filter(({ id }) => id !== nodeId);
  const takesUrl = others.some((other) => other.peerUrls.some((url) => peerUrls.includes(url)));
  if (change.type === ConfChangeType.UPDATE_NODE) {
    if (known === undefined) return new EtcdError("MemberNotFound");
    return takesUrl ? new EtcdError("PeerUrlExists") : undefined;
  }
  if (isPromote) {
    if (known === undefined) return new EtcdError("MemberNotFound");
    return known.isLearner ? undefined : new EtcdError("MemberNotLearner");
  }
  if (known !== undefined) return new EtcdError("MemberExists");
  if (takesUrl) return new EtcdError("PeerUrlExists");
  if (change.type !== ConfChangeType.ADD_LEARNER_NODE) return undefined;
  const learners = others.filter(({ isLearner }) => isLearner).length;
  return learners >= maxLearners ? new EtcdError("TooManyLearners") : undefined;
}

/** Carries a committed change of membership into the one store of membership. */
export function executeConfChange(state: State, change: ConfChange): void {
  switch (change.type) {
    case ConfChangeType.ADD_NODE:
    case ConfChangeType.ADD_LEARNER_NODE: {
      const { isPromote, ...member } = decodeMember(utf8Text(change.context));
      if (isPromote) state.membership.promote(member.id);
      else state.membership.add({ ...member, isLearner: change.type === ConfChangeType.ADD_LEARNER_NODE });
      return;
    }
    case ConfChangeType.REMOVE_NODE:
      state.membership.remove(change.nodeId);
      return;
    case ConfChangeType.UPDATE_NODE: {
      const member = decodeMember(utf8Text(change.context));
      state.membership.setPeerUrls(member.id, member.peerUrls);
      return;
    }
    default:
  }
}

const CONF_STATE_KEY = utf8Bytes("confState");

/** What `storeConfState` has kept; undefined: nothing yet. Throws `SyntaxError` on what is not etcd's JSON. */
export function loadConfState(backend: Pick<Backend, "get">): ConfState | undefined {
  const stored = backend.get("meta", CONF_STATE_KEY);
  if (stored === undefined) return undefined;
  const value = parseJsonWithIds(utf8Text(stored)) as Record<string, unknown>;
  const ids = (name: string) => (Array.isArray(value[name]) ? value[name].map(asId) : []);
  return {
    voters: ids("voters"),
    learners: ids("learners"),
    votersOutgoing: ids("voters_outgoing"),
    learnersNext: ids("learners_next"),
    autoLeave: value["auto_leave"] === true,
  };
}

/** Keeps raft's configuration beside the data, as etcd does in the bucket `meta`. */
export function storeConfState(backend: Pick<Backend, "put">, conf: ConfState): void {
  const orUndefined = (ids: readonly bigint[]) => (ids.length === 0 ? undefined : ids);
  const text = writeJsonWithIds({
    voters: orUndefined(conf.voters),
    learners: orUndefined(conf.learners),
    voters_outgoing: orUndefined(conf.votersOutgoing),
    learners_next: orUndefined(conf.learnersNext),
    auto_leave: conf.autoLeave,
  });
  backend.put("meta", CONF_STATE_KEY, utf8Bytes(text));
}
