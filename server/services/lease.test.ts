import assert from "node:assert/strict";
import { test } from "node:test";
import { FakeMember } from "../../test/support/fake-member.ts";
import { RecordingOutlet, settle, TestCall } from "../../test/support/recording-outlet.ts";
import { EtcdError } from "../base/error.ts";
import {
  LeaseGrantRequest,
  LeaseKeepAliveRequest,
  LeaseKeepAliveResponse,
  LeaseLeasesRequest,
  LeaseRevokeRequest,
  LeaseTimeToLiveRequest,
} from "../proto/etcdserverpb.ts";
import { Lease } from "./lease.ts";

function open(): { member: FakeMember; lease: Lease } {
  const member = new FakeMember();
  member.leases.set(5n, { ttlSeconds: 60 });
  member.leases.set(-7n, { ttlSeconds: 10 });
  return { member, lease: new Lease(member) };
}

test("grant and revoke answer with a full header", async () => {
  const { lease } = open();
  const granted = await lease.leaseGrant(LeaseGrantRequest.create({ id: 9n, ttl: 30 }), new TestCall());
  assert.deepEqual([granted.id, granted.ttl, granted.header?.revision], [9n, 30, 1]);
  const revoked = await lease.leaseRevoke(LeaseRevokeRequest.create({ id: 9n }), new TestCall());
  assert.equal(revoked.header?.memberId, 0xa1n);
  await assert.rejects(lease.leaseRevoke(LeaseRevokeRequest.create({ id: 9n }), new TestCall()), {
    code: "LeaseNotFound",
  });
});

test("time to live of a lease that is not there is -1, and no error", async () => {
  const { lease } = open();
  const gone = await lease.leaseTimeToLive(LeaseTimeToLiveRequest.create({ id: 4n, keys: true }));
  assert.deepEqual([gone.id, gone.ttl, gone.grantedTtl, gone.keys], [4n, -1, 0, []]);
  assert.equal(gone.header?.revision, 1);
  const there = await lease.leaseTimeToLive(LeaseTimeToLiveRequest.create({ id: 5n }));
  assert.deepEqual([there.ttl, there.grantedTtl, there.keys], [59, 60, []]);
  const { keys } = await lease.leaseTimeToLive(LeaseTimeToLiveRequest.create({ id: 5n, keys: true }));
  assert.deepEqual(
    keys.map((key) => [...key]),
    [[0x61], [0x62, 0xff]],
  );
});

test("leases are listed in the lessor's order", async () => {
  const { lease } = open();
  const { leases } = await lease.leaseLeases(LeaseLeasesRequest.create(), new TestCall());
  assert.deepEqual(leases, [{ id: 5n }, { id: -7n }]);
});

test("keepalives are answered one by one, 0 seconds for a lease that is gone", async () => {
  const { lease } = open();
  const outlet = new RecordingOutlet(LeaseKeepAliveResponse);
  const inlet = lease.leaseKeepAlive(new TestCall(), outlet);
  for (const id of [5n, 404n, -7n]) await inlet.message(LeaseKeepAliveRequest.create({ id }));
  assert.deepEqual(
    outlet.messages.map(({ id, ttl }) => [id, ttl]),
    [
      [5n, 60],
      [404n, 0],
      [-7n, 10],
    ],
  );
  inlet.halfClose();
  assert.ok(outlet.ended);
});

test("the header of a keepalive is older than the renewal", async () => {
  const { member, lease } = open();
  const outlet = new RecordingOutlet(LeaseKeepAliveResponse);
  member.instead.set("leaseRenew", async () => {
    member.revision = 99;
    return undefined as never;
  });
  await lease.leaseKeepAlive(new TestCall(), outlet).message(LeaseKeepAliveRequest.create({ id: 5n }));
  assert.equal(outlet.messages[0]?.header?.revision, 1);
});

test("another refusal ends the stream, and a slow reader holds the next request back", async () => {
  const { member, lease } = open();
  const outlet = new RecordingOutlet(LeaseKeepAliveResponse);
  const inlet = lease.leaseKeepAlive(new TestCall(), outlet);
  outlet.room = false;
  let read = false;
  void (inlet.message(LeaseKeepAliveRequest.create({ id: 5n })) as Promise<void>).then(() => {
    read = true;
  });
  await settle();
  assert.equal(read, false);
  outlet.drain();
  await settle();
  assert.equal(read, true);
  member.instead.set("leaseRenew", () => Promise.reject(new EtcdError("NotPrimaryLessor")));
  await assert.rejects(inlet.message(LeaseKeepAliveRequest.create({ id: 5n })) as Promise<void>, {
    code: "NotPrimaryLessor",
  });
});
