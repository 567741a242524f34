/** The definition of the kind EtcdCluster, as Kubernetes takes it. */
import { GROUP, MAX_CLUSTER_NAME, VERSION } from "../names.ts";
import { toJson } from "./json.ts";
import type { Json, Rule } from "./node.ts";
import { spec } from "./spec.ts";
import { status } from "./status.ts";

/** `kubectl get etcd`; those of priority 1 with `-o wide` only. */
const COLUMNS = [
  { name: "Replicas", type: "integer", jsonPath: ".spec.replicas", description: "Members wanted." },
  { name: "Ready", type: "integer", jsonPath: ".status.readyReplicas", description: "Members that serve." },
  { name: "Version", type: "string", jsonPath: ".status.currentVersion", description: "The lowest version that runs." },
  { name: "Leader", type: "string", jsonPath: ".status.leader", description: "The member that leads." },
  { name: "Status", type: "string", jsonPath: ".status.phase", description: "All in one word." },
  { name: "Age", type: "date", jsonPath: ".metadata.creationTimestamp", description: "Since it was made." },
  { name: "Target", type: "string", jsonPath: ".status.targetVersion", description: "Version to come.", priority: 1 },
  { name: "Cluster ID", type: "string", jsonPath: ".status.clusterID", description: "Its id in etcd.", priority: 1 },
  { name: "DB size", type: "string", jsonPath: ".status.dbSize", description: "The largest store.", priority: 1 },
  {
    name: "Tolerates",
    type: "integer",
    jsonPath: ".status.quorum.tolerates",
    description: "Members that may fail before the quorum is lost.",
    priority: 1,
  },
  {
    name: "Message",
    type: "string",
    jsonPath: '.status.conditions[?(@.type=="Ready")].message',
    description: "Why it is ready, or not.",
    priority: 1,
  },
] as const;

/** Rules of the whole object. They are asked of every write of the status, too, so they look at the name only. */
export const ROOT_RULES: readonly Rule[] = [
  {
    rule: `size(self.metadata.name) <= ${MAX_CLUSTER_NAME}`,
    message: `the name is too long: ${MAX_CLUSTER_NAME} characters at most, as names of Pods and Services are made of it`,
  },
  {
    rule: "self.metadata.name.matches('^[a-z]([a-z0-9-]*[a-z0-9])?$')",
    message: "the name must begin with a letter and have no dots: it becomes part of host names",
  },
];

/** The schema of a whole EtcdCluster. */
export function etcdClusterSchema(): { readonly [key: string]: Json } {
  return {
    description: "A cluster of etcd members that looks after itself.",
    type: "object",
    required: ["spec"],
    properties: {
      apiVersion: { type: "string", description: "Group and version of this kind." },
      kind: { type: "string", description: "EtcdCluster." },
      metadata: { type: "object" },
      spec: toJson(spec),
      status: toJson(status),
    },
    "x-kubernetes-validations": ROOT_RULES as unknown as Json,
  };
}

/** The CustomResourceDefinition. */
export function etcdClusterCrd(): { readonly [key: string]: Json } {
  return {
    apiVersion: "apiextensions.k8s.io/v1",
    kind: "CustomResourceDefinition",
    metadata: { name: `etcdclusters.${GROUP}` },
    spec: {
      group: GROUP,
      scope: "Namespaced",
      names: {
        kind: "EtcdCluster",
        listKind: "EtcdClusterList",
        plural: "etcdclusters",
        singular: "etcdcluster",
        shortNames: ["etcd", "ec"],
        categories: ["etcd"],
      },
      versions: [
        {
          name: VERSION,
          served: true,
          storage: true,
          additionalPrinterColumns: COLUMNS,
          subresources: {
            status: {},
            scale: {
              specReplicasPath: ".spec.replicas",
              statusReplicasPath: ".status.replicas",
              labelSelectorPath: ".status.selector",
            },
          },
          schema: { openAPIV3Schema: etcdClusterSchema() },
        },
      ],
    },
  };
}
