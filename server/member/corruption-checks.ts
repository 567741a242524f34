/**
 * Members hold their data against each other's, as etcd's do: before one serves (`InitialCorruptCheck`), every now and
 * then while it leads (`--corrupt-check-time`), and after compactions while it leads (`CompactHashCheck`). Who is found
 * to differ is marked by the alarm CORRUPT, on which writes are refused; at the start the member does not serve at all.
 * What a hash proves is judged in corruption-verdict.ts.
 */
import { EtcdError } from "../base/error.ts";
import { memberIdText } from "../base/int64.ts";
import type { MemberRecord } from "../cluster/membership.ts";
import type { Clock, Timer } from "../ports/clock.ts";
import type { Logger } from "../ports/logger.ts";
import type { PeerHash } from "../ports/network.ts";
import { BootstrapError } from "./bootstrap-result.ts";
import { differing, type OwnHash, outvoted, type PeerAnswer, suspectOf } from "./corruption-verdict.ts";

/** When what is checked. */
export interface CorruptionCheckOptions {
  readonly initially: boolean;
  /** 0: never. */
  readonly everyMs: number;
  /** How often compactions are looked at; undefined: never. */
  readonly compactionsEveryMs: number | undefined;
}

/** What the checks ask of the member around them. */
export interface ChecksHost {
  readonly selfId: bigint;
  readonly isLeader: boolean;
  /** All members but this one. */
  others(): readonly MemberRecord[];
  /** At a revision; 0: the current one. */
  hashKv(revision: number): Promise<OwnHash>;
  /** Of the last compactions, by rising revision. */
  compactionHashes(): readonly OwnHash[];
  ask(urls: readonly string[], revision: number, timeoutMs: number): Promise<PeerHash>;
  /** All that was committed before is applied. */
  linearizableRead(): Promise<void>;
  /** Raises CORRUPT for a member; 0n: for the cluster. */
  raise(id: bigint): Promise<unknown>;
}

export class CorruptionChecks {
  readonly #host: ChecksHost;
  readonly #options: CorruptionCheckOptions;
  readonly #clock: Clock;
  readonly #logger: Logger;
  readonly #askTimeoutMs: number;
  readonly #timers = new Set<Timer>();
  #isStopped = false;
  /** Compactions up to here were found alike on all members. */
  #checkedRevision = 0;

  constructor(parts: {
    host: ChecksHost;
    options: CorruptionCheckOptions;
    clock: Clock;
    logger: Logger;
    /** How long each member may take to answer. */
    askTimeoutMs: number;
  }) {
    this.#host = parts.host;
    this.#options = parts.options;
    this.#clock = parts.clock;
    this.#logger = parts.logger;
    this.#askTimeoutMs = parts.askTimeoutMs;
  }

  /** Before the member takes part, if that is wanted. Rejects with `BootstrapError` when another member's data differ. */
  async initially(): Promise<void> {
    if (!this.#options.initially) return;
    const fields = { "local-member-id": memberIdText(this.#host.selfId) };
    this.#logger.info("starting initial corruption check", fields);
    const own = await this.#host.hashKv(0);
    const answers = await this.#askAll(own.hashRevision);
    const found = differing(own, answers);
    if (found.length > 0) {
      const others = found.map(memberIdText).join(", ");
      throw new BootstrapError(
        `${memberIdText(this.#host.selfId)} found data inconsistency with peers: at revision ${own.hashRevision} ` +
          `(compacted at ${own.compactRevision}) its data hash to ${own.hash}, those of ${others} to something else. ` +
          "Compare all members (etcdctl endpoint hashkv --cluster). If this one differs from the rest: remove it, add it " +
          "anew and start it with an empty folder and --initial-cluster-state=existing",
      );
    }
    this.#logger.info("initial corruption checking passed; no corruption", {
      ...fields,
      compared: answers.filter(({ hash }) => hash?.compactRevision === own.compactRevision).length,
    });
  }

  /** From here on the others are compared as often as the options say, whenever this member leads. */
  start(): void {
    const { everyMs, compactionsEveryMs } = this.#options;
    if (everyMs > 0) this.#repeat(everyMs, () => this.periodic());
    if (compactionsEveryMs !== undefined) this.#repeat(compactionsEveryMs, () => this.compactions());
  }

  stop(): void {
    this.#isStopped = true;
    for (const timer of this.#timers) timer.cancel();
  }

  #repeat(everyMs: number, check: () => Promise<void>): void {
    if (this.#isStopped) return;
    const timer = this.#clock.after(everyMs, () => {
      this.#timers.delete(timer);
      const round = this.#host.isLeader ? check() : Promise.resolve();
      void round
        .catch((error: unknown) => {
          if (!this.#isStopped) this.#logger.warn("failed to check hash KV", { error });
        })
        .then(() => this.#repeat(everyMs, check));
    });
    this.#timers.add(timer);
  }

  /** Compares everybody's current data with ours, while this member leads. */
  async periodic(): Promise<void> {
    const host = this.#host;
    const before = await host.hashKv(0);
    const answers = await this.#askAll(before.hashRevision);
    await host.linearizableRead();
    const after = await host.hashKv(0);
    const suspect = suspectOf(host.selfId, { before, after }, answers);
    if (suspect === undefined) {
      const compared = answers.filter(({ hash }) => hash !== undefined).length;
      this.#logger.info("finished peer corruption check", { "number-of-peers-checked": compared });
      return;
    }
    this.#logger.error("found data inconsistency: raising alarm CORRUPT", {
      "member-id": memberIdText(suspect.id),
      why: suspect.why,
    });
    await host.raise(suspect.id);
  }

  /** Compares what members came by in compactions, the newest first, while this member leads. */
  async compactions(): Promise<void> {
    const host = this.#host;
    const unchecked = host.compactionHashes().filter(({ hashRevision }) => hashRevision > this.#checkedRevision);
    for (const own of [...unchecked].reverse()) {
      const answers = await this.#askAll(own.hashRevision);
      const suspects = outvoted(host.selfId, own, answers);
      for (const id of suspects) {
        this.#logger.error("detected compaction hash mismatch: raising alarm CORRUPT", {
          "member-id": memberIdText(id),
          "compact-revision": own.hashRevision,
          "leader-hash": own.hash,
          answers: answers.map((answer) => `${memberIdText(answer.id)}: ${answer.hash?.hash ?? "none"}`),
        });
        await host.raise(id);
      }
      if (suspects.length > 0) return;
      if (answers.every(({ hash }) => hash?.compactRevision === own.compactRevision)) {
        this.#checkedRevision = own.hashRevision;
        this.#logger.info("finished compaction hash check", {
          "compact-revision": own.hashRevision,
          "number-of-peers-checked": answers.length,
        });
        return;
      }
      this.#logger.warn("skipped revision in compaction hash check; was not able to check all peers", {
        "compact-revision": own.hashRevision,
      });
    }
  }

  #askAll(revision: number): Promise<PeerAnswer[]> {
    const asked = this.#host.others().map(async ({ id, peerUrls }) => {
      try {
        return { id, hash: await this.#host.ask(peerUrls, revision, this.#askTimeoutMs) };
      } catch (error) {
        this.#logger.warn("cannot fetch hash from a member", {
          "remote-peer-id": memberIdText(id),
          revision,
          error: error instanceof EtcdError ? error.code : error,
        });
        return { id, hash: undefined };
      }
    });
    return Promise.all(asked);
  }
}
