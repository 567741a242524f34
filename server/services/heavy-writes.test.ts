import assert from "node:assert/strict";
import { test } from "node:test";
import { EtcdError } from "../base/error.ts";
import { type RequestOp, TxnRequest } from "../proto/etcdserverpb.ts";
import {
  HeavyWrites,
  LIGHT_OPERATIONS,
  sizeOf,
  UNDER_WAY_OPERATIONS,
  WAITING_MAX_BYTES,
  type Writer,
} from "./heavy-writes.ts";

const put = (value = ""): RequestOp => ({
  request: { kind: "put", value: { key: Uint8Array.of(1), value: new TextEncoder().encode(value) } as never },
});
const txnOf = (operations: number, value = ""): TxnRequest =>
  TxnRequest.create({ success: Array.from({ length: operations }, () => put(value)) });
const inside = (txn: TxnRequest): TxnRequest =>
  TxnRequest.create({ success: [{ request: { kind: "txn", value: txn } }] });

/** Writes that end when told to, and the order in which they began. */
class Place {
  readonly writes = new HeavyWrites();
  readonly began: string[] = [];
  readonly #ends = new Map<string, (failure?: Error) => void>();

  ask(name: string, txn: TxnRequest, writer: Partial<Writer> = {}): Promise<string> {
    return this.writes.run({ remoteAddress: name[0] as string, canceled: false, ...writer }, txn, () => {
      this.began.push(name);
      return new Promise((resolve, reject) => {
        this.#ends.set(name, (failure) => (failure === undefined ? resolve(name) : reject(failure)));
      });
    });
  }

  async end(name: string, failure?: Error): Promise<void> {
    this.#ends.get(name)?.(failure);
    for (let turn = 0; turn < 10; turn++) await Promise.resolve();
  }
}

test("an operation counts once for each transaction that it stands in, both branches", () => {
  assert.deepEqual(sizeOf(txnOf(3, "abc")), { operations: 3, bytes: 3 * (256 + 4) });
  assert.equal(sizeOf(inside(inside(txnOf(10)))).operations, 1 + 2 + 3 * 10);
  assert.equal(sizeOf(TxnRequest.create({ success: [put()], failure: [put(), put()] })).operations, 3);
});

test("light transactions never wait", async () => {
  const place = new Place();
  void place.ask("a1", txnOf(UNDER_WAY_OPERATIONS * 2));
  void place.ask("a2", txnOf(UNDER_WAY_OPERATIONS * 2));
  void place.ask("b1", txnOf(LIGHT_OPERATIONS));
  assert.deepEqual(place.began, ["a1", "b1"]);
});

test("heavy ones go together as long as they are few operations, and the largest goes alone", async () => {
  const place = new Place();
  const half = txnOf(UNDER_WAY_OPERATIONS / 2);
  const asked = ["a1", "a2", "a3"].map((name) => place.ask(name, half));
  asked.push(place.ask("a4", txnOf(UNDER_WAY_OPERATIONS * 3)));
  assert.deepEqual(place.began, ["a1", "a2"]);
  await place.end("a1");
  assert.deepEqual(place.began, ["a1", "a2", "a3"]);
  await place.end("a2");
  assert.deepEqual(place.began, ["a1", "a2", "a3"], "not beside another");
  await place.end("a3");
  await place.end("a4");
  assert.deepEqual(await Promise.all(asked), ["a1", "a2", "a3", "a4"]);
  assert.equal(place.writes.waiting, 0);
});

test("connections take turns, and each keeps its order; a light one that waits for nobody overtakes", async () => {
  const place = new Place();
  const large = txnOf(UNDER_WAY_OPERATIONS);
  for (const name of ["a1", "a2", "a3", "b1", "b2", "c1"]) void place.ask(name, large);
  for (const name of ["a1", "a2", "b1", "c1", "a3"]) await place.end(name);
  assert.deepEqual(place.began, ["a1", "a2", "b1", "c1", "a3", "b2"]);
});

test("one that fails makes room as well, and its refusal is its own", async () => {
  const place = new Place();
  const large = txnOf(UNDER_WAY_OPERATIONS);
  const first = place.ask("a1", large);
  const second = place.ask("a2", large);
  const failed = assert.rejects(first, /Timeout/);
  await place.end("a1", new EtcdError("Timeout"));
  await failed;
  await place.end("a2");
  assert.equal(await second, "a2");
});

test("of a caller that has gone nothing is written", async () => {
  const place = new Place();
  const large = txnOf(UNDER_WAY_OPERATIONS);
  void place.ask("a1", large);
  const gone = assert.rejects(place.ask("b1", large, { canceled: true }), /Canceled/);
  void place.ask("c1", large);
  await place.end("a1");
  await gone;
  assert.deepEqual(place.began, ["a1", "c1"]);
});

test("what waits is bounded by its bytes, and room comes back", async () => {
  const place = new Place();
  const large = txnOf(UNDER_WAY_OPERATIONS, "v".repeat(WAITING_MAX_BYTES / UNDER_WAY_OPERATIONS / 4));
  void place.ask("a1", large);
  const waiting = [place.ask("b1", large), place.ask("b2", large), place.ask("b3", large)];
  assert.throws(() => place.ask("b4", large), /TooManyRequests/);
  await place.end("a1");
  waiting.push(place.ask("b5", large));
  for (const name of ["b1", "b2", "b3", "b5"]) await place.end(name);
  assert.deepEqual(await Promise.all(waiting), ["b1", "b2", "b3", "b5"]);
});
