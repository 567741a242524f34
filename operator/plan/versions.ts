/** Versions of the server, `x.y.z`, and which way from one to another is taken. */
import { LABELS } from "../api/names.ts";
import type { PodFacts } from "./observation.ts";

type Parts = readonly [number, number, number];

/** Versions that were read last: a cluster has one or two. */
const KEPT_MAX = 256;
const KEPT = new Map<string, Parts | undefined>();

function partsOf(version: string): Parts | undefined {
  if (KEPT.has(version)) return KEPT.get(version);
  const parts = read(version);
  if (KEPT.size >= KEPT_MAX) KEPT.clear();
  KEPT.set(version, parts);
  return parts;
}

function read(version: string): Parts | undefined {
  const match = /^(\d{1,6})\.(\d{1,6})\.(\d{1,6})$/.exec(version);
  return match === null ? undefined : [Number(match[1]), Number(match[2]), Number(match[3])];
}

/** Below 0 when `left` is older, 0 when they are the same. What is no version counts as older than any. */
export function compareVersions(left: string, right: string): number {
  const one = partsOf(left) ?? [-1, -1, -1];
  const other = partsOf(right) ?? [-1, -1, -1];
  return one[0] - other[0] || one[1] - other[1] || one[2] - other[2];
}

/** What Pods were made to run, by their label: known even while no member answers. */
export function versionsOf(pods: readonly PodFacts[]): readonly string[] {
  return pods.flatMap((pod) => pod.labels[LABELS.version] ?? []).filter((version) => partsOf(version) !== undefined);
}

export function lowestVersion(versions: readonly string[]): string | undefined {
  return [...versions].sort(compareVersions)[0];
}

/**
 * Why the way from the lowest version that runs to `wanted` is not taken; nothing when it is. Patches are free both
 * ways. One minor up at a time: data is only read by its own minor and the next. No minor down and no other major.
 */
export function pathFault(running: string, wanted: string): string | undefined {
  const from = partsOf(running);
  const to = partsOf(wanted);
  if (from === undefined || to === undefined) return undefined;
  if (from[0] !== to[0])
    return `spec.version ${wanted} has another major version than ${running}, which runs: stay within ${from[0]}.x`;
  if (to[1] < from[1])
    return `spec.version ${wanted} is a lower minor version than ${running}, which runs: a downgrade is not supported, ask for ${from[0]}.${from[1]}.x or later`;
  if (to[1] > from[1] + 1)
    return `spec.version ${wanted} is more than one minor version above ${running}, which runs: go to ${from[0]}.${from[1] + 1}.x first`;
  return undefined;
}
