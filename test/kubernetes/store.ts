/**
 * `npm run test:kubernetes -- store`: a real Kubernetes whose API server keeps everything in our store. The cluster comes
 * from a folder of scripts named by KVORUM_KUBERNETES (`up`, `smoke`, `down`, `kubectl`); needs root.
 *
 *   plain    up on http, smoke; kill -9 of the member under it, smoke again
 *   tls      the same with client certificates
 */
import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { CERTIFICATES } from "../support/certificates.ts";
import { ServerProcess } from "../support/server-process.ts";

const SCRIPTS = process.env["KVORUM_KUBERNETES"] ?? "";
const NO_SKIP = process.env["KVORUM_NO_SKIP"] === "1";

interface Variant {
  readonly name: string;
  readonly scheme: "http" | "https";
  readonly serverFlags: readonly string[];
  readonly upFlags: readonly string[];
}

const VARIANTS: readonly Variant[] = [
  { name: "plain", scheme: "http", serverFlags: [], upFlags: [] },
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
  },
];

/** Runs one of the cluster's scripts with its output shown; rejects when it fails. */
function script(name: string, ...args: string[]): Promise<void> {
  return new Promise((resolve, reject) => {
    const child = spawn(join(SCRIPTS, name), args, { stdio: "inherit" });
    child.once("error", reject);
    child.once("close", (code) =>
      code === 0 ? resolve() : reject(new Error(`${name} ${args.join(" ")} ended with ${code}`)),
    );
  });
}

async function runVariant({ name, scheme, serverFlags, upFlags }: Variant): Promise<void> {
  console.log(`\n== store under Kubernetes: ${name}`);
  const server = await ServerProcess.start({ scheme, flags: serverFlags });
  try {
    await script("up", "--etcd", server.url, ...upFlags);
    await script("smoke");
    console.log(`== ${name}: kill -9 of the member, then the same once more`);
    await server.stop("SIGKILL");
    await server.launch();
    await script("smoke");
  } catch (error) {
    console.error(server.log.slice(-4000));
    throw error;
  } finally {
    await script("down").catch((error: Error) => console.error(error.message));
    await server.remove();
  }
}

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
