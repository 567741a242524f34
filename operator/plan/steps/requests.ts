/** Requests by annotation: each is carried out once for its text, which is then kept in the status. */
import type { RequestName } from "../../api/names.ts";
import type { Happening } from "../action.ts";
import { acting, type Decision, type Doing, type Learnt, waiting } from "../decision.ts";
import { chooseVoter, disrupt, LEADER_MOVES_MAX } from "../disrupt.ts";
import { gate } from "../gate.ts";
import { growthGivenUp } from "../growth.ts";
import { isHealthyVoter, type Member } from "../members.ts";
import { isOutdated } from "../target.ts";
import type { Request, View } from "../view.ts";

export function requests(view: View): Decision | undefined {
  const of = (
    name: RequestName,
    carryOut: (view: View, request: Request) => Decision | undefined,
  ): Decision | undefined => {
    const request = view.requests.get(name);
    return request === undefined ? undefined : carryOut(view, request);
  };
  return (
    of("restart", restarted) ??
    of("replaceMember", replaced) ??
    of("moveLeader", moveLeader) ??
    of("defrag", defragment) ??
    of("rotateCertificates", rotateCertificates)
  );
}

/** The roll-out has come before: when it has nothing left to do, all have been restarted. */
function restarted(view: View, request: Request): Decision | undefined {
  const left = view.voters.find((member) => isOutdated(view, member));
  if (left !== undefined) return undefined;
  return handled(view, "restart", request, "every member has been restarted");
}

/** So has scaling. */
function replaced(view: View, request: Request): Decision {
  const left = view.members.find((member) => member.name === request.value && member.listed !== undefined);
  if (left === undefined) return handled(view, "replaceMember", request, `${request.value || "nobody"} is no member`);
  const givenUp = growthGivenUp(view);
  if (givenUp !== undefined) return refuse(view, "replaceMember", request, givenUp);
  return waiting(`${left.name} is to be replaced: ${gate(view) ?? "it is on its way"}`, {
    doing: { type: "Request", member: left.name, step: "ReplacingMember" },
  });
}

function moveLeader(view: View, request: Request): Decision {
  const doing: Doing = { type: "Request", member: request.value, step: "MovingLeader", countsAttempts: true };
  const target = view.voters.find((member) => member.name === request.value);
  if (target?.id === undefined)
    return refuse(view, "moveLeader", request, `${request.value || "nobody"} is no voter: name one, as MEMBER:NONCE`);
  if (target.isLeader) return handled(view, "moveLeader", request, `${target.name} leads`);
  const before = view.status.operation;
  if (before?.type === doing.type && before.member === target.name && before.attempts >= LEADER_MOVES_MAX)
    return refuse(view, "moveLeader", request, `${target.name} does not lead after ${before.attempts} tries`);
  const fault = gate(view);
  if (fault !== undefined || view.leader === undefined)
    return waiting(`${target.name} is to lead: ${fault ?? "there is no leader"}`, {
      doing: { ...doing, step: "WaitingForHealth" },
    });
  return acting(
    { kind: "move-leader", from: view.leader.name, to: target.name, toId: target.id },
    `leadership moves from ${view.leader.name} to ${target.name}`,
    { doing },
  );
}

/** One member a time, the leader last. That a member is out of space is no hindrance: it is what this mends. */
function defragment(view: View, request: Request): Decision {
  const done = (member: Member): boolean => view.status.handledRequests?.[progress(member)] === request.nonce;
  const chosen = view.voters.filter((member) => request.value === "" || member.name === request.value);
  if (chosen.length === 0) return refuse(view, "defrag", request, `${request.value} is no voter`);
  const [next] = chosen
    .filter((member) => !done(member))
    .sort((left, right) => Number(left.isLeader) - Number(right.isLeader) || left.serial - right.serial);
  if (next === undefined)
    return disarm(view, request) ?? handled(view, "defrag", request, `${chosen.length} members are defragmented`);
  const doing: Doing = { type: "Request", member: next.name, step: "Defragmenting" };
  const decision = isHealthyVoter(next)
    ? disrupt(view, next, "defragment", "defragmentation was asked for", doing)
    : waiting(`${next.name} is not well enough to be defragmented`, { doing });
  if (decision.action.kind !== "defragment") return decision;
  return {
    ...decision,
    learns: { handledRequests: { ...view.status.handledRequests, [progress(next)]: request.nonce } },
  };
}

/** Space has been given back: the alarm that there was none goes, once; it is raised again where there still is none. */
function disarm(view: View, request: Request): Decision | undefined {
  const done = view.status.handledRequests ?? {};
  const alarm = view.seen.etcd?.alarms.find(
    (one) => one.alarm === "NOSPACE" && done[`defrag.${one.memberId}`] !== request.nonce,
  );
  const via = chooseVoter(view);
  if (alarm === undefined || via === undefined) return undefined;
  return acting(
    { kind: "disarm", memberId: alarm.memberId, alarm: alarm.alarm, via: via.name },
    `alarm NOSPACE of ${alarm.memberId} is taken back after defragmentation`,
    {
      doing: { type: "Request", step: "TakingBackAlarm" },
      learns: { handledRequests: { ...done, [`defrag.${alarm.memberId}`]: request.nonce } },
    },
  );
}

function progress(member: Member): string {
  return `defrag.${member.name}`;
}

/**
 * The authorities are replaced; what they sign follows by itself. Whether it has been done stands on their Secrets, as a
 * call may fail after the status was written, or be carried out without an answer.
 */
function rotateCertificates(view: View, request: Request): Decision {
  const authorities = view.builders.secrets(view.cluster).filter((need) => need.isAuthority === true);
  if (authorities.length === 0)
    return refuse(
      view,
      "rotateCertificates",
      request,
      "no certificate of this cluster comes from the operator's own authority",
    );
  const left = authorities
    .map((need) => need.name)
    .filter((name) => view.seen.secrets.get(name)?.rotation !== request.nonce);
  if (left.length === 0)
    return handled(view, "rotateCertificates", request, "the authorities are new, and what they sign follows");
  return acting(
    { kind: "issue-certificates", secrets: left, rotation: request.nonce },
    `authorities are renewed: ${left.join(", ")}`,
    {
      doing: { type: "Request", step: "RotatingCertificates" },
      events: [{ type: "Normal", reason: "CertificatesRotating", message: left.join(", ") }],
    },
  );
}

function handled(view: View, name: RequestName, request: Request, message: string): Decision {
  return close(view, name, request, {
    type: "Normal",
    reason: "RequestDone",
    message: `${name} ${request.nonce}: ${message}`,
  });
}

function refuse(view: View, name: RequestName, request: Request, message: string): Decision {
  return close(view, name, request, {
    type: "Warning",
    reason: "RequestRefused",
    message: `${name} ${request.nonce}: ${message}`,
  });
}

function close(view: View, name: RequestName, request: Request, event: Happening): Decision {
  const kept = Object.entries(view.status.handledRequests ?? {}).filter(
    ([key]) => name !== "defrag" || !key.startsWith("defrag."),
  );
  const learns: Learnt = { handledRequests: { ...Object.fromEntries(kept), [name]: request.nonce } };
  return waiting(event.message, { learns, events: [event], againInMs: 1000 });
}
