#!/usr/bin/env node
/**
 * The operator as a program: reads what it is asked, looks after clusters, and ends as the signals say.
 *
 *     0  --help, --version; SIGTERM or SIGINT, after the Lease was given back
 *     1  it could not start, it lost the Lease, or it made a mistake; the last log line says why
 *     2  the command line or environment could not be read
 */
import { randomBytes } from "node:crypto";
import { readFileSync } from "node:fs";
import { hostname } from "node:os";
import { KVORUM_VERSION } from "../../server/config/version.ts";
import { FIELD_MANAGER } from "../api/names.ts";
import { GrpcEtcdAdmin } from "../etcd/grpc-etcd-admin.ts";
import { EventRecorder } from "../runtime/events.ts";
import { openKubeClient } from "../runtime/kube-client.ts";
import { Metrics, runtimeMetrics } from "../runtime/metrics.ts";
import { SYSTEM_TIME } from "../runtime/system-time.ts";
import { ConfigError, helpText, type Invocation, type OperatorConfig, readConfig } from "./config.ts";
import { type Log, openLog } from "./log.ts";
import { Operator } from "./operator.ts";
import { Port } from "./port.ts";

/** Where a Pod reads its own namespace. */
const NAMESPACE_FILE = "/var/run/secrets/kubernetes.io/serviceaccount/namespace";
/** What is to be told still is, for so long. */
const EVENTS_DRAIN_MS = 3000;
/** A stop that hangs must not outlive the Pod's grace. */
const STOP_LIMIT_MS = 25_000;

async function main(): Promise<void> {
  const invocation = invoked();
  if (invocation.kind === "help") return void process.stdout.write(helpText());
  if (invocation.kind === "version") return void process.stdout.write(`Kvorum Operator Version: ${KVORUM_VERSION}\n`);
  const { config } = invocation;
  const log = openLog({
    level: config.logLevel,
    format: config.logFormat,
    write: (line) => void process.stderr.write(line),
    now: () => new Date().toISOString(),
  });
  const fatal = (why: string, error?: unknown) => {
    log(
      "error",
      why,
      error === undefined ? {} : { error: error instanceof Error ? (error.stack ?? error.message) : error },
    );
    process.exit(1);
  };
  process.on("uncaughtException", (error) => fatal("the operator stops: a mistake of its own", error));
  process.on("unhandledRejection", (error) => fatal("the operator stops: a mistake of its own", error));
  try {
    await run(config, log, (why) => fatal(`the operator stops: ${why}`));
  } catch (error) {
    fatal("the operator could not be started", error);
  }
}

function invoked(): Invocation {
  try {
    return readConfig(process.argv.slice(2), process.env, ownNamespace());
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    process.stderr.write(`kvorum-operator: ${error.message}\n`);
    return process.exit(2);
  }
}

/** Nothing outside of a Pod. */
function ownNamespace(): string | undefined {
  const { POD_NAMESPACE } = process.env;
  if (POD_NAMESPACE !== undefined && POD_NAMESPACE !== "") return POD_NAMESPACE;
  try {
    return readFileSync(NAMESPACE_FILE, "utf8").trim() || undefined;
  } catch {
    return undefined;
  }
}

async function run(config: OperatorConfig, log: Log, lost: (why: string) => void): Promise<void> {
  const metrics = new Metrics();
  const series = runtimeMetrics(metrics);
  const failed = (what: string, error: unknown) => log("warn", what, { error: (error as Error).message });
  const { kubeconfig } = config;
  const { kube, server } = openKubeClient({
    time: SYSTEM_TIME,
    metrics: series.api,
    userAgent: `kvorum-operator/${KVORUM_VERSION}`,
    ...(kubeconfig === undefined ? {} : { kubeconfig }),
  });
  const instance = process.env["POD_NAME"] || hostname();
  const events = new EventRecorder({
    kube,
    time: SYSTEM_TIME,
    controller: FIELD_MANAGER,
    instance,
    failed,
    metrics: series.events,
  });
  const etcd = new GrpcEtcdAdmin(callsOf(metrics));
  const operator = new Operator({
    kube,
    etcd,
    events,
    time: SYSTEM_TIME,
    log,
    defaults: { serverImage: config.serverImage, ipFamily: config.ipFamily },
    namespaces: config.namespaces,
    concurrency: config.concurrency,
    metrics: { controller: series.controller, reflectors: series.reflector, leader: series.leader },
    lost,
    ...(config.leaderElect ? { election: electionOf(config, instance) } : {}),
  });
  const clusters = metrics.gauge("clusters", "EtcdClusters that are looked after.");
  metrics.beforeScrape(() => clusters.set([], operator.clusterCount));
  const port = await Port.open(config.metricsAddress, {
    isReady: () => operator.isReady,
    metrics: () => metrics.text(),
  });
  const stop = once(async (signal: string) => {
    log("info", "received a signal; stopping", { signal });
    setTimeout(() => process.exit(1), STOP_LIMIT_MS).unref();
    await operator.stop();
    await events.stop(EVENTS_DRAIN_MS);
    etcd.close();
    await port.close();
    log("info", "stopped");
    process.exit(0);
  });
  for (const signal of ["SIGTERM", "SIGINT"] as const) process.on(signal, () => void stop(signal));
  log("info", "the operator starts", {
    version: KVORUM_VERSION,
    server,
    instance,
    namespaces: config.namespaces,
    port: port.number,
  });
  await operator.start();
}

/** A name of this process alone: a Pod that starts anew is another one. */
function electionOf({ leaseNamespace, leaseName }: OperatorConfig, instance: string) {
  return { namespace: leaseNamespace, name: leaseName, identity: `${instance}_${randomBytes(6).toString("hex")}` };
}

/** Calls of members, by how they ended. */
function callsOf(metrics: Metrics) {
  const calls = metrics.counter("etcd_calls_total", "Calls of members, by how they ended.", ["call", "outcome"]);
  const durations = metrics.histogram("etcd_call_duration_seconds", "Of a call of a member.", ["call"]);
  return (call: string, outcome: string, seconds: number) => {
    calls.add([call, outcome]);
    durations.observe([call], seconds);
  };
}

function once<T>(action: (reason: T) => Promise<void>): (reason: T) => Promise<void> {
  let begun: Promise<void> | undefined;
  return (reason) => {
    begun ??= action(reason);
    return begun;
  };
}

await main();
