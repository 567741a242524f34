/** A cluster is born by helm, on three nodes, within a minute; kubectl and helm see how it fares. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { becomesReady, claimsOf, idsOnClaims, isReady, loadCluster, podsOf, restartsOf, statusOf } from "./clusters.ts";
import { TODAY } from "./images.ts";
import { until } from "./kube.ts";
import { CLUSTER, FIELD, type Suite } from "./suite.ts";

/** From `kubectl apply` to Ready. */
const READY_SECONDS = 60;
const RELEASE = "tiny";

/** By a chart of one object, as people who deploy by helm do. */
export async function birth({ kube, report, harness }: Suite): Promise<void> {
  const chart = tinyChart();
  try {
    const begun = performance.now();
    const install = ["install", RELEASE, chart, "--namespace", FIELD, "--wait", "--timeout", "150s"];
    const { code, err } = await kube.helm(install);
    const seconds = (performance.now() - begun) / 1000;
    const isThere = isReady(await kube.get("clusters", FIELD, CLUSTER));
    report.check("helm 4 --wait returns when the EtcdCluster is Ready", code === 0 && isThere, err);
    if (!isThere) await becomesReady(kube, CLUSTER, 60);
    report.check(
      `three members with TLS, asked every 2 s by the kubelet, are Ready ${seconds.toFixed(1)} s after apply`,
      seconds <= READY_SECONDS,
    );
  } finally {
    rmSync(chart, { recursive: true, force: true });
  }
  const pods = await podsOf(kube, CLUSTER);
  const nodes = new Set(pods.map((pod) => pod["spec"].nodeName));
  const there = (await kube.list("nodes")).length;
  if (there < 3) report.skip("members on three nodes", `there are ${there} nodes`);
  else report.check("members run on three nodes", nodes.size === 3 && pods.length === 3, [...nodes].join());
  report.check(
    "no member was restarted",
    pods.every((pod) => restartsOf(pod) === 0),
  );
  const { clusterID } = statusOf(await kube.get("clusters", FIELD, CLUSTER));
  const ids = idsOnClaims(await claimsOf(kube, CLUSTER));
  report.check(`cluster id ${clusterID} is in the status and on every claim`, ids.length === 1 && ids[0] === clusterID);
  if (harness.nodes === undefined) report.note("nodes of this cluster are not switched off");
}

export async function columns({ kube, report }: Suite): Promise<void> {
  const lines = (await kube.kubectl(["get", "ec", "-n", FIELD, CLUSTER])).trim().split("\n");
  const [head = "", row = ""] = lines.map((line) => line.trim().replace(/\s{2,}/g, " | "));
  const isHead = head === "NAME | REPLICAS | READY | VERSION | LEADER | STATUS | AGE";
  const isRow = new RegExp(`^${CLUSTER} \\| 3 \\| 3 \\| ${TODAY} \\| ${CLUSTER}-\\d+ \\| Running \\| \\S+$`).test(row);
  report.check(`kubectl get ec: ${row}`, isHead && isRow, head);
}

/** A spec that the operator cannot follow: helm gives up, the cluster goes on as it was, and helm can go back. */
export async function stalledHelm({ kube, report }: Suite): Promise<void> {
  const chart = tinyChart();
  const upgrade = (version: string, seconds: number) =>
    kube.helm([
      ...["upgrade", RELEASE, chart, "--namespace", FIELD, "--set", `version=${version}`],
      ...["--wait", "--timeout", `${seconds}s`],
    ]);
  try {
    const lives = JSON.stringify(await podsOf(kube, CLUSTER).then((pods) => pods.map(({ metadata }) => metadata.uid)));
    const refused = await upgrade("7.0.0", 15);
    report.check("helm 4 --wait does not succeed when the EtcdCluster is Stalled", refused.code !== 0);
    const stalled = await until("Stalled", 20, async () => {
      const { conditions = [] } = statusOf(await kube.get("clusters", FIELD, CLUSTER));
      return conditions.find(({ type, status }) => type === "Stalled" && status === "True");
    });
    report.check(`Stalled says ${stalled.reason}`, stalled.reason === "UnsupportedVersion", stalled.message);
    const back = await upgrade(TODAY, 60);
    report.check("helm 4 --wait returns when the version is put back", back.code === 0, back.err);
    const after = JSON.stringify(await podsOf(kube, CLUSTER).then((pods) => pods.map(({ metadata }) => metadata.uid)));
    report.check("no member was touched meanwhile", after === lives);
  } finally {
    rmSync(chart, { recursive: true, force: true });
  }
}

function tinyChart(): string {
  const folder = mkdtempSync(join(tmpdir(), "kvorum-chart-"));
  mkdirSync(join(folder, "templates"));
  writeFileSync(join(folder, "Chart.yaml"), `apiVersion: v2\nname: ${RELEASE}\nversion: 0.1.0\n`);
  writeFileSync(join(folder, "values.yaml"), `version: ${TODAY}\n`);
  const object = JSON.stringify(loadCluster(CLUSTER), null, 2);
  const version = '"version": "{{ .Values.version }}"';
  writeFileSync(join(folder, "templates", "cluster.yaml"), object.replace(`"version": "${TODAY}"`, version));
  return folder;
}
