import assert from "node:assert/strict";
import { test } from "node:test";
import { putFrame, putVarint, readFrame, readHeader, readVarint, varintBytes } from "./record.ts";

test("a length field gives back the length, and pads to a multiple of 8", () => {
  const bytes = new Uint8Array(8);
  for (const recordBytes of [1, 7, 8, 9, 255, 256, 65_537, 2 ** 31, 2 ** 32 + 5, 2 ** 40 + 3]) {
    const padding = putFrame(bytes, 0, recordBytes);
    assert.equal((recordBytes + padding) % 8, 0);
    assert.deepEqual(readFrame(bytes, 0), { recordBytes, paddingBytes: padding });
  }
  assert.equal(readFrame(new Uint8Array(8), 0), "zero");
});

test("every changed bit of a length field is seen as damage or as another length", () => {
  const bytes = new Uint8Array(8);
  for (const recordBytes of [6, 8, 30]) {
    for (let bit = 0; bit < 64; bit++) {
      putFrame(bytes, 0, recordBytes);
      bytes[bit >> 3] = (bytes[bit >> 3] as number) ^ (1 << (bit & 7));
      const frame = readFrame(bytes, 0);
      assert.notDeepEqual(frame, { recordBytes, paddingBytes: -recordBytes & 7 });
    }
  }
});

test("a varint has one form, the shortest, and stays below 2^53", () => {
  const bytes = new Uint8Array(10);
  for (const value of [0, 1, 127, 128, 300, 2 ** 31 - 1, 2 ** 31, 2 ** 32, Number.MAX_SAFE_INTEGER]) {
    const end = putVarint(bytes, 0, value);
    assert.equal(end, varintBytes(value));
    assert.equal(readVarint(bytes, 0, end), value);
    assert.equal(readVarint(bytes, 0, end - 1), undefined);
  }
  assert.equal(readVarint(Uint8Array.of(0x80, 0x00), 0, 2), undefined);
  assert.equal(readVarint(Uint8Array.of(0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x1f), 0, 8), undefined);
});

test("a record header is read only in etcd's form", () => {
  const record = Uint8Array.of(0x08, 2, 0x10, 0x81, 0x01, 0x1a, 3, 7, 8, 9);
  assert.deepEqual(readHeader(record, 0, 10), { type: 2, crc: 129, dataFrom: 7, dataTo: 10 });
  assert.deepEqual(readHeader(Uint8Array.of(0x08, 4, 0x10, 0), 0, 4), {
    type: 4,
    crc: 0,
    dataFrom: undefined,
    dataTo: 4,
  });
  for (const [at, byte] of [
    [0, 0x10],
    [1, 0],
    [1, 6],
    [2, 0x18],
    [5, 0x22],
    [6, 2],
    [6, 4],
  ] as const) {
    const changed = record.slice();
    changed[at] = byte;
    assert.equal(readHeader(changed, 0, 10), undefined, `byte ${at} = ${byte}`);
  }
});

test("a record whose beginning is cut short is told from one that is wrong", () => {
  const record = Uint8Array.of(0x08, 2, 0x10, 0x81, 0x01, 0x1a, 3, 7, 8, 9);
  for (let length = 0; length < 7; length++) assert.equal(readHeader(record.subarray(0, length), 0, 10), "cut");
  assert.deepEqual(readHeader(record.subarray(0, 7), 0, 10), { type: 2, crc: 129, dataFrom: 7, dataTo: 10 });
});
