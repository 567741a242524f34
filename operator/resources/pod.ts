/**
 * The Pod of a member. It holds nothing but the volume: whatever is lost with it is made again. It has no account at
 * the API server (no ServiceAccount is made for it, and none is mounted), and no scratch space: an `emptyDir` would
 * keep `kubectl drain` from moving it, and the server writes only below its data directory.
 */
import type { EtcdCluster, Passed } from "../api/etcd-cluster.ts";
import { ANNOTATIONS, LABELS, PORTS, peerServiceName } from "../api/names.ts";
import { type Desired, given, listed } from "./desired.ts";
import { imageOf } from "./image.ts";
import { inheritanceMark, inheritedBy } from "./inherited.ts";
import { dataVolume, MEMBER_CONTAINER, type MemberStart, type OperatorDefaults } from "./member.ts";
import { metadataOf } from "./metadata.ts";
import { probesOf } from "./probes.ts";
import { scheduling } from "./scheduling.ts";
import { containerSecurity, podSecurity } from "./security.ts";
import { DATA_MOUNT, serverFlags } from "./server-flags.ts";
import { templateHash } from "./template-hash.ts";
import { tlsMounts, tlsVolumes } from "./tls-files.ts";

/** Where the server's image has the program; etcd's own image has it there, too. */
const PROGRAM = "/usr/local/bin/etcd";
const DATA_VOLUME = "data";
/** A file given by variable would make the server pass over its flags. An empty one names none. */
const NO_CONFIG_FILE = { name: "ETCD_CONFIG_FILE", value: "" };

/** The Pod of `start.member`. Throws an Error for a quantity of the spec that is none. */
export function memberPod(cluster: EtcdCluster, start: MemberStart, defaults: OperatorDefaults): Desired {
  const { pod, image } = cluster.spec;
  const { member } = start;
  return {
    apiVersion: "v1",
    kind: "Pod",
    metadata: metadataOf(cluster, {
      name: member,
      asked: pod,
      labels: {
        [LABELS.member]: member,
        [LABELS.version]: cluster.spec.version,
        ...(start.role === undefined ? {} : { [LABELS.role]: start.role }),
      },
      annotations: { ...podAnnotations(cluster, start, defaults), ...inheritanceMark(inheritedBy(cluster, "pod")) },
    }),
    spec: {
      hostname: member,
      subdomain: peerServiceName(cluster.metadata.name),
      restartPolicy: "Always",
      terminationGracePeriodSeconds: pod.terminationGracePeriodSeconds,
      automountServiceAccountToken: false,
      enableServiceLinks: false,
      securityContext: podSecurity(pod),
      ...given({ serviceAccountName: pod.serviceAccountName, imagePullSecrets: listed(image?.pullSecrets) }),
      ...scheduling(cluster),
      containers: [memberContainer(cluster, start, defaults), ...(pod.sidecars ?? [])],
      volumes: [
        { name: DATA_VOLUME, ...dataVolume(cluster, member) },
        ...tlsVolumes(cluster),
        ...(pod.extraVolumes ?? []),
      ],
    },
  };
}

function podAnnotations(cluster: EtcdCluster, start: MemberStart, defaults: OperatorDefaults): Record<string, string> {
  return {
    // Whatever people say of Pods: with several containers, logs and exec go to the member.
    "kubectl.kubernetes.io/default-container": MEMBER_CONTAINER,
    [ANNOTATIONS.templateHash]: templateHash(cluster, defaults),
    ...(start.memberId === undefined ? {} : { [ANNOTATIONS.memberId]: start.memberId }),
    ...(start.certificateHash === undefined ? {} : { [ANNOTATIONS.certificateHash]: start.certificateHash }),
  };
}

function memberContainer(cluster: EtcdCluster, start: MemberStart, defaults: OperatorDefaults): Passed {
  const { pod, image, probes } = cluster.spec;
  const port = (name: keyof typeof PORTS) => ({ name, containerPort: PORTS[name], protocol: "TCP" });
  return {
    name: MEMBER_CONTAINER,
    image: imageOf(cluster.spec, defaults),
    ...given({ imagePullPolicy: image?.pullPolicy }),
    command: [PROGRAM],
    args: serverFlags(cluster, start, defaults),
    ports: [port("client"), port("peer"), port("metrics")],
    ...given({ env: environment(pod.env, pod.envFrom), envFrom: listed(pod.envFrom), resources: pod.resources }),
    ...probesOf(probes),
    securityContext: containerSecurity(pod),
    volumeMounts: [
      { name: DATA_VOLUME, mountPath: DATA_MOUNT },
      ...tlsMounts(cluster),
      ...(pod.extraVolumeMounts ?? []),
    ],
  };
}

function environment(env: readonly Passed[] = [], envFrom: readonly Passed[] = []): readonly Passed[] | undefined {
  const asked = env.filter(({ name }) => name !== NO_CONFIG_FILE.name);
  return listed(envFrom.length > 0 ? [...asked, NO_CONFIG_FILE] : asked);
}
