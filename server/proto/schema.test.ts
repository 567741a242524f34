import assert from "node:assert/strict";
import { test } from "node:test";
import { ENUMS, MESSAGES, METHODS } from "../../test/support/etcd-schema.ts";
import { CODECS, propertyName, randomMessage, referenceBytes } from "../../test/support/reference-protobuf.ts";
import { Prng } from "../base/prng.ts";
import { PermissionType } from "./authpb.ts";
import * as pb from "./etcdserverpb.ts";
import { ServingStatus } from "./healthpb.ts";
import { EventType } from "./mvccpb.ts";
import { ConfChangeTransition, ConfChangeType, EntryType, MessageType } from "./raftpb.ts";
import { SERVICES, type ServiceDefinition } from "./services.ts";

const ROUNDS = Number(process.env["ROUNDS"] ?? 25);

test("every message of etcd has a codec, and there is no codec for anything else", () => {
  assert.deepEqual([...CODECS.keys()].sort(), [...MESSAGES.keys()].sort());
});

test("a random message encodes to the very bytes that protobufjs makes, and decodes back from them", () => {
  const seed = Number(process.env["SEED"] ?? Math.floor(Math.random() * 2 ** 32));
  const prng = new Prng(seed);
  for (const [name, codec] of CODECS) {
    for (let round = 0; round < ROUNDS; round++) {
      const message = randomMessage(name, prng);
      const where = `${name}, round ${round}, SEED=${seed}`;
      const bytes = referenceBytes(name, message);
      assert.deepEqual(Buffer.from(codec.encode(message)), Buffer.from(bytes), `encode ${where}`);
      assert.deepEqual(codec.decode(bytes), message, `decode ${where}`);
      assert.deepEqual(codec.decode(Buffer.from(bytes)), message, `decode a Buffer ${where}`);
    }
  }
});

test("create() gives every field of a message its default", () => {
  for (const [name, codec] of CODECS) {
    assert.deepEqual(codec.create(), codec.decode(new Uint8Array(0)), name);
    const values = Object.values(codec.create());
    for (const value of values.filter(Array.isArray)) assert.deepEqual(value, [], name);
    assert.notEqual(codec.create(), codec.create(), name);
  }
});

test("the enums have etcd's numbers", () => {
  const ours: Record<string, Readonly<Record<string, number>>> = {
    "authpb.Permission.Type": PermissionType,
    "etcdserverpb.AlarmRequest.AlarmAction": pb.AlarmAction,
    "etcdserverpb.AlarmType": pb.AlarmType,
    "etcdserverpb.Compare.CompareResult": pb.CompareResult,
    "etcdserverpb.Compare.CompareTarget": pb.CompareTarget,
    "etcdserverpb.DowngradeRequest.DowngradeAction": pb.DowngradeAction,
    "etcdserverpb.RangeRequest.SortOrder": pb.SortOrder,
    "etcdserverpb.RangeRequest.SortTarget": pb.SortTarget,
    "etcdserverpb.WatchCreateRequest.FilterType": pb.FilterType,
    "grpc.health.v1.HealthCheckResponse.ServingStatus": ServingStatus,
    "mvccpb.Event.EventType": EventType,
    "raftpb.ConfChangeTransition": ConfChangeTransition,
    "raftpb.ConfChangeType": ConfChangeType,
    "raftpb.EntryType": EntryType,
    "raftpb.MessageType": MessageType,
  };
  assert.deepEqual(Object.keys(ours).sort(), [...ENUMS.keys()].sort());
  for (const [name, table] of Object.entries(ours)) {
    assert.deepEqual(Object.values(table), Object.values(ENUMS.get(name) ?? {}), name);
    // raft's Go names carry a prefix and are not in capitals: MsgAppResp is our APP_RESP
    const prefix = /^(Msg|Entry|ConfChangeTransition|ConfChange)(?=[A-Z][a-z])/;
    const plain = (key: string) => key.replace(name.startsWith("raftpb.") ? prefix : /^$/, "").replaceAll("_", "");
    const names = Object.keys(ENUMS.get(name) ?? {}).map((key) => plain(key).toUpperCase());
    if (name !== "raftpb.EntryType")
      assert.deepEqual(
        Object.keys(table).map((key) => key.replaceAll("_", "")),
        names,
      );
  }
});

test("every method of etcd's services is in SERVICES, with its path, kind and messages", () => {
  const ours = Object.values(SERVICES).flatMap((service: ServiceDefinition) =>
    Object.entries(service.methods).map(([key, method]) => {
      assert.equal(key, propertyName(method.name).replace("KV", "Kv"), method.path);
      assert.equal(method.path, `/${service.name}/${method.name}`);
      return [service.name, method.name, method.kind, method.request.typeName, method.response.typeName].join(" ");
    }),
  );
  const theirs = METHODS.map(({ service, name, kind, request, response }) =>
    [service, name, kind, request, response].join(" "),
  );
  assert.deepEqual(ours.sort(), theirs.sort());
});
