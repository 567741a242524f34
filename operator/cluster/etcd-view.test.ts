import assert from "node:assert/strict";
import { test } from "node:test";
import { type EtcdAdmin, EtcdRefusal, type MemberStatus } from "../etcd/etcd-admin.ts";
import { askMembers } from "./etcd-view.ts";

interface Told {
  readonly leaderId?: string;
  readonly isLearner?: boolean;
  readonly isSilent?: boolean;
  readonly hasNoList?: boolean;
  readonly hasNoAlarms?: boolean;
}

/** Members by their URL; whoever is asked for the list is noted. */
function etcd(members: Readonly<Record<string, Told>>): { admin: EtcdAdmin; asked: string[] } {
  const asked: string[] = [];
  const told = (url: string): Told => {
    const found = members[url];
    if (found === undefined || found.isSilent === true) throw new EtcdRefusal("unknown", `${url} is silent`);
    return found;
  };
  const admin = {
    status: async ({ url }: { url: string }) => {
      const { leaderId = "a", isLearner = false } = told(url);
      return { clusterId: "c", memberId: url, leaderId, isLearner, raftTerm: 2 } as MemberStatus;
    },
    probe: async ({ url }: { url: string }) => {
      if (told(url).isLearner === true) throw new EtcdRefusal("learner", "rpc not supported for learner");
    },
    members: async ({ url }: { url: string }) => {
      asked.push(url);
      if (told(url).hasNoList === true) throw new EtcdRefusal("unknown", "timed out");
      return {
        clusterId: "c",
        memberId: url,
        members: [{ id: url, name: url, peerUrls: [], clientUrls: [], isLearner: false }],
      };
    },
    alarms: async ({ url }: { url: string }) => {
      if (told(url).hasNoAlarms === true) throw new EtcdRefusal("unknown", "timed out");
      return [{ memberId: "a", alarm: "NOSPACE" }];
    },
    loadedCertificates: async (url: string) => {
      if (url === "metrics of b") throw new EtcdRefusal("unknown", "no metrics");
      return { client: ["1"], peer: ["1", "2"] };
    },
  } as unknown as EtcdAdmin;
  return { admin, asked };
}

function ask(members: Readonly<Record<string, Told>>, metrics: readonly string[] = []) {
  const { admin, asked } = etcd(members);
  const endpoints = new Map(Object.keys(members).map((name) => [name, { url: name }]));
  const metricsUrls = new Map(metrics.map((name) => [name, `metrics of ${name}`]));
  const notAsked = new Map([["z", "its Pod is terminating"]]);
  return askMembers({ etcd: admin, endpoints, notAsked, metricsUrls, now: () => 7 }).then((answers) => ({
    ...answers,
    asked,
  }));
}

test("each member says who it is; one that is silent or was not asked is unknown, with the reason", async () => {
  const { etcd: view } = await ask({ a: {}, b: { isSilent: true } });
  assert.equal(view.members.get("a")?.status?.memberId, "a");
  assert.deepEqual(
    [view.members.get("a")?.isServing, view.members.get("a")?.error, view.members.get("a")?.at],
    [true, undefined, 7],
  );
  assert.deepEqual([view.members.get("b")?.status, view.members.get("b")?.error], [undefined, "b is silent"]);
  assert.equal(view.members.get("z")?.error, "not asked: its Pod is terminating");
});

test("the leader alone is asked for the list when it answers; a learner, or who knows no leader, never", async () => {
  const members = {
    l: { isLearner: true, leaderId: "a" },
    n: { leaderId: "" },
    b: { leaderId: "a" },
    a: { leaderId: "a" },
  };
  const { etcd: view, asked } = await ask(members);
  assert.deepEqual(asked, ["a"]);
  assert.equal(view.list?.members.length, 1);
  assert.deepEqual(view.alarms, [{ memberId: "a", alarm: "NOSPACE" }]);
  const lone = await ask({ l: { isLearner: true }, n: { leaderId: "" } });
  assert.deepEqual([lone.asked, lone.etcd.list], [[], undefined]);
});

test("a second voter is asked when the first cannot answer, and no third", async () => {
  const second = await ask({ a: { hasNoList: true }, b: {}, c: {} });
  assert.deepEqual([second.asked, second.etcd.list !== undefined], [["a", "b"], true]);
  const none = await ask({ a: { hasNoList: true }, b: { hasNoList: true }, c: {} });
  assert.deepEqual([none.asked, none.etcd.list], [["a", "b"], undefined]);
});

test("a list whose alarms are unknown is no list: it would say that there are none", async () => {
  const { etcd: view } = await ask({ a: { hasNoAlarms: true } });
  assert.deepEqual([view.list, view.alarms], [undefined, []]);
});

test("that a learner refuses to read is no fault of it", async () => {
  const { etcd: view } = await ask({ a: {}, l: { isLearner: true } });
  assert.deepEqual([view.members.get("l")?.isServing, view.members.get("l")?.error], [false, undefined]);
});

test("certificates are asked for where metrics are named, and unknown where there is no answer", async () => {
  const { etcd: view, loaded } = await ask({ a: {}, b: {}, c: {} }, ["a", "b"]);
  assert.deepEqual(view.members.get("a")?.loadedCertificates, ["1", "2"]);
  assert.deepEqual(loaded.get("a"), { client: ["1"], peer: ["1", "2"] });
  assert.equal(view.members.get("b")?.loadedCertificates, undefined);
  assert.equal(view.members.get("c")?.loadedCertificates, undefined);
});

test("a mistake of ours is no silence of theirs", async () => {
  const { admin } = etcd({ a: {} });
  const broken = { ...admin, probe: async () => Promise.reject(new TypeError("a mistake")) } as EtcdAdmin;
  await assert.rejects(
    askMembers({
      etcd: broken,
      endpoints: new Map([["a", { url: "a" }]]),
      notAsked: new Map(),
      metricsUrls: new Map(),
      now: () => 0,
    }),
    TypeError,
  );
});
