/** The built operator as a process of its own, looked at from outside: its metrics, its memory, its processor time. */
import { type ChildProcess, spawn } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { stringify } from "yaml";
import { freePorts } from "../../support/server-process.ts";
import { readSeries, type Series } from "./figures.ts";

const MAIN = fileURLToPath(new URL("../../../operator/cli/main.js", import.meta.url));
const READY_MS = 60_000;
/** Linux counts processor time in these. */
const TICK_MS = 10;

export interface OperatorProcessOptions {
  /** Of the API server. */
  readonly server: string;
  /** Namespace of the Lease. */
  readonly namespace: string;
  readonly flags?: readonly string[];
  /** Folder for a `.cpuprofile`, written when it is told to end. */
  readonly profile?: string;
}

export class OperatorProcess {
  readonly url: string;
  readonly ended: Promise<number | null>;
  readonly #child: ChildProcess;
  readonly #folder: string;
  #log = "";

  /** Resolves when it says that it is ready. */
  static async start(options: OperatorProcessOptions): Promise<OperatorProcess> {
    const [port] = await freePorts(1);
    const operator = new OperatorProcess(options, port as number);
    await operator.#ready();
    return operator;
  }

  private constructor({ server, namespace, flags = [], profile }: OperatorProcessOptions, port: number) {
    this.url = `http://127.0.0.1:${port}`;
    this.#folder = mkdtempSync(join(tmpdir(), "kvorum-operator-"));
    const kubeconfig = join(this.#folder, "kubeconfig");
    writeFileSync(kubeconfig, configOf(server));
    const argv = [
      ...(profile === undefined ? [] : ["--cpu-prof", `--cpu-prof-dir=${profile}`]),
      MAIN,
      `--kubeconfig=${kubeconfig}`,
      `--metrics-address=127.0.0.1:${port}`,
      `--lease-namespace=${namespace}`,
      ...flags,
    ];
    this.#child = spawn(process.execPath, argv, {
      stdio: ["ignore", "ignore", "pipe"],
      env: { PATH: process.env["PATH"] ?? "" },
    });
    this.#child.stderr?.on("data", (chunk: Buffer) => {
      this.#log = (this.#log + chunk.toString()).slice(-200_000);
    });
    this.ended = new Promise((resolve) => this.#child.once("close", resolve));
  }

  /** Its last log lines. */
  get log(): string {
    return this.#log;
  }

  get isRunning(): boolean {
    return this.#child.exitCode === null && this.#child.signalCode === null;
  }

  async metrics(): Promise<Series> {
    return readSeries(await (await fetch(`${this.url}/metrics`)).text());
  }

  async leads(): Promise<boolean> {
    return (await this.metrics()).get("kvorum_operator_leader") === 1;
  }

  /** Resident memory, now and at its highest, bytes. */
  memory(): { readonly now: number; readonly highest: number } {
    const status = readFileSync(`/proc/${this.#child.pid}/status`, "utf8");
    const bytes = (name: string) => Number(new RegExp(`^${name}:\\s+(\\d+) kB`, "m").exec(status)?.[1] ?? 0) * 1024;
    return { now: bytes("VmRSS"), highest: bytes("VmHWM") };
  }

  /** Processor time so far, milliseconds. */
  processorMs(): number {
    const stat = readFileSync(`/proc/${this.#child.pid}/stat`, "utf8");
    const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    return (Number(fields[11]) + Number(fields[12])) * TICK_MS;
  }

  /** Ends it and takes its files away; says its exit code, null after SIGKILL. */
  async stop(signal: "SIGTERM" | "SIGKILL" = "SIGKILL"): Promise<number | null> {
    if (this.isRunning) this.#child.kill(signal);
    const code = await this.ended;
    rmSync(this.#folder, { recursive: true, force: true });
    return code;
  }

  async #ready(): Promise<void> {
    const end = performance.now() + READY_MS;
    for (;;) {
      const answer = await fetch(`${this.url}/readyz`).catch(() => undefined);
      if (answer?.status === 200) return;
      if (!this.isRunning || performance.now() > end)
        throw new Error(`the operator is not ready within ${READY_MS / 1000} s:\n${this.#log}`);
      await sleep(50);
    }
  }
}

function configOf(server: string): string {
  return stringify({
    apiVersion: "v1",
    kind: "Config",
    "current-context": "fake",
    contexts: [{ name: "fake", context: { cluster: "fake", user: "fake" } }],
    clusters: [{ name: "fake", cluster: { server } }],
    users: [{ name: "fake", user: {} }],
  });
}
