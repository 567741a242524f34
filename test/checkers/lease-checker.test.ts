/** The lease checker passes leases that end in their time, and names keys that go too early or stay too long. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { Prng } from "../../server/base/prng.ts";
import type { Lost } from "./explanations.ts";
import { answering, type GoodHistory, goodHistory, LEASE_SLACK_MS, put, range, replaced } from "./generator.ts";
import { assertRight, type Operation } from "./history.ts";
import { checkLeases } from "./lease-checker.ts";
import { checkRevisionOrder } from "./revision-order.ts";
import { isAnswered } from "./time-order.ts";

const SEEDS = Array.from({ length: 20 }, (_, seed) => seed);
const LATE_MS = LEASE_SLACK_MS + 50;
const TTL_MS = 2000;

test("leases that end in their time pass, with renewals, revocations and calls without an answer", () => {
  let ends = 0;
  for (const seed of SEEDS) {
    const good = history(seed);
    const report = checkRevisionOrder(good.operations, { log: good.log });
    ends += report.leaseEnds.filter(({ revokedBy }) => revokedBy === undefined).length;
    assertRight(checkLeases(good.operations, { ends: report.leaseEnds, lateMs: LATE_MS }));
  }
  assert.ok(ends >= 10, `only ${ends} leases ended by themselves`);
});

test("each change of leader gives a lease its time anew, and nothing else does", () => {
  const operations = [
    call(
      1,
      0,
      10,
      { kind: "grant", lease: 7n, ttlSeconds: 2 },
      { kind: "done", revision: 1, result: { kind: "grant", ttlSeconds: 2 } },
    ),
    seen(2, 4000, 7n),
  ];
  const options = { ends: [], lateMs: 100 };
  assertRight(checkLeases(operations, { ...options, leaderChangesMs: [2050] }));
  for (const leaderChangesMs of [[], [2500], [1000]])
    assert.throws(
      () => assertRight(checkLeases(operations, { ...options, leaderChangesMs })),
      /gone too late: #2 of .*lease 7 had to end by/,
    );
});

test("a clock that may run ahead makes an early end legal by as much", () => {
  const operations = [
    call(
      1,
      0,
      10,
      { kind: "grant", lease: 7n, ttlSeconds: 2 },
      { kind: "done", revision: 1, result: { kind: "grant", ttlSeconds: 2 } },
    ),
    call(2, 1850, 1900, range("x"), {
      kind: "done",
      revision: 3,
      result: { kind: "range", kvs: [], more: false, count: 0 },
    }),
  ];
  const ends: Lost[] = [{ revision: 3, lease: 7n, revokedBy: undefined }];
  assertRight(checkLeases(operations, { ends, lateMs: 100, driftMs: 200 }));
  assert.throws(
    () => assertRight(checkLeases(operations, { ends, lateMs: 100 })),
    /lost too early: lease 7 ended at revision 3, which was seen at 1900 ms; by #1 of .* it lived until 2000 ms/,
  );
});

test("what some server had is known before anybody is told, and a fast clock takes its share of a TTL", () => {
  const operations = [
    call(
      1,
      0,
      10,
      { kind: "grant", lease: 7n, ttlSeconds: 2 },
      { kind: "done", revision: 1, result: { kind: "grant", ttlSeconds: 2 } },
    ),
  ];
  const ends: Lost[] = [{ revision: 3, lease: 7n, revokedBy: undefined }];
  const verdictAt = (atMs: number, rateMax: number) =>
    checkLeases(operations, {
      ends,
      lateMs: 100,
      rateMax,
      appliedMs: (revision) => (revision === 3 ? atMs : undefined),
    });
  assertRight(verdictAt(2000, 1));
  assertRight(verdictAt(1000, 2));
  for (const verdict of [verdictAt(1999, 1), verdictAt(999, 2)])
    assert.throws(() => assertRight(verdict), /lost too early: lease 7 ended at revision 3/);
  assertRight(checkLeases(operations, { ends, lateMs: 100 }));
});

type Mistake = (good: GoodHistory, ends: readonly Lost[], random: Prng) => Planted | undefined;
interface Planted {
  readonly operations: readonly Operation[];
  readonly ends?: readonly Lost[];
  readonly message: RegExp;
}

const MISTAKES: Readonly<Record<string, Mistake>> = {
  "a key that is lost before its time": ({ operations, leaseEnds }, ends, random) => {
    const end = pick(expired(ends, operations), random);
    const atMs = leaseEnds.find(({ revision }) => revision === end?.revision)?.atMs;
    if (end === undefined || atMs === undefined) return undefined;
    // It had been renewed just before.
    const renewal = renew(atMs - 50, atMs - 1, end.lease, 2);
    return {
      operations: [...operations, renewal],
      message: new RegExp(
        `lost too early: lease ${end.lease} ended at revision ${end.revision}, .*#1000000 of .*renew`,
      ),
    };
  },
  "a key that stays too long": ({ operations, endMs }, _, random) => {
    const grant = pick(
      operations.filter((one) => isAcknowledged(one, "grant") && one.calledMs + TTL_MS * 3 < endMs),
      random,
    );
    if (grant?.request.kind !== "grant") return undefined;
    const { lease } = grant.request;
    const isRenewed = (one: Operation) => one.request.kind === "renew" && one.request.lease === lease;
    const operation = seen(1_000_000, grant.returnedMs + TTL_MS + LATE_MS + 1, lease);
    return {
      operations: [...operations.filter((one) => !isRenewed(one)), operation],
      ends: [],
      message: new RegExp(
        `gone too late: #1000000 of .*lease ${lease} had to end by .*last renewal was #${grant.id} of`,
      ),
    };
  },
  "a renewal of a lease that is dead": ({ operations, endMs }, ends, random) => {
    const end = pick(expired(ends, operations), random);
    if (end === undefined) return undefined;
    const message = new RegExp(
      `dead lease renewed: #1000000 of .*lease ${end.lease} .*ended at revision ${end.revision}`,
    );
    return { operations: [...operations, renew(endMs + 1, endMs + 2, end.lease, 2)], message };
  },
  "a key that is put on a dead lease": ({ operations, endMs, log }, ends, random) => {
    const end = pick(expired(ends, operations), random);
    if (end === undefined) return undefined;
    const answer = { kind: "done", revision: log.last + 1, result: { kind: "put", prevKv: undefined } } as const;
    const late = call(1_000_000, endMs + 1, endMs + 2, put("k1", "late", { lease: end.lease }), answer);
    return {
      operations: [...operations, late],
      message: new RegExp(`key on a dead lease: #1000000 of .*lease ${end.lease} had ended`),
    };
  },
  "a put that is refused on a living lease": ({ operations }, _, random) => {
    const grant = pick(
      operations.filter((one) => isAcknowledged(one, "grant") && !isRevoked(operations, one)),
      random,
    );
    if (grant?.request.kind !== "grant") return undefined;
    const request = put("k1", "early", { lease: grant.request.lease });
    const denied = call(1_000_000, grant.returnedMs + 1, grant.returnedMs + 2, request, {
      kind: "refused",
      why: "lease not found",
    });
    return {
      operations: [...operations, denied],
      message: new RegExp(`living lease denied: #1000000 of .*, but by #\\d+ of .*lease ${grant.request.lease}`),
    };
  },
  "a renewal that finds no living lease": ({ operations }, _, random) => {
    const grant = pick(
      operations.filter((one) => isAcknowledged(one, "grant") && !isRevoked(operations, one)),
      random,
    );
    if (grant?.request.kind !== "grant") return undefined;
    const denied = renew(grant.returnedMs + 1, grant.returnedMs + 2, grant.request.lease, 0);
    return { operations: [...operations, denied], message: /living lease denied: #1000000 of .*renew lease/ };
  },
  "a renewal that gives another time": ({ operations }, _, random) => {
    const renewal = pick(
      operations.filter((one) => isAcknowledged(one, "renew")),
      random,
    );
    if (renewal === undefined) return undefined;
    const bad = replaced(operations, renewal.id, answering(renewal, { kind: "renew", ttlSeconds: 1 }));
    return {
      operations: bad,
      message: new RegExp(`other TTL: #${renewal.id} of .*TTL 1 s, but the lease was granted for 2 s: #`),
    };
  },
  "a grant of less than was asked for": ({ operations }, _, random) => {
    const grant = pick(
      operations.filter((one) => isAcknowledged(one, "grant")),
      random,
    );
    if (grant === undefined) return undefined;
    const bad = replaced(operations, grant.id, answering(grant, { kind: "grant", ttlSeconds: 1 }));
    return { operations: bad, message: new RegExp(`short TTL: #${grant.id} of .*for 2 s .*TTL 1 s was given less`) };
  },
};

for (const [name, mistake] of Object.entries(MISTAKES))
  test(`caught from every seed: ${name}`, () => {
    let planted = 0;
    for (const seed of SEEDS) {
      const good = history(seed);
      const ends = checkRevisionOrder(good.operations, { log: good.log }).leaseEnds;
      const bad = mistake(good, ends, new Prng(seed));
      if (bad === undefined) continue;
      planted++;
      const verdict = checkLeases(bad.operations, { ends: bad.ends ?? ends, lateMs: LATE_MS });
      const texts = verdict.verdict === "wrong" ? verdict.violations.map(({ text }) => text) : [];
      assert.ok(
        texts.some((text) => bad.message.test(text)),
        `seed ${seed}: ${bad.message} in\n${texts.join("\n") || verdict.verdict}`,
      );
    }
    assert.ok(planted >= 5, `only ${planted} histories had a place for it`);
  });

function history(seed: number): GoodHistory {
  return goodHistory({ seed, operations: 1500, clients: 3, keys: 100, unknown: 0.02 });
}

/** Leases that ended by themselves, which somebody saw. */
function expired(ends: readonly Lost[], operations: readonly Operation[]): Lost[] {
  const seenTo = Math.max(...operations.filter(isAnswered).map(({ answer }) => answer.revision));
  return ends.filter(({ revokedBy, revision }) => revokedBy === undefined && revision <= seenTo);
}

function isAcknowledged({ request, answer }: Operation, kind: "grant" | "renew"): boolean {
  const isLiving = answer?.kind === "done" && !(answer.result.kind === "renew" && answer.result.ttlSeconds === 0);
  return request.kind === kind && isLiving;
}

function isRevoked(operations: readonly Operation[], { request: grant }: Operation): boolean {
  return operations.some(
    ({ request }) => request.kind === "revoke" && grant.kind === "grant" && request.lease === grant.lease,
  );
}

function call(
  id: number,
  calledMs: number,
  returnedMs: number,
  request: Operation["request"],
  answer: Operation["answer"],
): Operation {
  return { id, client: "client x", calledMs, returnedMs, request, answer };
}

function renew(calledMs: number, returnedMs: number, lease: bigint, ttlSeconds: number): Operation {
  return call(
    1_000_000,
    calledMs,
    returnedMs,
    { kind: "renew", lease },
    { kind: "done", revision: 1, result: { kind: "renew", ttlSeconds } },
  );
}

/** A read that sees a key on the lease. */
function seen(id: number, atMs: number, lease: bigint): Operation {
  const kv = { key: "k1", value: "old", createRevision: 2, modRevision: 2, version: 1, lease };
  return call(id, atMs, atMs + 1, range("k1"), {
    kind: "done",
    revision: 2,
    result: { kind: "range", kvs: [kv], more: false, count: 1 },
  });
}

function pick<T>(items: readonly T[], random: Prng): T | undefined {
  return items.length === 0 ? undefined : random.pick(items);
}
