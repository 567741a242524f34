/**
 * One namespace with one EtcdCluster under virtual time: Kubernetes and etcd put together, and what people do to the
 * EtcdCluster itself. It keeps what is true, and since when; what an operator may know of it is `observe.ts`.
 */

import type { EtcdCluster, EtcdClusterSpec, EtcdClusterStatus } from "../../../operator/api/etcd-cluster.ts";
import { exampleCluster, exampleSpec } from "../../../operator/api/example.ts";
import { claimName } from "../../../operator/api/names.ts";
import { Prng } from "../../../server/base/prng.ts";
import { Certificates, type IssuerHabits, meet, usesTls } from "./certificates.ts";
import { type Disk, Etcd, type Server, type Volume } from "./etcd.ts";
import { type GameClaim, type GamePod, Kubernetes, type KubernetesOptions } from "./kubernetes.ts";
import { quorumOf } from "./raft-log.ts";

export const NAME = "game";
const NAMESPACE = "arena";
/** 2027-01-15T08:00:00Z. */
export const EPOCH_MS = 1_800_000_000_000;
/** Further behind a voter counts for nothing. */
const LAG_MAX = 1000;
/** Keeps a report readable. */
const MAX_LINES = 4000;

export type ImageKind = "good" | "missing" | "crashing" | "mute";

export interface WorldOptions extends KubernetesOptions {
  readonly spec: EtcdClusterSpec;
  /** What becomes of images that are not good, by version. */
  readonly images: ReadonlyMap<string, ImageKind>;
  readonly isTraced: boolean;
  /** How long the first authority of its certificates lives; absent: as long as they do. */
  readonly firstAuthorityMs?: number | undefined;
  readonly issuer?: IssuerHabits | undefined;
}

export class World {
  readonly chance: Prng;
  readonly kubernetes: Kubernetes;
  readonly etcd: Etcd;
  readonly certificates: Certificates;
  readonly options: WorldOptions;
  readonly images: Map<string, ImageKind>;
  now = EPOCH_MS;
  /** Gone once it has been deleted and nobody holds it any more. */
  cluster: EtcdCluster | undefined;
  acceptedSpec: EtcdClusterSpec | undefined;
  /** Members whom operators cannot reach although others can; "*": none at all. */
  readonly cutOff = new Set<string>();
  /** Since when a voter has taken no part, by member id; absent: it does. */
  readonly unhealthySince = new Map<string, number>();
  /** Since when a voter takes part without a break. */
  readonly healthySince = new Map<string, number>();
  /** Since when no majority of the voters takes part. */
  quorumLostSince: number | undefined;
  /** Since when the present leader leads. */
  leaderSince = 0;
  /** When spec or metadata were changed by people the last time. */
  specChangedAt = EPOCH_MS;
  /** Data that was lost by the world's hand, not by an operator's. */
  readonly lostByWorld = new Set<Volume>();
  readonly lines: string[] = [];
  #leader: Server | undefined;
  #version = 1;

  constructor(seed: number, options: WorldOptions) {
    this.chance = new Prng(seed);
    this.options = options;
    this.images = new Map(options.images);
    this.certificates = new Certificates(options.firstAuthorityMs);
    const mountsFiles = usesTls(options);
    this.etcd = mountsFiles
      ? new Etcd(this.chance, (one, other) => meet(one.loaded, other.loaded, this.now))
      : new Etcd(this.chance);
    this.kubernetes = new Kubernetes(
      this.chance,
      {
        start: (pod, volume, now) => this.#startServer(pod, volume, now),
        stop: (server) => this.etcd.stop(server),
        isReady: (server) => this.etcd.leaderOf(server) !== undefined && !this.etcd.isLearner(server),
        image: (version) => this.images.get(version) ?? "good",
        discard: (volume) => {
          volume.disk = undefined;
          volume.losses++;
        },
        mountsFiles,
        files: () => this.certificates.files,
      },
      options,
    );
    this.cluster = newCluster(options.spec);
    this.say(`EtcdCluster with ${options.spec.replicas} replicas of ${options.spec.version} on ${options.nodes} nodes`);
  }

  get isTraced(): boolean {
    return this.options.isTraced;
  }

  say(text: string): void {
    if (!this.isTraced) return;
    if (this.lines.length < MAX_LINES) this.lines.push(`${clock(this.now)} ${text}`);
  }

  /** Whole seconds. */
  tick(seconds: number): void {
    this.now += seconds * 1000;
    this.kubernetes.tick(this.now);
    this.etcd.tick(this.now, seconds);
    this.noteHealth();
    if (this.cluster === undefined) this.#collectGarbage();
  }

  // What people and operators do to the EtcdCluster. Each answers whether it was taken.

  changeSpec(change: (spec: EtcdClusterSpec) => EtcdClusterSpec): void {
    const { cluster } = this;
    if (cluster === undefined) return;
    const generation = cluster.metadata.generation + 1;
    this.#write({ ...cluster, spec: change(cluster.spec), metadata: { ...cluster.metadata, generation } });
    this.specChangedAt = this.now;
  }

  annotate(key: string, value: string): void {
    const { cluster } = this;
    if (cluster === undefined) return;
    const annotations = { ...cluster.metadata.annotations, [key]: value };
    this.#write({ ...cluster, metadata: { ...cluster.metadata, annotations } });
  }

  deleteCluster(): void {
    const { cluster } = this;
    if (cluster === undefined || cluster.metadata.deletionTimestamp !== undefined) return;
    this.say("people delete the EtcdCluster");
    if ((cluster.metadata.finalizers ?? []).length === 0) this.cluster = undefined;
    else this.#write({ ...cluster, metadata: { ...cluster.metadata, deletionTimestamp: rfc3339(this.now) } });
    this.specChangedAt = this.now;
    this.kubernetes.changes++;
  }

  writeStatus(status: EtcdClusterStatus, resourceVersion: string): boolean {
    const { cluster } = this;
    if (cluster === undefined || cluster.metadata.resourceVersion !== resourceVersion) return false;
    this.#store({ ...cluster, status });
    return true;
  }

  /** A restore of the object without its status. */
  loseStatus(): void {
    if (this.cluster !== undefined) this.#write({ ...this.cluster, status: { observedGeneration: -1 } });
  }

  setFinalizers(finalizers: readonly string[], resourceVersion: string): boolean {
    const { cluster } = this;
    if (cluster === undefined || cluster.metadata.resourceVersion !== resourceVersion) return false;
    const changed = { ...cluster, metadata: { ...cluster.metadata, finalizers } };
    if (finalizers.length === 0 && cluster.metadata.deletionTimestamp !== undefined) this.cluster = undefined;
    else this.#write(changed);
    return true;
  }

  // What is true.

  /** Ids of those who vote by the newest committed change. */
  get voters(): readonly string[] {
    return this.etcd.committed.membership.voters;
  }

  get learners(): readonly string[] {
    return this.etcd.committed.membership.members.filter(({ isLearner }) => isLearner).map(({ id }) => id);
  }

  /** The id of the listed member whose peer URL or name is this member's. */
  listedId(member: string): string | undefined {
    const { members } = this.etcd.committed.membership;
    return members.find(({ peerUrl }) => hostOf(peerUrl) === member)?.id;
  }

  memberOf(id: string): string {
    const found = this.etcd.committed.membership.members.find((one) => one.id === id);
    return found === undefined ? id : hostOf(found.peerUrl);
  }

  podOf(member: string): GamePod | undefined {
    return this.kubernetes.pods.get(member);
  }

  claimOf(member: string): GameClaim | undefined {
    return this.kubernetes.claims.get(claimName(member));
  }

  /** Whether members have no claims, and lose their data with their Pods. */
  get isEphemeral(): boolean {
    return this.options.spec.storage.persistent === undefined;
  }

  diskOf(member: string): Disk | undefined {
    return this.isEphemeral ? this.podOf(member)?.volume?.disk : this.claimOf(member)?.volume?.disk;
  }

  isHealthy(id: string): boolean {
    return !this.unhealthySince.has(id);
  }

  /** Whether its data lies somewhere where it can be started from, and nothing has begun that ends it. */
  isIntact(id: string): boolean {
    const member = this.memberOf(id);
    if (this.diskOf(member)?.memberId !== id) return false;
    if (this.etcd.alarms.some((alarm) => alarm.memberId === id && alarm.alarm === "CORRUPT")) return false;
    if (this.isEphemeral) {
      const pod = this.podOf(member);
      return pod?.node?.state === "up" && pod.deletingSince === undefined && pod.phase === "Running";
    }
    const claim = this.claimOf(member);
    return claim?.deletingSince === undefined && claim?.pinned?.state !== "gone";
  }

  /** Writes down who takes part now; after anything that may have changed it. */
  noteHealth(): void {
    const { voters } = this;
    const leader = this.etcd.leader;
    let healthy = 0;
    for (const id of voters) {
      const server = this.etcd.serverOf(id);
      const follows = server === undefined ? undefined : this.etcd.leaderOf(server);
      const isHealthy =
        follows !== undefined &&
        server !== undefined &&
        follows.disk.log.last - server.disk.log.last < LAG_MAX &&
        !this.etcd.alarms.some((alarm) => alarm.memberId === id && alarm.alarm === "CORRUPT");
      if (isHealthy) {
        healthy++;
        this.unhealthySince.delete(id);
        if (!this.healthySince.has(id)) this.healthySince.set(id, this.now);
      } else {
        this.healthySince.delete(id);
        if (!this.unhealthySince.has(id)) this.unhealthySince.set(id, this.now);
      }
    }
    if (healthy >= quorumOf(voters.length)) this.quorumLostSince = undefined;
    else this.quorumLostSince ??= this.now;
    if (leader === this.#leader) return;
    this.#leader = leader;
    this.leaderSince = this.now;
    if (leader !== undefined) this.say(`etcd: ${leader.name} leads in term ${leader.disk.term}`);
  }

  #startServer(pod: GamePod, volume: Volume, now: number): ReturnType<Etcd["start"]> {
    const before = this.etcd.beginnings.length;
    const started = this.etcd.start(pod.flags, volume, now);
    if ("code" in started) this.say(`etcd: ${pod.name} ends with ${started.code}: ${started.why}`);
    else if (this.etcd.beginnings.length > before) this.say(`etcd: ${pod.name} begins a cluster of its own`);
    return started;
  }

  #write(cluster: EtcdCluster): void {
    this.#store(cluster);
    this.kubernetes.changes++;
  }

  /** Nobody is woken by a status that an operator wrote itself. */
  #store(cluster: EtcdCluster): void {
    const resourceVersion = String(++this.#version);
    this.cluster = { ...cluster, metadata: { ...cluster.metadata, resourceVersion } };
  }

  #collectGarbage(): void {
    const { pods, claims, children } = this.kubernetes;
    for (const pod of pods.values()) {
      if (pod.ownerUid === UID) this.kubernetes.deletePod(pod.name, pod.uid, false, this.now);
    }
    for (const claim of claims.values()) {
      if (claim.ownerUid === UID) this.kubernetes.deleteClaim(claim.name, claim.uid, this.now);
    }
    for (const [key, child] of children) if (child.ownerUid === UID) children.delete(key);
  }
}

const EXAMPLE = exampleCluster();
export const UID = EXAMPLE.metadata.uid;

function newCluster(spec: EtcdClusterSpec): EtcdCluster {
  const creationTimestamp = rfc3339(EPOCH_MS);
  return {
    ...EXAMPLE,
    spec,
    metadata: { ...EXAMPLE.metadata, name: NAME, namespace: NAMESPACE, creationTimestamp },
  };
}

/** Times as short as sense allows: a trace is to hold many repairs, and several lives of a certificate. */
const GAME_SPEC = exampleSpec({
  update: { strategy: "RollingUpdate", minReadySeconds: 3, memberTimeout: "4m" },
  repair: { mode: "Automatic", unhealthyAfter: "90s", unscheduledAfter: "2m", maxPerHour: 2 },
});

export function gameSpec(changes: Partial<EtcdClusterSpec> = {}): EtcdClusterSpec {
  return { ...GAME_SPEC, ...changes };
}

/** Members show each other certificates that the operator's own authority signs. */
export const GAME_TLS: EtcdClusterSpec["tls"] = {
  client: { mode: "Disabled" },
  peer: { mode: "Mutual", source: { operatorCA: {} } },
  certificates: { duration: "12m", renewBefore: "5m" },
};

/** First label of the host of a URL. */
export function hostOf(url: string): string {
  const host = url.slice(url.indexOf("//") + 2);
  const end = host.search(/[.:/]/);
  return end < 0 ? host : host.slice(0, end);
}

export function rfc3339(ms: number): string {
  return `${new Date(ms).toISOString().slice(0, 19)}Z`;
}

/** Since the beginning of the trace. */
export function clock(now: number): string {
  const seconds = Math.floor((now - EPOCH_MS) / 1000);
  const [minutes, rest] = [Math.floor(seconds / 60), seconds % 60];
  return `${String(minutes).padStart(3)}:${String(rest).padStart(2, "0")}`;
}
