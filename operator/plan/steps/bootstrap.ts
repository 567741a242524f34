/**
 * A cluster is formed once, by one member that starts it alone; all others join. Its id is then latched, in the status
 * and on the claim, and from then on no member is ever told to start a cluster again.
 */
import { ANNOTATIONS, memberName } from "../../api/names.ts";
import { acting, type Decision, type Doing, stalled, waiting } from "../decision.ts";
import { deletePod } from "../disrupt.ts";
import { createClaim, createPod } from "../make.ts";
import { isNodeLost, type Member, takesNoPart } from "../members.ts";
import type { View } from "../view.ts";

export function bootstrap(view: View): Decision | undefined {
  if (view.isBorn) return undefined;
  const seed = seedAmong(view.members);
  if (seed === undefined) return firstObject(view);
  const doing: Doing = { type: "Bootstrap", member: seed.name, step: "StartingSeed" };
  if (seed.claim === undefined && view.isPersistent && seed.pod === undefined)
    return acting(createClaim(view, seed.name, "initializing"), `the claim of ${seed.name} is made`, { doing });
  if (seed.pod === undefined) return startSeed(view, seed, doing);
  if (view.list !== undefined) return latch(view, seed, doing);
  return (
    mendSeed(view, seed, doing) ??
    waiting(`${seed.name} has not formed the cluster yet${seed.error === undefined ? "" : `: ${seed.error}`}`, {
      doing,
      againInMs: 1000,
    })
  );
}

/**
 * Whoever has a Pod, which may have formed the cluster already. A claim that an operator before had asked for may come
 * late, when another has been made: the newest is the one that is gone on with, as all after it see both.
 */
function seedAmong(members: readonly Member[]): Member | undefined {
  return members.find((member) => member.pod !== undefined) ?? members.at(-1);
}

function firstObject(view: View): Decision {
  const name = memberName(view.cluster.metadata.name, view.nextSerial);
  const learns = { clusterToken: view.token, nextMemberSerial: view.nextSerial + 1 };
  const doing: Doing = { type: "Bootstrap", member: name, step: "StartingSeed" };
  if (view.isPersistent)
    return acting(createClaim(view, name, "initializing"), `the claim of ${name} is made`, { doing, learns });
  return acting(createPod(view, seedOf(view, name), "new"), `${name} is started and forms the cluster`, {
    doing,
    learns,
  });
}

function startSeed(view: View, seed: Member, doing: Doing): Decision {
  if (seed.claim?.phase === "Lost" || seed.claim?.isTerminating === true)
    return waiting(`claim ${seed.claim.name} is ${seed.claim.isTerminating ? "terminating" : "lost: delete it"}`, {
      doing,
    });
  return acting(createPod(view, seed, "new"), `${seed.name} is started and forms the cluster`, {
    doing,
    learns: { clusterToken: view.token },
  });
}

/** A Pod that was ended from outside, or one of a spec that was mended since, is made again: nobody has been served. */
function mendSeed(view: View, seed: Member, doing: Doing): Decision | undefined {
  const { pod } = seed;
  if (pod === undefined || (pod.isTerminating && !isNodeLost(seed))) return undefined;
  if (pod.phase === "Failed" || pod.phase === "Succeeded")
    return deletePod(seed, `its Pod has ${pod.phase.toLowerCase()}`, doing);
  if (isNodeLost(seed)) return deletePod(seed, "its node is gone", doing);
  if (takesNoPart(seed) && pod.annotations[ANNOTATIONS.templateHash] !== view.templateHash)
    return deletePod(seed, "the spec has changed before the cluster was formed", doing);
  return undefined;
}

/** Only a list of exactly this one member, given by itself, is taken for the birth of the cluster. */
function latch(view: View, seed: Member, doing: Doing): Decision {
  const list = view.list;
  const only = list?.members[0];
  if (list === undefined || only === undefined || list.members.length !== 1 || seed.listed?.id !== only.id)
    return stalled(
      "ForeignMember",
      `the first member, ${seed.name}, is not alone: ${(list?.members ?? []).map((one) => one.name || one.id).join(", ")}`,
    );
  if (seed.answer === undefined || !seed.isServing || seed.pod === undefined || only.isLearner)
    return waiting(`${seed.name} does not serve yet`, { doing, againInMs: 1000 });
  const learns = { clusterID: list.clusterId, clusterToken: view.token, initialized: true };
  const events = [
    {
      type: "Normal" as const,
      reason: "ClusterFormed",
      message: `cluster ${list.clusterId} by ${seed.name}`,
      member: seed.name,
    },
  ];
  const action =
    seed.claim === undefined
      ? ({
          kind: "mark-pod",
          pod: seed.pod.name,
          uid: seed.pod.uid,
          marks: { role: "voter", memberId: only.id },
        } as const)
      : ({
          kind: "mark-claim",
          claim: seed.claim.name,
          uid: seed.claim.uid,
          marks: { state: "ready", clusterId: list.clusterId, memberId: only.id },
        } as const);
  return acting(action, `cluster ${list.clusterId} is formed`, {
    doing: { ...doing, step: "Latching" },
    learns,
    events,
  });
}

/** A seed without a claim of its own, before it is there. */
function seedOf(view: View, name: string): Member {
  return {
    name,
    serial: view.nextSerial,
    standing: "unknown",
    id: undefined,
    listed: undefined,
    pod: undefined,
    node: undefined,
    claim: undefined,
    answer: undefined,
    isServing: false,
    loadedCertificates: undefined,
    error: undefined,
    isLeader: false,
    lag: undefined,
    alarms: [],
    health: "Unreachable",
    healthSince: view.now,
    view: undefined,
  };
}
