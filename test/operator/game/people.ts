/** What people ask for during a trace: changes of the spec, good and bad ones, and requests by annotation. */
import type { EtcdClusterSpec } from "../../../operator/api/etcd-cluster.ts";
import { REQUESTS } from "../../../operator/api/names.ts";
import { compareVersions } from "../../../operator/plan/versions.ts";
import { QUOTA_BYTES } from "./etcd.ts";
import { hostOf, type ImageKind, type World } from "./world.ts";

export const VERSIONS = ["0.1.0", "0.1.1", "0.2.0", "0.2.1", "0.3.0", "0.3.1"] as const;

/** Last patches of a minor are always good: there is a way on from every failed upgrade. */
const ALWAYS_GOOD: readonly string[] = ["0.1.0", "0.1.1", "0.2.1", "0.3.1"];

export type Wish =
  | "replicas"
  | "version"
  | "config"
  | "storage"
  | "bad-spec"
  | "hibernate"
  | "pause"
  | "restart"
  | "move-leader"
  | "replace-member"
  | "defrag"
  | "rotate-certs";

export const WISHES: readonly Wish[] = [
  "replicas",
  "version",
  "config",
  "storage",
  "bad-spec",
  "hibernate",
  "pause",
  "restart",
  "move-leader",
  "replace-member",
  "defrag",
  "rotate-certs",
];

/** Images of versions that are not always good, by chance. */
export function badImages(world: { readonly below: (bound: number) => number }): Map<string, ImageKind> {
  const images = new Map<string, ImageKind>();
  const kinds: readonly ImageKind[] = ["good", "good", "missing", "crashing", "mute"];
  for (const version of VERSIONS) {
    if (!ALWAYS_GOOD.includes(version)) images.set(version, kinds[world.below(kinds.length)] as ImageKind);
  }
  return images;
}

export function askFor(world: World, wish: Wish): void {
  const { chance } = world;
  const nonce = String(Math.floor(world.now / 1000));
  switch (wish) {
    case "replicas":
      change(world, { replicas: chance.pick([1, 3, 3, 3, 5, 5, 7]) });
      return;
    case "version":
      change(world, { version: chance.pick(VERSIONS) });
      return;
    case "config":
      changeConfig(world, { logLevel: chance.pick(["debug", "info", "warn", "error"]) });
      return;
    case "bad-spec":
      changeConfig(world, { heartbeatInterval: chance.pick([100, 900]) });
      return;
    case "storage":
      grow(world);
      return;
    case "hibernate":
      // Members without volumes would lose everything, and the API server takes no such spec.
      if (!world.isEphemeral) change(world, { hibernate: chance.chance(0.5) });
      return;
    case "pause":
      change(world, { paused: chance.chance(0.5) });
      return;
    case "restart":
      request(world, REQUESTS.restart, nonce);
      return;
    case "defrag":
      request(world, REQUESTS.defrag, nonce);
      return;
    case "rotate-certs":
      request(world, REQUESTS.rotateCertificates, nonce);
      return;
    case "move-leader":
      request(world, REQUESTS.moveLeader, `${someMember(world)}:${nonce}`);
      return;
    case "replace-member":
      request(world, REQUESTS.replaceMember, `${someMember(world)}:${nonce}`);
      return;
  }
}

/** In the end all want one thing that can be had: what is good, awake, and on the way from what runs. */
export function settle(world: World): void {
  const { cluster } = world;
  if (cluster === undefined) return;
  const { spec } = cluster;
  if (isAnybodyFull(world)) askFor(world, "defrag");
  const version = reachableVersion(world);
  world.say(`people settle for ${spec.replicas} replicas of ${version}`);
  world.changeSpec((before) => ({
    ...before,
    version,
    hibernate: false,
    paused: false,
    config: { ...before.config, heartbeatInterval: 100 },
  }));
}

function isAnybodyFull({ etcd, kubernetes }: World): boolean {
  if (etcd.alarms.some(({ alarm }) => alarm === "NOSPACE")) return true;
  const volumes = [...kubernetes.claims.values(), ...kubernetes.pods.values()].map(({ volume }) => volume);
  return volumes.some((volume) => volume?.disk !== undefined && volume.disk.dbSize >= QUOTA_BYTES);
}

/** Of the lowest minor that runs, or the next above. */
function reachableVersion(world: World): string {
  const running: string[] = [];
  for (const { peerUrl } of world.etcd.committed.membership.members) {
    const member = hostOf(peerUrl);
    const disk = world.diskOf(member);
    if (disk !== undefined) running.push(disk.version);
    const pod = world.podOf(member);
    if (pod !== undefined) running.push(pod.flags.version);
  }
  running.sort(compareVersions);
  const [lowest] = running;
  if (lowest === undefined) return "0.1.1";
  const minor = Number(lowest.split(".")[1]);
  const reachable = VERSIONS.filter((one) => {
    const step = Number(one.split(".")[1]) - minor;
    return (step === 0 || step === 1) && ALWAYS_GOOD.includes(one);
  });
  return world.chance.pick(reachable);
}

function change(world: World, part: Partial<EtcdClusterSpec>): void {
  world.say(`people: ${JSON.stringify(part)}`);
  world.changeSpec((before) => ({ ...before, ...part }));
}

function changeConfig(world: World, part: Partial<EtcdClusterSpec["config"]>): void {
  world.say(`people: ${JSON.stringify(part)}`);
  world.changeSpec((before) => ({ ...before, config: { ...before.config, ...part } }));
}

function grow(world: World): void {
  const { cluster } = world;
  if (cluster?.spec.storage.persistent === undefined) return;
  const { storage } = cluster.spec;
  const persistent = cluster.spec.storage.persistent;
  const size = `${Number.parseInt(String(persistent.size), 10) + 1}Gi`;
  change(world, { storage: { ...storage, persistent: { ...persistent, size } } });
}

function request(world: World, key: string, value: string): void {
  world.say(`people: ${key}=${value}`);
  world.annotate(key, value);
}

function someMember(world: World): string {
  const { members } = world.etcd.committed.membership;
  return members.length === 0 ? "game-0" : hostOf(world.chance.pick(members).peerUrl);
}
