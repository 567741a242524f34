import assert from "node:assert/strict";
import { test } from "node:test";
import type { EtcdClusterSpec } from "./etcd-cluster.ts";
import { exampleSpec } from "./example.ts";
import { MAX_PROBLEMS, problemText, validateSpec } from "./validate.ts";

const base = exampleSpec();
const pod = (changes: Partial<EtcdClusterSpec["pod"]>) => ({ pod: { ...base.pod, ...changes } });
const config = (changes: Partial<EtcdClusterSpec["config"]>) => ({ config: { ...base.config, ...changes } });
const certificates = (changes: Partial<EtcdClusterSpec["tls"]["certificates"]>) => ({
  tls: { ...base.tls, certificates: { ...base.tls.certificates, ...changes } },
});
const { reclaim } = base.storage;
const accessMode = "ReadWriteOnce" as const;

/** What is given, where the fault is found, and a part of what is said. */
const REFUSED: readonly (readonly [string, Partial<EtcdClusterSpec>, string, RegExp])[] = [
  ["even", { replicas: 2 }, "spec.replicas", /"2": .*odd number/],
  ["too many", { replicas: 9 }, "spec.replicas", /"9"/],
  ["no version", { version: "v0.1.0" }, "spec.version", /x\.y\.z/],
  ["an unknown version", { version: "7.7.7" }, "spec.version", /does not know servers of 7\.7/],
  ["a wrong path", { image: { repository: "example.com/Team/kvorum" } }, "spec.image.repository", /"Team"/],
  ["an empty part", { image: { repository: "example.com//kvorum" } }, "spec.image.repository", /its part ""/],
  ["a wrong registry", { image: { repository: "exa_mple.com:5000/kvorum" } }, "spec.image.repository", /no registry/],
  ["a tag", { image: { repository: "kvorum:1" } }, "spec.image.repository", /without tag/],
  ["no storage", { storage: { reclaim } }, "spec.storage", /persistent or ephemeral/],
  [
    "two kinds",
    { storage: { reclaim, persistent: { size: "1Gi", accessMode }, ephemeral: { medium: "" } } },
    "spec.storage",
    /"reclaim, persistent, ephemeral"/,
  ],
  [
    "no size",
    { storage: { reclaim, persistent: { size: "much", accessMode } } },
    "spec.storage.persistent.size",
    /no quantity/,
  ],
  [
    "negative",
    { storage: { reclaim, persistent: { size: "-1Gi", accessMode } } },
    "spec.storage.persistent.size",
    /negative/,
  ],
  [
    "no limit",
    { storage: { reclaim, ephemeral: { medium: "", sizeLimit: "1gi" } } },
    "spec.storage.ephemeral.sizeLimit",
    /no quantity/,
  ],
  [
    "a quota beyond the limit",
    { storage: { reclaim, ephemeral: { medium: "", sizeLimit: "1Gi" } }, ...config({ quotaBackendBytes: "1025Mi" }) },
    "spec.config.quotaBackendBytes",
    /more than the storage's limit 1Gi/,
  ],
  ["no quota", config({ quotaBackendBytes: "x" }), "spec.config.quotaBackendBytes", /no quantity/],
  ["no request size", config({ maxRequestBytes: "1MB" }), "spec.config.maxRequestBytes", /no quantity/],
  [
    "an age for revisions",
    config({ autoCompaction: { mode: "revision", retention: "1h" } }),
    "spec.config.autoCompaction.retention",
    /counts revisions/,
  ],
  [
    "revisions for an age",
    config({ autoCompaction: { mode: "periodic", retention: "100" } }),
    "spec.config.autoCompaction.retention",
    /no duration/,
  ],
  ["no duration", certificates({ duration: "90d" }), "spec.tls.certificates.duration", /"90d" is no duration/],
  ["no time to renew", certificates({ renewBefore: "1.5h" }), "spec.tls.certificates.renewBefore", /no duration/],
  [
    "no address",
    certificates({ extraIPs: ["10.0.0.1", "10.0.0.256"] }),
    "spec.tls.certificates.extraIPs[1]",
    /no IP address/,
  ],
  [
    "no network",
    { service: { client: { type: "LoadBalancer", loadBalancerSourceRanges: ["10.0.0.0/33"] } } },
    "spec.service.client.loadBalancerSourceRanges[0]",
    /"10\.0\.0\.0\/33": it is no network/,
  ],
  [
    "a port twice",
    {
      service: {
        client: { type: "NodePort", nodePort: 32379 },
        additional: [{ name: "more", type: "NodePort", nodePort: 32379 }],
      },
    },
    "spec.service.additional[name=more].nodePort",
    /spec\.service\.client has the same/,
  ],
  ["no timeout", { update: { ...base.update, memberTimeout: "soon" } }, "spec.update.memberTimeout", /no duration/],
  ["no patience", { repair: { ...base.repair, unhealthyAfter: "" } }, "spec.repair.unhealthyAfter", /no duration/],
  ["no place", { repair: { ...base.repair, unscheduledAfter: "1" } }, "spec.repair.unscheduledAfter", /no duration/],
  ["a label's key", pod({ labels: { "a b": "c" } }), "spec.pod.labels", /"a b"/],
  ["a long key", pod({ labels: { ["a".repeat(64)]: "c" } }), "spec.pod.labels", /at most 63/],
  ["a key's prefix", pod({ annotations: { "A.b/c": "d" } }), "spec.pod.annotations", /"A\.b\/c"/],
  ["no prefix", pod({ nodeSelector: { "/c": "d" } }), "spec.pod.nodeSelector", /"\/c"/],
  ["two slashes", { inheritedMetadata: { labels: { "a/b/c": "d" } } }, "spec.inheritedMetadata.labels", /"a\/b\/c"/],
  [
    "a claim's label",
    { storage: { reclaim, persistent: { size: "2Gi", accessMode, labels: { "-": "" } } } },
    "spec.storage.persistent.labels",
    /"-"/,
  ],
  [
    "more annotations than an object holds",
    pod({ annotations: Object.fromEntries(Array.from({ length: 40 }, (_, i) => [`k${i}`, "x".repeat(8000)])) }),
    "spec.pod.annotations",
    /more than 256 KiB/,
  ],
  [
    "a request above its limit",
    pod({ resources: { requests: { cpu: 2 }, limits: { cpu: "1500m" } } }),
    "spec.pod.resources.requests.cpu",
    /more than the limit 1500m/,
  ],
  ["no amount", pod({ resources: { limits: { memory: "1GB" } } }), "spec.pod.resources.limits.memory", /no quantity/],
  [
    "a mount of nothing",
    pod({ extraVolumes: [{ name: "a" }], extraVolumeMounts: [{ name: "b", mountPath: "/b" }] }),
    "spec.pod.extraVolumeMounts[mountPath=/b].name",
    /no such volume/,
  ],
];

for (const [name, changes, path, text] of REFUSED)
  test(`validateSpec() finds ${name} at ${path}, and nothing else`, () => {
    const problems = validateSpec({ ...base, ...changes });
    assert.deepEqual(
      problems.map((problem) => problem.path),
      [path],
    );
    for (const problem of problems) assert.match(problemText(problem), text);
  });

test("validateSpec() finds nothing in what is good", () => {
  const good: readonly Partial<EtcdClusterSpec>[] = [
    {},
    { replicas: 7 },
    { image: { repository: "kvorum" } },
    { image: { repository: "localhost:5000/team/kvorum_x" } },
    { image: { repository: "team/kvorum--x.y" } },
    {
      storage: { reclaim, ephemeral: { medium: "Memory", sizeLimit: "1Gi" } },
      ...config({ quotaBackendBytes: "1Gi" }),
    },
    { storage: { reclaim, ephemeral: { medium: "" } }, ...config({ quotaBackendBytes: "1Gi" }) },
    config({ autoCompaction: { mode: "revision", retention: "1000" } }),
    config({ autoCompaction: { mode: "periodic", retention: "1h30m" } }),
    certificates({ extraIPs: ["10.0.0.1", "fd00::1"] }),
    { service: { client: { type: "LoadBalancer", loadBalancerSourceRanges: ["fd00::/8"], nodePort: 1 } } },
    pod({
      labels: { "example.com/A_b.c-d": "" },
      resources: { requests: { cpu: "1" }, limits: { cpu: 1, memory: "1Gi" } },
    }),
    pod({ extraVolumes: [{ name: "a" }], extraVolumeMounts: [{ name: "a", mountPath: "/a" }] }),
  ];
  for (const changes of good) assert.deepEqual(validateSpec({ ...base, ...changes }), [], JSON.stringify(changes));
});

test("validateSpec() says of a version that it does not know that it is not supported", () => {
  assert.deepEqual(validateSpec({ ...base, version: "0.1.2" }), []);
  const [problem] = validateSpec({ ...base, version: "3.0.0" });
  assert.equal(problem?.kind, "UnsupportedVersion");
});

test("validateSpec() names no more problems than a person reads, and cuts long values", () => {
  const labels = Object.fromEntries(Array.from({ length: 60 }, (_, index) => [`${"!".repeat(200)}${index}`, ""]));
  const problems = validateSpec({ ...base, ...pod({ labels }) });
  assert.equal(problems.length, MAX_PROBLEMS);
  for (const problem of problems) assert.ok(problemText(problem).length < 300);
});
