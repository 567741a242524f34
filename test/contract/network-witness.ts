/**
 * A member as the contract of the network has it: keeps what the receiver is told, and sees whether it was told inside a
 * call to the network, which no network may do.
 */
import { concatBytes } from "../../server/base/bytes.ts";
import type { AnswerTable, Network, OutgoingSnapshot, Receiver, SnapshotSink } from "../../server/ports/network.ts";
import { Message, MessageType } from "../../server/proto/raftpb.ts";

export class Witness implements Receiver {
  readonly messages: Message[] = [];
  readonly lost: bigint[] = [];
  readonly statuses: { readonly id: bigint; readonly wasDelivered: boolean }[] = [];
  readonly snapshots: { readonly message: Message; readonly body: Uint8Array }[] = [];
  readonly aborted: string[] = [];
  readonly removed = new Set<bigint>();
  selfRemovals = 0;
  /** What was told inside a call to the network. */
  readonly inside: string[] = [];
  /** All that was told, in its order. */
  readonly told: string[] = [];
  /** Snapshots that were given to the network before it was closed: each has an end to be told. */
  snapshotsSent = 0;
  readonly answers: AnswerTable;
  /** Replaces the sink that keeps everything. */
  newSink: ((message: Message) => SnapshotSink | Promise<SnapshotSink>) | undefined;
  #depth = 0;
  #isClosed = false;

  constructor(answers: Partial<AnswerTable> = {}) {
    this.answers = { ...NO_ANSWERS, ...answers };
  }

  message(message: Message): void {
    this.#tell(message.type === MessageType.SNAP ? "snapshot message" : "message");
    this.messages.push(message);
  }

  unreachable(id: bigint): void {
    this.#tell("unreachable");
    this.lost.push(id);
  }

  snapshotStatus(id: bigint, wasDelivered: boolean): void {
    this.#tell("snapshotStatus");
    this.statuses.push({ id, wasDelivered });
  }

  isRemoved(id: bigint): boolean {
    if (this.#depth > 0) this.inside.push("isRemoved");
    return this.removed.has(id);
  }

  selfRemoved(): void {
    this.#tell("selfRemoved");
    this.selfRemovals++;
  }

  openSnapshot(message: Message): SnapshotSink | Promise<SnapshotSink> {
    this.#tell("openSnapshot");
    return this.newSink?.(message) ?? this.#sink(message);
  }

  /** The network, seen from outside. */
  watch(network: Network): Network {
    const call = <T>(action: () => T): T => {
      this.#depth++;
      try {
        return action();
      } finally {
        this.#depth--;
      }
    };
    return {
      start: (receiver) => call(() => network.start(receiver)),
      send: (messages) => call(() => network.send(messages)),
      sendSnapshot: (snapshot) => {
        if (!this.#isClosed) this.snapshotsSent++;
        call(() => network.sendSnapshot(snapshot));
      },
      addPeer: (id, urls) => call(() => network.addPeer(id, urls)),
      addRemote: (id, urls) => call(() => network.addRemote(id, urls)),
      updatePeer: (id, urls) => call(() => network.updatePeer(id, urls)),
      removePeer: (id) => call(() => network.removePeer(id)),
      activeSince: (id) => call(() => network.activeSince(id)),
      ask: (urls, kind, question, timeoutMs) => call(() => network.ask(urls, kind, question, timeoutMs)),
      close: () => {
        this.#isClosed = true;
        return call(() => network.close());
      },
    };
  }

  #tell(what: string): void {
    this.told.push(what);
    if (this.#depth > 0) this.inside.push(what);
  }

  #sink(message: Message): SnapshotSink {
    const pieces: Uint8Array[] = [];
    return {
      write: (bytes) => void pieces.push(bytes),
      end: async () => {
        this.told.push("end");
        this.snapshots.push({ message, body: concatBytes(pieces) });
      },
      abort: ({ message: text }) => void this.aborted.push(text),
    };
  }
}

function refuse(): never {
  throw new Error("not asked here");
}

const NO_ANSWERS: AnswerTable = {
  version: refuse,
  members: refuse,
  downgradeEnabled: refuse,
  hashKv: refuse,
  leaseRenew: refuse,
  leaseTimeToLive: refuse,
  promote: refuse,
};

/** A body that says how far it was read and whether it was closed. */
export class WatchedBody implements AsyncIterable<Uint8Array> {
  readonly #pieces: number;
  /** Waits before each piece. */
  readonly #before: (at: number) => Promise<void> | undefined;
  reads = 0;
  isClosed = false;

  constructor(pieces: number, before: (at: number) => Promise<void> | undefined = () => undefined) {
    this.#pieces = pieces;
    this.#before = before;
  }

  [Symbol.asyncIterator](): AsyncIterator<Uint8Array> {
    return {
      next: async () => {
        const at = this.reads++;
        await this.#before(at);
        return at < this.#pieces ? { done: false, value: pieceAt(at) } : { done: true, value: undefined };
      },
      return: async () => {
        this.isClosed = true;
        return { done: true, value: undefined };
      },
    };
  }

  /** As the receiver should have it. */
  whole(): Uint8Array {
    return concatBytes(Array.from({ length: this.#pieces }, (_, at) => pieceAt(at)));
  }
}

function pieceAt(at: number): Uint8Array {
  return new Uint8Array(64 * 1024 + at).fill(at);
}

/** A snapshot from one member to another. */
export function snapshotOf(from: bigint, to: bigint, body: AsyncIterable<Uint8Array>, index = 1000): OutgoingSnapshot {
  const confState = { voters: [1n, 2n], learners: [], votersOutgoing: [], learnersNext: [], autoLeave: false };
  const snapshot = { data: new Uint8Array(10).fill(7), metadata: { confState, index, term: 4 } };
  return { message: Message.create({ type: MessageType.SNAP, to, from, term: 5, snapshot }), sizeBytes: 0, body };
}
