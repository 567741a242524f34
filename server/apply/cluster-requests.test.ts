import assert from "node:assert/strict";
import { test } from "node:test";
import { digest, Entries, openState, put } from "../../test/support/apply-state.ts";
import { utf8Bytes, utf8Text } from "../base/bytes.ts";
import { encodeMember } from "../cluster/membership.ts";
import { AlarmAction, AlarmMember, AlarmType, type InternalRequest } from "../proto/etcdserverpb.ts";
import { ConfChange, ConfChangeType, ConfState } from "../proto/raftpb.ts";
import { executeConfChange, storeConfState } from "./cluster-requests.ts";

const BIG_ID = 0x8e9e_05c5_2164_694dn;
const { GET, ACTIVATE, DEACTIVATE } = AlarmAction;
const { NONE, NOSPACE, CORRUPT } = AlarmType;

function alarm(action: number, kind: number, memberId = 0n) {
  return { kind: "alarm" as const, value: { action, memberId, alarm: kind } };
}

function opened() {
  const state = openState();
  return { state, entries: new Entries(state) };
}

// ---- alarms ------------------------------------------------------------------------------------------------------------

test("alarms are raised, listed and taken back; each answer names the alarms it is about", () => {
  const { state, entries } = opened();
  const told = (request: ReturnType<typeof alarm>) =>
    entries.answer(request).alarms.map(({ memberId, alarm: kind }) => `${memberId}:${kind}`);
  assert.deepEqual(told(alarm(ACTIVATE, NOSPACE, 1n)), ["1:1"]);
  assert.deepEqual(told(alarm(ACTIVATE, CORRUPT, BIG_ID)), [`${BIG_ID}:2`]);
  assert.deepEqual(told(alarm(GET, NONE)), ["1:1", `${BIG_ID}:2`]);
  assert.deepEqual(told(alarm(GET, CORRUPT)), [`${BIG_ID}:2`]);
  assert.deepEqual(told(alarm(DEACTIVATE, CORRUPT, BIG_ID)), [`${BIG_ID}:2`]);
  assert.deepEqual(told(alarm(GET, CORRUPT)), []);
  assert.deepEqual(state.alarms.list(), [AlarmMember.create({ memberId: 1n, alarm: NOSPACE })]);
  assert.equal(state.store.currentRevision, 1);
});

test("what names no alarm that is on changes nothing: no kind, member 0, an action that is not known", () => {
  const { state, entries } = opened();
  entries.answer(alarm(ACTIVATE, NOSPACE, 1n));
  const before = digest(state);
  for (const request of [
    alarm(ACTIVATE, NONE, 1n),
    alarm(DEACTIVATE, NOSPACE, 0n),
    alarm(DEACTIVATE, NONE, 1n),
    alarm(DEACTIVATE, CORRUPT, 1n),
    alarm(9, NOSPACE, 2n),
  ])
    assert.deepEqual(entries.answer(request).alarms, []);
  assert.deepEqual(digest(state), before);
});

test("alarms can be listed and taken back while the alarm CORRUPT refuses all else", () => {
  const { entries } = opened();
  entries.answer(alarm(ACTIVATE, CORRUPT, 1n));
  assert.equal(entries.refusal(put("a")), "Corrupt");
  assert.equal(entries.answer(alarm(GET, NONE)).alarms.length, 1);
  entries.answer(alarm(DEACTIVATE, CORRUPT, 1n));
  assert.equal(entries.refusal(put("a")), "none");
});

// ---- what the servers tell each other ------------------------------------------------------------------------------------

test("cluster version, attributes of a member and downgrades are set, and answer nothing", () => {
  const { state, entries } = opened();
  state.membership.add({ id: BIG_ID, name: "", peerUrls: ["http://p"], clientUrls: [], isLearner: false });
  const requests: InternalRequest[] = [
    { kind: "clusterVersionSet", value: { ver: "3.7.0" } },
    {
      kind: "clusterMemberAttrSet",
      value: { memberId: BIG_ID, memberAttributes: { name: "one", clientUrls: ["http://c"] } },
    },
    { kind: "clusterMemberAttrSet", value: { memberId: 5n, memberAttributes: { name: "unknown", clientUrls: [] } } },
    { kind: "downgradeInfoSet", value: { enabled: true, ver: "3.6.0" } },
  ];
  for (const request of requests) {
    const { outcome, changes } = entries.apply(request);
    assert.deepEqual([outcome, changes], [{ ok: true, response: undefined }, []]);
  }
  assert.equal(state.membership.clusterVersion, "3.7.0");
  assert.deepEqual(
    state.membership.list().map(({ name, clientUrls }) => ({ name, clientUrls })),
    [{ name: "one", clientUrls: ["http://c"] }],
  );
});

test("attributes that are not given are empty", () => {
  const { state, entries } = opened();
  state.membership.add({ id: 1n, name: "one", peerUrls: ["http://p"], clientUrls: ["http://c"], isLearner: false });
  entries.apply({ kind: "clusterMemberAttrSet", value: { memberId: 1n, memberAttributes: undefined } });
  assert.deepEqual([state.membership.get(1n)?.name, state.membership.get(1n)?.clientUrls], ["", []]);
});

// ---- changes of membership -------------------------------------------------------------------------------------------------

function change(type: number, nodeId: bigint, context = ""): ConfChange {
  return ConfChange.create({ type, nodeId, context: utf8Bytes(context) });
}

test("members come as voters or learners, are promoted, move and go", () => {
  const { state } = opened();
  const told = () =>
    state.membership.list().map(({ id, peerUrls, isLearner }) => `${id} ${peerUrls}${isLearner ? " learner" : ""}`);
  const context = (id: bigint, url: string) =>
    encodeMember({ id, name: "", peerUrls: [url], clientUrls: [], isLearner: false });
  executeConfChange(state, change(ConfChangeType.ADD_NODE, BIG_ID, context(BIG_ID, "http://a")));
  executeConfChange(state, change(ConfChangeType.ADD_LEARNER_NODE, 2n, context(2n, "http://b")));
  assert.deepEqual(told(), ["2 http://b learner", `${BIG_ID} http://a`]);
  executeConfChange(state, change(ConfChangeType.UPDATE_NODE, BIG_ID, context(BIG_ID, "http://c")));
  executeConfChange(state, change(ConfChangeType.ADD_NODE, 2n, '{"id":2,"peerURLs":["http://x"],"isPromote":true}'));
  assert.deepEqual(told(), ["2 http://b", `${BIG_ID} http://c`]);
  executeConfChange(state, change(ConfChangeType.REMOVE_NODE, BIG_ID));
  assert.deepEqual(told(), ["2 http://b"]);
  assert.ok(state.membership.isRemoved(BIG_ID));
  assert.deepEqual(digest(openState({ backend: state.backend })), digest(state));
});

test("who votes is kept as etcd keeps it, ids as whole numbers of 64 bits", () => {
  const { state } = opened();
  const stored = () => utf8Text(state.backend.get("meta", utf8Bytes("confState")) ?? new Uint8Array());
  storeConfState(state.backend, ConfState.create({ voters: [BIG_ID] }));
  assert.equal(stored(), '{"voters":[10276657743932975437],"auto_leave":false}');
  storeConfState(
    state.backend,
    ConfState.create({ voters: [1n, 2n], learners: [3n], votersOutgoing: [4n], learnersNext: [5n], autoLeave: true }),
  );
  assert.equal(stored(), '{"voters":[1,2],"learners":[3],"voters_outgoing":[4],"learners_next":[5],"auto_leave":true}');
});
