/**
 * The log's way to the others: appends and heartbeats (section 5.3), what a follower answers, when an entry is
 * committed (5.4.2), and catching up whoever is behind.
 */
import { assert } from "../base/assert.ts";
import { EMPTY_BYTES } from "../base/bytes.ts";
import {
  ConfChange,
  ConfChangeV2,
  type Entry,
  EntryType,
  type Message,
  MessageType,
  type Snapshot,
} from "../proto/raftpb.ts";
import { type AnyConfChange, changeConfiguration } from "./conf-change.ts";
import { entrySize } from "./log-storage.ts";
import { NONE, newMessage } from "./message.ts";
import type { Progress } from "./progress.ts";
import type { Raft } from "./raft.ts";

// The leader's own log

/** Appends an entry of the leader's. False: dropped, because we are leaving, handing over, or too far ahead. */
export function propose(raft: Raft, type: number, data: Uint8Array): boolean {
  if (raft.self === undefined || raft.transferTarget !== NONE) return false;
  const bytes = data.length;
  // The empty entries of a new leader and of leaving a joint configuration are never refused.
  if (bytes > 0 && raft.uncommittedBytes > 0 && raft.uncommittedBytes + bytes > raft.uncommittedBytesMax) return false;
  const entry: Entry = { type, term: raft.term, index: raft.log.lastIndex() + 1, data };
  raft.uncommittedBytes += entrySize(entry);
  raft.log.push(entry);
  raft.appendDue = true;
  return true;
}

/** Appends a change of the configuration unless another may be unapplied or it cannot be made. */
export function proposeConfChange(raft: Raft, type: number, data: Uint8Array, change: AnyConfChange): boolean {
  if (raft.pendingConfIndex > raft.log.applied) return false;
  if ("refused" in changeConfiguration(raft.tracker.config, change)) return false;
  if (!propose(raft, type, data)) return false;
  raft.pendingConfIndex = raft.log.lastIndex();
  return true;
}

/** Proposals that a follower passed on. A refused change of the configuration leaves an empty entry, as in etcd. */
export function proposeForwarded(raft: Raft, entries: readonly Entry[]): void {
  for (const { type, data } of entries) {
    if (type === EntryType.NORMAL) {
      propose(raft, type, data);
      continue;
    }
    const change = decodeConfChange(type, data);
    if (change === undefined || !proposeConfChange(raft, type, data, change)) {
      propose(raft, EntryType.NORMAL, EMPTY_BYTES);
    }
  }
}

/** The change in an entry of such a type; undefined when the bytes are no such thing. */
function decodeConfChange(type: number, data: Uint8Array): AnyConfChange | undefined {
  try {
    if (type === EntryType.CONF_CHANGE) return ConfChange.decode(data);
    if (type === EntryType.CONF_CHANGE_V2) return ConfChangeV2.decode(data);
    return undefined;
  } catch {
    // It came from a peer. Nothing that cannot be read may enter the log.
    return undefined;
  }
}

/** Our own disk holds more: count it like any acknowledgement. */
export function acknowledgeOwn(raft: Raft): void {
  if (raft.role !== "leader" || raft.self === undefined) return;
  if (!raft.self.acknowledged(raft.log.stableIndex)) return;
  maybeCommit(raft);
}

/**
 * Commits what a quorum holds, if its last entry is of our own term; earlier ones are committed with it (section
 * 5.4.2: entries of an earlier term may be replaced even when a quorum holds them).
 */
export function maybeCommit(raft: Raft): boolean {
  const index = raft.tracker.committedIndex();
  if (index <= raft.log.committed || raft.log.term(index) !== raft.term) return false;
  raft.log.commitTo(index);
  raft.releasePostponedReads();
  raft.appendDue = true;
  return true;
}

// From the leader to one member

/** To everyone: new entries, or the new commit index where it tells something. */
export function broadcastAppend(raft: Raft): void {
  for (const member of raft.tracker.members) {
    if (member.id === raft.id) continue;
    sendAppend(raft, member, member.state === "probe" || isCommitNews(raft, member));
    sendBacklog(raft, member);
  }
}

/**
 * Whether an append without entries would tell the member of a commit that nothing else soon will. While later entries
 * are on their way their own commit follows, or the next append brings this one; the next heartbeat, or the append after
 * its answer, does at the latest. etcd sends each: at many small proposals that is half of all messages, and their
 * answers. That of a change of the configuration is told at once: who is removed by it may be gone right after.
 */
function isCommitNews(raft: Raft, member: Progress): boolean {
  const { committed, applied } = raft.log;
  const isChange = raft.pendingConfIndex > applied && raft.pendingConfIndex <= committed;
  return (committed === raft.log.lastIndex() || isChange) && member.canBumpCommit(committed);
}

export function broadcastHeartbeat(raft: Raft): void {
  const context = raft.reads.heartbeatContext();
  for (const member of raft.tracker.members) {
    if (member.id !== raft.id) sendHeartbeat(raft, member, context);
  }
}

/** Appends as long as there is something to send and room in the window. */
function sendBacklog(raft: Raft, member: Progress): void {
  while (member.next <= raft.log.lastIndex() && sendAppend(raft, member, false)) {
    // sendAppend has moved `next` on, or paused the member.
  }
}

/**
 * Sends the next entries to `member`, or a snapshot when they are compacted. An append without entries tells the
 * commit index, and probes. Whether something left.
 */
export function sendAppend(raft: Raft, member: Progress, sendIfEmpty: boolean): boolean {
  if (member.isPaused) return false;
  const previousIndex = member.next - 1;
  const previousTerm = raft.log.term(previousIndex);
  if (previousTerm === undefined) return sendSnapshot(raft, member);
  // With a full window only an empty append goes out, after a heartbeat was answered: if everything in the window was
  // lost, its answer frees it again.
  const hasRoom = member.state !== "replicate" || !member.inflights.full;
  const entries = hasRoom ? raft.log.entriesFrom(member.next, raft.config.maxMessageBytes) : [];
  if (entries === undefined) return sendSnapshot(raft, member);
  if (entries.length === 0 && !sendIfEmpty) return false;
  const message = newMessage(MessageType.APP, member.id);
  message.index = previousIndex;
  message.logTerm = previousTerm;
  message.entries = entries;
  message.commit = raft.log.committed;
  raft.send(message);
  let bytes = 0;
  for (const entry of entries) bytes += entry.data.length;
  member.sentAppend(entries.length, bytes);
  member.sentCommit(raft.log.committed);
  return true;
}

function sendSnapshot(raft: Raft, member: Progress): boolean {
  // A snapshot is dear: not to somebody who may be gone.
  if (!member.recentActive) return false;
  const { snapshot } = raft.log.storage;
  const index = snapshot.metadata?.index ?? 0;
  assert(index >= raft.log.firstIndex() - 1, "a snapshot stands behind what is compacted");
  const message = newMessage(MessageType.SNAP, member.id);
  message.snapshot = snapshot;
  raft.send(message);
  member.becomeSnapshot(index);
  return true;
}

function sendHeartbeat(raft: Raft, member: Progress, context: Uint8Array): void {
  const message = newMessage(MessageType.HEARTBEAT, member.id);
  // Not beyond what the member is known to hold: the rest of its log may not be ours.
  const commit = Math.min(member.match, raft.log.committed);
  message.commit = commit;
  message.context = context;
  raft.send(message);
  member.sentCommit(commit);
}

/** Tells `to`, whose log equals ours, to campaign at once. */
export function sendTimeoutNow(raft: Raft, to: bigint): void {
  raft.send(newMessage(MessageType.TIMEOUT_NOW, to));
}

// What a follower makes of it

/** Section 5.3: take in what fits, or say where the logs may meet. */
export function handleAppend(raft: Raft, message: Message): void {
  if (!isWellFormed(message)) return;
  const { log } = raft;
  const answer = newMessage(MessageType.APP_RESP, message.from);
  if (message.index < log.committed) {
    // What is committed cannot conflict: the leader is behind with what it knows of us.
    answer.index = log.committed;
  } else if (log.appendFollowing({ index: message.index, term: message.logTerm }, message.entries)) {
    const last = message.index + message.entries.length;
    log.commitTo(Math.min(message.commit, last));
    answer.index = last;
  } else {
    const hint = log.lastIndexUpToTerm(Math.min(message.index, log.lastIndex()), message.logTerm);
    answer.index = message.index;
    answer.reject = true;
    answer.rejectHint = hint.index;
    answer.logTerm = hint.term;
  }
  raft.send(answer);
}

/** Whether the entries follow one another, and their terms rise to the leader's at most. */
function isWellFormed(message: Message): boolean {
  let index = message.index;
  let term = message.logTerm;
  for (const entry of message.entries) {
    if (entry.index !== index + 1 || entry.term < term) return false;
    index = entry.index;
    term = entry.term;
  }
  return term <= message.term;
}

export function handleHeartbeat(raft: Raft, message: Message): void {
  raft.log.commitTo(message.commit);
  const answer = newMessage(MessageType.HEARTBEAT_RESP, message.from);
  answer.context = message.context;
  raft.send(answer);
}

/** Section 7: a snapshot takes the place of a log that is too far behind. */
export function handleSnapshot(raft: Raft, message: Message): void {
  const isTaken = message.snapshot !== undefined && restore(raft, message.snapshot);
  const answer = newMessage(MessageType.APP_RESP, message.from);
  answer.index = isTaken ? raft.log.lastIndex() : raft.log.committed;
  raft.send(answer);
}

/** Whether the snapshot replaced our log; not when we have as much, or are not in its configuration. */
function restore(raft: Raft, snapshot: Snapshot): boolean {
  const { log } = raft;
  const metadata = snapshot.metadata;
  const confState = metadata?.confState;
  if (metadata === undefined || confState === undefined || metadata.index <= log.committed) return false;
  const isMember = [confState.voters, confState.learners, confState.votersOutgoing].some((ids) =>
    ids.includes(raft.id),
  );
  if (!isMember) return false;
  if (log.matches(metadata.index, metadata.term)) {
    // Our log holds what the snapshot stands for: it only tells us that so much is committed.
    log.commitTo(metadata.index);
    return false;
  }
  // Its configuration follows when it is on disk (`RawNode.persisted`): until then what was handed out before it may
  // still be applied, and must not be applied to a configuration that is newer.
  log.restore(snapshot, metadata.index);
  return true;
}

// What the leader makes of the answers

export function handleAppendResponse(raft: Raft, member: Progress, message: Message): void {
  member.recentActive = true;
  if (message.reject) handleRejection(raft, member, message);
  else handleAcknowledgement(raft, member, message.index);
}

function handleRejection(raft: Raft, member: Progress, message: Message): void {
  // The logs cannot meet where our term is higher than the one the member has at its hint, for terms only rise within
  // a log. So at most one probe for each term, however long the diverging tail.
  const hint =
    message.logTerm > 0
      ? raft.log.lastIndexUpToTerm(Math.min(message.rejectHint, raft.log.lastIndex()), message.logTerm).index
      : message.rejectHint;
  if (!member.rejected(message.index, hint)) return;
  if (member.state === "replicate") member.becomeProbe();
  sendAppend(raft, member, true);
}

function handleAcknowledgement(raft: Raft, member: Progress, index: number): void {
  if (index > raft.log.lastIndex()) return;
  const isNew = member.acknowledged(index);
  // An answer that tells nothing new still ends a probe: the logs meet.
  if (!isNew && !(member.match === index && member.state === "probe")) return;
  switch (member.state) {
    case "probe":
      member.becomeReplicate();
      break;
    case "snapshot":
      // Whatever snapshot it took in: if our log reaches back to it, appends can go on.
      if (member.match + 1 < raft.log.firstIndex()) break;
      member.becomeProbe();
      member.becomeReplicate();
      break;
    case "replicate":
      member.inflights.freeTo(index);
      break;
  }
  if (!maybeCommit(raft) && isCommitNews(raft, member)) sendAppend(raft, member, true);
  sendBacklog(raft, member);
  if (member.id === raft.transferTarget && member.match === raft.log.lastIndex()) sendTimeoutNow(raft, member.id);
}

export function handleHeartbeatResponse(raft: Raft, member: Progress, message: Message): void {
  member.recentActive = true;
  member.flowPaused = false;
  // It is behind, or lost what filled the window, or was reported unreachable: an append, maybe empty, finds out.
  if (member.match < raft.log.lastIndex() || member.state === "probe") sendAppend(raft, member, true);
  if (message.context.length === 0) return;
  raft.reads.acknowledge(member.id, message.context);
  for (const read of raft.reads.takeConfirmed(raft.tracker.config)) raft.answerRead(read);
}

// What the transport reports

/** A message to `member` got lost: go back to probing, what is in flight may be gone. */
export function handleUnreachable(member: Progress): void {
  if (member.state === "replicate") member.becomeProbe();
}

/** The snapshot under way was delivered, or not. Either way wait for the member's answer, or the next heartbeat's. */
export function handleSnapshotReport(member: Progress, wasDelivered: boolean): void {
  if (member.state !== "snapshot") return;
  if (wasDelivered) member.becomeProbe();
  else member.snapshotFailed();
  member.flowPaused = true;
}
