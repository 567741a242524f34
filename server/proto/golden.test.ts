import assert from "node:assert/strict";
import { test } from "node:test";
import { ETCD_36, ETCD_37 } from "../../test/support/etcd-bytes.ts";
import { utf8Bytes } from "../base/bytes.ts";
import type { Codec } from "./codec.ts";
import {
  Compare,
  encodeInternal,
  InternalRaftRequest,
  type InternalRequest,
  type InternalRequestKind,
  PutRequest,
  RangeRequest,
  RequestHeader,
  TxnRequest,
  WatchCreateRequest,
} from "./etcdserverpb.ts";
import * as raft from "./raftpb.ts";
import * as wal from "./walpb.ts";

const BIG = 0xcdf818194e3a8c32n;
const OTHER = 0x8e9e05c52164694dn;
const LEASE = 0x70326d1a9c3b5a01n;
const key = utf8Bytes("key");
const data = utf8Bytes("data");

type Case = [name: string, bytes: Uint8Array, encode: Uint8Array, decoded: unknown, message: unknown];

/** What the golden bytes of `name` say, and what we say. */
function example<T>(name: string, codec: Codec<T>, fields: Partial<T> = {}): Case {
  const bytes = goldenBytes(ETCD_36, name);
  const message = codec.create(fields);
  return [name, bytes, codec.encode(message), codec.decode(bytes), message];
}

function goldenBytes(table: Readonly<Record<string, string>>, name: string): Uint8Array {
  const hex = table[name];
  assert(hex !== undefined, `a golden entry named "${name}"`);
  return Uint8Array.from(Buffer.from(hex, "hex"));
}

const confState = raft.ConfState.create({
  voters: [1n, BIG, OTHER],
  learners: [4n],
  votersOutgoing: [1n, 300n],
  learnersNext: [5n],
  autoLeave: true,
});
const snapshot = { data: utf8Bytes("{}"), metadata: { confState, index: 10000, term: 7 } };
const entry = raft.Entry.create({ term: 3, index: 123456, data });
const noConfState = raft.SnapshotMetadata.create({ confState: raft.ConfState.create() });
const { MessageType } = raft;

const raftCases: Case[] = [
  example("entry empty", raft.Entry),
  example("entry normal", raft.Entry, entry),
  example("entry leader", raft.Entry, { term: 2, index: 4 }),
  example("entry confChange", raft.Entry, { type: 1, term: 1, index: 2 ** 35, data: Uint8Array.of(1, 2, 3) }),
  example("entry confChangeV2", raft.Entry, { type: 2, term: 2 ** 20, index: 2 ** 53 - 1, data: new Uint8Array(200) }),
  example("hardState empty", raft.HardState),
  example("hardState", raft.HardState, { term: 5, vote: BIG, commit: 123456 }),
  example("confState empty", raft.ConfState),
  example("confState", raft.ConfState, confState),
  example("snapshotMetadata empty", raft.SnapshotMetadata, noConfState),
  example("snapshot empty", raft.Snapshot, { metadata: noConfState }),
  example("snapshot", raft.Snapshot, snapshot),
  example("confChange", raft.ConfChange, { id: OTHER, nodeId: BIG, context: utf8Bytes('{"id":1}') }),
  example("confChange remove", raft.ConfChange, { type: raft.ConfChangeType.REMOVE_NODE, nodeId: BIG }),
  example("confChange empty", raft.ConfChange),
  example("confChangeV2 empty", raft.ConfChangeV2),
  example("confChangeV2", raft.ConfChangeV2, {
    transition: raft.ConfChangeTransition.JOINT_EXPLICIT,
    changes: [
      { type: 3, nodeId: BIG },
      { type: 1, nodeId: 0n },
    ],
    context: utf8Bytes("c"),
  }),
  example("message empty", raft.Message),
  example("message app", raft.Message, {
    ...{ type: MessageType.APP, to: BIG, from: OTHER, term: 3, logTerm: 2, index: 123455, commit: 123450 },
    entries: [
      entry,
      raft.Entry.create({ term: 3, index: 123457 }),
      raft.Entry.create({ term: 3, index: 123458, data: new Uint8Array(300) }),
    ],
  }),
  example("message appResp reject", raft.Message, {
    ...{ type: MessageType.APP_RESP, to: BIG, from: OTHER, term: 3, logTerm: 2, index: 9 },
    ...{ reject: true, rejectHint: 7 },
  }),
  example("message vote", raft.Message, {
    ...{ type: MessageType.VOTE, to: BIG, from: OTHER, term: 4, logTerm: 3, index: 20 },
    context: utf8Bytes("CampaignTransfer"),
  }),
  example("message snap", raft.Message, { type: MessageType.SNAP, to: BIG, from: OTHER, term: 4, snapshot }),
  example("message heartbeat", raft.Message, {
    ...{ type: MessageType.HEARTBEAT, to: BIG, from: OTHER, term: 4, commit: 19 },
    context: Uint8Array.of(1, 2, 3, 4, 5, 6, 7, 8),
  }),
  example("message storageAppend", raft.Message, {
    ...{ type: MessageType.STORAGE_APPEND, to: 2n ** 64n - 1n, from: OTHER, term: 4, vote: BIG, commit: 3 },
    responses: [
      raft.Message.create({ type: MessageType.APP_RESP, to: BIG, from: OTHER }),
      raft.Message.create({ type: MessageType.STORAGE_APPEND_RESP, index: 3 }),
    ],
  }),
  example("walRecord empty", wal.Record),
  example("walRecord", wal.Record, { type: wal.RecordType.ENTRY, crc: 0xdeadbeef, data }),
  example("walSnapshot empty", wal.Snapshot),
  example("walSnapshot", wal.Snapshot, { index: 10000, term: 7, confState }),
  example("walMetadata", wal.Metadata, { nodeId: OTHER, clusterId: BIG }),
  example("snapFile", wal.SnapFile, { crc: 0xfeedface, data }),
];

const range = {
  ...{ key, rangeEnd: utf8Bytes("kez"), limit: 5, revision: 9, sortOrder: 2, sortTarget: 3 },
  ...{ serializable: true, keysOnly: true, countOnly: true },
  ...{ minModRevision: 1, maxModRevision: 300, minCreateRevision: 2, maxCreateRevision: 2 ** 40 },
};
const put = { key, value: utf8Bytes("value"), lease: LEASE, prevKv: true, ignoreValue: true, ignoreLease: true };
const deleteRange = { key, rangeEnd: Uint8Array.of(0), prevKv: true };
const nested = TxnRequest.create({
  compare: [{ result: 3, target: 4, key, targetUnion: { kind: "lease", value: -1n }, rangeEnd: utf8Bytes("kez") }],
  success: [{ request: { kind: "deleteRange", value: deleteRange } }],
});
const txn = {
  compare: [
    Compare.create({ key, targetUnion: { kind: "version", value: 0 } }),
    Compare.create({ result: 1, target: 1, key, targetUnion: { kind: "createRevision", value: 12 } }),
    Compare.create({ result: 2, target: 2, key, targetUnion: { kind: "modRevision", value: 13 } }),
    Compare.create({ result: 3, target: 3, key, targetUnion: { kind: "value", value: new Uint8Array(0) } }),
    Compare.create(),
  ],
  success: [{ request: { kind: "put" as const, value: put } }, { request: { kind: "txn" as const, value: nested } }],
  failure: [{ request: { kind: "range" as const, value: range } }, { request: undefined }],
};

/** What each entry of the log holds, by its kind. */
const requests: { [K in InternalRequestKind]: Extract<InternalRequest, { kind: K }>["value"] } = {
  range,
  put,
  deleteRange,
  txn,
  compaction: { revision: 77, physical: true },
  leaseGrant: { ttl: 60, id: LEASE },
  leaseRevoke: { id: -2n },
  alarm: { action: 1, memberId: BIG, alarm: 2 },
  leaseCheckpoint: {
    checkpoints: [
      { id: 5n, remainingTtl: 30 },
      { id: 6n, remainingTtl: 0 },
    ],
  },
  authEnable: {},
  authDisable: {},
  authStatus: {},
  authenticate: { name: "alice", password: "pässword", simpleToken: "abc.1" },
  authUserAdd: { name: "bob", password: "p", options: { noPassword: true }, hashedPassword: "aGFzaA==" },
  authUserDelete: { name: "bob" },
  authUserGet: { name: "bob" },
  authUserChangePassword: { name: "bob", password: "q", hashedPassword: "aGFzaA==" },
  authUserGrantRole: { user: "bob", role: "reader" },
  authUserRevokeRole: { name: "bob", role: "reader" },
  authUserList: {},
  authRoleList: {},
  authRoleAdd: { name: "reader" },
  authRoleDelete: { role: "reader" },
  authRoleGet: { role: "reader" },
  authRoleGrantPermission: { name: "reader", perm: { permType: 2, key, rangeEnd: Uint8Array.of(0) } },
  authRoleRevokePermission: { role: "reader", key, rangeEnd: Uint8Array.of(0) },
  clusterVersionSet: { ver: "3.6.0" },
  clusterMemberAttrSet: { memberId: BIG, memberAttributes: { name: "a", clientUrls: ["http://127.0.0.1:2379", ""] } },
  downgradeInfoSet: { enabled: true, ver: "3.5.0" },
  downgradeVersionTest: { ver: "3.5.0" },
};

const header = { id: OTHER, username: "alice", authRevision: 7 };

const logCases: Case[] = [
  example("internal empty", InternalRaftRequest),
  example("internal id", InternalRaftRequest, { id: BIG }),
  ...Object.entries(requests).map(([kind, value]) =>
    example(`internal ${kind}`, InternalRaftRequest, { header, request: { kind, value } as InternalRequest }),
  ),
  example("watchCreate", WatchCreateRequest, {
    ...{ key, rangeEnd: utf8Bytes("kez"), startRevision: 8, progressNotify: true, filters: [0, 1] },
    ...{ prevKv: true, watchId: -1, fragment: true },
  }),
];

test("raft's types, the log's entries and the wal's records have the bytes that etcd gives them", () => {
  const cases = [...raftCases, ...logCases];
  for (const [name, bytes, encoded, decoded, message] of cases) {
    assert.equal(Buffer.from(encoded).toString("hex"), Buffer.from(bytes).toString("hex"), name);
    assert.deepEqual(decoded, message, name);
  }
  assert.deepEqual(cases.map(([name]) => name).sort(), Object.keys(ETCD_36).sort(), "every golden entry is looked at");
});

test("what etcd 3.7 leaves out is read as zero", () => {
  const sparse = <T>(name: string, codec: Codec<T>, fields: Partial<T>) => {
    assert.deepEqual(codec.decode(goldenBytes(ETCD_37, name)), codec.create(fields), name);
    return name;
  };
  const voters = raft.ConfState.create({ voters: [1n, BIG, OTHER] });
  const to = { to: BIG, from: OTHER };
  const names = [
    sparse("entry", raft.Entry, entry),
    sparse("entry noData", raft.Entry, { term: 3, index: 4 }),
    sparse("message empty", raft.Message, {}),
    sparse("message heartbeat", raft.Message, { type: MessageType.HEARTBEAT, ...to, term: 4, commit: 19 }),
    sparse("message app", raft.Message, {
      ...{ type: MessageType.APP, ...to, term: 3, logTerm: 2, index: 5, commit: 4 },
      entries: [entry],
    }),
    sparse("message snap", raft.Message, {
      ...{ type: MessageType.SNAP, ...to, term: 3 },
      snapshot: raft.Snapshot.create({ metadata: { confState: voters, index: 10000, term: 7 } }),
    }),
    sparse("hardState", raft.HardState, { commit: 3 }),
    sparse("confChange", raft.ConfChange, { type: raft.ConfChangeType.REMOVE_NODE, nodeId: BIG }),
    sparse("snapshot", raft.Snapshot, { data: utf8Bytes("d") }),
    sparse("walRecord", wal.Record, { data: utf8Bytes("x") }),
    sparse("walSnapshot", wal.Snapshot, { index: 3, term: 2 }),
    sparse("walMetadata", wal.Metadata, { nodeId: OTHER, clusterId: BIG }),
    sparse("snapFile", wal.SnapFile, { data: utf8Bytes("x") }),
  ];
  assert.deepEqual(names.sort(), Object.keys(ETCD_37).sort(), "every golden entry is looked at");
});

test("encodeInternal() puts a client's bytes into an entry as they are", () => {
  const around = (kind: InternalRequestKind, bytes: Uint8Array) =>
    Buffer.from(encodeInternal(header, kind, bytes)).toString("hex");
  assert.equal(around("put", PutRequest.encode(put)), ETCD_36["internal put"]);
  assert.equal(around("range", RangeRequest.encode(range)), ETCD_36["internal range"]);
  assert.equal(around("authEnable", new Uint8Array(0)), ETCD_36["internal authEnable"]);
  assert.deepEqual(InternalRaftRequest.decode(encodeInternal(RequestHeader.create(), "put", new Uint8Array(0))), {
    header: RequestHeader.create(),
    id: 0n,
    request: { kind: "put", value: PutRequest.create() },
  });
});

test("entrySize() is the number of bytes that the entry takes", () => {
  for (const [type, term, index, length] of [
    [0, 0, 0, 0],
    [1, 127, 128, 1],
    [-1, 2 ** 28 - 1, 2 ** 28, 127],
    [2 ** 31 - 1, 2 ** 35 - 1, 2 ** 35, 128],
    [0, 2 ** 42, 2 ** 49 - 1, 16383],
    [0, 2 ** 53 - 1, 2 ** 49, 16384],
  ] as const) {
    const sized = { type, term, index, data: new Uint8Array(length) };
    assert.equal(raft.entrySize(sized), raft.Entry.encode(sized).length);
  }
});
