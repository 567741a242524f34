import assert from "node:assert/strict";
import { test } from "node:test";
import { EtcdError } from "../base/error.ts";
import { MAX_DEPTH, Reader, varintSize, Writer } from "./wire.ts";

const MAX = Number.MAX_SAFE_INTEGER;

function reader(hex: string): Reader {
  return new Reader(Buffer.from(hex.replaceAll(" ", ""), "hex"));
}

function refused(read: () => unknown, text: RegExp): void {
  assert.throws(
    read,
    (error) => error instanceof EtcdError && error.code === "MalformedRequest" && text.test(error.message),
  );
}

function written(write: (writer: Writer) => void): string {
  const writer = new Writer();
  write(writer);
  return Buffer.from(writer.finish()).toString("hex");
}

test("numbers of every length come back as they went in", () => {
  for (let bits = 0; bits <= 53; bits++) {
    for (const value of [2 ** bits - 1, 2 ** bits, 2 ** bits + 1].filter((each) => each <= MAX)) {
      const encoded = reader(written((writer) => writer.varint(value)));
      assert.equal(encoded.end, varintSize(value), `varintSize(${value})`);
      assert.equal(encoded.uint64(), value);
      const negative = reader(written((writer) => writer.varint(-value)));
      assert.equal(negative.end, varintSize(-value), `varintSize(${-value})`);
      assert.equal(negative.int64(), value === 0 ? 0 : -value);
    }
  }
});

test("ids of every length come back as they went in", () => {
  for (let bits = 0n; bits <= 64n; bits++) {
    for (const value of [2n ** bits - 1n, 2n ** bits, 2n ** bits + 1n]) {
      const hex = written((writer) => writer.id(value));
      assert.equal(reader(hex).uint64Id(), BigInt.asUintN(64, value));
      assert.equal(reader(hex).int64Id(), BigInt.asIntN(64, value));
      assert.equal(reader(written((writer) => writer.id(-value))).int64Id(), BigInt.asIntN(64, -value));
    }
  }
});

test("an int64 outside of +-(2^53-1) saturates when it is read as a number", () => {
  const int64 = (value: bigint) => reader(written((writer) => writer.id(value))).int64();
  const uint64 = (value: bigint) => reader(written((writer) => writer.id(value))).uint64();
  assert.equal(int64(2n ** 53n - 1n), MAX);
  assert.equal(int64(2n ** 53n), MAX);
  assert.equal(int64(2n ** 63n - 1n), MAX);
  assert.equal(int64(1n - 2n ** 53n), -MAX);
  assert.equal(int64(-(2n ** 53n)), -MAX);
  assert.equal(int64(-(2n ** 53n) - 1n), -MAX);
  assert.equal(int64(-(2n ** 63n)), -MAX);
  assert.equal(uint64(2n ** 53n), MAX);
  assert.equal(uint64(2n ** 64n - 1n), MAX);
});

test("what is smaller than 64 bits is cut, as every protobuf cuts it", () => {
  assert.equal(reader("ffffffffffffffffff01").uint32(), 0xffff_ffff);
  assert.equal(reader("ffffffffffffffffff01").enumeration(), -1);
  assert.equal(reader("8080808010").uint32(), 0);
  assert.equal(reader("8080808010").bool(), true, "2^32 is true although its lower half is 0");
  assert.equal(reader("8000").int64(), 0, "a varint may be longer than it needs to be");
});

test("a varint that is cut short or has more than 64 bits is refused", () => {
  const reads: ((from: Reader) => unknown)[] = [
    (from) => from.int64(),
    (from) => from.uint64(),
    (from) => from.uint64Id(),
    (from) => from.int64Id(),
    (from) => from.enumeration(),
    (from) => from.bool(),
    (from) => from.tag(),
  ];
  for (const read of reads) {
    for (const hex of ["", "80", "8080808080", "808080808080808080"])
      refused(() => read(reader(hex)), /varint cut short/);
    for (const hex of ["80808080808080808002", "ffffffffffffffffff7f", "8080808080808080808001"])
      refused(() => read(reader(hex)), /varint longer than 64 bits/);
  }
});

test("a tag without a field number is refused", () => {
  for (const hex of ["00", "07", "8000", "808080808001", "8080808010"])
    refused(() => reader(hex).tag(), /field number/);
  assert.equal(reader("faffffff0f").tag(), 0xfffffffa, "2^29-1 is the highest");
});

test("a length beyond the end of its message is refused", () => {
  for (const hex of ["01", "02ff", "ffffffff0f", "ffffffffffffffffff01"]) {
    refused(() => reader(hex).view(), /length beyond the end/);
    refused(() => reader(hex).string(), /length beyond the end/);
    refused(() => reader(hex).enter(), /length beyond the end/);
    refused(() => reader(hex).skip(0x0a), /length beyond the end/);
  }
  const inner = reader("02 02ff ff");
  inner.enter();
  refused(() => inner.view(), /length beyond the end/);
});

test("a view shares memory with its source and is never a Buffer", () => {
  const source = Buffer.from("0003abcdef", "hex").subarray(1);
  const view = new Reader(source).view();
  assert.equal(Object.getPrototypeOf(view), Uint8Array.prototype);
  source[1] = 0x42;
  assert.deepEqual(view, Uint8Array.of(0x42, 0xcd, 0xef));
});

test("strings are UTF-8 or refused", () => {
  for (const text of ["", "plain", "x".repeat(500), "ä€\u{10ffff}", "\ufeffwith a mark", "\u0000"])
    assert.equal(reader(written((writer) => writer.string(text))).string(), text);
  for (const hex of ["01ff", "02c080", "03eda080", "04f4908080", "01c3", "03616180"])
    refused(() => reader(hex).string(), /UTF-8/);
  assert.equal(
    written((writer) => writer.string("\ud800")),
    "03efbfbd",
    "half a surrogate pair cannot be sent",
  );
});

test("unknown fields of every wire type are passed over", () => {
  const cases: readonly [tag: number, hex: string][] = [
    [0x78, "ffffffffffffffffff01"],
    [0x79, "0102030405060708"],
    [0x7a, "03010203"],
    [0x7b, "7c"],
    [0x7b, "0801 0a0161 1b 1c 7d01020304 7c"],
    [0x7d, "01020304"],
  ];
  for (const [tag, hex] of cases) {
    const from = reader(`${hex}2a`);
    from.skip(tag);
    assert.equal(from.at, from.end - 1, hex);
  }
});

test("fields that do not end, groups that do not match and unknown wire types are refused", () => {
  refused(() => reader("01020304050607").skip(0x79), /cut short/);
  refused(() => reader("010203").skip(0x7d), /cut short/);
  refused(() => reader("0801").skip(0x7b), /varint cut short/);
  refused(() => reader("84017c").skip(0x7b), /end of a group 16/);
  for (const tag of [0x7c, 0x7e, 0x7f]) refused(() => reader("00").skip(tag), /wire type/);
  refused(() => reader("0e00").skip(0x7b), /wire type 6/);
});

test("groups are followed down to MAX_DEPTH and no deeper", () => {
  const nested = (depth: number) => reader("7b".repeat(depth - 1) + "7c".repeat(depth));
  const from = nested(MAX_DEPTH);
  from.skip(0x7b);
  assert.equal(from.at, from.end);
  refused(() => nested(MAX_DEPTH + 1).skip(0x7b), /nested deeper than 1000/);
  refused(() => reader("7b".repeat(1_000_000)).skip(0x7b), /nested deeper than 1000/);
});

test("finish() hands out what later messages do not touch", () => {
  const writer = new Writer(256);
  const seen: [Uint8Array, string][] = [];
  for (let round = 0; round < 500; round++) {
    const length = [0, 1, 10, 64, 65, 100, 200, 256, 257, 1000, 5000][round % 11] as number;
    writer.raw(new Uint8Array(length).fill(round));
    if (round % 7 === 0) writer.reset();
    assert.equal(writer.length, round % 7 === 0 ? 0 : length);
    const bytes = writer.finish();
    seen.push([bytes, Buffer.from(bytes).toString("hex")]);
    assert.deepEqual(bytes, new Uint8Array(round % 7 === 0 ? 0 : length).fill(round));
  }
  for (const [bytes, hex] of seen) assert.equal(Buffer.from(bytes).toString("hex"), hex);
});

test("a message's length goes before it, however long it grew meanwhile", () => {
  for (const length of [0, 1, 127, 128, 16383, 16384, 100_000]) {
    const writer = new Writer(64);
    writer.raw(new Uint8Array(50));
    writer.finish();
    writer.byte(0x0a);
    const outer = writer.begin();
    writer.byte(0x12);
    const inner = writer.begin();
    for (let at = 0; at < length; at++) writer.byte(at);
    writer.end(inner);
    writer.end(outer);
    const from = new Reader(writer.finish());
    assert.equal(from.tag(), 0x0a);
    from.enter();
    assert.equal(from.tag(), 0x12);
    assert.deepEqual(
      from.view(),
      Uint8Array.from({ length }, (_, at) => at),
    );
    assert.equal(from.at, from.bytes.length);
  }
});

test("a number that is not a safe integer is our own mistake", () => {
  for (const value of [0.5, Number.NaN, Number.POSITIVE_INFINITY, 2 ** 53])
    assert.throws(() => new Writer().varint(value), /safe integer/);
});
