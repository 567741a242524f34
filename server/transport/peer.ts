/**
 * One other member: two streams each way, messages one by one for as long as those do not stand, and snapshots.
 *
 *     append         ─► stream msgappv2 ─┐
 *     anything else  ─► stream message  ─┼─ not there ─► pipeline
 *     snapshot       ─► a request of its own
 */
import type { ServerResponse } from "node:http";
import { memberIdText } from "../base/int64.ts";
import type { Timer } from "../ports/clock.ts";
import type { OutgoingSnapshot } from "../ports/network.ts";
import { type Message, MessageType } from "../proto/raftpb.ts";
import { IncomingStream } from "./incoming-stream.ts";
import { PlainDecoder, PlainEncoder } from "./message-codec.ts";
import { MsgAppDecoder, MsgAppEncoder } from "./msgapp-codec.ts";
import { OutgoingStream } from "./outgoing-stream.ts";
import { type NetworkSeries, peerSeries } from "./peer-series.ts";
import { PeerStatus } from "./peer-status.ts";
import { PeerUrls } from "./peer-urls.ts";
import { Pipeline } from "./pipeline.ts";
import { DRIFT_MAX_MS, probe } from "./probe.ts";
import { SnapshotSender } from "./snapshot-sender.ts";
import type { Remote, Surroundings } from "./surroundings.ts";

/** As paths name them. */
export type StreamKind = "message" | "msgapp";

const NAMES = { message: "stream Message", msgapp: "stream MsgApp v2" } as const;

/** A full queue is told of once in this time, with how many messages it has cost. */
const DROP_LOG_MS = 5000;
/** And clocks that are apart, as often as etcd does. */
const DRIFT_LOG_MS = 30_000;

/** The parts that members and those who are none yet share. */
export function createRemote(id: bigint, urls: readonly string[], world: Surroundings, series: NetworkSeries): Remote {
  const ownSeries = peerSeries(series, world.identity.memberId, id);
  const status = new PeerStatus(id, world.clock, world.logger, ownSeries);
  return { id, urls: new PeerUrls(urls), status, series: ownSeries };
}

export class Peer {
  readonly #world: Surroundings;
  readonly #remote: Remote;
  readonly #outgoing: Readonly<Record<StreamKind, OutgoingStream>>;
  readonly #incoming: readonly IncomingStream[];
  readonly #pipeline: Pipeline;
  readonly #snapshots: SnapshotSender;
  #probeTimer: Timer | undefined;
  #isStopped = false;
  #dropped = 0;
  #droppedToldAt = Number.NEGATIVE_INFINITY;
  #driftToldAt = Number.NEGATIVE_INFINITY;

  constructor(remote: Remote, world: Surroundings, series: NetworkSeries) {
    this.#world = world;
    this.#remote = remote;
    this.#outgoing = {
      message: new OutgoingStream(NAMES.message, () => new PlainEncoder(), world, remote),
      msgapp: new OutgoingStream(NAMES.msgapp, () => new MsgAppEncoder(world.sharedEntries), world, remote),
    };
    const ends = { local: world.identity.memberId, remote: remote.id };
    const kinds = [
      { name: NAMES.msgapp, path: "/raft/stream/msgapp", createDecoder: () => new MsgAppDecoder(ends) },
      { name: NAMES.message, path: "/raft/stream/message", createDecoder: () => new PlainDecoder() },
    ];
    this.#incoming = kinds.map((kind) => new IncomingStream(kind, world, remote));
    this.#pipeline = new Pipeline(world, remote);
    this.#snapshots = new SnapshotSender(world, remote, series);
    for (const stream of this.#incoming) stream.start();
    this.#scheduleProbe();
  }

  get activeSince(): number | undefined {
    return this.#remote.status.activeSince;
  }

  send(message: Message): void {
    const way = this.#pick(message);
    if (!way.send(message)) this.#drop(message);
  }

  sendSnapshot(snapshot: OutgoingSnapshot): void {
    void this.#snapshots.send(snapshot);
  }

  /** The member has dialled for a stream of this kind. */
  attach(kind: StreamKind, response: ServerResponse): void {
    this.#outgoing[kind].attach(response);
    for (const stream of this.#incoming) stream.knock();
  }

  update(urls: readonly string[]): void {
    this.#remote.urls.update(urls);
  }

  stop(): void {
    this.#isStopped = true;
    this.#probeTimer?.cancel();
    for (const stream of this.#incoming) stream.stop();
    this.#outgoing.message.stop();
    this.#outgoing.msgapp.stop();
    this.#pipeline.stop();
    this.#snapshots.stop();
    this.#remote.status.stop();
  }

  #pick({ type }: Message): { send(message: Message): boolean } {
    const { message, msgapp } = this.#outgoing;
    if (type === MessageType.APP && msgapp.isOpen) return msgapp;
    return message.isOpen ? message : this.#pipeline;
  }

  #drop(message: Message): void {
    const { id, series } = this.#remote;
    this.#world.reports.unreachable(id);
    series.sentFailures.inc();
    this.#dropped++;
    const now = this.#world.clock.monotonicMs();
    if (now - this.#droppedToldAt < DROP_LOG_MS) return;
    this.#world.logger.warn("dropped internal Raft message since sending buffer is full", {
      "message-type": message.type,
      "local-member-id": memberIdText(this.#world.identity.memberId),
      "remote-peer-id": memberIdText(id),
      "remote-peer-active": this.activeSince !== undefined,
      dropped: this.#dropped,
    });
    this.#droppedToldAt = now;
    this.#dropped = 0;
  }

  #scheduleProbe(): void {
    this.#probeTimer = this.#world.clock.after(this.#world.timing.probeMs, () => {
      void probe(this.#world, this.#remote).then((driftMs) => {
        if (this.#isStopped) return;
        if (driftMs !== undefined && Math.abs(driftMs) > DRIFT_MAX_MS) this.#warnOfDrift(driftMs);
        this.#scheduleProbe();
      });
    });
  }

  #warnOfDrift(driftMs: number): void {
    const now = this.#world.clock.monotonicMs();
    if (now - this.#driftToldAt < DRIFT_LOG_MS) return;
    this.#driftToldAt = now;
    this.#world.logger.warn("prober found high clock drift", {
      "remote-peer-id": memberIdText(this.#remote.id),
      "clock-drift": `${Math.round(driftMs)}ms`,
    });
  }
}
