/**
 * server/bolt against bbolt itself: files that bbolt made, of every page size and kind of freelist, are read as it reads
 * them; files that we write pass its check and are read by it as they were meant. SEED in the environment chooses others.
 */
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { compareBytes, utf8Bytes, utf8Text } from "../../server/base/bytes.ts";
import { Prng } from "../../server/base/prng.ts";
import { BoltError } from "../../server/bolt/format.ts";
import { BoltFile, type ByteSource, type Row } from "../../server/bolt/reader.ts";
import { boltBytes } from "../../server/bolt/writer.ts";
import { runProgram } from "../support/program.ts";
import { projectFolder } from "../support/project.ts";
import { requireTool } from "../support/tools.ts";
import { run } from "./snapshot-support.ts";

const SEED = Number(process.env["SEED"] ?? Math.floor(Math.random() * 2 ** 32));
const PAGE_SIZES = [1024, 4096, 16384, 65536];
/** The first build compiles the package. */
const BUILD_MS = 600_000;

test(`bbolt's files are read as it reads them, and damaged ones refused (seed ${SEED})`, async (t) => {
  const made = await program(t);
  if (made === undefined) return;
  const { bbolt, folder } = made;
  const random = new Prng(SEED);
  const seen = { inline: 0, branches: 0, freelist: 0 };
  for (const pageBytes of PAGE_SIZES) {
    for (const freelist of ["array sync", "hashmap sync", "hashmap nosync"]) {
      const path = join(folder, `${pageBytes} ${freelist}.db`);
      const dump = await run(
        bbolt,
        "write",
        path,
        String(random.below(2 ** 31)),
        String(pageBytes),
        ...freelist.split(" "),
      );
      const bytes = readFileSync(path);
      const file = BoltFile.open(sourceOf(bytes));
      assert.equal(file.meta.pageBytes, pageBytes);
      assert.equal(dumpOf(file), dump);
      seen.inline += file.walk().buckets.filter(({ inline }) => inline !== undefined).length;
      seen.branches += file.walk().buckets.filter(({ root }) => root > 0 && !file.page(root).page.isLeaf).length;
      if (file.meta.freelist !== undefined) seen.freelist++;
      for (let round = 0; round < 40; round++) readDamaged(bytes, pageBytes, random);
    }
  }
  assert.deepEqual(seen.freelist, 8);
  assert.ok(seen.inline >= 12 && seen.branches >= 12, JSON.stringify(seen));
  t.diagnostic(JSON.stringify(seen));
});

test(`files that we write pass bbolt's check and hold what was written (seed ${SEED})`, async (t) => {
  const made = await program(t);
  if (made === undefined) return;
  const { bbolt, folder } = made;
  const random = new Prng(SEED);
  for (let round = 0; round < 24; round++) {
    const pageBytes = PAGE_SIZES[round % 4] as number;
    const buckets = ["alarm", "key", "lease", "meta"].map((name) => ({
      name: utf8Bytes(name),
      rows: rowsOf(random, round),
    }));
    const bytes = boltBytes(
      {
        buckets: buckets.map(({ name }) => name),
        rows: (bucket, after) => above(buckets[bucket]?.rows ?? [], after),
        sizes: (bucket, after) =>
          above(buckets[bucket]?.rows ?? [], after).map(({ key, value }) => ({ key, valueBytes: value.length })),
      },
      pageBytes,
    );
    const path = join(folder, `ours-${round}.db`);
    writeFileSync(path, bytes);
    const { code, output, errors } = await runProgram(bbolt, ["dump", path]);
    assert.equal(code, 0, errors);
    assert.equal(output, buckets.map(({ name, rows }) => lineOf(name, rows)).join(""));
    assert.equal(dumpOf(BoltFile.open(sourceOf(bytes))), output);
  }
});

async function program(t: TestContext): Promise<{ bbolt: string; folder: string } | undefined> {
  const go = requireTool(t, "go");
  if (go === undefined) return undefined;
  const folder = mkdtempSync(join(tmpdir(), "kvorum-bbolt-"));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  const bbolt = join(folder, "bbolt");
  const cwd = join(projectFolder, "test", "interop", "bbolt");
  const build = await runProgram(go, ["build", "-o", bbolt, "."], { cwd, timeoutMs: BUILD_MS });
  assert.equal(build.code, 0, build.errors);
  return { bbolt, folder };
}

/** Sizes up to a page and beyond it; in some rounds many records, in some none. */
function rowsOf(random: Prng, round: number): Row[] {
  const rows = new Map<string, Row>();
  const count = [0, 1, 30, random.below(1500)][random.below(4)] as number;
  for (let each = 0; each < count; each++) {
    const key = random.bytes(1 + random.below(round % 3 === 0 ? 2000 : 40));
    rows.set(Buffer.from(key).toString("hex"), {
      key,
      value: random.bytes(random.below(random.chance(0.02) ? 90_000 : 500)),
    });
  }
  return [...rows.values()].sort((left, right) => compareBytes(left.key, right.key));
}

function above(rows: readonly Row[], after: Uint8Array | undefined): readonly Row[] {
  const from = after === undefined ? 0 : rows.findIndex(({ key }) => compareBytes(key, after) > 0);
  return from < 0 ? [] : rows.slice(from, from + 200);
}

function dumpOf(file: BoltFile): string {
  const walk = file.walk();
  const lines = walk.buckets.map((bucket) => lineOf(bucket.name, [...walk.rows(bucket)]));
  walk.finish();
  return lines.join("");
}

function lineOf(name: Uint8Array, rows: readonly Row[]): string {
  const hash = createHash("sha256");
  for (const { key, value } of rows) {
    const sizes = Buffer.alloc(8);
    sizes.writeUInt32BE(key.length);
    sizes.writeUInt32BE(value.length, 4);
    hash.update(sizes).update(key).update(value);
  }
  return `${utf8Text(name)} ${rows.length} ${hash.digest("hex")}\n`;
}

function readDamaged(bytes: Uint8Array, pageBytes: number, random: Prng): void {
  const copy = Uint8Array.from(bytes);
  const at = random.below(copy.length / pageBytes) * pageBytes + random.below(random.chance(0.5) ? 64 : pageBytes);
  copy[at] = (copy[at] as number) ^ (1 << random.below(8));
  try {
    dumpOf(BoltFile.open(sourceOf(copy)));
  } catch (error) {
    assert.ok(error instanceof BoltError, String(error));
  }
}

function sourceOf(bytes: Uint8Array): ByteSource {
  return { sizeBytes: bytes.length, read: (position, length) => bytes.subarray(position, position + length) };
}
