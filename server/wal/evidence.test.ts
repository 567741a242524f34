/** What proves that a gap in the log is no torn write, of a member alone and of one with others. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { SimDisk } from "../../test/simulation/world/disk.ts";
import { Prng } from "../base/prng.ts";
import { makeDurableFolder } from "../member/durable-folder.ts";
import { EntryType } from "../proto/raftpb.ts";
import { CorruptLog } from "./corrupt-log.ts";
import { Wal } from "./wal.ts";

const FOLDER = "/data/wal";

/** A log of three saves with an entry and a commit each, of which a sector of the first entry has never been written. */
function damaged(): SimDisk {
  const disk = new SimDisk({ prng: new Prng(1) });
  makeDurableFolder(disk, "/data");
  const wal = Wal.create(disk, FOLDER, Uint8Array.of(1));
  const name = `${FOLDER}/${disk.list(FOLDER).find((file) => file.endsWith(".wal"))}`;
  const from = disk.journal.length;
  for (let index = 1; index <= 3; index++) {
    const entry = { term: 1, index, type: EntryType.NORMAL, data: new Uint8Array(2000).fill(7) };
    wal.save({ term: 1, vote: 1n, commit: index }, [entry]);
    wal.syncNow();
  }
  const first = disk.journal.slice(from).find((line) => line.startsWith("write"));
  const position = Number(/ (\d+)\+/.exec(first ?? "")?.[1]);
  const sector = Math.ceil(position / 512) * 512;
  const bytes = disk.contentOf(name);
  for (let at = sector; at < sector + 512; at++) disk.flip(name, at, bytes[at] as number);
  disk.kill();
  return disk;
}

test("a member alone has synced each save before the next: a commit behind a gap proves that it was synced", () => {
  assert.throws(() => Wal.open(damaged(), FOLDER), CorruptLog);
});

test("a member with others writes on while a sync runs: such a gap is what a power cut leaves (seed 5054)", () => {
  const { entries, repaired } = Wal.open(damaged(), FOLDER, { savesOut: 3 });
  assert.deepEqual(entries, []);
  assert.ok(repaired !== undefined);
  assert.throws(() => Wal.open(damaged(), FOLDER, { savesOut: 2 }), CorruptLog);
});
