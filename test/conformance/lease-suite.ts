/** Leases (etcd-contract section 8): granting, renewing, what they say of themselves, and what goes with them. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { utf8Text } from "../../server/base/bytes.ts";
import { SERVICES } from "../../server/proto/services.ts";
import { put } from "./operations.ts";
import { refusal, revisionOf, statusText } from "./store.ts";
import { aloneTest, suite } from "./target.ts";
import { Watching } from "./watching.ts";

const NOT_FOUND = "NotFound etcdserver: requested lease not found";

/** Elections of half a second make one second the shortest time of a lease. */
const FLAGS = ["--heartbeat-interval=50", "--election-timeout=500"];

export const leaseSuite = suite("Lease", FLAGS, (store) => {
  test("a grant answers id and time; without an id the server chooses a positive one", async () => {
    const revision = await store.revision();
    const given = await store.grant(1n, 600);
    assert.deepEqual([given.id, given.ttl, given.error, revisionOf(given)], [1n, 600, "", revision]);
    const [left, right] = [await store.grant(0n, 600), await store.grant(0n, 600)];
    assert.ok(left.id > 0n && right.id > 0n && left.id !== right.id);
    for (const id of [left.id, right.id]) await store.revoke(id);
  });

  test("ids are any number of 64 bits but zero", async () => {
    for (const id of [-1n, 2n ** 63n - 1n, -(2n ** 63n)]) {
      assert.equal((await store.grant(id, 600)).id, id);
      await store.put("negative", "", { lease: id });
      assert.equal((await store.get("negative"))?.lease, id);
      await store.revoke(id);
    }
  });

  test("an id that is in use, and a time that is too long, are refused", async () => {
    assert.equal(await refusal(store.grant(1n, 600)), "FailedPrecondition etcdserver: lease already exists");
    const tooLong = "OutOfRange etcdserver: too large lease TTL";
    assert.equal(await refusal(store.grant(2n, 9_000_000_001)), tooLong);
    assert.equal(await refusal(store.grant(2n, Number.MAX_SAFE_INTEGER)), tooLong);
    assert.equal((await store.grant(2n, 9_000_000_000)).ttl, 9_000_000_000);
    await store.revoke(2n);
  });

  test("a time below the shortest is raised to it", async () => {
    for (const ttl of [1, 0, -1, -(2 ** 40)]) {
      assert.equal((await store.grant(3n, ttl)).ttl, 1);
      await store.revoke(3n);
    }
  });

  test("what is not there cannot be revoked", async () => {
    for (const id of [404n, 0n, -5n]) assert.equal(await refusal(store.revoke(id)), NOT_FOUND);
  });

  test("a revoke takes the lease's keys along, in one revision and in their order", async () => {
    const lease = await store.lease();
    for (const key of ["k/b", "k/c", "k/a"]) await store.put(key, "", { lease });
    const watching = new Watching(store.client);
    await watching.create("k/", { rangeEnd: "k0" });
    const before = await store.revision();
    assert.equal(revisionOf(await store.revoke(lease)), before + 1);
    const expected = ["a", "b", "c"].map((key) => `delete k/${key} @${before + 1}`);
    assert.deepEqual(await watching.events(3), expected);
    assert.equal((await store.range("k/", { rangeEnd: "k0" })).count, 0);
    await watching.close();
  });

  test("a revoke without keys changes no revision", async () => {
    const lease = await store.lease();
    const before = await store.revision();
    assert.equal(revisionOf(await store.revoke(lease)), before);
  });

  test("a renewal gives the full time; of a lease that is not there it is 0, and no error", async () => {
    const lease = await store.lease();
    assert.deepEqual(await store.renew(lease, 404n, lease, 0n), [3600, 0, 3600, 0]);
    await store.revoke(lease);
    assert.deepEqual(await store.renew(lease), [0]);
  });

  test("a stream of renewals ends when its client has said all", async () => {
    const lease = await store.lease();
    const stream = store.client.bidi(SERVICES.lease.methods.leaseKeepAlive);
    for (let at = 0; at < 3; at++) stream.send({ id: lease });
    stream.halfClose();
    const answers = await stream.all();
    const { header } = await store.status();
    assert.deepEqual(
      answers.map(({ ttl }) => ttl),
      [3600, 3600, 3600],
    );
    for (const answer of answers) assert.deepEqual(answer.header, { ...header, revision: revisionOf(answer) });
    assert.equal(statusText(await stream.status), "OK");
    await store.revoke(lease);
  });

  test("a lease tells its times and, when asked, its keys; one that is not there has -1", async () => {
    const lease = await store.lease();
    await store.put("t/a", "", { lease });
    await store.put("t/b", "", { lease });
    const short = await store.timeToLive(lease);
    assert.deepEqual([short.id, short.grantedTtl, short.keys], [lease, 3600, []]);
    assert.ok(short.ttl > 3590 && short.ttl <= 3600, `${short.ttl} s are left`);
    const { keys } = await store.timeToLive(lease, true);
    assert.deepEqual(keys.map(utf8Text).sort(), ["t/a", "t/b"]);
    const none = await store.timeToLive(404n, true);
    assert.deepEqual([none.id, none.ttl, none.grantedTtl, none.keys], [404n, -1, 0, []]);
    assert.equal(revisionOf(none), await store.revision());
  });

  aloneTest("all leases are listed, those that end first in front", async () => {
    await store.grant(21n, 3000);
    await store.grant(22n, 1000);
    await store.grant(23n, 2000);
    const mine = (await store.leases()).filter((id) => id >= 21n && id <= 23n);
    assert.deepEqual(mine, [22n, 23n, 21n]);
    for (const id of mine) await store.revoke(id);
    assert.deepEqual(
      (await store.leases()).filter((id) => id >= 21n && id <= 23n),
      [],
    );
  });

  test("a key belongs to the lease of its last put", async () => {
    const [one, two] = [await store.lease(), await store.lease()];
    const keys = async (id: bigint) => (await store.timeToLive(id, true)).keys.map(utf8Text);
    await store.put("m/k", "", { lease: one });
    await store.put("m/k", "", { lease: two });
    assert.deepEqual([await keys(one), await keys(two)], [[], ["m/k"]]);
    await store.revoke(one);
    assert.equal((await store.get("m/k"))?.lease, two);
    await store.put("m/k");
    assert.deepEqual([await keys(two), (await store.get("m/k"))?.lease], [[], 0n]);
    await store.put("m/k", "", { lease: two });
    await store.delete("m/k");
    assert.deepEqual(await keys(two), []);
    await store.put("m/k");
    await store.revoke(two);
    assert.equal((await store.get("m/k"))?.version, 1);
  });

  test("a put with a lease that is not there is refused, alone and inside", async () => {
    assert.equal(await refusal(store.put("n/k", "", { lease: 404n })), NOT_FOUND);
    assert.equal(await refusal(store.together(put("n/k", "", { lease: 404n }))), NOT_FOUND);
    assert.equal(await store.get("n/k"), undefined);
  });

  // They wait most of the time, and so side by side.
  describe("as time goes by", { concurrency: true }, () => {
    test("a lease that is not renewed ends, not before its time, and its keys go in one revision", async () => {
      const watching = new Watching(store.client);
      await watching.create("e/", { rangeEnd: "e0" });
      const start = Date.now();
      const { id } = await store.grant(31n, 1);
      for (const key of ["e/b", "e/a"]) await store.put(key, "", { lease: id });
      await watching.events(2);
      const told = await watching.events(2);
      assert.deepEqual(
        told.map((text) => text.replace(/@\d+/, "")),
        ["delete e/a ", "delete e/b "],
      );
      assert.equal(told[0]?.split("@")[1], told[1]?.split("@")[1], "one revision");
      const lived = Date.now() - start;
      assert.ok(lived >= 1000 && lived < 4000, `${lived} ms`);
      assert.equal((await store.timeToLive(id)).ttl, -1);
      assert.deepEqual(await store.renew(id), [0]);
      assert.equal(await refusal(store.revoke(id)), NOT_FOUND);
      await watching.close();
    });

    test("a lease that is renewed in time lives on", async () => {
      const { id } = await store.grant(32n, 1);
      await store.put("alive", "", { lease: id });
      const end = Date.now() + 2000;
      while (Date.now() < end) {
        assert.deepEqual(await store.renew(id), [1]);
        await sleep(300);
      }
      assert.equal((await store.get("alive"))?.version, 1);
      await store.revoke(id);
    });

    test("hundreds of leases end together", async () => {
      const count = 200;
      const ids = Array.from({ length: count }, (_, at) => BigInt(10_000 + at));
      await Promise.all(ids.map((id) => store.grant(id, 1)));
      const end = Date.now() + 8000;
      const alive = async () => (await store.leases()).filter((id) => id >= 10_000n && id < 11_000n).length;
      while ((await alive()) > 0) {
        assert.ok(Date.now() < end, `${await alive()} of ${count} still live`);
        await sleep(100);
      }
    });
  });
});
