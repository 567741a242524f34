/** Alarms and the quota (etcd-contract section 9): what is refused while one is on, and how it goes. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { AlarmAction, AlarmType } from "../../server/proto/etcdserverpb.ts";
import { SERVICES } from "../../server/proto/services.ts";
import { compare, nested, put, range, remove } from "./operations.ts";
import { refusal, type Store } from "./store.ts";
import { aloneTest, suite } from "./target.ts";
import { Watching } from "./watching.ts";

const { GET, ACTIVATE, DEACTIVATE } = AlarmAction;
const { NONE, NOSPACE, CORRUPT } = AlarmType;
const NO_SPACE = "ResourceExhausted etcdserver: mvcc: database space exceeded";
const CORRUPTED = "DataLoss etcdserver: corrupt cluster";

export const alarmSuite = suite("Alarm", [], (store) => {
  test("there is none at first", async () => {
    assert.deepEqual(await store.alarm(GET), []);
  });

  test("one that is raised is listed, by all and by its kind, and told by the status", async () => {
    const { leader } = await store.status();
    const raised = [{ memberId: leader, alarm: NOSPACE }];
    assert.deepEqual(await store.alarm(ACTIVATE, NOSPACE, leader), raised);
    assert.deepEqual(await store.alarm(ACTIVATE, NOSPACE, leader), raised, "again");
    assert.deepEqual(await store.alarm(GET), raised);
    assert.deepEqual(await store.alarm(GET, NOSPACE), raised);
    assert.deepEqual(await store.alarm(GET, CORRUPT), []);
    const { errors } = await store.status();
    assert.deepEqual(
      errors.map((text) => text.replace(/ +/g, " ").trim()),
      [`memberID:${leader} alarm:NOSPACE`],
    );
  });

  test("without space nothing is put, all else goes on", async () => {
    assert.equal(await refusal(store.put("s/k")), NO_SPACE);
    assert.equal(await refusal(store.grant(1n, 600)), NO_SPACE);
    assert.equal(await refusal(store.together(put("s/k"))), NO_SPACE);
    assert.equal(await refusal(store.together(nested({ success: [put("s/k")] }))), NO_SPACE);
    assert.equal(
      await refusal(store.txn({ success: [range("s/k")], failure: [put("s/k")] })),
      NO_SPACE,
      "taken or not",
    );
    assert.equal(await refusal(store.together(remove("s/k"), range("s/k"))), "OK");
    assert.equal(await refusal(store.delete("s/k")), "OK");
    assert.equal((await store.range("s/k")).count, 0);
    assert.equal(await refusal(store.client.unary(SERVICES.maintenance.methods.defragment)), "OK");
    assert.equal(await refusal(store.compact(await store.revision())), "OK");
    assert.equal(await refusal(store.hashKv()), "OK");
  });

  test("an alarm is turned off by its member and kind, and by nothing less", async () => {
    const { leader } = await store.status();
    assert.deepEqual(await store.alarm(DEACTIVATE, NOSPACE, 0n), []);
    assert.deepEqual(await store.alarm(DEACTIVATE, NONE, leader), []);
    assert.deepEqual(await store.alarm(DEACTIVATE, CORRUPT, leader), []);
    assert.equal((await store.alarm(GET)).length, 1);
    assert.deepEqual(await store.alarm(DEACTIVATE, NOSPACE, leader), [{ memberId: leader, alarm: NOSPACE }]);
    assert.deepEqual(await store.alarm(GET), []);
    assert.deepEqual((await store.status()).errors, []);
    assert.equal(await refusal(store.put("s/k")), "OK");
  });

  test("while the cluster may be corrupt nothing goes through the log, ordinary reads go on", async () => {
    const { leader } = await store.status();
    await store.grant(5n, 600);
    await store.put("c/k", "v");
    await store.alarm(ACTIVATE, CORRUPT, leader);
    assert.equal(await refusal(store.put("c/k")), CORRUPTED);
    assert.equal(await refusal(store.delete("c/k")), CORRUPTED);
    assert.equal(await refusal(store.together(put("c/k"))), CORRUPTED);
    assert.equal(await refusal(store.together(nested({ success: [range("c/k")] }))), CORRUPTED);
    assert.equal(await refusal(store.compact(await store.revision())), CORRUPTED);
    assert.equal(await refusal(store.grant(6n, 600)), CORRUPTED);
    assert.equal(await refusal(store.revoke(5n)), CORRUPTED);
    assert.equal((await store.get("c/k"))?.value, "v");
    assert.equal((await store.get("c/k", { serializable: true }))?.value, "v");
    assert.equal(await refusal(store.together(range("c/k"))), "OK");
    assert.equal(await refusal(store.txn({ compare: [compare("c/k", "version", "=", 1)] })), "OK");
    assert.deepEqual(await store.renew(5n), [600]);
    assert.deepEqual(await store.alarm(DEACTIVATE, CORRUPT, leader), [{ memberId: leader, alarm: CORRUPT }]);
    assert.equal(await refusal(store.put("c/k")), "OK");
  });
});

/** A quota that a hundred values pass. */
const QUOTA_FLAGS = ["--quota-backend-bytes=2097152"];

export const quotaSuite = suite("Quota", QUOTA_FLAGS, (store) => {
  test("the status names the quota", async () => {
    assert.equal((await store.status()).dbSizeQuota, 2_097_152);
  });

  aloneTest(
    "a store that has grown over its quota raises the alarm, and refuses puts until there is room and it is off",
    async () => {
      const { leader } = await store.status();
      const value = "v".repeat(100_000);
      const watching = new Watching(store.client);
      await watching.create("q/", { rangeEnd: "q0" });
      assert.equal(await fill(store, value), NO_SPACE);
      assert.deepEqual(await store.alarm(GET), [{ memberId: leader, alarm: NOSPACE }]);
      assert.equal(await refusal(store.put("q/small")), NO_SPACE);
      assert.equal(await refusal(store.grant(1n, 600)), NO_SPACE);
      const { count } = await store.range("q/", { rangeEnd: "q0" });
      assert.ok(count > 5 && count < 60, `${count} values fit`);
      await watching.events(count);
      await watching.close();

      assert.equal((await store.delete("q/", { rangeEnd: "q0" })).deleted, count);
      await store.compact(await store.revision(), { physical: true });
      await store.client.unary(SERVICES.maintenance.methods.defragment);
      assert.ok((await store.status()).dbSize < 2_097_152);
      assert.equal(await refusal(store.put("q/small")), NO_SPACE, "still on");
      await store.alarm(DEACTIVATE, NOSPACE, leader);
      assert.equal(await refusal(store.put("q/small", value)), "OK");
      assert.deepEqual(await store.alarm(GET), []);
    },
  );

  aloneTest(
    "puts that come together may overrun the quota: those that are told so raise the alarm, and stand",
    async () => {
      const value = "v".repeat(100_000);
      const burst = Array.from({ length: 60 }, (_, at) => refusal(store.put(`burst/${at}`, value)));
      const statuses = await Promise.all(burst);
      const taken = statuses.filter((status) => status === "OK").length;
      const { count } = await store.range("burst/", { rangeEnd: "burst0", countOnly: true });
      assert.ok(count >= taken, `${count} of ${taken} are there`);
      if (taken === statuses.length) assert.equal(await fill(store, value), NO_SPACE); // the size was measured late
      assert.deepEqual(new Set(statuses), taken === 60 ? new Set(["OK"]) : new Set(["OK", NO_SPACE]));
      assert.deepEqual(
        (await store.alarm(GET)).map(({ alarm }) => alarm),
        [NOSPACE],
      );
    },
  );
});

/** Puts until one is refused; how. */
async function fill(store: Store, value: string): Promise<string> {
  for (let at = 0; at < 200; at++) {
    const status = await refusal(store.put(`q/${at}`, value));
    if (status !== "OK") return status;
  }
  return "OK";
}
