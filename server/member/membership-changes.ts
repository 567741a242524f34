/**
 * Changes of the cluster that clients ask for: checked against the rules, proposed to raft, and answered when they are
 * applied here. What makes a change impossible (an id that is there, or gone for good) is found when it is applied, at
 * the same place in the log on every member: `checkConfChange`.
 */
import { checkConfChange } from "../apply/cluster-requests.ts";
import { utf8Bytes } from "../base/bytes.ts";
import { EtcdError } from "../base/error.ts";
import { memberIdOf } from "../cluster/ids.ts";
import { encodeMember, type MemberRecord, type Membership } from "../cluster/membership.ts";
import type { Clock } from "../ports/clock.ts";
import { ConfChange, ConfChangeType } from "../proto/raftpb.ts";

/** A member counts as connected once it has been for so long: etcd's. */
const CONNECTED_MS = 5000;
/** A learner may vote when it has so much of the leader's log: etcd's. */
const READY_SHARE = 0.9;

export interface ChangesOptions {
  readonly clusterToken: string;
  /** `--strict-reconfig-check` */
  readonly isStrict: boolean;
  /** `--max-learners` */
  readonly maxLearners: number;
}

/** What the changes ask of the member around them. */
export interface ChangesHost {
  readonly selfId: bigint;
  readonly isLeader: boolean;
  nextRequestId(): bigint;
  /** Hands the change to raft; false: it cannot take it now. */
  propose(change: ConfChange): boolean;
  schedule(): void;
  activeSince(id: bigint): number | undefined;
  /** How much of the log a member is known to have, and all there is. */
  progress(id: bigint): { readonly match: number; readonly last: number } | undefined;
  /** Asks the leader for the promotion. */
  promoteAtLeader(id: bigint): Promise<void>;
}

interface Waiting {
  readonly deadlineMs: number;
  readonly resolve: () => void;
  readonly reject: (error: EtcdError) => void;
}

export class MembershipChanges {
  readonly #membership: Membership;
  readonly #options: ChangesOptions;
  readonly #host: ChangesHost;
  readonly #clock: Clock;
  readonly #timeoutMs: number;
  readonly #waiting = new Map<bigint, Waiting>();

  constructor(parts: {
    membership: Membership;
    options: ChangesOptions;
    host: ChangesHost;
    clock: Clock;
    timeoutMs: number;
  }) {
    this.#membership = parts.membership;
    this.#options = parts.options;
    this.#host = parts.host;
    this.#clock = parts.clock;
    this.#timeoutMs = parts.timeoutMs;
  }

  /** Answers the new member, without a name until it starts. */
  async add(peerUrls: readonly string[], isLearner: boolean): Promise<MemberRecord> {
    this.#checkStrictAddition(isLearner);
    const members = this.#membership.list();
    if (members.some((member) => member.peerUrls.some((url) => peerUrls.includes(url)))) {
      throw new EtcdError("PeerUrlExists");
    }
    if (isLearner) this.#checkLearners(members);
    const id = memberIdOf(peerUrls, this.#options.clusterToken, Math.floor(this.#clock.wallMs() / 1000));
    const member = { id, name: "", peerUrls: [...peerUrls].sort(), clientUrls: [], isLearner };
    const type = isLearner ? ConfChangeType.ADD_LEARNER_NODE : ConfChangeType.ADD_NODE;
    await this.#change(type, id, encodeMember(member));
    return member;
  }

  async remove(id: bigint): Promise<void> {
    this.#checkStrictRemoval(this.#known(id));
    await this.#change(ConfChangeType.REMOVE_NODE, id, "");
  }

  async update(id: bigint, peerUrls: readonly string[]): Promise<void> {
    const { name: _name, clientUrls: _urls, ...member } = this.#known(id);
    const record = { ...member, name: "", clientUrls: [], peerUrls: [...peerUrls].sort() };
    await this.#change(ConfChangeType.UPDATE_NODE, id, encodeMember(record));
  }

  /** Only the leader knows how far a learner has come: another member asks it. */
  async promote(id: bigint): Promise<void> {
    if (!this.#host.isLeader) return this.#host.promoteAtLeader(id);
    const member = this.#known(id);
    if (!member.isLearner) throw new EtcdError("MemberNotLearner");
    const progress = this.#host.progress(id);
    if (progress === undefined || progress.match < progress.last * READY_SHARE) throw new EtcdError("LearnerNotReady");
    this.#checkStrictPromotion();
    const { name: _name, clientUrls: _urls, ...bare } = member;
    await this.#change(ConfChangeType.ADD_NODE, id, encodeMember({ ...bare, name: "", clientUrls: [] }, true));
  }

  /** An entry with a change was applied; `refusal`: why it has no effect. */
  applied(change: ConfChange, refusal: EtcdError | undefined): void {
    const waiting = this.#waiting.get(change.id);
    if (waiting === undefined) return;
    this.#waiting.delete(change.id);
    if (refusal === undefined) waiting.resolve();
    else waiting.reject(refusal);
  }

  /** Gives up on those whose time has passed. */
  tick(nowMs: number): void {
    if (this.#waiting.size > 0) this.#fail(nowMs, "Timeout");
  }

  failAll(code: "Stopped"): void {
    this.#fail(Number.POSITIVE_INFINITY, code);
  }

  #fail(dueMs: number, code: "Stopped" | "Timeout"): void {
    for (const [id, { deadlineMs, reject }] of this.#waiting) {
      if (deadlineMs > dueMs) continue;
      this.#waiting.delete(id);
      reject(new EtcdError(code));
    }
  }

  #change(type: number, nodeId: bigint, context: string): Promise<void> {
    const id = this.#host.nextRequestId();
    const change = ConfChange.create({ id, type, nodeId, context: utf8Bytes(context) });
    const refusal = checkConfChange(this.#membership, change, this.#options.maxLearners);
    if (refusal !== undefined) return Promise.reject(refusal);
    return new Promise((resolve, reject) => {
      if (!this.#host.propose(change)) {
        reject(new EtcdError("NoLeader"));
        return;
      }
      this.#waiting.set(id, { deadlineMs: this.#clock.monotonicMs() + this.#timeoutMs, resolve, reject });
      this.#host.schedule();
    });
  }

  #known(id: bigint): MemberRecord {
    const member = this.#membership.get(id);
    if (member === undefined) throw new EtcdError("MemberNotFound");
    return member;
  }

  #checkLearners(members: readonly MemberRecord[]): void {
    if (members.filter(({ isLearner }) => isLearner).length >= this.#options.maxLearners) {
      throw new EtcdError("TooManyLearners");
    }
  }

  // Under --strict-reconfig-check, as etcd 3.7 has it to the letter: tools know these refusals and try again.

  /**
   * Enough voters have started for the cluster to decide with one more of them. And this member has been connected to so
   * many that they decide without the new one: which etcd asks of a learner too, though it has no vote.
   */
  #checkStrictAddition(isLearner: boolean): void {
    if (!this.#options.isStrict) return;
    const voters = this.#voters();
    const started = voters.filter(isStarted).length;
    // A second member can only be started once the cluster knows it.
    const isSecond = voters.length === 1 && started === 1;
    if (!isLearner && !isSecond && started < quorumOf(voters.length + 1))
      throw new EtcdError("NotEnoughStartedMembers");
    if (voters.length > 1 && this.#connected(voters) < quorumOf(voters.length + 1)) throw new EtcdError("Unhealthy");
  }

  /** The learner, which has come so far, counts as started. */
  #checkStrictPromotion(): void {
    if (!this.#options.isStrict) return;
    const voters = this.#voters();
    if (voters.filter(isStarted).length + 1 < quorumOf(voters.length + 1)) {
      throw new EtcdError("NotEnoughStartedMembers");
    }
  }

  #checkStrictRemoval(leaving: MemberRecord): void {
    if (!this.#options.isStrict || leaving.isLearner) return;
    const voters = this.#voters();
    const started = voters.filter((one) => one.id !== leaving.id && isStarted(one)).length;
    if (started < quorumOf(voters.length - 1)) throw new EtcdError("NotEnoughStartedMembers");
    // Whoever cannot be reached may always go: that is what removal is for.
    if (leaving.id !== this.#host.selfId && this.#host.activeSince(leaving.id) === undefined) return;
    if (this.#connected(voters) - 1 < quorumOf(voters.length - 1)) throw new EtcdError("Unhealthy");
  }

  #voters(): MemberRecord[] {
    return this.#membership.list().filter(({ isLearner }) => !isLearner);
  }

  #connected(members: readonly MemberRecord[]): number {
    return members.filter(({ id }) => this.#isConnected(id)).length;
  }

  #isConnected(id: bigint): boolean {
    if (id === this.#host.selfId) return true;
    const since = this.#host.activeSince(id);
    return since !== undefined && this.#clock.monotonicMs() - since >= CONNECTED_MS;
  }
}

/** It has published its name, which it does once it takes part. */
function isStarted({ name }: MemberRecord): boolean {
  return name !== "";
}

function quorumOf(voters: number): number {
  return Math.floor(voters / 2) + 1;
}
