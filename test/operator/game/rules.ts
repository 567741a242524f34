/**
 * What an operator must never do, whatever happens: checked on every action before it takes effect, and on the world
 * after every tick. An action is judged by what was true when its process looked: what changed only afterwards nobody
 * could know. What operators themselves have just taken down counts always, whoever of them did it.
 */
import { LABELS, REQUESTS } from "../../../operator/api/names.ts";
import { bytesOf } from "../../../operator/api/quantity.ts";
import type { Action } from "../../../operator/plan/action.ts";
import { compareVersions } from "../../../operator/plan/versions.ts";
import { templateHashOf } from "./builders.ts";
import type { GamePod } from "./kubernetes.ts";
import { flagsOf } from "./objects.ts";
import type { Flight } from "./operators.ts";
import { quorumOf } from "./raft-log.ts";
import { hostOf, UID, type World } from "./world.ts";

export const RULES = [
  "acknowledged", // no write that was acknowledged is lost
  "bootstrap-once", // a cluster is begun once
  "new-after-latch", // initial-cluster-state=new only before the cluster id is known
  "expect-data", // a member that held data never begins on an empty disk
  "one-disruption", // one healthy member is taken at a time, and only while the others are well
  "gate", // nobody is taken while a learner joins
  "quorum", // the healthy that stay are a quorum of those who vote then
  "one-learner", // one learner at a time
  "claim-of-member", // no claim of a listed member is deleted
  "retained", // claims that are to be kept are kept
  "member-before-pod", // a Pod of a new member only once it is listed
  "latch", // the cluster id is in the status and on every claim before a second member is added
  "quorum-lost", // after the loss of the quorum nothing but missing Pods is touched
  "paused", // a paused cluster is not touched
  "hibernated", // a cluster that sleeps gets no Pods, and its leader sleeps last
  "deleting", // a cluster that is deleted gets no Pods
  "budget", // the disruption budget is never below what the voters need
  "leader-last", // of outdated members the leader comes last
  "leader-moved", // a leader hands over before it is taken
  "version-path", // one minor at a time, none back
  "mixed", // no member is added while versions are mixed
  "lag", // no learner is promoted that is far behind
  "forced", // by force only where the node is gone or out of service
  "foreign", // objects of others are not touched
  "flap-guard", // so many replacements an hour
  "innocent", // a member is not replaced for a bad image
  "routing", // clients are sent elsewhere before a member is removed
  "identity", // two cluster ids: everything is left as it is
  "shrink", // volumes only grow
] as const;

export type RuleName = (typeof RULES)[number];

export class Broken extends Error {
  readonly rule: RuleName;

  constructor(rule: RuleName, text: string) {
    super(`${rule}: ${text}`);
    this.rule = rule;
  }
}

/** After a loss of the quorum an operator has so long to see it. */
const QUORUM_LOSS_SEEN_MS = 30_000;
/** An hour, less what may lie between the plan to replace a member and its end. */
const HOUR_MS = 3_300_000;
/** A member that has just come back may not have answered yet. */
const ANSWERS_AFTER_MS = 3000;
/** Entries; promotions far above this were blind. */
const LAG_MAX = 1500;
/** An attempt to move the leader counts so long. */
const MOVE_COUNTS_MS = 120_000;

export class Rules {
  readonly #world: World;
  /** Voters that operators took down, until they are well again. */
  readonly #taken = new Map<string, number>();
  readonly #moves = new Map<string, number>();
  /** When members were replaced. */
  #repairs: number[] = [];
  /** Whom the action that is judged just now replaces. */
  #repairing: string | undefined;
  #membershipAt = 0;
  #membershipIndex = 0;
  /** How often each rule had something to judge. */
  readonly judged: Map<RuleName, number>;

  constructor(world: World, judged: Map<RuleName, number> = new Map()) {
    this.#world = world;
    this.judged = judged;
  }

  /** The journal of repairs is gone: nobody can be held to it. */
  forgetRepairs(): void {
    this.#repairs = [];
  }

  before(flight: Flight): void {
    const { action, seen } = flight;
    if (action.kind === "none") return;
    const isDeleting = seen.cluster.metadata.deletionTimestamp !== undefined;
    if (!isDeleting) this.#demand("paused", !seen.cluster.spec.paused, action.kind);
    this.#judgeIdentity(flight, isDeleting);
    if (!isDeleting) this.#judgeQuorumLoss(flight);
    switch (action.kind) {
      case "delete-pod":
        this.#judgePodDeletion(flight, action, isDeleting);
        return;
      case "remove-member":
        this.#judgeRemoval(flight, action);
        return;
      case "delete-claim":
        this.#judgeClaimDeletion(action, isDeleting);
        return;
      case "add-learner":
        this.#judgeAddition(flight, action);
        return;
      case "promote":
        this.#judgePromotion(flight, action);
        return;
      case "create-pod":
        this.#judgePodCreation(flight, action, isDeleting);
        return;
      case "mark-claim":
      case "grow-claim":
        this.#judgeClaimChange(action);
        return;
      case "mark-pod": {
        const pod = this.#world.kubernetes.pods.get(action.pod);
        if (pod?.uid === action.uid) this.#demand("foreign", pod.ownerUid === UID, `${pod.name} is marked`);
        return;
      }
      case "apply-child":
      case "delete-child":
        this.#judgeBudget(flight, action, isDeleting);
        return;
      default:
    }
  }

  after(flight: Flight, result: string): void {
    const { action } = flight;
    const { now } = this.#world;
    this.tried(flight);
    if (action.kind === "remove-member" && result === "done" && this.#repairing === action.memberId)
      this.#repairs.push(now);
    this.#repairing = undefined;
  }

  /** A call that was made, whatever became of it. */
  tried({ action }: Flight): void {
    if (action.kind === "move-leader") this.#moves.set(action.from, this.#world.now);
  }

  tick(): void {
    const { etcd, voters, now } = this.#world;
    const { committed } = etcd;
    if (committed.index !== this.#membershipIndex) {
      this.#membershipIndex = committed.index;
      this.#membershipAt = now;
    }
    this.#demand("acknowledged", etcd.lost === undefined, etcd.lost ?? "");
    this.#demand(
      "bootstrap-once",
      etcd.beginnings.length <= 1,
      `begun by ${etcd.beginnings.map(({ name }) => name).join(" and ")}`,
    );
    this.#demand(
      "expect-data",
      etcd.forgetful.length === 0,
      `${etcd.forgetful.join()} began on an empty disk under an id that held data`,
    );
    for (const id of this.#taken.keys()) if (!voters.includes(id) || this.#world.isHealthy(id)) this.#taken.delete(id);
    const budget = this.#world.kubernetes.budget(now);
    if (budget !== undefined && voters.length >= 2)
      this.#demand(
        "budget",
        budget.minAvailable >= quorumOf(voters.length),
        `minAvailable ${budget.minAvailable} with ${voters.length} voters`,
      );
  }

  // Actions.

  #judgePodDeletion(flight: Flight, action: Extract<Action, { kind: "delete-pod" }>, isDeleting: boolean): void {
    const world = this.#world;
    const pod = world.kubernetes.pods.get(action.pod);
    if (pod === undefined || pod.uid !== action.uid) return;
    this.#demand("foreign", pod.ownerUid === UID, `${pod.name} is deleted`);
    if (action.isForced === true)
      this.#demand(
        "forced",
        pod.node?.state === "gone" || pod.node?.isOutOfService === true,
        `${pod.name} on ${pod.node?.name}, ${pod.node?.state}`,
      );
    if (isDeleting) return;
    const id = world.listedId(pod.name);
    if (id === undefined || !world.voters.includes(id)) return;
    if (sleeps(flight.seen)) {
      this.#judgeSleep(pod, id);
      return;
    }
    if (!this.#tookPart(id, flight.observedAt)) return;
    this.#judgeDisruption(flight, id, world.voters.length, `${pod.name} is deleted`);
    this.#judgeLeader(flight, pod, id);
    this.#taken.set(id, world.now);
  }

  /** Taking a healthy voter away; `votersAfter` that there are then. */
  #judgeDisruption({ seen, observedAt }: Flight, id: string, votersAfter: number, what: string): void {
    const world = this.#world;
    const others = world.voters.filter((one) => one !== id);
    for (const other of others) {
      const name = world.memberOf(other);
      this.#demand("one-disruption", !this.#wasSick(other, observedAt), `${what} while ${name} takes no part`);
      const taken = this.#taken.get(other);
      this.#demand("one-disruption", taken === undefined, `${what} while ${name} is down by an operator's hand`);
    }
    const learner = seen.etcd?.list?.members.find(({ isLearner }) => isLearner);
    this.#demand("gate", learner === undefined, `${what} while ${learner?.id} is a learner`);
    const isAlone = votersAfter === 1 && world.voters.length === 1;
    const rest = others.filter((one) => !this.#wasSick(one, observedAt)).length;
    if (!isAlone) this.#demand("quorum", rest >= quorumOf(votersAfter), `${what}: ${rest} of ${votersAfter} stay`);
  }

  #judgeLeader({ seen, observedAt }: Flight, pod: GamePod, id: string): void {
    const world = this.#world;
    if (world.etcd.leader?.disk.memberId !== id || world.leaderSince > observedAt || world.voters.length === 1) return;
    const hash = templateHashOf(seen.cluster);
    const isOutdated = (one: GamePod | undefined) => one !== undefined && hashOf(one) !== hash;
    const others = world.voters.filter((one) => one !== id && world.isHealthy(one));
    if (isOutdated(pod)) {
      const later = others.find((one) => isOutdated(world.podOf(world.memberOf(one))));
      this.#demand(
        "leader-last",
        later === undefined,
        `${pod.name} leads, and ${later && world.memberOf(later)} is outdated too`,
      );
    }
    this.#demand("leader-moved", this.#hasTriedToMove(pod.name), `${pod.name} leads, and nobody tried to move that`);
  }

  #hasTriedToMove(member: string): boolean {
    return this.#world.now - (this.#moves.get(member) ?? 0) <= MOVE_COUNTS_MS;
  }

  /** Followers first, so that the last one to go is the one with all of the data. */
  #judgeSleep(pod: GamePod, id: string): void {
    const world = this.#world;
    if (world.etcd.leader?.disk.memberId !== id) return;
    const awake = world.voters.filter((one) => one !== id && this.#runs(one));
    this.#demand(
      "hibernated",
      awake.length === 0,
      `${pod.name} leads and is stopped before ${awake.map((one) => world.memberOf(one)).join()}`,
    );
  }

  #runs(id: string): boolean {
    const pod = this.#world.podOf(this.#world.memberOf(id));
    return pod?.server !== undefined && pod.deletingSince === undefined && this.#world.isHealthy(id);
  }

  #judgeRemoval(flight: Flight, action: Extract<Action, { kind: "remove-member" }>): void {
    const world = this.#world;
    const { memberId: id } = action;
    const { observedAt } = flight;
    if (!world.voters.includes(id)) return;
    const rest = world.voters.filter((one) => one !== id);
    this.#demand("quorum", rest.length > 0, `${action.member} is the last voter`);
    if (this.#tookPart(id, observedAt)) {
      this.#judgeDisruption(flight, id, rest.length, `${action.member} is removed`);
      const pod = world.podOf(action.member);
      if (world.etcd.leader?.disk.memberId === id && world.leaderSince <= observedAt)
        this.#demand("leader-moved", this.#hasTriedToMove(action.member), `${action.member} leads and is removed`);
      const isRouted = pod?.labels[LABELS.role] === "voter" && pod.deletingSince === undefined;
      if (rest.length > 1) this.#demand("routing", !isRouted, `${action.member} is removed and still has its role`);
    } else {
      const well = rest.filter((one) => !this.#wasSick(one, observedAt)).length;
      this.#demand(
        "quorum",
        well >= quorumOf(rest.length),
        `${action.member} is removed, and ${well} of ${rest.length} are well`,
      );
      this.#judgeRepair(flight, action.member, id);
    }
  }

  #judgeRepair({ seen, observedAt }: Flight, member: string, id: string): void {
    const world = this.#world;
    if (!this.#isRepair || isAskedFor(seen, member)) return;
    this.#repairing = id;
    const { maxPerHour } = seen.cluster.spec.repair;
    const recent = this.#repairs.filter((at) => world.now - at < HOUR_MS).length;
    this.#demand("flap-guard", recent < maxPerHour, `${member} is the replacement number ${recent + 1} within an hour`);
    const pod = world.podOf(member);
    const isBadImage =
      pod !== undefined && pod.createdAt < observedAt && (world.images.get(pod.flags.version) ?? "good") !== "good";
    this.#demand(
      "innocent",
      !(isBadImage && world.isIntact(id) && pod.node?.state === "up"),
      `${member} has a bad image and good data`,
    );
  }

  get #isRepair(): boolean {
    return this.#world.voters.length <= (this.#world.acceptedSpec?.replicas ?? 0);
  }

  #judgeClaimDeletion(action: Extract<Action, { kind: "delete-claim" }>, isDeleting: boolean): void {
    const world = this.#world;
    const claim = world.kubernetes.claims.get(action.claim);
    if (claim === undefined || claim.uid !== action.uid) return;
    this.#demand("foreign", claim.annotations["kvorum.dev/cluster-uid"] === UID, `${claim.name} is deleted`);
    const reclaim = world.cluster?.spec.storage.reclaim;
    const hasData = claim.volume?.disk !== undefined;
    if (isDeleting) {
      this.#demand("retained", reclaim?.onDelete === "Delete" || !hasData, `${claim.name} is deleted with its cluster`);
      return;
    }
    const member = claim.labels[LABELS.member] ?? "";
    const id = world.listedId(member);
    this.#demand("claim-of-member", id === undefined, `${claim.name} belongs to ${member} (${id}), which is listed`);
    const wasMember =
      claim.annotations["kvorum.dev/state"] === "ready" || claim.annotations["kvorum.dev/state"] === "retired";
    if (hasData && wasMember)
      this.#demand("retained", reclaim?.onMemberRemoval === "Delete", `${claim.name} is deleted`);
  }

  #judgeClaimChange(action: Extract<Action, { kind: "mark-claim" | "grow-claim" }>): void {
    const claim = this.#world.kubernetes.claims.get(action.claim);
    if (claim === undefined || claim.uid !== action.uid) return;
    this.#demand("foreign", claim.annotations["kvorum.dev/cluster-uid"] === UID, `${claim.name} is changed`);
    if (action.kind === "grow-claim")
      this.#demand(
        "shrink",
        bytesOf(action.size) >= claim.requested,
        `${claim.name} from ${claim.requested} to ${action.size}`,
      );
  }

  #judgeAddition(flight: Flight, action: Extract<Action, { kind: "add-learner" }>): void {
    const world = this.#world;
    const { seen } = flight;
    const listed = seen.etcd?.list?.members ?? [];
    const learner = listed.find((one) => one.isLearner && hostOf(one.peerUrls[0] ?? "") !== action.member);
    this.#demand("one-learner", learner === undefined, `${action.member} is added while ${learner?.id} is a learner`);
    this.#judgeFloor(flight, world.voters.length + 1, `${action.member} is added`);
    this.#demand("latch", world.cluster?.status?.clusterID !== undefined, "the status has no cluster id");
    for (const claim of seen.claims) {
      if (claim.clusterUid !== UID || world.listedId(claim.member) === undefined) continue;
      const isMarked = claim.clusterId !== undefined || claim.isTerminating;
      this.#demand("latch", isMarked, `${claim.name} has no cluster id`);
    }
    const minors = new Set<string>();
    for (const id of world.voters) {
      const server = world.etcd.serverOf(id);
      if (server !== undefined && server.startedAt < flight.observedAt) minors.add(minorOf(server.flags.version));
    }
    // Of two voters none can be restarted: a third has to come first.
    if (world.voters.length !== 2)
      this.#demand("mixed", minors.size <= 1, `${action.member} is added to ${[...minors].join(" and ")}`);
  }

  /** The budget is as tight as the voters that come demand, before they come. */
  #judgeFloor({ seen }: Flight, voters: number, what: string): void {
    if (!seen.cluster.spec.disruptionBudget.enabled || voters < 2) return;
    const { budget } = seen;
    const isEnough = budget !== undefined && budget.minAvailable >= quorumOf(voters);
    this.#demand("budget", isEnough, `${what} with minAvailable ${budget?.minAvailable ?? "absent"}`);
  }

  #judgePromotion(flight: Flight, action: Extract<Action, { kind: "promote" }>): void {
    const world = this.#world;
    if (!world.learners.includes(action.memberId)) return;
    const after = world.voters.length + 1;
    this.#judgeFloor(flight, after, `${action.member} is promoted`);
    const well = world.voters.filter((id) => !this.#wasSick(id, flight.observedAt)).length + 1;
    this.#demand("quorum", well >= quorumOf(after), `${action.member} is promoted, and ${well} of ${after} are well`);
    const asked = flight.seen.etcd?.members.get(action.member);
    const furthest = Math.max(
      0,
      ...[...(flight.seen.etcd?.members.values() ?? [])].map(({ status }) => status?.raftIndex ?? 0),
    );
    const lag = furthest - (asked?.status?.appliedIndex ?? 0);
    this.#demand("lag", lag <= LAG_MAX, `${action.member} is promoted ${lag} entries behind`);
  }

  #judgePodCreation(flight: Flight, action: Extract<Action, { kind: "create-pod" }>, isDeleting: boolean): void {
    const world = this.#world;
    const { seen } = flight;
    const { flags } = flagsOf(action.object);
    this.#demand("deleting", !isDeleting, `${action.member} is created`);
    this.#demand("hibernated", !sleeps(seen), `${action.member} is created`);
    const isLatched =
      seen.cluster.status?.clusterID !== undefined ||
      seen.claims.some((one) => one.clusterUid === UID && one.clusterId !== undefined);
    this.#demand("new-after-latch", !(flags.isNew && isLatched), `${action.member} may begin a cluster`);
    const id = world.listedId(action.member);
    const list = seen.etcd?.list;
    if (isLatched && list !== undefined) {
      const isListed = list.members.some((one) => hostOf(one.peerUrls[0] ?? "") === action.member);
      this.#demand("member-before-pod", isListed, `${action.member} is created and not listed`);
    }
    const heldData =
      isLatched &&
      id !== undefined &&
      world.etcd.published.has(id) &&
      (world.healthySince.get(id) ?? Number.POSITIVE_INFINITY) < flight.observedAt - 60_000;
    if (heldData || (isLatched && this.#hasHeldData(action.member, id)))
      this.#demand("expect-data", flags.expectsData, `${action.member} has held data and is not told so`);
    this.#judgeVersion(action.member, flags.version);
  }

  /** A voter that was well once: its claim says so, or nobody does. */
  #hasHeldData(member: string, id: string | undefined): boolean {
    const claim = this.#world.claimOf(member);
    return id !== undefined && this.#world.voters.includes(id) && claim?.annotations["kvorum.dev/state"] === "ready";
  }

  #judgeVersion(member: string, version: string): void {
    const world = this.#world;
    const running: string[] = [];
    for (const { peerUrl } of world.etcd.committed.membership.members) {
      const disk = world.claimOf(hostOf(peerUrl))?.volume?.disk;
      if (disk !== undefined) running.push(disk.version);
    }
    const lowest = running.sort(compareVersions)[0];
    if (lowest === undefined) return;
    const step = minorNumber(version) - minorNumber(lowest);
    this.#demand("version-path", step === 0 || step === 1, `${member} gets ${version} while ${lowest} runs`);
  }

  #judgeBudget(
    flight: Flight,
    action: Extract<Action, { kind: "apply-child" | "delete-child" }>,
    isDeleting: boolean,
  ): void {
    const world = this.#world;
    const { spec } = flight.seen.cluster;
    if (isDeleting || sleeps(flight.seen) || !spec.disruptionBudget.enabled) return;
    if (world.voters.length < 2 || this.#membershipAt > flight.observedAt) return;
    if (action.kind === "delete-child") {
      this.#demand(
        "budget",
        !action.child.startsWith("PodDisruptionBudget/"),
        `it is deleted with ${world.voters.length} voters`,
      );
      return;
    }
    if (action.object.kind !== "PodDisruptionBudget") return;
    const { minAvailable } = (action.object as unknown as { readonly spec: { readonly minAvailable: number } }).spec;
    this.#demand(
      "budget",
      minAvailable >= quorumOf(world.voters.length),
      `minAvailable ${minAvailable} for ${world.voters.length} voters`,
    );
  }

  // What goes for all of them.

  #judgeQuorumLoss({ action, seen, observedAt }: Flight): void {
    const world = this.#world;
    const since = world.quorumLostSince;
    if (since === undefined || since > observedAt - QUORUM_LOSS_SEEN_MS || world.voters.length === 0) return;
    if (sleeps(seen)) return;
    switch (action.kind) {
      case "add-learner":
      case "promote":
      case "remove-member":
      case "move-leader":
      case "delete-claim":
      case "disarm":
        throw new Broken("quorum-lost", `${action.kind} ${Math.round((observedAt - since) / 1000)} s after the loss`);
      case "delete-pod": {
        const pod = world.kubernetes.pods.get(action.pod);
        if (pod?.uid !== action.uid || world.listedId(pod.name) === undefined) return;
        const runs =
          pod.server !== undefined && world.etcd.isAlive(pod.server) && pod.server.startedAt < observedAt - 5000;
        this.#demand("quorum-lost", !runs, `${pod.name}, which runs, is deleted`);
        return;
      }
      default:
    }
  }

  /** A member that answers under another cluster's id. */
  #judgeIdentity({ action, seen }: Flight, isDeleting: boolean): void {
    const ids = new Set<string>();
    for (const { status } of seen.etcd?.members.values() ?? []) if (status !== undefined) ids.add(status.clusterId);
    if (ids.size < 2 || isDeleting) return;
    const isHarmless =
      action.kind === "apply-child" || action.kind === "accept-spec" || action.kind === "add-finalizer";
    this.#demand("identity", isHarmless, `${action.kind} with ${ids.size} cluster ids`);
  }

  /** It was well when the process looked, and is still. */
  #tookPart(id: string, at: number): boolean {
    return (this.#world.healthySince.get(id) ?? Number.POSITIVE_INFINITY) <= at - ANSWERS_AFTER_MS;
  }

  #wasSick(id: string, at: number): boolean {
    return (this.#world.unhealthySince.get(id) ?? Number.POSITIVE_INFINITY) < at;
  }

  #demand(rule: RuleName, isKept: boolean, text: string): void {
    this.judged.set(rule, (this.judged.get(rule) ?? 0) + 1);
    if (!isKept) throw new Broken(rule, text);
  }
}

function hashOf(pod: GamePod): string {
  return pod.annotations["kvorum.dev/template-hash"] ?? "";
}

function minorOf(version: string): string {
  return version.split(".").slice(0, 2).join(".");
}

function minorNumber(version: string): number {
  return Number(version.split(".")[1] ?? 0);
}

function isAskedFor({ cluster }: Flight["seen"], member: string): boolean {
  return cluster.metadata.annotations?.[REQUESTS.replaceMember]?.startsWith(`${member}:`) === true;
}

/** By the last good spec, which is kept before anything is done for it. */
function sleeps({ acceptedSpec, cluster }: Flight["seen"]): boolean {
  return (acceptedSpec ?? cluster.spec).hibernate;
}
