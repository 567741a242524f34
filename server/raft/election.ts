/**
 * Elections: asking first (thesis section 9.6), campaigns and votes (section 5.2), which candidate is fit (5.4.1), and
 * handing leadership over (thesis section 3.10).
 */
import { EMPTY_BYTES, equalBytes, utf8Bytes } from "../base/bytes.ts";
import { type Message, MessageType } from "../proto/raftpb.ts";
import { NONE, newMessage, voteResponseType } from "./message.ts";
import type { Progress } from "./progress.ts";
import type { Raft } from "./raft.ts";
import { sendAppend, sendTimeoutNow } from "./replication.ts";

/** "transfer": the leader itself asked for it, so the votes are given even though a leader is heard of. */
export type ElectionKind = "preElection" | "election" | "transfer";

/** Marks the votes of a transfer on the wire; the text is etcd's. */
const TRANSFER_CONTEXT = utf8Bytes("CampaignTransfer");

/** Campaigns, unless we lead, cannot lead, or have a committed change of the configuration still to apply. */
export function startElection(raft: Raft, kind: ElectionKind): void {
  if (raft.role === "leader" || !raft.isPromotable) return;
  // It might have taken the vote from us, or from those whom we would ask.
  if (raft.log.hasUnappliedConfChange()) return;
  campaign(raft, kind);
}

function campaign(raft: Raft, kind: ElectionKind): void {
  if (kind === "preElection") raft.becomePreCandidate();
  else raft.becomeCandidate();
  const type = kind === "preElection" ? MessageType.PRE_VOTE : MessageType.VOTE;
  const term = kind === "preElection" ? raft.term + 1 : raft.term;
  for (const member of raft.tracker.members) {
    if (!raft.tracker.isVoter(member.id)) continue;
    if (member.id === raft.id) {
      // Our own vote is an answer like the others: it counts once it is on disk.
      const answer = newMessage(voteResponseType(type), raft.id);
      answer.term = term;
      raft.send(answer);
      continue;
    }
    const plea = newMessage(type, member.id);
    plea.term = term;
    plea.index = raft.log.lastIndex();
    plea.logTerm = raft.log.lastTerm();
    plea.context = kind === "transfer" ? TRANSFER_CONTEXT : EMPTY_BYTES;
    raft.send(plea);
  }
}

/**
 * Whether a plea for votes is to be ignored because a leader was heard of within an election timeout: whoever has lost
 * touch, or was removed, shall not unseat it. A transfer is the leader's own wish.
 */
export function holdsLease(raft: Raft, plea: Message): boolean {
  return (
    raft.config.checkQuorum &&
    raft.leaderId !== NONE &&
    raft.electionElapsed < raft.config.electionTicks &&
    !equalBytes(plea.context, TRANSFER_CONTEXT)
  );
}

/** Sections 5.2 and 5.4.1: one vote a term, first come first served, for a log that holds at least ours. */
export function handleVoteRequest(raft: Raft, plea: Message): void {
  const isPreVote = plea.type === MessageType.PRE_VOTE;
  // A learner votes too: it may have been promoted and not know it yet, and a quorum may need it.
  const isFree =
    raft.vote === plea.from || (raft.vote === NONE && raft.leaderId === NONE) || (isPreVote && plea.term > raft.term);
  const isGranted = isFree && raft.log.isUpToDate({ index: plea.index, term: plea.logTerm });
  const answer = newMessage(voteResponseType(plea.type), plea.from);
  // A grant carries the term that was asked about: a pre-candidate would pass over our older one.
  answer.term = isGranted ? plea.term : raft.term;
  if (!isGranted) refuse(raft, answer);
  raft.send(answer);
  if (isGranted && !isPreVote) {
    raft.electionElapsed = 0;
    raft.vote = plea.from;
  }
}

/**
 * Makes a refusal of `answer`, and has it tell what we know to be committed. Without that a change of the configuration
 * may end a cluster: of two voters the leader commits its own removal and crashes with a longer log than the other,
 * who does not know and needs its vote, while it itself may no longer campaign. etcd has this trap; its members pass
 * over the two fields, which every message has.
 */
export function refuse(raft: Raft, answer: Message): void {
  answer.reject = true;
  answer.index = raft.log.committed;
  answer.logTerm = raft.log.term(raft.log.committed) ?? 0;
}

/** What a refusal told of the commit index: true of us too if our log holds that entry (section 5.3, log matching). */
export function learnCommit(raft: Raft, refusal: Message): void {
  const isNews = refusal.index > raft.log.committed && raft.log.matches(refusal.index, refusal.logTerm);
  if (!isNews) return;
  raft.log.commitTo(refusal.index);
  // Who votes may just have changed: no election is won before that is applied.
  if (raft.log.hasUnappliedConfChange()) raft.becomeFollower(raft.term, raft.leaderId);
}

/** An answer to the campaign that is running. */
export function handleVoteResponse(raft: Raft, answer: Message): void {
  raft.tracker.recordVote(answer.from, !answer.reject);
  switch (raft.tracker.voteResult()) {
    case "won":
      if (raft.role === "preCandidate") campaign(raft, "election");
      else raft.becomeLeader();
      break;
    case "lost":
      // The term stays: a pre-candidate's answers name a term that it never entered.
      raft.becomeFollower(raft.term, NONE);
      break;
    case "pending":
      break;
  }
}

/** The leader wants us to take over: at once, without asking first, for no partition can be the reason. */
export function handleTimeoutNow(raft: Raft): void {
  startElection(raft, "transfer");
}

/** Begins to hand leadership to `target`: once its log equals ours it is told to campaign. Proposals wait. */
export function startTransfer(raft: Raft, target: Progress): void {
  if (target.isLearner || target.id === raft.transferTarget) return;
  raft.transferTarget = NONE;
  if (target.id === raft.id) return;
  // It has an election timeout to succeed.
  raft.electionElapsed = 0;
  raft.transferTarget = target.id;
  if (target.match === raft.log.lastIndex()) sendTimeoutNow(raft, target.id);
  else sendAppend(raft, target, true);
}
