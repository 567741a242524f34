/** What a living cluster goes through: the steps, in their order, with the gap in writes that each may make. */
import { tlsSecretName } from "../../../operator/api/tls-names.ts";
import { Prng } from "../../../server/base/prng.ts";
import { becomesReady, claimsOf, conditionOf, leaderOf, livesOf, podsOf, statusOf } from "./clusters.ts";
import { EARLIER, OPERATOR, SERVER, TODAY } from "./images.ts";
import { operators } from "./install.ts";
import { pause, type Thing, until } from "./kube.ts";
import { CLUSTER, FIELD, HOME } from "./suite.ts";
import { change, expect, type Field, mostAway, type Step } from "./under-load.ts";

export const STEPS: readonly Step[] = [
  { name: "scale 3 to 5 to 3", boundMs: 5000, run: scale },
  { name: "Pod kill: the leader's, deleted by force", boundMs: 8000, run: killPod },
  { name: "failed Pod: its time is up, as after an eviction", boundMs: 5000, run: failPod },
  { name: "drain of the leader's node", boundMs: 8000, run: drain },
  { name: "upgrade: to the earlier commit's image and back to today's", boundMs: 5000, run: upgrade },
  { name: "image missing: stops at the first member", boundMs: 5000, run: missingImage },
  { name: "image crashing: stops at the first member", boundMs: 5000, isLong: true, run: crashingImage },
  { name: "image never Ready: stops at the first member", boundMs: 5000, isLong: true, run: neverReady },
  { name: "bad spec: a living cluster is still repaired", boundMs: 5000, isLong: true, run: badSpec },
  { name: "operator killed ten times during a configuration change", boundMs: 5000, run: killOperators },
  { name: "configuration change", boundMs: 5000, isLong: true, run: configure },
  { name: "node down: its member is replaced", boundMs: 15_000, isLong: true, needsNodes: true, run: nodeDown },
  { name: "certificate rotation, the CA included", boundMs: 5000, isLong: true, run: rotate },
];

async function scale(field: Field): Promise<void> {
  const { kube } = field;
  for (const replicas of [5, 3]) {
    await kube.kubectl(["scale", "-n", FIELD, "etcdcluster", CLUSTER, `--replicas=${replicas}`]);
    const cluster = await becomesReady(kube, CLUSTER, 180);
    const { voters, learners } = statusOf(cluster);
    expect(voters === replicas && learners === 0, `${voters} voters and ${learners} learners, not ${replicas}`);
  }
}

async function killPod({ kube }: Field): Promise<void> {
  const { name } = await leaderOf(kube, CLUSTER);
  const uid = (await kube.get("pods", FIELD, name))?.metadata.uid;
  await kube.delete("pods", FIELD, name, 0);
  await comesBack(kube, name, uid);
}

async function failPod({ kube }: Field): Promise<void> {
  const leader = (await leaderOf(kube, CLUSTER)).name;
  const victim = (await podsOf(kube, CLUSTER)).find(({ metadata }) => metadata.name !== leader) as Thing;
  const { name, uid } = victim.metadata;
  const claims = (await claimsOf(kube, CLUSTER)).map(({ metadata }) => metadata.uid).sort();
  await kube.patch("pods", FIELD, name, { spec: { activeDeadlineSeconds: 1 } });
  await until(`${name} is another Pod`, 90, async () => {
    const pod = await kube.get("pods", FIELD, name);
    return pod !== undefined && pod.metadata.uid !== uid;
  });
  await comesBack(kube, name);
  const after = (await claimsOf(kube, CLUSTER)).map((claim) => claim.metadata.uid).sort();
  expect(after.join() === claims.join(), "its claim is not the one it had");
}

/** The node of the load client is none of those that may go: leadership is asked away from it first. */
async function drain(field: Field): Promise<void> {
  const { kube, loadNode } = field;
  const { name, node } = await leaderElsewhere(field);
  const before = (await kube.get("pods", FIELD, name))?.metadata.uid;
  try {
    const limits = { limitMs: 200_000 };
    await kube.kubectl(["drain", node, "--ignore-daemonsets", "--timeout=180s"], limits);
    await comesBack(kube, name);
    const pod = await kube.get("pods", FIELD, name);
    expect(pod?.metadata.uid !== before && pod?.["spec"].nodeName !== node, `${name} is still on ${node}`);
    expect(loadNode !== node, "the load's own node was drained");
  } finally {
    await kube.kubectl(["uncordon", node]);
  }
}

async function leaderElsewhere(field: Field): Promise<{ readonly name: string; readonly node: string }> {
  const { kube, loadNode } = field;
  const leader = await leaderOf(kube, CLUSTER);
  if (leader.node !== loadNode) return leader;
  const other = (await podsOf(kube, CLUSTER)).find((pod) => pod["spec"].nodeName !== loadNode) as Thing;
  const { name } = other.metadata;
  const annotations = { "kvorum.dev/move-leader": `${name}:${Date.now()}` };
  await kube.patch("clusters", FIELD, CLUSTER, { metadata: { annotations } });
  return until(`${name} leads`, 60, async () => {
    const now = await leaderOf(kube, CLUSTER);
    return now.node === loadNode ? undefined : now;
  });
}

async function upgrade(field: Field): Promise<void> {
  for (const version of [EARLIER, TODAY]) await rolls(field, { version }, `${SERVER}:${version}`);
}

/** Every member is made anew, one at a time. `image`: what all of them run afterwards. */
async function rolls(field: Field, spec: object, image: string | undefined): Promise<void> {
  const { kube } = field;
  const before = livesOf(await podsOf(kube, CLUSTER));
  const most = await mostAway(field, Object.keys(before).length, async () => {
    await change(field, spec);
    await becomesReady(kube, CLUSTER, 240);
  });
  const pods = await podsOf(kube, CLUSTER);
  const after = livesOf(pods);
  const same = Object.keys(before).filter((name) => before[name] === after[name]);
  expect(same.length === 0, `${same.join()} was not restarted`);
  expect(most <= 1, `${most} members were away at the same time`);
  const wrong = pods.find((pod) => image !== undefined && pod["spec"].containers[0].image !== image);
  expect(wrong === undefined, `${wrong?.metadata.name} runs ${wrong?.["spec"].containers[0].image}`);
}

function missingImage(field: Field): Promise<void> {
  return stopsAtTheFirst(field, { version: "0.1.99" }, /ImagePull|ErrImage/, false);
}

function crashingImage(field: Field): Promise<void> {
  // It is there and can be pulled, and the program in it does not know the flags of a server.
  return stopsAtTheFirst(field, { image: { repository: OPERATOR } }, /Error|CrashLoop|exit/i, true);
}

function neverReady(field: Field): Promise<void> {
  const never = {
    name: "never",
    image: `${SERVER}:${TODAY}`,
    command: ["/nodejs/bin/node", "-e", "setInterval(() => undefined, 1000)"],
    readinessProbe: { exec: { command: ["/nodejs/bin/node", "-e", "process.exit(1)"] }, periodSeconds: 5 },
    securityContext: {
      ...{ allowPrivilegeEscalation: false, readOnlyRootFilesystem: true },
      capabilities: { drop: ["ALL"] },
    },
  };
  return stopsAtTheFirst(field, { pod: { sidecars: [never] } }, /not ready/, false);
}

/** How long the others are watched once the first is out. */
const WATCHED_MS = 12_000;

/**
 * One member is taken and does not become well; the others must stay as they are. `words`: what the conditions must say.
 * `untilStalled`: it is waited for that the operator gives up, too.
 */
async function stopsAtTheFirst(field: Field, spec: object, words: RegExp, untilStalled: boolean): Promise<void> {
  const { kube } = field;
  const before = livesOf(await podsOf(kube, CLUSTER));
  const changedOnes = async () => {
    const after = livesOf(await podsOf(kube, CLUSTER));
    return Object.keys(before).filter((name) => before[name] !== after[name]);
  };
  await change(field, spec);
  await until("the first member is taken", 90, async () => (await changedOnes()).length > 0);
  await until(`the conditions say ${words}`, 60, async () => {
    const { conditions = [] } = statusOf(await kube.get("clusters", FIELD, CLUSTER));
    return conditions.some(({ message, reason }) => words.test(`${reason} ${message}`));
  });
  if (untilStalled)
    await until("Stalled", 150, async () => {
      const stalled = conditionOf(await kube.get("clusters", FIELD, CLUSTER), "Stalled");
      return stalled?.status === "True" && stalled.reason === "ProgressDeadlineExceeded";
    });
  else await pause(WATCHED_MS);
  const taken = await changedOnes();
  expect(taken.length === 1, `${taken.join()} were taken`);
  const available = conditionOf(await kube.get("clusters", FIELD, CLUSTER), "Available");
  expect(available?.status === "True", `Available is ${available?.status}`);
}

async function badSpec(field: Field): Promise<void> {
  const { kube } = field;
  await change(field, { pod: { labels: { "not a key": "x" } } });
  await until("Stalled", 30, async () => {
    const stalled = conditionOf(await kube.get("clusters", FIELD, CLUSTER), "Stalled");
    return stalled?.status === "True" && stalled.reason === "InvalidSpec";
  });
  const [victim] = await podsOf(kube, CLUSTER);
  const name = victim?.metadata.name ?? "";
  await kube.delete("pods", FIELD, name);
  await comesBack(kube, name, victim?.metadata.uid);
}

async function killOperators(field: Field): Promise<void> {
  const { kube, options } = field;
  const chance = new Prng(options.seed);
  await change(field, { config: { snapshotCount: 20_000 } });
  for (let kill = 0; kill < 10; kill++) {
    await pause(500 + chance.below(3000));
    const all = await operators(kube);
    // Now one of them, now both: the Lease has to be waited for when it was not given back.
    const victims = chance.chance(0.5) ? all : all.slice(0, 1);
    for (const { metadata } of victims) await kube.delete("pods", HOME, metadata.name, 0);
  }
  await becomesReady(kube, CLUSTER, 240);
  const flags = (await podsOf(kube, CLUSTER)).map((pod) => String(pod["spec"].containers[0].args));
  expect(
    flags.every((text) => text.includes("--snapshot-count=20000")),
    "not every member has the new setting",
  );
}

function configure(field: Field): Promise<void> {
  return rolls(field, { config: { logLevel: "warn" } }, undefined);
}

async function nodeDown(field: Field): Promise<void> {
  const { kube, harness, loadNode } = field;
  const victim = (await podsOf(kube, CLUSTER)).find((pod) => pod["spec"].nodeName !== loadNode) as Thing;
  const node = victim["spec"].nodeName as string;
  await harness.nodes?.down(node);
  try {
    await until(`${victim.metadata.name} is replaced`, 240, async () => {
      const cluster = await kube.get("clusters", FIELD, CLUSTER);
      const { members = [], voters } = statusOf(cluster);
      return voters === 3 && !members.some(({ name }) => name === victim.metadata.name);
    });
    await becomesReady(kube, CLUSTER, 180);
  } finally {
    await harness.nodes?.up(node);
  }
  await until("what was left on the node is gone", 120, async () => {
    const pod = await kube.get("pods", FIELD, victim.metadata.name);
    return pod === undefined;
  });
}

async function rotate({ kube }: Field): Promise<void> {
  const read = async (name: string) => (await kube.get("secrets", FIELD, name))?.["data"] as Record<string, string>;
  const names = ["server", "peer"] as const;
  const before = await Promise.all(names.map((name) => read(tlsSecretName(CLUSTER, name))));
  const lives = JSON.stringify(livesOf(await podsOf(kube, CLUSTER)));
  const annotations = { "kvorum.dev/rotate-certs": String(Date.now()) };
  await kube.patch("clusters", FIELD, CLUSTER, { metadata: { annotations } });
  for (const [index, name] of names.entries())
    await until(`nothing of the old authority is left in the ${name} certificates`, 420, async () => {
      const now = await read(tlsSecretName(CLUSTER, name));
      const [ca, leaf] = [now["ca.crt"] ?? "", now["tls.crt"] ?? ""];
      const isNew = ca !== before[index]?.["ca.crt"] && leaf !== before[index]?.["tls.crt"];
      const authorities = Buffer.from(ca, "base64")
        .toString()
        .match(/BEGIN CERTIFICATE/g)?.length;
      return isNew && authorities === 1;
    });
  await until("all members have loaded them", 180, async () => {
    const cluster = await kube.get("clusters", FIELD, CLUSTER);
    return conditionOf(cluster, "CertificatesReady")?.status === "True";
  });
  expect(JSON.stringify(livesOf(await podsOf(kube, CLUSTER))) === lives, "a member was restarted for it");
}

/** The member has a Pod again, another than `uid`, and the cluster is Ready. */
async function comesBack(kube: Field["kube"], name: string, uid?: string): Promise<void> {
  await until(`${name} runs again`, 120, async () => {
    const pod = await kube.get("pods", FIELD, name);
    const isNew = pod !== undefined && pod.metadata.uid !== uid && pod.metadata.deletionTimestamp === undefined;
    const statuses = (pod?.["status"]?.containerStatuses ?? []) as readonly { ready: boolean }[];
    return isNew && statuses.length > 0 && statuses.every(({ ready }) => ready);
  });
}
