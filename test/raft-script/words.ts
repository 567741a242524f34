/** How a transcript writes what raft hands about: entries, messages, configurations and the state of a member. */
import { EMPTY_BYTES, utf8Bytes, utf8Text } from "../../server/base/bytes.ts";
import { idBytes, readUnsignedId } from "../../server/base/int64.ts";
import {
  ConfChange,
  type ConfChangeSingle,
  ConfChangeTransition,
  ConfChangeType,
  ConfChangeV2,
  type ConfState,
  type Entry,
  EntryType,
  type HardState,
  type Message,
  MessageType,
  type SnapshotMetadata,
} from "../../server/proto/raftpb.ts";
import type { AnyConfChange } from "../../server/raft/conf-change.ts";
import type { Ready } from "../../server/raft/ready.ts";
import type { MemberProgress, RaftStatus } from "../../server/raft/status.ts";

/** Every kind of message under the name that scripts use, and whether it is the refusing one of its type. */
export const KINDS: Readonly<Record<string, { readonly type: number; readonly reject?: boolean }>> = {
  proposal: { type: MessageType.PROP },
  append: { type: MessageType.APP },
  "append-ok": { type: MessageType.APP_RESP },
  "append-no": { type: MessageType.APP_RESP, reject: true },
  vote: { type: MessageType.VOTE },
  "vote-yes": { type: MessageType.VOTE_RESP },
  "vote-no": { type: MessageType.VOTE_RESP, reject: true },
  "pre-vote": { type: MessageType.PRE_VOTE },
  "pre-vote-yes": { type: MessageType.PRE_VOTE_RESP },
  "pre-vote-no": { type: MessageType.PRE_VOTE_RESP, reject: true },
  snapshot: { type: MessageType.SNAP },
  heartbeat: { type: MessageType.HEARTBEAT },
  "heartbeat-ok": { type: MessageType.HEARTBEAT_RESP },
  transfer: { type: MessageType.TRANSFER_LEADER },
  "timeout-now": { type: MessageType.TIMEOUT_NOW },
  read: { type: MessageType.READ_INDEX },
  "read-answer": { type: MessageType.READ_INDEX_RESP },
};

/** The signs of a change of the configuration: `+4` a voter, `~4` a learner, `-4` nobody any more, `=4` an update. */
const CHANGE_SIGNS: Readonly<Record<string, number>> = {
  "+": ConfChangeType.ADD_NODE,
  "~": ConfChangeType.ADD_LEARNER_NODE,
  "-": ConfChangeType.REMOVE_NODE,
  "=": ConfChangeType.UPDATE_NODE,
};

const TRANSITIONS: Readonly<Record<string, number>> = {
  implicit: ConfChangeTransition.JOINT_IMPLICIT,
  explicit: ConfChangeTransition.JOINT_EXPLICIT,
};

/** The name of `message`'s kind. */
export function kindOf(message: Message): string {
  for (const [name, { type, reject = false }] of Object.entries(KINDS))
    if (type === message.type && reject === message.reject) return name;
  throw new Error(`no name for message type ${message.type}`);
}

/** Who sends to whom, as "1>2". */
export function linkOf(message: Message): string {
  return `${message.from}>${message.to}`;
}

// Entries

/** Index, term and what it holds: `4@2"x"`. */
export function entryText(entry: Entry): string {
  return `${entry.index}@${entry.term}${dataText(entry)}`;
}

/** Entries in a row; "nothing" for none. */
export function entriesText(entries: readonly Entry[]): string {
  return entries.length === 0 ? "nothing" : entries.map(entryText).join(" ");
}

function dataText({ type, data }: Entry): string {
  if (type === EntryType.CONF_CHANGE) return `(${changeText(ConfChange.decode(data))})`;
  if (type === EntryType.CONF_CHANGE_V2) return `(${changeText(ConfChangeV2.decode(data))})`;
  return data.length === 0 ? "" : `"${shortened(utf8Text(data))}"`;
}

/** What `proposalBytes` made of "x*100" reads as that again. */
function shortened(text: string): string {
  const first = text.charAt(0);
  return text.length > 8 && text === first.repeat(text.length) ? `${first}*${text.length}` : text;
}

/** The bytes of a proposal; "x*100" stands for a hundred of them. */
export function proposalBytes(word: string): Uint8Array {
  const [, letter = "", count = ""] = /^(.)\*(\d+)$/.exec(word) ?? [];
  return utf8Bytes(letter === "" ? word : letter.repeat(Number(count)));
}

/** Entries of a forged message, "4@2,5@2", with the bytes that the command `log` gives such entries. */
export function parseEntries(text: string): Entry[] {
  return text.split(",").map((word) => {
    const [, index, term] = /^(\d+)@(\d+)$/.exec(word) ?? [];
    if (index === undefined) throw new Error(`no entry: ${word}`);
    return { type: EntryType.NORMAL, index: Number(index), term: Number(term), data: utf8Bytes(`${term}.${index}`) };
  });
}

// Changes of the configuration

/** A change of one member in the older form. */
export function parseChangeV1(word: string): AnyConfChange {
  const { type, nodeId } = parseSingle(word);
  return { id: 0n, type, nodeId, context: EMPTY_BYTES };
}

/** A change in the newer form: members, and how a joint configuration is left; "leave" alone leaves it. */
export function parseChangeV2(words: readonly string[]): AnyConfChange {
  const singles = words.filter((word) => word !== "leave" && TRANSITIONS[word] === undefined);
  const transition = words.map((word) => TRANSITIONS[word]).find((found) => found !== undefined);
  return {
    transition: transition ?? ConfChangeTransition.AUTO,
    changes: singles.map(parseSingle),
    context: EMPTY_BYTES,
  };
}

function parseSingle(word: string): ConfChangeSingle {
  const type = CHANGE_SIGNS[word.charAt(0)];
  if (type === undefined || !/^.\d+$/.test(word)) throw new Error(`no change of the configuration: ${word}`);
  return { type, nodeId: BigInt(word.slice(1)) };
}

function changeText(change: AnyConfChange): string {
  if (!("changes" in change)) return `v1 ${singleText(change)}`;
  if (change.changes.length === 0 && change.transition === ConfChangeTransition.AUTO) return "leave";
  const how = Object.keys(TRANSITIONS).filter((name) => TRANSITIONS[name] === change.transition);
  return [...change.changes.map(singleText), ...how].join(" ");
}

function singleText({ type, nodeId }: Pick<ConfChangeSingle, "type" | "nodeId">): string {
  const sign = Object.keys(CHANGE_SIGNS).find((candidate) => CHANGE_SIGNS[candidate] === type);
  return `${sign}${nodeId}`;
}

/** Who votes and who only listens. */
export function configText(config: ConfState): string {
  const parts = [`voters ${config.voters.join() || "nobody"}`];
  if (config.votersOutgoing.length > 0) parts.push(`outgoing ${config.votersOutgoing.join()}`);
  if (config.learners.length > 0) parts.push(`learners ${config.learners.join()}`);
  if (config.learnersNext.length > 0) parts.push(`learners next ${config.learnersNext.join()}`);
  if (config.autoLeave) parts.push("to be left by itself");
  return parts.join("; ");
}

// Messages

/** A whole message, after its link. */
export function messageText(message: Message): string {
  return `${linkOf(message)} ${kindOf(message)}${contentText(message)}`;
}

function contentText(message: Message): string {
  const { type, term, index, logTerm, commit, entries } = message;
  switch (type) {
    case MessageType.PROP:
      return ` ${entriesText(entries).replaceAll("0@0", "")}`;
    case MessageType.READ_INDEX:
      return ` ${contextText(entries[0]?.data)}`;
    case MessageType.READ_INDEX_RESP:
      return ` ${contextText(entries[0]?.data)} at ${index}`;
    case MessageType.APP:
      return ` term ${term} after ${index}@${logTerm}: ${entriesText(entries)}; commit ${commit}`;
    case MessageType.SNAP:
      return ` term ${term} of ${snapshotText(message.snapshot?.metadata)}`;
    case MessageType.HEARTBEAT:
      return ` term ${term}; commit ${commit}${confirmsText(message.context)}`;
    case MessageType.HEARTBEAT_RESP:
      return ` term ${term}${confirmsText(message.context)}`;
    case MessageType.VOTE:
    case MessageType.PRE_VOTE:
      return ` term ${term}, log ends ${index}@${logTerm}${message.context.length > 0 ? ", by transfer" : ""}`;
    case MessageType.APP_RESP:
      return ` term ${term} ${message.reject ? `after ${index}, try ${message.rejectHint}@${logTerm}` : `to ${index}`}`;
    case MessageType.VOTE_RESP:
    case MessageType.PRE_VOTE_RESP:
      return message.reject ? ` term ${term}, commit ${index}@${logTerm}` : ` term ${term}`;
    default:
      return ` term ${term}`;
  }
}

function contextText(context = EMPTY_BYTES): string {
  return `#${context.length === 8 ? readUnsignedId(context) : "?"}`;
}

/** The place in the line of reads that a heartbeat confirms. */
function confirmsText(context: Uint8Array): string {
  return context.length === 0 ? "" : `; reads to ${context[0]}`;
}

/** The bytes by which a read is told from others. */
export function readContext(id: bigint): Uint8Array {
  return idBytes(id);
}

// A member

/** What a snapshot stands for. */
export function snapshotText(metadata: SnapshotMetadata | undefined): string {
  if (metadata === undefined) return "nothing";
  const config = metadata.confState === undefined ? "" : ` (${configText(metadata.confState)})`;
  return `${metadata.index}@${metadata.term}${config}`;
}

/** What a Ready tells to write; undefined for nothing. */
export function writesText({ hardState, snapshot, entries, mustSync }: Ready): string | undefined {
  const parts: string[] = [];
  if (hardState !== undefined) parts.push(hardStateText(hardState));
  if (snapshot !== undefined) parts.push(`snapshot ${snapshotText(snapshot.metadata)}`);
  if (entries.length > 0) parts.push(entriesText(entries));
  return parts.length === 0 ? undefined : `${parts.join("; ")}${mustSync ? "" : " (no sync)"}`;
}

function hardStateText({ term, vote, commit }: HardState): string {
  return `term ${term}, vote ${vote}, commit ${commit}`;
}

/** The part that a member plays: "follower of 2 in term 1". */
export function roleText({ role, term, leaderId }: RaftStatus): string {
  switch (role) {
    case "leader":
      return `leader of term ${term}`;
    case "follower":
      return `follower of ${leaderId === 0n ? "nobody" : leaderId} in term ${term}`;
    case "candidate":
      return `candidate in term ${term}`;
    case "preCandidate":
      return `pre-candidate in term ${term}`;
  }
}

/** One line on a member as a whole. */
export function summaryText(status: RaftStatus): string {
  const { firstIndex, lastIndex, commit, applied } = status;
  return `${status.id} ${roleText(status)}; log ${firstIndex}..${lastIndex}, commit ${commit}, applied ${applied}`;
}

/** How far a member has come, as its leader sees it. */
export function progressText(progress: MemberProgress): string {
  const { id, state, match, next, inflight, pendingSnapshot } = progress;
  const marks = [
    inflight > 0 ? `in flight ${inflight}` : "",
    pendingSnapshot > 0 ? `snapshot ${pendingSnapshot}` : "",
    progress.isPaused ? "paused" : "",
    progress.isLearner ? "learner" : "",
    progress.recentActive ? "" : "not heard of",
  ].filter((mark) => mark !== "");
  return [`${id}: ${state}, match ${match}, next ${next}`, ...marks].join(", ");
}
