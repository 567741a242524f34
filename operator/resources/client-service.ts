/** Services for clients: they lead to members that vote and are ready. */
import type { EtcdCluster, ServiceTemplate } from "../api/etcd-cluster.ts";
import { clientServiceName, PORTS } from "../api/names.ts";
import { serviceName } from "../api/tls-names.ts";
import { type Desired, given, listed } from "./desired.ts";
import { metadataOf, voterSelector } from "./metadata.ts";

/** The one that every cluster has. */
export function clientService(cluster: EtcdCluster): Desired {
  return serviceOf(cluster, clientServiceName(cluster.metadata.name), cluster.spec.service.client);
}

/** Those that the spec asks for beside it, in its order. */
export function additionalServices(cluster: EtcdCluster): readonly Desired[] {
  const { name } = cluster.metadata;
  return (cluster.spec.service.additional ?? []).map((one) => serviceOf(cluster, serviceName(name, one.name), one));
}

function serviceOf(cluster: EtcdCluster, name: string, template: ServiceTemplate): Desired {
  return {
    apiVersion: "v1",
    kind: "Service",
    metadata: metadataOf(cluster, { name, asked: template }),
    spec: given({
      type: template.type,
      selector: voterSelector(cluster),
      ports: [port(template)],
      trafficDistribution: template.trafficDistribution,
      internalTrafficPolicy: template.internalTrafficPolicy,
      ipFamilyPolicy: template.ipFamilyPolicy,
      ...balancer(template),
    }),
  };
}

function port({ type, nodePort }: ServiceTemplate): object {
  return {
    name: "client",
    port: PORTS.client,
    targetPort: "client",
    protocol: "TCP",
    // The API server takes no port of nodes from a Service that has none.
    ...(nodePort === undefined || type === "ClusterIP" ? {} : { nodePort }),
  };
}

/** What the API server takes from a load balancer alone. */
function balancer({ type, loadBalancerClass, loadBalancerSourceRanges }: ServiceTemplate): object {
  if (type !== "LoadBalancer") return {};
  return given({ loadBalancerClass, loadBalancerSourceRanges: listed(loadBalancerSourceRanges) });
}
