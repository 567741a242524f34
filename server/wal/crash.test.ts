import assert from "node:assert/strict";
import { test } from "node:test";
import { PowerCut, SimDisk } from "../../test/simulation/world/disk.ts";
import { LogModel, LogUser, type UsageOptions } from "../../test/support/log-model.ts";
import { Prng } from "../base/prng.ts";
import type { Disk, DiskFile } from "../ports/disk.ts";

const WAL = "/data/member/wal";
const OPTIONS: UsageOptions = { segmentBytes: 4096, steps: 40, dataBytesMax: 1200 };

type Around = (disk: SimDisk) => Disk;
type Ending = "crash" | "kill";

/** One life of a log: used until the n-th operation, then the end; then read, used again and read again. */
async function live(
  seed: number,
  n: number,
  ending: Ending,
  around: Around,
): Promise<{ found?: string; over: boolean }> {
  const disk = new SimDisk({ prng: new Prng(seed * 1_000_003 + n) });
  const model = new LogModel();
  const options = OPTIONS;
  disk.makeFolder("/data");
  disk.syncFolder("/");
  disk.crashAtOperation(n);
  const over = await stopped(async () => {
    const user = new LogUser(around(disk), WAL, model, options);
    user.start();
    await user.run(new Prng(seed));
    user.close();
  });
  // A second end soon after the first, most often while the log is being read and mended.
  disk[ending]();
  const prng = new Prng(seed + n);
  disk.crashAtOperation(1 + prng.below(12));
  try {
    await stopped(() => {
      const found = new LogUser(around(disk), WAL, model, options).start();
      if (found !== undefined) throw new Error(found);
    });
    disk.crash();
    const last = new LogUser(around(disk), WAL, model, options);
    const found = last.start();
    if (found !== undefined) return { found, over };
    await last.run(new Prng(seed + 1));
    last.close();
    disk.crash();
    const end = new LogUser(around(disk), WAL, model, options).start();
    return end === undefined ? { over } : { found: end, over };
  } catch (error) {
    if (error instanceof PowerCut) throw error;
    return { found: String(error), over };
  }
}

/** Whether `action` came to its end before the power went out. */
async function stopped(action: () => Promise<void> | void): Promise<boolean> {
  try {
    await action();
    return true;
  } catch (error) {
    if (error instanceof PowerCut) return false;
    throw error;
  }
}

/** Ends at every operation of a seed's history; what was found wrong. */
async function everyPoint(seed: number, ending: Ending, around: Around = (disk) => disk): Promise<string[]> {
  const wrong: string[] = [];
  for (let n = 1; ; n++) {
    const { found, over } = await live(seed, n, ending, around);
    if (found !== undefined) wrong.push(`seed ${seed}, operation ${n}, ${ending}: ${found}`);
    if (over) return wrong;
  }
}

for (const seed of [11, 12, 13, 14]) {
  test(`a power cut at any operation leaves what was synced, in order, and nothing else (seed ${seed})`, async () => {
    assert.deepEqual(await everyPoint(seed, "crash"), []);
  });
}

test("a killed process, then a power cut, leave what was synced or read since", async () => {
  assert.deepEqual(await everyPoint(15, "kill"), []);
});

/** A disk on which one thing goes wrong that the log relies on. */
function broken(change: {
  disk?: (disk: SimDisk) => Partial<Disk>;
  file?: (file: DiskFile) => Partial<DiskFile>;
}): Around {
  return (disk) => {
    const files = (file: DiskFile): DiskFile => ({ ...file, ...change.file?.(file) });
    const plain: Disk = {
      open: (path, options) => files(disk.open(path, options)),
      exists: (path) => disk.exists(path),
      list: (folder) => disk.list(folder),
      makeFolder: (folder) => disk.makeFolder(folder),
      rename: (from, to) => disk.rename(from, to),
      remove: (path) => disk.remove(path),
      syncFolder: (folder) => disk.syncFolder(folder),
    };
    return { ...plain, ...change.disk?.(disk) };
  };
}

const MISTAKES: readonly (readonly [string, Around])[] = [
  [
    "syncs that do nothing",
    (disk) => {
      disk.liesAboutSync = true;
      return disk;
    },
  ],
  ["a blocking sync left out", broken({ file: () => ({ syncNow: () => undefined }) })],
  ["an answer before the sync beside the loop", broken({ file: () => ({ sync: () => Promise.resolve() }) })],
  ["a folder not synced after a new file got its name", broken({ disk: () => ({ syncFolder: () => undefined }) })],
  [
    "a released file that is used again with its old records",
    broken({
      file: (file) => ({
        write: (position, bytes) => {
          if (bytes.length < 4096 || !file.path.endsWith("spare.tmp")) file.write(position, bytes);
        },
      }),
    }),
  ],
  ["what a torn write left is not cut off", broken({ file: () => ({ truncate: () => undefined }) })],
];

for (const [name, around] of MISTAKES) {
  test(`the power cuts find a planted mistake: ${name}`, async () => {
    let found: string[] = [];
    for (let seed = 21; seed < 27 && found.length === 0; seed++) found = await everyPoint(seed, "crash", around);
    assert.notEqual(found.length, 0);
  });
}
