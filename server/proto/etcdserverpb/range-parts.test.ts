import assert from "node:assert/strict";
import { test } from "node:test";
import { Prng } from "../../base/prng.ts";
import { RangeResponse } from "./kv.ts";
import { RangeParts } from "./range-parts.ts";

/** Of every length at which something changes: an empty one, a varint of one byte, of two, of three. */
const LENGTHS = [0, 1, 20, 127, 128, 129, 4000, 16_383, 16_384, 70_000];

function answer(prng: Prng, kvCount: number): RangeResponse {
  const kvs: Uint8Array[] = [];
  for (let at = 0; at < kvCount; at++) {
    const kv = new Uint8Array(LENGTHS[prng.below(LENGTHS.length)] as number);
    kvs.push(kv.fill(1 + prng.below(255)));
  }
  const header = { clusterId: 1n, memberId: 0xffff_ffff_ffff_ffffn, revision: 12_345, raftTerm: 2 };
  return RangeResponse.create({
    header: prng.below(4) === 0 ? undefined : header,
    kvs,
    more: prng.below(2) === 0,
    count: prng.below(2) === 0 ? 0 : kvCount,
  });
}

test("an answer in parts is the answer in one, however it is cut", () => {
  for (let seed = 1; seed <= 200; seed++) {
    const prng = new Prng(seed);
    const response = answer(prng, prng.below(30));
    const whole = RangeResponse.encode(response);
    const parts = new RangeParts(response);
    assert.equal(parts.length, whole.length);
    const got = Buffer.alloc(whole.length + 2, 0);
    const most = [1, 7, 300, 16_384, 1_000_000][seed % 5] as number;
    for (let at = 0; at < whole.length; ) {
      const count = Math.min(whole.length - at, 1 + prng.below(most));
      parts.copyTo(got, at + 1, count);
      at += count;
      assert.equal(got[at + 1], 0, "nothing is written behind what was asked for");
    }
    assert.ok(got.subarray(1, -1).equals(whole), `seed ${seed}`);
  }
});

test("what is not there cannot be copied, and the answer itself stays as it is", () => {
  const response = RangeResponse.create({ kvs: [Uint8Array.of(1, 2, 3)], count: 1 });
  const parts = new RangeParts(response);
  parts.copyTo(new Uint8Array(parts.length), 0, parts.length);
  assert.deepEqual(response.kvs, [Uint8Array.of(1, 2, 3)]);
  assert.throws(() => parts.copyTo(new Uint8Array(1), 0, 1), /no more is copied/);
});
