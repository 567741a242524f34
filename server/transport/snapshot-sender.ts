/**
 * A whole state on its way to a member: the MsgSnap behind its length, then the bbolt file, in one request. It is read
 * no faster than the member takes it, and one at a time goes to each.
 */
import type { ClientRequest } from "node:http";
import { memberIdText } from "../base/int64.ts";
import type { OutgoingSnapshot } from "../ports/network.ts";
import { Message } from "../proto/raftpb.ts";
import { readAnswer } from "./dial.ts";
import { requestHeaders } from "./handshake.ts";
import { framed, textOf } from "./message-codec.ts";
import type { NetworkSeries } from "./peer-series.ts";
import { checkPost } from "./pipeline.ts";
import type { Remote, Surroundings } from "./surroundings.ts";

const ANSWER_MAX_BYTES = 64 * 1024;

export class SnapshotSender {
  readonly #world: Surroundings;
  readonly #remote: Remote;
  readonly #series: NetworkSeries;
  #request: ClientRequest | undefined;
  #isBusy = false;
  #isStopped = false;

  constructor(world: Surroundings, remote: Remote, series: NetworkSeries) {
    this.#world = world;
    this.#remote = remote;
    this.#series = series;
  }

  /** Reports what became of it; resolves then. Never rejects. */
  async send(snapshot: OutgoingSnapshot): Promise<void> {
    const to = memberIdText(this.#remote.id);
    const index = snapshot.message.snapshot?.metadata?.index ?? 0;
    const fields = { "snapshot-index": index, "remote-peer-id": to, bytes: snapshot.sizeBytes };
    const start = this.#world.clock.monotonicMs();
    this.#world.logger.info("sending database snapshot", fields);
    this.#series.snapshotSendInflight.with(to).inc();
    try {
      await this.#post(snapshot);
    } catch (error) {
      this.#failed(error, fields, start);
      return;
    } finally {
      this.#series.snapshotSendInflight.with(to).dec();
    }
    this.#remote.status.activate();
    this.#series.snapshotSendSuccess.with(to).inc();
    this.#series.snapshotSendSeconds.with(to).observe((this.#world.clock.monotonicMs() - start) / 1000);
    this.#world.logger.info("sent database snapshot", fields);
    this.#world.reports.snapshotStatus(this.#remote.id, true);
  }

  stop(): void {
    this.#isStopped = true;
    this.#request?.destroy(new Error("this member stops, or the receiver is no member any more"));
  }

  #failed(error: unknown, fields: Readonly<Record<string, unknown>>, begunMs: number): void {
    const { id, status, series } = this.#remote;
    const text = textOf(error);
    this.#world.logger.warn("failed to send database snapshot", { ...fields, error: text });
    if (!this.#isStopped) status.deactivate(`post ${memberIdText(id)} on sendMsgSnap`, text, begunMs);
    series.sentFailures.inc();
    this.#series.snapshotSendFailures.with(memberIdText(id)).inc();
    this.#world.reports.unreachable(id);
    this.#world.reports.snapshotStatus(id, false);
  }

  async #post(snapshot: OutgoingSnapshot): Promise<void> {
    if (this.#isBusy || this.#isStopped) {
      letGo(snapshot.body[Symbol.asyncIterator]());
      throw new Error(this.#isStopped ? "this member stops" : "another snapshot is on its way to this member");
    }
    this.#isBusy = true;
    const { urls } = this.#remote;
    const url = urls.pick();
    try {
      await this.#send(url, snapshot);
    } catch (error) {
      this.#request?.destroy();
      urls.failed(url);
      throw error;
    } finally {
      this.#isBusy = false;
      this.#request = undefined;
    }
  }

  async #send(url: URL, { message, body }: OutgoingSnapshot): Promise<void> {
    const { identity, timing, dialer } = this.#world;
    let request: ClientRequest;
    try {
      request = dialer.open(url, "/raft/snapshot", {
        method: "POST",
        headers: { ...requestHeaders(identity), "Content-Type": "application/octet-stream" },
        idleMs: timing.snapshotIdleMs,
        dialMs: timing.dialMs,
      });
    } catch (error) {
      letGo(body[Symbol.asyncIterator]());
      throw error;
    }
    this.#request = request;
    const answered = readAnswer(request, ANSWER_MAX_BYTES);
    const waiting = new WaitingForAnswer(answered);
    const head = framed(Message.encode(message));
    request.write(head);
    const sent = head.length + (await this.#sendBody(request, body[Symbol.asyncIterator](), waiting));
    if (!waiting.isOver) {
      request.setTimeout(timing.snapshotAnswerMs); // the receiver stores and loads the file before it answers
      request.end();
    }
    checkPost(await answered, this.#world);
    this.#remote.series.sentBytes.inc(sent);
  }

  /** How many bytes were written: all, or those until a refusal came or the connection broke, which no read holds up. */
  async #sendBody(request: ClientRequest, body: AsyncIterator<Uint8Array>, waiting: WaitingForAnswer): Promise<number> {
    let sent = 0;
    while (!waiting.isOver) {
      const reading = body.next();
      const next = await waiting.or(reading);
      if (next?.done === true) return sent;
      if (next === undefined) {
        letGo(body, reading);
        return sent;
      }
      sent += next.value.length;
      if (!request.write(next.value)) await waiting.or(drained(request));
    }
    letGo(body);
    return sent;
  }
}

/** Waits for this and that, but no longer than until the answer has come. (A race would keep every promise of it.) */
class WaitingForAnswer {
  isOver = false;
  #wake: () => void = () => undefined;

  constructor(answered: Promise<unknown>) {
    const over = () => {
      this.isOver = true;
      this.#wake();
    };
    answered.then(over, over);
  }

  /** undefined: the answer came first. */
  or<T>(promise: Promise<T>): Promise<T | undefined> {
    return new Promise((resolve, reject) => {
      this.#wake = () => resolve(undefined);
      promise.then(resolve, reject);
      if (this.isOver) this.#wake();
    });
  }
}

function drained(request: ClientRequest): Promise<void> {
  return new Promise((resolve) => request.once("drain", resolve));
}

/** Lets go of what stands behind a body, once the read that is under way has come back. Nobody waits for it. */
export function letGo(body: AsyncIterator<Uint8Array>, reading: Promise<unknown> = Promise.resolve()): void {
  const close = async () => void (await body.return?.());
  reading.then(close, () => undefined).catch(() => undefined); // it was of no use any more
}
