/**
 * The members of etcd as far as an operator can hurt them: raft with a tick of one second and without messages. A leader
 * writes to all whom it reaches, what a majority of voters holds is acknowledged, a change of members is an entry like any
 * other. Disks outlive processes and can be lost; a process that begins on an empty disk under an old id has truly
 * forgotten. Refusals are those of etcd under --strict-reconfig-check.
 */

import type { RefusalKind } from "../../../operator/etcd/etcd-admin.ts";
import type { Prng } from "../../../server/base/prng.ts";
import type { Files } from "./certificates.ts";
import {
  agreedIndex,
  append,
  emptyLog,
  type GameMember,
  isUpToDate,
  type Membership,
  membershipAt,
  membershipOf,
  ownLog,
  quorumOf,
  type RaftLog,
  termAt,
} from "./raft-log.ts";

/** Entries that clients write a second. */
const WRITES_A_SECOND = 40;
/** A leader counts a peer as connected after so long. */
const CONNECTED_MS = 5000;
/** Of the leader's log, for a promotion. */
const READY_SHARE = 0.9;
export const EXIT_DATA_LOST = 78;
/** Entries a second that a member takes in which begins on an empty disk, until it has caught up. */
const SNAPSHOT_PACE = [2000, 10_000, Number.POSITIVE_INFINITY] as const;
/** Bytes of a database: a fresh one, and where a member is out of space. */
const FRESH_BYTES = 1 << 20;
export const QUOTA_BYTES = 2 ** 31;

/** What lies in a data directory. */
export interface Disk {
  readonly memberId: string;
  readonly clusterId: string;
  log: RaftLog;
  commit: number;
  term: number;
  /** Of the program that ran on it last. */
  version: string;
  membership: Membership;
  membershipIndex: number;
  /** Bytes of the database file; what is in use is always little. */
  dbSize: number;
}

/** Where a process finds its disk. */
export interface Volume {
  disk: Disk | undefined;
  /** Grows by one whenever its content was lost: by whose hand is told apart by who calls. */
  losses: number;
}

export interface StartFlags {
  readonly name: string;
  readonly isNew: boolean;
  readonly expectsData: boolean;
  readonly token: string;
  /** Peer URLs of `--initial-cluster`, by name. */
  readonly initialCluster: ReadonlyMap<string, string>;
  readonly version: string;
}

/** One process. It is dropped when it ends. */
export interface Server {
  readonly name: string;
  readonly flags: StartFlags;
  readonly volume: Volume;
  disk: Disk;
  readonly startedAt: number;
  isFrozen: boolean;
  /** Cut off from the other members. */
  isIsolated: boolean;
  /** Never gets so far as to serve. */
  isMute: boolean;
  leader: Server | undefined;
  leaderlessSince: number;
  /** Entries a second that it takes in; a snapshot counts as entries. */
  catchUp: number;
  /** Certificates that it has read. */
  loaded: Files | undefined;
  /** Began on an empty disk and has not caught up yet. */
  isJoining: boolean;
  /** Is defragmented and answers nobody until then. */
  busyUntil: number;
  /** Since when the present leader reaches it. */
  connectedSince: number | undefined;
  exit: { readonly code: number; readonly why: string } | undefined;
}

/** What another cluster, of one member, has left on a disk. */
export function foreignDisk(version: string): Disk {
  const memberId = idOf("stranger");
  const membership = membershipOf([
    { id: memberId, name: "stranger", peerUrl: "http://stranger:2380", isLearner: false },
  ]);
  const log = emptyLog();
  append(log, 1, 1, membership);
  const clusterId = idOf("elsewhere");
  return { memberId, clusterId, log, commit: 1, term: 1, version, membership, membershipIndex: 1, dbSize: FRESH_BYTES };
}

export interface Alarm {
  readonly memberId: string;
  readonly alarm: "CORRUPT" | "NOSPACE";
}

export class Refused extends Error {
  readonly kind: RefusalKind;

  constructor(kind: RefusalKind, text: string) {
    super(text);
    this.kind = kind;
  }
}

export interface Beginning {
  readonly at: number;
  readonly name: string;
  readonly clusterId: string;
}

export class Etcd {
  readonly #chance: Prng;
  /** By member name: two processes of a name cannot run at once. */
  readonly servers = new Map<string, Server>();
  readonly alarms: Alarm[] = [];
  /** Every time that a member began a cluster of its own on an empty disk. */
  readonly beginnings: Beginning[] = [];
  /** Voters that began on an empty disk under an id which had held data: they have forgotten what they voted for. */
  readonly forgetful: string[] = [];
  /** Ids of members that have published their names. */
  readonly published = new Set<string>();
  /** The newest membership that was committed, and where. */
  committed: { index: number; membership: Membership } = { index: 0, membership: membershipOf([]) };
  /** The newest entry that a client was told of. */
  acknowledged = { index: 0, term: 0 };
  /** Said when a leader comes that lacks what was acknowledged. */
  lost: string | undefined;
  leader: Server | undefined;
  #term = 0;
  #now = 0;
  readonly #meet: (one: Server, other: Server) => boolean;

  /** `meet`: whether two members that reach each other take each other's certificates. */
  constructor(chance: Prng, meet: (one: Server, other: Server) => boolean = () => true) {
    this.#chance = chance;
    this.#meet = meet;
  }

  /** Starts a process, or says how it ended before it served. */
  start(flags: StartFlags, volume: Volume, now: number): Server | { readonly code: number; readonly why: string } {
    this.#now = now;
    const isJoining = volume.disk === undefined && !flags.isNew;
    const disk = volume.disk ?? this.#newDisk(flags, now);
    if ("code" in disk) return disk;
    volume.disk = disk;
    const server: Server = {
      name: flags.name,
      flags,
      volume,
      disk,
      startedAt: now,
      isFrozen: false,
      isIsolated: false,
      isMute: false,
      leader: undefined,
      leaderlessSince: now,
      catchUp: isJoining ? this.#chance.pick(SNAPSHOT_PACE) : Number.POSITIVE_INFINITY,
      loaded: undefined,
      isJoining,
      busyUntil: 0,
      connectedSince: undefined,
      exit: undefined,
    };
    this.servers.set(flags.name, server);
    return server;
  }

  stop(server: Server): void {
    if (this.servers.get(server.name) === server) this.servers.delete(server.name);
    if (this.leader === server) this.leader = undefined;
    server.leader = undefined;
    server.exit ??= { code: 0, why: "Completed" };
  }

  isAlive(server: Server): boolean {
    if (server.isFrozen || server.isMute || server.exit !== undefined || server.busyUntil > this.#now) return false;
    return this.servers.get(server.name) === server;
  }

  reaches(a: Server, b: Server): boolean {
    if (a === b) return true;
    return this.isAlive(a) && this.isAlive(b) && !a.isIsolated && !b.isIsolated && this.#meet(a, b);
  }

  /** The leader whom this member follows and who can decide. */
  leaderOf(server: Server): Server | undefined {
    const { leader } = server;
    if (leader === undefined || leader.leader !== leader) return undefined;
    return this.isAlive(leader) && this.reaches(server, leader) ? leader : undefined;
  }

  /** A linearizable read through this member. */
  canRead(server: Server): boolean {
    const leader = this.leaderOf(server);
    return leader !== undefined && !this.isLearner(server) && this.#hasMajority(leader);
  }

  isLearner(server: Server): boolean {
    return memberById(server.disk.membership, server.disk.memberId)?.isLearner ?? false;
  }

  /** The process of a member, if it runs. */
  serverOf(memberId: string): Server | undefined {
    for (const server of this.servers.values()) if (server.disk.memberId === memberId) return server;
    return undefined;
  }

  tick(now: number, seconds: number): void {
    this.#now = now;
    this.#raiseAlarms();
    for (const server of this.servers.values()) this.#lookForLeader(server, now);
    for (const server of [...this.servers.values()]) {
      if (server.leader === server && this.isAlive(server)) this.#lead(server, seconds);
    }
  }

  // What an operator asks. `via` is the member that is called.

  add(via: Server, peerUrl: string): GameMember {
    const leader = this.#leaderFor(via);
    const { members, voters } = leader.disk.membership;
    const connected = voters.filter((id) => this.#isConnected(leader, id)).length;
    if (voters.length > 1 && connected < quorumOf(voters.length + 1)) throw refused("unhealthy");
    if (members.some((one) => one.peerUrl === peerUrl)) throw refused("already-there");
    if (members.some(({ isLearner }) => isLearner)) throw refused("too-many-learners");
    const added = { id: this.#newId(), name: "", peerUrl, isLearner: true };
    this.#change(leader, [...members, added]);
    return added;
  }

  promote(via: Server, id: string): void {
    const leader = this.#leaderFor(via);
    const { members, voters } = leader.disk.membership;
    const member = members.find((one) => one.id === id);
    if (member === undefined) throw refused("not-found");
    if (!member.isLearner) throw refused("already-there");
    const server = this.serverOf(id);
    const match = server === undefined || !this.reaches(leader, server) ? 0 : server.disk.log.last;
    if (match < leader.disk.log.last * READY_SHARE) throw refused("not-ready");
    const started = voters.filter((one) => this.published.has(one)).length + 1;
    if (started < quorumOf(voters.length + 1)) throw refused("unhealthy");
    this.#change(
      leader,
      members.map((one) => (one.id === id ? { ...one, isLearner: false } : one)),
    );
  }

  remove(via: Server, id: string): void {
    const leader = this.#leaderFor(via);
    const { members, voters } = leader.disk.membership;
    const member = members.find((one) => one.id === id);
    if (member === undefined) throw refused("not-found");
    if (!member.isLearner) {
      const rest = voters.filter((one) => one !== id);
      if (rest.filter((one) => this.published.has(one)).length < quorumOf(rest.length)) throw refused("unhealthy");
      const server = this.serverOf(id);
      const isDown = server === undefined || !this.reaches(leader, server);
      const connected = voters.filter((one) => this.#isConnected(leader, one)).length;
      if (!isDown && connected - 1 < quorumOf(rest.length)) throw refused("unhealthy");
    }
    this.#change(
      leader,
      members.filter((one) => one.id !== id),
    );
  }

  moveLeader(via: Server, id: string): void {
    const leader = this.#leaderFor(via);
    if (leader !== via) throw refused("other");
    const target = this.serverOf(id);
    if (target === undefined || !leader.disk.membership.voters.includes(id)) throw refused("other");
    if (!this.reaches(leader, target) || target.disk.log.last < leader.disk.log.last) throw refused("unknown");
    this.#becomeLeader(target);
    leader.leader = target;
  }

  disarm(via: Server, memberId: string, alarm: string): void {
    this.#leaderFor(via);
    const at = this.alarms.findIndex((one) => one.memberId === memberId && one.alarm === alarm);
    if (at >= 0) this.alarms.splice(at, 1);
  }

  /** Gives space back, and holds everything else up meanwhile. */
  defragment(via: Server): void {
    if (!this.isAlive(via)) throw refused("unknown");
    via.disk.dbSize = FRESH_BYTES;
    via.busyUntil = this.#now + 1000 + this.#chance.below(2000);
  }

  // Inside.

  /** A member that is out of space says so, again and again while it is. */
  #raiseAlarms(): void {
    for (const server of this.servers.values()) {
      if (server.disk.dbSize < QUOTA_BYTES || this.leaderOf(server) === undefined) continue;
      const { memberId } = server.disk;
      if (!this.alarms.some((one) => one.memberId === memberId && one.alarm === "NOSPACE"))
        this.alarms.push({ memberId, alarm: "NOSPACE" });
    }
  }

  #newDisk(flags: StartFlags, now: number): Disk | { readonly code: number; readonly why: string } {
    if (flags.expectsData) return { code: EXIT_DATA_LOST, why: "the data directory is empty" };
    return flags.isNew ? this.#beginCluster(flags, now) : this.#joinCluster(flags);
  }

  /** Ids follow from URLs and token, as etcd's do: the same seed begun twice has the same ids. */
  #beginCluster(flags: StartFlags, now: number): Disk | { readonly code: number; readonly why: string } {
    const members = [...flags.initialCluster].map(([name, peerUrl]) => ({
      id: idOf(`${peerUrl} ${flags.token}`),
      name,
      peerUrl,
      isLearner: false,
    }));
    const self = members.find(({ name }) => name === flags.name);
    if (self === undefined) return { code: 1, why: "--initial-cluster does not name this member" };
    const clusterId = idOf(members.map(({ id }) => id).join());
    this.beginnings.push({ at: now, name: flags.name, clusterId });
    const membership = membershipOf(members);
    const log = emptyLog();
    append(log, ++this.#term, 1, membership);
    if (this.beginnings.length === 1) this.committed = { index: 1, membership };
    return {
      memberId: self.id,
      clusterId,
      log,
      commit: 1,
      term: this.#term,
      version: flags.version,
      membership,
      membershipIndex: 1,
      dbSize: FRESH_BYTES,
    };
  }

  #joinCluster(flags: StartFlags): Disk | { readonly code: number; readonly why: string } {
    const peer = [...this.servers.values()].find(
      (one) => one.name !== flags.name && flags.initialCluster.has(one.name) && this.isAlive(one) && !one.isIsolated,
    );
    if (peer === undefined) return { code: 1, why: "no other member that --initial-cluster names answers" };
    const { members } = peer.disk.membership;
    const urls = [...flags.initialCluster.values()];
    const self = members.find(({ peerUrl }) => peerUrl === flags.initialCluster.get(flags.name));
    if (self === undefined || members.length !== urls.length || members.some((one) => !urls.includes(one.peerUrl))) {
      return { code: 1, why: `--initial-cluster names ${urls.length} members, the cluster has ${members.length}` };
    }
    if (this.published.has(self.id) && !self.isLearner) this.forgetful.push(flags.name);
    return {
      memberId: self.id,
      clusterId: peer.disk.clusterId,
      log: emptyLog(),
      commit: 0,
      term: 0,
      version: flags.version,
      membership: membershipOf([]),
      membershipIndex: 0,
      dbSize: FRESH_BYTES,
    };
  }

  #lookForLeader(server: Server, now: number): void {
    if (!this.isAlive(server)) return;
    if (server.leader === server) {
      if (!this.#hasMajority(server)) this.#stepDown(server, now);
      return;
    }
    if (this.leaderOf(server) !== undefined) {
      server.leaderlessSince = now;
      return;
    }
    server.leader = undefined;
    if (now - server.leaderlessSince < 1000 + this.#chance.below(2000)) return;
    if (server.disk.membership.voters.includes(server.disk.memberId)) this.#standForElection(server);
  }

  #stepDown(server: Server, now: number): void {
    server.leader = undefined;
    server.leaderlessSince = now;
    if (this.leader === server) this.leader = undefined;
  }

  #standForElection(server: Server): void {
    const { voters } = server.disk.membership;
    let votes = 0;
    for (const id of voters) {
      const voter = this.serverOf(id);
      if (voter === undefined || voter.disk.clusterId !== server.disk.clusterId) continue;
      if (!this.reaches(server, voter) || (voter !== server && this.leaderOf(voter) !== undefined)) continue;
      if (isUpToDate(server.disk.log, voter.disk.log)) votes++;
    }
    if (votes >= quorumOf(voters.length)) this.#becomeLeader(server);
  }

  #becomeLeader(server: Server): void {
    const { disk } = server;
    disk.term = ++this.#term;
    disk.log = ownLog(disk.log);
    if (this.#isOfFirst(server)) this.#checkAcknowledged(server);
    append(disk.log, disk.term, 1);
    server.leader = server;
    if (!this.#isOfFirst(server)) return;
    for (const other of this.servers.values()) other.connectedSince = undefined;
    this.leader = server;
  }

  /** A second cluster of the same ids is a crime of its own; it does not make the first one's clients lose anything. */
  #isOfFirst(server: Server): boolean {
    return this.beginnings[0]?.clusterId === server.disk.clusterId;
  }

  #checkAcknowledged(server: Server): void {
    const { index, term } = this.acknowledged;
    if (index === 0 || termAt(server.disk.log, index) === term) return;
    this.lost ??= `${server.name} leads with a log up to ${server.disk.log.last}, entry ${index} was acknowledged`;
  }

  #hasMajority(leader: Server): boolean {
    const { voters } = leader.disk.membership;
    let reached = 0;
    for (const id of voters) {
      const voter = this.serverOf(id);
      if (voter !== undefined && voter.disk.clusterId === leader.disk.clusterId && this.reaches(leader, voter))
        reached++;
    }
    return reached >= quorumOf(voters.length);
  }

  #lead(leader: Server, seconds: number): void {
    // Any alarm refuses all clients.
    if (this.alarms.length === 0) {
      append(leader.disk.log, leader.disk.term, WRITES_A_SECOND * seconds);
    }
    this.#replicate(leader, seconds);
    this.#sendAway(leader);
  }

  /** Brings all whom it reaches forward, and with them what is committed. */
  #replicate(leader: Server, seconds: number): void {
    const { disk } = leader;
    for (const server of this.servers.values()) {
      if (server === leader || server.disk.clusterId !== disk.clusterId) continue;
      if (!this.reaches(leader, server) || !isMember(disk.membership, server.disk.memberId)) {
        server.connectedSince = undefined;
        continue;
      }
      if (server.disk.term > disk.term) {
        this.#stepDown(leader, this.#now);
        return;
      }
      this.#follow(server, leader, seconds);
    }
    this.published.add(disk.memberId);
    const held = disk.membership.voters.map((id) => this.#heldBy(leader, id)).sort((a, b) => b - a);
    const commit = held[quorumOf(held.length) - 1] ?? 0;
    if (commit > disk.commit && termAt(disk.log, commit) === disk.term) this.#commit(leader, commit);
    for (const server of this.servers.values()) {
      if (server.leader === leader && this.reaches(leader, server)) advance(server.disk, disk.commit);
    }
  }

  #follow(server: Server, leader: Server, seconds: number): void {
    const { disk } = server;
    if (disk.log.segments !== leader.disk.log.segments) {
      const agreed = agreedIndex(disk.log, leader.disk.log);
      disk.log = { segments: leader.disk.log.segments, last: agreed };
    }
    const room = server.catchUp === Number.POSITIVE_INFINITY ? server.catchUp : server.catchUp * seconds;
    disk.log.last = Math.min(leader.disk.log.last, disk.log.last + room);
    if (server.isJoining && disk.log.last === leader.disk.log.last) {
      server.isJoining = false;
      server.catchUp = Number.POSITIVE_INFINITY;
    }
    disk.term = leader.disk.term;
    server.leader = leader;
    server.connectedSince ??= this.#now;
    if (disk.log.last > 0) this.published.add(disk.memberId);
  }

  #heldBy(leader: Server, id: string): number {
    if (id === leader.disk.memberId) return leader.disk.log.last;
    const server = this.serverOf(id);
    return server !== undefined && server.leader === leader && this.reaches(leader, server) ? server.disk.log.last : 0;
  }

  #commit(leader: Server, index: number): void {
    advance(leader.disk, index);
    if (!this.#isOfFirst(leader)) return;
    if (index > this.acknowledged.index) this.acknowledged = { index, term: termAt(leader.disk.log, index) };
    const { membership, membershipIndex } = leader.disk;
    if (membershipIndex > this.committed.index) this.committed = { index: membershipIndex, membership };
  }

  /** Those who were removed end; so does a leader who removed itself. */
  #sendAway(leader: Server): void {
    for (const server of [...this.servers.values()]) {
      if (server.disk.clusterId !== leader.disk.clusterId || !this.reaches(leader, server)) continue;
      if (isMember(leader.disk.membership, server.disk.memberId)) continue;
      server.exit = { code: 1, why: "the member has been permanently removed from the cluster" };
      if (server === leader) this.#stepDown(server, this.#now);
    }
  }

  #leaderFor(via: Server): Server {
    if (!this.isAlive(via)) throw refused("unknown");
    if (this.isLearner(via)) throw refused("learner");
    const leader = this.leaderOf(via);
    if (leader === undefined || !this.#hasMajority(leader)) throw refused("no-leader");
    return leader;
  }

  #isConnected(leader: Server, id: string): boolean {
    if (id === leader.disk.memberId) return true;
    const server = this.serverOf(id);
    if (server === undefined || server.leader !== leader || !this.reaches(leader, server)) return false;
    return server.connectedSince !== undefined && this.#now - server.connectedSince >= CONNECTED_MS;
  }

  /** Written, and brought to all whom the leader reaches; an answer comes only once it is committed. */
  #change(leader: Server, members: readonly GameMember[]): void {
    const { disk } = leader;
    const pending = membershipAt(disk.log, disk.log.last).index;
    if (pending > disk.membershipIndex) throw refused("unknown");
    append(disk.log, disk.term, 1, membershipOf(members));
    const { last } = disk.log;
    this.#replicate(leader, 0);
    if (disk.commit < last) throw refused("unknown");
  }

  #newId(): string {
    return hex(this.#chance.uint32()) + hex(this.#chance.uint32());
  }
}

function advance(disk: Disk, commit: number): void {
  const reached = Math.min(commit, disk.log.last);
  if (reached <= disk.commit && disk.membershipIndex > 0) return;
  disk.commit = Math.max(disk.commit, reached);
  const { index, membership } = membershipAt(disk.log, disk.commit);
  if (index <= disk.membershipIndex) return;
  disk.membership = membership;
  disk.membershipIndex = index;
}

function isMember(membership: Membership, id: string): boolean {
  return memberById(membership, id) !== undefined;
}

function memberById({ members }: Membership, id: string): GameMember | undefined {
  for (const member of members) if (member.id === id) return member;
  return undefined;
}

function refused(kind: RefusalKind): Refused {
  return new Refused(kind, `etcd refuses: ${kind}`);
}

/** FNV-1a twice: alike for the same text, as etcd's ids are. */
function idOf(text: string): string {
  let [a, b] = [0x811c9dc5, 0x1b873593];
  for (let at = 0; at < text.length; at++) {
    a = Math.imul(a ^ text.charCodeAt(at), 0x01000193);
    b = Math.imul(b ^ text.charCodeAt(at), 0x85ebca6b);
  }
  return hex(a >>> 0) + hex(b >>> 0);
}

function hex(word: number): string {
  return word.toString(16).padStart(8, "0");
}
