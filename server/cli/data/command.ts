/**
 * Commands that work on files instead of serving: snapshots and data directories, with the flags of etcdutl and etcdctl.
 * Exit codes: 0; 1 when it could not be done, with the reason on standard error; 2 when the command line is wrong.
 */
import { StatusError } from "../../client/client.ts";
import { ETCD_VERSIONS, exportData } from "./export.ts";
import { type Arguments, onlyPositional, readArguments, UsageError } from "./flags.ts";
import { importData } from "./import.ts";
import { restore } from "./restore.ts";
import { save } from "./save.ts";
import { formatStatus, snapshotStatus } from "./status.ts";

const USAGE = `Usage:
  kvorum snapshot save FILE [--endpoints URL] [--cacert FILE --cert FILE --key FILE] [--user NAME[:PASSWORD] --password TEXT]
  kvorum snapshot status FILE [-w simple|json|fields|table]
  kvorum snapshot restore FILE --data-dir FOLDER [--wal-dir FOLDER] [--name NAME] [--initial-cluster NAME=URL,...]
      [--initial-cluster-token TEXT] [--initial-advertise-peer-urls URL,...] [--skip-hash-check]
      [--bump-revision N --mark-compacted]
  kvorum import ETCD-DATA-DIR --data-dir FOLDER [--wal-dir FOLDER] [--from-wal-dir FOLDER]
  kvorum export KVORUM-DATA-DIR --data-dir FOLDER [--wal-dir FOLDER] [--from-wal-dir FOLDER] [--for 3.6|3.7]

What is read is never changed; what is written appears when it is whole, or not at all.
`;

type Command = (argv: readonly string[]) => Promise<string>;

const SNAPSHOT_COMMANDS: Readonly<Record<string, Command>> = {
  save: async (argv) => {
    const given = readArguments(argv, {
      endpoints: "127.0.0.1:2379",
      cacert: "",
      cert: "",
      key: "",
      user: "",
      password: "",
    });
    const path = onlyPositional(given, "file");
    const endpoint = given.text("endpoints");
    if (endpoint.includes(","))
      throw new UsageError(`give one endpoint, not "${endpoint}": a snapshot is of one member`);
    const [user = "", ...password] = given.text("user").split(":");
    const version = await save({
      path,
      endpoint,
      caFile: given.text("cacert"),
      certFile: given.text("cert"),
      keyFile: given.text("key"),
      user,
      password: given.given("password") ? given.text("password") : password.join(":"),
    });
    return `Snapshot saved at ${path}${version === "" ? "" : `\nServer version ${version}`}`;
  },
  status: async (argv) => {
    const given = readArguments(argv, { "write-out": "simple" });
    const status = snapshotStatus(onlyPositional(given, "file"));
    const text = formatStatus(status, given.text("write-out"));
    if (text === undefined) {
      throw new UsageError(`--write-out is "${given.text("write-out")}"; it may be simple, json, fields or table`);
    }
    return text;
  },
  restore: async (argv) => {
    const given = readArguments(argv, {
      ...TARGET,
      name: "default",
      "initial-cluster": "default=http://localhost:2380",
      "initial-cluster-token": "etcd-cluster",
      "initial-advertise-peer-urls": "http://localhost:2380",
      "skip-hash-check": false,
      "bump-revision": "0",
      "mark-compacted": false,
      "initial-memory-map-size": "0", // etcdutl's; there is no map to size
    });
    const bumpRevision = given.count("bump-revision");
    if (bumpRevision > 0 !== given.flag("mark-compacted")) {
      throw new UsageError("--bump-revision above 0 and --mark-compacted go together: give both or neither");
    }
    const dataDir = given.text("data-dir") || `${given.text("name")}.etcd`;
    const { revision, records } = await restore({
      snapshot: onlyPositional(given, "file"),
      dataDir,
      walDir: given.text("wal-dir") || undefined,
      name: given.text("name"),
      initialCluster: given.text("initial-cluster"),
      initialClusterToken: given.text("initial-cluster-token"),
      peerUrls: given.text("initial-advertise-peer-urls"),
      skipHashCheck: given.flag("skip-hash-check"),
      bumpRevision,
    });
    return `Restored ${records} records at revision ${revision + bumpRevision} into ${dataDir}`;
  },
};

const TARGET = { "data-dir": "", "wal-dir": "" } as const;

const COMMANDS: Readonly<Record<string, Command>> = {
  snapshot: async ([name = "", ...argv]) => {
    const command = SNAPSHOT_COMMANDS[name];
    if (command === undefined) throw new UsageError(`there is no "snapshot ${name}"; there is save, status, restore`);
    return command(argv);
  },
  import: async (argv) => {
    const given = readArguments(argv, { ...TARGET, "from-wal-dir": "" });
    const from = onlyPositional(given, "data directory of etcd's");
    const dataDir = target(given);
    const { records, revision, storageVersion } = await importData({ from, ...folders(given), dataDir });
    return `Imported ${records} records at revision ${revision} (storage version ${storageVersion || "none"}) into ${dataDir}`;
  },
  export: async (argv) => {
    const given = readArguments(argv, { ...TARGET, "from-wal-dir": "", for: "3.7" });
    const from = onlyPositional(given, "data directory of Kvorum's");
    const version = ETCD_VERSIONS.find((known) => known === given.text("for"));
    if (version === undefined) throw new UsageError(`--for is "${given.text("for")}"; it may be 3.6 or 3.7`);
    const dataDir = target(given);
    const sizeBytes = await exportData({ from, ...folders(given), dataDir, version });
    const all =
      version === "3.6" ? "\nIts cluster's version is 3.6 now: export all members so, and start none as 3.7" : "";
    return `Exported a data directory for etcd ${version} (member/snap/db has ${sizeBytes} bytes) into ${dataDir}${all}`;
  },
};

function target(given: Arguments): string {
  const dataDir = given.text("data-dir");
  if (dataDir === "") throw new UsageError("say with --data-dir where to write");
  return dataDir;
}

function folders(given: Arguments) {
  return { fromWalDir: given.text("from-wal-dir") || undefined, walDir: given.text("wal-dir") || undefined };
}

/** Whether the first argument is one of these commands: a server's begin with "--". */
export function isDataCommand([name]: readonly string[]): boolean {
  return name !== undefined && Object.hasOwn(COMMANDS, name);
}

/** Runs the command and answers the exit code. */
export async function runDataCommand([name = "", ...argv]: readonly string[]): Promise<number> {
  if (argv.includes("--help") || argv.includes("-h")) {
    process.stdout.write(USAGE);
    return 0;
  }
  try {
    process.stdout.write(`${await (COMMANDS[name] as Command)(argv)}\n`);
    return 0;
  } catch (error) {
    if (error instanceof UsageError) {
      process.stderr.write(`Error: ${error.message}\n\n${USAGE}`);
      return 2;
    }
    const told = error instanceof StatusError ? error.message : error instanceof Error ? error.message : String(error);
    process.stderr.write(`Error: ${told}\n`);
    return 1;
  }
}
