/**
 * What an operator sees of the world: the EtcdCluster as it is, Pods and claims from caches that may be old, and the
 * answers of those members that it can reach.
 */

import type { EtcdCluster } from "../../../operator/api/etcd-cluster.ts";
import { ANNOTATIONS, type ClaimState, LABELS } from "../../../operator/api/names.ts";
import type { Loaded } from "../../../operator/certificates/handover.ts";
import type {
  AskedFacts,
  ChildFacts,
  ClaimFacts,
  EtcdFacts,
  NodeFacts,
  Observation,
  PodFacts,
} from "../../../operator/plan/observation.ts";
import { fingerprintsOf, usesTls } from "./certificates.ts";
import type { Server } from "./etcd.ts";
import type { GameClaim, GamePod } from "./kubernetes.ts";
import { hostOf, type World } from "./world.ts";

/** Between two samples of a member. */
const APART_MS = 2000;
const MAX_SAMPLES = 8;

type Sample = EtcdFacts["earlier"] extends ReadonlyMap<string, infer S> ? S : never;

/** What one process keeps in memory between two looks; a new one begins with nothing. */
export class Eyes {
  readonly #world: World;
  readonly #samples = new Map<string, Sample[]>();
  #pods: readonly PodFacts[] = [];
  #claims: readonly ClaimFacts[] = [];
  #podsAt = 0;
  #claimsAt = 0;
  readonly #known = new Map<string, { readonly version: number; readonly facts: PodFacts | ClaimFacts }>();

  constructor(world: World) {
    this.#world = world;
    this.refresh();
  }

  /** The watches have brought everything. */
  refresh(): void {
    this.#refreshPods();
    this.#refreshClaims();
  }

  /** Either watch may be late, by so long at most; it is never late for what this process wrote itself (`refresh`). */
  #catchUp(lateness: { readonly share: number; readonly maxMs: number }): void {
    const { now, chance } = this.#world;
    if (now - this.#podsAt >= lateness.maxMs || !chance.chance(lateness.share)) this.#refreshPods();
    if (now - this.#claimsAt >= lateness.maxMs || !chance.chance(lateness.share)) this.#refreshClaims();
  }

  look(lateness: { readonly share: number; readonly maxMs: number }): Observation | undefined {
    const world = this.#world;
    const { cluster, kubernetes, now } = world;
    if (cluster === undefined) return undefined;
    if (lateness.share > 0) this.#catchUp(lateness);
    else this.refresh();
    const budget = kubernetes.budget(now);
    const children = new Map<string, ChildFacts>();
    for (const [key, { uid, ownerUid, object }] of kubernetes.children) {
      children.set(key, { uid, ownerUid, object: object as unknown as ChildFacts["object"] });
    }
    const etcd = this.#ask();
    return {
      now,
      cluster,
      acceptedSpec: world.acceptedSpec,
      namespaceIsTerminating: false,
      pods: this.#pods,
      claims: this.#claims,
      children,
      budget: budget && {
        minAvailable: budget.minAvailable,
        disruptionsAllowed: budget.allowed,
        isCurrent: budget.isCurrent,
      },
      nodes: nodesOf(world),
      storageClasses: STORAGE_CLASSES,
      etcd,
      ...this.#certificates(cluster, etcd),
    };
  }

  #certificates(cluster: EtcdCluster, etcd: EtcdFacts | undefined): Pick<Observation, "secrets" | "certificatesDue"> {
    if (!usesTls(cluster)) return { secrets: NO_SECRETS };
    const { certificates, now } = this.#world;
    const loaded = loadedBy({ pods: this.#pods, etcd });
    return { secrets: certificates.secrets(cluster), certificatesDue: certificates.due(cluster, loaded, now) };
  }

  #refreshPods(): void {
    const facts: PodFacts[] = [];
    for (const pod of this.#world.kubernetes.pods.values()) facts.push(this.#once(pod, podFacts));
    this.#pods = facts;
    this.#podsAt = this.#world.now;
  }

  #refreshClaims(): void {
    const facts: ClaimFacts[] = [];
    for (const claim of this.#world.kubernetes.claims.values()) facts.push(this.#once(claim, claimFacts));
    this.#claims = facts;
    this.#claimsAt = this.#world.now;
  }

  #once<Thing extends GamePod | GameClaim, Facts extends PodFacts | ClaimFacts>(
    thing: Thing,
    make: (thing: Thing) => Facts,
  ): Facts {
    const known = this.#known.get(thing.uid);
    if (known?.version === thing.resourceVersion) return known.facts as Facts;
    const facts = make(thing);
    this.#known.set(thing.uid, { version: thing.resourceVersion, facts });
    return facts;
  }

  #ask(): EtcdFacts | undefined {
    const world = this.#world;
    const members = new Map<string, AskedFacts>();
    let list: EtcdFacts["list"];
    let alarms: EtcdFacts["alarms"] = [];
    for (const pod of this.#pods) {
      if (whyNotAsked(pod) !== undefined) {
        members.set(pod.member, notAsked(world.now, whyNotAsked(pod)));
        continue;
      }
      const server = reachable(world, pod);
      members.set(pod.member, asked(world, server));
      if (server === undefined || (list !== undefined && server !== server.leader) || !world.etcd.canRead(server))
        continue;
      list = listOf(world, server);
      alarms = [...world.etcd.alarms];
    }
    if (members.size === 0) return undefined;
    const earlier = this.#earlier();
    this.#keep(members);
    return { list, members, earlier, alarms };
  }

  #earlier(): EtcdFacts["earlier"] {
    const found = new Map<string, Sample>();
    for (const [member, samples] of this.#samples) {
      const sample = samples.findLast(({ at }) => at <= this.#world.now - APART_MS);
      if (sample !== undefined) found.set(member, sample);
    }
    return found;
  }

  #keep(members: ReadonlyMap<string, AskedFacts>): void {
    for (const member of [...this.#samples.keys()]) {
      if (members.get(member)?.status === undefined) this.#samples.delete(member);
    }
    for (const [member, { at, status }] of members) {
      if (status === undefined) continue;
      const samples = this.#samples.get(member) ?? [];
      samples.push({ at, raftTerm: status.raftTerm, leaderId: status.leaderId });
      if (samples.length > MAX_SAMPLES) samples.splice(0, samples.length - MAX_SAMPLES);
      this.#samples.set(member, samples);
    }
  }
}

/** As the operator asks: nobody who is going, and nobody whose container does not run. */
function whyNotAsked(pod: PodFacts): string | undefined {
  if (pod.isTerminating) return "its Pod is terminating";
  if (pod.ip === undefined) return "its Pod has no address";
  return pod.container?.state === "Running" ? undefined : "its container is not running";
}

function notAsked(at: number, why: string | undefined): AskedFacts {
  return { at, status: undefined, isServing: false, loadedCertificates: undefined, error: `not asked: ${why}` };
}

/** Of Pods that run and are to stay; nothing where nobody could say. */
export function loadedBy({ pods, etcd }: Pick<Observation, "pods" | "etcd">): readonly Loaded[] {
  return pods
    .filter((pod) => pod.container?.state === "Running" && !pod.isTerminating)
    .map(({ member }) => ({ member, fingerprints: etcd?.members.get(member)?.loadedCertificates }));
}

/** The process behind an address, if an operator gets through to it. */
export function reachable(
  world: World,
  pod: { readonly name: string; readonly ip: string | undefined },
): Server | undefined {
  if (world.cutOff.has("*") || world.cutOff.has(pod.name)) return undefined;
  const present = world.kubernetes.pods.get(pod.name);
  if (present?.server === undefined || present.ip !== pod.ip) return undefined;
  return world.etcd.isAlive(present.server) && world.now - present.server.startedAt >= 1000
    ? present.server
    : undefined;
}

function asked(world: World, server: Server | undefined): AskedFacts {
  const at = world.now;
  const nothing = { at, status: undefined, isServing: false, loadedCertificates: undefined };
  if (server === undefined) return { ...nothing, error: "no answer within 2 s" };
  const { disk } = server;
  const leader = world.etcd.leaderOf(server);
  return {
    at,
    status: {
      clusterId: disk.clusterId,
      memberId: disk.memberId,
      version: "3.6.0",
      leaderId: leader?.disk.memberId ?? "",
      isLearner: world.etcd.isLearner(server),
      raftTerm: disk.term,
      raftIndex: disk.commit,
      appliedIndex: disk.commit,
      dbSize: disk.dbSize,
      dbSizeInUse: 1 << 20,
    },
    isServing: world.etcd.canRead(server),
    loadedCertificates: server.loaded && fingerprintsOf(server.loaded),
    error: undefined,
  };
}

/** A member has a name from its first start on. */
function listOf({ etcd }: World, server: Server): EtcdFacts["list"] {
  const { clusterId, membership } = server.disk;
  return {
    clusterId,
    members: membership.members.map(({ id, peerUrl, isLearner }) => {
      return { id, name: etcd.published.has(id) ? hostOf(peerUrl) : "", peerUrls: [peerUrl], isLearner };
    }),
  };
}

function podFacts(pod: GamePod): PodFacts {
  return {
    name: pod.name,
    uid: pod.uid,
    resourceVersion: String(pod.resourceVersion),
    ownerUid: pod.ownerUid,
    member: pod.labels[LABELS.member] ?? pod.name,
    role: pod.labels[LABELS.role],
    labels: pod.labels,
    annotations: pod.annotations,
    createdAt: pod.createdAt,
    isTerminating: pod.deletingSince !== undefined,
    phase: pod.phase,
    ip: pod.ip,
    nodeName: pod.node?.name,
    readySince: pod.readySince,
    unscheduledSince: pod.unscheduledSince,
    container: pod.container,
  };
}

function claimFacts(claim: GameClaim): ClaimFacts {
  const { annotations } = claim;
  return {
    name: claim.name,
    uid: claim.uid,
    resourceVersion: String(claim.resourceVersion),
    ownerUid: claim.ownerUid,
    clusterUid: annotations[ANNOTATIONS.clusterUid],
    clusterId: annotations[ANNOTATIONS.clusterId],
    member: claim.labels[LABELS.member] ?? claim.name.replace(/^data-/, ""),
    memberId: annotations[ANNOTATIONS.memberId],
    state: annotations[ANNOTATIONS.state] as ClaimState | undefined,
    annotations,
    labels: claim.labels,
    isTerminating: claim.deletingSince !== undefined,
    phase: claim.phase,
    storageClassName: "standard",
    requested: claim.requested,
    capacity: claim.capacity,
    conditions: claim.conditions,
  };
}

function nodesOf(world: World): ReadonlyMap<string, NodeFacts> {
  const nodes = new Map<string, NodeFacts>();
  for (const node of world.kubernetes.nodes) {
    nodes.set(node.name, {
      isReady: node.notReadySince === undefined && node.state !== "gone",
      notReadySince: node.notReadySince,
      isOutOfService: node.isOutOfService,
      zone: node.zone,
      ...(node.state === "gone" ? { isGone: true } : {}),
    });
  }
  return nodes;
}

const NO_SECRETS: Observation["secrets"] = new Map();
const STORAGE_CLASSES: Observation["storageClasses"] = new Map([["standard", { allowsExpansion: true }]]);
