/**
 * One gRPC channel for each member that is asked, kept between calls, as a handshake costs more than what is asked. A
 * channel whose call came to nothing is given up: the next call dials anew, instead of waiting out the pauses of a
 * channel that has failed, or speaking into a connection whose other end is gone.
 */
import { type Client, connect } from "../../server/client/client.ts";
import { type Endpoint, EtcdRefusal } from "./etcd-admin.ts";

export interface ChannelBounds {
  /** Channels at once. Beyond it the one that has rested longest is closed; if all are in use the call is refused. */
  readonly max: number;
  /** One that was not used for so long is closed at the next use of any. */
  readonly idleMs: number;
}

interface Channel {
  readonly client: Client;
  /** With the endpoint's name and certificates: another of them is another channel. */
  readonly identity: string;
  calls: number;
  usedAt: number;
  isGivenUp: boolean;
}

/** A channel that a call is using. */
export interface Lent {
  readonly client: Client;
  /** To be called once; `failed`: nothing is to be expected of this channel any more. */
  giveBack(failed: boolean): void;
}

export class Channels {
  readonly #byUrl = new Map<string, Channel>();
  readonly #bounds: ChannelBounds;
  readonly #now: () => number;
  readonly #dial: (endpoint: Endpoint) => Client;

  /** `now`: milliseconds that never go back. */
  constructor(bounds: ChannelBounds, now: () => number, dial: (endpoint: Endpoint) => Client = dialed) {
    this.#bounds = bounds;
    this.#now = now;
    this.#dial = dial;
  }

  get size(): number {
    return this.#byUrl.size;
  }

  /** A channel to this member. Throws an `EtcdRefusal` when there are too many in use. */
  lend(endpoint: Endpoint): Lent {
    this.#closeIdle();
    const channel = this.#find(endpoint) ?? this.#open(endpoint);
    channel.calls++;
    channel.usedAt = this.#now();
    return {
      client: channel.client,
      giveBack: (failed) => {
        channel.calls--;
        channel.usedAt = this.#now();
        if (failed) this.#giveUp(endpoint.url, channel);
        else if (channel.isGivenUp && channel.calls === 0) channel.client.close();
      },
    };
  }

  /** Closes all; calls that are under way come to an end first. */
  close(): void {
    for (const [url, channel] of this.#byUrl) this.#giveUp(url, channel);
  }

  #find(endpoint: Endpoint): Channel | undefined {
    const channel = this.#byUrl.get(endpoint.url);
    if (channel === undefined || channel.identity === identityOf(endpoint)) return channel;
    this.#giveUp(endpoint.url, channel);
    return undefined;
  }

  #open(endpoint: Endpoint): Channel {
    if (this.#byUrl.size >= this.#bounds.max) this.#makeRoom();
    const channel: Channel = {
      client: this.#dial(endpoint),
      identity: identityOf(endpoint),
      calls: 0,
      usedAt: this.#now(),
      isGivenUp: false,
    };
    this.#byUrl.set(endpoint.url, channel);
    return channel;
  }

  #makeRoom(): void {
    let oldest: [string, Channel] | undefined;
    for (const entry of this.#byUrl) {
      if (entry[1].calls === 0 && (oldest === undefined || entry[1].usedAt < oldest[1].usedAt)) oldest = entry;
    }
    if (oldest === undefined)
      throw new EtcdRefusal("other", `not asked: ${this.#bounds.max} members are being asked, which is the bound`);
    this.#giveUp(...oldest);
  }

  #closeIdle(): void {
    const before = this.#now() - this.#bounds.idleMs;
    for (const [url, channel] of this.#byUrl) {
      if (channel.calls === 0 && channel.usedAt < before) this.#giveUp(url, channel);
    }
  }

  /** No new call gets it; it is closed when those that use it are done. */
  #giveUp(url: string, channel: Channel): void {
    if (this.#byUrl.get(url) === channel) this.#byUrl.delete(url);
    channel.isGivenUp = true;
    if (channel.calls === 0) channel.client.close();
  }
}

function identityOf({ serverName, tls }: Endpoint): string {
  return JSON.stringify([serverName, tls?.ca, tls?.certificate, tls?.key]);
}

function dialed({ url, serverName, tls }: Endpoint): Client {
  if (!url.startsWith("https:")) return connect(url);
  return connect(url, {
    tls: { ca: tls?.ca, cert: tls?.certificate, key: tls?.key, serverName },
  });
}
