/**
 * What is wrong with a spec that the API server let through: what its rules cannot see, because it needs what is running,
 * arithmetic over lists, or more than their budget. A spec with a problem is not acted on; the last good one is.
 */
import { isAddress, isNetwork } from "./addresses.ts";
import { durationMs } from "./duration.ts";
import type { EtcdClusterSpec, Passed, Text } from "./etcd-cluster.ts";
import { bytesOf, compareQuantities, parseQuantity } from "./quantity.ts";
import { versionProblem } from "./versions.ts";

export interface SpecProblem {
  /** Reason of the condition that tells of it. */
  readonly kind: "InvalidSpec" | "UnsupportedVersion";
  /** From the root of the object: `spec.tls.certificates.extraIPs[0]`. */
  readonly path: string;
  /** As it was given; cut when it is long. */
  readonly value: string;
  readonly wrong: string;
  readonly remedy: string;
}

/** No more problems than this are named: a person mends the first ones first. */
export const MAX_PROBLEMS = 20;

/** Of one annotation map, by Kubernetes; names and values together. */
const MAX_ANNOTATION_BYTES = 256 * 1024;

const MAX_VALUE_SHOWN = 80;

type Found = Iterable<SpecProblem>;

/** All that is wrong, in the order of the spec; empty when it can be acted on. */
export function validateSpec(spec: EtcdClusterSpec): readonly SpecProblem[] {
  const problems: SpecProblem[] = [];
  for (const check of CHECKS)
    for (const problem of check(spec)) if (problems.length < MAX_PROBLEMS) problems.push(problem);
  return problems;
}

/** A problem in one sentence, for a condition's message. */
export function problemText({ path, value, wrong, remedy }: SpecProblem): string {
  return `${path} "${value}": ${wrong}; ${remedy}`;
}

const CHECKS: readonly ((spec: EtcdClusterSpec) => Found)[] = [
  checkReplicas,
  checkVersion,
  checkImage,
  checkStorage,
  checkConfig,
  checkCertificates,
  checkServices,
  checkDurations,
  checkMarks,
  checkResources,
  checkMounts,
];

function problem(path: string, value: unknown, wrong: string, remedy: string): SpecProblem {
  const text = typeof value === "string" ? value : (JSON.stringify(value) ?? "");
  const shown = text.length <= MAX_VALUE_SHOWN ? text : `${text.slice(0, MAX_VALUE_SHOWN)}...`;
  return { kind: "InvalidSpec", path: `spec.${path}`, value: shown, wrong, remedy };
}

function* checkReplicas({ replicas }: EtcdClusterSpec): Found {
  if (!Number.isInteger(replicas) || replicas % 2 !== 1 || replicas < 1 || replicas > 7)
    yield problem("replicas", replicas, "it is not 1, 3, 5 or 7", "give an odd number up to 7");
}

function* checkVersion({ version }: EtcdClusterSpec): Found {
  const found = versionProblem(version);
  if (found !== undefined) yield { ...problem("version", version, found.wrong, found.remedy), kind: found.kind };
}

const PATH_PART = /^[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*$/;
const REGISTRY =
  /^(?:[a-zA-Z0-9](?:[a-zA-Z0-9-]*[a-zA-Z0-9])?)(?:\.[a-zA-Z0-9](?:[a-zA-Z0-9-]*[a-zA-Z0-9])?)*(?::\d{1,5})?$/;

/** As container runtimes read a name: a registry is what looks like a host before the first slash. */
function* checkImage({ image }: EtcdClusterSpec): Found {
  const repository = image?.repository;
  if (repository === undefined) return;
  const parts = repository.split("/");
  const first = parts[0] ?? "";
  const hasRegistry =
    parts.length > 1 && (/[.:]/.test(first) || first === "localhost" || first !== first.toLowerCase());
  const path = hasRegistry ? parts.slice(1) : parts;
  if (hasRegistry && !REGISTRY.test(first))
    yield problem(
      "image.repository",
      repository,
      `"${first}" is no registry`,
      "give a host, and a port where it has one",
    );
  const wrong = path.find((part) => !PATH_PART.test(part));
  if (wrong !== undefined)
    yield problem(
      "image.repository",
      repository,
      `its part "${wrong}" is not small letters and digits with single . _ - between them`,
      "give a repository without tag and digest, such as registry.example.com/team/kvorum",
    );
}

function* checkStorage({ storage, config }: EtcdClusterSpec): Found {
  const { persistent, ephemeral } = storage;
  if ((persistent === undefined) === (ephemeral === undefined))
    yield problem("storage", Object.keys(storage).join(", "), "it is not of one kind", "give persistent or ephemeral");
  const size = persistent?.size;
  if (size !== undefined) yield* checkQuantity("storage.persistent.size", size);
  if (ephemeral?.sizeLimit !== undefined) yield* checkQuantity("storage.ephemeral.sizeLimit", ephemeral.sizeLimit);
  const quota = config.quotaBackendBytes;
  if (quota === undefined || ephemeral?.sizeLimit === undefined) return;
  if (isQuantity(quota) && isQuantity(ephemeral.sizeLimit) && compareQuantities(quota, ephemeral.sizeLimit) > 0)
    yield problem(
      "config.quotaBackendBytes",
      quota,
      `it is more than the storage's limit ${ephemeral.sizeLimit}, at which the Pod is evicted`,
      "give less, or raise storage.ephemeral.sizeLimit",
    );
}

function* checkConfig({ config }: EtcdClusterSpec): Found {
  for (const name of ["quotaBackendBytes", "maxRequestBytes"] as const) {
    const amount = config[name];
    if (amount !== undefined) yield* checkQuantity(`config.${name}`, amount);
  }
  const { autoCompaction: compaction } = config;
  if (compaction?.mode === "periodic") yield* checkDuration("config.autoCompaction.retention", compaction.retention);
  if (compaction?.mode === "revision" && !/^[1-9]\d{0,14}$/.test(compaction.retention))
    yield problem(
      "config.autoCompaction.retention",
      compaction.retention,
      "with mode revision it counts revisions",
      "give a whole number above 0, or mode periodic",
    );
}

function* checkCertificates({ tls }: EtcdClusterSpec): Found {
  const { duration, renewBefore, extraIPs = [] } = tls.certificates;
  yield* checkDuration("tls.certificates.duration", duration);
  yield* checkDuration("tls.certificates.renewBefore", renewBefore);
  for (const [index, address] of extraIPs.entries())
    if (!isAddress(address))
      yield problem(
        `tls.certificates.extraIPs[${index}]`,
        address,
        "it is no IP address",
        "give one such as 10.0.0.1 or fd00::1; host names belong to extraDNSNames",
      );
}

function* checkServices({ service }: EtcdClusterSpec): Found {
  const { client, additional = [] } = service;
  const all = [
    { path: "service.client", template: client },
    ...additional.map((template) => ({ path: `service.additional[name=${template.name}]`, template })),
  ];
  const taken = new Map<number, string>();
  for (const { path, template } of all) {
    for (const [index, range] of (template.loadBalancerSourceRanges ?? []).entries())
      if (!isNetwork(range))
        yield problem(
          `${path}.loadBalancerSourceRanges[${index}]`,
          range,
          "it is no network",
          "give an address and the length of its prefix, such as 10.0.0.0/8",
        );
    const { nodePort } = template;
    if (nodePort === undefined) continue;
    const other = taken.get(nodePort);
    if (other !== undefined)
      yield problem(`${path}.nodePort`, nodePort, `spec.${other} has the same`, "give each Service a port of its own");
    taken.set(nodePort, path);
  }
}

function* checkDurations({ update, repair }: EtcdClusterSpec): Found {
  yield* checkDuration("update.memberTimeout", update.memberTimeout);
  yield* checkDuration("repair.unhealthyAfter", repair.unhealthyAfter);
  yield* checkDuration("repair.unscheduledAfter", repair.unscheduledAfter);
}

/** Maps of labels and annotations, with their places. */
function* checkMarks({ pod, service, storage, inheritedMetadata }: EtcdClusterSpec): Found {
  const places: readonly (readonly [string, { readonly labels?: Text; readonly annotations?: Text } | undefined])[] = [
    ["pod", pod],
    ["service.client", service.client],
    ...(service.additional ?? []).map((one) => [`service.additional[name=${one.name}]`, one] as const),
    ["storage.persistent", storage.persistent],
    ["inheritedMetadata", inheritedMetadata],
  ];
  for (const [path, marks] of places) {
    yield* checkKeys(`${path}.labels`, marks?.labels);
    yield* checkKeys(`${path}.annotations`, marks?.annotations);
    const { annotations = {} } = marks ?? {};
    const size = Object.entries(annotations).reduce((sum, [key, value]) => sum + key.length + value.length, 0);
    if (size > MAX_ANNOTATION_BYTES)
      yield problem(`${path}.annotations`, `${size} characters`, "all of them are more than 256 KiB", "give fewer");
  }
  yield* checkKeys("pod.nodeSelector", pod.nodeSelector);
}

const KEY_PREFIX = /^[a-z0-9](?:[a-z0-9-]*[a-z0-9])?(?:\.[a-z0-9](?:[a-z0-9-]*[a-z0-9])?)*$/;
const KEY_NAME = /^[A-Za-z0-9](?:[A-Za-z0-9_.-]*[A-Za-z0-9])?$/;

function* checkKeys(path: string, marks: Text | undefined): Found {
  for (const key of Object.keys(marks ?? {})) {
    const slash = key.indexOf("/");
    const prefix = key.slice(0, Math.max(slash, 0));
    const name = key.slice(slash + 1);
    const isGood =
      name.length <= 63 && KEY_NAME.test(name) && (slash < 0 || (prefix.length <= 253 && KEY_PREFIX.test(prefix)));
    if (!isGood)
      yield problem(
        path,
        key,
        "this key is none of Kubernetes",
        "give at most 63 letters, digits, -, _ and ., and before a slash a host name",
      );
  }
}

function* checkResources({ pod }: EtcdClusterSpec): Found {
  const requests = amountsOf(pod.resources, "requests");
  const limits = amountsOf(pod.resources, "limits");
  for (const [kind, amounts] of [
    ["requests", requests],
    ["limits", limits],
  ] as const)
    for (const [name, amount] of Object.entries(amounts)) yield* checkQuantity(`pod.resources.${kind}.${name}`, amount);
  for (const [name, request] of Object.entries(requests)) {
    const limit = limits[name];
    if (limit === undefined || !isQuantity(request) || !isQuantity(limit)) continue;
    if (compareQuantities(request, limit) > 0)
      yield problem(
        `pod.resources.requests.${name}`,
        request,
        `it is more than the limit ${limit}`,
        "give at most the limit",
      );
  }
}

function amountsOf(resources: Passed | undefined, kind: string): Readonly<Record<string, string | number>> {
  const amounts = resources?.[kind];
  return amounts !== null && typeof amounts === "object" ? (amounts as Record<string, string | number>) : {};
}

function* checkMounts({ pod }: EtcdClusterSpec): Found {
  const volumes = new Set((pod.extraVolumes ?? []).map((volume) => volume["name"]));
  for (const mount of pod.extraVolumeMounts ?? [])
    if (!volumes.has(mount["name"]))
      yield problem(
        `pod.extraVolumeMounts[mountPath=${String(mount["mountPath"])}].name`,
        mount["name"],
        "there is no such volume",
        "add it to pod.extraVolumes",
      );
}

function isQuantity(text: string | number): boolean {
  return complaint(() => parseQuantity(text)) === undefined;
}

function* checkQuantity(path: string, amount: string | number): Found {
  const wrong = complaint(() => bytesOf(amount));
  if (wrong !== undefined) yield problem(path, amount, wrong, "see docs/etcdcluster.md");
}

function* checkDuration(path: string, text: string): Found {
  const wrong = complaint(() => durationMs(text));
  if (wrong !== undefined) yield problem(path, text, wrong, "see docs/etcdcluster.md");
}

/** What the parser says, or nothing when it reads the text. */
function complaint(parse: () => unknown): string | undefined {
  try {
    parse();
    return undefined;
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}
