/**
 * A member of a cluster that has everything but a store: raft, its log in memory, and the real transport on a real
 * socket. It votes, takes appends, acknowledges, leads and takes snapshots in like any other, which is what a cluster of
 * real etcd around it needs; what the entries say it only remembers.
 */
import { concatBytes, EMPTY_BYTES, utf8Bytes } from "../../server/base/bytes.ts";
import { EtcdError } from "../../server/base/error.ts";
import { writeJsonWithIds } from "../../server/base/json-ids.ts";
import { clusterIdOf, memberIdOf } from "../../server/cluster/ids.ts";
import { Registry } from "../../server/metrics/registry.ts";
import { createSeries, type Series } from "../../server/metrics/series.ts";
import type {
  Answers,
  AnswerTable,
  PeerMember,
  QuestionKind,
  Questions,
  Receiver,
  SnapshotSink,
} from "../../server/ports/network.ts";
import {
  ConfChange,
  ConfChangeType,
  type Entry,
  EntryType,
  type Message,
  MessageType,
  type Snapshot,
} from "../../server/proto/raftpb.ts";
import { LogStorage } from "../../server/raft/log-storage.ts";
import { RawNode } from "../../server/raft/raw-node.ts";
import { SystemClock } from "../../server/system/clock.ts";
import type { PeerCertificates } from "../../server/transport/peer-certificates.ts";
import { PeerListener } from "../../server/transport/peer-listener.ts";
import { Transport } from "../../server/transport/transport.ts";
import { LogLines } from "./settling.ts";

/** Who is in a cluster from its beginning, as `--initial-cluster` says it. */
export interface FirstMember {
  readonly name: string;
  readonly peerUrl: string;
}

export interface LogOnlyOptions {
  readonly name: string;
  readonly members: readonly FirstMember[];
  readonly token: string;
  /** What it says it is; members of etcd agree on a cluster version by it. */
  readonly serverVersion: string;
  /** Where it listens, when something stands between its URL and itself. */
  readonly listenPort?: number;
  /** When its URL is https. */
  readonly certificates?: PeerCertificates | undefined;
}

const TICK_MS = 100;
/** It votes for another once it has heard of no leader for this time. */
const ELECTION_TICKS = 15;

/** The first entries of a cluster: every member must have the same. */
function firstEntries(members: readonly PeerMember[]): Entry[] {
  return members.map(({ id, name, peerUrls }, at) => {
    const context = utf8Bytes(writeJsonWithIds({ id, peerURLs: peerUrls, name }));
    const data = ConfChange.encode(ConfChange.create({ type: 0, nodeId: id, context }));
    return { type: EntryType.CONF_CHANGE, term: 1, index: at + 1, data };
  });
}

export class LogOnlyMember {
  readonly id: bigint;
  readonly clusterId: bigint;
  readonly series: Series = createSeries(new Registry());
  readonly log = new LogLines();
  readonly node: RawNode;
  readonly storage: LogStorage;
  /** Data of the normal entries applied, and the bbolt file of the newest snapshot. */
  readonly applied: Uint8Array[] = [];
  database: Uint8Array = EMPTY_BYTES;
  /** Messages that came, by type. */
  readonly received = new Map<number, number>();
  readonly questions: string[] = [];
  /** What became of the snapshots that it sent. */
  readonly snapshotsSent: boolean[] = [];
  lost = 0;
  /** Members that it takes for removed. */
  readonly removed = new Set<bigint>();
  wasRemoved = false;
  readonly #options: LogOnlyOptions;
  /** As far as it has applied: who joins asks for them. */
  #members: PeerMember[];
  #network: Transport | undefined;
  #listener: PeerListener | undefined;
  #timer: NodeJS.Timeout | undefined;
  #isDue = false;

  constructor(options: LogOnlyOptions) {
    this.#options = options;
    this.#members = options.members
      .map(({ name, peerUrl }) => ({
        id: memberIdOf([peerUrl], options.token),
        name,
        peerUrls: [peerUrl],
        clientUrls: [],
        isLearner: false,
      }))
      .sort((left, right) => (left.id < right.id ? -1 : 1));
    this.id = this.#self.id;
    this.clusterId = clusterIdOf(this.#members.map(({ id }) => id));
    const entries = firstEntries(this.#members);
    this.storage = new LogStorage({ hardState: { term: 1, vote: 0n, commit: entries.length }, entries });
    this.node = new RawNode({
      id: this.id,
      electionTicks: ELECTION_TICKS,
      heartbeatTicks: 1,
      storage: this.storage,
      applied: 0,
      preVote: true,
      checkQuorum: true,
      maxMessageBytes: 1024 * 1024,
      inflightMax: 512,
      random: (bound) => bound - 1, // others stand for election first
    });
  }

  get #self(): PeerMember {
    return this.#members.find(({ name }) => name === this.#options.name) as PeerMember;
  }

  /** The texts that are in the data of applied entries. */
  has(text: string): boolean {
    return this.applied.some((data) => Buffer.from(data).includes(text));
  }

  /** Goes on the network, also after a `disconnect`. */
  async connect(): Promise<void> {
    const url = new URL(this.#self.peerUrls[0] as string);
    const network = new Transport({
      identity: {
        memberId: this.id,
        clusterId: this.clusterId,
        peerUrls: this.#self.peerUrls,
        serverVersion: this.#options.serverVersion,
        minClusterVersion: "3.0.0",
      },
      clock: new SystemClock(),
      logger: this.log,
      series: this.series.network,
      certificates: this.#options.certificates,
    });
    this.#network = network;
    network.start(this.#receiver());
    for (const { id, peerUrls } of this.#members) if (id !== this.id) network.addPeer(id, peerUrls);
    const port = this.#options.listenPort ?? Number(url.port);
    const { certificates } = this.#options;
    const address = { host: url.hostname, port, isSecure: certificates !== undefined };
    this.#listener = await PeerListener.bind([address], certificates);
    this.#listener.serve(network.handler);
    this.#timer = setInterval(() => {
      this.node.tick();
      this.#schedule();
    }, TICK_MS);
  }

  /** Nothing comes in or goes out, and no time passes for it. */
  async disconnect(): Promise<void> {
    clearInterval(this.#timer);
    const network = this.#network;
    this.#network = undefined;
    await network?.close();
    await this.#listener?.close();
  }

  /** Takes a member for removed, as one would that has applied its removal. */
  refuse(id: bigint): void {
    this.removed.add(id);
    this.#network?.removePeer(id);
  }

  /** Asks another member. */
  ask<K extends QuestionKind>(url: string, kind: K, question: Questions[K]): Promise<Answers[K]> {
    if (this.#network === undefined) throw new Error("it is not connected");
    return this.#network.ask([url], kind, question, 5000);
  }

  #receiver(): Receiver {
    return {
      message: (message) => {
        this.received.set(message.type, (this.received.get(message.type) ?? 0) + 1);
        this.node.step(message);
        this.#schedule();
      },
      unreachable: (id) => {
        this.lost++;
        this.node.reportUnreachable(id);
      },
      snapshotStatus: (id, wasDelivered) => {
        this.snapshotsSent.push(wasDelivered);
        this.node.reportSnapshot(id, wasDelivered);
      },
      isRemoved: (id) => this.removed.has(id),
      selfRemoved: () => {
        this.wasRemoved = true;
      },
      openSnapshot: () => this.#sink(),
      answers: this.#answers(),
    };
  }

  #sink(): SnapshotSink {
    const pieces: Uint8Array[] = [];
    return {
      write: (bytes) => void pieces.push(bytes),
      end: async () => {
        this.database = concatBytes(pieces);
      },
      abort: () => undefined,
    };
  }

  #answers(): AnswerTable {
    const asked = <T>(what: string, answer: T): T => {
      this.questions.push(what);
      return answer;
    };
    const { serverVersion } = this.#options;
    return {
      version: () => asked("version", { server: serverVersion, cluster: "not_decided", storage: "unknown" }),
      members: () => asked("members", { clusterId: this.clusterId, members: this.#members }),
      downgradeEnabled: () => asked("downgradeEnabled", false),
      leaseRenew: ({ id }) => asked(`leaseRenew ${id}`, 77),
      leaseTimeToLive: ({ id }) =>
        asked(`leaseTimeToLive ${id}`, { ttlSeconds: 41, grantedTtlSeconds: 99, keys: [utf8Bytes("of the lease")] }),
      hashKv: ({ revision }) => {
        this.questions.push(`hashKv ${revision}`);
        throw new EtcdError("Compacted");
      },
      promote: ({ id }) => {
        this.questions.push(`promote ${id}`);
        throw new EtcdError("LearnerNotReady");
      },
    };
  }

  #schedule(): void {
    if (this.#isDue) return;
    this.#isDue = true;
    setImmediate(() => {
      this.#isDue = false;
      this.#advance();
    });
  }

  #advance(): void {
    const { node } = this;
    while (node.hasReady()) {
      const ready = node.ready();
      this.#send(ready.messages);
      node.persisted(ready); // memory is our disk
      this.#send(ready.messagesAfterSync);
      if (ready.snapshot !== undefined) this.#learnMembers(ready.snapshot);
      const last = ready.snapshot?.metadata?.index ?? 0;
      for (const entry of ready.committedEntries) this.#apply(entry);
      const applied = ready.committedEntries.at(-1)?.index ?? last;
      if (applied > 0) node.appliedTo(applied);
    }
  }

  #send(messages: readonly Message[]): void {
    for (const message of messages) {
      if (message.type !== MessageType.SNAP) this.#network?.send([message]);
      else this.#network?.sendSnapshot({ message, sizeBytes: this.database.length, body: this.#body() });
    }
  }

  async *#body(): AsyncGenerator<Uint8Array> {
    for (let at = 0; at < this.database.length; at += 64 * 1024) yield this.database.subarray(at, at + 64 * 1024);
  }

  #apply(entry: Entry): void {
    if (entry.type === EntryType.NORMAL) {
      if (entry.data.length > 0) this.applied.push(entry.data);
      return;
    }
    const change = ConfChange.decode(entry.data);
    this.node.applyConfChange(change);
    if (change.type === ConfChangeType.REMOVE_NODE) {
      this.#members = this.#members.filter(({ id }) => id !== change.nodeId);
      this.#network?.removePeer(change.nodeId);
      return;
    }
    const { peerURLs } = JSON.parse(Buffer.from(change.context).toString()) as { peerURLs: string[] };
    this.#learn(change.nodeId, peerURLs, change.type === ConfChangeType.ADD_LEARNER_NODE);
  }

  #learn(id: bigint, peerUrls: readonly string[], isLearner: boolean): void {
    if (id === this.id) return;
    this.#network?.addPeer(id, peerUrls);
    if (this.#members.some((member) => member.id === id)) return;
    this.#members = [...this.#members, { id, name: "", peerUrls, clientUrls: [], isLearner }];
  }

  /** Of members that joined in what a snapshot took the place of. */
  #learnMembers(snapshot: Snapshot): void {
    const store = JSON.parse(Buffer.from(snapshot.data).toString()) as V2Node & { Root: V2Node };
    const members = store.Root.Children?.["0"]?.Children?.["members"]?.Children ?? {};
    for (const [hex, { Children }] of Object.entries(members)) {
      const attributes = JSON.parse(Children?.["raftAttributes"]?.Value ?? "{}") as RaftAttributes;
      if (attributes.peerURLs !== undefined)
        this.#learn(BigInt(`0x${hex}`), attributes.peerURLs, attributes.isLearner === true);
    }
  }
}

interface RaftAttributes {
  readonly peerURLs?: readonly string[];
  readonly isLearner?: boolean;
}

/** A folder or file of etcd's old store. */
interface V2Node {
  readonly Value?: string;
  readonly Children?: Readonly<Record<string, V2Node>>;
}
