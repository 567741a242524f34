import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { fileURLToPath } from "node:url";
import { open } from "lmdb";
import { utf8Bytes, utf8Text } from "../base/bytes.ts";
import { WorldError } from "../base/error.ts";
import { Prng } from "../base/prng.ts";
import { LmdbBackend } from "./lmdb-backend.ts";

// What holds for every backend is in test/contract/backend.ts; here is what only files can do.

function temporaryFolder(t: TestContext): string {
  const folder = mkdtempSync(join(tmpdir(), "kvorum-lmdb-"));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

async function filled(folder: string, records: number, bytes: number): Promise<LmdbBackend> {
  const backend = LmdbBackend.open(folder);
  for (let at = 0; at < records; at++) {
    backend.put("key", utf8Bytes(`k${String(at).padStart(8, "0")}`), new Uint8Array(bytes).fill(at));
    if (at % 2000 === 1999) await backend.commit();
  }
  await backend.commit();
  return backend;
}

function countRows(backend: LmdbBackend): number {
  let count = 0;
  backend.scan("key", new Uint8Array(0), undefined, () => {
    count++;
    return true;
  });
  return count;
}

test("open() refuses a folder that holds something else, in a sentence", (t) => {
  const folder = temporaryFolder(t);
  writeFileSync(join(folder, "db"), "not ours");
  assert.throws(() => LmdbBackend.open(folder), {
    name: "WorldError",
    message: `open the store in "${folder}": it holds "db" and no "kvorum.mdb", so it is not a folder of Kvorum's`,
  });
});

test("open() refuses a file that is not LMDB's, and one of LMDB's that is not ours", async (t) => {
  const folder = temporaryFolder(t);
  const path = join(folder, "kvorum.mdb");
  writeFileSync(path, new Uint8Array(8192).fill(7));
  assert.throws(() => LmdbBackend.open(folder), WorldError);
  rmSync(path);
  const foreign = open({ path, noSubdir: true, keyEncoding: "binary", encoding: "binary" });
  await foreign.openDB("theirs", {}).put("a", "b");
  await foreign.close();
  assert.throws(() => LmdbBackend.open(folder), /not one of Kvorum's/);
  assert.throws(() => LmdbBackend.open(folder), /not one of Kvorum's/, "it was left as it was");
});

test("open() refuses a file that was cut short in its header", async (t) => {
  const folder = temporaryFolder(t);
  await (await filled(folder, 10, 10)).close();
  const path = join(folder, "kvorum.mdb");
  for (const size of [5000, 4096, 100]) {
    truncateSync(path, size);
    assert.throws(() => LmdbBackend.open(folder), WorldError);
  }
  truncateSync(path, 0);
  const backend = LmdbBackend.open(folder);
  assert.equal(countRows(backend), 0, "an empty file is one that a crash left at its creation");
  await backend.close();
});

test("open() refuses a newer format and names both", async (t) => {
  const folder = temporaryFolder(t);
  await LmdbBackend.open(folder).close();
  const raw = open({ path: join(folder, "kvorum.mdb"), noSubdir: true, overlappingSync: false });
  const { sealRecord, bucketSeed } = await import("./record.ts");
  const record = new Uint8Array(5);
  sealRecord(record, 0, bucketSeed("kvorum"), utf8Bytes("format"), utf8Bytes("7"));
  await raw.openDB("kvorum", { keyEncoding: "binary", encoding: "binary" }).put(Buffer.from("format"), record);
  await raw.close();
  assert.throws(
    () => LmdbBackend.open(folder),
    /its format is 7, written by a newer Kvorum; this one reads formats up to 1/,
  );
});

test("open() creates a folder for this user alone, and removes the copy of a defragmentation that never ended", async (t) => {
  const folder = join(temporaryFolder(t), "member", "store");
  await (await filled(folder, 10, 10)).close();
  assert.equal(statSync(folder).mode & 0o777, 0o700);
  assert.equal(statSync(join(folder, "kvorum.mdb")).mode & 0o777, 0o600);
  writeFileSync(join(folder, "kvorum.mdb.compact"), "half");
  writeFileSync(join(folder, "kvorum.mdb.compact-lock"), "half");
  const backend = LmdbBackend.open(folder);
  assert.equal(countRows(backend), 10);
  await backend.close();
  assert.deepEqual(readdirSync(folder).sort(), ["kvorum.mdb", "kvorum.mdb-lock"]);
});

test("a map that is too small grows while reads and commits go on", async (t) => {
  const folder = temporaryFolder(t);
  const backend = LmdbBackend.open(folder, { mapSizeBytes: 1, maxSizeBytes: 2 ** 30 });
  const value = new Uint8Array(20_000).fill(5);
  for (let round = 0; round < 40; round++) {
    for (let at = 0; at < 25; at++) backend.put("key", utf8Bytes(`k${round}-${at}`), value);
    const commit = backend.commit();
    for (let at = 0; at < 25; at++) assert.equal(backend.get("key", utf8Bytes(`k${round >> 1}-${at}`))?.[0], 5);
    await commit;
  }
  assert.ok(backend.sizeBytes() > 16 * 2 ** 20);
  assert.equal(countRows(backend), 1000);
  await backend.close();
});

test("a commit that the disk refuses rejects with WorldError, and so does every later one; reads go on", (t) => {
  const folder = temporaryFolder(t);
  const backendUrl = import.meta.url.replace(".test.", ".");
  const program = `
    const { LmdbBackend } = await import(${JSON.stringify(backendUrl)});
    const backend = LmdbBackend.open(process.argv[1]);
    const key = (at) => new TextEncoder().encode("k" + at);
    let at = 0, error;
    while (error === undefined && at < 1000) {
      backend.put("key", key(at++), new Uint8Array(10_000));
      error = await backend.commit().then(() => undefined, (reason) => reason);
    }
    backend.put("key", key(at++), new Uint8Array(10_000));
    const next = await backend.commit().then(() => undefined, (reason) => reason);
    let rows = 0;
    backend.scan("key", new Uint8Array(0), undefined, () => { rows++; return true; });
    console.log(JSON.stringify({ name: error?.name, message: error?.message, same: next === error, lost: at - rows, at }));
    await backend.close();
  `;
  // A limit on file size fails writes as a full disk does.
  const child = spawnSync(
    "sh",
    [
      "-c",
      'ulimit -f 4000; exec "$0" "$@"',
      process.execPath,
      ...loaders(),
      "--input-type=module",
      "-e",
      program,
      folder,
    ],
    { encoding: "utf8", timeout: 60_000 },
  );
  assert.equal(child.status, 0, child.stderr);
  const said = JSON.parse(child.stdout) as { name: string; message: string; same: boolean; lost: number; at: number };
  assert.equal(said.name, "WorldError");
  assert.match(said.message, /commit to .*kvorum\.mdb.*: .+/);
  assert.equal(said.same, true);
  assert.equal(said.lost, 0);
  assert.ok(said.at > 20 && said.at < 400, String(said.at));
});

test("defragment() gives the space of deleted records back to the file system", async (t) => {
  const folder = temporaryFolder(t);
  let backend = await filled(folder, 10_000, 500);
  for (let at = 0; at < 10_000; at++) {
    if (at % 10 !== 0) backend.delete("key", utf8Bytes(`k${String(at).padStart(8, "0")}`));
  }
  await backend.commit();
  const path = join(folder, "kvorum.mdb");
  const before = statSync(path).size;
  await backend.defragment();
  const after = statSync(path).size;
  assert.ok(after < before / 9, `${before} to ${after}`);
  assert.equal(backend.sizeBytes(), after);
  assert.ok(backend.sizeInUseBytes() <= after);
  assert.equal(countRows(backend), 1000);
  await backend.defragment();
  backend.put("key", utf8Bytes("later"), utf8Bytes("1"));
  await backend.commit();
  await backend.close();
  assert.deepEqual(readdirSync(folder).sort(), ["kvorum.mdb", "kvorum.mdb-lock"]);
  backend = LmdbBackend.open(folder);
  assert.equal(countRows(backend), 1001);
  await backend.close();
});

test("defragment() that cannot make its copy leaves the store as it was", async (t) => {
  const folder = temporaryFolder(t);
  const backend = await filled(folder, 100, 100);
  mkdirSync(join(folder, "kvorum.mdb.compact"));
  await assert.rejects(backend.defragment(), WorldError);
  rmSync(join(folder, "kvorum.mdb.compact"), { recursive: true });
  backend.put("key", utf8Bytes("later"), utf8Bytes("1"));
  await backend.commit();
  assert.equal(countRows(backend), 101);
  await backend.defragment();
  assert.equal(countRows(backend), 101);
  await backend.close();
});

test("open() refuses a file in which a bucket is hidden, and makes no empty one in its place", async (t) => {
  const folder = temporaryFolder(t);
  const path = join(folder, "kvorum.mdb");
  await (await filled(folder, 10, 10)).close();
  const image = readFileSync(path);
  // Its name stands in LMDB's tree of trees, once in each version of that page.
  for (let at = image.indexOf("lease"); at >= 0; at = image.indexOf("lease", at + 1)) image.write("least", at);
  writeFileSync(path, image);
  const refused = { name: "WorldError", message: /bucket "lease" is damaged: it is not found/ };
  assert.throws(() => LmdbBackend.open(folder), refused);
  assert.throws(() => LmdbBackend.open(folder), refused, "it was left as it was");
});

test("a bit that flips in the file is never served", (t) => {
  const folder = temporaryFolder(t);
  const work = join(folder, "work");
  mkdirSync(work);
  const random = new Prng(41);
  const records: [string, string][] = [];
  return build().then(() => {
    const verdicts = new Map<string, number>();
    const program = fileURLToPath(
      new URL(`../../test/support/read-damaged-store${import.meta.url.slice(-3)}`, import.meta.url),
    );
    const flips = 150;
    for (let next = 0; next < flips; ) {
      rmSync(work, { recursive: true });
      mkdirSync(work);
      const child = spawnSync(
        process.execPath,
        [
          ...loaders(),
          program,
          work,
          join(folder, "store", "kvorum.mdb"),
          join(folder, "records"),
          "3",
          `${next}`,
          `${flips}`,
        ],
        { encoding: "utf8", timeout: 60_000 },
      );
      const lines = child.stdout.split("\n").filter((line) => line !== "");
      for (const line of lines) {
        const verdict = line.replace(/^\d+ /, "").replace(/ at \d+$/, "");
        assert.doesNotMatch(verdict, /WRONG/, line);
        verdicts.set(verdict, (verdicts.get(verdict) ?? 0) + 1);
      }
      next += lines.length;
      if (next < flips) {
        assert.notEqual(child.signal, null, child.stderr);
        verdicts.set("died", (verdicts.get("died") ?? 0) + 1);
        next++;
      }
    }
    t.diagnostic(JSON.stringify(Object.fromEntries(verdicts)));
    assert.ok((verdicts.get("thrown") ?? 0) > flips / 4, "most flips meet a record");
  });

  async function build(): Promise<void> {
    const backend = LmdbBackend.open(join(folder, "store"));
    for (let at = 0; at < 300; at++) {
      const value = random.pick("abcdefgh".split("")).repeat(random.below(at % 10 === 0 ? 9000 : 900));
      records.push([`key-${random.uint32()}`, value]);
      backend.put("key", utf8Bytes(records[at]?.[0] as string), utf8Bytes(value));
      if (at % 50 === 0) await backend.commit();
    }
    await backend.commit();
    await backend.defragment();
    await backend.close();
    writeFileSync(join(folder, "records"), JSON.stringify(records));
  }
});

/** How this process was told to load modules, for a child that must do the same. */
function loaders(): string[] {
  return process.execArgv.filter((argument) => !argument.startsWith("--test"));
}

test("a process that is killed while it commits and defragments leaves every commit that it was told of", async (t) => {
  const folder = temporaryFolder(t);
  const backendUrl = import.meta.url.replace(".test.", ".");
  const program = `
    const { LmdbBackend } = await import(${JSON.stringify(backendUrl)});
    const { writeSync } = await import("node:fs");
    const backend = LmdbBackend.open(process.argv[1]);
    const bytes = (text) => new TextEncoder().encode(text);
    const last = backend.get("meta", bytes("last"));
    const defragment = () => backend.defragment().then(() => { writeSync(1, "d"); defragment(); });
    defragment();
    for (let at = last === undefined ? 0 : Number(new TextDecoder().decode(last)) + 1; ; at++) {
      for (let more = 0; more < 20; more++) backend.put("key", bytes("k" + at + "." + more), bytes("v".repeat(at % 90)));
      backend.put("meta", bytes("last"), bytes(String(at)));
      await backend.commit();
      writeSync(1, "\\n" + at);
    }
  `;
  let defragmented = 0;
  for (let round = 0; round < 5; round++) {
    const child = spawnSync(process.execPath, [...loaders(), "--input-type=module", "-e", program, folder], {
      encoding: "utf8",
      timeout: 350 + round * 83,
      killSignal: "SIGKILL",
    });
    assert.equal(child.signal, "SIGKILL", child.stderr);
    defragmented += child.stdout.split("d").length - 1;
    const told = Number((child.stdout.split("\n").at(-1) ?? "").replaceAll("d", "") || -1);
    const backend = LmdbBackend.open(folder);
    const last = Number(utf8Text(backend.get("meta", utf8Bytes("last")) ?? utf8Bytes("-1")));
    assert.ok(last >= told, `${told} was told of, ${last} is there`);
    assert.equal(countRows(backend), 20 * (last + 1));
    await backend.close();
  }
  t.diagnostic(`${defragmented} defragmentations`);
  assert.ok(defragmented > 5);
});
