/**
 * What a plan may know, gathered before it: the cluster from the API server itself, its Pods and claims from the caches
 * or from the API server too, and what its members say. Nothing is decided here.
 */
import type { EtcdCluster, EtcdClusterSpec } from "../api/etcd-cluster.ts";
import { acceptedSpecName, disruptionBudgetName, LABELS } from "../api/names.ts";
import type { Builders } from "../plan/builders.ts";
import type { ClaimFacts, EtcdFacts, NodeFacts, Observation, PodFacts, SecretFacts } from "../plan/observation.ts";
import { readAcceptedSpec } from "../resources/accepted-spec.ts";
import { MEMBER_CONTAINER } from "../resources/member.ts";
import { KubeError, type KubeObject, type Page, type Resource } from "../runtime/kube.ts";
import {
  type Certificates,
  certificatesDue,
  type LoadedByMember,
  seenCertificates,
  trustedMaps,
  usesTls,
} from "./certificates.ts";
import { askMembers } from "./etcd-view.ts";
import { budgetFacts, childFacts, childKey } from "./facts/child.ts";
import { claimFacts } from "./facts/claim.ts";
import { GONE_NODE, nodeFacts } from "./facts/node.ts";
import { podFacts, speaksTls } from "./facts/pod.ts";
import { type SecretJson, secretFacts } from "./facts/secret.ts";
import { storageClassFacts } from "./facts/storage-class.ts";
import {
  BUDGETS,
  CERTIFICATES,
  CHILDREN,
  CLAIMS,
  CONFIG_MAPS,
  NAMESPACES,
  NODES,
  PODS,
  STORAGE_CLASSES,
} from "./kinds.ts";
import { type Endpoints, endpointsOf, metricsUrl, whyNotAsked } from "./members.ts";
import { Samples } from "./samples.ts";
import { SecretReader } from "./secrets.ts";
import { operatorTls } from "./tls.ts";
import type { World } from "./world.ts";

/** A cluster has at most seven members, with what is left of earlier ones: more than this is no cluster of ours. */
const PAGE = 500;

export interface Observed {
  readonly observation: Observation;
  readonly endpoints: Endpoints;
  readonly certificates: Certificates;
  /** What people should hear of Secrets that they fill. */
  readonly problems: readonly string[];
}

export class Observer {
  readonly #world: World;
  readonly #builders: Builders;
  readonly #samples = new Samples();
  readonly #secrets: SecretReader;

  constructor(world: World, builders: Builders) {
    this.#world = world;
    this.#builders = builders;
    this.#secrets = new SecretReader(world);
  }

  /** `isLive`: everything that a change is decided by is read from the API server, and nothing from a cache. */
  async observe(cluster: EtcdCluster, isLive: boolean): Promise<Observed> {
    const acceptedSpec = this.#acceptedSpec(cluster);
    const served = this.#served(cluster, acceptedSpec);
    const [pods, claims, secrets, maps, children, namespaceIsTerminating] = await Promise.all([
      this.#ofCluster(PODS, cluster, isLive),
      this.#ofCluster(CLAIMS, cluster, isLive),
      this.#secretsOf(served, isLive),
      this.#secrets.maps(cluster, trustedMaps(served), isLive),
      this.#children(cluster, isLive),
      this.#isTerminating(cluster),
    ]);
    const members = pods.map((pod) => podFacts(pod, MEMBER_CONTAINER));
    const endpoints = this.#endpoints(served, pods, members, secrets);
    const { etcd, loaded } = await this.#ask(served, members, endpoints);
    const nodes = await this.#nodes(members, isLive);
    const now = this.#world.time.now();
    const certificates = seenCertificates(served, secrets, maps, loaded, now);
    const { due, problems } = certificatesDue(certificates);
    const observation: Observation = {
      now,
      cluster,
      acceptedSpec,
      namespaceIsTerminating,
      pods: members,
      ...this.#stored(claims.map(claimFacts)),
      children,
      budget: budgetOf(cluster, children),
      nodes,
      secrets: new Map<string, SecretFacts>(Array.from(secrets, ([key, secret]) => [key, secretFacts(secret)])),
      certificatesDue: due,
      etcd,
    };
    return { observation, endpoints, certificates, problems };
  }

  /** The cluster is gone: nothing of it is kept. */
  forget(uid: string): void {
    this.#samples.forget(uid);
  }

  #acceptedSpec({ metadata: { name, namespace } }: EtcdCluster): EtcdClusterSpec | undefined {
    const record = this.#world.caches.get(CONFIG_MAPS, { namespace, name: acceptedSpecName(name) });
    return record && readAcceptedSpec(record as KubeObject & { readonly data?: unknown });
  }

  /** With the spec that members are kept by: a bad one names Secrets that nobody has. */
  #served(cluster: EtcdCluster, acceptedSpec: EtcdClusterSpec | undefined): EtcdCluster {
    if (acceptedSpec === undefined || this.#builders.validate(cluster).length === 0) return cluster;
    return { ...cluster, spec: acceptedSpec };
  }

  #endpoints(
    cluster: EtcdCluster,
    pods: readonly KubeObject[],
    members: readonly PodFacts[],
    secrets: ReadonlyMap<string, SecretJson>,
  ): Endpoints {
    const byUid = new Map(pods.map((pod) => [pod.metadata.uid, speaksTls(pod, MEMBER_CONTAINER)]));
    const isAsked = cluster.spec.tls.client.mode !== "Disabled";
    return endpointsOf(cluster, members, ({ uid }) => byUid.get(uid) ?? isAsked, operatorTls(cluster, secrets));
  }

  #stored(claims: readonly ClaimFacts[]): Pick<Observation, "claims" | "storageClasses"> {
    const names = claims.map(({ storageClassName }) => storageClassName);
    return { claims, storageClasses: this.#named(STORAGE_CLASSES, names, storageClassFacts) };
  }

  /**
   * From the caches, as nothing is lost by applying once more what is as it should be; but for budgets, whose numbers say
   * whether a member may be taken away now.
   */
  async #children(cluster: EtcdCluster, isLive: boolean): Promise<Observation["children"]> {
    const { name, namespace } = cluster.metadata;
    const found = await Promise.all(
      CHILDREN.map(async (resource) => {
        if (resource === BUDGETS) return this.#ofCluster(resource, cluster, isLive);
        const cached = this.#world.caches.ofCluster(resource, namespace, name);
        return cached ?? (await this.#unwatched(resource, cluster, isLive));
      }),
    );
    return new Map(found.flat().map((object) => [childKey(object), childFacts(object)]));
  }

  /** A kind that was not there when the operator started may be by now; one that is not there has no objects. */
  async #unwatched(resource: Resource, cluster: EtcdCluster, isLive: boolean): Promise<readonly KubeObject[]> {
    const { client, peer } = cluster.spec.tls;
    const isAsked = [client.source, peer.source].some((source) => source?.certManager !== undefined);
    if (resource !== CERTIFICATES || !isAsked) return [];
    try {
      return await this.#ofCluster(resource, cluster, isLive);
    } catch (error) {
      if (error instanceof KubeError && (error.status === 404 || error.status === 403)) return [];
      throw error;
    }
  }

  /** A node that the cache does not have is asked for: that it is gone lets its Pods be taken for dead. */
  async #nodes(pods: readonly PodFacts[], isLive: boolean): Promise<ReadonlyMap<string, NodeFacts>> {
    const { caches, kube } = this.#world;
    const names = pods.map(({ nodeName }) => nodeName);
    const found = new Map(this.#named(NODES, names, nodeFacts));
    if (!isLive || !caches.watches(NODES)) return found;
    for (const name of new Set(names)) {
      if (name === undefined || found.has(name)) continue;
      const node = await kube.get(NODES, { name });
      found.set(name, node === undefined ? GONE_NODE : nodeFacts(node));
    }
    return found;
  }

  /** Objects without a namespace, of which the operator may be allowed to see none. */
  #named<Facts>(
    resource: Resource,
    names: readonly (string | undefined)[],
    factsOf: (object: KubeObject) => Facts,
  ): ReadonlyMap<string, Facts> {
    const facts = new Map<string, Facts>();
    for (const name of new Set(names)) {
      const object = name === undefined ? undefined : this.#world.caches.get(resource, { name });
      if (name !== undefined && object !== undefined) facts.set(name, factsOf(object));
    }
    return facts;
  }

  async #ask(
    cluster: EtcdCluster,
    pods: readonly PodFacts[],
    endpoints: Endpoints,
  ): Promise<{ readonly etcd: EtcdFacts | undefined; readonly loaded: LoadedByMember }> {
    if (pods.length === 0) return { etcd: undefined, loaded: new Map() };
    const notAsked = new Map<string, string>();
    const metricsUrls = new Map<string, string>();
    for (const pod of pods) {
      if (!endpoints.has(pod.member))
        notAsked.set(pod.member, whyNotAsked(cluster, pod) ?? "certificates to ask it with are not there yet");
      else if (usesTls(cluster) && pod.ip !== undefined) metricsUrls.set(pod.member, metricsUrl(pod.ip));
    }
    const { etcd, time } = this.#world;
    const asked = await askMembers({ etcd, endpoints, notAsked, metricsUrls, now: () => time.now() });
    const { uid } = cluster.metadata;
    const earlier = this.#samples.earlier(uid, time.now());
    this.#samples.keep(uid, asked.etcd.members);
    // One that runs and could not be asked shows something all the same, and nobody knows what.
    const running = pods.filter(({ container, isTerminating }) => container?.state === "Running" && !isTerminating);
    const loaded = new Map(running.map(({ member }) => [member, asked.loaded.get(member)]));
    return { etcd: { ...asked.etcd, earlier }, loaded };
  }

  async #ofCluster(resource: Resource, cluster: EtcdCluster, isLive: boolean): Promise<readonly KubeObject[]> {
    const { namespace, name } = cluster.metadata;
    const cached = isLive ? undefined : this.#world.caches.ofCluster(resource, namespace, name);
    if (cached !== undefined) return cached;
    const labelSelector = `${LABELS.cluster}=${name}`;
    const page: Page<KubeObject> = await this.#world.kube.list(resource, { namespace, labelSelector, limit: PAGE });
    if (page.continueToken !== undefined)
      throw new Error(`more than ${PAGE} of ${resource.plural} are labelled ${labelSelector} in ${namespace}`);
    return page.items;
  }

  #secretsOf(cluster: EtcdCluster, isLive: boolean): Promise<ReadonlyMap<string, SecretJson>> {
    const names = this.#builders.secrets(cluster).map(({ name }) => name);
    return this.#secrets.secrets(cluster, names, isLive);
  }

  /** Where the operator may not read namespaces it learns of it by being refused to create. */
  async #isTerminating({ metadata }: EtcdCluster): Promise<boolean> {
    if (metadata.deletionTimestamp === undefined) return false;
    const namespace = await this.#world.kube.get(NAMESPACES, { name: metadata.namespace }).catch(() => undefined);
    return namespace?.metadata.deletionTimestamp !== undefined;
  }
}

function budgetOf({ metadata: { name } }: EtcdCluster, children: Observation["children"]): Observation["budget"] {
  const found = children.get(`${BUDGETS.kind}/${disruptionBudgetName(name)}`);
  return found && budgetFacts(found.object as unknown as KubeObject);
}
