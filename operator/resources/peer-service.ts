/** The headless Service that gives every member a name of its own, ready or not: members must meet to become ready. */
import type { EtcdCluster } from "../api/etcd-cluster.ts";
import { PORTS, peerServiceName } from "../api/names.ts";
import { type Desired, given } from "./desired.ts";
import { memberSelector, metadataOf } from "./metadata.ts";

export function peerService(cluster: EtcdCluster): Desired {
  const port = (name: "peer" | "client") => ({ name, port: PORTS[name], targetPort: name, protocol: "TCP" });
  return {
    apiVersion: "v1",
    kind: "Service",
    metadata: metadataOf(cluster, { name: peerServiceName(cluster.metadata.name) }),
    spec: given({
      type: "ClusterIP",
      clusterIP: "None",
      publishNotReadyAddresses: true,
      selector: memberSelector(cluster),
      ports: [port("peer"), port("client")],
      // Members are reached by both families where clients are.
      ipFamilyPolicy: cluster.spec.service.client.ipFamilyPolicy,
    }),
  };
}
