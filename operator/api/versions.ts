/**
 * Versions of the server: which ones this operator knows how to run, and which way leads from one to another. Versions
 * are the program's own (`x.y.z`), not those of etcd's API that it speaks.
 */

/** One version, in numbers. */
export interface Version {
  readonly major: number;
  readonly minor: number;
  readonly patch: number;
}

/** Which minors of the server an operator runs: its own and the two before it. The last row is this operator's. */
export const SKEW: readonly { readonly operator: string; readonly servers: readonly string[] }[] = [
  { operator: "0.1", servers: ["0.1"] },
];

/** The lowest and highest version among the members that run; the same when all are alike. */
export interface RunningVersions {
  readonly lowest: string;
  readonly highest: string;
}

/** Why a version cannot be had, and what to do. */
export interface VersionProblem {
  readonly kind: "InvalidSpec" | "UnsupportedVersion";
  readonly wrong: string;
  readonly remedy: string;
}

const SHAPE = /^(0|[1-9]\d{0,3})\.(0|[1-9]\d{0,3})\.(0|[1-9]\d{0,3})$/;

/** Nothing when the text is no version. */
export function parseVersion(text: string): Version | undefined {
  const match = SHAPE.exec(text);
  if (match === null) return undefined;
  return { major: Number(match[1]), minor: Number(match[2]), patch: Number(match[3]) };
}

/** Below 0 when `a` is older than `b`. */
export function compareVersions(a: Version, b: Version): number {
  return a.major - b.major || a.minor - b.minor || a.patch - b.patch;
}

/** Minors of the server that this operator runs, such as "0.1"; the newest last. */
export function supportedMinors(): readonly string[] {
  return SKEW.at(-1)?.servers ?? [];
}

/**
 * What is wrong with going to `wanted`, or nothing. The way is measured from the lowest version that runs, so that going
 * back to it in the middle of an upgrade is always allowed. `running` is nothing for a cluster that is not born yet.
 */
export function versionProblem(wanted: string, running: RunningVersions | undefined): VersionProblem | undefined {
  const to = parseVersion(wanted);
  if (to === undefined)
    return { kind: "InvalidSpec", wrong: "it is not three numbers x.y.z", remedy: "give a version such as 0.1.0" };
  const minor = minorOf(to);
  if (!supportedMinors().includes(minor))
    return {
      kind: "UnsupportedVersion",
      wrong: `this operator does not know servers of ${minor}`,
      remedy: `give a version of ${supportedMinors().join(" or ")}, or install an operator that knows ${minor}`,
    };
  const from = running === undefined ? undefined : parseVersion(running.lowest);
  return from === undefined ? undefined : wayProblem(from, to);
}

/** What is wrong with the way between two versions that are known, or nothing. */
export function wayProblem(from: Version, to: Version): VersionProblem | undefined {
  const running = `${minorOf(from)}.${from.patch}`;
  if (from.major !== to.major)
    return {
      kind: "UnsupportedVersion",
      wrong: `members run ${running}, and another major cannot be reached by replacing them`,
      remedy: `give a version of ${minorOf(from)}`,
    };
  if (to.minor < from.minor)
    return {
      kind: "UnsupportedVersion",
      wrong: `members run ${running}, and there is no way back to an earlier minor`,
      remedy: `give a version of ${minorOf(from)}`,
    };
  if (to.minor > from.minor + 1)
    return {
      kind: "UnsupportedVersion",
      wrong: `members run ${running}, and an upgrade goes one minor at a time`,
      remedy: `go to a version of ${from.major}.${from.minor + 1} first`,
    };
  return undefined;
}

function minorOf({ major, minor }: Version): string {
  return `${major}.${minor}`;
}
