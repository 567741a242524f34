/**
 * What an operator must never do, whatever happens: checked on every action before it takes effect, and on the world
 * after every tick. An action is judged by what was true when its process looked: what changed only afterwards nobody
 * could know. What operators themselves have just taken down counts always, whoever of them did it.
 */
import { LABELS, REQUESTS } from "../../../operator/api/names.ts";
import { bytesOf } from "../../../operator/api/quantity.ts";
import type { Action, Plan } from "../../../operator/plan/action.ts";
import { isSame } from "../../../operator/plan/same.ts";
import { compareVersions } from "../../../operator/plan/versions.ts";
import { templateHashOf } from "./builders.ts";
import { CertificateRules } from "./certificate-rules.ts";
import { EXIT_DATA_LOST, QUOTA_BYTES } from "./etcd.ts";
import type { GamePod } from "./kubernetes.ts";
import { flagsOf } from "./objects.ts";
import type { Flight } from "./operators.ts";
import { quorumOf } from "./raft-log.ts";
import { Broken, type RuleName } from "./rule-names.ts";
import { hostOf, UID, type World } from "./world.ts";

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
  /** False once a status was lost while no voter was ready: what had run before cannot be known any more. */
  #isVersionKnown = true;
  /** The lowest that voters ran when all of them were well the last time. */
  #sharedVersion: string | undefined;
  #membershipAt = 0;
  #membershipIndex = 0;
  /** How often each rule had something to judge. */
  readonly judged: Map<RuleName, number>;
  readonly #without: readonly RuleName[];
  readonly #certificates: CertificateRules;

  /** Rules of `without` are not asked: to see whether one that lies below them catches what they let through. */
  constructor(world: World, judged: Map<RuleName, number> = new Map(), without: readonly RuleName[] = []) {
    this.#world = world;
    this.judged = judged;
    this.#without = without;
    this.#certificates = new CertificateRules(world, (rule, isKept, text) => this.#demand(rule, isKept, text));
  }

  /** An action of this plan is about to be tried: what was learnt for it must be written down. */
  takesOff({ status, action }: Plan): void {
    const { cluster } = this.#world;
    if (cluster !== undefined)
      this.#demand("status-first", isSame(cluster.status, status), `${action.kind} before its status is written`);
  }

  /** A status is lost, and with it the journal of repairs: nobody can be held to it. */
  forgetRepairs(): void {
    this.#repairs = [];
    // Which version runs is known from Pods that are ready then, or from nobody.
    if (this.#world.voters.every((id) => this.#world.podOf(this.#world.memberOf(id))?.readySince === undefined))
      this.#isVersionKnown = false;
  }

  before(flight: Flight): void {
    const { action, seen } = flight;
    if (action.kind === "none") return;
    const isDeleting = seen.cluster.metadata.deletionTimestamp !== undefined;
    if (!isDeleting) this.#demand("paused", !seen.cluster.spec.paused, action.kind);
    this.#judgeIdentity(flight, isDeleting);
    if (!isDeleting) {
      this.#judgeKnowledge(flight);
      this.#judgeQuorumLoss(flight);
    }
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
      case "defragment":
        this.#judgeDefragmentation(flight, action.member);
        return;
      case "disarm":
        this.#judgeDisarming(flight, action);
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
  tried({ action }: Pick<Flight, "action">): void {
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
    this.#noteSharedVersion();
    this.#certificates.tick();
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
      this.#judgeSleep(flight, pod, id);
      return;
    }
    // What a dead process had asked for may come after another has changed the membership: nobody could know.
    if (!this.#tookPart(id, flight.observedAt) || this.#membershipAt > flight.observedAt) return;
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
    const going = seen.pods.find(
      (one) => one.isTerminating && one.name !== world.memberOf(id) && others.includes(world.listedId(one.name) ?? ""),
    );
    this.#demand("drained", going === undefined, `${what} while the Pod of ${going?.name} is terminating`);
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
  #judgeSleep({ seen }: Flight, pod: GamePod, id: string): void {
    const world = this.#world;
    // Where nobody answers nobody can tell who leads.
    const isKnown = [...(seen.etcd?.members.values() ?? [])].some(({ status }) => status?.leaderId === id);
    if (world.etcd.leader?.disk.memberId !== id || !isKnown) return;
    const awake = world.voters.filter((one) => one !== id && this.#runs(one));
    this.#demand(
      "leader-sleeps-last",
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
      const isRouted =
        pod?.labels[LABELS.role] === "voter" && pod.deletingSince === undefined && pod.readySince !== undefined;
      if (rest.length > 1) this.#demand("routing", !isRouted, `${action.member} is removed and still has its role`);
    } else {
      const well = rest.filter((one) => !this.#wasSick(one, observedAt)).length;
      this.#demand(
        "quorum",
        well >= quorumOf(rest.length),
        `${action.member} is removed, and ${well} of ${rest.length} are well`,
      );
      this.#judgeDurability(flight, action.member, rest);
      this.#judgeRepair(flight, action.member, id);
    }
  }

  /** The silent one may be what a quorum is left of, once those are gone whose claims have been deleted. */
  #judgeDurability({ seen, observedAt }: Flight, member: string, rest: readonly string[]): void {
    const world = this.#world;
    const claims = new Map(seen.claims.map((one) => [one.member, one]));
    const own = claims.get(member);
    if (world.isEphemeral || own === undefined || own.isTerminating || isLost(seen, member)) return;
    const well = rest.filter((one) => !this.#wasSick(one, observedAt));
    const staying = well.filter((one) => claims.get(world.memberOf(one))?.isTerminating !== true).length;
    const canGrow = rest.every((one) =>
      seen.pods.some((pod) => pod.name === world.memberOf(one) && pod.readySince !== undefined),
    );
    this.#demand(
      "durable",
      staying >= quorumOf(rest.length) || (well.length === rest.length && canGrow),
      `${member} is removed, and only ${staying} of ${rest.length} keep their data`,
    );
  }

  /** Everything here follows from a list; and it is asked of somebody who decides. */
  #judgeKnowledge({ action, seen }: Flight): void {
    const list = seen.etcd?.list;
    const takes = action.kind === "delete-claim" || (action.kind === "mark-claim" && action.marks.state === "retired");
    const via = "via" in action ? action.via : undefined;
    if (!takes && via === undefined) return;
    this.#demand("unknown", list !== undefined, `${action.kind} without a list`);
    if (via === undefined) return;
    const asked = list?.members.find((one) => hostOf(one.peerUrls[0] ?? "") === via);
    const isServing = seen.etcd?.members.get(via)?.isServing === true;
    const isSelf = action.kind === "remove-member" && asked?.id === action.memberId;
    this.#demand("asked-voter", asked?.isLearner === false && isServing && !isSelf, `${action.kind} via ${via}`);
  }

  /** It answers nobody meanwhile, as if it was taken. */
  #judgeDefragmentation(flight: Flight, member: string): void {
    const world = this.#world;
    const id = world.listedId(member);
    if (id === undefined || !world.voters.includes(id) || !this.#tookPart(id, flight.observedAt)) return;
    this.#judgeDisruption(flight, id, world.voters.length, `${member} is defragmented`);
    this.#taken.set(id, world.now);
    const { cluster } = flight.seen;
    const asked = cluster.metadata.annotations?.[REQUESTS.defrag];
    if (world.etcd.leader?.disk.memberId !== id || world.leaderSince > flight.observedAt || asked?.includes(":"))
      return;
    const later = world.voters.find(
      (one) => one !== id && cluster.status?.handledRequests?.[`defrag.${world.memberOf(one)}`] !== asked,
    );
    this.#demand(
      "defrag-leader-last",
      later === undefined,
      `${member} leads, and ${later && world.memberOf(later)} has not been defragmented`,
    );
  }

  /** Once its member was defragmented for this request; that it may be full again since is shown by another alarm. */
  #judgeDisarming({ seen }: Flight, { memberId, alarm }: Extract<Action, { kind: "disarm" }>): void {
    const world = this.#world;
    if (!world.voters.includes(memberId) && !world.learners.includes(memberId)) return;
    const member = world.memberOf(memberId);
    const disk = world.etcd.serverOf(memberId)?.disk ?? world.diskOf(member);
    const { metadata, status } = seen.cluster;
    const asked = metadata.annotations?.[REQUESTS.defrag];
    const isDone = asked !== undefined && status?.handledRequests?.[`defrag.${member}`] !== undefined;
    const isMended = alarm === "NOSPACE" && (isDone || disk === undefined || disk.dbSize < QUOTA_BYTES);
    this.#demand("alarm-kept", isMended, `${alarm} of ${world.memberOf(memberId)}`);
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
    // One that is lost while the call is on its way was there when it was made.
    const status = seen.cluster.status?.clusterID ?? world.cluster?.status?.clusterID;
    this.#demand("latch", status !== undefined, "the status has no cluster id");
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
    // Members without disks are not restarted but replaced, by ones of the new version.
    if (world.voters.length !== 2 && !world.isEphemeral)
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
    if (isLatched && world.isEphemeral) {
      const entry = list?.members.find((one) => hostOf(one.peerUrls[0] ?? "") === action.member);
      this.#demand("ephemeral-once", entry === undefined || entry.name === "", `${action.member} starts once more`);
      return;
    }
    const heldData =
      isLatched &&
      id !== undefined &&
      world.etcd.published.has(id) &&
      (world.healthySince.get(id) ?? Number.POSITIVE_INFINITY) < flight.observedAt - 60_000;
    if (heldData || (isLatched && this.#hasHeldData(action.member, id)))
      this.#demand("expect-data", flags.expectsData, `${action.member} has held data and is not told so`);
    // Before the id is known nobody has been served, and what has formed the cluster may be unknown.
    if (isLatched && this.#isVersionKnown) this.#judgeVersion(action.member, flags.version);
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
    const isStep = (from: string) => [0, 1].includes(minorNumber(version) - minorNumber(from));
    const isAllowed = isStep(lowest) || (this.#sharedVersion !== undefined && isStep(this.#sharedVersion));
    this.#demand("version-path", isAllowed, `${member} gets ${version} while ${lowest} runs`);
  }

  /** A version counts once every voter has run it at the same time; until then all may go back. */
  #noteSharedVersion(): void {
    const { voters, etcd } = this.#world;
    let lowest: string | undefined;
    for (const id of voters) {
      const version = this.#world.isHealthy(id) ? etcd.serverOf(id)?.flags.version : undefined;
      if (version === undefined) return;
      if (lowest === undefined || compareVersions(version, lowest) < 0) lowest = version;
    }
    this.#sharedVersion = lowest ?? this.#sharedVersion;
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
    if (this.#without.includes(rule)) return;
    this.judged.set(rule, (this.judged.get(rule) ?? 0) + 1);
    if (!isKept) throw new Broken(rule, text);
  }
}

/** It said so itself. */
function isLost({ pods, etcd }: Flight["seen"], member: string): boolean {
  const id = etcd?.list?.members.find((one) => one.name === member)?.id;
  if (etcd?.alarms.some((one) => one.memberId === id && one.alarm === "CORRUPT") === true) return true;
  return pods.some((one) => one.member === member && one.container?.exitCode === EXIT_DATA_LOST);
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
