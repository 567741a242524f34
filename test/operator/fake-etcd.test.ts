/** The contract of etcd on the twin, and what only the twin must do: run as the flags of its start say. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { etcdContract } from "./etcd-contract.ts";
import { FakeEtcd, type Start } from "./fake-etcd.ts";

const NAMES = ["one", "two", "three"] as const;

const peerUrl = (name: string) => `http://${name}.peers:2380`;

function started(etcd: FakeEtcd, name: string, others: readonly string[], more: Partial<Start>) {
  return etcd.start({
    host: `host-${name}`,
    name,
    peerUrl: peerUrl(name),
    initialCluster: new Map([...others, name].sort().map((one) => [one, peerUrl(one)])),
    state: "new",
    token: "t",
    expectsData: false,
    disk: name,
    ...more,
  });
}

/** Three voters: one begins, and the others come in as learners do. */
async function three(clock: { now: number }) {
  const etcd = new FakeEtcd({ now: () => clock.now });
  started(etcd, "one", [], {});
  const endpoint = { url: "http://host-one:2379" };
  for (const name of ["two", "three"]) {
    const { id } = await etcd.addLearner(endpoint, peerUrl(name), 1);
    started(etcd, name, NAMES.slice(0, NAMES.indexOf(name as "two")), { state: "existing" });
    clock.now += 1000;
    await etcd.promote(endpoint, id, 1);
  }
  return etcd;
}

etcdContract("twin", async () => {
  const clock = { now: 0 };
  const etcd = await three(clock);
  return {
    admin: etcd,
    endpoints: new Map(NAMES.map((name) => [name, { url: `http://host-${name}:2379` }])),
    nowhere: { url: "http://nowhere:2379" },
    startLearner: async (name) => {
      started(etcd, name, NAMES, { state: "existing" });
      return { url: `http://host-${name}:2379` };
    },
    peerUrl: async (name) => peerUrl(name),
    stop: async (name) => etcd.stop(`host-${name}`),
    eventually: async (_what, action) => {
      for (let attempt = 0; ; attempt++) {
        try {
          return await action();
        } catch (error) {
          if (attempt === 50) throw error;
          clock.now += 100;
        }
      }
    },
    remove: async () => undefined,
  };
});

test("the twin ends a member as the server does: no data where some was expected, removed, or wrongly told", async () => {
  const etcd = await three({ now: 0 });
  etcd.stop("host-two");
  etcd.wipe("two");
  assert.deepEqual(started(etcd, "two", [], { expectsData: true }), {
    isRunning: false,
    exitCode: 78,
    text: "the data directory is empty",
  });
  assert.equal(started(etcd, "two", ["one"], { state: "existing" }).isRunning, false);
  const { members } = await etcd.members({ url: "http://host-one:2379" }, 1);
  await etcd
    .remove({ url: "http://host-one:2379" }, members.find(({ name }) => name === "three")?.id ?? "", 1)
    .catch(() => undefined);
  assert.equal(etcd.births.length, 1);
});

test("the twin lets an empty disk with state new begin a second cluster, so that a test can see it", async () => {
  const etcd = await three({ now: 0 });
  etcd.stop("host-one");
  etcd.wipe("one");
  started(etcd, "one", [], { state: "new" });
  assert.equal(etcd.births.length, 2);
  assert.equal(etcd.clusterIds.length, 2);
});
