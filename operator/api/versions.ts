/**
 * Versions of the server: which ones this operator knows how to run. Versions are the program's own (`x.y.z`), not those
 * of etcd's API that it speaks. Which may follow which is the plan's affair: it knows what runs.
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

/** Why this operator cannot run `wanted`, or nothing. */
export function versionProblem(wanted: string): VersionProblem | undefined {
  const to = parseVersion(wanted);
  if (to === undefined)
    return { kind: "InvalidSpec", wrong: "it is not three numbers x.y.z", remedy: "give a version such as 0.1.0" };
  const minor = `${to.major}.${to.minor}`;
  if (supportedMinors().includes(minor)) return undefined;
  return {
    kind: "UnsupportedVersion",
    wrong: `this operator does not know servers of ${minor}`,
    remedy: `give a version of ${supportedMinors().join(" or ")}, or install an operator that knows ${minor}`,
  };
}
