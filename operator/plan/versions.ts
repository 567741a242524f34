/** Versions of the server, `x.y.z`, and which way from one to another is taken. */
import { LABELS } from "../api/names.ts";
import { compareVersions as compareParsed, parseVersion } from "../api/versions.ts";
import type { PodFacts } from "./observation.ts";

const OLDEST = { major: -1, minor: -1, patch: -1 };

/** Below 0 when `left` is older, 0 when they are the same. What is no version counts as older than any. */
export function compareVersions(left: string, right: string): number {
  return compareParsed(parseVersion(left) ?? OLDEST, parseVersion(right) ?? OLDEST);
}

/** What Pods were made to run, by their label: known even while no member answers. */
export function versionsOf(pods: readonly PodFacts[]): readonly string[] {
  return pods
    .flatMap((pod) => pod.labels[LABELS.version] ?? [])
    .filter((version) => parseVersion(version) !== undefined);
}

export function lowestVersion(versions: readonly string[]): string | undefined {
  return [...versions].sort(compareVersions)[0];
}

/**
 * Why the way from the lowest version that runs to `wanted` is not taken; nothing when it is. Patches are free both
 * ways. One minor up at a time: data is only read by its own minor and the next. No minor down and no other major.
 */
export function pathFault(running: string, wanted: string): string | undefined {
  const from = parseVersion(running);
  const to = parseVersion(wanted);
  if (from === undefined || to === undefined) return undefined;
  if (from.major !== to.major)
    return `spec.version ${wanted} has another major version than ${running}, which runs: stay within ${from.major}.x`;
  if (to.minor < from.minor)
    return `spec.version ${wanted} is a lower minor version than ${running}, which runs: a downgrade is not supported, ask for ${from.major}.${from.minor}.x or later`;
  if (to.minor > from.minor + 1)
    return `spec.version ${wanted} is more than one minor version above ${running}, which runs: go to ${from.major}.${from.minor + 1}.x first`;
  return undefined;
}
