/**
 * The images of the suite. Built from what lies in the working tree: `kvorum-server:0.1.1` and `kvorum-operator:0.1.1`,
 * here called today's. Built from an earlier commit: both under 0.1.0. That commit is KVORUM_EARLIER, or the one before
 * the last that changed the server or the operator. Where git does not have it, or it had no Dockerfile yet, the same tree is
 * built again under the other label, and the suite says so.
 */
import { existsSync, mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { projectFolder } from "../../support/project.ts";
import type { Harness } from "./harness.ts";
import type { Report } from "./report.ts";
import { must, shell } from "./shell.ts";

export const TODAY = "0.1.1";
export const EARLIER = "0.1.0";
export const SERVER = "kvorum-server";
export const OPERATOR = "kvorum-operator";

export interface Images {
  /** Of the earlier chart, and so of what `helm upgrade` comes from; today's where there is none. */
  readonly earlierChart: string;
  /** For people: which commit "earlier" is. */
  readonly earlier: string;
  remove(): void;
}

/** Builds them all and gives them to the nodes, unless these have them. */
export async function makeImages(harness: Harness, report: Report, hasImages: boolean): Promise<Images> {
  const folder = mkdtempSync(join(tmpdir(), "kvorum-images-"));
  const [today, before] = [join(folder, "today"), join(folder, "earlier")];
  const remove = (): void => rmSync(folder, { recursive: true, force: true });
  try {
    await copyTree(today);
    const commit = await copyEarlier(before);
    const earlier = commit ?? "the same tree once more, as there is no earlier commit with a Dockerfile";
    const buildImage = hasImages ? undefined : harness.buildImage;
    if (buildImage === undefined) {
      report.note(`images are those of the cluster: ${SERVER} and ${OPERATOR}, ${TODAY} and ${EARLIER}`);
      const said = `what the cluster has under ${EARLIER}, with the chart of ${commit ?? "today"}`;
      return { earlierChart: chartOf(commit === undefined ? today : before), earlier: said, remove };
    }
    for (const [context, version] of [
      [today, TODAY],
      [commit === undefined ? today : before, EARLIER],
    ] as const)
      for (const [target, image] of [
        ["server", SERVER],
        ["operator", OPERATOR],
      ] as const) {
        const build = ["--target", target, "--build-arg", `VERSION=${version}`];
        await buildImage(context, `${image}:${version}`, build);
        report.check(`image ${image}:${version} is built and given to the nodes`, true);
      }
    return { earlierChart: chartOf(commit === undefined ? today : before), earlier, remove };
  } catch (error) {
    remove();
    throw error;
  }
}

function chartOf(tree: string): string {
  return join(tree, "charts", "kvorum-operator");
}

/** What git knows of or would, as it is now: neither packages nor what has been built. */
async function copyTree(to: string): Promise<void> {
  mkdirSync(to);
  const copy =
    'git ls-files -z -co --exclude-standard | tar --null -T - --ignore-failed-read -cf - | tar -xf - -C "$0"';
  await must("bash", ["-c", copy, to], { cwd: projectFolder });
  rmSync(join(to, "node_modules"), { recursive: true, force: true });
}

/** The commit's short name, when there is one that can be built. */
async function copyEarlier(to: string): Promise<string | undefined> {
  const git = (...argv: string[]) => shell("git", argv, { cwd: projectFolder });
  const changed = (await git("log", "-n", "1", "--format=%H", "--", "server", "operator")).out.trim();
  const named = process.env["KVORUM_EARLIER"] ?? `${changed || "HEAD"}~1`;
  const { code, out } = await git("rev-parse", "--verify", "--quiet", `${named}^{commit}`);
  if (code !== 0) return undefined;
  mkdirSync(to);
  await must("bash", ["-c", 'git archive "$1" | tar -xf - -C "$0"', to, out.trim()], { cwd: projectFolder });
  const isWhole = ["Dockerfile", "charts/kvorum-operator/Chart.yaml"].every((file) => existsSync(join(to, file)));
  return isWhole ? out.trim().slice(0, 10) : undefined;
}
