/** The bounds that a leader keeps: what it has taken on and not committed, and what it has sent and heard nothing of. */
import type { RawNode } from "../../server/raft/raw-node.ts";
import type { MemberProgress } from "../../server/raft/status.ts";
import type { RaftWeather } from "./raft-weather.ts";

/** Bytes that an entry counts for beyond its data, at most. */
const ENTRY_OVERHEAD_BYTES = 24;
/** Of a change of the configuration, more than which no entry without a value has. */
const CHANGE_BYTES_MAX = 100;

/** Which bound the leader `node` is beyond; undefined: none. Reads much: for now and then. */
export function beyondBounds(node: RawNode, weather: RaftWeather): string | undefined {
  const { uncommittedBytes, progress, commit, lastIndex } = node.status();
  const { uncommittedBytesMax, inflightMax } = weather.raft;
  // Beyond the bound: one proposal, and entries without data, which are never refused.
  const empty = ENTRY_OVERHEAD_BYTES * (lastIndex - commit + 1);
  if (uncommittedBytes > uncommittedBytesMax + entryBytesMax(weather) + empty)
    return `${node.id} leads with ${uncommittedBytes} bytes uncommitted, ${uncommittedBytesMax} at most`;
  for (const member of progress) {
    const { id, match, next, inflight } = member;
    if (id === node.id) continue;
    if (inflight > inflightMax) return `${inflight} appends to ${id} in flight, ${inflightMax} at most`;
    if (match >= next) return `${id} matches ${match}, and ${next} is sent next`;
    const bytes = inflightBytes(node, member);
    const most = inflightBytesMax(weather);
    if (bytes > most) return `${bytes} bytes in flight to ${id}, ${most} at most`;
  }
  return undefined;
}

function inflightBytes(node: RawNode, { match, next, state }: MemberProgress): number {
  let bytes = 0;
  if (state === "replicate")
    for (let index = match + 1; index < next; index++) bytes += node.entry(index)?.data.length ?? 0;
  return bytes;
}

/** Soft by one message, which is soft by one entry. */
function inflightBytesMax(weather: RaftWeather): number {
  const { inflightBytesMax: most, maxMessageBytes } = weather.raft;
  return most === 0 ? Number.POSITIVE_INFINITY : most + Math.max(maxMessageBytes, entryBytesMax(weather));
}

function entryBytesMax(weather: RaftWeather): number {
  return weather.workload.valueBytesMax + CHANGE_BYTES_MAX;
}
