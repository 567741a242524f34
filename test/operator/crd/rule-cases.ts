/**
 * Examples for the rules that look at more than one place, or at what was there before: patches of the least spec that
 * are refused, with the rule's message, and patches that are accepted though they look alike.
 */
import type { Json } from "../../../operator/api/schema/node.ts";

export interface RuleCase {
  /** Where the rule stands in the schema. */
  readonly at: string;
  /** How its message begins. */
  readonly message: string;
  /** What is there before, for rules about changes. */
  readonly before?: Json;
  readonly refused: readonly Json[];
  readonly accepted: readonly Json[];
}

const SECRET = { secretRef: { name: "tls" } };
const ISSUER = { certManager: { issuerRef: { name: "ours" } } };
const SOURCES: readonly Json[] = [SECRET, ISSUER, { operatorCA: {} }];
const EPHEMERAL = { persistent: null, ephemeral: {} };
const volume = (persistent: Json): Json => ({ storage: { persistent } });
const client = (template: Json): Json => ({ service: { client: template } });
const more = (template: { readonly [key: string]: Json }): Json => ({
  service: { additional: [{ name: "public", ...template }] },
});

const SPEC_CASES: readonly RuleCase[] = [
  {
    at: "spec",
    message: "a cluster with ephemeral storage cannot hibernate",
    refused: [{ hibernate: true, storage: EPHEMERAL }],
    accepted: [{ hibernate: true }, { hibernate: false, storage: EPHEMERAL }],
  },
  {
    at: "spec",
    message: "quotaBackendBytes must not be more than storage.persistent.size",
    refused: [
      { config: { quotaBackendBytes: "2049Mi" } },
      { config: { quotaBackendBytes: "3Gi" }, storage: { persistent: { size: "3G" } } },
    ],
    accepted: [
      { config: { quotaBackendBytes: "2Gi" } },
      { config: { quotaBackendBytes: "2048Mi" } },
      { config: { quotaBackendBytes: "8Gi" }, storage: EPHEMERAL },
    ],
  },
  {
    at: "spec.storage",
    message: "give exactly one of persistent, ephemeral",
    refused: [{ storage: { persistent: null } }, { storage: { ephemeral: {} } }],
    accepted: [{}, { storage: EPHEMERAL }],
  },
  {
    at: "spec.storage",
    message: "the kind of storage cannot be changed after creation",
    refused: [{ storage: EPHEMERAL }],
    accepted: [{ storage: { persistent: { size: "3Gi" } } }],
  },
  {
    at: "spec.storage",
    message: "the kind of storage cannot be changed after creation",
    before: { storage: EPHEMERAL },
    refused: [{}],
    accepted: [{ storage: EPHEMERAL, replicas: 5 }],
  },
  {
    at: "spec.storage.persistent.size",
    message: "a volume cannot shrink",
    refused: [volume({ size: "1Gi" }), volume({ size: "2G" }), volume({ size: "2047Mi" })],
    accepted: [volume({ size: "2Gi" }), volume({ size: "2048Mi" }), volume({ size: "10Gi" })],
  },
  {
    at: "spec.storage.persistent",
    message: "storageClassName cannot be set, changed or removed after creation",
    before: volume({ storageClassName: "fast" }),
    refused: [volume({ storageClassName: "slow" }), {}],
    accepted: [volume({ storageClassName: "fast", size: "4Gi" })],
  },
  {
    at: "spec.storage.persistent",
    message: "storageClassName cannot be set, changed or removed after creation",
    refused: [volume({ storageClassName: "fast" })],
    accepted: [volume({ labels: { a: "b" } })],
  },
  {
    at: "spec.storage.persistent.accessMode",
    message: "accessMode cannot be changed after creation",
    refused: [volume({ accessMode: "ReadWriteOncePod" })],
    accepted: [volume({ accessMode: "ReadWriteOnce" })],
  },
  {
    at: "spec.storage.ephemeral",
    message: "ephemeral storage cannot be changed after creation",
    before: { storage: { persistent: null, ephemeral: { sizeLimit: "1Gi" } } },
    refused: [
      { storage: { persistent: null, ephemeral: { sizeLimit: "2Gi" } } },
      { storage: EPHEMERAL },
      { storage: { persistent: null, ephemeral: { sizeLimit: "1Gi", medium: "Memory" } } },
    ],
    accepted: [{ storage: { persistent: null, ephemeral: { sizeLimit: "1Gi", medium: "" } } }],
  },
];

const CONFIG_CASES: readonly RuleCase[] = [
  {
    at: "spec.config",
    message: "electionTimeout must be at least 5 times heartbeatInterval",
    refused: [{ config: { heartbeatInterval: 201 } }, { config: { electionTimeout: 499 } }],
    accepted: [{ config: { heartbeatInterval: 200 } }, { config: { heartbeatInterval: 500, electionTimeout: 2500 } }],
  },
  {
    at: "spec.config.autoCompaction",
    message: "retention must fit mode",
    refused: [
      { config: { autoCompaction: { mode: "revision", retention: "12h" } } },
      { config: { autoCompaction: { mode: "revision", retention: "0" } } },
      { config: { autoCompaction: { mode: "periodic", retention: "12" } } },
      { config: { autoCompaction: { mode: "periodic", retention: "0s" } } },
      { config: { autoCompaction: { mode: "periodic", retention: "9000h" } } },
    ],
    accepted: [
      { config: { autoCompaction: { mode: "revision", retention: "1" } } },
      { config: { autoCompaction: { mode: "periodic", retention: "1s" } } },
      { config: { autoCompaction: { mode: "periodic", retention: "8760h" } } },
    ],
  },
];

const TLS_CASES: readonly RuleCase[] = [
  ...["client", "peer"].flatMap((side): RuleCase[] => [
    {
      at: `spec.tls.${side}`,
      message: "give a source with every mode but Disabled, and none with Disabled",
      refused: [
        { tls: { [side]: { mode: "Mutual" } } },
        { tls: { [side]: { mode: "Disabled", source: SECRET } } },
        { tls: { [side]: { source: SECRET } } },
      ],
      accepted: [{ tls: { [side]: { mode: "Mutual", source: SECRET } } }, { tls: { [side]: { mode: "Disabled" } } }],
    },
    {
      at: `spec.tls.${side}.source`,
      message: "give exactly one of secretRef, certManager, operatorCA",
      refused: [
        { tls: { [side]: { mode: "Mutual", source: {} } } },
        { tls: { [side]: { mode: "Mutual", source: { ...SECRET, operatorCA: {} } } } },
        { tls: { [side]: { mode: "Mutual", source: { ...SECRET, ...ISSUER, operatorCA: {} } } } },
      ],
      accepted: SOURCES.map((source) => ({ tls: { [side]: { mode: "Mutual", source } } })),
    },
  ]),
  {
    at: "spec.tls.peer.mode",
    message: "the mode between members cannot be changed after creation",
    before: { tls: { peer: { mode: "Mutual", source: SECRET } } },
    refused: [{}, { tls: { peer: { mode: "Disabled" } } }],
    accepted: [{ tls: { peer: { mode: "Mutual", source: ISSUER } } }],
  },
  {
    at: "spec.tls.peer.mode",
    message: "the mode between members cannot be changed after creation",
    refused: [{ tls: { peer: { mode: "Mutual", source: SECRET } } }],
    accepted: [{ tls: { client: { mode: "Mutual", source: SECRET } } }],
  },
  {
    at: "spec.tls.certificates",
    message: "renewBefore must be shorter than duration",
    refused: [{ tls: { certificates: { duration: "720h" } } }, { tls: { certificates: { renewBefore: "2160h" } } }],
    accepted: [{ tls: { certificates: { duration: "721h" } } }, { tls: { certificates: { renewBefore: "2159h59m" } } }],
  },
  {
    at: "spec.tls.extraTrust[]",
    message: "give exactly one of secretRef, configMapRef",
    refused: [
      { tls: { extraTrust: [{}] } },
      { tls: { extraTrust: [{ secretRef: { name: "a" }, configMapRef: { name: "a" } }] } },
    ],
    accepted: [{ tls: { extraTrust: [{ secretRef: { name: "a" } }, { configMapRef: { name: "a" } }] } }],
  },
];

const SERVICE_CASES: readonly RuleCase[] = (
  [
    ["spec.service.client", client],
    ["spec.service.additional[]", more],
  ] as const
).flatMap(([at, service]): RuleCase[] => [
  {
    at,
    message: "loadBalancerClass and loadBalancerSourceRanges need type LoadBalancer",
    refused: [
      service({ loadBalancerClass: "a" }),
      service({ loadBalancerSourceRanges: ["10.0.0.0/8"] }),
      service({ type: "NodePort", loadBalancerClass: "a" }),
    ],
    accepted: [service({ type: "LoadBalancer", loadBalancerClass: "a", loadBalancerSourceRanges: ["10.0.0.0/8"] })],
  },
  {
    at,
    message: "nodePort needs type NodePort or LoadBalancer",
    refused: [service({ nodePort: 32379 }), service({ type: "ClusterIP", nodePort: 32379 })],
    accepted: [service({ type: "NodePort", nodePort: 32379 }), service({ type: "LoadBalancer", nodePort: 32379 })],
  },
]);

const POD_CASES: readonly RuleCase[] = [
  {
    at: "spec.pod.envFrom[]",
    message: "give exactly one of configMapRef, secretRef",
    refused: [
      { pod: { envFrom: [{}] } },
      { pod: { envFrom: [{ prefix: "A_" }] } },
      { pod: { envFrom: [{ configMapRef: { name: "a" }, secretRef: { name: "a" } }] } },
    ],
    accepted: [{ pod: { envFrom: [{ configMapRef: { name: "a" } }, { secretRef: { name: "a" } }] } }],
  },
];

/** Patches of the least spec. */
export const RULE_CASES: readonly RuleCase[] = [
  ...SPEC_CASES,
  ...CONFIG_CASES,
  ...TLS_CASES,
  ...SERVICE_CASES,
  ...POD_CASES,
];

/** Names of objects. */
export const NAME_CASES: readonly {
  readonly message: string;
  readonly refused: string[];
  readonly accepted: string[];
}[] = [
  { message: "the name is too long", refused: ["a".repeat(41)], accepted: ["a".repeat(40)] },
  {
    message: "the name must begin with a letter and have no dots",
    refused: ["a.b", "1a", "0"],
    accepted: ["a", "a-1", "a1"],
  },
];
