import assert from "node:assert/strict";
import { test } from "node:test";
import { MemoryBackend } from "../../test/simulation/world/backend.ts";
import { AlarmMember, AlarmType, ResponseHeader } from "../proto/etcdserverpb.ts";
import type { RaftStatus } from "../raft/status.ts";
import { memberStatus } from "./status.ts";

const BIG_ID = 0x8e9e_05c5_2164_694dn;

async function facts() {
  const backend = new MemoryBackend();
  backend.put("key", Uint8Array.of(1), new Uint8Array(500));
  await backend.commit();
  backend.delete("key", Uint8Array.of(1));
  return {
    header: ResponseHeader.create({ revision: 5 }),
    serverVersion: "3.7.3",
    storageVersion: "3.7.0",
    backend,
    raft: { leaderId: BIG_ID, commit: 12, term: 3, applied: 11 } as unknown as RaftStatus,
    alarms: [] as AlarmMember[],
    isLearner: false,
    quotaBytes: 1000 as number | undefined,
  };
}

test("a status tells versions, sizes, how far raft has come, and who leads", async () => {
  const { errors, header, downgradeInfo, ...status } = memberStatus(await facts());
  assert.deepEqual(
    { ...status },
    {
      version: "3.7.3",
      dbSize: 525,
      dbSizeInUse: 0,
      dbSizeQuota: 1000,
      leader: BIG_ID,
      raftIndex: 12,
      raftTerm: 3,
      raftAppliedIndex: 11,
      isLearner: false,
      storageVersion: "3.7.0",
    },
  );
  assert.equal(header?.revision, 5);
  assert.deepEqual({ ...downgradeInfo }, { enabled: false, targetVersion: "" });
  assert.deepEqual(errors, []);
});

test("its errors are a missing leader and every alarm", async () => {
  const alarms = [AlarmType.NOSPACE, AlarmType.CORRUPT, 7].map((alarm) =>
    AlarmMember.create({ memberId: BIG_ID, alarm }),
  );
  const given = await facts();
  const { errors, leader } = memberStatus({ ...given, alarms, raft: { ...given.raft, leaderId: 0n } });
  assert.equal(leader, 0n);
  assert.deepEqual(errors, [
    "etcdserver: no leader",
    `memberID:${BIG_ID} alarm:NOSPACE`,
    `memberID:${BIG_ID} alarm:CORRUPT`,
    `memberID:${BIG_ID} alarm:7`,
  ]);
});

test("no quota is a number below zero", async () => {
  assert.equal(memberStatus({ ...(await facts()), quotaBytes: undefined }).dbSizeQuota, -1);
});
