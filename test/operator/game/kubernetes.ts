/**
 * Kubernetes as far as an operator can tell: nodes that fail, Pods that are scheduled, started, probed and deleted at a
 * kubelet's pace, claims that wait for their Pods, a disruption budget that is counted from Pods, and a garbage
 * collector. What runs in a Pod is the world's affair (`Runner`).
 */

import type { Text } from "../../../operator/api/etcd-cluster.ts";
import type { Desired } from "../../../operator/plan/action.ts";
import type { ContainerFacts, PodFacts } from "../../../operator/plan/observation.ts";
import type { Prng } from "../../../server/base/prng.ts";
import type { Files } from "./certificates.ts";
import type { Server, StartFlags, Volume } from "./etcd.ts";
import { annotationsOf, claimOf, flagsOf, labelsOf, ownerOf, requestOf } from "./objects.ts";

/** A node is called not ready after so long without a word. */
const NODE_SILENT_MS = 40_000;
/** Its Pods are deleted after so long of that. */
const NODE_EVICTION_MS = 300_000;
const OUT_OF_SERVICE_MS = 6000;
const LIVENESS_MS = 80_000;
const MAX_BACK_OFF_MS = 60_000;
/** A kubelet looks for changed files so often by itself, at least and at most; and so soon after its Pod has changed. */
const FILES_MS = [15_000, 50_000] as const;
const FILES_SOON_MS = [1000, 3000] as const;

export interface GameNode {
  readonly name: string;
  readonly zone: string;
  /** `silent`: the kubelet cannot be heard, and what runs there runs on. */
  state: "up" | "down" | "silent" | "gone";
  isCordoned: boolean;
  isOutOfService: boolean;
  changedAt: number;
  notReadySince: number | undefined;
}

export interface GamePod {
  readonly name: string;
  readonly uid: string;
  resourceVersion: number;
  readonly ownerUid: string | undefined;
  labels: Text;
  annotations: Text;
  readonly createdAt: number;
  readonly flags: StartFlags;
  readonly args: readonly string[];
  readonly claim: string | undefined;
  deletingSince: number | undefined;
  /** Somebody else's finalizer or a kubelet that hangs keeps it until then. */
  heldUntil: number;
  phase: PodFacts["phase"];
  ip: string | undefined;
  node: GameNode | undefined;
  readySince: number | undefined;
  unscheduledSince: number | undefined;
  container: ContainerFacts | undefined;
  server: Server | undefined;
  /** When the kubelet does its next step. */
  dueAt: number;
  frozenSince: number | undefined;
  /** Of its own, where it has no claim: ends with the Pod. */
  volume: Volume | undefined;
  /** Certificates as they are mounted, and when the kubelet brings newer ones. */
  files: Files | undefined;
  filesDueAt: number | undefined;
}

export interface GameClaim {
  readonly name: string;
  readonly uid: string;
  resourceVersion: number;
  readonly ownerUid: string | undefined;
  labels: Text;
  annotations: Text;
  deletingSince: number | undefined;
  heldUntil: number;
  phase: "Pending" | "Bound" | "Lost";
  requested: number;
  capacity: number | undefined;
  conditions: readonly string[];
  resizeDueAt: number;
  volume: Volume | undefined;
  /** Where the volume lies, if it cannot move. */
  pinned: GameNode | undefined;
}

export interface Child {
  readonly uid: string;
  readonly ownerUid: string | undefined;
  readonly object: Desired;
  readonly changedAt: number;
}

/** What Pods run. */
export interface Runner {
  start(pod: GamePod, volume: Volume, now: number): Server | { readonly code: number; readonly why: string };
  stop(server: Server): void;
  /** As its readiness probe asks. */
  isReady(server: Server): boolean;
  /** What becomes of the image of this version. */
  image(version: string): "good" | "missing" | "crashing" | "mute";
  /** The last of a volume. */
  discard(volume: Volume): void;
  /** Whether Pods mount certificates. */
  readonly mountsFiles: boolean;
  /** Those that there are now. */
  files(): Files | undefined;
}

export interface KubernetesOptions {
  readonly nodes: number;
  readonly zones: number;
  readonly hasLocalVolumes: boolean;
  /** A grown file system needs a start of its Pod. */
  readonly growsOffline: boolean;
}

export class Kubernetes {
  readonly nodes: GameNode[] = [];
  readonly pods = new Map<string, GamePod>();
  readonly claims = new Map<string, GameClaim>();
  readonly children = new Map<string, Child>();
  /** Grows with every change that a watcher of Pods and claims hears of. */
  changes = 0;
  readonly #chance: Prng;
  readonly #runner: Runner;
  readonly #options: KubernetesOptions;
  #serial = 0;

  constructor(chance: Prng, runner: Runner, options: KubernetesOptions) {
    this.#chance = chance;
    this.#runner = runner;
    this.#options = options;
    for (let at = 0; at < options.nodes; at++) this.addNode();
  }

  addNode(): GameNode {
    const at = this.#serial++;
    const node: GameNode = {
      name: `node-${at}`,
      zone: `zone-${at % this.#options.zones}`,
      state: "up",
      isCordoned: false,
      isOutOfService: false,
      changedAt: 0,
      notReadySince: undefined,
    };
    this.nodes.push(node);
    return node;
  }

  newUid(): string {
    return `uid-${++this.#serial}`;
  }

  // Writes of the API. Each says in HTTP's terms what became of it.

  createPod(object: Desired, now: number): 201 | 409 {
    if (this.pods.has(object.metadata.name)) return 409;
    const { flags, args } = flagsOf(object);
    this.pods.set(object.metadata.name, {
      name: object.metadata.name,
      uid: this.newUid(),
      resourceVersion: ++this.changes,
      ownerUid: ownerOf(object),
      labels: labelsOf(object),
      annotations: annotationsOf(object),
      createdAt: now,
      flags,
      args,
      claim: claimOf(object),
      deletingSince: undefined,
      heldUntil: 0,
      phase: "Pending",
      ip: undefined,
      node: undefined,
      readySince: undefined,
      unscheduledSince: undefined,
      container: undefined,
      server: undefined,
      dueAt: now,
      frozenSince: undefined,
      volume: undefined,
      files: undefined,
      filesDueAt: undefined,
    });
    return 201;
  }

  createClaim(object: Desired): 201 | 409 {
    if (this.claims.has(object.metadata.name)) return 409;
    this.claims.set(object.metadata.name, {
      name: object.metadata.name,
      uid: this.newUid(),
      resourceVersion: ++this.changes,
      ownerUid: ownerOf(object),
      labels: labelsOf(object),
      annotations: annotationsOf(object),
      deletingSince: undefined,
      heldUntil: 0,
      phase: "Pending",
      requested: requestOf(object),
      capacity: undefined,
      conditions: [],
      resizeDueAt: 0,
      volume: undefined,
      pinned: undefined,
    });
    return 201;
  }

  deletePod(name: string, uid: string | undefined, isForced: boolean, now: number): 200 | 404 | 409 {
    const pod = this.pods.get(name);
    if (pod === undefined) return 404;
    if (uid !== undefined && pod.uid !== uid) return 409;
    if (isForced) {
      this.#removePod(pod);
      return 200;
    }
    if (pod.deletingSince === undefined) {
      pod.deletingSince = now;
      pod.dueAt = Math.max(now, Math.min(pod.dueAt, now + 1000 + this.#chance.below(3000)));
      this.touch(pod);
    }
    if (pod.node === undefined && pod.heldUntil <= now) this.#removePod(pod);
    return 200;
  }

  deleteClaim(name: string, uid: string | undefined, now: number): 200 | 404 | 409 {
    const claim = this.claims.get(name);
    if (claim === undefined) return 404;
    if (uid !== undefined && claim.uid !== uid) return 409;
    claim.deletingSince ??= now;
    this.touch(claim);
    this.#releaseClaim(claim, now);
    return 200;
  }

  growClaim(claim: GameClaim, bytes: number, now: number): void {
    if (bytes <= claim.requested) return;
    claim.requested = bytes;
    claim.conditions = ["Resizing"];
    claim.resizeDueAt = now + 3000 + this.#chance.below(15_000);
    this.touch(claim);
  }

  touch(object: GamePod | GameClaim): void {
    object.resourceVersion = ++this.changes;
  }

  applyChild(object: Desired, ownerUid: string | undefined, now: number): void {
    const key = `${object.kind}/${object.metadata.name}`;
    const present = this.children.get(key);
    this.children.set(key, { uid: present?.uid ?? this.newUid(), ownerUid, object, changedAt: now });
    this.changes++;
  }

  /** The Pod has changed, so that its kubelet looks at it anew. */
  hurryFiles(pod: GamePod, now: number): void {
    if (this.#runner.mountsFiles) pod.filesDueAt = now + this.#between(FILES_SOON_MS);
  }

  // Time.

  tick(now: number): void {
    for (const node of this.nodes) this.#tickNode(node, now);
    for (const pod of [...this.pods.values()]) this.#tickPod(pod, now);
    for (const claim of [...this.claims.values()]) this.#tickClaim(claim, now);
  }

  /** Whether something is on its way that a coarse step of time would blur. */
  isBusy(now: number): boolean {
    for (const pod of this.pods.values()) {
      if (pod.deletingSince !== undefined && pod.node?.state === "up") return true;
      if (pod.phase === "Pending" && pod.unscheduledSince === undefined && !isBackingOff(pod)) return true;
      if (pod.phase === "Running" && pod.readySince === undefined && pod.dueAt <= now + 5000) return true;
    }
    return false;
  }

  /** Since when the node does not answer, as the API tells it. */
  isNodeReady(node: GameNode): boolean {
    return node.notReadySince === undefined;
  }

  // The budget.

  budget(
    now: number,
    kind = "PodDisruptionBudget",
  ): { readonly minAvailable: number; readonly allowed: number; readonly isCurrent: boolean } | undefined {
    for (const [key, child] of this.children) {
      if (!key.startsWith(`${kind}/`)) continue;
      const spec = (
        child.object as unknown as {
          readonly spec: { readonly minAvailable: number; readonly selector: { readonly matchLabels: Text } };
        }
      ).spec;
      let healthy = 0;
      for (const pod of this.pods.values()) {
        if (
          matches(pod.labels, spec.selector.matchLabels) &&
          pod.readySince !== undefined &&
          pod.deletingSince === undefined
        )
          healthy++;
      }
      return {
        minAvailable: spec.minAvailable,
        allowed: Math.max(0, healthy - spec.minAvailable),
        isCurrent: now - child.changedAt >= 1000,
      };
    }
    return undefined;
  }

  // Failures.

  setNode(node: GameNode, state: GameNode["state"], now: number): void {
    node.state = state;
    node.changedAt = now;
    if (state === "up") {
      for (const pod of this.pods.values()) if (pod.node === node) pod.dueAt = Math.min(pod.dueAt, now + 5000);
      return;
    }
    if (state === "silent") return;
    for (const pod of this.pods.values()) {
      if (pod.node !== node || pod.server === undefined) continue;
      this.#runner.stop(pod.server);
      pod.server = undefined;
    }
    if (state === "gone") this.#forgetNode(node, now);
  }

  /** The process ends with this code; the kubelet begins it again. */
  crash(pod: GamePod, code: number, why: string, now: number): void {
    if (pod.server === undefined) return;
    this.#runner.stop(pod.server);
    pod.server = undefined;
    if (pod.node?.state !== "up") return;
    this.#ended(pod, code, why, now);
  }

  // Inside.

  #forgetNode(node: GameNode, now: number): void {
    node.notReadySince ??= now;
    for (const pod of this.pods.values()) {
      if (pod.node !== node) continue;
      pod.deletingSince ??= now;
      pod.readySince = undefined;
      pod.dueAt = now + 10_000 + this.#chance.below(40_000);
      this.touch(pod);
    }
    for (const claim of this.claims.values()) {
      if (claim.pinned === node && claim.volume !== undefined) this.#runner.discard(claim.volume);
    }
  }

  #tickNode(node: GameNode, now: number): void {
    if (node.state === "up") {
      if (node.notReadySince !== undefined && now - node.changedAt > 3000) {
        node.notReadySince = undefined;
        this.changes++;
      }
      return;
    }
    if (node.notReadySince === undefined && now - node.changedAt >= NODE_SILENT_MS) {
      node.notReadySince = now;
      for (const pod of this.pods.values()) {
        if (pod.node !== node) continue;
        pod.readySince = undefined;
        this.touch(pod);
      }
    }
    if (node.state === "gone" || node.notReadySince === undefined || now - node.notReadySince < NODE_EVICTION_MS)
      return;
    for (const pod of this.pods.values()) if (pod.node === node) this.deletePod(pod.name, pod.uid, false, now);
  }

  #tickPod(pod: GamePod, now: number): void {
    if (pod.node === undefined) {
      if (pod.deletingSince !== undefined) {
        if (pod.heldUntil <= now) this.#removePod(pod);
        return;
      }
      if (pod.dueAt <= now) this.#schedule(pod, now);
      return;
    }
    if (pod.node.state === "gone") {
      if (pod.dueAt <= now && pod.heldUntil <= now) this.#removePod(pod);
      return;
    }
    if (pod.node.state !== "up") {
      const since = pod.node.notReadySince;
      if (pod.node.isOutOfService && since !== undefined && now - since > OUT_OF_SERVICE_MS && pod.heldUntil <= now) {
        this.#removePod(pod);
      }
      return;
    }
    if (pod.deletingSince !== undefined) {
      this.#terminate(pod, now);
      return;
    }
    if (pod.phase === "Failed" || pod.phase === "Succeeded") return;
    if (this.#runner.mountsFiles) this.#refreshFiles(pod, now);
    if (pod.server === undefined) {
      if (pod.dueAt <= now) this.#startContainer(pod, now);
      return;
    }
    this.#probe(pod, pod.server, now);
  }

  #refreshFiles(pod: GamePod, now: number): void {
    const present = this.#runner.files();
    if (pod.files !== undefined && pod.files !== present) {
      pod.filesDueAt ??= now + this.#between(FILES_MS);
      if (now >= pod.filesDueAt) {
        pod.files = present;
        pod.filesDueAt = undefined;
      }
    }
    if (pod.server !== undefined && !pod.server.isFrozen) pod.server.loaded = pod.files;
  }

  #between([least, most]: readonly [number, number]): number {
    return least + this.#chance.below(most - least + 1);
  }

  #terminate(pod: GamePod, now: number): void {
    if (pod.dueAt > now) return;
    if (pod.server !== undefined) {
      this.#runner.stop(pod.server);
      pod.server = undefined;
      pod.readySince = undefined;
      this.touch(pod);
      pod.dueAt = now + 1000;
      return;
    }
    if (pod.heldUntil <= now) this.#removePod(pod);
  }

  #removePod(pod: GamePod): void {
    if (pod.server !== undefined) this.#runner.stop(pod.server);
    pod.server = undefined;
    this.pods.delete(pod.name);
    if (pod.volume !== undefined) this.#runner.discard(pod.volume);
    this.changes++;
  }

  #schedule(pod: GamePod, now: number): void {
    const claim = pod.claim === undefined ? undefined : this.claims.get(pod.claim);
    const node =
      pod.claim !== undefined && (claim === undefined || claim.deletingSince !== undefined || claim.phase === "Lost")
        ? undefined
        : this.#place(claim);
    if (node === undefined) {
      if (pod.unscheduledSince === undefined) {
        pod.unscheduledSince = now;
        this.touch(pod);
      }
      pod.dueAt = now + 3000;
      return;
    }
    pod.node = node;
    if (pod.claim === undefined) pod.volume = { disk: undefined, losses: 0 };
    pod.unscheduledSince = undefined;
    pod.container = {
      state: "Waiting",
      reason: "ContainerCreating",
      message: "",
      restarts: 0,
      exitCode: undefined,
      endReason: undefined,
    };
    if (claim?.volume === undefined && claim !== undefined) {
      claim.phase = "Bound";
      claim.capacity = claim.requested;
      claim.conditions = [];
      claim.volume = { disk: undefined, losses: 0 };
      claim.pinned = this.#options.hasLocalVolumes ? node : undefined;
      this.touch(claim);
    }
    pod.dueAt = now + 1000 + this.#chance.below(4000);
    this.touch(pod);
  }

  #place(claim: GameClaim | undefined): GameNode | undefined {
    const able = this.nodes.filter(
      (node) => node.state === "up" && node.notReadySince === undefined && !node.isCordoned && !node.isOutOfService,
    );
    if (claim?.pinned !== undefined) return able.includes(claim.pinned) ? claim.pinned : undefined;
    let best: GameNode | undefined;
    let fewest = Number.POSITIVE_INFINITY;
    for (const node of able) {
      let here = 0;
      for (const pod of this.pods.values()) if (pod.node === node) here++;
      if (here < fewest) [best, fewest] = [node, here];
    }
    return best;
  }

  #startContainer(pod: GamePod, now: number): void {
    const image = this.#runner.image(pod.flags.version);
    const restarts = pod.container?.restarts ?? 0;
    if (image === "missing") {
      this.#waitFor(pod, "ImagePullBackOff", restarts);
      pod.dueAt = now + 20_000;
      return;
    }
    if (this.#runner.mountsFiles) {
      pod.files = this.#runner.files() ?? pod.files;
      if (pod.files === undefined) {
        pod.dueAt = now + 2000;
        return;
      }
    }
    const claim = pod.claim === undefined ? undefined : this.claims.get(pod.claim);
    const volume = claim?.volume ?? pod.volume ?? { disk: undefined, losses: 0 };
    pod.ip ??= `10.0.${Math.floor(this.#serial / 250)}.${(this.#serial++ % 250) + 1}`;
    pod.phase = "Running";
    const server =
      image === "crashing" ? { code: 1, why: "the program crashes" } : this.#runner.start(pod, volume, now);
    if ("code" in server) {
      this.#ended(pod, server.code, server.why, now);
      return;
    }
    pod.server = server;
    server.loaded = pod.files;
    server.isMute = image === "mute";
    // A program that never serves has written nothing that an older one could not read.
    if (image !== "mute") server.disk.version = pod.flags.version;
    pod.frozenSince = undefined;
    pod.container = { ...EMPTY_CONTAINER, ...pod.container, state: "Running", reason: "", message: "", restarts };
    if (claim?.conditions.includes("FileSystemResizePending")) this.#grown(claim);
    this.touch(pod);
  }

  #waitFor(pod: GamePod, reason: string, restarts: number): void {
    if (pod.container?.reason === reason) return;
    pod.container = { ...EMPTY_CONTAINER, ...pod.container, state: "Waiting", reason, message: reason, restarts };
    this.touch(pod);
  }

  #ended(pod: GamePod, code: number, why: string, now: number): void {
    const restarts = (pod.container?.restarts ?? 0) + 1;
    pod.container = {
      state: "Waiting",
      reason: "CrashLoopBackOff",
      message: why,
      restarts,
      exitCode: code,
      endReason: "Error",
    };
    pod.readySince = undefined;
    pod.frozenSince = undefined;
    pod.dueAt = now + Math.min(MAX_BACK_OFF_MS, restarts === 1 ? 1000 : 10_000 * 2 ** Math.min(restarts - 2, 4));
    this.touch(pod);
  }

  #probe(pod: GamePod, server: Server, now: number): void {
    if (server.exit !== undefined) {
      this.crash(pod, server.exit.code, server.exit.why, now);
      return;
    }
    if (server.isFrozen || server.isMute) {
      pod.frozenSince ??= now;
      if (server.isFrozen && now - pod.frozenSince >= LIVENESS_MS) {
        this.crash(pod, 137, "Liveness probe failed", now);
        return;
      }
    } else pod.frozenSince = undefined;
    const isReady = now - server.startedAt >= 2000 && this.#runner.isReady(server);
    if (isReady === (pod.readySince !== undefined)) return;
    pod.readySince = isReady ? now : undefined;
    this.touch(pod);
  }

  #tickClaim(claim: GameClaim, now: number): void {
    if (claim.deletingSince !== undefined) this.#releaseClaim(claim, now);
    if (!claim.conditions.includes("Resizing") || claim.resizeDueAt > now || claim.volume === undefined) return;
    if (this.#options.growsOffline) claim.conditions = ["FileSystemResizePending"];
    else this.#grown(claim);
    this.touch(claim);
  }

  #grown(claim: GameClaim): void {
    claim.capacity = claim.requested;
    claim.conditions = [];
    this.touch(claim);
  }

  /** A claim in use stays until its Pod is gone. */
  #releaseClaim(claim: GameClaim, now: number): void {
    if (claim.heldUntil > now) return;
    for (const pod of this.pods.values()) if (pod.claim === claim.name && pod.node !== undefined) return;
    this.claims.delete(claim.name);
    if (claim.volume !== undefined) this.#runner.discard(claim.volume);
    this.changes++;
  }
}

const EMPTY_CONTAINER: ContainerFacts = {
  state: "Waiting",
  reason: "",
  message: "",
  restarts: 0,
  exitCode: undefined,
  endReason: undefined,
};

function isBackingOff(pod: GamePod): boolean {
  return pod.container?.reason === "ImagePullBackOff" || pod.container?.reason === "CrashLoopBackOff";
}

function matches(labels: Text, selector: Text): boolean {
  for (const key in selector) if (labels[key] !== selector[key]) return false;
  return true;
}
