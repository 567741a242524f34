import assert from "node:assert/strict";
import { test } from "node:test";
import { SimDisk } from "../../test/simulation/world/disk.ts";
import { Prng } from "../base/prng.ts";
import type { Logger } from "../ports/logger.ts";
import { ConfState, EntryType } from "../proto/raftpb.ts";
import { LogStorage } from "../raft/log-storage.ts";
import { Wal } from "../wal/wal.ts";
import { LogSnapshots } from "./snapshots.ts";

const WAL = "/data/member/wal";
const COUNT = 10;
const BYTES = 20_000;
const silent: Logger = {
  debug: () => undefined,
  info: () => undefined,
  warn: () => undefined,
  error: () => undefined,
};

/** A log on a disk, with what a restarted member makes of it. */
class Place {
  readonly #disk = new SimDisk({ prng: new Prng(1) });
  wal: Wal;
  log = new LogStorage();
  snapshots: LogSnapshots;

  constructor() {
    this.#disk.makeFolder("/data");
    this.wal = Wal.create(this.#disk, WAL, Uint8Array.of(8, 7, 16, 9));
    this.snapshots = this.#snapshots(0);
  }

  #snapshots(snapshotIndex: number): LogSnapshots {
    const { wal, log } = this;
    const catchupEntries = 2;
    const applied = { index: snapshotIndex, value: log.confState };
    const parts = { wal, log, logger: silent, snapshotIndex, applied, count: COUNT, catchupEntries, logBytes: BYTES };
    return new LogSnapshots(parts);
  }

  /** Appends and applies entries up to and with `last`. */
  fill(last: number, bytes = 1, term = 1): void {
    for (let index = this.log.lastIndex() + 1; index <= last; index++) {
      const entry = { type: EntryType.NORMAL, term, index, data: new Uint8Array(bytes).fill(index) };
      this.wal.save({ term, vote: 7n, commit: index }, [entry]);
      this.log.append([entry]);
      this.snapshots.noteApplied(entry);
    }
    this.wal.syncNow();
  }

  restart(): { index: number; voters: readonly bigint[] } {
    this.wal.close();
    const { wal, hardState, snapshot, entries } = Wal.open(this.#disk, WAL);
    const confState = snapshot.confState ?? ConfState.create();
    this.wal = wal;
    this.log = new LogStorage({ hardState, entries, snapshot: { ...snapshot, confState } });
    this.snapshots = this.#snapshots(snapshot.index);
    for (const entry of entries) this.snapshots.noteApplied(entry);
    return { index: snapshot.index, voters: confState.voters };
  }
}

function voters(...ids: bigint[]): ConfState {
  return ConfState.create({ voters: ids });
}

test("a snapshot taken after a restart still says who votes, though the entries that made it so are gone", () => {
  const place = new Place();
  place.snapshots.noteConfState(1, voters(7n));
  place.fill(12);
  place.snapshots.maybeTake(11);
  assert.deepEqual(place.restart(), { index: 11, voters: [7n] });
  place.fill(25);
  place.snapshots.maybeTake(24);
  assert.deepEqual(place.restart(), { index: 24, voters: [7n] });
});

test("a snapshot holds the configuration as of its own index, not one that was applied since", () => {
  const place = new Place();
  place.snapshots.noteConfState(1, voters(7n));
  place.snapshots.noteConfState(5, voters(7n, 8n));
  place.snapshots.noteConfState(12, voters(7n, 8n, 9n));
  place.fill(40);
  place.snapshots.maybeTake(11);
  assert.deepEqual(place.log.confState.voters, [7n, 8n]);
  place.snapshots.maybeTake(30);
  assert.deepEqual(place.restart(), { index: 30, voters: [7n, 8n, 9n] });
});

test("no snapshot is taken before there is enough for one", () => {
  const place = new Place();
  place.snapshots.noteConfState(1, voters(7n));
  place.fill(COUNT + 1);
  place.snapshots.maybeTake(COUNT);
  assert.equal(place.log.snapshotIndex, 0);
  place.snapshots.maybeTake(COUNT + 1);
  assert.equal(place.log.snapshotIndex, COUNT + 1);
  assert.equal(place.log.firstIndex(), COUNT + 1 - 2 + 1);
});

test("a store that is ahead of the commit index that the log kept has its snapshot when the log knows of it again", () => {
  const place = new Place();
  place.snapshots.noteConfState(1, voters(7n));
  place.fill(2 * COUNT);
  place.wal.save({ term: 1, vote: 7n, commit: COUNT }, []); // as a power cut leaves it
  place.restart();
  place.snapshots.noteConfState(1, voters(7n));
  place.snapshots.maybeTake(2 * COUNT);
  assert.equal(place.log.snapshotIndex, 0);
  place.wal.save({ term: 1, vote: 7n, commit: 2 * COUNT }, []);
  place.snapshots.maybeTake(2 * COUNT);
  assert.deepEqual(place.restart(), { index: 2 * COUNT, voters: [7n] });
});

test("a log of few but large entries is cut before it takes too much memory", () => {
  const place = new Place();
  place.snapshots.noteConfState(1, voters(7n));
  place.fill(3, 4000);
  place.snapshots.maybeTake(3);
  assert.equal(place.log.snapshotIndex, 0);
  place.fill(6, 4000);
  place.snapshots.maybeTake(5);
  assert.equal(place.log.snapshotIndex, 5);
  assert.ok(place.log.bytes <= BYTES / 2 && place.log.firstIndex() <= 5 + 1, `${place.log.bytes} bytes are kept`);
  place.snapshots.maybeTake(5);
  assert.deepEqual(place.restart(), { index: 5, voters: [7n] });
});

test("what the store does not have yet stays in the log, however much it is", () => {
  const place = new Place();
  place.snapshots.noteConfState(1, voters(7n));
  place.fill(9, 4000);
  place.snapshots.maybeTake(2);
  assert.equal(place.log.firstIndex(), 3);
  assert.equal(place.log.lastIndex(), 9);
});

test("a member that is alone keeps no entry in memory once it is applied, and its snapshots say the right term", () => {
  const place = new Place();
  place.snapshots.noteConfState(1, voters(7n));
  place.fill(8);
  place.snapshots.trim(8);
  assert.deepEqual([place.log.firstIndex(), place.log.bytes], [9, 0]);
  place.fill(15, 1, 2);
  place.snapshots.trim(15);
  place.snapshots.maybeTake(12);
  place.fill(16, 1, 3);
  assert.deepEqual([place.log.snapshotIndex, place.log.firstIndex()], [15, 16]);
  assert.deepEqual(place.restart(), { index: 12, voters: [7n] });
  assert.deepEqual([place.log.term(12), place.log.term(13), place.log.term(16)], [2, 2, 3]);
});

test("with followers, or a learner, entries stay for them", () => {
  for (const confState of [voters(7n, 8n), ConfState.create({ voters: [7n], learners: [9n] })]) {
    const place = new Place();
    place.snapshots.noteConfState(1, confState);
    place.fill(8);
    place.snapshots.trim(8);
    assert.equal(place.log.firstIndex(), 1);
  }
});

test("a log that is trimmed in memory is cut on disk all the same, by the bytes that were applied", () => {
  const place = new Place();
  place.snapshots.noteConfState(1, voters(7n));
  place.fill(6, 4000);
  place.snapshots.trim(6);
  place.snapshots.maybeTake(5);
  assert.deepEqual(place.restart(), { index: 5, voters: [7n] });
});
