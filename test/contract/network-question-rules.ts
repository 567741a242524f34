/** The contract of the network on questions: what is answered, and as what a refusal arrives. */
import assert from "node:assert/strict";
import { utf8Bytes } from "../../server/base/bytes.ts";
import { type ErrorCode, EtcdError, WorldError } from "../../server/base/error.ts";
import type { AnswerTable, QuestionKind, Questions } from "../../server/ports/network.ts";
import { type NetworkWorld, NOBODY, type Rules } from "./network-world.ts";

const WAIT_MS = 5000;
const BIG_ID = 2n ** 64n - 1n;

const MEMBERS = [
  { id: BIG_ID, name: "a", peerUrls: ["http://a:2380"], clientUrls: ["http://a:2379"], isLearner: false },
  { id: 12345678901234567890n, name: "", peerUrls: ["http://b:2380"], clientUrls: [], isLearner: true },
];

const ASKED: Questions = {
  version: undefined,
  members: undefined,
  downgradeEnabled: undefined,
  hashKv: { revision: 11 },
  leaseRenew: { id: -5n },
  leaseTimeToLive: { id: 2n ** 62n, keys: true },
  promote: { id: BIG_ID, token: "a token" },
};

/** Refusals that arrive as what they are. */
const KNOWN: Partial<Readonly<Record<QuestionKind, readonly ErrorCode[]>>> = {
  leaseRenew: ["LeaseNotFound", "NotPrimaryLessor", "Timeout"],
  leaseTimeToLive: ["LeaseNotFound", "NotPrimaryLessor", "Timeout"],
  hashKv: ["Compacted", "FutureRevision"],
  promote: ["MemberNotFound", "MemberNotLearner", "LearnerNotReady"],
};

/** One who asks, and one who answers so. */
async function asking(world: NetworkWorld, answers: Partial<AnswerTable>, clusterId?: bigint) {
  const one = await world.member(1n);
  const two = await world.member(2n, { answers, ...(clusterId === undefined ? {} : { clusterId }) });
  const ask = <K extends QuestionKind>(kind: K, urls: readonly string[] = [two.url], waitMs = WAIT_MS) =>
    world.come(one.network.ask(urls, kind, ASKED[kind], waitMs));
  return { one, two, ask };
}

const isCode = (code: ErrorCode) => (error: unknown) => error instanceof EtcdError && error.code === code;

export const QUESTION_RULES: Rules = {
  "answers of every kind arrive as they were given": async (world) => {
    const asked: unknown[] = [];
    const noting = <Q, A>(answer: A) => {
      return (question: Q): A => {
        asked.push(question);
        return answer;
      };
    };
    const version = { server: "3.7.3", cluster: "3.6.0", storage: "" };
    const hash = { revision: 12, hash: 4294967295, compactRevision: 3, hashRevision: 11 };
    const lease = { ttlSeconds: 5, grantedTtlSeconds: 9, keys: [utf8Bytes("a"), Uint8Array.of(0, 255)] };
    const { ask } = await asking(world, {
      version: noting(version),
      members: async () => ({ clusterId: 7n, members: MEMBERS }),
      downgradeEnabled: noting(true),
      hashKv: noting(hash),
      leaseRenew: noting(60),
      leaseTimeToLive: noting(lease),
      promote: noting(MEMBERS),
    });
    assert.deepEqual(await ask("version"), version);
    assert.deepEqual(await ask("members"), { clusterId: 0xc0ffeen, members: MEMBERS }); // the network knows the cluster
    assert.equal(await ask("downgradeEnabled"), true);
    assert.deepEqual(await ask("hashKv"), hash);
    assert.equal(await ask("leaseRenew"), 60);
    assert.deepEqual(await ask("leaseTimeToLive"), lease);
    assert.deepEqual(await ask("promote"), MEMBERS);
    const { hashKv, leaseRenew, leaseTimeToLive, promote } = ASKED;
    assert.deepEqual(asked, [undefined, undefined, hashKv, leaseRenew, leaseTimeToLive, promote]);
  },

  "refusals that are known arrive as what they are": async (world) => {
    let code: ErrorCode = "LeaseNotFound";
    const refuse = () => {
      throw new EtcdError(code);
    };
    const refuseLater = async () => refuse();
    const answers = { leaseRenew: refuse, leaseTimeToLive: refuseLater, hashKv: refuse, promote: refuseLater };
    const { ask } = await asking(world, answers);
    for (const [kind, codes] of Object.entries(KNOWN) as [QuestionKind, ErrorCode[]][])
      for (const one of codes) {
        code = one;
        await assert.rejects(ask(kind), isCode(code), `${kind} refused with ${code}`);
      }
  },

  "all other errors arrive as errors of the world, with their text": async (world) => {
    const { ask } = await asking(world, {
      version: () => {
        throw new EtcdError("NoLeader", "nobody leads");
      },
      hashKv: () => {
        throw new EtcdError("LeaseNotFound", "a code of other questions");
      },
      promote: () => Promise.reject(new Error("the disk is gone")),
    });
    const saying = (text: string) => (error: unknown) => error instanceof WorldError && error.message.includes(text);
    await assert.rejects(ask("version"), saying("nobody leads"));
    await assert.rejects(ask("hashKv"), saying("a code of other questions"));
    await assert.rejects(ask("promote"), saying("the disk is gone"));
  },

  "URLs are asked in turn until one answers": async (world) => {
    let asked = 0;
    const { two, ask } = await asking(world, {
      leaseRenew: () => {
        asked++;
        throw new EtcdError("LeaseNotFound");
      },
      downgradeEnabled: () => false,
    });
    assert.equal(await ask("downgradeEnabled", [NOBODY, two.url]), false);
    await assert.rejects(ask("leaseRenew", [NOBODY, two.url, two.url]), isCode("LeaseNotFound"));
    assert.equal(asked, 1);
    await assert.rejects(ask("downgradeEnabled", [NOBODY, NOBODY]), WorldError);
    await assert.rejects(ask("downgradeEnabled", []), WorldError);
  },

  "a member that does not answer in time is passed over": async (world) => {
    const { two, ask } = await asking(world, {
      version: () => new Promise(() => undefined),
      downgradeEnabled: () => true,
    });
    await assert.rejects(ask("version", [two.url], 100), WorldError);
    assert.equal(await ask("downgradeEnabled"), true);
  },

  "a hash is not told to a member of another cluster, and everything else is": async (world) => {
    const { ask } = await asking(
      world,
      { hashKv: () => assert.fail("it was asked"), downgradeEnabled: () => true },
      5n,
    );
    await assert.rejects(ask("hashKv"), isCode("ClusterIdMismatch"));
    assert.equal(await ask("downgradeEnabled"), true);
  },

  "questions under way when the network closes are broken off, and none are asked after it": async (world) => {
    let isAsked = false;
    const { one, ask } = await asking(world, {
      version: () => {
        isAsked = true;
        return new Promise(() => undefined);
      },
    });
    const asked = assert.rejects(ask("version"), WorldError);
    await world.until(() => isAsked, "it is asked");
    await world.come(one.network.close());
    await world.come(asked);
    await assert.rejects(ask("version"), WorldError);
  },

  "a member that is closed answers nothing": async (world) => {
    const { two, ask } = await asking(world, { downgradeEnabled: () => true });
    await world.come(two.network.close());
    await assert.rejects(ask("downgradeEnabled"), WorldError);
  },
};
