/**
 * The other members: who they are as far as this member has applied, what it is asked by them, and the way of raft's
 * messages to and from them. Decides nothing about membership: it follows the one store of it.
 */
import { EtcdError } from "../base/error.ts";
import type { MemberRecord, Membership } from "../cluster/membership.ts";
import type { AnswerTable, Network, OutgoingSnapshot, Receiver, SnapshotSink } from "../ports/network.ts";
import { type Message, MessageType } from "../proto/raftpb.ts";

/** What raft is told. */
export interface PeersOwner {
  /** A message for us. */
  message(message: Message): void;
  unreachable(id: bigint): void;
  snapshotStatus(id: bigint, wasDelivered: boolean): void;
  /** Raft wants a state sent: its MsgSnap, which only says to whom and how new it must be. */
  snapshotWanted(message: Message): void;
  /** See `Receiver.openSnapshot`. */
  openSnapshot(message: Message): Promise<SnapshotSink>;
  /** The others say that we are no member any more. */
  removed(): void;
}

export class Peers {
  readonly #network: Network;
  readonly #selfId: bigint;
  readonly #membership: Membership;
  readonly #owner: PeersOwner;
  readonly #answers: AnswerTable;

  constructor(parts: {
    network: Network;
    selfId: bigint;
    membership: Membership;
    owner: PeersOwner;
    answers: AnswerTable;
  }) {
    this.#network = parts.network;
    this.#selfId = parts.selfId;
    this.#membership = parts.membership;
    this.#owner = parts.owner;
    this.#answers = parts.answers;
  }

  /** Talks to all members, and answers those of `joined`, the cluster that we have come to and know nothing of yet. */
  start(joined: readonly MemberRecord[]): void {
    this.#network.start(this.#receiver);
    for (const { id, peerUrls } of this.#others()) this.#network.addPeer(id, peerUrls);
    for (const { id, peerUrls } of joined) {
      if (id !== this.#selfId && this.#membership.get(id) === undefined) this.#network.addRemote(id, peerUrls);
    }
  }

  close(): Promise<void> {
    return this.#network.close();
  }

  /** Those that raft has for others. */
  send(messages: readonly Message[]): void {
    if (messages.length === 0) return;
    const snapshots = messages.filter(({ type }) => type === MessageType.SNAP);
    this.#network.send(snapshots.length === 0 ? messages : messages.filter(({ type }) => type !== MessageType.SNAP));
    for (const message of snapshots) this.#owner.snapshotWanted(message);
  }

  /** Sends a whole state beside all else; `snapshotStatus` tells what became of it. */
  sendSnapshot(snapshot: OutgoingSnapshot): void {
    this.#network.sendSnapshot(snapshot);
  }

  /** The membership of `id` was changed by an entry. */
  changed(id: bigint): void {
    if (id === this.#selfId) return;
    const member = this.#membership.get(id);
    if (member === undefined) {
      this.#network.removePeer(id);
      return;
    }
    this.#network.addPeer(id, member.peerUrls);
    this.#network.updatePeer(id, member.peerUrls);
  }

  /** All of membership is new; `before` were members. */
  replaced(before: readonly MemberRecord[]): void {
    for (const { id } of [...before, ...this.#membership.list()]) this.changed(id);
  }

  /** Since when (monotonic milliseconds) it can be reached; undefined: it cannot. */
  activeSince(id: bigint): number | undefined {
    return this.#network.activeSince(id);
  }

  /** Asks one member. Rejects as `Network.ask` does. */
  ask: Network["ask"] = (urls, kind, question, timeoutMs) => this.#network.ask(urls, kind, question, timeoutMs);

  #others(): MemberRecord[] {
    return this.#membership.list().filter(({ id }) => id !== this.#selfId);
  }

  get #receiver(): Receiver {
    return {
      message: (message) => this.#owner.message(message),
      unreachable: (id) => this.#owner.unreachable(id),
      snapshotStatus: (id, wasDelivered) => this.#owner.snapshotStatus(id, wasDelivered),
      isRemoved: (id) => this.#membership.isRemoved(id),
      selfRemoved: () => this.#owner.removed(),
      openSnapshot: (message) => this.#owner.openSnapshot(message),
      answers: this.#answers,
    };
  }
}

/** For a member that is to have no others. */
export const NO_NETWORK: Network = {
  start: () => undefined,
  send: () => undefined,
  sendSnapshot: () => undefined,
  addPeer: () => undefined,
  addRemote: () => undefined,
  updatePeer: () => undefined,
  removePeer: () => undefined,
  activeSince: () => undefined,
  ask: () => Promise.reject(new EtcdError("Unimplemented", "there is no network")),
  close: () => Promise.resolve(),
};
