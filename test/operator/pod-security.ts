/**
 * What Pod Security `restricted` refuses in a Pod, by the text of the standard
 * (https://kubernetes.io/docs/concepts/security/pod-security-standards/). The `baseline` rules are part of it.
 */

// biome-ignore lint/suspicious/noExplicitAny: objects of Kubernetes are looked into freely
type Any = any;

const VOLUMES = new Set([
  "configMap",
  "csi",
  "downwardAPI",
  "emptyDir",
  "ephemeral",
  "persistentVolumeClaim",
  "projected",
  "secret",
]);
const SECCOMP = new Set(["RuntimeDefault", "Localhost"]);

/** One sentence for each thing that is refused. */
export function refusals(spec: Any): readonly string[] {
  return [...podRefusals(spec), ...containersOf(spec).flatMap((container) => [...containerRefusals(spec, container)])];
}

function containersOf(spec: Any): Any[] {
  return [...(spec.initContainers ?? []), ...spec.containers, ...(spec.ephemeralContainers ?? [])];
}

function* podRefusals(spec: Any): Generator<string> {
  for (const field of ["hostNetwork", "hostPID", "hostIPC"]) if (spec[field] === true) yield field;
  for (const volume of spec.volumes ?? [])
    for (const kind of Object.keys(volume))
      if (kind !== "name" && !VOLUMES.has(kind)) yield `volume ${volume.name} is a ${kind}`;
  const context = spec.securityContext ?? {};
  if (context.runAsUser === 0) yield "the Pod runs as root";
  if (context.runAsNonRoot === false) yield "the Pod may run as root";
  if ((context.sysctls ?? []).length > 0) yield "sysctls";
  if (context.seccompProfile !== undefined && !SECCOMP.has(context.seccompProfile.type))
    yield "the Pod's seccomp profile";
}

function* containerRefusals(spec: Any, container: Any): Generator<string> {
  const { name } = container;
  const own = container.securityContext ?? {};
  const context = { ...spec.securityContext, ...own };
  if (own.privileged === true) yield `${name} is privileged`;
  if (own.allowPrivilegeEscalation !== false) yield `${name} may gain privileges`;
  if (context.runAsNonRoot !== true) yield `${name} may run as root`;
  if (context.runAsUser === 0) yield `${name} runs as root`;
  if (!SECCOMP.has(context.seccompProfile?.type)) yield `${name} has no seccomp profile`;
  if (!(own.capabilities?.drop ?? []).includes("ALL")) yield `${name} keeps capabilities`;
  for (const added of own.capabilities?.add ?? []) if (added !== "NET_BIND_SERVICE") yield `${name} adds ${added}`;
  if (own.procMount !== undefined && own.procMount !== "Default") yield `${name} mounts proc its own way`;
  for (const port of container.ports ?? []) if ((port.hostPort ?? 0) !== 0) yield `${name} takes a port of the host`;
}
