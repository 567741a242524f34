/**
 * Operators with one mistake each, to show that the game sees it. Some break a rule; others forget, with their process,
 * what they were about to do: an operator that trusts its memory instead of what it sees stays stuck after a crash.
 */
import { LABELS } from "../../../operator/api/names.ts";
import type { Action, Desired, Plan } from "../../../operator/plan/action.ts";
import type { Observation, PodFacts } from "../../../operator/plan/observation.ts";
import { gameBuilders, peerUrlOf } from "./builders.ts";
import type { IssuerHabits } from "./certificates.ts";
import type { Fault, Focus } from "./faults.ts";
import { flagsOf } from "./objects.ts";
import type { Habits, MakePlanner } from "./operators.ts";
import type { Wish } from "./people.ts";
import type { PlayOptions } from "./play.ts";
import type { RuleName } from "./rule-names.ts";
import { hostOf, UID } from "./world.ts";

/** Points at which an operator may die, or not be heard, between two steps that belong together. */
export const CRASH_POINTS = {
  "claim made, member not added": "adds it, or deletes the claim",
  "member added, no Pod": "makes its Pod",
  "answer to adding lost": "goes on with the member that is listed",
  "Pod made, not promoted": "promotes it when it has caught up",
  "answer to promoting lost": "marks Pod and claim",
  "member removed, Pod there": "deletes the Pod, then sees to the claim",
  "Pod deleted in a roll-out": "makes the Pod",
  "leader moved, Pod old": "restarts it",
  "cluster formed, id not written": "writes it to status and claim",
  "status not taken": "looks and decides anew",
} as const;

export type CrashPoint = keyof typeof CRASH_POINTS;

export interface Mistake {
  readonly name: string;
  /** What sees it. */
  readonly breaks: RuleName | "liveness";
  readonly crashPoint?: CrashPoint;
  /** What has to happen for it to be seen. */
  readonly focus: Focus;
  /** Rules that would see it, or what follows from it, before; they are not asked. */
  readonly without?: readonly RuleName[];
  /** Where the mistake is beside the plan. */
  readonly habits?: Habits & IssuerHabits;
  plant(make: MakePlanner): MakePlanner;
}

/** How a mistake is played. */
export function playOptions({ focus, without, habits }: Mistake): PlayOptions {
  return { focus, ...(without !== undefined && { without }), ...(habits !== undefined && { habits }) };
}

type Twist = (plan: Plan, seen: Observation) => Action | undefined;

const about = (faults: readonly Fault[], wishes: readonly Wish[] = []): Focus => ({ faults, wishes });
const QUIET = about([]);
const EPHEMERAL: Focus = { ...about(["pod-deleted"]), isEphemeral: true };

/** Another action in place of the planned one; nothing leaves it as it is. */
function acts(
  name: string,
  [breaks, ...without]: readonly [Mistake["breaks"], ...RuleName[]],
  focus: Focus,
  twist: Twist,
): Mistake {
  return {
    name,
    breaks,
    without,
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
  [breaks, ...without]: readonly [Mistake["breaks"], ...RuleName[]],
  focus: Focus,
  blur: (seen: Observation) => Observation,
): Mistake {
  return {
    name,
    breaks,
    without,
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
  crashPoint: CrashPoint,
  first: (action: Action) => string | undefined,
  needs: (action: Action, seen: Observation) => string | undefined,
  wishes: readonly Wish[] = ["replicas", "version", "config"],
): Mistake {
  return {
    name,
    breaks: "liveness",
    crashPoint,
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
      const isComplete = seen.etcd?.list?.members.length === 3 && !hasLearner(seen);
      if (action.kind !== "none" || !silent || !isComplete) return undefined;
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
  isBlindTo("does-not-see-the-deletion", ["liveness"], { ...QUIET, ending: "deleted" }, (seen) => {
    const { deletionTimestamp: _at, ...metadata } = seen.cluster.metadata;
    return { ...seen, cluster: { ...seen.cluster, metadata } };
  }),
  {
    name: "loosens-the-budget",
    breaks: "budget",
    focus: QUIET,
    plant: (make) => () => {
      const inner = make();
      let wanted: Desired | undefined;
      return (seen) => {
        const plan = inner(wanted === undefined ? seen : withChild(seen, wanted));
        if (plan.action.kind !== "apply-child" || plan.action.object.kind !== "PodDisruptionBudget") return plan;
        wanted = plan.action.object;
        return { ...plan, action: { ...plan.action, object: loosened(wanted) } };
      };
    },
  },
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
    breaks: "flap-guard",
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
  acts(
    "forms-the-cluster-again",
    ["acknowledged", "bootstrap-once", "new-after-latch", "expect-data"],
    about(["data-loss"]),
    ({ action }) =>
      action.kind === "create-pod" && action.member.endsWith("-0")
        ? { ...action, object: asNew(action.object) }
        : undefined,
  ),
  isBlindTo("begins-anew-where-nothing-is-left", ["bootstrap-once"], { ...QUIET, ending: "all-lost" }, (seen) => {
    const isEmpty = seen.pods.length === 0 && seen.claims.length === 0;
    return isEmpty ? { ...seen, cluster: { ...seen.cluster, status: { observedGeneration: -1 } } } : seen;
  }),
  acts("starts-an-ephemeral-member-again", ["ephemeral-once"], EPHEMERAL, ({ action }, seen) => {
    const { etcd, pods } = seen;
    const gone = etcd?.list?.members.find((one) => one.name !== "" && !pods.some((pod) => pod.member === one.name));
    if (action.kind === "create-pod" || gone === undefined) return undefined;
    return { kind: "create-pod", member: gone.name, object: podOf(seen, gone.name, false) };
  }),
  acts(
    "takes-another-while-one-is-evicted",
    ["drained", "one-disruption", "leader-last", "leader-moved"],
    about(["drain"], ["config"]),
    ({ action }, seen) => {
      const isGoing = seen.pods.some((one) => isVoter(one) && one.isTerminating);
      const pod = seen.pods.find((one) => isVoter(one) && !one.isTerminating && !isLeader(seen, one));
      return action.kind === "none" && isGoing && pod !== undefined ? deleting(pod) : undefined;
    },
  ),
  isBlindTo(
    "does-not-see-what-is-about-to-be-lost",
    ["durable"],
    about(["claim-deleted", "node-silent", "freeze", "node-down"]),
    (seen) => ({ ...seen, claims: seen.claims.map((claim) => ({ ...claim, isTerminating: false })) }),
  ),
  acts("asks-a-learner", ["asked-voter"], QUIET, ({ action }) =>
    action.kind === "promote" ? { ...action, via: action.member } : undefined,
  ),
  acts(
    "takes-silence-for-absence",
    ["unknown", "quorum-lost", "claim-of-member"],
    about(["cut-off"]),
    ({ action }, seen) => {
      const claim = seen.claims.find((one) => one.state === "ready" && !one.isTerminating);
      if (action.kind !== "none" || claim === undefined || seen.etcd === undefined) return undefined;
      return seen.etcd.list === undefined ? { kind: "delete-claim", claim: claim.name, uid: claim.uid } : undefined;
    },
  ),
  acts(
    "puts-the-leader-to-sleep-first",
    ["leader-sleeps-last"],
    about([], ["hibernate"]),
    ({ action, status }, seen) => {
      if (action.kind !== "delete-pod" || status.operation?.type !== "Hibernate") return undefined;
      const leader = seen.pods.find((one) => isLeader(seen, one) && !one.isTerminating);
      return leader && deleting(leader);
    },
  ),
  acts("makes-pods-of-what-is-deleted", ["deleting"], { ...QUIET, ending: "deleted" }, ({ action }, seen) => {
    const claim = seen.claims.find((one) => one.state === "ready");
    if (action.kind !== "drop-finalizer" || claim === undefined) return undefined;
    return { kind: "create-pod", member: claim.member, object: podOf(seen, claim.member, true) };
  }),
  acts("never-renews-a-certificate", ["expired"], { ...QUIET, hasTls: true, chaosMinutes: 16 }, ({ action }, seen) =>
    action.kind === "issue-certificates" && seen.secrets.size === 2 ? { kind: "none" } : undefined,
  ),
  {
    name: "shows-what-nobody-trusts-yet",
    breaks: "trust",
    focus: { ...about(["freeze"], ["rotate-certs"]), hasTls: true },
    habits: { swapsAtOnce: true },
    plant: (make) => make,
  },
  acts("takes-the-alarm-back-at-once", ["alarm-kept"], about(["nospace"]), (_plan, seen) => {
    const alarm = seen.etcd?.alarms[0];
    const via = leaderName(seen);
    return alarm === undefined || via === undefined ? undefined : { kind: "disarm", ...alarm, via };
  }),
  acts(
    "defragments-the-leader-first",
    ["defrag-leader-last", "leader-moved"],
    about(["nospace"], ["defrag"]),
    ({ action }, seen) => {
      const leader = leaderName(seen);
      return action.kind === "defragment" && leader !== undefined ? { kind: "defragment", member: leader } : undefined;
    },
  ),
];

const memberOf = (action: Action): string | undefined => ("member" in action ? action.member : undefined);

/** One for each point at which an operator may die between two steps that belong together. */
const FORGETTING: readonly Mistake[] = [
  {
    ...isBlindTo(
      "knows-only-members-that-have-started",
      ["claim-of-member"],
      about(["operator-lost"], ["replicas"]),
      (seen) => {
        const { etcd } = seen;
        if (etcd?.list === undefined) return seen;
        const members = etcd.list.members.filter(({ name }) => name !== "");
        return { ...seen, etcd: { ...etcd, list: { ...etcd.list, members } } };
      },
    ),
    crashPoint: "answer to adding lost",
  },
  {
    name: "acts-on-a-status-that-was-not-taken",
    breaks: "status-first",
    crashPoint: "status not taken",
    focus: about(["conflict"], ["config"]),
    habits: { ignoresConflicts: true },
    plant: (make) => make,
  },
  remembers(
    "adds-only-what-it-made-a-claim-for",
    "claim made, member not added",
    kind("create-claim"),
    kind("add-learner"),
  ),
  remembers("starts-only-what-it-added", "member added, no Pod", kind("add-learner"), (action, seen) =>
    isOfLearner(action, seen) ? memberOf(action) : undefined,
  ),
  remembers("promotes-only-what-it-started", "Pod made, not promoted", kind("create-pod"), kind("promote")),
  remembers("marks-only-what-it-promoted", "answer to promoting lost", kind("promote"), (action) =>
    action.kind === "mark-claim" && action.marks.state === "ready" && action.marks.clusterId === undefined
      ? action.claim.replace(/^data-/, "")
      : undefined,
  ),
  remembers(
    "clears-away-only-what-it-removed",
    "member removed, Pod there",
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
    "Pod deleted in a roll-out",
    (action) => (action.kind === "delete-pod" ? action.pod : undefined),
    (action, seen) =>
      action.kind === "create-pod" && seen.claims.some((one) => one.member === action.member && one.state === "ready")
        ? action.member
        : undefined,
  ),
  remembers(
    "goes-on-only-where-it-moved-the-leader",
    "leader moved, Pod old",
    (action) => (action.kind === "move-leader" ? "moved" : undefined),
    (_action, seen) => (seen.cluster.status?.operation?.step === "MovingLeader" ? "moved" : undefined),
    ["config"],
  ),
  remembers("latches-only-what-it-started", "cluster formed, id not written", kind("create-pod"), (action) =>
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

type Budget = Desired & { readonly spec: { readonly minAvailable: number } };

function loosened(object: Desired): Desired {
  const { spec } = object as Budget;
  return { ...object, spec: { ...spec, minAvailable: spec.minAvailable - 1 } } as Desired;
}

/** As if this had been applied as it was wanted. */
function withChild(seen: Observation, object: Desired): Observation {
  const key = `${object.kind}/${object.metadata.name}`;
  const found = seen.children.get(key);
  if (found === undefined) return seen;
  const child = { ...found, object: object as unknown as typeof found.object };
  return { ...seen, children: new Map(seen.children).set(key, child) };
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

/** As the first member was started: alone, to begin a cluster, and expecting nothing. */
function asNew(object: Desired): Desired {
  const { name, initialCluster } = flagsOf(object).flags;
  const change = (arg: string) => {
    if (arg.startsWith("--initial-cluster-state=")) return "--initial-cluster-state=new";
    return arg.startsWith("--initial-cluster=") ? `--initial-cluster=${name}=${initialCluster.get(name)}` : arg;
  };
  return withArgs(object, (arg) => arg !== "--expect-data", change);
}

function withImage(object: Desired, image: string): Desired {
  const { spec } = object as PodObject;
  return { ...object, spec: { ...spec, containers: [{ ...spec.containers[0], image }] } } as Desired;
}
