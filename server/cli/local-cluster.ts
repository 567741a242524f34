/**
 * `--members N`: a cluster of N members on this machine in one command, for trying out what a cluster does. Each is a
 * process of its own, with a folder, ports and a name of its own; this one starts them, says where they are, and ends
 * them. When one is killed the others go on, and it is told how to bring it back.
 *
 *   member 1   clients 2379    peers 2380    as etcd's own example has them
 *   member 2   clients 22379   peers 22380
 *   member 3   clients 32379   peers 32380
 */
import { type ChildProcess, spawn } from "node:child_process";
import { join } from "node:path";

const OPTION = "--members";
const MEMBERS_MAX = 6; // ports go up to 62379
const NAME = "kvorum";
/** What each member has of its own. */
const OWN_FLAGS = [
  "--name",
  "--listen-client-urls",
  "--advertise-client-urls",
  "--listen-peer-urls",
  "--initial-advertise-peer-urls",
  "--initial-cluster",
  "--initial-cluster-state",
  "--data-dir",
  "--wal-dir",
];
const DEFAULT_FOLDER = "kvorum-cluster";
const REMEDY = "End this command and start it again to bring it back";

export interface LocalCluster {
  readonly members: number;
  readonly folder: string;
  /** For every member. */
  readonly flags: readonly string[];
}

/** What a command line with `--members` asks for; undefined: it has none. Throws an Error with a sentence for the person. */
export function readLocalCluster(argv: readonly string[]): LocalCluster | undefined {
  const rest = [...argv];
  const members = take(rest, OPTION);
  if (members === undefined) return undefined;
  if (!/^\d+$/.test(members) || Number(members) < 1 || Number(members) > MEMBERS_MAX)
    throw new Error(`--members is "${members}": it must be a number from 1 to ${MEMBERS_MAX}, and 3 or 5 make sense`);
  const folder = take(rest, "--data-dir") ?? DEFAULT_FOLDER;
  const own = rest.find((word) => OWN_FLAGS.includes(word.split("=")[0] as string));
  if (own !== undefined) throw new Error(`${own} does not go with --members: each member has one of its own`);
  return { members: Number(members), folder, flags: rest };
}

/** Removes an option with its value, given as one word or two. */
function take(words: string[], option: string): string | undefined {
  const at = words.findIndex((word) => word === option || word.startsWith(`${option}=`));
  if (at < 0) return undefined;
  const [word = "", next] = words.slice(at, at + 2);
  const isOne = word !== option;
  words.splice(at, isOne ? 1 : 2);
  return isOne ? word.slice(option.length + 1) : (next ?? "");
}

/** Runs the cluster until a signal ends it, or all members have ended; answers the exit code. */
export async function runLocalCluster({ members, folder, flags }: LocalCluster, program: string): Promise<number> {
  const places = Array.from({ length: members }, (_, at) => placeOf(at));
  const initialCluster = places.map(({ name, peerUrl }) => `${name}=${peerUrl}`).join();
  const children = places.map(({ name, clientUrl, peerUrl }) => {
    const own = [
      `--name=${name}`,
      `--data-dir=${join(folder, name)}`,
      `--listen-client-urls=${clientUrl}`,
      `--advertise-client-urls=${clientUrl}`,
      `--listen-peer-urls=${peerUrl}`,
      `--initial-advertise-peer-urls=${peerUrl}`,
      `--initial-cluster=${initialCluster}`,
    ];
    return { name, child: spawn(process.execPath, [program, ...own, ...flags], { stdio: ["ignore", "pipe", "pipe"] }) };
  });
  say(`${members} members in "${folder}": ${places.map(({ name, clientUrl }) => `${name} ${clientUrl}`).join(", ")}`);
  say(`etcdctl --endpoints=${places.map(({ clientUrl }) => clientUrl.replace("http://", "")).join()} endpoint status`);
  for (const signal of ["SIGTERM", "SIGINT"] as const)
    process.on(signal, () => {
      for (const { child } of children) child.kill("SIGTERM");
    });
  const codes = await Promise.all(children.map(({ name, child }) => ended(name, child)));
  return codes.some((code) => code !== 0) ? 1 : 0;
}

function placeOf(at: number): { name: string; clientUrl: string; peerUrl: string } {
  const prefix = at === 0 ? "" : String(at + 1);
  const url = (port: number) => `http://127.0.0.1:${prefix}${port}`;
  return { name: `${NAME}${at + 1}`, clientUrl: url(2379), peerUrl: url(2380) };
}

/** Passes on what it says, its name before each line. Resolves to its exit code; 0 when it was asked to end. */
function ended(name: string, child: ChildProcess): Promise<number> {
  for (const stream of [child.stdout, child.stderr]) {
    let rest = "";
    stream?.on("data", (bytes: Buffer) => {
      const lines = (rest + bytes.toString()).split("\n");
      rest = lines.pop() ?? "";
      for (const line of lines) process.stderr.write(`${name} | ${line}\n`);
    });
  }
  return new Promise((resolve) =>
    child.once("close", (code, signal) => {
      const isAsked = signal === "SIGTERM" || signal === "SIGINT";
      if (!isAsked) say(`${name} has ended (${signal ?? code}); the others go on while they are a majority. ${REMEDY}`);
      resolve(isAsked ? 0 : (code ?? 1));
    }),
  );
}

function say(text: string): void {
  process.stderr.write(`kvorum: ${text}\n`);
}
