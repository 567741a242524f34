/**
 * Specs that make no sense. What the API server can tell it refuses (`npm run test:kubernetes -- crd` tries every field and
 * rule); of the rest the operator says Stalled, names the field, and makes nothing.
 */
import { clusterObject, conditionOf, podsOf } from "./clusters.ts";
import { until } from "./kube.ts";
import { FIELD, type Suite } from "./suite.ts";

interface BadSpec {
  readonly spec: object;
  /** The field that must be named. */
  readonly names: string;
  readonly reason?: "UnsupportedVersion";
}

const marks = (key: string) => ({ [key]: "x" });
const storage = (change: object) => ({ persistent: { size: "1Gi", ...change } });
const additional = (change: object) => ({ client: {}, additional: [{ name: "public", ...change }] });
const BAD_KEYS = ["with space", "-begins", "ends-", "a/b/c", "/nothing", "nothing/", "UPPER.example/x", "a".repeat(64)];

const VERSIONS: readonly BadSpec[] = ["0.0.1", "0.2.0", "0.9.3", "1.0.0", "3.6.0", "9999.0.0"].map((version) => ({
  spec: { version },
  names: "spec.version",
  reason: "UnsupportedVersion",
}));

const REPOSITORIES: readonly BadSpec[] = [
  "a//b",
  "team/Upper/case",
  "a..b/c",
  "team/Server",
  "reg:99999999/x",
  "a/b-",
  "a/.b",
].map((repository) => ({ spec: { image: { repository } }, names: "spec.image.repository" }));

const KEYS: readonly BadSpec[] = BAD_KEYS.flatMap((key) => [
  { spec: { pod: { labels: marks(key) } }, names: "spec.pod.labels" },
  { spec: { inheritedMetadata: { annotations: marks(key) } }, names: "spec.inheritedMetadata.annotations" },
  { spec: { service: { client: { annotations: marks(key) } } }, names: "spec.service.client.annotations" },
]);

const OTHERS: readonly BadSpec[] = [
  { spec: { pod: { nodeSelector: marks("with space") } }, names: "spec.pod.nodeSelector" },
  { spec: { storage: storage({ labels: marks("with space") }) }, names: "spec.storage.persistent.labels" },
  { spec: { service: additional({ labels: marks("-x") }) }, names: "spec.service.additional[name=public].labels" },
  {
    spec: { service: { client: { type: "LoadBalancer", loadBalancerSourceRanges: ["10.0.0.0"] } } },
    names: "spec.service.client.loadBalancerSourceRanges[0]",
  },
  {
    spec: {
      service: {
        client: { type: "NodePort", nodePort: 30_999 },
        additional: [{ name: "b", type: "NodePort", nodePort: 30_999 }],
      },
    },
    names: "nodePort",
  },
  {
    spec: { pod: { resources: { requests: { memory: "2Gi" }, limits: { memory: "1Gi" } } } },
    names: "spec.pod.resources.requests.memory",
  },
  {
    spec: { pod: { resources: { requests: { cpu: "3" }, limits: { cpu: "2500m" } } } },
    names: "spec.pod.resources.requests.cpu",
  },
  { spec: { pod: { extraVolumeMounts: [{ name: "none", mountPath: "/none" }] } }, names: "spec.pod.extraVolumeMounts" },
  {
    spec: { storage: { ephemeral: { sizeLimit: "1Gi" } }, config: { quotaBackendBytes: "2Gi" } },
    names: "spec.config.quotaBackendBytes",
  },
  { spec: { tls: { certificates: { extraIPs: ["300.1.1.1"] } } }, names: "extraIPs" },
  { spec: { config: { autoCompaction: { mode: "revision", retention: "1h" } } }, names: "autoCompaction" },
  { spec: { config: { electionTimeout: 100, heartbeatInterval: 100 } }, names: "electionTimeout" },
  { spec: { replicas: 2 }, names: "replicas" },
];

const BAD_SPECS: readonly BadSpec[] = [...VERSIONS, ...REPOSITORIES, ...KEYS, ...OTHERS];

export async function badSpecs({ kube, report }: Suite): Promise<void> {
  const stalled: (BadSpec & { readonly name: string })[] = [];
  let refused = 0;
  for (const [index, bad] of BAD_SPECS.entries()) {
    const name = `bad-${index}`;
    try {
      await kube.create("clusters", FIELD, clusterObject(name, bad.spec));
      stalled.push({ ...bad, name });
    } catch (error) {
      const { message } = error as Error;
      const isSaid = /: (400|422) /.test(message);
      if (isSaid) refused++;
      else report.check(`${JSON.stringify(bad.spec)} is refused`, false, message);
    }
  }
  let right = 0;
  for (const { name, spec, names, reason = "InvalidSpec" } of stalled) {
    const text = JSON.stringify(spec).slice(0, 120);
    const found = await until(`${text} Stalled`, 60, async () => {
      const condition = conditionOf(await kube.get("clusters", FIELD, name), "Stalled");
      return condition?.status === "True" ? condition : undefined;
    }).catch(() => undefined);
    if (found?.reason === reason && found.message.includes(names)) right++;
    else report.check(`${text} is Stalled, ${reason}, naming ${names}`, false, JSON.stringify(found ?? null));
  }
  const isEnough = refused + right === BAD_SPECS.length && BAD_SPECS.length >= 40 && right >= 30;
  report.check(`${BAD_SPECS.length} bad specs: ${refused} refused, ${right} Stalled with the field named`, isEnough);
  const pods = (await Promise.all(stalled.map(({ name }) => podsOf(kube, name)))).flat();
  report.check("nothing was made for them", pods.length === 0, pods.map(({ metadata }) => metadata.name).join());
  for (const { name } of stalled) await kube.delete("clusters", FIELD, name);
  await until("they can be deleted", 60, async () => {
    const left = await kube.list("clusters", FIELD);
    return !left.some(({ metadata }) => metadata.name.startsWith("bad-"));
  });
  report.check("they can be deleted", true);
}
