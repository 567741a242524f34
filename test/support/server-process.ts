/**
 * A store as a process of its own: ours as built, or real etcd, on free loopback ports and in a folder of its own.
 * Whoever starts one stops it; what it logged is kept for the message of a failed test.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const MAIN = fileURLToPath(new URL("../../server/cli/main.js", import.meta.url));
const READY = "ready to serve client requests";
/** Flags for our server in every test: `--grpc-engine=own` runs a suite on the other engine. */
const OWN_FLAGS = (process.env["KVORUM_SERVER_FLAGS"] ?? "").split(" ").filter((flag) => flag !== "");
const LOG_KEPT_BYTES = 256 * 1024;
/** Of its log, for the message of a failed test. */
const LAST_LINES = 8;
const LINE_CHARACTERS = 240;

/** The command that starts our server, as built. */
export const KVORUM_COMMAND: readonly string[] = [process.execPath, MAIN];

export interface ServerOptions {
  /** Program and leading arguments; ours when absent. */
  readonly command?: readonly string[];
  /** Further etcd flags. */
  readonly flags?: readonly string[];
  /** Kept by the caller when given; else made, and removed by `remove()`. */
  readonly dataDir?: string;
  readonly env?: Readonly<Record<string, string>>;
  /** "http" or "https": only what the advertised URL says; certificates come by `flags`. */
  readonly scheme?: "http" | "https";
  /** How long it may take until it serves. */
  readonly readyMs?: number;
  readonly clientPort?: number;
}

export class ServerProcess {
  readonly clientPort: number;
  readonly peerPort: number;
  readonly dataDir: string;
  readonly #options: ServerOptions;
  #child: ChildProcess | undefined;
  #log = "";
  #exited: Promise<{ code: number | null; signal: NodeJS.Signals | null }> | undefined;

  private constructor(options: ServerOptions, clientPort: number, peerPort: number, dataDir: string) {
    this.#options = options;
    this.clientPort = clientPort;
    this.peerPort = peerPort;
    this.dataDir = dataDir;
  }

  /** Starts one and resolves when it serves. */
  static async start(options: ServerOptions = {}): Promise<ServerProcess> {
    const server = await ServerProcess.prepare(options);
    await server.launch();
    return server;
  }

  /** Chooses ports and folder without starting anything. */
  static async prepare(options: ServerOptions = {}): Promise<ServerProcess> {
    const [clientPort, peerPort] = await freePorts(2);
    const dataDir = options.dataDir ?? mkdtempSync(join(tmpdir(), "kvorum-test-"));
    return new ServerProcess(options, options.clientPort ?? (clientPort as number), peerPort as number, dataDir);
  }

  get endpoint(): string {
    return `127.0.0.1:${this.clientPort}`;
  }

  get url(): string {
    return `${this.#options.scheme ?? "http"}://${this.endpoint}`;
  }

  get pid(): number {
    return this.#child?.pid ?? 0;
  }

  /** The process that was started last has not ended. */
  get isRunning(): boolean {
    const child = this.#child;
    return child !== undefined && child.exitCode === null && child.signalCode === null;
  }

  /** The end of what it has written to both streams. */
  get log(): string {
    return this.#log;
  }

  /** How the process that was started last stands or has ended, and the last lines of its log. */
  get lastWords(): string {
    const child = this.#child;
    const end = child?.signalCode ?? (child?.exitCode === null ? undefined : `exit code ${child?.exitCode}`);
    const state = child === undefined ? "was never started" : end === undefined ? "runs" : `ended by ${end}`;
    const lines = this.#log.trimEnd().split("\n").slice(-LAST_LINES);
    return `the server ${state}; its last lines:\n${lines.map((line) => line.slice(0, LINE_CHARACTERS)).join("\n")}`;
  }

  /** Resolves when the process that was started last has ended. */
  get exited(): Promise<{ code: number | null; signal: NodeJS.Signals | null }> {
    return this.#exited ?? Promise.resolve({ code: null, signal: null });
  }

  /** All flags that it is started with. */
  get arguments(): string[] {
    const peer = `http://127.0.0.1:${this.peerPort}`;
    return [
      "--name=one",
      `--data-dir=${this.dataDir}`,
      `--listen-client-urls=${this.url}`,
      `--advertise-client-urls=${this.url}`,
      `--listen-peer-urls=${peer}`,
      `--initial-advertise-peer-urls=${peer}`,
      `--initial-cluster=one=${peer}`,
      ...(this.#options.command === undefined ? OWN_FLAGS : []),
      ...(this.#options.flags ?? []),
    ];
  }

  /** Starts the process (again, on the same folder) and resolves when it says that it serves. */
  async launch(): Promise<void> {
    const exited = this.spawn();
    const deadline = AbortSignal.timeout(this.#options.readyMs ?? 30_000);
    for (;;) {
      if (this.#log.includes(READY)) return;
      const ended = await Promise.race([
        exited,
        new Promise<undefined>((resolve) => setTimeout(() => resolve(undefined), 10)),
      ]);
      if (ended !== undefined)
        throw new Error(`the server ended before it served: ${this.lastWords}\n--- its whole log:\n${this.#log}`);
      if (deadline.aborted)
        throw new Error(`the server does not serve yet: ${this.lastWords}\n--- its whole log:\n${this.#log}`);
    }
  }

  /** Starts the process without waiting; resolves when it has ended. For servers that are expected to refuse. */
  spawn(): Promise<{ code: number | null; signal: NodeJS.Signals | null }> {
    const [program, ...leading] = this.#options.command ?? KVORUM_COMMAND;
    this.#log = "";
    const child = spawn(program as string, [...leading, ...this.arguments], {
      stdio: ["ignore", "pipe", "pipe"],
      env: { PATH: process.env["PATH"] ?? "", ...this.#options.env },
    });
    this.#child = child;
    const keep = (chunk: Buffer) => {
      this.#log = (this.#log + chunk.toString()).slice(-LOG_KEPT_BYTES);
    };
    child.stdout?.on("data", keep);
    child.stderr?.on("data", keep);
    this.#exited = new Promise((resolve, reject) => {
      child.once("error", reject);
      child.once("close", (code, signal) => resolve({ code, signal }));
    });
    return this.#exited;
  }

  /** Sends a signal and resolves when the process has ended. SIGTERM that is not obeyed within 10 s becomes SIGKILL. */
  async stop(signal: NodeJS.Signals = "SIGTERM"): Promise<{ code: number | null; signal: NodeJS.Signals | null }> {
    if (this.#child === undefined || this.#exited === undefined) return { code: null, signal: null };
    this.#child.kill(signal);
    const hard = setTimeout(() => this.#child?.kill("SIGKILL"), 10_000);
    const ended = await this.#exited;
    clearTimeout(hard);
    return ended;
  }

  /** Stops it and removes the folder that it made. */
  async remove(): Promise<void> {
    await this.stop("SIGKILL");
    if (this.#options.dataDir === undefined) rmSync(this.dataDir, { recursive: true, force: true });
  }
}

/** Ports of 127.0.0.1 that nobody listened on a moment ago. */
export async function freePorts(count: number): Promise<number[]> {
  const servers = Array.from({ length: count }, () => createServer());
  const ports = await Promise.all(
    servers.map(
      (server) =>
        new Promise<number>((resolve, reject) => {
          server.once("error", reject);
          server.listen(0, "127.0.0.1", () => resolve((server.address() as { port: number }).port));
        }),
    ),
  );
  await Promise.all(servers.map((server) => new Promise((resolve) => server.close(resolve))));
  return ports;
}
