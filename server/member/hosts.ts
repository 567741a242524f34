/**
 * What the parts of a member ask of it, each in its own words: thin answers, so that a part can be tried with a small
 * stand-in. Properties are asked for when they are needed, as most of them change.
 */
import { AlarmAction, AlarmType } from "../proto/etcdserverpb.ts";
import { MessageType } from "../proto/raftpb.ts";
import type { ChecksHost } from "./corruption-checks.ts";
import type { ForwardedHost } from "./forwarded-proposals.ts";
import type { LineHost } from "./leader-line.ts";
import type { MovesHost } from "./leader-moves.ts";
import { noteLeadership } from "./leadership.ts";
import type { LeaseHost } from "./lease-calls.ts";
import type { LoopDuties } from "./loop.ts";
import type { ChangesHost } from "./membership-changes.ts";
import type { OutgoingSnapshotsHost } from "./outgoing-snapshots.ts";
import type { MemberParts } from "./parts.ts";
import type { PeersOwner } from "./peers.ts";
import { markOf } from "./snapshot-intake.ts";
import type { SpaceHost } from "./space-alarm.ts";
import { hashInSlices, nextTurn, openSnapshot } from "./whole-store.ts";

export function changesHost(member: MemberParts): ChangesHost {
  return {
    selfId: member.memberId,
    get isLeader() {
      return member.standing.isLeader;
    },
    nextRequestId: () => member.requestIds.next(),
    propose: (change) => member.raft.proposeConfChange(change),
    schedule: () => member.loop.schedule(),
    activeSince: (id) => member.peers.activeSince(id),
    progress: (id) => {
      const { progress, lastIndex } = member.raft.status();
      const match = progress.find((one) => one.id === id)?.match;
      return match === undefined ? undefined : { match, last: lastIndex };
    },
    promoteAtLeader: async (id) => void (await member.leaderLine.ask("promote", { id, token: "" })),
  };
}

export function movesHost(member: MemberParts): MovesHost {
  return {
    selfId: member.memberId,
    get isLeader() {
      return member.standing.isLeader;
    },
    get leaderId() {
      return member.standing.leaderId;
    },
    isVoter: (id) => member.state.membership.get(id)?.isLearner === false,
    progress: () => member.raft.status().progress,
    activeSince: (id) => member.peers.activeSince(id),
    transfer: (target) => {
      member.raft.transferLeader(target);
      member.loop.schedule();
    },
  };
}

export function forwardedHost(member: MemberParts): ForwardedHost {
  return {
    get canTake() {
      const { leaderId, isLeader, isHandingOver } = member.raft;
      return isLeader ? !isHandingOver : leaderId !== 0n;
    },
    step: (message) => member.raft.step(message),
  };
}

export function spaceHost(member: MemberParts): SpaceHost {
  return {
    get canRaise() {
      return member.standing.leaderId !== 0n && !member.state.alarms.isActive(AlarmType.NOSPACE);
    },
    get inUseBytes() {
      return member.state.backend.sizeInUseBytes();
    },
    quotaBytes: member.options.quotaBytes,
    raise: () => raiseAlarm(member, member.memberId, AlarmType.NOSPACE),
  };
}

export function lineHost(member: MemberParts): LineHost {
  return {
    selfId: member.memberId,
    get leader() {
      return member.state.membership.get(member.standing.leaderId);
    },
    get isStopping() {
      return member.standing.isStopping;
    },
    ask: member.peers.ask,
  };
}

export function leaseHost(member: MemberParts): LeaseHost {
  return {
    get countsTime() {
      return member.standing.isLeader || member.standing.isAlone;
    },
    get leadsOthers() {
      return member.standing.isLeader && !member.standing.isAlone;
    },
    linearizableRead: () => member.linearizableRead(),
    propose: (request) => member.proposer.propose(request),
  };
}

export function checksHost(member: MemberParts): ChecksHost {
  return {
    selfId: member.memberId,
    get isLeader() {
      return member.standing.isLeader;
    },
    others: () => member.others(),
    hashKv: (revision) => hashInSlices(member.store, member.ports.clock, revision),
    compactionHashes: () => member.store.compactionHashes(),
    ask: (urls, revision, timeoutMs) => member.peers.ask(urls, "hashKv", { revision }, timeoutMs),
    linearizableRead: () => member.linearizableRead(),
    raise: (memberId) => raiseAlarm(member, memberId, AlarmType.CORRUPT),
  };
}

export function snapshotsHost(member: MemberParts): OutgoingSnapshotsHost {
  return {
    open: () => openSnapshot(member.state.backend, member.commits, member.standing),
    sizeBytes: () => member.state.backend.sizeInUseBytes(),
    send: (snapshot) => member.peers.sendSnapshot(snapshot),
    report: (id, wasDelivered) => {
      member.raft.reportSnapshot(id, wasDelivered);
      member.loop.schedule();
    },
    nextTurn: () => nextTurn(member.ports.clock),
    after: (delayMs, action) => member.ports.clock.after(delayMs, action),
  };
}

/** Who hears what other members send. */
export function peersOwner(member: MemberParts): PeersOwner {
  return {
    message: (message) => {
      if (message.type === MessageType.SNAP) member.exchange.step(message);
      else if (message.type === MessageType.PROP) member.forwarded.take(message);
      else member.raft.step(message);
      member.loop.schedule();
    },
    openSnapshot: (message) => member.intake.open(message),
    unreachable: (id) => member.raft.reportUnreachable(id),
    snapshotStatus: (id, wasDelivered) => member.outgoing.finished(id, wasDelivered),
    snapshotWanted: (message) => member.outgoing.wanted(message),
    removed: () => member.removed(),
  };
}

/** What the loop has others do, at the place in its round that is right for it. */
export function loopDuties(member: MemberParts): LoopDuties {
  const { forwarded, barrier, entries, commits, standing, peers, intake, exchange, ports } = member;
  const leadership = {
    selfId: member.memberId,
    standing,
    raft: member.raft,
    barrier,
    expectations: member.expectations,
    electionMs: member.options.electionMs,
    metrics: ports.metrics,
    logger: ports.logger,
    duties: member.duties,
    clusterVersion: member.clusterVersion,
    schedule: () => member.loop.schedule(),
  };
  return {
    beforeRound: () => {
      forwarded.release();
      barrier.begin();
    },
    applyEntry: (entry) => entries.apply(entry),
    mayApply: () => commits.hasRoom,
    isAlone: () => standing.isAlone,
    hasRead: () => standing.takeRead(),
    appliedThrough: (index) => entries.appliedThrough(index),
    readStates: (states) => barrier.answered(states),
    softState: ({ leaderId, role }) => noteLeadership(leadership, leaderId, role === "leader"),
    send: (messages) => peers.send(messages),
    prepareInstall: (snapshot) => intake.prepare(markOf(snapshot).index),
    install: (snapshot) => exchange.install(markOf(snapshot)),
    installed: (snapshot) => exchange.installed(markOf(snapshot).index),
    fatal: (error) => ports.fatal(error),
  };
}

function raiseAlarm({ proposer }: MemberParts, memberId: bigint, alarm: number): Promise<unknown> {
  return proposer.propose({ kind: "alarm", value: { action: AlarmAction.ACTIVATE, memberId, alarm } });
}
