/**
 * Operators with one mistake each, to show that the game sees it. Some break a rule; others forget, with their process,
 * what they were about to do: an operator that trusts its memory instead of what it sees stays stuck after a crash.
 */
import { LABELS } from "../../../operator/api/names.ts";
import type { Action, Desired, Plan } from "../../../operator/plan/action.ts";
import type { Observation, PodFacts } from "../../../operator/plan/observation.ts";
import { gameBuilders, peerUrlOf } from "./builders.ts";
import type { Fault, Focus } from "./faults.ts";
import { flagsOf } from "./objects.ts";
import type { MakePlanner } from "./operators.ts";
import type { Wish } from "./people.ts";
import type { RuleName } from "./rules.ts";
import { hostOf, UID } from "./world.ts";

export interface Mistake {
  readonly name: string;
  /** Any of these may see it first. */
  readonly seenBy: readonly (RuleName | "liveness")[];
  /** What has to happen for it to be seen. */
  readonly focus: Focus;
  plant(make: MakePlanner): MakePlanner;
}

type Twist = (plan: Plan, seen: Observation) => Action | undefined;

const about = (faults: readonly Fault[], wishes: readonly Wish[] = []): Focus => ({ faults, wishes });
const QUIET = about([]);

/** Another action in place of the planned one; nothing leaves it as it is. */
function acts(name: string, seenBy: Mistake["seenBy"], focus: Focus, twist: Twist): Mistake {
  return {
    name,
    seenBy,
    focus,
    plant: (make) => () => {
      const inner = make();
      return (seen) => {
        const plan = inner(seen);
        const action = twist(plan, seen);
        return action === undefined ? plan : { ...plan, action };
      };
    },
  };
}

/** Does not see something. */
function isBlindTo(
  name: string,
  seenBy: Mistake["seenBy"],
  focus: Focus,
  blur: (seen: Observation) => Observation,
): Mistake {
  return {
    name,
    seenBy,
    focus,
    plant: (make) => () => {
      const inner = make();
      return (seen) => ({ ...inner(blur(seen)) });
    },
  };
}

/** Does `needs` only in the process that has done `first` for the same member. */
function remembers(
  name: string,
  first: (action: Action) => string | undefined,
  needs: (action: Action, seen: Observation) => string | undefined,
  wishes: readonly Wish[] = ["replicas", "version", "config"],
): Mistake {
  return {
    name,
    seenBy: ["liveness"],
    focus: about(["operator-crash"], wishes),
    plant: (make) => () => {
      const inner = make();
      const done = new Set<string>();
      return (seen) => {
        const plan = inner(seen);
        const needed = needs(plan.action, seen);
        if (needed !== undefined && !done.has(needed)) {
          const status = seen.cluster.status ?? plan.status;
          return { ...plan, status, action: { kind: "none" }, againInMs: 5000 };
        }
        const begun = first(plan.action);
        if (begun !== undefined) done.add(begun);
        return plan;
      };
    },
  };
}

const BREAKING: readonly Mistake[] = [
  acts("forgets-expect-data", ["expect-data"], QUIET, ({ action }) =>
    action.kind === "create-pod"
      ? { ...action, object: withArgs(action.object, (arg) => arg !== "--expect-data") }
      : undefined,
  ),
  acts("always-new", ["new-after-latch", "bootstrap-once"], QUIET, ({ action }) => {
    if (action.kind !== "create-pod" || !action.member.endsWith("-0")) return undefined;
    const changed = withArgs(
      action.object,
      () => true,
      (arg) => (arg.startsWith("--initial-cluster-state=") ? "--initial-cluster-state=new" : arg),
    );
    return { ...action, object: changed };
  }),
  acts(
    "rolls-two-at-once",
    ["one-disruption", "quorum", "leader-last", "leader-moved"],
    about([], ["config"]),
    (plan, seen) => {
      if (plan.action.kind !== "none" || plan.status.operation?.type !== "Update") return undefined;
      const pod = seen.pods.find((one) => isVoter(one) && !one.isTerminating && one.readySince !== undefined);
      return pod && deleting(pod);
    },
  ),
  acts("stops-a-voter-while-a-learner-joins", ["gate", "one-disruption"], QUIET, (plan, seen) => {
    if (plan.action.kind !== "none" || !hasLearner(seen)) return undefined;
    const pod = seen.pods.find((one) => isVoter(one) && one.readySince !== undefined && !isLeader(seen, one));
    return pod && deleting(pod);
  }),
  acts(
    "removes-the-living",
    ["quorum", "one-disruption", "gate", "flap-guard", "leader-moved"],
    about(["crash", "node-down"]),
    ({ action }, seen) => {
      const members = seen.etcd?.members;
      const silent = [...(members ?? [])].some(([, { status }]) => status === undefined);
      if (action.kind !== "none" || !silent) return undefined;
      const alive = seen.etcd?.list?.members.find(
        (one) => !one.isLearner && members?.get(one.name)?.isServing === true && !isLeaderId(seen, one.id),
      );
      const via = leaderName(seen);
      if (alive === undefined || via === undefined) return undefined;
      return { kind: "remove-member", member: alive.name, memberId: alive.id, via };
    },
  ),
  acts("adds-two-learners", ["one-learner"], QUIET, ({ action }, seen) => {
    const via = leaderName(seen);
    if (action.kind !== "none" || !hasLearner(seen) || via === undefined) return undefined;
    return { kind: "add-learner", member: "game-90", peerUrl: peerUrlOf(seen.cluster, "game-90"), via };
  }),
  acts("deletes-the-claim-first", ["claim-of-member"], about([], ["replicas"]), ({ action }, seen) => {
    if (action.kind !== "remove-member") return undefined;
    const claim = seen.claims.find((one) => one.member === action.member && !one.isTerminating);
    return claim && { kind: "delete-claim", claim: claim.name, uid: claim.uid };
  }),
  acts("deletes-what-is-kept", ["retained"], about([], ["replicas"]), ({ action }) =>
    action.kind === "mark-claim" && action.marks.state === "retired"
      ? { kind: "delete-claim", claim: action.claim, uid: action.uid }
      : undefined,
  ),
  acts("makes-the-pod-before-the-member", ["member-before-pod"], QUIET, ({ action }, seen) => {
    if (action.kind !== "add-learner") return undefined;
    const object = podOf(seen, action.member, false);
    return { kind: "create-pod", member: action.member, object };
  }),
  acts("adds-before-the-latch", ["latch"], QUIET, ({ action }, seen) => {
    if (action.kind !== "mark-claim" || action.marks.clusterId === undefined) return undefined;
    const via = leaderName(seen);
    return via === undefined
      ? undefined
      : { kind: "add-learner", member: "game-1", peerUrl: peerUrlOf(seen.cluster, "game-1"), via };
  }),
  acts("kills-what-is-left-of-a-quorum", ["quorum-lost"], about(["node-down"]), ({ action, status }, seen) => {
    if (action.kind !== "none" || status.phase !== "QuorumLost") return undefined;
    const pod = seen.pods.find(
      (one) => isVoter(one) && !one.isTerminating && seen.etcd?.members.get(one.member)?.status !== undefined,
    );
    return pod && deleting(pod);
  }),
  isBlindTo("acts-while-paused", ["paused"], about(["pod-deleted"], ["pause", "config"]), (seen) =>
    withSpec(seen, { paused: false }),
  ),
  acts("wakes-who-sleeps", ["hibernated"], about([], ["hibernate"]), ({ action, status }, seen) => {
    const claim = seen.claims.find((one) => one.state === "ready");
    if (action.kind !== "none" || status.phase !== "Hibernated" || claim === undefined) return undefined;
    return { kind: "create-pod", member: claim.member, object: podOf(seen, claim.member, true) };
  }),
  isBlindTo("does-not-see-the-deletion", ["liveness", "deleting"], { ...QUIET, isDeleted: true }, (seen) => {
    const { deletionTimestamp: _at, ...metadata } = seen.cluster.metadata;
    return { ...seen, cluster: { ...seen.cluster, metadata } };
  }),
  acts("loosens-the-budget", ["budget", "liveness"], QUIET, ({ action }) => {
    if (action.kind !== "apply-child" || action.object.kind !== "PodDisruptionBudget") return undefined;
    const object = action.object as Desired & { readonly spec: { readonly minAvailable: number } };
    return {
      ...action,
      object: { ...object, spec: { ...object.spec, minAvailable: object.spec.minAvailable - 1 } } as Desired,
    };
  }),
  acts("leader-first", ["leader-last", "leader-moved"], about([], ["config"]), ({ action, status }, seen) => {
    if (action.kind !== "delete-pod" || status.operation?.type !== "Update") return undefined;
    const leader = seen.pods.find((one) => isLeader(seen, one));
    return leader && deleting(leader);
  }),
  acts("does-not-move-the-leader", ["leader-moved"], about([], ["config"]), ({ action }, seen) => {
    if (action.kind !== "move-leader") return undefined;
    const pod = seen.pods.find((one) => one.member === action.from);
    return pod && deleting(pod);
  }),
  acts("skips-a-minor", ["version-path"], about([], ["config"]), ({ action }) => {
    if (action.kind !== "create-pod" || action.member.endsWith("-0")) return undefined;
    const { flags } = flagsOf(action.object);
    return flags.version.startsWith("0.1.")
      ? { ...action, object: withImage(action.object, "kvorum:0.3.1") }
      : undefined;
  }),
  acts("adds-to-mixed-versions", ["mixed", "budget"], about([], ["version"]), ({ action }, seen) => {
    const minors = new Set(
      seen.pods
        .filter((one) => one.readySince !== undefined)
        .map((one) => (one.labels[LABELS.version] ?? "").slice(0, 4)),
    );
    const via = leaderName(seen);
    if (minors.size < 2 || via === undefined || hasLearner(seen)) return undefined;
    return action.kind === "none"
      ? { kind: "add-learner", member: "game-91", peerUrl: peerUrlOf(seen.cluster, "game-91"), via }
      : undefined;
  }),
  acts("promotes-at-once", ["lag"], about(["slow", "pod-deleted"], ["replicas"]), ({ action }, seen) => {
    const learner = seen.etcd?.list?.members.find((one) => one.isLearner);
    const via = leaderName(seen);
    if (action.kind !== "none" || learner === undefined || via === undefined) return undefined;
    return { kind: "promote", member: hostOf(learner.peerUrls[0] ?? ""), memberId: learner.id, via };
  }),
  acts("always-by-force", ["forced"], QUIET, ({ action }) =>
    action.kind === "delete-pod" ? { ...action, isForced: true } : undefined,
  ),
  acts("deletes-what-is-not-ours", ["foreign"], about(["foreign-claim"]), (_plan, seen) => {
    const claim = seen.claims.find((one) => one.clusterUid !== UID && !one.isTerminating);
    return claim && { kind: "delete-claim", claim: claim.name, uid: claim.uid };
  }),
  {
    name: "forgets-its-repairs",
    seenBy: ["flap-guard"],
    focus: about(["data-loss"]),
    plant: (make) => () => {
      const inner = make();
      return (seen) => {
        const plan = inner(seen);
        const { repairs: _forgotten, ...status } = plan.status;
        return { ...plan, status };
      };
    },
  },
  acts("replaces-for-a-bad-image", ["innocent", "quorum", "flap-guard"], about([], ["version"]), ({ action }, seen) => {
    const pod = seen.pods.find((one) => one.container?.reason === "ImagePullBackOff" && isVoter(one));
    const id = seen.etcd?.list?.members.find((one) => one.name === pod?.member && !one.isLearner)?.id;
    const via = leaderName(seen);
    if (action.kind !== "none" || pod === undefined || id === undefined || via === undefined) return undefined;
    return { kind: "remove-member", member: pod.member, memberId: id, via };
  }),
  acts("removes-while-clients-are-sent-there", ["routing"], about([], ["replicas"]), ({ action }, seen) => {
    if (action.kind !== "mark-pod" || action.marks.dropsRole !== true) return undefined;
    const id = seen.etcd?.list?.members.find((one) => one.name === action.pod)?.id;
    const via = leaderName(seen);
    if (id === undefined || via === undefined || via === action.pod) return undefined;
    return { kind: "remove-member", member: action.pod, memberId: id, via };
  }),
  acts("stops-a-stranger", ["identity"], about(["mixed-up"]), ({ action }, seen) => {
    const own = seen.cluster.status?.clusterID;
    const pod = seen.pods.find((one) => {
      const status = seen.etcd?.members.get(one.member)?.status;
      return status !== undefined && own !== undefined && status.clusterId !== own;
    });
    return action.kind === "none" && pod !== undefined ? deleting(pod) : undefined;
  }),
  acts("shrinks-a-volume", ["shrink"], about([], ["storage"]), ({ action }) =>
    action.kind === "grow-claim" ? { ...action, size: "1Gi" } : undefined,
  ),
];

const memberOf = (action: Action): string | undefined => ("member" in action ? action.member : undefined);

/** One for each point at which an operator may die between two steps that belong together. */
const FORGETTING: readonly Mistake[] = [
  remembers("adds-only-what-it-made-a-claim-for", kind("create-claim"), kind("add-learner")),
  remembers("starts-only-what-it-added", kind("add-learner"), (action, seen) =>
    isOfLearner(action, seen) ? memberOf(action) : undefined,
  ),
  remembers("promotes-only-what-it-started", kind("create-pod"), kind("promote")),
  remembers("marks-only-what-it-promoted", kind("promote"), (action) =>
    action.kind === "mark-claim" && action.marks.state === "ready" && action.marks.clusterId === undefined
      ? action.claim.replace(/^data-/, "")
      : undefined,
  ),
  remembers(
    "clears-away-only-what-it-removed",
    kind("remove-member"),
    (action, seen) => {
      if (action.kind !== "delete-pod" || seen.etcd?.list === undefined) return undefined;
      return seen.etcd.list.members.some((one) => hostOf(one.peerUrls[0] ?? "") === action.pod)
        ? undefined
        : action.pod;
    },
    ["replicas"],
  ),
  remembers(
    "restarts-only-what-it-stopped",
    (action) => (action.kind === "delete-pod" ? action.pod : undefined),
    (action, seen) =>
      action.kind === "create-pod" && seen.claims.some((one) => one.member === action.member && one.state === "ready")
        ? action.member
        : undefined,
  ),
  remembers(
    "goes-on-only-where-it-moved-the-leader",
    (action) => (action.kind === "move-leader" ? "moved" : undefined),
    (_action, seen) => (seen.cluster.status?.operation?.step === "MovingLeader" ? "moved" : undefined),
    ["config"],
  ),
  remembers("latches-only-what-it-started", kind("create-pod"), (action) =>
    action.kind === "mark-claim" && action.marks.clusterId !== undefined && action.marks.state === "ready"
      ? action.claim.replace(/^data-/, "")
      : undefined,
  ),
];

export const MISTAKES: readonly Mistake[] = [...BREAKING, ...FORGETTING];

/** The member of an action of this kind. */
function kind(wanted: Action["kind"]): (action: Action) => string | undefined {
  return (action) => (action.kind === wanted ? memberOf(action) : undefined);
}

/** It starts a learner, or takes one back. */
function isOfLearner(action: Action, seen: Observation): boolean {
  if (action.kind !== "create-pod" && action.kind !== "remove-member") return false;
  return (
    seen.etcd?.list?.members.some((one) => one.isLearner && hostOf(one.peerUrls[0] ?? "") === action.member) === true
  );
}

function podOf(seen: Observation, member: string, expectsData: boolean): Desired {
  return gameBuilders.pod(seen.cluster, {
    member,
    start: "existing",
    expectsData,
    initialCluster: [{ name: member, peerUrl: peerUrlOf(seen.cluster, member) }],
    token: "",
    memberId: undefined,
    role: undefined,
    certificateHash: undefined,
  });
}

function deleting(pod: PodFacts): Action {
  return { kind: "delete-pod", pod: pod.name, uid: pod.uid, why: "by mistake" };
}

function isVoter(pod: PodFacts): boolean {
  return pod.role === "voter";
}

function hasLearner(seen: Observation): boolean {
  return seen.etcd?.list?.members.some(({ isLearner }) => isLearner) === true;
}

function isLeader(seen: Observation, pod: PodFacts): boolean {
  const status = seen.etcd?.members.get(pod.member)?.status;
  return status !== undefined && status.leaderId === status.memberId;
}

function isLeaderId(seen: Observation, id: string): boolean {
  return [...(seen.etcd?.members.values() ?? [])].some(
    ({ status }) => status?.memberId === id && status.leaderId === id,
  );
}

function leaderName(seen: Observation): string | undefined {
  for (const [name, { status, isServing }] of seen.etcd?.members ?? []) {
    if (isServing && status !== undefined && status.leaderId === status.memberId) return name;
  }
  return undefined;
}

function withSpec(seen: Observation, part: Partial<Observation["cluster"]["spec"]>): Observation {
  return { ...seen, cluster: { ...seen.cluster, spec: { ...seen.cluster.spec, ...part } } };
}

type PodObject = Desired & { readonly spec: { readonly containers: readonly [{ readonly args: readonly string[] }] } };

function withArgs(object: Desired, keeps: (arg: string) => boolean, change = (arg: string): string => arg): Desired {
  const { spec } = object as PodObject;
  const [container] = spec.containers;
  return {
    ...object,
    spec: { ...spec, containers: [{ ...container, args: container.args.filter(keeps).map(change) }] },
  } as Desired;
}

function withImage(object: Desired, image: string): Desired {
  const { spec } = object as PodObject;
  return { ...object, spec: { ...spec, containers: [{ ...spec.containers[0], image }] } } as Desired;
}
