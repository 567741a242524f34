/** Alarms, the cluster's version, what members say of themselves, and changes of membership. */
import { utf8Bytes, utf8Text } from "../base/bytes.ts";
import { writeJsonWithIds } from "../base/json-ids.ts";
import { decodeMember } from "../cluster/membership.ts";
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

/** Keeps raft's configuration beside the data, as etcd does in the bucket `meta`. */
export function storeConfState(state: State, conf: ConfState): void {
  const orUndefined = (ids: readonly bigint[]) => (ids.length === 0 ? undefined : ids);
  const text = writeJsonWithIds({
    voters: orUndefined(conf.voters),
    learners: orUndefined(conf.learners),
    voters_outgoing: orUndefined(conf.votersOutgoing),
    learners_next: orUndefined(conf.learnersNext),
    auto_leave: conf.autoLeave,
  });
  state.backend.put("meta", CONF_STATE_KEY, utf8Bytes(text));
}
