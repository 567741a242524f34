/**
 * `npm run test:kubernetes -- bench`: what a real kube-apiserver does a second on our store and on real etcd, and the
 * processor time that each store spends on it. No nodes: API server, controllers and scheduler alone. The cluster comes
 * from the folder that KVORUM_KUBERNETES names; needs root and etcd.
 *
 *   for each pair, in turning order:   store ── up --nodes 0 ── creates, updates, lists ── down
 */
import { type ChildProcess, execFile, spawn } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { Agent, request as httpsRequest } from "node:https";
import { join } from "node:path";
import { promisify } from "node:util";
import { median, ratioOf } from "../bench/statistics.ts";
import { ServerProcess } from "../support/server-process.ts";
import { findTool } from "../support/tools.ts";

const SCRIPTS = process.env["KVORUM_KUBERNETES"] ?? "";
const PAIRS = Number(process.env["PAIRS"] ?? 3);
const SECONDS = Number(process.env["SECONDS_A_PHASE"] ?? 8);
const IN_FLIGHT = 32;
const LISTS_IN_FLIGHT = 8;
const OBJECT_BYTES = 1024;
/** One list answers so many. */
const LIST_OBJECTS = 500;
const NAMESPACE = "/api/v1/namespaces/default/configmaps";
/** Of processor time as /proc counts it. */
const TICKS_A_SECOND = 100;

const run = promisify(execFile);

/** What one store carried. */
interface Carried {
  readonly creates: number;
  readonly updates: number;
  readonly lists: number;
  /** Microseconds of the store's processor time for one create. */
  readonly createCpuUs: number;
  /** The same for one update, and for one list. */
  readonly updateCpuUs: number;
  readonly listCpuUs: number;
}

class ApiServer {
  readonly #agent: Agent;
  readonly #url: URL;

  constructor(config: { server: string; ca: string; cert: string; key: string }) {
    this.#url = new URL(config.server);
    const { ca, cert, key } = config;
    this.#agent = new Agent({ keepAlive: true, maxSockets: IN_FLIGHT, ca, cert, key });
  }

  /** Rejects on any answer that is no success. */
  call(method: string, path: string, body?: string): Promise<void> {
    return new Promise((resolve, reject) => {
      const headers = body === undefined ? {} : { "content-type": "application/json" };
      const { hostname, port } = this.#url;
      const request = httpsRequest({ agent: this.#agent, hostname, port, method, path, headers }, (answer) => {
        answer.resume();
        answer.once("end", () => {
          const code = answer.statusCode ?? 0;
          if (code >= 200 && code < 300) resolve();
          else reject(new Error(`${method} ${path} was answered ${code}`));
        });
      });
      request.once("error", reject);
      request.end(body);
    });
  }

  close(): void {
    this.#agent.destroy();
  }
}

function configMap(name: string, letter: string): string {
  return JSON.stringify({
    kind: "ConfigMap",
    apiVersion: "v1",
    metadata: { name },
    data: { v: letter.repeat(OBJECT_BYTES) },
  });
}

/** Calls a second, over the length of a phase; `call` gets numbers from 0. */
async function rate(
  inFlight: number,
  call: (number: number) => Promise<void>,
): Promise<{ each: number; calls: number }> {
  const started = performance.now();
  const end = started + SECONDS * 1000;
  let calls = 0;
  const caller = async () => {
    while (performance.now() < end) await call(calls++);
  };
  await Promise.all(Array.from({ length: inFlight }, caller));
  return { each: calls / ((performance.now() - started) / 1000), calls };
}

async function load(store: ServerProcess): Promise<Carried> {
  const api = new ApiServer(await kubeconfig());
  try {
    const name = (number: number) => `bench-${number}`;
    // Of code that has just started nothing is said.
    await rate(IN_FLIGHT, (number) => api.call("POST", NAMESPACE, configMap(`warm-${number}`, "w")));
    const timed = async (inFlight: number, call: (number: number) => Promise<void>) => {
      const before = cpuSeconds(store.pid);
      const { each, calls } = await rate(inFlight, call);
      return { each, calls, cpuUs: ((cpuSeconds(store.pid) - before) / calls) * 1e6 };
    };
    const creates = await timed(IN_FLIGHT, (number) => api.call("POST", NAMESPACE, configMap(name(number), "a")));
    const updates = await timed(IN_FLIGHT, (number) => {
      const target = name(number % creates.calls);
      return api.call("PUT", `${NAMESPACE}/${target}`, configMap(target, "b"));
    });
    const lists = await timed(LISTS_IN_FLIGHT, () => api.call("GET", `${NAMESPACE}?limit=${LIST_OBJECTS}`));
    return {
      creates: creates.each,
      updates: updates.each,
      lists: lists.each,
      createCpuUs: creates.cpuUs,
      updateCpuUs: updates.cpuUs,
      listCpuUs: lists.cpuUs,
    };
  } finally {
    api.close();
  }
}

/** How to reach the API server, from the cluster's own kubectl. */
async function kubeconfig(): Promise<{ server: string; ca: string; cert: string; key: string }> {
  const { stdout } = await run(join(SCRIPTS, "kubectl"), ["config", "view", "--raw", "-o", "json"]);
  const { clusters, users } = JSON.parse(stdout);
  const decoded = (text: string) => Buffer.from(text, "base64").toString("utf8");
  return {
    server: clusters[0].cluster.server,
    ca: decoded(clusters[0].cluster["certificate-authority-data"]),
    cert: decoded(users[0].user["client-certificate-data"]),
    key: decoded(users[0].user["client-key-data"]),
  };
}

/** User and system time of a process and all its threads. */
function cpuSeconds(pid: number): number {
  const fields = readFileSync(`/proc/${pid}/stat`, "utf8").split(") ")[1]?.split(" ") ?? [];
  return (Number(fields[11]) + Number(fields[12])) / TICKS_A_SECOND;
}

let running: ChildProcess | undefined;

function script(name: string, ...args: string[]): Promise<void> {
  return new Promise((resolve, reject) => {
    const child = spawn(join(SCRIPTS, name), args, { stdio: ["ignore", "ignore", "inherit"] });
    running = child;
    child.once("error", reject);
    child.once("close", (code) => (code === 0 ? resolve() : reject(new Error(`${name} ended with ${code}`))));
  });
}

async function carry(command: readonly string[] | undefined): Promise<Carried> {
  const store = await ServerProcess.start(command === undefined ? {} : { command });
  try {
    await script("up", "--nodes", "0", "--etcd", store.url);
    return await load(store);
  } finally {
    await script("down").catch((error: Error) => console.error(error.message));
    await store.remove();
  }
}

const ROWS: readonly { name: keyof Carried; text: string; floor: number; aim: number; lowerIsBetter: boolean }[] = [
  { name: "creates", text: "creates a second", floor: 1, aim: 1, lowerIsBetter: false },
  { name: "updates", text: "updates a second", floor: 1, aim: 1, lowerIsBetter: false },
  { name: "lists", text: `lists of ${LIST_OBJECTS} a second`, floor: 1, aim: 1, lowerIsBetter: false },
  { name: "createCpuUs", text: "store's processor time a create, us", floor: 0.8, aim: 0.5, lowerIsBetter: true },
];

async function main(): Promise<number> {
  const etcd = findTool("etcd");
  if (etcd === undefined || !existsSync(join(SCRIPTS, "up")) || process.getuid?.() !== 0) {
    console.log("SKIPPED: needs root, etcd, and KVORUM_KUBERNETES naming a folder with `up`, `down` and `kubectl`");
    return 0;
  }
  const pairs: { ours: Carried; theirs: Carried }[] = [];
  for (let pair = 0; pair < PAIRS; pair++) {
    let ours: Carried | undefined;
    let theirs: Carried | undefined;
    for (const turn of pair % 2 === 0 ? ["ours", "theirs"] : ["theirs", "ours"]) {
      if (turn === "ours") ours = await carry(undefined);
      else theirs = await carry([etcd]);
    }
    pairs.push({ ours: ours as Carried, theirs: theirs as Carried });
    console.log(`pair ${pair + 1}: ${JSON.stringify(pairs.at(-1))}`);
  }
  console.log(
    `\nkube-apiserver on it, ${PAIRS} pairs of ${SECONDS} s a phase, ${IN_FLIGHT} in flight, objects of ${OBJECT_BYTES} bytes`,
  );
  for (const { name, text, floor, aim, lowerIsBetter } of ROWS) {
    const {
      median: middle,
      low,
      high,
    } = ratioOf(
      pairs.map(({ ours, theirs }) => [ours[name], theirs[name]] as const),
      Math.random,
    );
    const [ours, theirs] = [
      median(pairs.map((pair) => pair.ours[name])),
      median(pairs.map((pair) => pair.theirs[name])),
    ];
    const sign = lowerIsBetter ? "<=" : ">=";
    console.log(
      `${text.padEnd(38)} ours ${ours.toFixed(0).padStart(6)}  etcd ${theirs.toFixed(0).padStart(6)}  ` +
        `ratio ${middle.toFixed(2)} (${low.toFixed(2)} to ${high.toFixed(2)})  aim ${sign} ${aim}, floor ${sign} ${floor}`,
    );
  }
  return 0;
}

for (const signal of ["SIGINT", "SIGTERM"] as const)
  process.once(signal, () => {
    running?.kill();
    void script("down").finally(() => process.exit(1));
  });

process.exitCode = await main();
