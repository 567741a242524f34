/** The series of one member, their labels resolved once. */
import { memberIdText } from "../base/int64.ts";
import type { Series } from "../metrics/series.ts";
import type { Counter, Gauge, Histogram } from "../metrics/series-types.ts";

export type NetworkSeries = Series["network"];

export interface PeerSeries {
  readonly active: Gauge;
  readonly disconnected: Counter;
  readonly sentBytes: Counter;
  readonly sentFailures: Counter;
  readonly receivedBytes: Counter;
  readonly receivedFailures: Counter;
  readonly roundTripSeconds: Histogram;
}

export function peerSeries(network: NetworkSeries, local: bigint, remote: bigint): PeerSeries {
  const [us, them] = [memberIdText(local), memberIdText(remote)];
  return {
    active: network.activePeers.with(us, them),
    disconnected: network.disconnectedPeers.with(us, them),
    sentBytes: network.peerSentBytes.with(them),
    sentFailures: network.peerSentFailures.with(them),
    receivedBytes: network.peerReceivedBytes.with(them),
    receivedFailures: network.peerReceivedFailures.with(them),
    roundTripSeconds: network.peerRoundTripSeconds.with(them),
  };
}
