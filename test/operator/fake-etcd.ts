/**
 * Etcd clusters in memory, as their members' disks, processes and addresses: the twin of `grpc-etcd-admin.ts`, and what
 * a Pod of a fake Kubernetes runs. It knows who is a member of what, who votes, who leads and who refuses what; it
 * stores no keys.
 */
import { createHash } from "node:crypto";
import {
  type Endpoint,
  type EtcdAdmin,
  type EtcdMember,
  EtcdRefusal,
  type LoadedFingerprints,
  type MemberAlarm,
  type MemberList,
  type MemberStatus,
  type RefusalKind,
} from "../../operator/etcd/etcd-admin.ts";

/** What a member is started with, as its flags say. */
export interface Start {
  /** Where it will answer clients: "10.0.0.1". */
  readonly host: string;
  readonly name: string;
  readonly peerUrl: string;
  readonly initialCluster: ReadonlyMap<string, string>;
  readonly state: "new" | "existing";
  readonly token: string;
  readonly expectsData: boolean;
  /** Which disk it finds; the same text is the same disk. */
  readonly disk: string;
  readonly version?: string;
}

/** How a start went: it runs, or it ended with this exit code. */
export type Started =
  | { readonly isRunning: true; readonly memberId: string }
  | { readonly isRunning: false; readonly exitCode: number; readonly text: string };

interface Member {
  readonly id: string;
  name: string;
  readonly peerUrl: string;
  clientUrl: string;
  isLearner: boolean;
  /** When it had all entries; nothing before it has started. */
  caughtUpAt: number | undefined;
}

interface Cluster {
  readonly id: string;
  readonly members: Map<string, Member>;
  readonly removed: Set<string>;
  readonly alarms: { readonly memberId: string; readonly alarm: "NOSPACE" | "CORRUPT" }[];
  leaderId: string;
  term: number;
  index: number;
}

interface Process {
  readonly host: string;
  readonly clusterId: string;
  readonly memberId: string;
  readonly version: string;
  /** Cut off: nobody gets an answer. */
  isSilent: boolean;
}

export interface FakeEtcdOptions {
  now(): number;
  /** How long a new member takes to have everything. */
  readonly catchUpMs?: number;
  /** Entries that clients have added to each log by now. */
  readonly written?: () => number;
  /** Called before each call; may throw, or change the world. */
  readonly before?: (call: string) => void | Promise<void>;
}

export class FakeEtcd implements EtcdAdmin {
  readonly #options: FakeEtcdOptions;
  readonly #clusters = new Map<string, Cluster>();
  readonly #disks = new Map<string, { readonly clusterId: string; readonly memberId: string }>();
  readonly #processes = new Map<string, Process>();
  /** Calls that changed something, in order: for tests that count. */
  readonly changes: string[] = [];
  /** Clusters that were begun, by token: more than one each is what must never be. */
  readonly births: string[] = [];

  constructor(options: FakeEtcdOptions) {
    this.#options = options;
  }

  // What Pods do.

  start(start: Start): Started {
    const kept = this.#disks.get(start.disk);
    if (kept !== undefined) return this.#restart(start, kept);
    if (start.expectsData) return ended(78, "the data directory is empty");
    return start.state === "new" ? this.#begin(start) : this.#join(start);
  }

  /** The process at this address ends; its disk stays. */
  stop(host: string): void {
    this.#processes.delete(host);
    this.#elect();
  }

  /** Nobody gets an answer from there, or does again. */
  silence(host: string, isSilent: boolean): void {
    const process = this.#processes.get(host);
    if (process !== undefined) process.isSilent = isSilent;
    this.#elect();
  }

  /** The disk is lost. */
  wipe(disk: string): void {
    this.#disks.delete(disk);
  }

  raise(memberId: string, alarm: "NOSPACE" | "CORRUPT"): void {
    for (const cluster of this.#clusters.values())
      if (cluster.members.has(memberId)) cluster.alarms.push({ memberId, alarm });
  }

  isRunning(host: string): boolean {
    return this.#processes.has(host);
  }

  /** Whether a member at this address would say that it is ready: it serves and knows a leader, and is no learner. */
  isReady(host: string): boolean {
    const process = this.#processes.get(host);
    if (process === undefined || process.isSilent) return false;
    const cluster = this.#clusters.get(process.clusterId) as Cluster;
    return cluster.leaderId !== "" && cluster.members.get(process.memberId)?.isLearner === false;
  }

  /** Ids of the clusters that have a running member. */
  get clusterIds(): readonly string[] {
    return [...new Set([...this.#processes.values()].map(({ clusterId }) => clusterId))];
  }

  voters(clusterId: string): number {
    return votersOf(this.#clusters.get(clusterId) as Cluster).length;
  }

  // What the operator asks.

  async members(endpoint: Endpoint, timeoutMs: number, isSerializable = false): Promise<MemberList> {
    const { process, cluster } = await this.#at(endpoint, "members", timeoutMs, isSerializable ? "any" : "voter");
    if (!isSerializable) needsLeader(cluster);
    return { clusterId: cluster.id, memberId: process.memberId, members: [...cluster.members.values()].map(shown) };
  }

  async status(endpoint: Endpoint, timeoutMs: number): Promise<MemberStatus> {
    const { process, cluster } = await this.#at(endpoint, "status", timeoutMs, "any");
    const member = cluster.members.get(process.memberId) as Member;
    const index = cluster.index + (this.#options.written?.() ?? 0);
    return {
      clusterId: cluster.id,
      memberId: process.memberId,
      version: process.version,
      storageVersion: "3.7.0",
      leaderId: cluster.leaderId,
      isLearner: member.isLearner,
      raftTerm: cluster.term,
      raftIndex: index,
      appliedIndex: this.#isCaughtUp(member) ? index : 0,
      dbSize: 65_536,
      dbSizeInUse: 32_768,
      errors: cluster.leaderId === "" ? ["etcdserver: no leader"] : [],
    };
  }

  async alarms(endpoint: Endpoint, timeoutMs: number): Promise<readonly MemberAlarm[]> {
    const { cluster } = await this.#at(endpoint, "alarms", timeoutMs, "voter");
    needsLeader(cluster);
    return [...cluster.alarms];
  }

  async probe(endpoint: Endpoint, timeoutMs: number): Promise<void> {
    const { cluster } = await this.#at(endpoint, "probe", timeoutMs, "voter");
    needsLeader(cluster);
  }

  async addLearner(endpoint: Endpoint, peerUrl: string, timeoutMs: number): Promise<EtcdMember> {
    const { cluster } = await this.#at(endpoint, "addLearner", timeoutMs, "voter");
    needsLeader(cluster);
    const members = [...cluster.members.values()];
    if (members.some((member) => member.peerUrl === peerUrl))
      refuse("already-there", "etcdserver: Peer URLs already exists");
    if (members.some(({ isLearner }) => isLearner))
      refuse("too-many-learners", "etcdserver: too many learner members in cluster");
    const id = hashed(`${peerUrl}${cluster.id}${this.#options.now()}${cluster.index}`);
    const member: Member = { id, name: "", peerUrl, clientUrl: "", isLearner: true, caughtUpAt: undefined };
    cluster.members.set(id, member);
    this.#changed(cluster, `add ${peerUrl}`);
    return shown(member);
  }

  async promote(endpoint: Endpoint, memberId: string, timeoutMs: number): Promise<void> {
    const { cluster } = await this.#at(endpoint, "promote", timeoutMs, "voter");
    needsLeader(cluster);
    const member = cluster.members.get(memberId);
    if (member === undefined) return refuse("not-found", "etcdserver: member not found");
    if (!member.isLearner) return refuse("already-there", "etcdserver: can only promote a learner member");
    if (!this.#isCaughtUp(member) || this.#runs(member.id) === undefined)
      return refuse("not-ready", "etcdserver: can only promote a learner member which is in sync with leader");
    member.isLearner = false;
    this.#changed(cluster, `promote ${member.name}`);
  }

  async remove(endpoint: Endpoint, memberId: string, timeoutMs: number): Promise<void> {
    const { cluster } = await this.#at(endpoint, "remove", timeoutMs, "voter");
    needsLeader(cluster);
    const member = cluster.members.get(memberId);
    if (member === undefined) return refuse("not-found", "etcdserver: member not found");
    const left = votersOf(cluster).filter(({ id }) => id !== memberId);
    const started = left.filter(({ id }) => this.#runs(id) !== undefined).length;
    if (!member.isLearner && started < quorum(left.length))
      return refuse("unhealthy", "etcdserver: re-configuration failed due to not enough started members");
    cluster.members.delete(memberId);
    cluster.removed.add(memberId);
    this.#changed(cluster, `remove ${member.name}`);
    const process = this.#runs(memberId);
    if (process !== undefined) this.#processes.delete(process.host);
    this.#elect();
  }

  async moveLeader(endpoint: Endpoint, targetId: string, timeoutMs: number): Promise<void> {
    const { cluster, process } = await this.#at(endpoint, "moveLeader", timeoutMs, "voter");
    needsLeader(cluster);
    if (cluster.leaderId !== process.memberId) refuse("other", "etcdserver: not leader");
    const target = cluster.members.get(targetId);
    if (target === undefined || target.isLearner) return refuse("other", "etcdserver: bad leader transferee");
    if (this.#runs(targetId) === undefined)
      return refuse("unknown", "etcdserver: request timed out, leader transfer took too long");
    cluster.leaderId = targetId;
    cluster.term++;
    this.#changed(cluster, `lead ${target.name}`);
  }

  async defragment(endpoint: Endpoint, timeoutMs: number): Promise<void> {
    const { process } = await this.#at(endpoint, "defragment", timeoutMs, "voter");
    this.changes.push(`defragment ${process.memberId}`);
  }

  async disarm(endpoint: Endpoint, memberId: string, alarm: MemberAlarm["alarm"], timeoutMs: number): Promise<void> {
    const { cluster } = await this.#at(endpoint, "disarm", timeoutMs, "voter");
    needsLeader(cluster);
    const at = cluster.alarms.findIndex((raised) => raised.memberId === memberId && raised.alarm === alarm);
    if (at < 0) return;
    cluster.alarms.splice(at, 1);
    this.#changed(cluster, `disarm ${alarm}`);
  }

  async loadedCertificates(): Promise<LoadedFingerprints> {
    return { client: [], peer: [] };
  }

  // How it works.

  #restart(start: Start, kept: { readonly clusterId: string; readonly memberId: string }): Started {
    const cluster = this.#clusters.get(kept.clusterId) as Cluster;
    const member = cluster.members.get(kept.memberId);
    if (member === undefined) return ended(1, "the member has been removed from its cluster");
    return this.#run(start, cluster, member);
  }

  #begin(start: Start): Started {
    const ids = [...start.initialCluster].map(([, url]) => hashed(url + start.token));
    const id = hashed(`cluster${ids.join()}${this.births.length}`);
    this.births.push(start.token);
    const members = new Map(
      [...start.initialCluster].map(([name, peerUrl], index) => {
        const member: Member = {
          id: ids[index] as string,
          name,
          peerUrl,
          clientUrl: "",
          isLearner: false,
          caughtUpAt: this.#options.now(),
        };
        return [member.id, member] as const;
      }),
    );
    const cluster: Cluster = { id, members, removed: new Set(), alarms: [], leaderId: "", term: 1, index: 10 };
    this.#clusters.set(id, cluster);
    return this.#joinAs(start, cluster);
  }

  /** As etcd does it: asks the others who the members are, and wants to find itself and all it was told of. */
  #join(start: Start): Started {
    const others = [...start.initialCluster.values()].filter((url) => url !== start.peerUrl);
    const cluster = [...this.#clusters.values()].find(({ members }) =>
      [...members.values()].some(({ id, peerUrl }) => others.includes(peerUrl) && this.#runs(id) !== undefined),
    );
    if (cluster === undefined) return ended(1, "cannot fetch cluster info from peer urls");
    const listed = [...cluster.members.values()].map(({ peerUrl }) => peerUrl).sort();
    const told = [...start.initialCluster.values()].sort();
    if (listed.join() !== told.join())
      return ended(1, `member count is unequal: told ${told.join()}, listed ${listed.join()}`);
    return this.#joinAs(start, cluster);
  }

  #joinAs(start: Start, cluster: Cluster): Started {
    const member = [...cluster.members.values()].find(({ peerUrl }) => peerUrl === start.peerUrl);
    if (member === undefined) return ended(1, "not among the members");
    this.#disks.set(start.disk, { clusterId: cluster.id, memberId: member.id });
    member.caughtUpAt ??= this.#options.now() + (this.#options.catchUpMs ?? 1000);
    return this.#run(start, cluster, member);
  }

  #run(start: Start, cluster: Cluster, member: Member): Started {
    member.name = start.name;
    member.clientUrl = `http://${start.host}:2379`;
    this.#processes.set(start.host, {
      host: start.host,
      clusterId: cluster.id,
      memberId: member.id,
      version: start.version ?? "3.7.3",
      isSilent: false,
    });
    this.#elect();
    return { isRunning: true, memberId: member.id };
  }

  /** Each cluster has a leader when, and only when, a quorum of its voters runs; the one that leads goes on. */
  #elect(): void {
    for (const cluster of this.#clusters.values()) {
      const voters = votersOf(cluster);
      const alive = voters.filter(({ id }) => this.#runs(id)?.isSilent === false);
      if (alive.length < quorum(voters.length)) cluster.leaderId = "";
      else if (!alive.some(({ id }) => id === cluster.leaderId)) {
        cluster.leaderId = (alive[0] as Member).id;
        cluster.term++;
        cluster.index++;
      }
    }
  }

  #runs(memberId: string): Process | undefined {
    return [...this.#processes.values()].find((process) => process.memberId === memberId);
  }

  #isCaughtUp({ caughtUpAt }: Member): boolean {
    return caughtUpAt !== undefined && caughtUpAt <= this.#options.now();
  }

  #changed(cluster: Cluster, what: string): void {
    cluster.index++;
    this.changes.push(what);
  }

  async #at(
    { url }: Endpoint,
    call: string,
    timeoutMs: number,
    who: "any" | "voter",
  ): Promise<{ process: Process; cluster: Cluster }> {
    await this.#options.before?.(call);
    const process = this.#processes.get(new URL(url).hostname);
    if (process === undefined || process.isSilent) return refuse("unknown", `no answer within ${timeoutMs} ms`);
    const cluster = this.#clusters.get(process.clusterId) as Cluster;
    if (who === "voter" && cluster.members.get(process.memberId)?.isLearner !== false)
      return refuse("learner", "etcdserver: rpc not supported for learner");
    return { process, cluster };
  }
}

function votersOf({ members }: Cluster): Member[] {
  return [...members.values()].filter(({ isLearner }) => !isLearner);
}

function quorum(voters: number): number {
  return Math.floor(voters / 2) + 1;
}

function needsLeader({ leaderId }: Cluster): void {
  if (leaderId === "") refuse("unknown", "etcdserver: request timed out");
}

function refuse(kind: RefusalKind, text: string): never {
  throw new EtcdRefusal(kind, text);
}

function ended(exitCode: number, text: string): Started {
  return { isRunning: false, exitCode, text };
}

function shown({ id, name, peerUrl, clientUrl, isLearner }: Member): EtcdMember {
  return { id, name, peerUrls: [peerUrl], clientUrls: clientUrl === "" ? [] : [clientUrl], isLearner };
}

/** 16 digits of lower-case hex. */
function hashed(text: string): string {
  return createHash("sha1").update(text).digest("hex").slice(0, 16);
}
