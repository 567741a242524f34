/**
 * `npm run test:kubernetes -- store`: a real Kubernetes whose API server keeps everything in our store. The cluster comes
 * from a folder of scripts named by KVORUM_KUBERNETES (`up`, `smoke`, `down`, `kubectl`); needs root.
 *
 *   plain    up on http, smoke; kill -9 of the member under it: what it held is there again; smoke once more
 *   tls      the same with client certificates
 */
import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { type ClientOptions, connect } from "../../server/client/client.ts";
import { SERVICES } from "../../server/proto/services.ts";
import { CA, CERTIFICATES, CLIENT } from "../support/certificates.ts";
import { ServerProcess } from "../support/server-process.ts";

const SCRIPTS = process.env["KVORUM_KUBERNETES"] ?? "";
const NO_SKIP = process.env["KVORUM_NO_SKIP"] === "1";

interface Variant {
  readonly name: string;
  readonly scheme: "http" | "https";
  readonly serverFlags: readonly string[];
  readonly upFlags: readonly string[];
  readonly client: ClientOptions;
}

const VARIANTS: readonly Variant[] = [
  { name: "plain", scheme: "http", serverFlags: [], upFlags: [], client: {} },
  {
    name: "tls",
    scheme: "https",
    serverFlags: [
      `--cert-file=${CERTIFICATES.serverCert}`,
      `--key-file=${CERTIFICATES.serverKey}`,
      `--trusted-ca-file=${CERTIFICATES.ca}`,
      "--client-cert-auth",
    ],
    upFlags: [
      "--etcd-ca",
      CERTIFICATES.ca,
      "--etcd-cert",
      CERTIFICATES.clientCert,
      "--etcd-key",
      CERTIFICATES.clientKey,
    ],
    client: { tls: { ca: CA, cert: CLIENT.cert, key: CLIENT.key, serverName: "localhost" } },
  },
];

/** What is under way, and must not outlive us. */
let running: ChildProcess | undefined;
let store: ServerProcess | undefined;
let isEnding = false;

/** Runs one of the cluster's scripts with its output shown; rejects when it fails. */
async function script(name: string, ...args: string[]): Promise<void> {
  if (isEnding) throw new Error("interrupted");
  const started = performance.now();
  await runScript(name, args);
  console.log(`== ${name}: ${((performance.now() - started) / 1000).toFixed(1)} s`);
}

function runScript(name: string, args: readonly string[]): Promise<void> {
  return new Promise((resolve, reject) => {
    const child = spawn(join(SCRIPTS, name), args, { stdio: "inherit" });
    running = child;
    child.once("error", reject);
    child.once("close", (code) =>
      code === 0 ? resolve() : reject(new Error(`${name} ${args.join(" ")} ended with ${code}`)),
    );
  });
}

async function runVariant({ name, scheme, serverFlags, upFlags, client }: Variant): Promise<void> {
  console.log(`\n== store under Kubernetes: ${name}`);
  const server = await ServerProcess.start({ scheme, flags: serverFlags });
  store = server;
  try {
    await script("up", "--etcd", server.url, ...upFlags);
    await script("smoke");
    await killAndCompare(server, client);
    await script("smoke");
  } catch (error) {
    if (isEnding) await new Promise(() => undefined); // who was told to end cleans up and exits
    console.error(server.log.slice(-4000));
    throw error;
  } finally {
    await runScript("down", []).catch((error: Error) => console.error(error.message));
    await server.remove();
  }
}

/** kill -9 with the cluster at work: afterwards the keys of the revision before are what they were. */
async function killAndCompare(server: ServerProcess, options: ClientOptions): Promise<void> {
  const hashAt = async (revision: number) => {
    const client = connect(server.url, options);
    const hash = await client.unary(SERVICES.maintenance.methods.hashKv, { revision });
    client.close();
    return hash;
  };
  const { hash, hashRevision } = await hashAt(0);
  await server.stop("SIGKILL");
  const started = performance.now();
  await server.launch();
  const took = performance.now() - started;
  const after = await hashAt(hashRevision);
  const now = after.header?.revision ?? 0;
  assert.equal(after.hash, hash, `the keys of revision ${hashRevision}`);
  console.log(
    `== kill -9 at revision ${hashRevision} or later: serves again after ${took.toFixed(0)} ms, the same keys; now at ${now}`,
  );
}

for (const signal of ["SIGINT", "SIGTERM"] as const)
  process.once(signal, () => {
    isEnding = true;
    running?.kill();
    void runScript("down", [])
      .catch((error: Error) => console.error(error.message))
      .then(() => store?.remove())
      .then(() => process.exit(signal === "SIGINT" ? 130 : 143));
  });

async function main(): Promise<number> {
  if (!existsSync(join(SCRIPTS, "up")) || process.getuid?.() !== 0) {
    console.log(
      "SKIPPED: the store under a real Kubernetes. It needs root, and KVORUM_KUBERNETES naming a folder with the programs " +
        "`up [--etcd URL --etcd-ca F --etcd-cert F --etcd-key F]`, `smoke` and `down`",
    );
    return NO_SKIP ? 1 : 0;
  }
  const chosen = process.argv.slice(2);
  const variants = VARIANTS.filter(({ name }) => chosen.length === 0 || chosen.includes(name));
  for (const variant of variants) await runVariant(variant);
  console.log(`\nthe store carried Kubernetes: ${variants.map(({ name }) => name).join(", ")}`);
  return 0;
}

process.exitCode = await main();
