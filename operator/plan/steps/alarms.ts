/** An alarm outlives its member: while one is on, clients of the whole cluster are refused. Nobody else takes it back. */
import { acting, type Decision } from "../decision.ts";
import { chooseVoter } from "../disrupt.ts";
import type { View } from "../view.ts";

/** Only of members that a list read through a quorum does not hold: a listed one would be let back in by it. */
export function alarms(view: View): Decision | undefined {
  const { list } = view;
  const via = chooseVoter(view);
  if (list === undefined || via === undefined) return undefined;
  const left = view.seen.etcd?.alarms.find((alarm) => !list.members.some((member) => member.id === alarm.memberId));
  if (left === undefined) return undefined;
  const { memberId, alarm } = left;
  return acting(
    { kind: "disarm", memberId, alarm, via: via.name },
    `alarm ${alarm} of ${memberId}, which is no member any more, is taken back`,
    {
      events: [{ type: "Normal", reason: "AlarmTakenBack", message: `${alarm} of member ${memberId}, which is gone` }],
    },
  );
}
