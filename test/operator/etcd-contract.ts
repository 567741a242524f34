/**
 * What the operator relies on when it asks a member of an etcd cluster, as tests that run on the twin, on our server and
 * on real etcd: if they agree here, what was seen with the twin holds.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import {
  type Endpoint,
  type EtcdAdmin,
  type EtcdMember,
  EtcdRefusal,
  type RefusalKind,
} from "../../operator/etcd/etcd-admin.ts";

/** A cluster of three voters that is running, made for one test. */
export interface ContractCluster {
  readonly admin: EtcdAdmin;
  /** By member name; all of them voters. */
  readonly endpoints: ReadonlyMap<string, Endpoint>;
  /** Nobody answers there. */
  readonly nowhere: Endpoint;
  /** Starts the learner that was added under `peerUrl`; where it answers. */
  startLearner(name: string, peerUrl: string): Promise<Endpoint>;
  /** A peer URL for one that will be started under this name. */
  peerUrl(name: string): Promise<string>;
  /** Ends the process of a member. */
  stop(name: string): Promise<void>;
  /** Tries until it works; rejects when that takes too long. */
  eventually<T>(what: string, action: () => Promise<T>): Promise<T>;
  remove(): Promise<void>;
}

const ID = /^[0-9a-f]{16}$/;
const CALL_MS = 5000;
/** For calls that nobody will answer. */
const SHORT_MS = 800;

/** One thing that the operator relies on. */
export interface EtcdCase {
  readonly name: string;
  readonly run: (cluster: ContractCluster) => Promise<void>;
}

/** Runs the contract; each test gets a cluster of its own. */
export function etcdContract(title: string, start: () => Promise<ContractCluster>): void {
  for (const { name, run } of ETCD_CONTRACT)
    test(`${title}: ${name}`, async () => {
      const cluster = await start();
      try {
        await run(cluster);
      } finally {
        await cluster.remove();
      }
    });
}

export const ETCD_CONTRACT: readonly EtcdCase[] = [
  {
    name: "a list says who is a member, and each member who it is",
    async run(cluster) {
      const { admin, endpoints } = cluster;
      const [, first] = [...endpoints][0] as [string, Endpoint];
      const list = await settled(cluster);
      assert.match(list.clusterId, ID);
      assert.deepEqual(list.members.map(({ name }) => name).sort(), [...endpoints.keys()].sort());
      assert.ok(
        list.members.every(({ id, isLearner, peerUrls }) => ID.test(id) && !isLearner && peerUrls.length === 1),
      );
      for (const [name, endpoint] of endpoints) {
        const status = await admin.status(endpoint, CALL_MS);
        assert.equal(status.memberId, list.members.find((member) => member.name === name)?.id);
        assert.equal(status.clusterId, list.clusterId);
        assert.match(status.leaderId, ID);
        assert.equal(status.isLearner, false);
        assert.ok(status.raftTerm > 0 && status.raftIndex > 0 && status.dbSize > 0);
        await admin.probe(endpoint, CALL_MS);
      }
      assert.deepEqual(await admin.alarms(first, CALL_MS), []);
    },
  },

  {
    name: "a learner is added once, is no voter, and refuses what a learner refuses",
    async run(cluster) {
      const { admin } = cluster;
      const { endpoint } = await leader(cluster);
      const peerUrl = await cluster.peerUrl("four");
      // Members must have been connected for five seconds before any is added or removed.
      const added = await cluster.eventually("it is added", () => admin.addLearner(endpoint, peerUrl, CALL_MS));
      assert.deepEqual([added.name, added.isLearner, added.peerUrls], ["", true, [peerUrl]]);
      assert.match(added.id, ID);
      await refuses("already-there", admin.addLearner(endpoint, peerUrl, CALL_MS));
      await refuses("too-many-learners", admin.addLearner(endpoint, await cluster.peerUrl("five"), CALL_MS));
      await refuses("not-ready", admin.promote(endpoint, added.id, CALL_MS));
      const learner = await cluster.startLearner("four", peerUrl);
      const status = await cluster.eventually("the learner answers", () => admin.status(learner, CALL_MS));
      assert.deepEqual([status.isLearner, status.memberId], [true, added.id]);
      await refuses("learner", admin.probe(learner, CALL_MS));
      await cluster.eventually("it is promoted", () => admin.promote(endpoint, added.id, CALL_MS));
      await refuses("already-there", admin.promote(endpoint, added.id, CALL_MS));
      await cluster.eventually("it serves", () => admin.probe(learner, CALL_MS));
    },
  },

  {
    name: "a member is removed once",
    async run(cluster) {
      const { admin } = cluster;
      const { endpoint, followers } = await leader(cluster);
      const victim = followers[0] as EtcdMember;
      await cluster.eventually("it is removed", () => admin.remove(endpoint, victim.id, CALL_MS));
      const { members } = await admin.members(endpoint, CALL_MS);
      assert.ok(!members.some(({ id }) => id === victim.id));
      await refuses("not-found", admin.remove(endpoint, victim.id, CALL_MS));
      await refuses("not-found", admin.promote(endpoint, victim.id, CALL_MS));
    },
  },

  {
    name: "leadership is moved through the leader alone, and to a voter alone",
    async run(cluster) {
      const { admin, endpoints } = cluster;
      const { endpoint, member, followers } = await leader(cluster);
      const [target, other] = followers as [EtcdMember, EtcdMember];
      await refuses("other", admin.moveLeader(endpoints.get(target.name) as Endpoint, target.id, CALL_MS));
      await refuses("other", admin.moveLeader(endpoint, "00000000000000ff", CALL_MS));
      await admin.moveLeader(endpoint, target.id, CALL_MS);
      await cluster.eventually("the target leads", async () => {
        const status = await admin.status(endpoints.get(other.name) as Endpoint, CALL_MS);
        assert.equal(status.leaderId, target.id);
        assert.notEqual(status.leaderId, member.id);
      });
    },
  },

  {
    name: "an alarm that nobody raised can be taken back",
    async run({ admin, endpoints }) {
      const [endpoint] = endpoints.values();
      const { memberId } = await admin.status(endpoint as Endpoint, CALL_MS);
      await admin.disarm(endpoint as Endpoint, memberId, "NOSPACE", CALL_MS);
      assert.deepEqual(await admin.alarms(endpoint as Endpoint, CALL_MS), []);
    },
  },

  {
    name: "what nobody answers is unknown, in time",
    async run({ admin, nowhere }) {
      const start = performance.now();
      await refuses("unknown", admin.status(nowhere, SHORT_MS));
      await refuses("unknown", admin.members(nowhere, SHORT_MS));
      assert.ok(performance.now() - start < 4 * SHORT_MS);
    },
  },

  {
    name: "without a quorum a member still says who it is, and lists nothing that must be true",
    async run(cluster) {
      const { admin, endpoints } = cluster;
      const { member, followers } = await leader(cluster);
      const [survivor, ...others] = followers;
      for (const { name } of [member, ...others]) await cluster.stop(name);
      const endpoint = endpoints.get(survivor?.name ?? "") as Endpoint;
      await cluster.eventually("it knows no leader", async () => {
        assert.equal((await admin.status(endpoint, CALL_MS)).leaderId, "");
      });
      await refuses(["unknown", "no-leader"], admin.members(endpoint, SHORT_MS));
      await refuses(["unknown", "no-leader"], admin.probe(endpoint, SHORT_MS));
      assert.equal((await admin.members(endpoint, CALL_MS, true)).members.length, 3);
    },
  },
];

/** The list once every member has published its name. */
function settled({ admin, endpoints, eventually }: ContractCluster) {
  return eventually("all have names", async () => {
    const list = await admin.members([...endpoints.values()][0] as Endpoint, CALL_MS);
    assert.ok(list.members.every(({ name }) => name !== ""));
    return list;
  });
}

async function leader(cluster: ContractCluster) {
  const { members } = await settled(cluster);
  return cluster.eventually("somebody leads", async () => {
    const status = await cluster.admin.status([...cluster.endpoints.values()][0] as Endpoint, CALL_MS);
    const member = members.find(({ id }) => id === status.leaderId);
    assert.ok(member !== undefined);
    const endpoint = cluster.endpoints.get(member.name) as Endpoint;
    return { member, endpoint, followers: members.filter(({ id }) => id !== member.id) };
  });
}

async function refuses(kind: RefusalKind | readonly RefusalKind[], call: Promise<unknown>): Promise<void> {
  const kinds: readonly RefusalKind[] = typeof kind === "string" ? [kind] : kind;
  await assert.rejects(call, (error) => {
    assert.ok(error instanceof EtcdRefusal, String(error));
    assert.ok(kinds.includes(error.kind), `refused as ${error.kind}: ${error.message}`);
    return true;
  });
}
