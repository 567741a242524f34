/**
 * One stream from a member: whoever wants to read dials. It is dialled as long as we talk to the member, at growing
 * distances while that fails, and at once when the member shows that it is there.
 *
 *     waiting ──time, knock──► dialling ──200──► reading
 *        ▲                         │                │
 *        └───── refused, lost, silent, a frame that cannot be read
 */
import type { ClientRequest, IncomingMessage } from "node:http";
import { failpoint } from "../base/failpoint.ts";
import { memberIdText } from "../base/int64.ts";
import type { Timer } from "../ports/clock.ts";
import { readBody } from "./dial.ts";
import { requestHeaders } from "./handshake.ts";
import { FrameError, isLinkHeartbeat, type MessageDecoder, textOf } from "./message-codec.ts";
import type { Remote, Surroundings } from "./surroundings.ts";

/** A refusal is a sentence. */
const REFUSAL_MAX_BYTES = 4096;

export interface IncomingStreamKind {
  /** For the log. */
  readonly name: string;
  /** "/raft/stream/message" */
  readonly path: string;
  createDecoder(): MessageDecoder;
}

export class IncomingStream {
  readonly #kind: IncomingStreamKind;
  readonly #world: Surroundings;
  readonly #remote: Remote;
  #request: ClientRequest | undefined;
  #timer: Timer | undefined;
  #dialledAt = 0;
  #delayMs: number;
  #isStopped = false;

  constructor(kind: IncomingStreamKind, world: Surroundings, remote: Remote) {
    this.#kind = kind;
    this.#world = world;
    this.#remote = remote;
    this.#delayMs = world.timing.redialMs;
  }

  start(): void {
    this.#dial();
  }

  /** The member is there as far as somebody else has seen: there is no need to wait longer. */
  knock(): void {
    if (this.#timer === undefined) return;
    if (this.#world.clock.monotonicMs() - this.#dialledAt < this.#world.timing.redialMs) return;
    this.#dial();
  }

  stop(): void {
    this.#isStopped = true;
    this.#timer?.cancel();
    this.#timer = undefined;
    this.#request?.destroy();
  }

  #dial(): void {
    if (this.#isStopped) return;
    this.#timer?.cancel();
    this.#timer = undefined;
    this.#dialledAt = this.#world.clock.monotonicMs();
    const { identity, timing, dialer } = this.#world;
    const url = this.#remote.urls.pick();
    let isOver = false;
    const over = (action: "dial" | "read", reason: string) => {
      if (isOver) return;
      isOver = true;
      this.#request?.destroy();
      this.#request = undefined;
      if (action === "dial") this.#remote.urls.failed(url);
      this.#lost(action, reason);
    };
    try {
      this.#request = dialer.open(url, `${this.#kind.path}/${memberIdText(identity.memberId)}`, {
        method: "GET",
        headers: { ...requestHeaders(identity), "X-Raft-To": memberIdText(this.#remote.id) },
        idleMs: timing.readMs,
        dialMs: timing.dialMs,
      });
    } catch (error) {
      over("dial", textOf(error));
      return;
    }
    this.#request.on("error", (error) => over("dial", textOf(error)));
    this.#request.once("close", () => over("dial", "the connection was closed"));
    this.#request.once("response", (response) => {
      if (response.statusCode === 200) this.#read(response, (reason) => over("read", reason));
      else
        this.#refused(response).then(
          (reason) => over("dial", reason),
          (error) => over("dial", textOf(error)),
        );
    });
    this.#request.end();
  }

  #read(response: IncomingMessage, over: (reason: string) => void): void {
    this.#delayMs = this.#world.timing.redialMs;
    this.#remote.status.activate();
    this.#world.logger.info("established TCP streaming connection with remote peer", this.#fields());
    const decoder = this.#kind.createDecoder();
    response.on("data", (bytes: Buffer) => {
      if (this.#isStopped) return;
      this.#remote.series.receivedBytes.inc(bytes.length);
      const problem = this.#take(decoder, bytes);
      if (problem !== undefined) over(problem);
    });
    const ended = (reason: string) =>
      over(decoder.pendingBytes === 0 ? reason : `${reason} in the middle of a message, which is lost`);
    response.once("end", () => ended("the member closed it"));
    response.on("error", (error) => ended(textOf(error)));
    response.once("close", () => ended("the connection was closed"));
  }

  /** Hands on the messages that are complete; answers why the stream cannot be read any further. */
  #take(decoder: MessageDecoder, bytes: Uint8Array): string | undefined {
    decoder.push(bytes);
    while (!this.#isStopped) {
      const next = nextMessage(decoder);
      if (typeof next === "string") {
        this.#remote.series.receivedFailures.inc();
        return next;
      }
      if (next === undefined) return undefined;
      if (failpoint?.("raftDropHeartbeat") !== undefined) continue;
      if (isLinkHeartbeat(next)) continue;
      const problem = this.#world.deliver(next);
      if (problem === undefined) continue;
      this.#remote.series.receivedFailures.inc();
      this.#world.logger.warn("dropped a Raft message", { ...this.#fields(), error: problem });
    }
    return undefined;
  }

  async #refused(response: IncomingMessage): Promise<string> {
    if (response.statusCode === 410) this.#world.reports.selfRemoved();
    const text = (await readBody(response, REFUSAL_MAX_BYTES)).toString().trim();
    return `the member refused with status ${response.statusCode}: ${text}`;
  }

  #lost(action: "dial" | "read", reason: string): void {
    if (this.#isStopped) return;
    const { name } = this.#kind;
    if (action === "read") {
      const fields = { ...this.#fields(), error: reason };
      this.#world.logger.warn("lost TCP streaming connection with remote peer", fields);
    }
    const begunMs = action === "dial" ? this.#dialledAt : undefined;
    this.#remote.status.deactivate(`${action} ${memberIdText(this.#remote.id)} on ${name}`, reason, begunMs);
    const { redialMs, redialMaxMs } = this.#world.timing;
    const since = this.#world.clock.monotonicMs() - this.#dialledAt;
    const waitMs = Math.max(0, this.#delayMs - since);
    this.#delayMs = action === "read" ? redialMs : Math.min(this.#delayMs * 2, redialMaxMs);
    this.#timer = this.#world.clock.after(waitMs, () => this.#dial());
  }

  #fields(): Record<string, unknown> {
    return {
      "stream-reader-type": this.#kind.name,
      "local-member-id": memberIdText(this.#world.identity.memberId),
      "remote-peer-id": memberIdText(this.#remote.id),
    };
  }
}

/** The next message; a sentence when the stream is worthless from here on. */
function nextMessage(decoder: MessageDecoder) {
  try {
    return decoder.next();
  } catch (error) {
    if (error instanceof FrameError) return error.message;
    throw error;
  }
}
