import assert from "node:assert/strict";
import { test } from "node:test";
import { SimDisk } from "../../test/simulation/world/disk.ts";
import { recordsOf } from "../../test/support/log-records.ts";
import { Prng } from "../base/prng.ts";
import { type ConfState, type Entry, EntryType } from "../proto/raftpb.ts";
import { RecordType } from "../proto/walpb.ts";
import { CorruptLog } from "./corrupt-log.ts";
import { type OpenedWal, Wal } from "./wal.ts";

const WAL = "/member/wal";
const OPTIONS = { segmentBytes: 2000 };
const VOTERS: ConfState = { voters: [7n], learners: [], votersOutgoing: [], learnersNext: [], autoLeave: false };

interface Sample {
  /** Of every file. */
  readonly files: ReadonlyMap<string, Uint8Array>;
  readonly lastName: string;
  /** What is read from them. */
  readonly text: string;
  /** Of every entry that was saved, as `text` has it. */
  readonly lines: readonly string[];
}

/** Saves of one entry and the commit of the one before, each synced: a member alone. */
function sample(sizes: readonly number[], data: (length: number) => Uint8Array): Sample {
  const disk = new SimDisk({ prng: new Prng(5) });
  disk.makeFolder("/member");
  const wal = Wal.create(disk, WAL, Uint8Array.of(8, 1, 16, 2), OPTIONS);
  const entries = sizes.map((length, at) => ({ type: EntryType.NORMAL, term: 1, index: at + 1, data: data(length) }));
  entries.forEach((entry, at) => {
    const { index } = entry;
    wal.save({ term: 1, vote: 7n, commit: at }, [entry]);
    wal.syncNow();
    if (index === 4) {
      wal.saveSnapshot({ index: 3, term: 1, confState: VOTERS });
      wal.syncNow();
    }
  });
  wal.close();
  const names = disk.list(WAL).filter((name) => name.endsWith(".wal"));
  const files = new Map(names.map((name) => [name, disk.contentOf(`${WAL}/${name}`)]));
  return { files, lastName: names.at(-1) as string, text: textOf(read(files)), lines: entries.map(lineOf) };
}

/** Opens these files as a log; throws what opening throws. */
function read(files: ReadonlyMap<string, Uint8Array>): OpenedWal {
  const disk = new SimDisk({ prng: new Prng(6) });
  for (const [name, bytes] of files) disk.place(`${WAL}/${name}`, bytes);
  const opened = Wal.open(disk, WAL, OPTIONS);
  opened.wal.close();
  // What was mended is whole, and says the same when it is read again.
  if (opened.repaired !== undefined) {
    const again = Wal.open(disk, WAL, OPTIONS);
    assert.equal(again.repaired, undefined);
    assert.equal(textOf(again), textOf(opened));
    again.wal.close();
  }
  return opened;
}

function textOf({ metadata, hardState, snapshot, entries }: OpenedWal): string {
  const { term, vote, commit } = hardState;
  const head = [Buffer.from(metadata).toString("hex"), `${term} ${vote} ${commit}`, `${snapshot.index}`];
  return [...head, ...entries.map(lineOf)].join("\n");
}

function lineOf({ type, term, index, data }: Entry): string {
  return `${index} ${term} ${type} ${Buffer.from(data).toString("hex")}`;
}

/** How many entries at the end are missing from a log that was read, all others being right; undefined if they are not. */
function missing(original: Sample, { snapshot, entries }: OpenedWal): number | undefined {
  const right = entries.every((entry) => lineOf(entry) === original.lines[entry.index - 1]);
  return right ? original.lines.length - snapshot.index - entries.length : undefined;
}

type Outcome = "same" | "refused" | "cut" | "wrong";

/** What became of a damaged log. "cut": entries of the last save are missing at most. */
function outcome(original: Sample, name: string, damaged: Uint8Array): Outcome {
  const files = new Map(original.files);
  files.set(name, damaged);
  try {
    const opened = read(files);
    if (textOf(opened) === original.text) return "same";
    const lost = missing(original, opened) ?? 2;
    const told = opened.repaired !== undefined || endsAtDamage(original.files.get(name) as Uint8Array, damaged);
    return told && lost <= 1 && name === original.lastName ? "cut" : "wrong";
  } catch (error) {
    if (!(error instanceof CorruptLog)) throw error;
    assert.match(error.message, /read the write-ahead log "\/member\/wal.*Nothing was changed.*put back a backup/s);
    return "refused";
  }
}

/** Whether nothing but zeros is left from the first damaged byte on: then there is nothing to be told of. */
function endsAtDamage(bytes: Uint8Array, damaged: Uint8Array): boolean {
  return dataEnd(damaged) <= bytes.findIndex((byte, at) => byte !== damaged[at]);
}

function withByte(bytes: Uint8Array, at: number, value: number): Uint8Array {
  const changed = bytes.slice();
  changed[at] = value;
  return changed;
}

const SAMPLES: readonly (readonly [string, Sample])[] = [
  [
    "values of any bytes",
    sample([5, 300, 0, 900, 700, 1200, 90, 61, 512, 40], (length) => new Prng(length).bytes(length)),
  ],
  ["values of zeros", sample([600, 1100, 2000, 1500, 1400, 20, 700], (length) => new Uint8Array(length))],
];

/** Every byte, with one bit flipped (another from byte to byte), and zero. */
function* damages(bytes: Uint8Array): Generator<readonly [number, number]> {
  for (let at = 0; at < bytes.length; at++) {
    const byte = bytes[at] as number;
    yield [at, byte ^ (1 << (at % 8))];
    if (byte !== 0) yield [at, 0];
  }
}

for (const [kind, original] of SAMPLES) {
  test(`no damaged byte is read as something else; what was read and synced before is never cut off (${kind})`, () => {
    const seen = { same: 0, refused: 0, cut: 0, wrong: 0 };
    for (const [name, bytes] of original.files) {
      const last = name === original.lastName;
      const lastSave = last ? lastSaveAt(original) : bytes.length;
      for (const [at, value] of damages(bytes)) {
        const found = outcome(original, name, withByte(bytes, at, value));
        seen[found]++;
        const message = `${name}: byte ${at} changed to ${value}: ${found}`;
        if (at < lastSave) assert.equal(found, "refused", message);
        else assert.notEqual(found, "wrong", message);
      }
    }
    assert.ok(seen.refused > 1000 && seen.same > 100, JSON.stringify(seen));
  });
}

test("a sector lost in the midst is told from a torn write by what was committed behind it", () => {
  const seen = new Set<Outcome>();
  for (const [, original] of SAMPLES) {
    for (const [name, bytes] of original.files) {
      for (let at = 0; at < bytes.length; at += 512) {
        const damaged = bytes.slice().fill(0, at, at + 512);
        if (Buffer.compare(damaged, bytes) === 0) continue;
        const found = outcome(original, name, damaged);
        assert.notEqual(found, "wrong", `${name}: sector at ${at}`);
        if (name !== original.lastName) assert.equal(found, "refused");
        seen.add(found);
      }
    }
  }
  assert.ok(seen.has("refused") && seen.has("cut"));
});

test("a last file that was cut short at any byte is mended to whole records", () => {
  for (const [, original] of SAMPLES) {
    const bytes = original.files.get(original.lastName) as Uint8Array;
    const end = dataEnd(bytes);
    const headEnd = lastRecords(original)[2]?.offset ?? 0;
    for (let length = headEnd; length < end; length++) {
      const files = new Map(original.files).set(original.lastName, bytes.slice(0, length));
      assert.notEqual(missing(original, read(files)), undefined, `cut to ${length}`);
    }
    for (let length = 0; length < (lastRecords(original)[1]?.offset ?? 0); length += 3)
      assert.equal(outcome(original, original.lastName, bytes.slice(0, length)), "refused", `cut to ${length}`);
  }
});

test("a torn last record is cut off where zeros stand for it, and refused where anything else does", () => {
  const [, original] = SAMPLES[0] as (typeof SAMPLES)[number];
  const bytes = original.files.get(original.lastName) as Uint8Array;
  const records = lastRecords(original);
  const last = records.findLast(({ data }) => (data?.length ?? 0) > 500)?.offset as number;
  const cleared = bytes.slice().fill(0, dataEnd(bytes.subarray(0, last + 600)));
  for (let at = (Math.floor(last / 512) + 1) * 512; at < last + 500; at += 512) {
    assert.equal(outcome(original, original.lastName, cleared.slice().fill(0, at)), "cut", `zeros from ${at}`);
    assert.equal(
      outcome(original, original.lastName, cleared.slice().fill(0xa5, at, last + 540)),
      "refused",
      `garbage from ${at}`,
    );
  }
});

test("a missing file, a foreign file and a file of another member are told apart", () => {
  const [, original] = SAMPLES[0] as (typeof SAMPLES)[number];
  const names = [...original.files.keys()];
  assert.ok(names.length >= 3);
  const without = (name: string) => new Map([...original.files].filter(([other]) => other !== name));
  assert.throws(() => read(without(names[1] as string)), /the file with the number 0000000000000001 is missing/);
  assert.equal(textOf(read(new Map(original.files).set("lost+found", new Uint8Array(3)))), original.text);
  const other = sample([5, 300, 0, 900, 700, 1200, 90, 61, 512, 40], () => Uint8Array.of(1));
  const mixed = new Map(original.files).set(names[2] as string, [...other.files.values()][0] as Uint8Array);
  assert.throws(() => read(mixed), CorruptLog);
});

test("a log whose committed entries are missing is refused", () => {
  const [, original] = SAMPLES[0] as (typeof SAMPLES)[number];
  const names = [...original.files.keys()];
  const onlyFirst = new Map([[names[0] as string, original.files.get(names[0] as string) as Uint8Array]]);
  assert.doesNotThrow(() => read(onlyFirst));
  const onlyLast = new Map([[original.lastName, original.files.get(original.lastName) as Uint8Array]]);
  assert.throws(() => read(onlyLast), /no snapshot record at or before the committed index/);
});

function dataEnd(bytes: Uint8Array): number {
  let end = bytes.length;
  while (bytes[end - 1] === 0) end--;
  return end;
}

/** Where the last save begins: nobody can tell whether it had been synced. */
function lastSaveAt(original: Sample): number {
  return lastRecords(original).findLast(({ type }) => type === RecordType.ENTRY)?.offset ?? 0;
}

function lastRecords(original: Sample) {
  const disk = new SimDisk({ prng: new Prng(7) });
  for (const [name, bytes] of original.files) disk.place(`${WAL}/${name}`, bytes);
  return recordsOf(disk, WAL).at(-1) ?? [];
}
