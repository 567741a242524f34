import assert from "node:assert/strict";
import { test } from "node:test";
import { refusals } from "../../test/operator/pod-security.ts";
import { clusterWith, DEFAULTS, FULL, laterStart, SMALL, startOf, TLS } from "../../test/operator/rendered.ts";
import type { EtcdCluster } from "../api/etcd-cluster.ts";
import { ANNOTATIONS, LABELS } from "../api/names.ts";
import type { MemberStart } from "./member.ts";
import { memberPod } from "./pod.ts";

// biome-ignore lint/suspicious/noExplicitAny: objects of Kubernetes are looked into freely
type Any = any;

const podOf = (cluster: EtcdCluster, start: MemberStart = laterStart(cluster)): Any =>
  JSON.parse(JSON.stringify(memberPod(cluster, start, DEFAULTS)));

test("a member's Pod passes Pod Security restricted", () => {
  for (const cluster of [SMALL, FULL, TLS]) assert.deepEqual(refusals(podOf(cluster).spec), []);
});

test("the check of Pod Security finds each thing that is taken away or added", () => {
  const set = (object: Any, fields: object) => Object.assign(object, fields);
  const secure = (spec: Any, fields: object) => set(spec.containers[0].securityContext, fields);
  const planted: [string, (spec: Any) => unknown][] = [
    ["hostNetwork", (spec) => set(spec, { hostNetwork: true })],
    ["etcd may gain privileges", (spec) => secure(spec, { allowPrivilegeEscalation: undefined })],
    ["etcd keeps capabilities", (spec) => secure(spec, { capabilities: { drop: ["KILL"] } })],
    ["etcd adds SYS_ADMIN", (spec) => secure(spec, { capabilities: { drop: ["ALL"], add: ["SYS_ADMIN"] } })],
    ["etcd may run as root", (spec) => secure(spec, { runAsNonRoot: false })],
    ["etcd runs as root", (spec) => secure(spec, { runAsUser: 0 })],
    ["etcd has no seccomp profile", (spec) => secure(spec, { seccompProfile: { type: "Unconfined" } })],
    ["etcd takes a port of the host", (spec) => set(spec.containers[0].ports[0], { hostPort: 1 })],
    ["volume host is a hostPath", (spec) => spec.volumes.push({ name: "host", hostPath: { path: "/" } })],
    ["etcd is privileged", (spec) => secure(spec, { privileged: true })],
  ];
  for (const [refusal, plant] of planted) {
    const { spec } = podOf(SMALL);
    plant(spec);
    assert.deepEqual(refusals(spec), [refusal]);
  }
});

test("nothing can be written but the volume, no token is mounted, and files of the volume belong to the group", () => {
  const { spec } = podOf(SMALL);
  assert.equal(spec.automountServiceAccountToken, false);
  assert.equal(spec.enableServiceLinks, false);
  assert.equal(spec.containers[0].securityContext.readOnlyRootFilesystem, true);
  assert.deepEqual(spec.containers[0].volumeMounts, [{ name: "data", mountPath: "/var/lib/etcd" }]);
  const { fsGroup, fsGroupChangePolicy, runAsUser } = spec.securityContext;
  assert.deepEqual(
    { fsGroup, fsGroupChangePolicy, runAsUser },
    { fsGroup: 65532, fsGroupChangePolicy: "OnRootMismatch", runAsUser: 65532 },
  );
});

test("kubectl drain may move a member: there is no emptyDir, unless all data live in one", () => {
  const kinds = (cluster: EtcdCluster): string[] =>
    podOf(cluster).spec.volumes.flatMap((volume: object) => Object.keys(volume).filter((key) => key !== "name"));
  for (const cluster of [SMALL, FULL, TLS]) assert.ok(!kinds(cluster).includes("emptyDir"));
  const { reclaim } = SMALL.spec.storage;
  assert.deepEqual(kinds(clusterWith({ storage: { reclaim, ephemeral: { medium: "" } } })), ["emptyDir"]);
});

test("only the seed's first start begins a cluster, and only a member that held data must find some", () => {
  const args = (start: MemberStart): string[] =>
    podOf(SMALL, start).spec.containers[0].args.filter((one: string) => /cluster-state|expect-data/.test(one));
  assert.deepEqual(args(startOf(SMALL)), ["--initial-cluster-state=new", "--expect-data=false"]);
  assert.deepEqual(args(laterStart(SMALL)), ["--initial-cluster-state=existing", "--expect-data=true"]);
  assert.deepEqual(args(startOf(SMALL, { start: "existing" })), [
    "--initial-cluster-state=existing",
    "--expect-data=false",
  ]);
  assert.throws(() => args(startOf(SMALL, { expectsData: true })), /begins no cluster/);
});

test("a Pod says which member it is, and is nobody's to send clients to before it has a role", () => {
  const { metadata, spec } = podOf(SMALL, startOf(SMALL));
  assert.equal(metadata.labels[LABELS.role], undefined);
  assert.equal(metadata.annotations[ANNOTATIONS.memberId], undefined);
  assert.deepEqual([spec.hostname, spec.subdomain], ["example-0", "example-peers"]);
  const later = podOf(SMALL).metadata;
  assert.equal(later.labels[LABELS.role], "voter");
  assert.equal(later.annotations[ANNOTATIONS.memberId], "8e9e05c52164694d");
  assert.equal(later.annotations[ANNOTATIONS.certificateHash], "0123456789abcdef");
});

test("certificates are mounted as whole folders, readable for the group", () => {
  const { spec } = podOf(TLS);
  assert.deepEqual(spec.volumes.slice(1), [
    { name: "kvorum-tls-server", secret: { secretName: "example-server-tls", defaultMode: 0o440 } },
    { name: "kvorum-tls-peer", secret: { secretName: "example-peer-tls", defaultMode: 0o440 } },
  ]);
  for (const mount of spec.containers[0].volumeMounts) assert.equal(mount.subPath, undefined);
});

test("no source of variables can name a configuration file, which would make the server pass over its flags", () => {
  const env = (changes: Partial<EtcdCluster["spec"]["pod"]>): Any =>
    podOf(clusterWith({ pod: { ...SMALL.spec.pod, ...changes } })).spec.containers[0].env;
  const guard = { name: "ETCD_CONFIG_FILE", value: "" };
  assert.equal(env({}), undefined);
  assert.deepEqual(env({ envFrom: [{ secretRef: { name: "s" } }] }), [guard]);
  assert.equal(env({ env: [{ name: "ETCD_CONFIG_FILE", value: "/x" }] }), undefined);
});
