/**
 * Watch: carries a client's requests to the hub, and what the hub has for this stream to the client.
 *
 *   engine ── message() ──► WatchSide (create, cancel, progress)
 *   engine ◄─ write() ───── next() ◄── onWritable ── hub
 *
 * Held back both ways: nothing is taken out of the hub's outbox while the client does not read (its watches then fall
 * behind and read history later), and no further request is read while too many answers wait.
 */
import { failpoint } from "../base/failpoint.ts";
import { type WatchRequest, WatchResponse } from "../proto/etcdserverpb.ts";
import type { Call, Inlet, Outlet } from "./call.ts";
import { headerWithRevision } from "./header.ts";
import type { MemberApi, WatchSide } from "./member-api.ts";

export class Watch {
  readonly #member: MemberApi;

  constructor(member: MemberApi) {
    this.#member = member;
  }

  watch(_call: Call, outlet: Outlet<WatchResponse>): Inlet<WatchRequest> {
    return new WatchConnection(this.#member, outlet);
  }
}

class WatchConnection implements Inlet<WatchRequest> {
  readonly #member: MemberApi;
  readonly #outlet: Outlet<WatchResponse>;
  readonly #side: WatchSide;
  /** The client takes more. */
  #room = true;
  /** The engine waits for this before it reads on. */
  #readOn: (() => void) | undefined;

  constructor(member: MemberApi, outlet: Outlet<WatchResponse>) {
    this.#member = member;
    this.#outlet = outlet;
    this.#side = member.hub.openStream({ onWritable: () => this.#send() });
    outlet.onDrain(() => {
      this.#room = true;
      this.#send();
    });
  }

  message({ requestUnion }: WatchRequest): void | Promise<void> {
    switch (requestUnion?.kind) {
      case "create":
        this.#side.create(requestUnion.value);
        break;
      case "cancel":
        this.#side.cancel(requestUnion.value.watchId);
        break;
      case "progress":
        failpoint?.("beforeProgressIfSync");
        this.#side.requestProgress();
        break;
      default: // a request that a later version knows: passed over, as etcd does
        break;
    }
    if (!this.#side.full) return;
    return new Promise((resolve) => {
      this.#readOn = resolve;
    });
  }

  /** Watches live on; the client ends the stream by canceling it. */
  halfClose(): void {}

  canceled(): void {
    this.#room = false;
    this.#side.close();
    this.#resumeReading();
  }

  #send(): void {
    while (this.#room) {
      const delivery = this.#side.next();
      if (delivery === undefined) break;
      failpoint?.("beforeSendWatchResponse");
      // The header is that of the moment of encoding; streams that share the message share it too.
      delivery.encoded ??= WatchResponse.encode({
        ...delivery.response,
        header: headerWithRevision(this.#member, delivery.revision),
      });
      this.#room = this.#outlet.writeEncoded(delivery.encoded);
    }
    if (!this.#side.full) this.#resumeReading();
  }

  #resumeReading(): void {
    const readOn = this.#readOn;
    this.#readOn = undefined;
    readOn?.();
  }
}
