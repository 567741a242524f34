/** Whether the cluster is what its spec asks for, in truth and by the operator's own words. */
import { ANNOTATIONS, REQUESTS, type RequestName } from "../../../operator/api/names.ts";
import { bytesOf } from "../../../operator/api/quantity.ts";
import { templateArgs } from "./builders.ts";
import { usesTls } from "./certificates.ts";
import type { Ending } from "./faults.ts";
import type { Operators } from "./operators.ts";
import { quorumOf } from "./raft-log.ts";
import type { World } from "./world.ts";

/** The first thing that is not as it is to be in the end; nothing when all is. */
export function whatIsMissing(world: World, operators: Operators, ending: Ending): string | undefined {
  const { cluster } = world;
  if (ending === "all-lost" || ending === "majority-lost") return surrenderMissing(world);
  if (cluster === undefined) return leftovers(world);
  if (cluster.metadata.deletionTimestamp !== undefined) return "the EtcdCluster is still there";
  return (
    membersMissing(world) ??
    podsMissing(world) ??
    claimsMissing(world) ??
    budgetMissing(world) ??
    certificatesMissing(world) ??
    wordsMissing(world, operators)
  );
}

/** Nothing can be done, and people are told so. */
function surrenderMissing({ cluster }: World): string | undefined {
  const conditions = cluster?.status?.conditions;
  const of = (type: string) => conditions?.find((one) => one.type === type);
  if (of("Available")?.status !== "False") return `Available is ${of("Available")?.status}`;
  const isSaid = of("Stalled")?.status === "True" || cluster?.status?.phase === "QuorumLost";
  return isSaid ? undefined : `nobody is told: phase ${cluster?.status?.phase}`;
}

/** Nothing of an authority before is trusted any more, and nobody shows what has ended. */
function certificatesMissing({ cluster, certificates, etcd, now }: World): string | undefined {
  const { files, authority } = certificates;
  if (cluster === undefined || !usesTls(cluster)) return undefined;
  if (files === undefined || authority === undefined) return "there are no certificates";
  if (files.notAfter <= now) return `${files.leaf} has ended`;
  if (files.trusted.join() !== authority.fingerprint) return `${files.trusted.join()} are trusted`;
  for (const { name, loaded } of etcd.servers.values())
    if (loaded !== files) return `${name} has not loaded ${files.leaf}`;
  return undefined;
}

/** After a deletion: what should have gone with it. */
function leftovers({ kubernetes }: World): string | undefined {
  const [pod] = kubernetes.pods.values();
  if (pod !== undefined) return `Pod ${pod.name} is left over`;
  for (const claim of kubernetes.claims.values()) if (claim.ownerUid !== undefined) return `${claim.name} is left over`;
  return undefined;
}

function membersMissing(world: World): string | undefined {
  const spec = world.cluster?.spec;
  const { voters, learners } = world;
  if (voters.length !== spec?.replicas) return `${voters.length} voters of ${spec?.replicas}`;
  if (learners.length > 0) return `${learners.length} learners`;
  const sick = voters.find((id) => !world.isHealthy(id));
  if (sick !== undefined) return `${world.memberOf(sick)} takes no part`;
  const alarm = world.etcd.alarms[0];
  return alarm === undefined ? undefined : `alarm ${alarm.alarm} of ${alarm.memberId}`;
}

function podsMissing(world: World): string | undefined {
  const { cluster, voters, kubernetes } = world;
  if (cluster === undefined) return undefined;
  const wanted = templateArgs(cluster);
  for (const id of voters) {
    const pod = world.podOf(world.memberOf(id));
    if (pod?.readySince === undefined || pod.deletingSince !== undefined)
      return `Pod ${world.memberOf(id)} is not ready`;
    if (pod.flags.version !== cluster.spec.version) return `${pod.name} runs ${pod.flags.version}`;
    const lacking = wanted.find((arg) => !pod.args.includes(arg));
    if (lacking !== undefined) return `${pod.name} runs without ${lacking}`;
    if (pod.labels["kvorum.dev/role"] !== "voter") return `${pod.name} has role ${pod.labels["kvorum.dev/role"]}`;
  }
  for (const pod of kubernetes.pods.values())
    if (world.listedId(pod.name) === undefined) return `Pod ${pod.name} is no member's`;
  return undefined;
}

function claimsMissing(world: World): string | undefined {
  const { cluster, kubernetes } = world;
  const size = bytesOf(cluster?.spec.storage.persistent?.size ?? 0);
  for (const claim of kubernetes.claims.values()) {
    const id = world.listedId(claim.name.replace(/^data-/, ""));
    const state = claim.annotations[ANNOTATIONS.state];
    if (id === undefined) {
      if (state === "retired") continue;
      return `${claim.name} is no member's, and ${state}`;
    }
    if (claim.deletingSince !== undefined) return `${claim.name} of a member is terminating`;
    if ((claim.capacity ?? 0) < size) return `${claim.name} has ${claim.capacity} of ${size} bytes`;
    if (state !== "ready") return `${claim.name} is ${state}`;
    if (claim.annotations[ANNOTATIONS.clusterId] === undefined) return `${claim.name} has no cluster id`;
  }
  return undefined;
}

function budgetMissing(world: World): string | undefined {
  const budget = world.kubernetes.budget(world.now);
  const wanted = world.cluster?.spec.replicas ?? 0;
  if (wanted === 1) return undefined;
  return budget?.minAvailable === quorumOf(wanted) ? undefined : `minAvailable is ${budget?.minAvailable}`;
}

/** The status says so, too. */
function wordsMissing({ cluster }: World, operators: Operators): string | undefined {
  const status = cluster?.status;
  if (cluster === undefined || status === undefined) return "there is no status";
  if (status.observedGeneration !== cluster.metadata.generation)
    return `generation ${status.observedGeneration} is the last observed`;
  const ready = status.conditions?.find(({ type }) => type === "Ready");
  if (ready?.status !== "True")
    return `Ready is ${ready?.status}: ${ready?.reason} ${ready?.message}; ${operators.lastPlan?.status.operation?.message ?? ""}`;
  if (status.phase !== "Running") return `phase is ${status.phase}`;
  for (const name of Object.keys(REQUESTS) as RequestName[]) {
    const asked = cluster.metadata.annotations?.[REQUESTS[name]];
    if (asked !== undefined && status.handledRequests?.[name] !== asked)
      return `request ${name}=${asked} is not handled`;
  }
  return undefined;
}
