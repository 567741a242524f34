/** Reader and writer against each other: random stores come back as they were, and damaged files are refused, never believed. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { compareBytes, equalBytes, utf8Bytes, utf8Text } from "../base/bytes.ts";
import { Prng } from "../base/prng.ts";
import { BoltError, Fields, META_BYTES, type Meta, PAGE_HEADER_BYTES, readMeta, writeMeta } from "./format.ts";
import { BoltFile, type ByteSource, type Row } from "./reader.ts";
import { type BoltContents, boltBytes, planBolt, writeBolt } from "./writer.ts";

type Store = ReadonlyMap<string, readonly Row[]>;

const SEED = Number(process.env["SEED"] ?? 7);

test("an empty bucket, one row and a value of many pages come back as they were", () => {
  const large = new Uint8Array(100_000).fill(7);
  const store: Store = new Map([
    ["alarm", []],
    [
      "key",
      [row("a", "1"), { key: utf8Bytes("b"), value: large }, row("c", ""), { key: utf8Bytes("d"), value: large }],
    ],
    ["meta", [row("only", "one")]],
  ]);
  assert.deepEqual(read(boltBytes(contentsOf(store))), store);
});

test("a file without buckets is one", () => {
  assert.deepEqual(read(boltBytes(contentsOf(new Map()))), new Map());
});

test("random stores come back as they were, with every page size", () => {
  for (let round = 0; round < 60; round++) {
    const random = new Prng(SEED + round);
    const store = randomStore(random);
    const pageBytes = [1024, 2048, 4096, 16384, 65536][random.below(5)] as number;
    const bytes = boltBytes(contentsOf(store, random), pageBytes);
    assert.equal(bytes.length % pageBytes, 0);
    assert.deepEqual(read(bytes), store);
  }
});

test("values of every size around a page come back as they were", () => {
  for (let size = 3900; size < 4200; size += 1) {
    const store: Store = new Map([
      ["key", [row("a", "1"), { key: utf8Bytes("b"), value: filled(size) }, row("c", "2")]],
    ]);
    assert.deepEqual(read(boltBytes(contentsOf(store))), store);
  }
});

test("long keys make branches of several pages, and are found in order", () => {
  const rows = Array.from({ length: 200 }, (_, at) => ({
    key: utf8Bytes(String(at).padStart(5, "0") + "k".repeat(3000)),
    value: filled(at),
  }));
  const store: Store = new Map([["authUsers", rows]]);
  assert.deepEqual(read(boltBytes(contentsOf(store))), store);
});

test("200,000 keys: both passes agree, and a step never gives more than a block", () => {
  const rows = Array.from({ length: 200_000 }, (_, at) => row(String(at).padStart(8, "0"), `value ${at}`));
  const contents = contentsOf(new Map([["key", rows]]));
  const layout = finish(planBolt(contents));
  let size = 0;
  const pieces: Uint8Array[] = [];
  for (const piece of writeBolt(contents, layout)) {
    assert.ok(piece.length > 0 && piece.length <= 32 * 1024);
    size += piece.length;
    pieces.push(piece);
  }
  assert.equal(size, layout.sizeBytes);
  assert.equal(read(Buffer.concat(pieces)).get("key")?.length, rows.length);
});

test("a key that bbolt cannot hold is refused with its bucket and size", () => {
  const store: Store = new Map([["authUsers", [{ key: new Uint8Array(32_769).fill(65), value: filled(1) }]]]);
  assert.throws(() => boltBytes(contentsOf(store)), /authUsers.*a key of 32769 bytes/);
});

test("rows that change between the passes are noticed", () => {
  let rows = Array.from({ length: 500 }, (_, at) => row(String(at).padStart(8, "0"), "x".repeat(50)));
  const contents = contentsOf({ get: () => rows, keys: () => ["key"].values() } as unknown as Store);
  const layout = finish(planBolt(contents));
  rows = rows.slice(0, 300);
  assert.throws(() => [...writeBolt(contents, layout)], /both passes see the same rows/);
});

test("the newer of two valid metas counts, and either alone is enough", () => {
  const store: Store = new Map([["meta", [row("a", "1")]]]);
  const bytes = boltBytes(contentsOf(store));
  assert.equal(BoltFile.open(sourceOf(bytes)).meta.txid, 2);
  for (const [damaged, txid] of [
    [0, 1],
    [4096, 2],
  ] as const) {
    const copy = Uint8Array.from(bytes);
    copy[damaged + PAGE_HEADER_BYTES + 20] = 99;
    assert.equal(BoltFile.open(sourceOf(copy)).meta.txid, txid);
    assert.deepEqual(read(copy), store);
  }
  const older = Uint8Array.from(bytes);
  const second = new Fields(older.subarray(4096 + PAGE_HEADER_BYTES));
  const meta = readMeta(second);
  assert.ok(typeof meta !== "string");
  writeMeta(second, { ...meta, txid: 3 });
  assert.equal(BoltFile.open(sourceOf(older)).meta.txid, 3);
});

test("what is not a bbolt file, or not all of one, is refused in a sentence", () => {
  const bytes = boltBytes(contentsOf(randomStore(new Prng(SEED))));
  assert.throws(() => read(new Uint8Array(0)), /not a bbolt file.*ends at byte 0/);
  assert.throws(() => read(new Uint8Array(9000)), /not a bbolt file/);
  assert.throws(() => read(utf8Bytes("hello".repeat(4000))), /not a bbolt file/);
  assert.throws(() => read(bytes.subarray(0, bytes.length - 1)), /truncated: it has \d+ bytes and says it needs \d+/);
  const magic = Uint8Array.from(bytes);
  magic[16] = 0;
  magic[4096 + 16] = 0;
  assert.throws(() => read(magic), /magic number/);
  const version = Uint8Array.from(bytes);
  version[20] = 3;
  version[4096 + 20] = 3;
  assert.throws(() => read(version), /its version is 3, not 2/);
  const checksum = Uint8Array.from(bytes);
  checksum[16 + META_BYTES - 1] = 1 ^ (checksum[16 + META_BYTES - 1] as number);
  checksum[4096 + 16 + META_BYTES - 1] = 1 ^ (checksum[4096 + 16 + META_BYTES - 1] as number);
  assert.throws(() => read(checksum), /checksum does not match/);
});

test("a tree that runs in a circle, and a page used by two trees, are refused", () => {
  const rows = Array.from({ length: 2000 }, (_, at) => row(String(at).padStart(8, "0"), "x".repeat(50)));
  const bytes = boltBytes(contentsOf(new Map([["key", rows]])));
  const { root, child } = branchOf(bytes);
  const cycle = Uint8Array.from(bytes);
  new Fields(cycle.subarray(root * 4096)).setU64(PAGE_HEADER_BYTES + 8, root);
  assert.throws(() => read(cycle), /is used twice/);
  const twice = Uint8Array.from(bytes);
  new Fields(twice.subarray(root * 4096)).setU64(PAGE_HEADER_BYTES + 16 + 8, child);
  assert.throws(() => read(twice), /is used twice/);
  const outside = Uint8Array.from(bytes);
  new Fields(outside.subarray(root * 4096)).setU64(PAGE_HEADER_BYTES + 8, 2 ** 52);
  assert.throws(() => read(outside), /page 4503599627370496 is asked for/);
});

test("rows out of order, and pages that nobody uses, are refused", () => {
  const unordered: Store = new Map([["key", [row("b", "1"), row("a", "2")]]]);
  assert.throws(() => read(boltBytes(contentsOf(unordered))), /not in order/);
  const bytes = boltBytes(contentsOf(new Map([["key", [row("a", "1")]]])));
  const longer = new Uint8Array(bytes.length + 4096);
  longer.set(bytes);
  setMetas(longer, { pageCount: longer.length / 4096 });
  assert.throws(() => read(longer), /neither in use nor free/);
});

test("a child whose keys lie below its branch's is refused", () => {
  const rows = Array.from({ length: 2000 }, (_, at) => row(String(at).padStart(8, "0"), "x".repeat(50)));
  const bytes = boltBytes(contentsOf(new Map([["key", rows]])));
  const { root } = branchOf(bytes);
  const fields = new Fields(bytes.subarray(root * 4096));
  const second = PAGE_HEADER_BYTES + 16;
  const last = second + fields.u32(second) + 7; // of its key's digits: one more than the first key of its child
  fields.bytes[last] = (fields.bytes[last] as number) + 1;
  assert.throws(() => read(bytes), /its key is not in order/);
});

test("a value that ends behind its page, and an element among the elements, are refused", () => {
  const bytes = boltBytes(contentsOf(new Map([["key", [row("a", "1")]]])));
  const root = BoltFile.open(sourceOf(bytes)).walk().buckets[0]?.root ?? 0;
  const element = root * 4096 + PAGE_HEADER_BYTES;
  const long = Uint8Array.from(bytes);
  new Fields(long.subarray(element)).setU32(12, 5000);
  assert.throws(() => read(long), /5000 bytes at \d+ do not lie in its 4096 bytes/);
  const inside = Uint8Array.from(bytes);
  new Fields(inside.subarray(element)).setU32(4, 8);
  assert.throws(() => read(inside), /do not lie in its 4096 bytes/);
});

test("a freelist whose count does not fit its field is read", () => {
  const bytes = boltBytes(contentsOf(new Map([["key", [row("a", "1")]]])));
  const longer = new Uint8Array(bytes.length + 4096);
  longer.set(bytes);
  const freelist = new Fields(longer.subarray(2 * 4096));
  freelist.setU16(10, 0xffff);
  freelist.setU64(PAGE_HEADER_BYTES, 1);
  freelist.setU64(PAGE_HEADER_BYTES + 8, bytes.length / 4096);
  setMetas(longer, { pageCount: longer.length / 4096 });
  assert.equal(read(longer).get("key")?.length, 1);
  freelist.setU64(PAGE_HEADER_BYTES, 511);
  assert.throws(() => read(longer), /claims 511 pages, more than its 4096 bytes hold/);
});

test("a page is filled to its last byte, and one byte more begins the next", () => {
  const sized = (bytes: number): Store =>
    new Map([["key", [row("a", "x".repeat(2000)), { key: utf8Bytes("b"), value: filled(bytes) }]]]);
  const rest = 4096 - 16 - (16 + 1 + 2000) - (16 + 1);
  const pages = (bytes: number) => boltBytes(contentsOf(sized(bytes))).length / 4096;
  assert.deepEqual([pages(rest), pages(rest + 1)], [5, 7]); // a second leaf, and the branch above both
  const walk = BoltFile.open(sourceOf(boltBytes(contentsOf(sized(rest + 1)))));
  for (let id = 2; id < 7; id++) assert.equal(walk.span(id).overflow, 0);
});

test("a tree that is too deep is refused", () => {
  const deep = 80;
  const bytes = new Uint8Array((deep + 3) * 4096);
  bytes.set(boltBytes(contentsOf(new Map()))); // metas and freelist
  for (let id = 3; id < deep + 3; id++) {
    const fields = new Fields(bytes.subarray(id * 4096));
    fields.setU64(0, id);
    fields.setU16(8, 1);
    fields.setU16(10, 1);
    fields.setU32(PAGE_HEADER_BYTES, 16);
    fields.setU64(PAGE_HEADER_BYTES + 8, id + 1);
  }
  for (const at of [0, 4096]) {
    const fields = new Fields(bytes.subarray(at + PAGE_HEADER_BYTES));
    writeMeta(fields, { pageBytes: 4096, root: 3, freelist: 2, pageCount: deep + 3, txid: 9 });
  }
  assert.throws(() => read(bytes), /64 pages deep/);
});

test("flipped bits give an error or rows, never a crash nor an endless walk", () => {
  const random = new Prng(SEED);
  let refused = 0;
  for (let round = 0; round < 800; round++) {
    const store = round % 100 === 0 ? randomStore(random) : undefined;
    if (store !== undefined) original = boltBytes(contentsOf(store), 1024);
    const bytes = Uint8Array.from(original);
    const flips = 1 + random.below(3);
    for (let flip = 0; flip < flips; flip++) {
      // Half of them where structure is dense: the beginnings of pages.
      const page = random.below(bytes.length / 1024) * 1024;
      const at = page + (random.below(2) === 0 ? random.below(64) : random.below(1024));
      bytes[at] = (bytes[at] as number) ^ (1 << random.below(8));
    }
    try {
      read(bytes);
    } catch (error) {
      assert.ok(error instanceof BoltError, String(error));
      refused++;
    }
  }
  assert.ok(refused > 80, `${refused} were refused`);
});

let original = new Uint8Array(0) as Uint8Array;

function row(key: string, value: string): Row {
  return { key: utf8Bytes(key), value: utf8Bytes(value) };
}

function filled(size: number): Uint8Array {
  return new Uint8Array(size).fill(size & 0xff);
}

function randomStore(random: Prng): Store {
  const store = new Map<string, Row[]>();
  for (const name of ["alarm", "auth", "key", "lease", "members", "meta"]) {
    const count = [0, 1, random.below(40), random.below(3000)][random.below(4)] as number;
    const rows = new Map<string, Row>();
    for (let each = 0; each < count; each++) {
      const key = filled(1 + random.below(40)).map(() => random.below(256));
      const value = filled(random.below(40) === 0 ? random.below(20_000) : random.below(300));
      rows.set(String(key), { key, value });
    }
    store.set(
      name,
      [...rows.values()].sort((left, right) => compareBytes(left.key, right.key)),
    );
  }
  return store;
}

function contentsOf(store: Store, random?: Prng): BoltContents {
  const names = [...store.keys()];
  const slice = (bucket: number, after: Uint8Array | undefined) => {
    const rows = store.get(names[bucket] as string) ?? [];
    const from = after === undefined ? 0 : firstAbove(rows, after);
    return rows.slice(from, from + 1 + (random?.below(100) ?? 100));
  };
  return {
    buckets: names.map(utf8Bytes),
    sizes: (bucket, after) => slice(bucket, after).map(({ key, value }) => ({ key, valueBytes: value.length })),
    rows: slice,
  };
}

function firstAbove(rows: readonly Row[], after: Uint8Array): number {
  let low = 0;
  for (let high = rows.length; low < high; ) {
    const middle = (low + high) >>> 1;
    if (compareBytes((rows[middle] as Row).key, after) <= 0) low = middle + 1;
    else high = middle;
  }
  // An unordered store, of a test, is walked by place.
  return low === 0 ? rows.findIndex(({ key }) => equalBytes(key, after)) + 1 : low;
}

function read(bytes: Uint8Array): Map<string, Row[]> {
  const walk = BoltFile.open(sourceOf(bytes)).walk();
  const store = new Map<string, Row[]>();
  for (const bucket of walk.buckets) {
    const rows = [...walk.rows(bucket)].map(({ key, value }) => ({
      key: Uint8Array.from(key),
      value: Uint8Array.from(value),
    }));
    store.set(utf8Text(bucket.name), rows);
  }
  walk.finish();
  return store;
}

function sourceOf(bytes: Uint8Array): ByteSource {
  return {
    sizeBytes: bytes.length,
    read: (position, length) => {
      assert.ok(position >= 0 && position + length <= bytes.length, "only what is there is read");
      return bytes.subarray(position, position + length);
    },
  };
}

function setMetas(bytes: Uint8Array, changes: Partial<Meta>): void {
  for (const at of [0, 4096]) {
    const fields = new Fields(bytes.subarray(at + PAGE_HEADER_BYTES));
    const meta = readMeta(fields);
    assert.ok(typeof meta !== "string");
    writeMeta(fields, { ...meta, ...changes });
  }
}

/** The root page of the only bucket, a branch, and its first child. */
function branchOf(bytes: Uint8Array): { root: number; child: number } {
  const walk = BoltFile.open(sourceOf(bytes)).walk();
  const root = walk.buckets[0]?.root ?? 0;
  return { root, child: new Fields(bytes.subarray(root * 4096)).u64(PAGE_HEADER_BYTES + 8) };
}

function finish<T>(steps: Generator<void, T>): T {
  for (;;) {
    const step = steps.next();
    if (step.done === true) return step.value;
  }
}
