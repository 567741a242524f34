/** The way of a request into the log: what is refused before the log is touched, and who waits for the answer. */
import { costBytes } from "../apply/costs.ts";
import { withinQuota } from "../apply/gates.ts";
import type { Responses } from "../apply/outcome.ts";
import type { State } from "../apply/state.ts";
import { EtcdError } from "../base/error.ts";
import type { Clock } from "../ports/clock.ts";
import { InternalRaftRequest, type InternalRequest } from "../proto/etcdserverpb.ts";
import type { RawNode } from "../raft/raw-node.ts";
import type { HeapWatch } from "./heap-watch.ts";
import type { MemberMetrics } from "./member-metrics.ts";
import type { Proposals } from "./proposals.ts";
import type { RequestIds } from "./request-ids.ts";
import type { SpaceAlarm } from "./space-alarm.ts";
import type { Standing } from "./standing.ts";

/** Entries committed and not yet applied before new proposals are refused. */
const BACKLOG_MAX = 5000;

/** Until when somebody waits; absent: the member's own request timeout alone. */
export interface Patience {
  /** Monotonic milliseconds. */
  readonly deadlineMs: number | undefined;
}

export interface ProposerParts {
  readonly standing: Standing;
  readonly state: State;
  readonly raft: RawNode;
  readonly proposals: Proposals;
  readonly requestIds: RequestIds;
  readonly heap: HeapWatch;
  readonly spaceAlarm: SpaceAlarm;
  readonly clock: Clock;
  readonly metrics: MemberMetrics;
  readonly maxRequestBytes: number;
  /** See `MemberOptions`. */
  readonly transitBytes: number;
  readonly timeoutMs: number;
  /** Has the conductor run a round soon. */
  readonly schedule: () => void;
}

export class Proposer {
  readonly #standing: Standing;
  readonly #state: State;
  readonly #raft: RawNode;
  readonly #proposals: Proposals;
  readonly #requestIds: RequestIds;
  readonly #heap: HeapWatch;
  readonly #spaceAlarm: SpaceAlarm;
  readonly #clock: Clock;
  readonly #metrics: MemberMetrics;
  readonly #maxRequestBytes: number;
  readonly #transitBytes: number;
  readonly #timeoutMs: number;
  readonly #schedule: () => void;

  constructor(parts: ProposerParts) {
    this.#standing = parts.standing;
    this.#state = parts.state;
    this.#raft = parts.raft;
    this.#proposals = parts.proposals;
    this.#requestIds = parts.requestIds;
    this.#heap = parts.heap;
    this.#spaceAlarm = parts.spaceAlarm;
    this.#clock = parts.clock;
    this.#metrics = parts.metrics;
    this.#maxRequestBytes = parts.maxRequestBytes;
    this.#transitBytes = parts.transitBytes;
    this.#timeoutMs = parts.timeoutMs;
    this.#schedule = parts.schedule;
  }

  /** Puts the request into the log; resolves with its answer once it is applied, rejects with its refusal. */
  propose(request: InternalRequest, patience?: Patience): Promise<Responses[keyof Responses]> {
    return new Promise((resolve, reject) => {
      this.#admit(request);
      const id = this.#requestIds.next();
      const data = InternalRaftRequest.encode({ header: { id, username: "", authRevision: 0 }, id: 0n, request });
      if (data.length > this.#maxRequestBytes) throw new EtcdError("RequestTooLarge");
      const inFlight = this.#proposals.bytes;
      const crowded = inFlight > 0 && inFlight + data.length > this.#transitBytes;
      if (crowded && costBytes(request) > 0) throw new EtcdError("TooManyRequests");
      if (!this.#raft.propose(data)) {
        this.#metrics.proposalFailed();
        throw new EtcdError("NoLeader");
      }
      const latest = this.#clock.monotonicMs() + this.#timeoutMs;
      const deadlineMs = Math.min(patience?.deadlineMs ?? latest, latest);
      this.#proposals.add({ id, request, data, deadlineMs, resolve, reject });
      this.#schedule();
    });
  }

  /** Refuses before the log is touched: stopping, too far behind, or no space. */
  #admit(request: InternalRequest): void {
    if (this.#standing.isStopping) throw new EtcdError("Stopped");
    if (this.#raft.commitIndex - this.#standing.consistent.index > BACKLOG_MAX) throw new EtcdError("TooManyRequests");
    const cost = costBytes(request);
    if (cost === 0) return;
    if (this.#heap.isTight) throw new EtcdError("NoSpace");
    if (withinQuota(this.#state, cost)) return;
    this.#spaceAlarm.raise();
    throw new EtcdError("NoSpace");
  }
}
