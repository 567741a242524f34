/**
 * What goes wrong in a trace, from its seed: each kind is on or off for the whole of it, so that some traces are wild and
 * some show one thing alone. Processes, nodes and calls may fail as they like. Data is lost only as far as etcd promises
 * to bear it: a majority of what votes, and of what would vote with the learner, keeps its own.
 */

import { ANNOTATIONS, LABELS } from "../../../operator/api/names.ts";
import type { Desired } from "../../../operator/plan/action.ts";
import type { Prng } from "../../../server/base/prng.ts";
import { foreignDisk, QUOTA_BYTES } from "./etcd.ts";
import type { GameNode, GamePod } from "./kubernetes.ts";
import type { Operators } from "./operators.ts";
import { askFor, WISHES, type Wish } from "./people.ts";
import { quorumOf } from "./raft-log.ts";
import type { Rules } from "./rules.ts";
import { NAME, type World } from "./world.ts";

export const FAULTS = [
  "crash", // a process ends
  "freeze", // a process stands still, and may go on
  "data-loss", // a disk is empty
  "mixed-up", // a disk holds another cluster's data
  "corrupt", // the alarm
  "nospace", // a database has grown to its bound; people see it and ask for defragmentation
  "slow", // takes in the log slowly
  "isolated", // cut off from the other members
  "pod-failed", // evicted by its node
  "pod-deleted", // by somebody else
  "claim-deleted", // by somebody else
  "node-down",
  "node-gone",
  "node-silent",
  "out-of-service",
  "drain",
  "operator-crash",
  "operator-late", // watches
  "operator-lost", // answers of writes and calls
  "operator-slow",
  "conflict",
  "overlap", // an operator's last call lands after it is dead
  "cut-off", // operators do not reach members
  "stuck", // Pods and claims that stay terminating
  "child-deleted",
  "status-lost",
  "foreign-claim", // somebody else's, with our label
] as const;

export type Fault = (typeof FAULTS)[number];

/**
 * How a trace ends: the cluster is to reach its spec; it is deleted; or all members, or a majority of their disks, are
 * gone, after which nothing may be done but to say so.
 */
export type Ending = "settled" | "deleted" | "all-lost" | "majority-lost";

/** A trace about one thing: what may go wrong and what people ask for, instead of what the seed draws. */
export interface Focus {
  readonly faults: readonly Fault[];
  readonly wishes: readonly Wish[];
  /** Absent: "settled". */
  readonly ending?: Ending;
  readonly hasTls?: boolean;
  /** Members have no volumes of their own. */
  readonly isEphemeral?: boolean;
  /** Of chaos; absent: 8. */
  readonly chaosMinutes?: number;
}

/** Between two faults of a trace with a focus, on average. */
const FOCUSED_MEAN_MS = 40_000;

interface Later {
  readonly at: number;
  readonly end: () => void;
}

export class Faults {
  readonly enabled: ReadonlySet<Fault>;
  readonly wishes: readonly Wish[];
  readonly counts: Map<string, number>;
  readonly #world: World;
  readonly #operators: Operators;
  readonly #rules: Rules;
  readonly #meanMs: number;
  readonly #later: Later[] = [];
  #nextFaultAt: number;
  #nextWishAt: number;

  constructor(world: World, operators: Operators, rules: Rules, counts: Map<string, number>, focus?: Focus) {
    const { chance } = world;
    this.#world = world;
    this.#operators = operators;
    this.#rules = rules;
    this.counts = counts;
    const share = chance.pick([0.05, 0.15, 0.3, 0.6]);
    this.enabled = new Set(focus?.faults ?? FAULTS.filter(() => chance.chance(share)));
    this.wishes = focus?.wishes ?? WISHES.filter(() => chance.chance(0.4));
    this.#meanMs = focus === undefined ? chance.pick([15_000, 40_000, 90_000, 180_000]) : FOCUSED_MEAN_MS;
    this.#nextFaultAt = world.now + this.#pause();
    this.#nextWishAt = world.now + this.#pause() * 2;
    this.#setWeather(chance, focus === undefined ? [0.01, 0.05, 0.15] : [0.15]);
    world.say(`faults: ${[...this.enabled].join(", ") || "none"}; wishes: ${this.wishes.join(", ") || "none"}`);
  }

  get nextAt(): number {
    return Math.min(this.#nextFaultAt, this.#nextWishAt, ...this.#later.map(({ at }) => at));
  }

  tick(): void {
    const { now, chance } = this.#world;
    this.#endWhatIsOver(now);
    if (now >= this.#nextFaultAt) {
      this.#nextFaultAt = now + this.#pause();
      const kinds = [...this.enabled];
      if (kinds.length > 0) this.#strike(chance.pick(kinds));
    }
    if (now >= this.#nextWishAt) {
      this.#nextWishAt = now + this.#pause() * 2;
      if (this.wishes.length === 0) return;
      const wish = chance.pick(this.wishes);
      this.#count(`wish ${wish}`);
      askFor(this.#world, wish);
    }
  }

  /** All that there is of the members is deleted, as with a wrong selector. */
  loseAll(): void {
    const { kubernetes, now } = this.#world;
    this.#world.say("all Pods and claims are deleted");
    for (const pod of [...kubernetes.pods.values()]) kubernetes.deletePod(pod.name, pod.uid, true, now);
    for (const claim of [...kubernetes.claims.values()]) kubernetes.deleteClaim(claim.name, claim.uid, now);
  }

  /** So many disks are found empty that no majority can ever be again. */
  loseMajority(): void {
    const world = this.#world;
    const { voters } = world;
    for (const id of voters.slice(0, quorumOf(voters.length))) {
      const member = world.memberOf(id);
      const volume = world.claimOf(member)?.volume;
      if (volume !== undefined) {
        volume.disk = undefined;
        volume.losses++;
      }
      world.say(`the disk of ${member} is empty`);
      const pod = world.podOf(member);
      if (pod !== undefined) world.kubernetes.crash(pod, 1, "the disk is gone", world.now);
    }
  }

  /** Everything that was broken works again; what was lost stays lost. */
  stop(): void {
    const { kubernetes, etcd, now } = this.#world;
    for (const { end } of this.#later.splice(0)) end();
    Object.assign(this.#operators.weather, {
      lateShare: 0,
      lostShare: 0,
      conflictShare: 0,
      slowShare: 0,
      crashShare: 0,
      overlapShare: 0,
    });
    this.#world.cutOff.clear();
    for (const node of kubernetes.nodes) {
      node.isCordoned = false;
      node.isOutOfService = false;
      if (node.state !== "up" && node.state !== "gone") kubernetes.setNode(node, "up", now);
    }
    while (kubernetes.nodes.filter(({ state }) => state === "up").length < 3) kubernetes.addNode();
    for (const server of etcd.servers.values()) {
      server.isFrozen = false;
      server.isIsolated = false;
      server.catchUp = Number.POSITIVE_INFINITY;
    }
    this.#takeForeignClaims();
    for (const pod of kubernetes.pods.values()) pod.heldUntil = 0;
    for (const claim of kubernetes.claims.values()) claim.heldUntil = 0;
  }

  #setWeather(chance: Prng, deaths: readonly number[]): void {
    const { weather } = this.#operators;
    const some = () => chance.pick([0.02, 0.1, 0.3]);
    if (this.enabled.has("operator-crash")) weather.crashShare = chance.pick(deaths);
    if (this.enabled.has("overlap")) weather.overlapShare = 0.5;
    if (this.enabled.has("operator-late")) weather.lateShare = chance.pick([0.3, 0.6, 0.9]);
    if (this.enabled.has("operator-lost")) weather.lostShare = some();
    if (this.enabled.has("operator-slow")) weather.slowShare = some();
    if (this.enabled.has("conflict")) weather.conflictShare = some();
  }

  #strike(fault: Fault): void {
    const what = this.#strikeAt(fault);
    if (what === undefined) return;
    this.#count(fault);
    this.#world.say(`fault: ${fault} ${what}`);
  }

  /** What was hit; nothing when there was nothing that may be. */
  #strikeAt(fault: Fault): string | undefined {
    switch (fault) {
      case "crash":
        return this.#onPod((pod) => this.#world.kubernetes.crash(pod, 2, "crashed", this.#world.now));
      case "freeze":
        return this.#onServer((server) => {
          server.isFrozen = true;
          this.#after(20_000, 120_000, () => {
            server.isFrozen = false;
          });
        });
      case "slow":
        return this.#onServer((server) => {
          server.catchUp = this.#world.chance.pick([50, 100, 400]);
          this.#after(60_000, 400_000, () => {
            server.catchUp = Number.POSITIVE_INFINITY;
          });
        });
      case "isolated":
        return this.#onServer((server) => {
          server.isIsolated = true;
          this.#after(10_000, 200_000, () => {
            server.isIsolated = false;
          });
        });
      case "data-loss":
        return this.#loseData();
      case "mixed-up":
        return this.#mixUp();
      case "corrupt":
        return this.#corrupt();
      case "nospace":
        return this.#fill();
      case "pod-failed":
        return this.#onPod(
          (pod) => this.#fail(pod),
          (pod) => this.#mayEnd(pod),
        );
      case "pod-deleted":
        return this.#onPod(
          (pod) => this.#world.kubernetes.deletePod(pod.name, pod.uid, false, this.#world.now),
          (pod) => this.#mayEnd(pod),
        );
      case "claim-deleted":
        return this.#deleteClaim();
      case "node-down":
      case "node-silent":
      case "node-gone":
      case "out-of-service":
      case "drain":
        return this.#strikeNode(fault);
      case "operator-crash":
        this.#operators.crash("by chance", 1000 + this.#world.chance.below(30_000));
        return "";
      case "cut-off":
        return this.#cutOff();
      case "stuck":
        return this.#hold();
      case "child-deleted": {
        const keys = [...this.#world.kubernetes.children.keys()];
        if (keys.length === 0) return undefined;
        const key = this.#world.chance.pick(keys);
        this.#world.kubernetes.children.delete(key);
        this.#world.kubernetes.changes++;
        return key;
      }
      case "status-lost":
        this.#world.loseStatus();
        this.#rules.forgetRepairs();
        return "";
      case "foreign-claim":
        return this.#bringForeignClaim();
      case "operator-late":
      case "operator-lost":
      case "operator-slow":
      case "conflict":
      case "overlap":
        return undefined;
    }
  }

  /** Of an earlier cluster of this name, as it seems. */
  #bringForeignClaim(): string {
    const { kubernetes } = this.#world;
    const name = `data-${NAME}-${40 + this.#world.chance.below(10)}`;
    kubernetes.createClaim({
      apiVersion: "v1",
      kind: "PersistentVolumeClaim",
      metadata: {
        name,
        namespace: "",
        labels: { [LABELS.cluster]: NAME },
        annotations: { [ANNOTATIONS.clusterUid]: "another" },
      },
      spec: { resources: { requests: { storage: "1Gi" } } },
    } as Desired);
    return name;
  }

  /** Whoever brought them takes them away. */
  #takeForeignClaims(): void {
    const { claims } = this.#world.kubernetes;
    for (const [name, claim] of claims)
      if (claim.annotations[ANNOTATIONS.clusterUid] === "another") claims.delete(name);
  }

  #onPod(hit: (pod: GamePod) => void, may: (pod: GamePod) => boolean = () => true): string | undefined {
    const pods = [...this.#world.kubernetes.pods.values()].filter(
      (pod) => pod.server !== undefined && pod.deletingSince === undefined && may(pod),
    );
    if (pods.length === 0) return undefined;
    const pod = this.#world.chance.pick(pods);
    hit(pod);
    return pod.name;
  }

  #onServer(hit: (server: NonNullable<GamePod["server"]>) => void): string | undefined {
    return this.#onPod((pod) => {
      if (pod.server !== undefined) hit(pod.server);
    });
  }

  #fail(pod: GamePod): void {
    const { kubernetes, now } = this.#world;
    kubernetes.crash(pod, 143, "Evicted", now);
    pod.phase = "Failed";
    pod.container = {
      state: "Terminated",
      reason: "Evicted",
      message: "",
      restarts: 0,
      exitCode: 143,
      endReason: "Error",
    };
    kubernetes.touch(pod);
  }

  /** Whether etcd bears the loss of this member's data for good. */
  #bears(member: string): boolean {
    const world = this.#world;
    const { voters, learners } = world;
    const id = world.listedId(member);
    if (id === undefined) return false;
    const intact = voters.filter((one) => one !== id && world.isIntact(one)).length;
    return intact >= quorumOf(voters.length + learners.length);
  }

  /** Whether nothing is lost with this Pod, or etcd bears that it is. */
  #mayEnd(pod: GamePod): boolean {
    const world = this.#world;
    if (!this.#holdsData(pod) || world.listedId(pod.name) === undefined) return true;
    return this.#bears(pod.name);
  }

  /** It has no volume of its own, or one that goes with it. */
  #holdsData(pod: GamePod): boolean {
    return this.#world.isEphemeral || this.#world.claimOf(pod.name)?.deletingSince !== undefined;
  }

  #fill(): string | undefined {
    const { etcd, chance } = this.#world;
    const able = [...etcd.servers.values()].filter((one) => etcd.isAlive(one) && one.disk.dbSize < QUOTA_BYTES);
    if (able.length === 0) return undefined;
    const server = chance.pick(able);
    server.disk.dbSize = QUOTA_BYTES;
    this.#after(10_000, 120_000, () => askFor(this.#world, "defrag"));
    return server.name;
  }

  #loseData(): string | undefined {
    const world = this.#world;
    const pods = [...world.kubernetes.pods.values()].filter((pod) => this.#bears(pod.name));
    if (pods.length === 0) return undefined;
    const pod = world.chance.pick(pods);
    const volume = world.claimOf(pod.name)?.volume;
    if (volume?.disk === undefined) return undefined;
    volume.disk = undefined;
    volume.losses++;
    world.kubernetes.crash(pod, 1, "the disk is gone", world.now);
    return pod.name;
  }

  /** Until people see it, and empty the disk. */
  #mixUp(): string | undefined {
    const world = this.#world;
    const pods = [...world.kubernetes.pods.values()].filter((pod) => pod.server !== undefined && this.#bears(pod.name));
    if (pods.length === 0) return undefined;
    const pod = world.chance.pick(pods);
    const volume = world.claimOf(pod.name)?.volume;
    if (volume?.disk === undefined) return undefined;
    const strange = foreignDisk(volume.disk.version);
    volume.disk = strange;
    world.kubernetes.crash(pod, 1, "the disk has changed", world.now);
    this.#after(60_000, 200_000, () => {
      if (volume.disk !== strange) return;
      volume.disk = undefined;
      const present = world.podOf(pod.name);
      if (present !== undefined) world.kubernetes.crash(present, 1, "the disk was emptied", world.now);
    });
    return pod.name;
  }

  #corrupt(): string | undefined {
    const world = this.#world;
    const able = world.voters.filter((id) => world.isHealthy(id) && this.#bears(world.memberOf(id)));
    if (able.length === 0) return undefined;
    const memberId = world.chance.pick(able);
    world.etcd.alarms.push({ memberId, alarm: "CORRUPT" });
    return world.memberOf(memberId);
  }

  #deleteClaim(): string | undefined {
    const world = this.#world;
    const claims = [...world.kubernetes.claims.values()].filter((claim) =>
      this.#bears(claim.name.replace(/^data-/, "")),
    );
    if (claims.length === 0) return undefined;
    const claim = world.chance.pick(claims);
    world.kubernetes.deleteClaim(claim.name, claim.uid, world.now);
    return claim.name;
  }

  #strikeNode(fault: "node-down" | "node-silent" | "node-gone" | "out-of-service" | "drain"): string | undefined {
    const { kubernetes, chance, now } = this.#world;
    const able = kubernetes.nodes.filter(
      (node) =>
        node.state === (fault === "out-of-service" ? "down" : "up") && (fault === "drain" || this.#mayLose(node)),
    );
    if (able.length === 0) return undefined;
    const node = chance.pick(able);
    switch (fault) {
      case "node-down":
      case "node-silent":
        kubernetes.setNode(node, fault === "node-down" ? "down" : "silent", now);
        this.#after(20_000, 700_000, () => this.#bringBack(node));
        break;
      case "node-gone":
        return this.#loseNode(node);
      case "out-of-service":
        node.isOutOfService = true;
        break;
      case "drain":
        node.isCordoned = true;
        this.#drain(node, now + 120_000 + chance.below(120_000));
        break;
    }
    return node.name;
  }

  /** Its Pods are taken away if it stays away: at most one of them may hold data, and etcd must bear that. */
  #mayLose(node: GameNode): boolean {
    const holding = [...this.#world.kubernetes.pods.values()].filter(
      (pod) => pod.node === node && this.#holdsData(pod),
    );
    return holding.length <= 1 && holding.every((pod) => this.#mayEnd(pod));
  }

  #bringBack(node: GameNode): void {
    const { kubernetes, now } = this.#world;
    if (node.state === "gone" || node.state === "up") return;
    node.isOutOfService = false;
    kubernetes.setNode(node, "up", now);
  }

  /** Where volumes cannot move, their data goes with it. */
  #loseNode(node: GameNode): string | undefined {
    const { kubernetes, now } = this.#world;
    const claims = [...kubernetes.claims.values()].filter((claim) => claim.pinned === node);
    if (claims.length > 1 || claims.some((claim) => !this.#bears(claim.name.replace(/^data-/, "")))) return undefined;
    if (kubernetes.nodes.filter(({ state }) => state !== "gone").length <= 2) kubernetes.addNode();
    kubernetes.setNode(node, "gone", now);
    return node.name;
  }

  /** Evicts what the budget lets go, again and again. */
  #drain(node: GameNode, until: number): void {
    const { kubernetes, now } = this.#world;
    const pods = [...kubernetes.pods.values()].filter((pod) => pod.node === node && pod.deletingSince === undefined);
    const [pod] = pods;
    const budget = kubernetes.budget(now);
    if (pod !== undefined && this.#mayEnd(pod) && (budget === undefined || budget.allowed >= 1)) {
      this.#world.say(`drain: ${pod.name} is evicted`);
      kubernetes.deletePod(pod.name, pod.uid, false, now);
    }
    this.#after(5000, 5000, () => {
      if (this.#world.now < until && node.isCordoned) this.#drain(node, until);
      else node.isCordoned = false;
    });
  }

  #cutOff(): string | undefined {
    const { cutOff, chance, kubernetes } = this.#world;
    const names = [...kubernetes.pods.keys()];
    const whom = chance.chance(0.5) || names.length === 0 ? "*" : chance.pick(names);
    cutOff.add(whom);
    this.#after(10_000, 240_000, () => cutOff.delete(whom));
    return whom;
  }

  #hold(): string | undefined {
    const { kubernetes, chance, now } = this.#world;
    const things = [...kubernetes.pods.values(), ...kubernetes.claims.values()];
    if (things.length === 0) return undefined;
    const thing = chance.pick(things);
    thing.heldUntil = now + 30_000 + chance.below(300_000);
    return thing.name;
  }

  #after(leastMs: number, mostMs: number, end: () => void): void {
    const { now, chance } = this.#world;
    this.#later.push({ at: now + leastMs + chance.below(mostMs - leastMs + 1), end });
  }

  #endWhatIsOver(now: number): void {
    for (const later of this.#later.filter(({ at }) => at <= now)) {
      this.#later.splice(this.#later.indexOf(later), 1);
      later.end();
    }
  }

  /** Exponential, as calls of chance are. */
  #pause(): number {
    const share = (this.#world.chance.uint32() + 1) / 0x1_0000_0000;
    return 1000 + Math.min(-Math.log(share) * this.#meanMs, this.#meanMs * 5);
  }

  #count(what: string): void {
    this.counts.set(what, (this.counts.get(what) ?? 0) + 1);
  }
}
