/**
 * What a log must be after a crash, and a log that is used as a member uses it. The model keeps every record that was
 * handed over, in order, and how many of them a sync has made certain. Whatever the disk did, what is read afterwards
 * must be what some number of those records make: at least the certain ones, none but those handed over.
 */
import { assert } from "../../server/base/assert.ts";
import { crc32c } from "../../server/base/crc32c.ts";
import type { Prng } from "../../server/base/prng.ts";
import type { Disk } from "../../server/ports/disk.ts";
import { type ConfState, type Entry, EntryType, type HardState } from "../../server/proto/raftpb.ts";
import type { Snapshot } from "../../server/proto/walpb.ts";
import { type OpenedWal, Wal, type WalOptions } from "../../server/wal/wal.ts";

type ModelRecord =
  | { readonly kind: "entry"; readonly entry: Entry }
  | { readonly kind: "state"; readonly state: HardState }
  | { readonly kind: "snapshot"; readonly snapshot: Snapshot };

const VOTERS: ConfState = { voters: [7n], learners: [], votersOutgoing: [], learnersNext: [], autoLeave: false };

/** The log that records make, told as plainly as can be. */
interface ModelLog {
  readonly entries: readonly Entry[];
  readonly state: HardState;
  readonly snapshots: readonly Snapshot[];
}

const EMPTY_LOG: ModelLog = {
  entries: [],
  state: { term: 0, vote: 0n, commit: 0 },
  snapshots: [{ index: 0, term: 0, confState: undefined }],
};

function withRecord(log: ModelLog, record: ModelRecord): ModelLog {
  if (record.kind === "state") return { ...log, state: record.state };
  if (record.kind === "snapshot") return { ...log, snapshots: [...log.snapshots, record.snapshot] };
  const { entry } = record;
  return { ...log, entries: [...log.entries.filter(({ index }) => index < entry.index), entry] };
}

function textOfLog({ entries, state, snapshots }: ModelLog): string {
  const snapshot = snapshots.findLast(({ index }) => index <= state.commit) as Snapshot;
  const after = entries.filter(({ index }) => index > snapshot.index);
  return textOf(state, snapshot, after);
}

function textOf(state: HardState, snapshot: Snapshot, entries: readonly Entry[]): string {
  const lines = entries.map(({ type, term, index, data }) => `${index}/${term}/${type} ${digest(data)}`);
  return [
    `state ${state.term} ${state.vote} ${state.commit}`,
    `snapshot ${snapshot.index} ${snapshot.term}`,
    ...lines,
  ].join("\n");
}

/** Enough of an entry's data to know it again. */
function digest(data: Uint8Array): string {
  return `${data.length} bytes, crc ${crc32c(data)}`;
}

/** What was handed over to a log, and how much of it is certain. */
export class LogModel {
  /** `#logs[n]`: the log that the first n records make. */
  #logs: ModelLog[] = [EMPTY_LOG];
  #certain = 0;

  handOver(records: readonly ModelRecord[]): void {
    for (const record of records) this.#logs.push(withRecord(this.log, record));
  }

  get handedOver(): number {
    return this.#logs.length - 1;
  }

  get log(): ModelLog {
    return this.#logs.at(-1) as ModelLog;
  }

  /** The first `count` records are certain from now on. */
  makeCertain(count = this.handedOver): void {
    this.#certain = Math.max(this.#certain, count);
  }

  /** What is wrong with a log as it was read; undefined when it is right. Goes on from what was read. */
  check(opened: Pick<OpenedWal, "hardState" | "snapshot" | "entries">): string | undefined {
    const text = textOf(opened.hardState, opened.snapshot, opened.entries);
    const found = this.#logs.findLastIndex((log) => textOfLog(log) === text);
    const certain = `certain were ${this.#certain} records:\n${textOfLog(this.#logs[this.#certain] as ModelLog)}`;
    if (found < 0) return `invented:\n${text}\n-- ${certain}`;
    if (found < this.#certain) return `lost: ${found} records are left, ${certain}`;
    // What was read counts (it was synced by opening), the rest never happened.
    this.#logs.length = found + 1;
    this.makeCertain();
    return undefined;
  }
}

export interface UsageOptions extends WalOptions {
  readonly steps: number;
  /** Of an entry's data. */
  readonly dataBytesMax: number;
}

/** Uses a log as a member does: one save unsynced at a time, snapshots of what is committed, releases, spares. */
export class LogUser {
  readonly #disk: Disk;
  readonly #folder: string;
  readonly #model: LogModel;
  readonly #options: UsageOptions;
  #wal: Wal | undefined;

  constructor(disk: Disk, folder: string, model: LogModel, options: UsageOptions) {
    this.#disk = disk;
    this.#folder = folder;
    this.#model = model;
    this.#options = options;
  }

  /** Makes or opens the log; answers what is wrong with it. */
  start(): string | undefined {
    if (!Wal.exists(this.#disk, this.#folder)) {
      if (this.#model.handedOver > 0) return "lost: the whole log";
      this.#wal = Wal.create(this.#disk, this.#folder, Uint8Array.of(8, 7, 16, 9), this.#options);
      return undefined;
    }
    const opened = Wal.open(this.#disk, this.#folder, this.#options);
    this.#wal = opened.wal;
    return this.#model.check(opened);
  }

  /** Throws what the disk throws. */
  async run(prng: Prng): Promise<void> {
    for (let step = 0; step < this.#options.steps; step++) await this.#step(prng);
  }

  close(): void {
    this.#wal?.close();
  }

  async #step(prng: Prng): Promise<void> {
    const wal = this.#wal as Wal;
    const choice = prng.below(10);
    if (choice === 0) this.#saveStateOnly(wal, prng);
    else if (choice === 1) this.#takeSnapshot(wal, prng);
    else if (choice === 2) while (wal.prepareSpare()) await Promise.resolve();
    else await this.#saveEntries(wal, prng);
    await Promise.resolve();
  }

  /** A commit alone need not be synced. */
  #saveStateOnly(wal: Wal, prng: Prng): void {
    const { state, entries } = this.#model.log;
    const last = entries.at(-1)?.index ?? state.commit;
    const next = { ...state, term: Math.max(1, state.term), commit: between(prng, state.commit, last) };
    this.#model.handOver([{ kind: "state", state: next }]);
    wal.save(next, []);
  }

  async #saveEntries(wal: Wal, prng: Prng): Promise<void> {
    const { state, entries: had } = this.#model.log;
    const last = had.at(-1)?.index ?? state.commit;
    const overwrite = last > state.commit && prng.chance(0.2);
    // A torn save may leave entries of a term that its hard state did not get to name.
    const known = Math.max(1, state.term, had.at(-1)?.term ?? 0);
    const term = overwrite || prng.chance(0.1) ? known + 1 : known;
    const first = overwrite ? state.commit + 1 + prng.below(last - state.commit) : last + 1;
    const entries = Array.from({ length: 1 + prng.below(3) }, (_, at) => this.#entry(prng, term, first + at));
    // A follower that catches up saves entries and their commit at once.
    const stored = overwrite ? first - 1 : last;
    const commit = between(prng, state.commit, prng.chance(0.3) ? first + entries.length - 1 : stored);
    const next =
      prng.chance(0.8) || term !== state.term ? { term, vote: prng.chance(0.5) ? 7n : 1n << 63n, commit } : undefined;
    this.#model.handOver(entries.map((entry) => ({ kind: "entry", entry })));
    if (next !== undefined) this.#model.handOver([{ kind: "state", state: next }]);
    const count = this.#model.handedOver;
    wal.save(next, entries);
    if (prng.chance(0.5)) wal.syncNow();
    else await wal.sync();
    this.#model.makeCertain(count);
  }

  #takeSnapshot(wal: Wal, prng: Prng): void {
    const { state, entries, snapshots } = this.#model.log;
    const before = snapshots.at(-1)?.index ?? 0;
    const covered = entries.filter(({ index }) => index <= state.commit && index > before);
    if (covered.length === 0) return;
    const { index, term } = prng.pick(covered);
    const snapshot = { index, term, confState: VOTERS };
    this.#model.handOver([{ kind: "snapshot", snapshot }]);
    wal.saveSnapshot(snapshot);
    wal.syncNow();
    this.#model.makeCertain();
    if (prng.chance(0.8)) wal.release(index);
  }

  #entry(prng: Prng, term: number, index: number): Entry {
    const length = prng.chance(0.2) ? 0 : prng.below(this.#options.dataBytesMax);
    // Zeros now and then: whole sectors of them are what a torn write looks like.
    const data = prng.chance(0.2) ? new Uint8Array(length) : prng.bytes(length);
    return { type: EntryType.NORMAL, term, index, data };
  }
}

function between(prng: Prng, low: number, high: number): number {
  assert(low <= high, "a range has two ends");
  return low + prng.below(high - low + 1);
}
