/** What every `ports/disk` must do, as tests to run on the real one and on the simulated twin. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { WorldError } from "../../server/base/error.ts";
import type { Disk, DiskFile } from "../../server/ports/disk.ts";

export interface DiskUnderTest {
  readonly disk: Disk;
  /** An empty folder to work in. */
  readonly folder: string;
  close(): void;
}

/** Registers the suite for one kind of disk. */
export function diskContract(kind: string, make: () => DiskUnderTest): void {
  const check = (what: string, body: (disk: Disk, folder: string) => Promise<void> | void) =>
    test(`${kind}: ${what}`, async () => {
      const { disk, folder, close } = make();
      try {
        await body(disk, folder);
      } finally {
        close();
      }
    });

  check("bytes written are read back, at any position", (disk, folder) => {
    const file = disk.open(`${folder}/a`, { create: true });
    file.write(0, Uint8Array.of(1, 2, 3, 4, 5));
    file.write(2, Uint8Array.of(9, 9));
    assert.deepEqual([...file.read(0, 5)], [1, 2, 9, 9, 5]);
    assert.deepEqual([...file.read(3, 1)], [9]);
    file.close();
  });

  check("a read gives fewer bytes only at the end of the file", (disk, folder) => {
    const file = disk.open(`${folder}/a`, { create: true });
    file.write(0, Uint8Array.of(1, 2, 3));
    assert.deepEqual([...file.read(1, 10)], [2, 3]);
    assert.equal(file.read(3, 10).length, 0);
    assert.equal(file.read(99, 10).length, 0);
    file.close();
  });

  check("a write beyond the end leaves zeros between", (disk, folder) => {
    const file = disk.open(`${folder}/a`, { create: true });
    file.write(3, Uint8Array.of(7));
    assert.deepEqual([...file.read(0, 9)], [0, 0, 0, 7]);
    assert.equal(file.sizeBytes(), 4);
    file.close();
  });

  check("what was read does not change when the file does", (disk, folder) => {
    const file = disk.open(`${folder}/a`, { create: true });
    file.write(0, Uint8Array.of(1, 2));
    const bytes = file.read(0, 2);
    file.write(0, Uint8Array.of(3, 4));
    assert.deepEqual([...bytes], [1, 2]);
    file.close();
  });

  check("what was written does not change when the caller's bytes do", (disk, folder) => {
    const file = disk.open(`${folder}/a`, { create: true });
    const bytes = Uint8Array.of(1, 2);
    file.write(0, bytes);
    bytes.fill(9);
    assert.deepEqual([...file.read(0, 2)], [1, 2]);
    file.close();
  });

  check("a file is cut and grown to a size, with zeros where it grew", (disk, folder) => {
    const file = disk.open(`${folder}/a`, { create: true });
    file.write(0, Uint8Array.of(1, 2, 3, 4));
    file.truncate(2);
    assert.equal(file.sizeBytes(), 2);
    file.truncate(5);
    assert.deepEqual([...file.read(0, 9)], [1, 2, 0, 0, 0]);
    file.close();
  });

  check("a file is made once, and only opened when it is there", (disk, folder) => {
    const path = `${folder}/a`;
    assert.throws(() => disk.open(path), WorldError);
    disk.open(path, { create: true }).close();
    assert.throws(() => disk.open(path, { create: true }), WorldError);
    const file = disk.open(path);
    assert.equal(file.path, path);
    assert.equal(file.sizeBytes(), 0);
    file.close();
  });

  check("errors name the path", (disk, folder) => {
    for (const call of [
      () => disk.open(`${folder}/none`),
      () => disk.rename(`${folder}/none`, `${folder}/b`),
      () => disk.remove(`${folder}/none`),
    ])
      assert.throws(call, (error: unknown) => error instanceof WorldError && error.message.includes(`${folder}/none`));
    assert.throws(() => disk.syncFolder(`${folder}/none`), WorldError);
    assert.throws(() => disk.open(`${folder}/none/a`, { create: true }), WorldError);
  });

  check("names are listed in order; a folder that is not there has none", (disk, folder) => {
    for (const name of ["b", "a", "c.wal"]) disk.open(`${folder}/${name}`, { create: true }).close();
    disk.makeFolder(`${folder}/d`);
    assert.deepEqual(disk.list(folder), ["a", "b", "c.wal", "d"]);
    assert.deepEqual(disk.list(`${folder}/d`), []);
    assert.deepEqual(disk.list(`${folder}/none`), []);
  });

  check("folders are made with those above them, and again without harm", (disk, folder) => {
    disk.makeFolder(`${folder}/x/y/z`);
    disk.makeFolder(`${folder}/x/y/z`);
    assert.equal(disk.exists(`${folder}/x/y`), true);
    disk.open(`${folder}/x/y/z/a`, { create: true }).close();
    disk.syncFolder(`${folder}/x/y/z`);
    disk.syncFolder(`${folder}/x`);
  });

  check("a rename replaces what has the name, and an open file stays the one it was", (disk, folder) => {
    const first = disk.open(`${folder}/a`, { create: true });
    first.write(0, Uint8Array.of(1));
    const second = disk.open(`${folder}/b`, { create: true });
    second.write(0, Uint8Array.of(2));
    disk.rename(`${folder}/a`, `${folder}/b`);
    assert.deepEqual(disk.list(folder), ["b"]);
    first.write(0, Uint8Array.of(3));
    assert.deepEqual([...second.read(0, 1)], [2]);
    second.close();
    first.close();
    const file = disk.open(`${folder}/b`);
    assert.deepEqual([...file.read(0, 1)], [3]);
    file.close();
  });

  check("a folder is renamed with what is in it", (disk, folder) => {
    disk.makeFolder(`${folder}/from/in`);
    disk.open(`${folder}/from/in/a`, { create: true }).close();
    disk.rename(`${folder}/from`, `${folder}/to`);
    assert.deepEqual(disk.list(folder), ["to"]);
    assert.deepEqual(disk.list(`${folder}/to/in`), ["a"]);
  });

  check("a removed file is gone, and the open one goes on", (disk, folder) => {
    const file = disk.open(`${folder}/a`, { create: true });
    disk.remove(`${folder}/a`);
    assert.equal(disk.exists(`${folder}/a`), false);
    file.write(0, Uint8Array.of(1));
    assert.equal(file.sizeBytes(), 1);
    file.close();
  });

  check("syncs of both kinds return, and writes may go on meanwhile", async (disk, folder) => {
    const file = disk.open(`${folder}/a`, { create: true });
    file.write(0, new Uint8Array(10_000).fill(1));
    const syncing = file.sync();
    file.write(10_000, Uint8Array.of(2));
    file.syncNow();
    await syncing;
    await file.sync();
    assert.equal(file.sizeBytes(), 10_001);
    file.close();
    disk.syncFolder(folder);
  });

  check("many bytes are written and read whole", (disk, folder) => {
    const file: DiskFile = disk.open(`${folder}/a`, { create: true });
    const bytes = new Uint8Array(3_000_001).map((_, at) => at % 251);
    file.write(5, bytes);
    const back = file.read(5, bytes.length);
    assert.equal(Buffer.compare(back, bytes), 0);
    file.close();
  });
}
