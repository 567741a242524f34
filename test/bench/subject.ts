/** The two that are measured: ours and etcd, each with a folder of its own, and with what makes them comparable. */
import { rmSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { CA, CERTIFICATES } from "../support/certificates.ts";
import { ClusterProcess } from "../support/cluster-process.ts";
import { KVORUM_COMMAND, ServerProcess } from "../support/server-process.ts";
import type { Target } from "./raw-client/connection.ts";

export type Who = "ours" | "theirs";

/** Room for every row's history on both. */
const QUOTA = "--quota-backend-bytes=8589934592";
const RESTART_MS = 120_000;

/** Flags of our server: `KVORUM_SERVER_FLAGS`, else the engine that is meant to be fast. */
export const OUR_FLAGS: readonly string[] = (process.env["KVORUM_SERVER_FLAGS"] || "--grpc-engine=own")
  .split(" ")
  .filter((flag) => flag !== "");

export interface Subject {
  readonly who: Who;
  /** The one that is asked: of several members the one that led at the start. */
  readonly server: ServerProcess;
  readonly target: Target;
  /** Of several members. */
  readonly cluster?: ClusterProcess | undefined;
}

export interface SubjectOptions {
  readonly etcd: string;
  readonly tls?: boolean | undefined;
  /** More than one: a cluster. */
  readonly members?: number | undefined;
  /** Node's options for ours. */
  readonly nodeOptions?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
}

export async function startSubject(who: Who, options: SubjectOptions): Promise<Subject> {
  const command = commandOf(who, options);
  const flags = [QUOTA, ...(who === "ours" ? OUR_FLAGS : ["--log-level=info"])];
  if ((options.members ?? 1) > 1) return startCluster(who, options.members as number, command, flags);
  const tls = options.tls ? [`--cert-file=${CERTIFICATES.serverCert}`, `--key-file=${CERTIFICATES.serverKey}`] : [];
  const server = await ServerProcess.start({
    command,
    flags: [...flags, ...tls],
    scheme: options.tls ? "https" : "http",
    readyMs: RESTART_MS,
    ...(options.env === undefined ? {} : { env: options.env }),
  });
  running.add(server);
  return { who, server, target: { url: server.url, ca: options.tls ? CA : undefined } };
}

function commandOf(who: Who, { etcd, nodeOptions }: SubjectOptions): string[] {
  const [node, main] = KVORUM_COMMAND as [string, string];
  return who === "ours" ? [node, ...(nodeOptions ?? []), main] : [etcd];
}

async function startCluster(who: Who, count: number, command: string[], flags: string[]): Promise<Subject> {
  const specs = Array.from({ length: count }, (_, at) => ({ name: `m${at}`, command }));
  const cluster = await ClusterProcess.start(specs, flags);
  for (const { server } of cluster.members) running.add(server);
  const { server } = await cluster.leader();
  return { who, server, cluster, target: { url: server.url, ca: undefined } };
}

/** All its processes that run. */
export function serversOf({ server, cluster }: Subject): ServerProcess[] {
  return (cluster?.members.map((member) => member.server) ?? [server]).filter(({ isRunning }) => isRunning);
}

const running = new Set<ServerProcess>();

/** Ends it, and removes its folder. */
export async function removeSubject(subject: Subject): Promise<void> {
  const { server, cluster } = subject;
  for (const one of cluster?.members.map((member) => member.server) ?? [server]) running.delete(one);
  await (cluster ?? server).remove();
}

/** The same for all that run, at once: for when this process must end. */
export function abandonAll(): void {
  for (const { pid, dataDir } of running) {
    if (pid > 0) process.kill(pid, "SIGKILL");
    rmSync(dataDir, { recursive: true, force: true });
  }
  running.clear();
}

/** The built file of a program beside this one. */
export function programBeside(name: string): string {
  return fileURLToPath(new URL(name, import.meta.url));
}
