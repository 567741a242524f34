import assert from "node:assert/strict";
import { test } from "node:test";
import { FakeMember } from "../../test/support/fake-member.ts";
import { TestCall } from "../../test/support/recording-outlet.ts";
import { WorldError } from "../base/error.ts";
import {
  AlarmRequest,
  DefragmentRequest,
  HashKVRequest,
  HashRequest,
  MemberListRequest,
  StatusRequest,
} from "../proto/etcdserverpb.ts";
import { type AnyMethod, SERVICES } from "../proto/services.ts";
import { createServices } from "./services.ts";

const member = new FakeMember();
const services = createServices(member, { maxTxnOperations: 128, maxRequestBytes: 1000 });

test("the member list has ids and term in its header, and no revision", async () => {
  const list = await services.cluster.memberList(MemberListRequest.create({ linearizable: true }), new TestCall());
  assert.deepEqual(list.header, { clusterId: 0xc1n, memberId: 0xa1n, revision: 0, raftTerm: 3 });
  assert.deepEqual(list.members, [
    { id: 0xa1n, name: "one", peerUrls: ["http://p"], clientUrls: ["http://c"], isLearner: false },
  ]);
  assert.equal(member.seen.at(-1)?.request, true);
});

test("maintenance answers have a full header, but for defragment", async () => {
  const call = new TestCall();
  const { maintenance } = services;
  assert.equal((await maintenance.defragment(DefragmentRequest.create(), call)).header, undefined);
  assert.equal((await maintenance.alarm(AlarmRequest.create(), call)).header?.revision, 1);
  assert.equal((await maintenance.status(StatusRequest.create(), call)).version, "3.7.3");
  const hash = await maintenance.hash(HashRequest.create(), call);
  assert.deepEqual([hash.hash, hash.header?.revision], [0xffff_fffe, 1]);
  const hashKv = await maintenance.hashKv(HashKVRequest.create(), call);
  assert.deepEqual([hashKv.hash, hashKv.compactRevision, hashKv.hashRevision], [5, -1, 1]);
  await assert.rejects(async () => maintenance.hashKv(HashKVRequest.create({ revision: 9 }), call), {
    code: "FutureRevision",
  });
});

test("a defragmentation that the disk refuses is answered with the reason", async () => {
  class Full extends FakeMember {
    override defragment(): Promise<void> {
      return Promise.reject(new WorldError('defragment "x"', new Error("no space")));
    }
  }
  const { maintenance } = createServices(new Full(), { maxTxnOperations: 128, maxRequestBytes: 1000 });
  await assert.rejects(async () => maintenance.defragment(DefragmentRequest.create(), new TestCall()), {
    code: "DefragmentationFailed",
    detail: 'defragment "x": no space',
  });
});

test("every method of every service has a handler, and those to come say so", async () => {
  const later = new Set<string>();
  for (const [name, implementation] of Object.entries(services)) {
    const methods: Record<string, AnyMethod> = SERVICES[name as keyof typeof services].methods;
    for (const [key, { name: method, path }] of Object.entries(methods)) {
      const handler = (implementation as unknown as Record<string, unknown>)[key];
      assert.equal(typeof handler, "function", path);
      if (!["auth", "lock", "election"].includes(name)) continue;
      assert.throws(handler as () => void, { code: "Unimplemented", detail: `method ${method} not implemented` });
      later.add(path);
    }
  }
  assert.equal(later.size, 24);
  assert.throws(services.maintenance.downgrade as unknown as () => void, { code: "Unimplemented" });
});
