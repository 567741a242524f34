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
      this.#failed(error, fields);
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

  #failed(error: unknown, fields: Readonly<Record<string, unknown>>): void {
    const { id, status, series } = this.#remote;
    const text = textOf(error);
    this.#world.logger.warn("failed to send database snapshot", { ...fields, error: text });
    if (!this.#isStopped) status.deactivate(`post ${memberIdText(id)} on sendMsgSnap`, text);
    series.sentFailures.inc();
    this.#series.snapshotSendFailures.with(memberIdText(id)).inc();
    this.#world.reports.unreachable(id);
    this.#world.reports.snapshotStatus(id, false);
  }

  async #post(snapshot: OutgoingSnapshot): Promise<void> {
    if (this.#isBusy || this.#isStopped) {
      await closeBody(snapshot.body);
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
      await closeBody(body);
      throw error;
    }
    this.#request = request;
    const answered = readAnswer(request, ANSWER_MAX_BYTES);
    let isAnswered = false;
    const settled = answered.then(
      () => {
        isAnswered = true;
      },
      () => {
        isAnswered = true;
      },
    );
    const head = framed(Message.encode(message));
    request.write(head);
    let sent = head.length;
    for await (const piece of body) {
      if (isAnswered) break; // a refusal, or a broken connection
      sent += piece.length;
      if (!request.write(piece)) await Promise.race([settled, drained(request)]);
    }
    if (!isAnswered) {
      request.setTimeout(timing.snapshotAnswerMs); // the receiver stores and loads the file before it answers
      request.end();
    }
    checkPost(await answered, this.#world);
    this.#remote.series.sentBytes.inc(sent);
  }
}

function drained(request: ClientRequest): Promise<void> {
  return new Promise((resolve) => request.once("drain", resolve));
}

/** Lets go of what stands behind a body that nobody reads. */
async function closeBody(body: AsyncIterable<Uint8Array>): Promise<void> {
  await body[Symbol.asyncIterator]().return?.();
}
