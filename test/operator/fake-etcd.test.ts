/** The contract of etcd on the twin, and what only the twin must do: run as the flags of its start say. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { type EtcdAdmin, EtcdRefusal, type RefusalKind } from "../../operator/etcd/etcd-admin.ts";
import { type ContractCluster, ETCD_CONTRACT, etcdContract } from "./etcd-contract.ts";
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

/** `twist`: what is different about the twin that is asked. */
async function twin(twist: (etcd: FakeEtcd) => Partial<EtcdAdmin> = () => ({})): Promise<ContractCluster> {
  const clock = { now: 0 };
  const etcd = await three(clock);
  const twisted = twist(etcd);
  const admin = new Proxy<EtcdAdmin>(etcd, {
    get(target, name) {
      const value = Reflect.get(twisted, name) ?? Reflect.get(target, name, target);
      return typeof value === "function" ? value.bind(target) : value;
    },
  });
  return {
    admin,
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
}

etcdContract("twin", () => twin());

/** A call that says yes where it should refuse. */
const forgiving = (kind: RefusalKind) => (error: unknown) => {
  if (!(error instanceof EtcdRefusal) || error.kind !== kind) throw error;
};

/** By the beginning of the name of the case that must see it. */
const MISTAKES: readonly (readonly [what: string, seenBy: string, twist: (etcd: FakeEtcd) => Partial<EtcdAdmin>])[] = [
  [
    "a learner answers reads",
    "a learner is added once",
    (etcd) => ({ probe: (at, limitMs) => etcd.probe(at, limitMs).catch(forgiving("learner")) }),
  ],
  [
    "a learner that has not caught up gets a vote",
    "a learner is added once",
    (etcd) => ({ promote: (at, id, limitMs) => etcd.promote(at, id, limitMs).catch(forgiving("not-ready")) }),
  ],
  [
    "a voter is promoted again",
    "a learner is added once",
    (etcd) => ({ promote: (at, id, limitMs) => etcd.promote(at, id, limitMs).catch(forgiving("already-there")) }),
  ],
  [
    "a member that was added has a name before it has started",
    "a learner is added once",
    (etcd) => ({
      addLearner: async (at, url, limitMs) => ({ ...(await etcd.addLearner(at, url, limitMs)), name: "x" }),
    }),
  ],
  [
    "one that is not there is removed",
    "a member is removed once",
    (etcd) => ({ remove: (at, id, limitMs) => etcd.remove(at, id, limitMs).catch(forgiving("not-found")) }),
  ],
  [
    "anybody may move the leader",
    "leadership is moved",
    (etcd) => ({ moveLeader: (at, id, limitMs) => etcd.moveLeader(at, id, limitMs).catch(forgiving("other")) }),
  ],
  [
    "an alarm that nobody raised cannot be taken back",
    "an alarm that nobody raised",
    () => ({ disarm: async () => Promise.reject(new EtcdRefusal("not-found", "no such alarm")) }),
  ],
  [
    "who does not answer is refused for a reason",
    "what nobody answers",
    (etcd) => ({
      status: (at, limitMs) =>
        etcd.status(at, limitMs).catch(() => Promise.reject(new EtcdRefusal("not-found", "no such member"))),
    }),
  ],
  [
    "a list is given without a quorum",
    "without a quorum",
    (etcd) => ({ members: (at, limitMs) => etcd.members(at, limitMs, true) }),
  ],
  [
    "a read is served without a quorum",
    "without a quorum",
    (etcd) => ({ probe: (at, limitMs) => etcd.probe(at, limitMs).catch(forgiving("unknown")) }),
  ],
];

for (const [what, seenBy, twist] of MISTAKES)
  test(`the contract sees it: ${what}`, async () => {
    const found = ETCD_CONTRACT.find(({ name }) => name.startsWith(seenBy));
    assert.ok(found !== undefined, `there is a case "${seenBy}..."`);
    await found.run(await twin());
    await assert.rejects(found.run(await twin(twist)));
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
