/** One end of a simulated network: the port as one life of one member has it, from its making until it is closed or dies. */
import { assert } from "../../../server/base/assert.ts";
import { memberIdText } from "../../../server/base/int64.ts";
import type {
  Answers,
  Network,
  OutgoingSnapshot,
  QuestionKind,
  Questions,
  Receiver,
  SnapshotSink,
} from "../../../server/ports/network.ts";
import { Message, MessageType } from "../../../server/proto/raftpb.ts";
import { CLUSTER_ID_MISMATCH, REMOVED_MEMBER, WRONG_MEMBER } from "../../../server/transport/handshake.ts";
import type { Asked } from "../../../server/transport/peer-api.ts";
import { SNAPSHOTS_MAX } from "../../../server/transport/snapshot-receiver.ts";
import { REMOTES_MAX } from "../../../server/transport/transport.ts";
import { type AnswerStation, type Asker, askInTurn, type Reply, replyTo } from "./network-question.ts";
import { closeBody, type SnapshotTarget, Transfer } from "./network-snapshot.ts";
import { type Wires, wayOf } from "./network-wires.ts";

/** Messages on their way to one member; a further one is dropped, and reported. */
export const QUEUE_MAX = 4096;

export interface EndOptions {
  readonly id: bigint;
  /** Its peer URLs: where others find it. */
  readonly urls: readonly string[];
  readonly clusterId: bigint;
}

/** Somebody whom messages go to. */
interface Neighbour {
  readonly id: bigint;
  /** A remote is spoken to, and nothing else. */
  readonly kind: "peer" | "remote";
  urls: readonly string[];
  onTheWay: number;
  activeSince: number | undefined;
  isLookDue: boolean;
  snapshot: Transfer | undefined;
}

export class SimulatedEnd implements Network, Asker, AnswerStation, SnapshotTarget {
  readonly id: bigint;
  readonly urls: readonly string[];
  readonly clusterId: bigint;
  readonly questions = new Set<(error: Error) => void>();
  readonly #wires: Wires;
  readonly #neighbours = new Map<bigint, Neighbour>();
  /** Snapshots that come in, by sender. */
  readonly #incoming = new Map<bigint, Transfer>();
  #receiver: Receiver | undefined;
  #reports: Reports | undefined;
  #state: "open" | "closed" | "crashed" = "open";

  constructor(wires: Wires, { id, urls, clusterId }: EndOptions) {
    this.#wires = wires;
    this.id = id;
    this.urls = urls;
    this.clusterId = clusterId;
  }

  get isListening(): boolean {
    return this.#state === "open" && this.#receiver !== undefined;
  }

  get isClosed(): boolean {
    return this.#state !== "open";
  }

  get isCrashed(): boolean {
    return this.#state === "crashed";
  }

  // The port

  start(receiver: Receiver): void {
    assert(this.#receiver === undefined, "a network is started once");
    this.#receiver = receiver;
    this.#reports = new Reports(receiver, (action) => this.#wires.clock.soon(action));
    this.#note("starts");
    this.#wires.changed();
  }

  send(messages: readonly Message[]): void {
    for (const message of messages) {
      if (message.to === 0n) continue;
      assert(message.type !== MessageType.SNAP, "a snapshot goes by sendSnapshot");
      const neighbour = this.#neighbours.get(message.to);
      if (neighbour !== undefined) this.#send(neighbour, message);
    }
  }

  sendSnapshot(snapshot: OutgoingSnapshot): void {
    const { to } = snapshot.message;
    const neighbour = this.#neighbours.get(to);
    if (neighbour?.kind !== "peer" || neighbour.snapshot !== undefined) {
      void closeBody(snapshot.body[Symbol.asyncIterator]());
      this.#running().reports.snapshotStatus(to, false);
      return;
    }
    const target = this.#wires.listenerAt(neighbour.urls) as SnapshotTarget | undefined;
    const tell = (wasDelivered: boolean, reason: string) => this.#snapshotEnded(neighbour, wasDelivered, reason);
    neighbour.snapshot = new Transfer(this.#wires, snapshot, { from: this.id, target, tell });
    void neighbour.snapshot.run();
  }

  addPeer(id: bigint, urls: readonly string[]): void {
    this.#running();
    if (this.isClosed || this.#neighbours.get(id)?.kind === "peer") return;
    this.#add(id, "peer", urls);
    this.#wires.changed();
  }

  addRemote(id: bigint, urls: readonly string[]): void {
    this.#running();
    if (this.isClosed || this.#neighbours.has(id) || id === this.id) return;
    const remotes = [...this.#neighbours.values()].filter(({ kind }) => kind === "remote");
    if (remotes.length < REMOTES_MAX) this.#add(id, "remote", urls);
  }

  updatePeer(id: bigint, urls: readonly string[]): void {
    const neighbour = this.#neighbours.get(id);
    if (neighbour?.kind !== "peer") return;
    assert(urls.length > 0, "a member has a peer URL");
    neighbour.urls = [...urls];
    this.#wires.changed();
  }

  removePeer(id: bigint): void {
    const neighbour = this.#neighbours.get(id);
    if (neighbour?.kind !== "peer") return;
    this.#neighbours.delete(id);
    neighbour.snapshot?.breakOff(new Error("the receiver is no member any more"));
    this.#wires.changed();
  }

  activeSince(id: bigint): number | undefined {
    return this.#neighbours.get(id)?.activeSince;
  }

  ask<K extends QuestionKind>(
    urls: readonly string[],
    kind: K,
    question: Questions[K],
    timeoutMs: number,
  ): Promise<Answers[K]> {
    return askInTurn(this.#wires, this, urls, kind, question, timeoutMs);
  }

  async close(): Promise<void> {
    if (this.isClosed) return;
    this.#state = "closed";
    this.#note("closes");
    const stops = new Error("this member stops");
    for (const { snapshot } of this.#neighbours.values()) snapshot?.breakOff(stops);
    this.#neighbours.clear();
    for (const transfer of [...this.#incoming.values()]) transfer.breakOff(stops);
    for (const fail of [...this.questions]) fail(stops);
    this.#wires.remove(this);
    await new Promise<void>((resolve) => this.#wires.clock.soon(resolve));
    this.#reports?.flush();
    this.#reports?.close();
  }

  // The world

  /** The process dies: nothing of it is called any more. */
  crash(): void {
    if (this.isCrashed) return;
    this.#state = "crashed";
    this.#note("crashes");
    this.#reports?.close();
    for (const { snapshot } of this.#neighbours.values()) snapshot?.senderDied();
    this.#neighbours.clear();
    for (const transfer of [...this.#incoming.values()]) transfer.breakOff(new Error("the connection broke"));
    for (const fail of [...this.questions]) fail(new Error("the process is dead"));
    this.#wires.remove(this);
  }

  /** What has become of the neighbours is seen a little later, and told by `activeSince`. */
  look(): void {
    if (!this.isListening) return;
    for (const neighbour of this.#neighbours.values()) {
      if (neighbour.kind !== "peer" || neighbour.isLookDue) continue;
      neighbour.isLookDue = true;
      this.#wires.after(this.id, neighbour.id, () => {
        neighbour.isLookDue = false;
        if (this.#neighbours.get(neighbour.id) === neighbour) this.#connect(neighbour);
      });
    }
  }

  /** Takes a message in; a sentence says why not. */
  deliver(message: Message): string | undefined {
    if (!this.isListening) return "this member stops";
    const { receiver } = this.#running();
    if (receiver.isRemoved(message.from)) return REMOVED_MEMBER;
    if (message.to !== this.id) return WRONG_MEMBER;
    receiver.message(message);
    return undefined;
  }

  async openSnapshot(message: Message, transfer: Transfer): Promise<SnapshotSink> {
    if (!this.isListening) throw new Error("this member stops");
    const { receiver } = this.#running();
    const { from, to, snapshot } = message;
    if ((snapshot?.metadata?.index ?? 0) === 0) throw new Error("a snapshot says what index it is of");
    if (receiver.isRemoved(from)) throw new Error(REMOVED_MEMBER);
    if (to !== this.id) throw new Error(WRONG_MEMBER);
    this.#incoming.get(from)?.breakOff(new Error("the sender began a newer one"));
    if (this.#incoming.size >= SNAPSHOTS_MAX && !this.#incoming.has(from))
      throw new Error(`${SNAPSHOTS_MAX} snapshots are being received; send it again later`);
    this.#incoming.set(from, transfer);
    return receiver.openSnapshot(message);
  }

  forget(transfer: Transfer): void {
    for (const [from, running] of this.#incoming) if (running === transfer) this.#incoming.delete(from);
  }

  reply<K extends QuestionKind>(kind: K, asked: Asked): Promise<Reply> {
    return replyTo(kind, asked, this.clusterId, this.#running().receiver.answers);
  }

  /** A message comes in from an end of ours or of another cluster; a sentence says why it is refused. */
  #take(bytes: Uint8Array, sender: SimulatedEnd): string | undefined {
    if (sender.clusterId !== this.clusterId) return CLUSTER_ID_MISMATCH;
    // Somebody whom we do not know may be the leader of a cluster that we have just joined: it gets our answers.
    this.addRemote(sender.id, sender.urls);
    return this.deliver(Message.decode(bytes));
  }

  #send(neighbour: Neighbour, message: Message): void {
    if (neighbour.onTheWay >= QUEUE_MAX) {
      this.#reports?.unreachable(neighbour.id);
      return;
    }
    const bytes = Message.encode(message);
    const target = this.#wires.listenerAt(neighbour.urls) as SimulatedEnd | undefined;
    neighbour.onTheWay++;
    let isFirst = true;
    const arrived = () => {
      if (isFirst) neighbour.onTheWay--;
      isFirst = false;
    };
    this.#wires.carry({
      from: this.id,
      to: neighbour.id,
      lane: message.type === MessageType.APP ? "append" : "message",
      // No connection doubles what goes through it. Raft bears with doubles, and so they are tried, but a proposal that
      // comes twice is two entries, as in etcd.
      isOnce: message.type === MessageType.PROP,
      what: `type ${message.type} term ${message.term} index ${message.index} commit ${message.commit} ${bytes.length} B`,
      arrive: () => {
        arrived();
        const problem = target?.isListening === true ? target.#take(bytes.slice(), this) : "nobody listens there";
        if (problem !== undefined) this.#refused(neighbour, problem);
      },
      lose: () => {
        arrived();
        this.#lost(neighbour);
      },
    });
  }

  /** Whether we hear of it is decided by lot. */
  #lost(neighbour: Neighbour): void {
    const { reportShare, reportMaxMs } = this.#wires.faultsOf(this.id, neighbour.id);
    const delayMs = this.#wires.random.below(reportMaxMs + 1);
    if (!this.#wires.random.chance(reportShare)) return;
    this.#wires.clock.after(delayMs, () => {
      if (this.#neighbours.get(neighbour.id) === neighbour) this.#reports?.unreachable(neighbour.id);
    });
  }

  #refused(neighbour: Neighbour, problem: string): void {
    this.#wires.note(`${wayOf(this.id, neighbour.id)} refused: ${problem}`);
    this.#lost(neighbour);
    if (problem === REMOVED_MEMBER) this.#wires.after(neighbour.id, this.id, () => this.#hearOfRemoval(neighbour));
  }

  #hearOfRemoval({ id }: Neighbour): void {
    if (this.isClosed || !this.#wires.passes(id, this.id)) return;
    this.#note("hears that it was removed");
    this.#reports?.selfRemoved();
  }

  #snapshotEnded(neighbour: Neighbour, wasDelivered: boolean, reason: string): void {
    neighbour.snapshot = undefined;
    if (reason === REMOVED_MEMBER) this.#hearOfRemoval(neighbour);
    if (!wasDelivered) this.#reports?.unreachable(neighbour.id);
    this.#reports?.snapshotStatus(neighbour.id, wasDelivered);
  }

  #add(id: bigint, kind: Neighbour["kind"], urls: readonly string[]): void {
    assert(urls.length > 0, "a member has a peer URL");
    this.#neighbours.set(id, {
      id,
      kind,
      urls: [...urls],
      onTheWay: 0,
      activeSince: undefined,
      isLookDue: false,
      snapshot: undefined,
    });
  }

  #connect(neighbour: Neighbour): void {
    const target = this.#wires.listenerAt(neighbour.urls) as SimulatedEnd | undefined;
    const { id } = neighbour;
    const passes = this.#wires.passes(this.id, id) && this.#wires.passes(id, this.id);
    const isThere = passes && target?.id === id && target.clusterId === this.clusterId;
    const isRefused = isThere && target.#running().receiver.isRemoved(this.id);
    if (isRefused) this.#hearOfRemoval(neighbour);
    const isActive = isThere && !isRefused;
    if (isActive === (neighbour.activeSince !== undefined)) return;
    neighbour.activeSince = isActive ? this.#wires.clock.monotonicMs() : undefined;
    this.#wires.note(`${wayOf(this.id, id)} is ${isActive ? "active" : "inactive"}`);
  }

  #running(): { readonly receiver: Receiver; readonly reports: Reports } {
    assert(this.#receiver !== undefined && this.#reports !== undefined, "a network is started before it is used");
    return { receiver: this.#receiver, reports: this.#reports };
  }

  #note(what: string): void {
    this.#wires.note(`${memberIdText(this.id)} ${what}`);
  }
}

/** What an end is told of its own sending: in an event of its own, never inside the call that found it out. */
class Reports {
  readonly #receiver: Receiver;
  readonly #soon: (action: () => void) => void;
  readonly #unreachable = new Set<bigint>();
  #snapshots: { readonly id: bigint; readonly wasDelivered: boolean }[] = [];
  #removal: "none" | "due" | "told" = "none";
  #isDue = false;
  #isClosed = false;

  constructor(receiver: Receiver, soon: (action: () => void) => void) {
    this.#receiver = receiver;
    this.#soon = soon;
  }

  unreachable(id: bigint): void {
    this.#unreachable.add(id);
    this.#schedule();
  }

  snapshotStatus(id: bigint, wasDelivered: boolean): void {
    this.#snapshots.push({ id, wasDelivered });
    this.#schedule();
  }

  selfRemoved(): void {
    if (this.#removal === "none") this.#removal = "due";
    this.#schedule();
  }

  flush(): void {
    this.#isDue = false;
    if (this.#isClosed) return;
    const lost = [...this.#unreachable];
    const snapshots = this.#snapshots.splice(0);
    this.#unreachable.clear();
    for (const id of lost) this.#receiver.unreachable(id);
    for (const { id, wasDelivered } of snapshots) this.#receiver.snapshotStatus(id, wasDelivered);
    if (this.#removal !== "due") return;
    this.#removal = "told";
    this.#receiver.selfRemoved();
  }

  close(): void {
    this.#isClosed = true;
  }

  #schedule(): void {
    if (this.#isDue || this.#isClosed) return;
    this.#isDue = true;
    this.#soon(() => {
      if (this.#isDue) this.flush();
    });
  }
}
