/**
 * A cluster of real processes to which anything may happen: every way between two members leads through a gate, each
 * member has a clock and a disk that can be made to go wrong, and whoever ends without having been told to is reported.
 */
import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import type { Prng } from "../../../server/base/prng.ts";
import { type ClusterMember, ClusterProcess, type MemberSpec } from "../../support/cluster-process.ts";
import { projectFolder } from "../../support/project.ts";
import { findTool } from "../../support/tools.ts";
import { PowerDisk, powerDiskMissing } from "../power-disk.ts";
import { Links, type Way } from "./links.ts";

const MEMBER_WORLD = fileURLToPath(new URL("member-world.js", import.meta.url));
const FAILING_DISK = join(projectFolder, "test", "robustness", "failing-disk.c");
/** Room for the logs of five members, their spare files and their stores; it takes what is written to it alone. */
const DISK_MEGABYTES = 4096;
/** Compared all the time by the members themselves too; much is snapshot, compacted and committed in a short time. */
const FLAGS = [
  "--snapshot-count=300",
  "--snapshot-catchup-entries=60",
  "--backend-batch-interval=20ms",
  "--compaction-batch-limit=50",
  "--watch-progress-notify-interval=1s",
  "--feature-gates=InitialCorruptCheck=true,CompactHashCheck=true",
];
/** A member needs no more here, and so begins in its first thread. */
const HEAP_MEGABYTES = 512;
const STATUS_MS = 400;
const LAUNCHES_MAX = 20;
/** Until a member serves: on a busy machine a process may wait long for its turn. */
const READY_MS = 120_000;
const AGAIN_MS = 200;
/** Of each member, over all its lives. */
const LOG_KEPT_CHARS = 2_000_000;

/** What this machine has not, and what cannot be done without it. */
export interface Lacks {
  /** Of slow and full disks. */
  readonly compiler: string | undefined;
  /** Of power cuts. */
  readonly power: string | undefined;
}

export function lacks(): Lacks {
  return {
    compiler: findTool("gcc") === undefined ? "slow and full disks need gcc" : undefined,
    power: powerDiskMissing(),
  };
}

/** What is set wrong in one member; two faults at once may each have set something. */
interface Wrongs {
  readonly clockFile: string;
  readonly diskFile: string;
  wallMs: number;
  rate: number;
  /** Lines of the disk's file, see failing-disk.c. */
  readonly disk: string[];
}

export class Field {
  readonly random: Prng;
  readonly links = new Links();
  readonly members: ClusterMember[];
  /** Whoever ended by itself, with what it said last. */
  readonly died: string[] = [];
  /** What members said in the lives that are over. */
  readonly pastLogs = new Map<string, string>();
  /** Members that a fault has to itself. */
  readonly taken = new Set<ClusterMember>();
  /** The disk whose power can be cut; undefined where that cannot be done. */
  readonly power: PowerDisk | undefined;
  readonly #folder: string;
  readonly #library: string | undefined;
  readonly #command: readonly string[] | undefined;
  readonly #wrongs = new Map<string, Wrongs>();
  /** Those that may end now. */
  readonly #mayEnd = new Set<ClusterMember>();
  #cluster: ClusterProcess | undefined;
  #made = 0;

  private constructor(random: Prng, command: readonly string[] | undefined, { compiler, power }: Lacks) {
    this.random = random;
    this.#command = command;
    this.members = [];
    this.#folder = mkdtempSync(join(tmpdir(), "kvorum-field-"));
    this.power = power === undefined ? new PowerDisk(DISK_MEGABYTES) : undefined;
    this.#library = compiler === undefined ? this.#build() : undefined;
  }

  /** A new cluster; `command` starts another program than ours as built. */
  static async start(options: {
    size: number;
    random: Prng;
    lacks: Lacks;
    command?: readonly string[] | undefined;
  }): Promise<Field> {
    const field = new Field(options.random, options.command, options.lacks);
    try {
      const specs: MemberSpec[] = [];
      for (let at = 0; at < options.size; at++) specs.push(await field.#spec());
      field.#cluster = await ClusterProcess.start(specs, FLAGS);
    } catch (error) {
      await field.remove();
      throw error;
    }
    for (const member of field.cluster.members) field.#watch(member);
    return field;
  }

  get cluster(): ClusterProcess {
    if (this.#cluster === undefined) throw new Error("the cluster has not been started yet");
    return this.#cluster;
  }

  /** Of members that run, stopped ones too. */
  endpoints(): string[] {
    const running = this.cluster.members.filter(({ server }) => server.isRunning);
    return (running.length > 0 ? running : this.cluster.members).map(({ server }) => server.url);
  }

  /** Who leads, as somebody says who can be asked; undefined: nobody says so at once. */
  async leader(): Promise<ClusterMember | undefined> {
    const told = await Promise.all(
      this.cluster.members.map(async (member) => {
        const late = sleep(STATUS_MS, undefined, { ref: false });
        const status = await Promise.race([member.status().catch(() => undefined), late]);
        return status !== undefined && status.id === status.leader ? member : undefined;
      }),
    );
    return told.find((member) => member !== undefined);
  }

  /** Takes a member for a fault: by chance the leader, as long as it is free; undefined: none is. */
  async take(leaderShare: number): Promise<ClusterMember | undefined> {
    const wantsLeader = this.random.chance(leaderShare);
    const leader = wantsLeader ? await this.leader() : undefined;
    const free = this.cluster.members.filter((member) => !this.taken.has(member) && member.server.isRunning);
    if (free.length === 0) return undefined;
    const chosen = leader !== undefined && free.includes(leader) ? leader : this.random.pick(free);
    this.taken.add(chosen);
    return chosen;
  }

  /** Every way between the members, for a cut. */
  ways(isCut: (from: number, to: number) => boolean, order = this.cluster.members): Way[] {
    return order.flatMap(({ name: from }, at) =>
      order.flatMap(({ name: to }, to_) => (at !== to_ && isCut(at, to_) ? [{ from, to }] : [])),
    );
  }

  /** Resolves when it has ended, to how. */
  stop(member: ClusterMember, signal: NodeJS.Signals): Promise<{ signal: NodeJS.Signals | null }> {
    this.#mayEnd.add(member);
    return member.server.stop(signal);
  }

  /** It may end by itself from here on, until it is launched again. */
  mayEnd(member: ClusterMember): void {
    this.#mayEnd.add(member);
  }

  /** Starts it again; resolves when it serves. A port that somebody else had for a moment is waited for. */
  async launch(member: ClusterMember): Promise<void> {
    for (let launches = 1; ; launches++) {
      try {
        await member.server.launch();
        this.#mayEnd.delete(member);
        this.#watch(member);
        return;
      } catch (error) {
        if (launches === LAUNCHES_MAX || !/EADDRINUSE|address already in use/.test(member.server.log)) throw error;
        await sleep(AGAIN_MS);
      }
    }
  }

  /** A new member with an empty disk, which learns first. */
  async join(): Promise<ClusterMember> {
    const joined = await this.cluster.join(await this.#spec(), true);
    this.#watch(joined);
    return joined;
  }

  /** Sets a member's wall clock wrong by `wallMs`, or how fast its time runs; the other stays as it is. */
  setClock({ name }: ClusterMember, clock: { readonly wallMs: number } | { readonly rate: number }): void {
    const wrongs = Object.assign(this.#wrongsOf(name), clock);
    replaceFile(wrongs.clockFile, JSON.stringify({ wallMs: wrongs.wallMs, rate: wrongs.rate }));
  }

  /** Every sync takes so much longer, until what is answered is called. */
  slowDisk(member: ClusterMember, delayMs: number): () => void {
    return this.#breakDisk(member, `sync 0 ${delayMs}`);
  }

  /** Nothing can be written any more, until what is answered is called. */
  fillDisk(member: ClusterMember): () => void {
    return this.#breakDisk(member, "write 28 0");
  }

  /** Starts whoever is down. */
  async heal(): Promise<void> {
    for (const member of this.cluster.members) if (!member.server.isRunning) await this.launch(member);
  }

  async remove(): Promise<void> {
    for (const member of this.#cluster?.members ?? []) this.#mayEnd.add(member);
    await this.#cluster?.remove();
    this.links.close();
    this.power?.remove();
    rmSync(this.#folder, { recursive: true, force: true });
  }

  async #spec(): Promise<MemberSpec> {
    const number = this.#made++;
    const name = `m${number}`;
    const address = `127.0.77.${number + 1}`;
    const gate = await this.links.open(name, address);
    const clockFile = join(this.#folder, `${name}.clock`);
    const diskFile = join(this.#folder, `${name}.disk`);
    const env: Record<string, string> = {
      NODE_OPTIONS: `--max-old-space-size=${HEAP_MEGABYTES} --import=${new URL(`file://${MEMBER_WORLD}`).href}`,
      WORLD_ADDRESS: address,
      WORLD_CLOCK: clockFile,
    };
    if (this.#library !== undefined)
      Object.assign(env, { LD_PRELOAD: this.#library, FAULT_TRIGGER: diskFile, FAULT_PATH: "/member/" });
    this.#wrongs.set(name, { clockFile, diskFile, wallMs: 0, rate: 1, disk: [] });
    const dataDir = this.power === undefined ? undefined : join(this.power.folder, name);
    if (dataDir !== undefined) mkdirSync(dataDir, { mode: 0o700 });
    return {
      name,
      env,
      readyMs: READY_MS,
      ...(this.#command === undefined ? {} : { command: this.#command }),
      ...(dataDir === undefined ? {} : { dataDir }),
      advertise: (port) => {
        gate.port = port;
        return gate.url;
      },
    };
  }

  #breakDisk({ name }: ClusterMember, line: string): () => void {
    const { disk, diskFile } = this.#wrongsOf(name);
    const write = () =>
      disk.length === 0 ? rmSync(diskFile, { force: true }) : replaceFile(diskFile, disk.join("\n"));
    disk.push(line);
    write();
    return () => {
      disk.splice(disk.indexOf(line), 1);
      write();
    };
  }

  #wrongsOf(name: string): Wrongs {
    const wrongs = this.#wrongs.get(name);
    if (wrongs === undefined) throw new Error(`there is no member "${name}"`);
    return wrongs;
  }

  #watch(member: ClusterMember): void {
    void member.server.exited.then(({ code, signal }) => {
      const past = `${this.pastLogs.get(member.name) ?? ""}${member.server.log}--- ended: ${code ?? signal}\n`;
      this.pastLogs.set(member.name, past.slice(-LOG_KEPT_CHARS));
      if (this.#mayEnd.has(member)) return;
      this.#mayEnd.add(member);
      this.died.push(`${member.name} ended by itself (${code ?? signal}):\n${member.server.log.slice(-3000)}`);
    });
  }

  #build(): string {
    const library = join(this.#folder, "failing-disk.so");
    execFileSync(findTool("gcc") as string, ["-shared", "-fPIC", "-O1", "-o", library, FAILING_DISK, "-ldl"]);
    return library;
  }
}

/** Nobody reads half of it. */
function replaceFile(path: string, text: string): void {
  writeFileSync(`${path}+`, text);
  renameSync(`${path}+`, path);
}
