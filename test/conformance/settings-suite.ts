/** Limits that flags set, and those that follow from others. */
import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { SERVICES } from "../../server/proto/services.ts";
import { freePorts } from "../support/server-process.ts";
import { put } from "./operations.ts";
import { refusal, Store } from "./store.ts";
import { suite } from "./target.ts";
import { Watching } from "./watching.ts";

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

  test("a configuration file gives durations in nanoseconds, and all flags beside it are passed over", async () => {
    const folder = mkdtempSync(join(tmpdir(), "kvorum-config-"));
    const [clientPort = 0, peerPort = 0] = await freePorts(2);
    const file = join(folder, "etcd.yaml");
    const settings = {
      name: "from-file",
      "data-dir": join(folder, "data"),
      "listen-client-urls": `http://127.0.0.1:${clientPort}`,
      "advertise-client-urls": `http://127.0.0.1:${clientPort}`,
      "listen-peer-urls": `http://127.0.0.1:${peerPort}`,
      "initial-advertise-peer-urls": `http://127.0.0.1:${peerPort}`,
      "initial-cluster": `from-file=http://127.0.0.1:${peerPort}`,
      "heartbeat-interval": 50,
      "election-timeout": 500,
      "watch-progress-notify-interval": 200_000_000,
    };
    writeFileSync(file, JSON.stringify(settings)); // YAML, too
    const other = new Store(store.command, [`--config-file=${file}`, "--max-txn-ops=1"], { clientPort });
    try {
      await other.start();
      assert.equal((await other.grant(1n, 1)).ttl, 1);
      assert.equal(await refusal(other.together(put("1"), put("2"))), "OK");
      const watching = new Watching(other.client);
      await watching.create("k", { progressNotify: true });
      assert.deepEqual((await watching.next()).events, []);
      await watching.close();
      const { members } = await other.client.unary(SERVICES.cluster.methods.memberList);
      assert.equal(members[0]?.name, "from-file");
    } finally {
      await other.remove();
      rmSync(folder, { recursive: true, force: true });
    }
  });
});
