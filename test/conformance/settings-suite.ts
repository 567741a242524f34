/** Limits that flags set, and those that follow from others. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { put } from "./operations.ts";
import { refusal } from "./store.ts";
import { suite } from "./target.ts";

const FLAGS = ["--quota-backend-bytes=-1", "--max-txn-ops=2", "--max-request-bytes=10000"];

export const settingsSuite = suite("Settings", FLAGS, (store) => {
  test("a negative quota is none, and reported as it was given", async () => {
    assert.equal((await store.status()).dbSizeQuota, -1);
  });

  test("--max-txn-ops bounds a transaction", async () => {
    assert.equal(await refusal(store.together(put("1"), put("2"))), "OK");
    const tooMany = "InvalidArgument etcdserver: too many operations in txn request";
    assert.equal(await refusal(store.together(put("1"), put("2"), put("3"))), tooMany);
  });

  test("--max-request-bytes bounds a request, and with it what is received at all", async () => {
    assert.equal(await refusal(store.put("k", new Uint8Array(9900))), "OK");
    assert.equal(
      await refusal(store.put("k", new Uint8Array(10_000))),
      "InvalidArgument etcdserver: request is too large",
    );
    const text = "ResourceExhausted grpc: received message larger than max (600007 vs. 534288)";
    assert.equal(await refusal(store.put("k", new Uint8Array(600_000))), text);
  });

  test("the shortest time of a lease is one and a half elections, in whole seconds", async () => {
    assert.equal((await store.grant(1n, 1)).ttl, 2);
    assert.equal((await store.grant(2n, 3)).ttl, 3);
    assert.deepEqual(await store.renew(1n), [2]);
  });
});
