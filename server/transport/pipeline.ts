/**
 * Messages one by one, each a request of its own: for as long as no stream stands, and for those who are no members yet.
 * A few are under way at a time; when too many wait, further ones are refused.
 */
import { memberIdText } from "../base/int64.ts";
import { Message } from "../proto/raftpb.ts";
import { type PeerResponse, readAnswer } from "./dial.ts";
import { REMOVED_MEMBER, requestHeaders, WRONG_MEMBER } from "./handshake.ts";
import { textOf } from "./message-codec.ts";
import type { Remote, Surroundings } from "./surroundings.ts";

/** Under way at a time, and waiting, to one member: etcd's. */
export const PIPELINE_WIDTH = 4;
export const PIPELINE_QUEUE_MAX = 64;
const ANSWER_MAX_BYTES = 64 * 1024;

export class Pipeline {
  readonly #world: Surroundings;
  readonly #remote: Remote;
  readonly #queue: Uint8Array[] = [];
  #running = 0;
  #isStopped = false;

  constructor(world: Surroundings, remote: Remote) {
    this.#world = world;
    this.#remote = remote;
  }

  /** Whether the message was taken down; false: too many wait. */
  send(message: Message): boolean {
    if (this.#isStopped || this.#queue.length >= PIPELINE_QUEUE_MAX) return false;
    this.#queue.push(Message.encode(message));
    if (this.#running < PIPELINE_WIDTH) this.#next();
    return true;
  }

  stop(): void {
    this.#isStopped = true;
    this.#queue.length = 0;
  }

  #next(): void {
    const bytes = this.#queue.shift();
    if (bytes === undefined || this.#isStopped) return;
    this.#running++;
    void this.#post(bytes).finally(() => {
      this.#running--;
      this.#next();
    });
  }

  /** Never rejects. */
  async #post(bytes: Uint8Array): Promise<void> {
    const { status, series, urls, id } = this.#remote;
    const url = urls.pick();
    const begunMs = this.#world.clock.monotonicMs();
    try {
      const { identity, timing, dialer } = this.#world;
      const request = dialer.open(url, "/raft", {
        method: "POST",
        headers: {
          ...requestHeaders(identity),
          "Content-Type": "application/protobuf",
          "Content-Length": bytes.length,
        },
        idleMs: timing.writeMs,
        dialMs: timing.dialMs,
      });
      request.end(bytes);
      checkPost(await readAnswer(request, ANSWER_MAX_BYTES), this.#world);
    } catch (error) {
      if (this.#isStopped) return;
      urls.failed(url);
      status.deactivate(`write ${memberIdText(id)} on pipeline`, textOf(error), begunMs);
      series.sentFailures.inc();
      this.#world.reports.unreachable(id);
      return;
    }
    if (this.#isStopped) return;
    status.activate();
    series.sentBytes.inc(bytes.length);
  }
}

/** Throws unless the member took what was posted. */
export function checkPost(answer: PeerResponse, world: Surroundings): void {
  if (answer.status === 204) return;
  const text = answer.body.toString().trim();
  // etcd takes every 403 as its own removal; here the text must say it, for a proxy may say 403 too.
  if (answer.status === 403 && text.includes(REMOVED_MEMBER)) world.reports.selfRemoved();
  const hint = text.includes(WRONG_MEMBER) ? " (is its peer URL that of another member?)" : "";
  throw new Error(`the member refused with status ${answer.status}: ${text}${hint}`);
}
