/** What members of ours ask each other, every kind, with its refusals. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { Door } from "../../test/support/raw-members.ts";
import { TransportMember } from "../../test/support/transport-member.ts";
import { utf8Bytes } from "../base/bytes.ts";
import { type ErrorCode, EtcdError, WorldError } from "../base/error.ts";
import type { AnswerTable, PromoteQuestion } from "../ports/network.ts";

const WAIT_MS = 5000;

async function withTwo(
  answers: Partial<AnswerTable>,
  body: (asking: TransportMember, url: string) => Promise<void>,
  clusterOfOther?: bigint,
): Promise<void> {
  const other = clusterOfOther === undefined ? {} : { clusterId: clusterOfOther };
  const [one, two] = [await TransportMember.start(1n), await TransportMember.start(2n, { answers, ...other })];
  try {
    await body(one, two.url);
  } finally {
    await Promise.all([one.close(), two.close()]);
  }
}

function refusing(code: ErrorCode): () => never {
  return () => {
    throw new EtcdError(code);
  };
}

const isCode = (code: ErrorCode) => (error: unknown) => error instanceof EtcdError && error.code === code;

test("answers arrive as they were given, with ids beyond 2^53", async () => {
  const members = [
    { id: 2n ** 64n - 1n, name: "a", peerUrls: ["http://a:2380"], clientUrls: ["http://a:2379"], isLearner: false },
    { id: 12345678901234567890n, name: "", peerUrls: ["http://b:2380"], clientUrls: [], isLearner: true },
  ];
  const asked: unknown[] = [];
  const answers: Partial<AnswerTable> = {
    version: () => ({ server: "3.7.3", cluster: "3.6.0", storage: "3.6.0" }),
    members: async () => ({ clusterId: 7n, members }),
    downgradeEnabled: () => true,
    hashKv: (question) => {
      asked.push(question);
      return { revision: 12, hash: 4294967295, compactRevision: 3, hashRevision: 11 };
    },
    leaseRenew: (question) => {
      asked.push(question);
      return 60;
    },
    leaseTimeToLive: (question) => {
      asked.push(question);
      return { ttlSeconds: 5, grantedTtlSeconds: 9, keys: [utf8Bytes("a"), Uint8Array.of(0, 255)] };
    },
    promote: (question: PromoteQuestion) => {
      asked.push(question);
      return members;
    },
  };
  await withTwo(answers, async ({ network }, url) => {
    assert.deepEqual(await network.ask([url], "version", undefined, WAIT_MS), answers.version?.(undefined));
    const found = await network.ask([url], "members", undefined, WAIT_MS);
    assert.deepEqual(found, { clusterId: 0xc0ffeen, members }); // the header says the cluster
    assert.equal(await network.ask([url], "downgradeEnabled", undefined, WAIT_MS), true);
    const hash = await network.ask([url], "hashKv", { revision: 11 }, WAIT_MS);
    assert.deepEqual(hash, { revision: 12, hash: 4294967295, compactRevision: 3, hashRevision: 11 });
    assert.equal(await network.ask([url], "leaseRenew", { id: -5n }, WAIT_MS), 60);
    const lease = await network.ask([url], "leaseTimeToLive", { id: 2n ** 62n, keys: true }, WAIT_MS);
    assert.deepEqual(lease, { ttlSeconds: 5, grantedTtlSeconds: 9, keys: [utf8Bytes("a"), Uint8Array.of(0, 255)] });
    const promotion = { id: 2n ** 64n - 1n, token: "a token" };
    assert.deepEqual(await network.ask([url], "promote", promotion, WAIT_MS), members);
    assert.deepEqual(asked, [{ revision: 11 }, { id: -5n }, { id: 2n ** 62n, keys: true }, promotion]);
  });
});

test("refusals arrive as what they are", async () => {
  const cases = [
    ["leaseRenew", "LeaseNotFound"],
    ["leaseRenew", "NotPrimaryLessor"],
    ["leaseRenew", "Timeout"],
    ["leaseTimeToLive", "LeaseNotFound"],
    ["leaseTimeToLive", "NotPrimaryLessor"],
    ["leaseTimeToLive", "Timeout"],
    ["hashKv", "Compacted"],
    ["hashKv", "FutureRevision"],
    ["promote", "MemberNotFound"],
    ["promote", "MemberNotLearner"],
    ["promote", "LearnerNotReady"],
  ] as const;
  for (const [kind, code] of cases) {
    await withTwo({ [kind]: refusing(code) }, async ({ network }, url) => {
      const question = { id: 1n, keys: false, revision: 0, token: "" };
      await assert.rejects(network.ask([url], kind, question, WAIT_MS), isCode(code), `${kind} ${code}`);
    });
  }
});

test("another cluster refuses to hash", async () => {
  const answers = { hashKv: () => ({ revision: 1, hash: 1, compactRevision: 0, hashRevision: 0 }) };
  await withTwo(
    answers,
    async ({ network }, url) => {
      await assert.rejects(network.ask([url], "hashKv", { revision: 0 }, WAIT_MS), isCode("ClusterIdMismatch"));
    },
    5n,
  );
});

test("one who does not answer is asked at its next URL; when none does, the failure says so", async () => {
  const answers = { downgradeEnabled: () => true };
  await withTwo(answers, async ({ network }, url) => {
    assert.equal(await network.ask(["http://127.0.0.1:1", url], "downgradeEnabled", undefined, WAIT_MS), true);
    await assert.rejects(
      network.ask(["http://127.0.0.1:1"], "downgradeEnabled", undefined, WAIT_MS),
      (error: unknown) => error instanceof WorldError && /ask a member at .*ECONNREFUSED/.test(error.message),
    );
    await assert.rejects(network.ask([], "members", undefined, WAIT_MS), /it has no peer URL/);
  });
});

test("an answer that does not come, and one that makes no sense, are failures of the world", async () => {
  const never = new Promise<boolean>(() => undefined);
  await withTwo({ downgradeEnabled: () => never }, async ({ network }, url) => {
    await assert.rejects(network.ask([url], "downgradeEnabled", undefined, 200), /no answer within 200 ms|for 200 ms/);
    await assert.rejects(network.ask([url], "version", undefined, WAIT_MS), /status 500: not asked here/);
  });
});

test("a connection that was kept open and died is replaced", async () => {
  const [one, two] = [
    await TransportMember.start(1n),
    await TransportMember.start(2n, { answers: { downgradeEnabled: () => false } }),
  ];
  const door = await Door.open(Number(new URL(two.url).port));
  try {
    for (let n = 0; n < 5; n++) {
      assert.equal(await one.network.ask([door.url], "downgradeEnabled", undefined, WAIT_MS), false);
      door.cut();
      door.mend();
    }
  } finally {
    await Promise.all([one.close(), two.close()]);
    await door.close();
  }
});
