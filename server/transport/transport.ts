/**
 * The front door of the room: the port `Network` on etcd's peer protocol, HTTP/1.1 on sockets of its own.
 *
 *     GET  /raft/stream/{message,msgapp}/<who asks>   a member opens a stream to read from us      outgoing-stream.ts
 *     POST /raft                                      one message                                  pipeline.ts
 *     POST /raft/snapshot                             a message and a bbolt file                   snapshot-receiver.ts
 *     GET  /raft/probing                              how far is it                                probe.ts
 *     /version /members /leases ...                   what members ask each other                  peer-api.ts
 *
 * Everything here runs on the loop and waits for nothing: a slow member has a queue of its own, and its end. Put together:
 *
 *     const certificates = new PeerCertificates({ server: new TlsFiles(...), isClientRequired, logger });
 *     const listener = await PeerListener.bind([{ host, port, isSecure: true }], certificates);
 *     const network = new Transport({ identity, clock, logger, series: series.network, certificates });
 *     network.start(receiver);
 *     listener.serve(network.handler);
 */
import type { IncomingMessage, RequestListener, ServerResponse } from "node:http";
import { assert } from "../base/assert.ts";
import { EtcdError } from "../base/error.ts";
import { memberIdText } from "../base/int64.ts";
import type { Clock } from "../ports/clock.ts";
import type { Logger } from "../ports/logger.ts";
import type { Answers, Network, OutgoingSnapshot, QuestionKind, Questions, Receiver } from "../ports/network.ts";
import { Message, MessageType } from "../proto/raftpb.ts";
import { Dialer, readBody } from "./dial.ts";
import {
  answerJsonError,
  answerText,
  answerWrongMethod,
  headerOf,
  type Identity,
  parseId,
  REMOVED_MEMBER,
  refusalOf,
  WRONG_MEMBER,
} from "./handshake.ts";
import { MESSAGE_MAX_BYTES, textOf } from "./message-codec.ts";
import { SharedEntries } from "./msgapp-codec.ts";
import { createRemote, Peer, type StreamKind } from "./peer.ts";
import type { PeerCertificates } from "./peer-certificates.ts";
import type { NetworkSeries } from "./peer-series.ts";
import { Pipeline } from "./pipeline.ts";
import { PROBING_PATH, probeAnswer } from "./probe.ts";
import { answer, ask, questionKindOf } from "./questions.ts";
import { Reports } from "./reports.ts";
import { SnapshotReceiver } from "./snapshot-receiver.ts";
import { letGo } from "./snapshot-sender.ts";
import { DEFAULT_TIMING, type Surroundings, type Timing } from "./surroundings.ts";

export type { Identity } from "./handshake.ts";
export type { Timing } from "./surroundings.ts";

export interface TransportOptions {
  readonly identity: Identity;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly series: NetworkSeries;
  /** Needed for https URLs. */
  readonly certificates?: PeerCertificates | undefined;
  /** `--raft-read-timeout`, `--raft-write-timeout` and what has no flag. */
  readonly timing?: Partial<Timing> | undefined;
}

/** Senders who are no members that we answer; a further one is not taken up. A cluster is far smaller. */
export const REMOTES_MAX = 64;

const STREAMS_PATH = "/raft/stream/";
/** Which stream, and who dials. */
const STREAM_PATH = /^\/raft\/stream\/(message|msgapp)\/([^/]*)$/;

interface Stranger {
  readonly pipeline: Pipeline;
}

export class Transport implements Network {
  readonly #options: TransportOptions;
  readonly #world: Omit<Surroundings, "reports" | "deliver">;
  readonly #peers = new Map<bigint, Peer>();
  readonly #strangers = new Map<bigint, Stranger>();
  #started: Started | undefined;
  #isClosed = false;

  constructor(options: TransportOptions) {
    const { identity, clock, logger, certificates, timing } = options;
    this.#options = options;
    this.#world = {
      identity,
      clock,
      logger,
      timing: { ...DEFAULT_TIMING, ...timing },
      dialer: new Dialer(certificates),
      sharedEntries: new SharedEntries(),
    };
  }

  /** Answers the requests of other members; to be served once `start` was called. */
  readonly handler: RequestListener = (request, response) => {
    response.on("error", () => undefined); // its close follows
    const started = this.#started;
    if (started === undefined || this.#isClosed) answerText(response, 503, "this member is not serving");
    else this.#route(started, request, response);
  };

  start(receiver: Receiver): void {
    assert(this.#started === undefined, "a network is started once");
    const reports = new Reports(receiver);
    const world: Surroundings = { ...this.#world, reports, deliver: (message) => this.#deliver(receiver, message) };
    const snapshots = new SnapshotReceiver(world, receiver, this.#options.series);
    this.#started = { receiver, world, reports, snapshots };
  }

  send(messages: readonly Message[]): void {
    for (const message of messages) {
      if (message.to === 0n) continue;
      assert(message.type !== MessageType.SNAP, "a snapshot goes by sendSnapshot");
      const peer = this.#peers.get(message.to);
      if (peer !== undefined) peer.send(message);
      else this.#strangers.get(message.to)?.pipeline.send(message);
    }
  }

  sendSnapshot(snapshot: OutgoingSnapshot): void {
    const { to } = snapshot.message;
    const peer = this.#peers.get(to);
    if (peer !== undefined) {
      peer.sendSnapshot(snapshot);
      return;
    }
    letGo(snapshot.body[Symbol.asyncIterator]());
    this.#running().reports.snapshotStatus(to, false);
  }

  addPeer(id: bigint, urls: readonly string[]): void {
    const { world } = this.#running();
    if (this.#isClosed || this.#peers.has(id)) return;
    this.#dropStranger(id);
    this.#peers.set(id, new Peer(createRemote(id, urls, world, this.#options.series), world, this.#options.series));
    this.#log("added remote peer", id, urls);
  }

  addRemote(id: bigint, urls: readonly string[]): void {
    const { world } = this.#running();
    if (this.#isClosed || this.#peers.has(id) || this.#strangers.has(id)) return;
    if (this.#strangers.size >= REMOTES_MAX || id === world.identity.memberId) return;
    const remote = createRemote(id, urls, world, this.#options.series);
    this.#strangers.set(id, { pipeline: new Pipeline(world, remote) });
    this.#log("added new remote peer", id, urls);
  }

  updatePeer(id: bigint, urls: readonly string[]): void {
    const peer = this.#peers.get(id);
    if (peer === undefined) return;
    peer.update(urls);
    this.#log("updated remote peer", id, urls);
  }

  removePeer(id: bigint): void {
    const peer = this.#peers.get(id);
    if (peer === undefined) return;
    this.#peers.delete(id);
    peer.stop();
    this.#log("removed remote peer", id, []);
  }

  activeSince(id: bigint): number | undefined {
    return this.#peers.get(id)?.activeSince;
  }

  ask<K extends QuestionKind>(
    urls: readonly string[],
    kind: K,
    question: Questions[K],
    timeoutMs: number,
  ): Promise<Answers[K]> {
    return ask(this.#world, urls, kind, question, timeoutMs);
  }

  async close(): Promise<void> {
    if (this.#isClosed) return;
    this.#isClosed = true;
    for (const peer of this.#peers.values()) peer.stop();
    for (const id of this.#strangers.keys()) this.#dropStranger(id);
    this.#peers.clear();
    this.#started?.snapshots.close();
    this.#world.dialer.close();
    await new Promise((resolve) => setImmediate(resolve)); // what was broken off has reported by then
    this.#started?.reports.flush();
    this.#started?.reports.close();
  }

  #running(): Started {
    assert(this.#started !== undefined, "a network is started before it is used");
    return this.#started;
  }

  #dropStranger(id: bigint): void {
    this.#strangers.get(id)?.pipeline.stop();
    this.#strangers.delete(id);
  }

  /** Hands a message on; a sentence says why not. */
  #deliver(receiver: Receiver, message: Message): string | undefined {
    if (this.#isClosed) return "this member stops";
    if (receiver.isRemoved(message.from)) return REMOVED_MEMBER;
    if (message.to !== this.#world.identity.memberId) return WRONG_MEMBER;
    receiver.message(message);
    return undefined;
  }

  #route(started: Started, request: IncomingMessage, response: ServerResponse): void {
    const path = pathOf(request);
    const kind = questionKindOf(path);
    if (path.startsWith(STREAMS_PATH)) this.#openStream(started, path, request, response);
    else if (path === "/raft") void this.#takeMessage(started, request, response);
    else if (path === "/raft/snapshot") this.#takeSnapshot(started, request, response);
    else if (path === PROBING_PATH) answerProbe(response, this.#world.clock);
    else if (kind !== undefined) void answer(kind, path, request, response, started.world, started.receiver.answers);
    else answerText(response, 404, "404 page not found");
  }

  /** A member dials to read from us. */
  #openStream({ receiver, world }: Started, path: string, request: IncomingMessage, response: ServerResponse): void {
    const { identity } = world;
    if (request.method !== "GET") {
      answerWrongMethod(response, "GET");
      return;
    }
    response.setHeader("X-Server-Version", identity.serverVersion);
    response.setHeader("X-Etcd-Cluster-ID", memberIdText(identity.clusterId));
    if (this.#isRefused(request, response)) return;
    const [, kind, from] = STREAM_PATH.exec(path) ?? [];
    const caller = from === undefined ? { status: 404, text: "invalid path" } : this.#callerOf(from, request, receiver);
    if (caller instanceof Peer) {
      response.writeHead(200);
      response.flushHeaders();
      caller.attach(kind as StreamKind, response);
      return;
    }
    world.logger.warn("rejected stream from remote peer", { path, error: caller.text });
    answerText(response, caller.status, caller.text);
  }

  /** The member that dials, or why it gets no stream. */
  #callerOf(from: string, request: IncomingMessage, receiver: Receiver): Peer | { status: number; text: string } {
    const id = parseId(from);
    if (id === undefined) return { status: 404, text: "invalid from" };
    if (receiver.isRemoved(id)) return { status: 410, text: "removed member" };
    const peer = this.#peers.get(id);
    if (peer === undefined) {
      this.#rememberSender(request, id);
      return { status: 404, text: "error sender not found" };
    }
    const isForUs = headerOf(request.headers, "x-raft-to") === memberIdText(this.#world.identity.memberId);
    return isForUs ? peer : { status: 412, text: "to field mismatch" };
  }

  /** One message by itself. Never rejects. */
  async #takeMessage({ world }: Started, request: IncomingMessage, response: ServerResponse): Promise<void> {
    if (!this.#isPost(request, response)) return;
    let message: Message;
    try {
      request.setTimeout(world.timing.readMs, () => request.destroy());
      const bytes = await readBody(request, MESSAGE_MAX_BYTES);
      request.setTimeout(0);
      message = Message.decode(bytes);
      this.#options.series.peerReceivedBytes.with(memberIdText(message.from)).inc(bytes.length);
    } catch (error) {
      const isUnreadable = error instanceof EtcdError;
      this.#options.series.peerReceivedFailures.with("other").inc();
      world.logger.warn(`failed to ${isUnreadable ? "unmarshal" : "read"} Raft message`, { error: textOf(error) });
      answerText(response, 400, isUnreadable ? "error unmarshalling raft message" : "error reading raft message");
      return;
    }
    const problem = world.deliver(message);
    if (problem === undefined) response.writeHead(204).end();
    else if (problem === REMOVED_MEMBER) answerJsonError(response, 403, problem);
    else answerText(response, 500, problem); // a 403 tells a member of etcd that it was removed, and it would stop
  }

  #takeSnapshot({ snapshots }: Started, request: IncomingMessage, response: ServerResponse): void {
    if (this.#isPost(request, response)) void snapshots.handle(request, response);
  }

  /** Whether this is a post of somebody who may; else it has been answered. */
  #isPost(request: IncomingMessage, response: ServerResponse): boolean {
    if (request.method !== "POST") {
      answerWrongMethod(response, "POST");
      return false;
    }
    response.setHeader("X-Etcd-Cluster-ID", memberIdText(this.#world.identity.clusterId));
    if (this.#isRefused(request, response)) return false;
    const from = parseId(headerOf(request.headers, "x-server-from"));
    if (from !== undefined) this.#rememberSender(request, from);
    return true;
  }

  #isRefused(request: IncomingMessage, response: ServerResponse): boolean {
    const refusal = refusalOf(request.headers, this.#world.identity);
    if (refusal === undefined) return false;
    this.#world.logger.warn("refused a request of a peer", {
      "remote-addr": request.socket.remoteAddress ?? "",
      error: refusal.reason,
    });
    response.setHeader("Connection", "close"); // what it sends is not read
    answerText(response, refusal.status, refusal.text);
    return true;
  }

  /** Somebody of our cluster whom we do not know yet: it may be the leader of a cluster that we have just joined. */
  #rememberSender(request: IncomingMessage, id: bigint): void {
    const urls = (headerOf(request.headers, "x-peerurls") ?? "").split(",").map((url) => url.trim());
    try {
      this.addRemote(id, urls);
    } catch {
      // No URL that we could reach it at: then it gets no answers.
    }
  }

  #log(message: string, id: bigint, urls: readonly string[]): void {
    this.#world.logger.info(message, {
      "local-member-id": memberIdText(this.#world.identity.memberId),
      "remote-peer-id": memberIdText(id),
      "remote-peer-urls": urls,
    });
  }
}

/** What there is once somebody receives. */
interface Started {
  readonly receiver: Receiver;
  readonly world: Surroundings;
  readonly reports: Reports;
  readonly snapshots: SnapshotReceiver;
}

function pathOf(request: IncomingMessage): string {
  return (request.url ?? "/").split("?", 1)[0] as string;
}

function answerProbe(response: ServerResponse, clock: Clock): void {
  response.writeHead(200, { "Content-Type": "text/plain; charset=utf-8" });
  response.end(probeAnswer(clock.wallMs()));
}
