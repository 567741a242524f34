/**
 * An API server of Kubernetes without the rest of it, on a store of ours, loopback ports and a folder of its own: enough
 * for schemas, rules, patches and watches; no controller runs, so nothing is collected, scheduled or deleted for others.
 * The program is `kube-apiserver`, or `hyper`, which holds all of Kubernetes. Whoever starts one stops it.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { generateKeyPairSync } from "node:crypto";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { KubeConfig } from "@kubernetes/client-node";
import { utf8Bytes } from "../../server/base/bytes.ts";
import { connect } from "../../server/client/client.ts";
import { SERVICES } from "../../server/proto/services.ts";
import { KubeApi } from "./kube-api.ts";
import { freePorts, ServerProcess } from "./server-process.ts";
import { findTool } from "./tools.ts";

const TOKEN = "lone-api-of-a-test";
const READY_MS = 120_000;
const LOG_KEPT = 64 * 1024;

/** Whether this machine has the program. */
export function hasLoneApi(): boolean {
  return command() !== undefined;
}

export class LoneApi {
  readonly api: KubeApi;
  /** Path of a kubeconfig that leads to it. */
  readonly kubeconfig: string;
  readonly #store: ServerProcess;
  readonly #child: ChildProcess;
  readonly #folder: string;
  #log = "";

  private constructor(config: KubeConfig, store: ServerProcess, child: ChildProcess, folder: string) {
    this.api = new KubeApi(config);
    this.kubeconfig = join(folder, "kubeconfig");
    writeFileSync(this.kubeconfig, config.exportConfig());
    this.#store = store;
    this.#child = child;
    this.#folder = folder;
    child.stderr?.setEncoding("utf8").on("data", (text: string) => {
      this.#log = (this.#log + text).slice(-LOG_KEPT);
    });
  }

  /** Resolves when it is ready; throws with the end of its log when it is not within two minutes. */
  static async start(): Promise<LoneApi> {
    const [program = "", ...words] = command() ?? [];
    const [port = 0] = await freePorts(1);
    const folder = mkdtempSync(join(tmpdir(), "kvorum-api-"));
    const store = await ServerProcess.start();
    await forgetsTheFirst(store.url);
    const child = spawn(program, [...words, ...flags(store.url, port, folder)], {
      stdio: ["ignore", "ignore", "pipe"],
    });
    const lone = new LoneApi(configOf(port), store, child, folder);
    try {
      await lone.#becomesReady();
    } catch (error) {
      await lone.remove();
      throw error;
    }
    return lone;
  }

  async remove(): Promise<void> {
    const { exitCode, signalCode } = this.#child;
    if (exitCode === null && signalCode === null) {
      const ended = new Promise((resolve) => this.#child.once("close", resolve));
      this.#child.kill("SIGKILL");
      await ended;
    }
    await this.#store.remove();
    rmSync(this.#folder, { recursive: true, force: true });
  }

  async #becomesReady(): Promise<void> {
    const deadline = performance.now() + READY_MS;
    for (;;) {
      const answer = await this.api.call("GET", "/readyz").catch(() => undefined);
      if (answer?.status === 200) return;
      if (this.#child.exitCode !== null || performance.now() > deadline)
        throw new Error(`the API server is not ready; its log ends:\n${this.#log.slice(-4000)}`);
      await new Promise((resolve) => setTimeout(resolve, 200));
    }
  }
}

/** As in a cluster of some age: versions that somebody may still hold are no longer known. */
async function forgetsTheFirst(url: string): Promise<void> {
  const client = connect(url);
  const key = utf8Bytes("/before-the-api-server");
  try {
    for (let write = 0; write < 20; write++) await client.unary(SERVICES.kv.methods.put, { key, value: key });
    const { header } = await client.unary(SERVICES.kv.methods.range, { key });
    await client.unary(SERVICES.kv.methods.compact, { revision: header?.revision ?? 1, physical: true });
  } finally {
    client.close();
  }
}

function command(): string[] | undefined {
  const own = findTool("kube-apiserver");
  if (own !== undefined) return [own];
  const hyper = findTool("hyper");
  return hyper === undefined ? undefined : [hyper, "apiserver"];
}

function flags(storeUrl: string, port: number, folder: string): string[] {
  const { publicKey, privateKey } = generateKeyPairSync("rsa", { modulusLength: 2048 });
  const write = (name: string, text: string | Buffer) => {
    writeFileSync(join(folder, name), text);
    return join(folder, name);
  };
  return [
    `--etcd-servers=${storeUrl}`,
    "--bind-address=127.0.0.1",
    `--secure-port=${port}`,
    `--cert-dir=${folder}`,
    "--authorization-mode=AlwaysAllow",
    `--token-auth-file=${write("tokens.csv", `${TOKEN},test,1,system:masters\n`)}`,
    "--service-cluster-ip-range=10.96.0.0/16",
    "--service-account-issuer=https://kubernetes.default.svc",
    `--service-account-key-file=${write("account.pub", publicKey.export({ type: "spki", format: "pem" }))}`,
    `--service-account-signing-key-file=${write("account.key", privateKey.export({ type: "pkcs8", format: "pem" }))}`,
    "--disable-admission-plugins=ServiceAccount",
    "--profiling=false",
  ];
}

function configOf(port: number): KubeConfig {
  const config = new KubeConfig();
  config.loadFromOptions({
    clusters: [{ name: "lone", server: `https://127.0.0.1:${port}`, skipTLSVerify: true }],
    users: [{ name: "test", token: TOKEN }],
    contexts: [{ name: "lone", cluster: "lone", user: "test" }],
    currentContext: "lone",
  });
  return config;
}
