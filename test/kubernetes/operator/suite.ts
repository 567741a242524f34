/** What every part of the suite is given, and the names that it uses in the cluster. */
import type { Harness } from "./harness.ts";
import type { Images } from "./images.ts";
import type { Kube } from "./kube.ts";
import type { Report } from "./report.ts";

/** Where the operator runs, and where the clusters are. */
export const HOME = "kvorum-system";
export const FIELD = "kvorum-field";
export const RELEASE = "kvorum";
/** The cluster that bears the load. */
export const CLUSTER = "load";
/** Of the operator's Pods. */
export const OPERATOR_PODS = `app.kubernetes.io/instance=${RELEASE},app.kubernetes.io/component notin (test)`;

export interface Options {
  /** Everything, and not only what fits into twelve minutes. */
  readonly isAll: boolean;
  /** Only parts and steps with one of these in their name; empty: all. */
  readonly only: readonly string[];
  /** The Kubernetes stays up afterwards. */
  readonly keeps: boolean;
  /** Images are not built: the nodes have them from a run before. */
  readonly hasImages: boolean;
  readonly seed: number;
}

export interface Suite {
  readonly kube: Kube;
  readonly harness: Harness;
  readonly images: Images;
  readonly report: Report;
  readonly options: Options;
}

/** Whether a part or step of this name is to run. `isLong`: only with `--all`, or when it is named. */
export function isChosen({ only, isAll }: Options, name: string, isLong: boolean): boolean {
  if (only.length > 0) return only.some((word) => name.includes(word));
  return isAll || !isLong;
}

/** Throws an Error that names what is wrong. */
export function readOptions(argv: readonly string[]): Options {
  const only: string[] = [];
  let [isAll, keeps, hasImages] = [false, false, false];
  let seed = Number(process.env["SEED"] ?? Date.now() % 1_000_000);
  for (let at = 0; at < argv.length; at++) {
    const word = argv[at];
    if (word === "--all") isAll = true;
    else if (word === "--keep") keeps = true;
    else if (word === "--no-build") hasImages = true;
    else if (word === "--only" && argv[at + 1] !== undefined) only.push(argv[++at] as string);
    else if (word === "--seed" && /^\d+$/.test(argv[at + 1] ?? "")) seed = Number(argv[++at]);
    else throw new Error(`"${word}" is none of --all, --only WORD, --seed NUMBER, --keep, --no-build`);
  }
  return { isAll, only, keeps, hasImages, seed };
}
