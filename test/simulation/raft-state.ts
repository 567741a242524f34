/** The state that a raft-only world replicates: one number for all that was applied, and the configuration it made. */
import { readUint64, writeUint64 } from "../../server/base/int64.ts";
import type { ConfState, Entry } from "../../server/proto/raftpb.ts";
import type { Ready } from "../../server/raft/ready.ts";

/** Never changed, only replaced. */
export interface AppliedState {
  /** Of the last entry applied. */
  readonly index: number;
  /** Of all entries applied, in their order; 32 bits. */
  readonly digest: number;
  readonly confState: ConfState;
}

/** The state after one more entry, which made `confState` of the configuration. */
export function applied({ digest, confState: before }: AppliedState, entry: Entry, confState: ConfState): AppliedState {
  const { index, term, type, data } = entry;
  let hash = (digest ^ (index * 31 + term * 7 + type + data.length)) >>> 0;
  for (let at = 0; at < 8 && at < data.length; at++) hash = add(hash, data[at] as number);
  if (confState !== before) {
    const { voters, votersOutgoing, learners, learnersNext } = confState;
    for (const ids of [voters, votersOutgoing, learners, learnersNext]) {
      for (const id of ids) hash = add(hash, Number(id));
      hash = add(hash, 0xff);
    }
  }
  return { index, digest: Math.imul(hash ^ 0x9e3779b9, 2654435761) >>> 0, confState };
}

function add(hash: number, value: number): number {
  return Math.imul(hash ^ value, 16777619);
}

/** What a snapshot of the state carries beside index and configuration. */
export function snapshotData({ digest }: AppliedState): Uint8Array {
  const bytes = new Uint8Array(8);
  writeUint64(bytes, 0, digest);
  return bytes;
}

/** The state that the snapshot in a Ready carries; undefined when there is none. */
export function receivedState({ snapshot }: Ready): AppliedState | undefined {
  const metadata = snapshot?.metadata;
  if (snapshot === undefined || metadata?.confState === undefined) return undefined;
  return { index: metadata.index, digest: readUint64(snapshot.data, 0), confState: metadata.confState };
}
