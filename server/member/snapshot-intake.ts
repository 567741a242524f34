/**
 * Whole states that other members send, up to the moment when one takes the place of ours. The file goes to disk as it
 * comes, is loaded into a second store, and that is read into memory beside the present state: in slices, and all before
 * raft hears of it, so that a member goes on answering its leader and its clients however long it takes, and a damaged
 * record is found while the sender can still be told. Only the exchange itself is done at once.
 *
 *     open ─► receiving ─► loading ─► loaded ── raft takes it ─► taken ─► takePlace ─► finished
 *                 └───────────┴──────────┴─ broken off, overtaken by a newer one, or of no use to raft: as if it never came
 *
 * One at a time. A newer one takes the place of one that raft has not taken; a taken one refuses others.
 */
import { storeConfState } from "../apply/cluster-requests.ts";
import { storeConsistentIndex } from "../apply/consistent-index.ts";
import { assert } from "../base/assert.ts";
import { WorldError } from "../base/error.ts";
import { failpoint } from "../base/failpoint.ts";
import { memberIdText } from "../base/int64.ts";
import { BoltError } from "../bolt/format.ts";
import { BoltFile } from "../bolt/reader.ts";
import type { Backend, BackendReader, Replacement } from "../ports/backend.ts";
import type { Clock } from "../ports/clock.ts";
import type { Disk, DiskFile } from "../ports/disk.ts";
import type { Logger } from "../ports/logger.ts";
import type { SnapshotSink } from "../ports/network.ts";
import type { ConfState, Message, Snapshot } from "../proto/raftpb.ts";
import { BoltLoader } from "./bolt-loader.ts";
import { makeDurableFolder } from "./durable-folder.ts";
import type { ReadState } from "./read-state.ts";
import { partPath, receivedPath, removeReceived } from "./received-files.ts";
import { Turns } from "./turns.ts";

/** Written between two syncs while it comes in: what the page cache holds of it stays small. */
const SYNC_BYTES = 8 * 2 ** 20;
/** Of one transaction: they are handed over in one turn. */
const COMMIT_BYTES = 2 ** 20;
const COMMIT_RECORDS = 1000;

export interface IntakeParts {
  readonly disk: Disk;
  readonly backend: Backend;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly folder: string;
  /** Reads the second store into memory, see `readStateSteps`. */
  readonly read: (store: BackendReader) => Generator<void, ReadState>;
  /** The newest storage version that is read, "3.7.0". */
  readonly newestVersion: string;
}

/** What a state is of. */
export interface StateMark {
  readonly index: number;
  readonly term: number;
  readonly confState: ConfState;
}

export class SnapshotIntake {
  readonly #parts: IntakeParts;
  #arrival: Arrival | undefined;
  /** Resolves when nothing is left of those that were given up. */
  #leaving: Promise<unknown> = Promise.resolve();
  #isStopped = false;

  constructor(parts: IntakeParts) {
    this.#parts = parts;
  }

  /** For the network. Rejects when another was taken and not yet installed, or the message says too little. */
  async open(message: Message): Promise<SnapshotSink> {
    const mark = markOf(message.snapshot);
    const action = `take in the state of entry ${mark.index}`;
    const before = this.#arrival;
    if (before?.phase === "taken")
      throw new WorldError(action, `that of entry ${before.mark.index} is being installed`);
    const arrival = new Arrival(mark, message.from, this.#parts);
    this.#arrival = arrival;
    await this.#leave(before, "a newer one is sent");
    if (this.#isStopped || this.#arrival !== arrival) throw new WorldError(action, "it was given up meanwhile");
    arrival.begin();
    return arrival;
  }

  /** Whether the state of entry `index` is loaded, and raft may hear of it. */
  isLoaded(index: number): boolean {
    return this.#arrival?.phase === "loaded" && this.#arrival.mark.index === index;
  }

  /** Raft goes on from the loaded state (`wanted`), or has no use for it. */
  settle(wanted: boolean): void {
    const arrival = this.#arrival;
    assert(arrival?.phase === "loaded", "only a loaded state is settled");
    if (wanted) arrival.phase = "taken";
    else void arrival.giveUp(new Error("this member has as much already"));
  }

  /** Nothing is committed to the present store from here on; resolves when the loaded one can take its place. */
  prepare(index: number): Promise<void> {
    return this.#taken(index).prepare();
  }

  /** See `Replacement.takePlace`. Answers what the store holds, to be taken over in the same turn. */
  takePlace(index: number): ReadState {
    return this.#taken(index).takePlace();
  }

  /** The log says what the store is of: nothing else need be kept. */
  finished(): void {
    removeReceived(this.#parts.disk, this.#parts.folder);
    this.#arrival = undefined;
  }

  /** Gives up what is under way; resolves when nothing is left of it. What was taken stays for the next start. */
  async stop(): Promise<void> {
    this.#isStopped = true;
    await this.#leave(this.#arrival, "this member stops");
  }

  /** All that came before it must be gone too: they share one file and one place. */
  #leave(arrival: Arrival | undefined, reason: string): Promise<unknown> {
    this.#leaving = Promise.all([this.#leaving, arrival?.giveUp(new Error(reason))]);
    return this.#leaving;
  }

  #taken(index: number): Arrival {
    const arrival = this.#arrival;
    assert(
      arrival?.phase === "taken" && arrival.mark.index === index,
      `the state of entry ${index} was loaded and taken`,
    );
    return arrival;
  }
}

type Phase = "receiving" | "loading" | "loaded" | "taken" | "over";

class Arrival implements SnapshotSink {
  readonly mark: StateMark;
  phase: Phase = "receiving";
  readonly #from: bigint;
  readonly #parts: IntakeParts;
  #hasBegun = false;
  #file: DiskFile | undefined;
  #sizeBytes = 0;
  #unsyncedBytes = 0;
  #replacement: Replacement | undefined;
  #state: ReadState | undefined;
  /** What must be over before anything is let go of. */
  #work: Promise<unknown> = Promise.resolve();
  #givenUp: Error | undefined;
  #gone: Promise<void> | undefined;

  constructor(mark: StateMark, from: bigint, parts: IntakeParts) {
    this.mark = mark;
    this.#from = from;
    this.#parts = parts;
  }

  /** Makes the file. Throws `WorldError`. */
  begin(): void {
    const { disk, folder } = this.#parts;
    this.#hasBegun = true;
    makeDurableFolder(disk, folder);
    removeReceived(disk, folder);
    this.#file = disk.open(partPath(folder, this.mark.index), { create: true });
  }

  write(bytes: Uint8Array): void | Promise<void> {
    this.#check();
    const file = this.#file as DiskFile;
    file.write(this.#sizeBytes, bytes);
    this.#sizeBytes += bytes.length;
    this.#unsyncedBytes += bytes.length;
    if (this.#unsyncedBytes < SYNC_BYTES) return;
    this.#unsyncedBytes = 0;
    return this.#during(file.sync());
  }

  end(): Promise<void> {
    return this.#during(this.#load());
  }

  abort(reason: Error): void {
    void this.giveUp(reason);
  }

  /** As if it had never come, unless raft has taken it: then only what can be let go of without harm is. Never rejects. */
  giveUp(reason: Error): Promise<void> {
    this.#givenUp ??= reason;
    this.#gone ??= this.#letGo();
    return this.#gone;
  }

  async prepare(): Promise<void> {
    await this.#during((this.#replacement as Replacement).prepare());
  }

  takePlace(): ReadState {
    this.#check();
    const state = this.#state as ReadState;
    this.#state = undefined;
    (this.#replacement as Replacement).takePlace(); // and stays taken until the log says so: its file is still needed
    return state;
  }

  async #load(): Promise<void> {
    const { backend, logger } = this.#parts;
    const file = this.#file as DiskFile;
    this.phase = "loading";
    await file.sync();
    this.#check();
    const replacement = await backend.beginReplacement();
    this.#replacement = replacement;
    const records = await this.#fill(replacement, file);
    this.#state = await this.#inTurns(this.#parts.read(replacement));
    this.#check();
    this.#markLoaded(file);
    this.phase = "loaded";
    logger.info("loaded the state that another member sent", {
      "remote-peer-id": memberIdText(this.#from),
      "snapshot-index": this.mark.index,
      records,
      bytes: this.#sizeBytes,
    });
  }

  /** Answers the number of records. */
  async #fill(replacement: Replacement, file: DiskFile): Promise<number> {
    const { newestVersion } = this.#parts;
    const options = { sink: replacement, bytesMax: COMMIT_BYTES, recordsMax: COMMIT_RECORDS, newestVersion };
    const loader = new BoltLoader(options);
    const steps = loader.steps(BoltFile.open(sourceOf(file, this.#sizeBytes)));
    const commit = () => (loader.isFull ? replacement.commit() : undefined);
    const { consistentIndex, records } = await this.#inTurns(steps, commit);
    const { index, term, confState } = this.mark;
    if (consistentIndex > index)
      throw new BoltError(`the file is of entry ${consistentIndex}, the message with it of entry ${index}`);
    // The last entries may have changed nothing: etcd's file need not name them.
    storeConsistentIndex(replacement, { index, term });
    storeConfState(replacement, confState);
    await replacement.commit();
    return records;
  }

  /** Runs the steps in slices; after each of them `between`, if it answers a promise, has a turn of its own. */
  async #inTurns<T>(steps: Generator<void, T>, between: () => Promise<void> | undefined = () => undefined): Promise<T> {
    const turns = new Turns(this.#parts.clock);
    for (let step = steps.next(); ; step = steps.next()) {
      if (step.done === true) return step.value;
      const waiting = between();
      if (waiting === undefined) await turns.step();
      else {
        await waiting;
        await turns.others();
      }
      this.#check();
    }
  }

  /** From here on a start that finds the store exchanged knows why. */
  #markLoaded(file: DiskFile): void {
    const { disk, folder } = this.#parts;
    const { index } = this.mark;
    file.truncate(0);
    file.close();
    this.#file = undefined;
    disk.rename(partPath(folder, index), receivedPath(folder, index));
    failpoint?.("snapDBRenameBeforeDirSync");
    const refusal = failpoint?.("snapDBDirSyncError");
    if (refusal !== undefined) throw new WorldError(`sync the folder "${folder}"`, refusal);
    disk.syncFolder(folder);
  }

  async #letGo(): Promise<void> {
    await this.#work.catch(() => undefined);
    if (this.phase === "over") return;
    const wasTaken = this.phase === "taken";
    this.phase = "over";
    this.#state = undefined; // as large as what the member has in memory itself
    try {
      await this.#replacement?.discard();
      this.#file?.close();
      if (this.#hasBegun && !wasTaken) removeReceived(this.#parts.disk, this.#parts.folder);
    } catch {
      // The next arrival, or the next start, removes it.
    }
  }

  #during<T>(work: Promise<T>): Promise<T> {
    this.#work = work;
    return work;
  }

  #check(): void {
    if (this.#givenUp !== undefined) throw this.#givenUp;
  }
}

/** What a snapshot of raft's is of. Throws `WorldError` when it says too little. */
export function markOf(snapshot: Snapshot | undefined): StateMark {
  const metadata = snapshot?.metadata;
  if (metadata?.confState === undefined || metadata.confState.voters.length === 0)
    throw new WorldError("take in the state of another member", "its message does not say who votes");
  return { index: metadata.index, term: metadata.term, confState: metadata.confState };
}

function sourceOf(
  file: DiskFile,
  sizeBytes: number,
): { sizeBytes: number; read: (at: number, length: number) => Uint8Array } {
  return {
    sizeBytes,
    read: (at, length) => {
      const bytes = file.read(at, length);
      if (bytes.length < length) throw new BoltError(`it ends at byte ${at + bytes.length}, where more was expected`);
      return bytes;
    },
  };
}
