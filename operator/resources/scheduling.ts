/** Where members may run: on nodes apart from each other, and over zones as far as it goes, unless the spec says else. */
import { unreachable } from "../../server/base/assert.ts";
import type { EtcdCluster, Passed } from "../api/etcd-cluster.ts";
import { given, listed } from "./desired.ts";
import { memberSelector } from "./metadata.ts";

const ZONE = "topology.kubernetes.io/zone";
/** The most that a preference may weigh. */
const WEIGHT = 100;

const ALWAYS = "requiredDuringSchedulingIgnoredDuringExecution";
const IF_POSSIBLE = "preferredDuringSchedulingIgnoredDuringExecution";

/** The parts of a Pod's spec that the scheduler reads. */
export function scheduling(cluster: EtcdCluster): Passed {
  const { pod } = cluster.spec;
  return given({
    nodeSelector: pod.nodeSelector,
    tolerations: listed(pod.tolerations),
    affinity: affinity(cluster),
    topologySpreadConstraints: listed(spread(cluster)),
    priorityClassName: pod.priorityClassName,
    runtimeClassName: pod.runtimeClassName,
    schedulerName: pod.schedulerName,
  });
}

/** The spec's own affinity with our rule added to it. */
function affinity(cluster: EtcdCluster): Passed | undefined {
  const { affinity: own, antiAffinity } = cluster.spec.pod;
  const term = { labelSelector: { matchLabels: memberSelector(cluster) }, topologyKey: antiAffinity.topologyKey };
  switch (antiAffinity.type) {
    case "None":
      return own;
    case "Preferred":
      return withRule(own, IF_POSSIBLE, { weight: WEIGHT, podAffinityTerm: term });
    case "Required":
      return withRule(own, ALWAYS, term);
    default:
      return unreachable(antiAffinity.type);
  }
}

function withRule(own: Passed | undefined, when: string, rule: object): Passed {
  const apart = (own?.["podAntiAffinity"] ?? {}) as Passed;
  const rules = (apart[when] ?? []) as readonly object[];
  return { ...own, podAntiAffinity: { ...apart, [when]: [...rules, rule] } };
}

/** An empty list of the spec means none. Its constraints need not know how members are labelled. */
function spread(cluster: EtcdCluster): readonly Passed[] {
  const labelSelector = { matchLabels: memberSelector(cluster) };
  const asked = cluster.spec.pod.topologySpreadConstraints;
  if (asked !== undefined) return asked.map((one) => ({ labelSelector, ...one }));
  return [{ maxSkew: 1, topologyKey: ZONE, whenUnsatisfiable: "ScheduleAnyway", labelSelector }];
}
