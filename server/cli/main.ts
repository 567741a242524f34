#!/usr/bin/env node
/**
 * The program: reads what it is asked, runs the server, and ends it as the signals say.
 *
 *     0  --help, --version; SIGTERM or SIGINT as process 1
 *     1  the settings make no sense, or the server could not start or go on; the last log line says why
 *     2  the command line could not be read
 *    78  --expect-data, and the data directory is empty
 *     by signal  SIGTERM or SIGINT, after everything was made durable
 */
import { fileURLToPath } from "node:url";
import { WorldError } from "../base/error.ts";
import { type Invocation, readConfig } from "../config/config.ts";
import { helpText, USAGE } from "../config/help.ts";
import { ConfigError } from "../config/settings.ts";
import { versionText } from "../config/version.ts";
import { BootstrapError } from "../member/bootstrap-result.ts";
import type { LogFields } from "../ports/logger.ts";
import { startFailpoints } from "../system/failpoints.ts";
import { applyHeapLimit } from "../system/launch.ts";
import { SystemLogger } from "../system/logger.ts";
import { onSignal, resign, type Signal } from "../system/signals.ts";
import { adviceFor, DataExpected, RemovedFromCluster } from "./advice.ts";
import type { RunningServer } from "./compose.ts";
import { type LocalCluster, readLocalCluster, runLocalCluster } from "./local-cluster.ts";
import { welcome } from "./welcome.ts";

const CALLER = "cli/main.ts";
/** EX_CONFIG of sysexits.h: whoever restarts the process must not go on doing so. */
const EXIT_NO_DATA = 78;

async function main(): Promise<void> {
  const argv = process.argv.slice(2);
  if (await runsDataCommand(argv)) return;
  const local = localCluster(argv);
  if (local !== undefined) {
    process.exitCode = await runLocalCluster(local, fileURLToPath(import.meta.url));
    return;
  }
  const invocation = readInvocation();
  if (invocation.kind === "help") return void process.stdout.write(helpText());
  if (invocation.kind === "version") return void process.stdout.write(versionText());
  const launch = await applyHeapLimit(import.meta.url);
  if (launch.place === "elsewhere") {
    if (launch.error !== undefined) bareLogger().fatal("the server's thread has failed", { error: launch.error });
    process.exit(launch.exitCode);
  }
  await serve(invocation);
}

// What only some starts need is loaded by them, and the server itself where it will run, once: loading takes a third of a
// second on a slow machine.

/** Whether it was one, which has then run. */
async function runsDataCommand(argv: readonly string[]): Promise<boolean> {
  if (argv[0] === undefined || argv[0].startsWith("-")) return false;
  const { isDataCommand, runDataCommand } = await import("./data/command.ts");
  if (!isDataCommand(argv)) return false;
  process.exitCode = await runDataCommand(argv);
  return true;
}

function localCluster(argv: readonly string[]): LocalCluster | undefined {
  try {
    return readLocalCluster(argv);
  } catch (error) {
    process.stderr.write(`${(error as Error).message}\n`);
    return process.exit(2);
  }
}

/** Settings that cannot be read or make no sense end the process here. */
function readInvocation(): Invocation {
  try {
    return readConfig(process.argv.slice(2), process.env);
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    if (error.exitCode === 2) process.stderr.write(`${error.message}\n${USAGE}`);
    else bareLogger()[error.line.level](error.line.message, { ...error.line.fields });
    return process.exit(error.exitCode);
  }
}

/** For what must be said before the settings of the log are known. */
function bareLogger(): SystemLogger {
  return SystemLogger.open({ level: "info", format: "json", outputs: ["stderr"] }, CALLER);
}

async function serve({ config, notices }: Extract<Invocation, { kind: "serve" }>): Promise<void> {
  const logger = openLog(config.logLevel, config.logFormat, config.logOutputs);
  for (const { level, message, fields } of notices) logger[level](message, fields);
  const fatal = (error: unknown) => {
    const why = error instanceof RemovedFromCluster ? error.message : "it can no longer keep its promises";
    logger.fatal(`the server stops: ${why}`, { ...whatToDo(error), error });
    logger.flush();
    process.exit(1);
  };
  process.on("uncaughtException", fatal);
  process.on("unhandledRejection", fatal);
  try {
    await startFailpoints(process.env, logger);
    const { startServer } = await import("./compose.ts");
    const server = await startServer(config, logger, fatal);
    for (const signal of ["SIGTERM", "SIGINT"] as const) onSignal(signal, () => void stop(server, logger, signal));
    if (process.env["KVORUM_START"] === "person") welcome(config, server);
  } catch (error) {
    const expected = [WorldError, BootstrapError, DataExpected].some((kind) => error instanceof kind);
    logger.fatal("the server could not be started", {
      ...whatToDo(error),
      error: expected ? (error as Error).message : error,
    });
    logger.flush();
    process.exit(error instanceof DataExpected ? EXIT_NO_DATA : 1);
  }
}

function openLog(...[level, format, outputs]: [SystemLevel, "json" | "console", readonly string[]]): SystemLogger {
  try {
    return SystemLogger.open({ level, format, outputs }, CALLER);
  } catch (error) {
    bareLogger().fatal("the log could not be opened", { error });
    return process.exit(1);
  }
}

function whatToDo(error: unknown): LogFields {
  const advice = adviceFor(error);
  return advice === undefined ? {} : { "what-to-do": advice };
}

type SystemLevel = Parameters<typeof SystemLogger.open>[0]["level"];

let stopping = false;

/** A second signal while this is under way changes nothing: the folder must be left whole. */
async function stop(server: RunningServer, logger: SystemLogger, signal: Signal): Promise<void> {
  if (stopping) return;
  stopping = true;
  logger.info("received signal; shutting down", { signal: signal === "SIGINT" ? "interrupt" : "terminated" });
  try {
    await server.stop();
  } catch (error) {
    logger.error("the server did not stop cleanly", { error });
  }
  logger.info("closed etcd server");
  logger.flush();
  if (process.pid === 1) process.exit(0); // the kernel passes no default action on to process 1
  resign(signal);
}

await main();
