/**
 * The cluster of a script, and the line that is written about everything that happens in it. It stands on `TestCluster`,
 * which checks raft's invariants after every step: a transcript can show no broken one, whatever its lines say.
 */
import type { HardState, Message } from "../../server/proto/raftpb.ts";
import { emptyConfState } from "../../server/raft/conf-change.ts";
import type { RaftConfig } from "../../server/raft/raw-node.ts";
import type { Ready } from "../../server/raft/ready.ts";
import type { RaftStatus } from "../../server/raft/status.ts";
import { type ClusterOptions, TestCluster, TestMember } from "../support/raft-cluster.ts";
import {
  configText,
  entriesText,
  kindOf,
  linkOf,
  messageText,
  roleText,
  snapshotText,
  summaryText,
  writesText,
} from "./words.ts";

/** What a script may set of a member's configuration. */
export type Settings = Partial<Omit<RaftConfig, "id" | "storage" | "applied" | "confState" | "random">>;

/** The paper's Raft and nothing else: what was added to it is switched on by the scripts that are about it. */
const PLAIN: Settings = { preVote: false, checkQuorum: false };

/** Rounds of `settle` before a script is taken for one that never comes to rest. */
const ROUNDS_MAX = 200;

/** Which members a command is about; none named means all. */
export type Chosen = (id: bigint) => boolean;

export class World {
  readonly #lines: string[] = [];
  readonly #seen = new Map<bigint, RaftStatus>();
  /** Members whose disk does not answer. */
  readonly stalled = new Set<bigint>();
  /** Links on which messages stay under way. */
  readonly held = new Set<string>();
  readonly #tamper: (cluster: TestCluster) => void;
  #cluster: TestCluster | undefined;
  #options: ClusterOptions = { voters: [] };

  /** `tamper` is given the cluster whenever members were started: a test plants its mistakes by it. */
  constructor(tamper: (cluster: TestCluster) => void = () => {}) {
    this.#tamper = tamper;
  }

  get cluster(): TestCluster {
    if (this.#cluster === undefined) throw new Error("a script begins with: cluster voters=...");
    return this.#cluster;
  }

  start(options: ClusterOptions): void {
    this.#options = { ...options, raft: { ...PLAIN, ...options.raft } };
    this.#cluster = new TestCluster(this.#options);
    this.stalled.clear();
    this.held.clear();
    for (const member of this.cluster.members) this.#seen.set(member.id, member.status());
    this.#tamper(this.cluster);
  }

  /** Writes a line. */
  say(line: string): void {
    this.#lines.push(line);
  }

  /** The lines since the last time. */
  takeLines(): string[] {
    return this.#lines.splice(0);
  }

  // Steps of one member

  /** Does `step` with a member and tells what it changed. */
  act<T>(id: bigint, step: (member: TestMember) => T): T {
    const member = this.cluster.member(id);
    const result = step(member);
    this.#tellChanges(member);
    return result;
  }

  /** Takes one Ready; its disk has not answered yet. False: there was none. */
  take(member: TestMember): boolean {
    if (!member.isUp || !member.node.hasReady()) return false;
    const sentBefore = this.cluster.sent.length;
    const answeredBefore = member.reads.length;
    this.cluster.take(member);
    this.#tellReady(member, member.pending.at(-1) as Ready);
    for (const { context, index } of member.reads.slice(answeredBefore))
      this.say(`${member.id} answers read #${context} at ${index}`);
    this.#tellChanges(member);
    this.#tellSent(sentBefore);
    return true;
  }

  #tellReady(member: TestMember, ready: Ready): void {
    const writes = writesText(ready);
    if (writes !== undefined) this.say(`${member.id} writes ${writes}`);
    if (ready.committedEntries.length > 0) this.say(`${member.id} applies ${entriesText(ready.committedEntries)}`);
  }

  /** The disk answers for the oldest Ready. False: none is out. */
  persist(member: TestMember): boolean {
    const ready = member.pending[0];
    if (!member.isUp || ready === undefined) return false;
    const sentBefore = this.cluster.sent.length;
    this.cluster.persist(member);
    if (ready.mustSync) this.say(`${member.id} synced`);
    this.#tellChanges(member);
    this.#tellSent(sentBefore);
    return true;
  }

  #tellSent(from: number): void {
    for (const message of this.cluster.sent.slice(from)) {
      const isLost = !this.cluster.network.includes(message);
      this.say(`${messageText(message)}${isLost ? " (lost)" : ""}`);
    }
  }

  /** One line for each thing that is not as it was when last looked at. */
  #tellChanges(member: TestMember): void {
    const before = this.#seen.get(member.id);
    const now = member.status();
    this.#seen.set(member.id, now);
    if (before === undefined) return;
    const tell = (what: string) => this.say(`${now.id} ${what}`);
    if (roleText(before) !== roleText(now)) tell(`is ${roleText(now)}`);
    if (before.commit !== now.commit) tell(`commits to ${now.commit}`);
    if (configText(before.confState) !== configText(now.confState)) tell(`counts ${configText(now.confState)}`);
    if (before.transferTarget !== now.transferTarget) tell(`hands over to ${now.transferTarget || "nobody"}`);
  }

  // The network

  /** The `nth` message under way (1 is the oldest) on `link`, in which "*" is anybody; of one kind if that is named. */
  find(link: string, kind?: string, nth = 1): Message {
    const found = this.findAll(link, kind)[nth - 1];
    if (found === undefined) throw new Error(`no such message is under way: ${link} ${kind ?? ""}`);
    return found;
  }

  findAll(link: string, kind?: string): Message[] {
    const pattern = new RegExp(`^${link.replaceAll("*", "\\d+")}$`);
    return this.cluster.network.filter(
      (message) => pattern.test(linkOf(message)) && (kind === undefined || kindOf(message) === kind),
    );
  }

  deliver(message: Message): void {
    this.forgetMessage(message);
    const member = this.cluster.members.find(({ id }) => id === message.to);
    if (member?.isUp !== true) {
      this.say(`${linkOf(message)} ${kindOf(message)} finds nobody`);
      return;
    }
    this.say(`${message.to} hears ${kindOf(message)} from ${message.from}`);
    this.act(message.to, () => this.cluster.deliver(message));
  }

  /** Takes `message` off the network. */
  forgetMessage(message: Message): void {
    this.cluster.network = this.cluster.network.filter((other) => other !== message);
  }

  // Many steps

  /** Readys, disks and messages of the chosen, until nothing is left to do. */
  settle(isChosen: Chosen): void {
    for (let round = 0; round < ROUNDS_MAX; round++) {
      const worked = this.cluster.members.filter(({ id }) => isChosen(id) && this.#drain(id)).length > 0;
      const going = this.cluster.network.filter((message) => this.#mayGo(message, isChosen));
      for (const message of going) this.deliver(message);
      if (!worked && going.length === 0) return;
    }
    throw new Error("the script never comes to rest");
  }

  #mayGo(message: Message, isChosen: Chosen): boolean {
    return isChosen(message.from) && isChosen(message.to) && !this.held.has(linkOf(message));
  }

  #drain(id: bigint): boolean {
    const member = this.cluster.member(id);
    let worked = false;
    for (;;) {
      const took = this.take(member);
      const persisted = !this.stalled.has(id) && this.persist(member);
      if (!took && !persisted) return worked;
      worked = true;
    }
  }

  /** Starts a member on the log of an earlier life. */
  giveLog(id: bigint, terms: readonly number[], hardState: Partial<HardState>): void {
    this.cluster.seed(id, terms, hardState);
    this.#lookAnew(id);
  }

  /** Starts a member again from its disk, with other settings if some are given. */
  restart(id: bigint, settings: Settings): void {
    const members = this.cluster.members as TestMember[];
    const old = this.cluster.member(id);
    const options = { ...this.#options, raft: { ...this.#options.raft, ...settings } };
    const member = new TestMember(id, emptyConfState(), options);
    // Only what the disk holds goes over, and the list of a caller that holds the old one is not what counts.
    Object.assign(member.disk, old.disk);
    members[members.indexOf(old)] = member;
    this.cluster.restart(member);
    this.#lookAnew(id);
  }

  /** A member was started: nothing of how it was before is news. */
  #lookAnew(id: bigint): void {
    this.#seen.set(id, this.cluster.member(id).status());
    this.#tamper(this.cluster);
  }

  // Looking

  /** One line on each member that runs. */
  summarize(): void {
    for (const member of this.cluster.members)
      this.say(member.isUp ? summaryText(member.status()) : `${member.id} is down`);
  }

  /** The whole log of a member. */
  showLog(id: bigint): void {
    const member = this.cluster.member(id);
    const { firstIndex, lastIndex, stableIndex, commit, applied } = member.status();
    const indexes = Array.from({ length: lastIndex - firstIndex + 1 }, (_, at) => firstIndex + at);
    const entries = indexes.flatMap((index) => member.entry(index) ?? []);
    const before = firstIndex > 1 ? `..${firstIndex - 1} compacted, ` : "";
    this.say(
      `${id} log: ${before}${entriesText(entries)}; on disk to ${stableIndex}, commit ${commit}, applied ${applied}`,
    );
  }

  /** The configuration by which a member counts. */
  showConfig(id: bigint): void {
    this.say(`${id} counts ${configText(this.cluster.node(id).confState)}`);
  }

  /** The snapshot that a member would send, by raft's storage. */
  showSnapshot(id: bigint): void {
    this.say(`${id} snapshot: ${snapshotText(this.cluster.member(id).storage.snapshot.metadata)}`);
  }

  /** Messages under way, oldest first. */
  showNetwork(): void {
    for (const message of this.cluster.network) this.say(messageText(message));
    if (this.cluster.network.length === 0) this.say("nothing is under way");
  }
}
