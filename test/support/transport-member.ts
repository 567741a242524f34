/** The real transport on a loopback port with a receiver that keeps what it is told: for tests of the transport. */
import { concatBytes } from "../../server/base/bytes.ts";
import { Registry } from "../../server/metrics/registry.ts";
import { createSeries, type Series } from "../../server/metrics/series.ts";
import type { AnswerTable, Receiver, SnapshotSink } from "../../server/ports/network.ts";
import { Message, MessageType } from "../../server/proto/raftpb.ts";
import { SystemClock } from "../../server/system/clock.ts";
import type { PeerCertificates } from "../../server/transport/peer-certificates.ts";
import { PeerListener } from "../../server/transport/peer-listener.ts";
import { type Timing, Transport } from "../../server/transport/transport.ts";
import { LogLines } from "./settling.ts";

/** Dials quickly; silence is as long as it usually is, for a busy machine falls silent too. */
const QUICK: Partial<Timing> = { redialMs: 20, redialMaxMs: 80 };

export interface TransportMemberOptions {
  readonly clusterId?: bigint;
  readonly serverVersion?: string;
  readonly minClusterVersion?: string;
  readonly timing?: Partial<Timing>;
  readonly certificates?: PeerCertificates;
  readonly answers?: Partial<AnswerTable>;
}

export class TransportMember {
  readonly id: bigint;
  readonly url: string;
  readonly network: Transport;
  readonly listener: PeerListener;
  readonly log = new LogLines();
  readonly series: Series = createSeries(new Registry());
  readonly messages: Message[] = [];
  readonly lost: bigint[] = [];
  readonly snapshotsSent: { readonly id: bigint; readonly wasDelivered: boolean }[] = [];
  readonly snapshots: { readonly message: Message; readonly body: Uint8Array }[] = [];
  readonly aborted: string[] = [];
  readonly removed = new Set<bigint>();
  selfRemovals = 0;
  /** Replaces the sink that keeps everything. */
  openSnapshot: ((message: Message) => SnapshotSink) | undefined;

  private constructor(id: bigint, listener: PeerListener, options: TransportMemberOptions) {
    this.id = id;
    this.listener = listener;
    this.url = `${options.certificates === undefined ? "http" : "https"}://${listener.addresses[0]}`;
    this.network = new Transport({
      identity: {
        memberId: id,
        clusterId: options.clusterId ?? 0xc0ffeen,
        peerUrls: [this.url],
        serverVersion: options.serverVersion ?? "3.7.3",
        minClusterVersion: options.minClusterVersion ?? "3.0.0",
      },
      clock: new SystemClock(),
      logger: this.log,
      series: this.series.network,
      certificates: options.certificates,
      timing: options.timing ?? QUICK,
    });
    this.network.start(this.#receiver(options.answers ?? {}));
    listener.serve(this.network.handler);
  }

  static async start(id: bigint, options: TransportMemberOptions = {}): Promise<TransportMember> {
    const address = { host: "127.0.0.1", port: 0, isSecure: options.certificates !== undefined };
    return new TransportMember(id, await PeerListener.bind([address], options.certificates), options);
  }

  /** Knows `other` at its own URL, or at that of something in between. */
  meet(other: TransportMember, url = other.url): void {
    this.network.addPeer(other.id, [url]);
  }

  /** A heartbeat with a number in it. */
  heartbeat(to: bigint, commit: number): Message {
    return Message.create({ type: MessageType.HEARTBEAT, to, from: this.id, term: 5, commit });
  }

  async close(): Promise<void> {
    await this.network.close();
    await this.listener.close();
  }

  #receiver(answers: Partial<AnswerTable>): Receiver {
    return {
      message: (message) => void this.messages.push(message),
      unreachable: (id) => void this.lost.push(id),
      snapshotStatus: (id, wasDelivered) => void this.snapshotsSent.push({ id, wasDelivered }),
      isRemoved: (id) => this.removed.has(id),
      selfRemoved: () => {
        this.selfRemovals++;
      },
      openSnapshot: (message) => this.openSnapshot?.(message) ?? this.#sink(message),
      answers: { ...NO_ANSWERS, ...answers },
    };
  }

  #sink(message: Message): SnapshotSink {
    const pieces: Uint8Array[] = [];
    return {
      write: (bytes) => void pieces.push(bytes),
      end: async () => void this.snapshots.push({ message, body: concatBytes(pieces) }),
      abort: (reason) => void this.aborted.push(reason.message),
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

/** Members that know each other; closed when the body is done. */
export async function withMembers(
  count: number,
  body: (members: TransportMember[]) => Promise<void>,
  options: TransportMemberOptions = {},
): Promise<void> {
  const members: TransportMember[] = [];
  try {
    for (let n = 1; n <= count; n++) members.push(await TransportMember.start(BigInt(n), options));
    for (const one of members) for (const other of members) if (one !== other) one.meet(other);
    await body(members);
  } finally {
    await Promise.all(members.map((member) => member.close()));
  }
}

/** Resolves when `condition` holds; fails after a time that no machine needs. */
export async function eventually(condition: () => boolean, what: string): Promise<void> {
  const deadline = Date.now() + 20_000;
  while (!condition()) {
    if (Date.now() > deadline) throw new Error(`${what}: it never happened`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

/** Both streams stand in both directions. */
export async function connected(one: TransportMember, other: TransportMember): Promise<void> {
  const open = (member: TransportMember, peer: bigint, side: string) =>
    member.log.lines.filter(
      ({ message, fields }) =>
        message === "established TCP streaming connection with remote peer" &&
        fields["remote-peer-id"] === peer.toString(16) &&
        fields[side] !== undefined,
    ).length >= 2;
  await eventually(
    () =>
      open(one, other.id, "stream-reader-type") &&
      open(one, other.id, "stream-writer-type") &&
      open(other, one.id, "stream-reader-type") &&
      open(other, one.id, "stream-writer-type"),
    `members ${one.id} and ${other.id} are connected`,
  );
}
