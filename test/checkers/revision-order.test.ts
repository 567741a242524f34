/** The revision-ordered check passes good histories and names what was changed in them. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { Prng } from "../../server/base/prng.ts";
import { answering, type GoodHistory, goodHistory, onlyKv, put, replaced } from "./generator.ts";
import { assertRight, type ChangeLog, type Operation, wrote } from "./history.ts";
import { checkRevisionOrder } from "./revision-order.ts";
import { isAnswered } from "./time-order.ts";

const SEEDS = Array.from({ length: 12 }, (_, seed) => seed);

test("good histories of all kinds of operations pass, with unknown operations, leases and compactions", () => {
  const seen = { unknown: 0, leaseEnds: 0, refused: 0, serializable: 0, old: 0, txns: 0 };
  for (const seed of SEEDS) {
    const { operations, log, leaseEnds } = goodHistory({ seed, operations: 1500, unknown: 0.05 });
    const report = checkRevisionOrder(operations, { log });
    assertRight(report.verdict);
    seen.unknown += operations.filter(({ answer }) => answer === undefined).length;
    seen.refused += operations.filter(({ answer }) => answer?.kind === "refused").length;
    seen.serializable += operations.filter(({ request }) => request.kind === "range" && request.serializable).length;
    seen.old += operations.filter(({ request, answer }) => oldRead(request) && answer?.kind === "done").length;
    seen.txns += operations.filter(({ request }) => request.kind === "txn").length;
    seen.leaseEnds += leaseEnds.length;
  }
  for (const [what, count] of Object.entries(seen)) assert.ok(count > 20, `${what}: only ${count}`);
});

test("without unknown operations and leases a history needs no log", () => {
  for (const seed of SEEDS) {
    const { operations } = goodHistory({ seed, operations: 400, mix: "plain" });
    assertRight(checkRevisionOrder(operations).verdict);
  }
});

test("a write without an answer and no log to show it is not decided", () => {
  const operations = [
    call({ id: 1, calledMs: 0, returnedMs: 1, request: put("a", "1"), answer: undefined }),
    call({ id: 2, calledMs: 2, returnedMs: 3, request: put("b", "2"), answer: putAt(3) }),
  ];
  const { verdict } = checkRevisionOrder(operations);
  assert.equal(verdict.verdict, "unknown");
  assert.throws(() => assertRight(verdict), /revision 2 belongs to a write without an answer: give the log/);
});

test("the only operation that explains a revision is not spent on another", () => {
  const unknown = (id: number, key: string, end: string) =>
    call({ id, calledMs: 4, returnedMs: 9, request: { kind: "delete", key, end, prevKv: false }, answer: undefined });
  const puts = ["a", "b"].map((key, at) =>
    call({ id: at + 1, calledMs: at, returnedMs: at + 0.5, request: put(key, "1"), answer: putAt(at + 2) }),
  );
  const log: ChangeLog = {
    first: 4,
    last: 5,
    isWhole: true,
    changes: new Map([
      [4, [{ kind: "delete", key: "a", revision: 4 }]],
      [5, [{ kind: "delete", key: "b", revision: 5 }]],
    ]),
  };
  // "a" alone explains 4 too, but "all" is tried first and is the only one for 5 as well.
  assertRight(checkRevisionOrder([...puts, unknown(3, "a", "b"), unknown(4, "a", "\0")], { log }).verdict);
  const two = checkRevisionOrder([...puts, unknown(3, "a", "b")], { log }).verdict;
  assert.throws(() => assertRight(two), /revision 5 of the log is \[delete "b"\]/);
});

test("a time that runs backwards and an id used twice are refused as no history", () => {
  const one = call({ id: 1, calledMs: 5, returnedMs: 4, request: put("a", "1"), answer: putAt(2) });
  assert.throws(() => checkRevisionOrder([one]), /#1 .* returned at 4 and was called at 5: record both times/);
  const two = { ...one, returnedMs: 6 };
  assert.throws(() => checkRevisionOrder([two, two]), /#1 is there twice/);
});

/** Each makes one mistake in a good history; the message must match. Undefined: this history has no place for it. */
type Mistake = (good: GoodHistory, random: Prng) => Planted | undefined;
interface Planted {
  readonly operations: readonly Operation[];
  readonly log?: ChangeLog;
  readonly message: RegExp;
}

const MISTAKES: Readonly<Record<string, Mistake>> = {
  "a stale read": ({ operations }, random) => {
    const reader = chosen(operations, random, (one) => {
      const kv = onlyKv(one);
      return (
        isPlainRead(one) && kv !== undefined && kv.version > 1 && returnedBefore(operations, one) >= kv.modRevision
      );
    });
    const kv = reader && onlyKv(reader);
    if (kv === undefined || reader === undefined) return undefined;
    const older = { kind: "range", kvs: [{ ...kv, value: "old" }], more: false, count: 1 } as const;
    return {
      operations: replaced(operations, reader.id, answering(reader, older, kv.modRevision - 1)),
      message: new RegExp(`stale read: #${reader.id} of .*had been answered before it was called: #\\d+`),
    };
  },
  "a wrong value": ({ operations }, random) => {
    const reader = chosen(operations, random, (one) => one.request.kind === "range" && onlyKv(one) !== undefined);
    const kv = reader && onlyKv(reader);
    if (reader?.answer?.kind !== "done" || reader.answer.result.kind !== "range" || kv === undefined) return undefined;
    const kvs = [{ ...kv, value: "foreign" }, ...reader.answer.result.kvs.slice(1)];
    return {
      operations: replaced(operations, reader.id, answering(reader, { ...reader.answer.result, kvs })),
      message: new RegExp(
        `wrong answer: #${reader.id} of .*"foreign".*at revision \\d+ it was \\["${kv.key}" = "${kv.value}"`,
      ),
    };
  },
  "a lost write": ({ operations, log }, random) => {
    const writer = chosen(operations, random, (one) => isAnswered(one) && wrote(one.answer.result));
    if (writer?.answer?.kind !== "done") return undefined;
    const { revision } = writer.answer;
    const changes = new Map([...log.changes].filter(([one]) => one !== revision));
    return { operations, log: { ...log, changes }, message: new RegExp(`lost write: #${writer.id} of .*is nothing`) };
  },
  "writes lost at the end": ({ operations, log }) => {
    const writer = operations.findLast((one) => isAnswered(one) && wrote(one.answer.result));
    if (writer?.answer?.kind !== "done") return undefined;
    const last = writer.answer.revision - 1;
    return {
      operations,
      log: { ...log, last },
      message: new RegExp(`lost write: #${writer.id} of .*the store ends at ${last}`),
    };
  },
  "two writes at one revision": ({ operations }, random) => {
    const [one, other] = twoOf(
      operations,
      random,
      (each) => each.request.kind === "put" && each.answer?.kind === "done",
    );
    if (one?.answer?.kind !== "done" || other?.answer?.kind !== "done") return undefined;
    return {
      operations: replaced(operations, one.id, { answer: { ...one.answer, revision: other.answer.revision } }),
      message: new RegExp(
        `two writes at one revision: #\\d+ .* and #\\d+ .* both acknowledged at ${other.answer.revision}`,
      ),
    };
  },
  "a change that nobody asked for": ({ operations, log }, random) => {
    const writer = chosen(
      operations,
      random,
      ({ request, answer }) => request.kind === "put" && answer?.kind === "done",
    );
    if (writer?.answer?.kind !== "done") return undefined;
    const { revision } = writer.answer;
    return {
      operations: replaced(operations, writer.id, { answer: { kind: "refused", why: "other" } }),
      message: new RegExp(
        `nobody asked for: revision ${revision} of the log is \\[put .*asked for by #${writer.id} of .*refused`,
      ),
      log,
    };
  },
  "one unknown operation that takes effect twice": ({ operations, log }, random) => {
    const [one, other] = twoOf(
      operations,
      random,
      ({ request, answer }) => request.kind === "put" && answer?.kind === "done",
    );
    if (one === undefined || other?.answer?.kind !== "done" || one.request.kind !== "put") return undefined;
    const { revision } = other.answer;
    return {
      operations: operations.filter(({ id }) => id !== other.id),
      log,
      message: new RegExp(`nobody asked for: revision ${revision} of the log is \\[put`),
    };
  },
  "a wrong branch": ({ operations }, random) => {
    const txn = chosen(
      operations,
      random,
      (one) => one.request.kind === "txn" && isAnswered(one) && !wrote(one.answer.result),
    );
    if (txn?.answer?.kind !== "done" || txn.answer.result.kind !== "txn" || txn.answer.result.succeeded)
      return undefined;
    return {
      operations: replaced(operations, txn.id, answering(txn, { ...txn.answer.result, succeeded: true })),
      message: new RegExp(`wrong answer: #${txn.id} of .*succeeded.*it was else`),
    };
  },
  "a wrong prev_kv": ({ operations }, random) => {
    const writer = chosen(operations, random, ({ answer }) => prevKvOf(answer) !== undefined);
    const before = prevKvOf(writer?.answer);
    if (writer === undefined || before === undefined) return undefined;
    const prevKv = { ...before, version: before.version + 1 };
    return {
      operations: replaced(operations, writer.id, answering(writer, { kind: "put", prevKv })),
      message: new RegExp(
        `wrong answer: #${writer.id} of .*version ${prevKv.version}.*by all that was written before it: .*version ${before.version}`,
      ),
    };
  },
  "a wrong count": ({ operations }, random) => {
    const reader = chosen(
      operations,
      random,
      ({ request, answer }) => request.kind === "range" && answer?.kind === "done",
    );
    if (reader?.answer?.kind !== "done" || reader.answer.result.kind !== "range") return undefined;
    const { count } = reader.answer.result;
    return {
      operations: replaced(operations, reader.id, answering(reader, { ...reader.answer.result, count: count + 1 })),
      message: new RegExp(`wrong answer: #${reader.id} of .*count ${count + 1}.*count ${count}`),
    };
  },
  "a key that outlives its lease's revocation": ({ operations, log }, random) => {
    const revoke = chosen(operations, random, ({ request, answer, id }) => {
      if (request.kind !== "put" || request.lease === 0n || answer?.kind !== "done") return false;
      return id > 10 && log.changes.has(answer.revision);
    });
    if (revoke?.request.kind !== "put" || revoke.answer?.kind !== "done") return undefined;
    const { lease } = revoke.request;
    const lie = call({
      id: 1_000_000,
      calledMs: revoke.calledMs,
      returnedMs: revoke.returnedMs,
      request: { kind: "revoke", lease },
      answer: { kind: "done", revision: revoke.answer.revision, result: { kind: "revoke" } },
    });
    return { operations: [...operations, lie], log, message: /key on a revoked lease: #1000000 of .*revoke lease \d+/ };
  },
  "a read of what is compacted": ({ operations }, random) => {
    const reader = chosen(operations, random, ({ request, answer }) => oldRead(request) && answer?.kind === "done");
    if (reader?.request.kind !== "range") return undefined;
    const compaction = call({
      id: 1_000_000,
      calledMs: reader.calledMs - 2,
      returnedMs: reader.calledMs - 1,
      request: { kind: "compact", revision: reader.request.revision + 1 },
      answer: { kind: "done", revision: 1, result: { kind: "compact" } },
    });
    return {
      operations: [...operations, compaction],
      message: new RegExp(`read of what is compacted: #${reader.id} of .*came after #1000000`),
    };
  },
  "a refusal without a compaction": ({ operations }, random) => {
    const reader = chosen(operations, random, ({ request, answer }) => oldRead(request) && answer?.kind === "done");
    if (reader?.request.kind !== "range") return undefined;
    const isAsked = operations.some(({ request }) => request.kind === "compact" && request.revision > 0);
    if (!isAsked) return undefined;
    const lone = operations.filter(({ request }) => request.kind !== "compact");
    return {
      operations: replaced(lone, reader.id, { answer: { kind: "refused", why: "compacted" } }),
      message: /refused without a compaction: #\d+ of .*nobody had asked/,
    };
  },
};

for (const [name, mistake] of Object.entries(MISTAKES))
  test(`caught from every seed: ${name}`, () => {
    let planted = 0;
    for (const seed of SEEDS) {
      const good = goodHistory({ seed, operations: 400, unknown: 0.03 });
      const bad = mistake(good, new Prng(seed));
      if (bad === undefined) continue;
      planted++;
      const { verdict } = checkRevisionOrder(bad.operations, { log: bad.log ?? good.log });
      assert.equal(verdict.verdict, "wrong", `seed ${seed}`);
      const texts = verdict.verdict === "wrong" ? verdict.violations.map(({ text }) => text) : [];
      assert.ok(
        texts.some((text) => bad.message.test(text)),
        `seed ${seed}: ${bad.message} in\n${texts.join("\n")}`,
      );
    }
    assert.ok(planted >= 5, `only ${planted} histories had a place for it`);
  });

test("a large history is checked in seconds: OPERATIONS=500000 for a half million", (t) => {
  const count = Number(process.env["OPERATIONS"] ?? 50_000);
  const { operations, log } = goodHistory({ seed: 1, operations: count, unknown: 0.01, keys: 100, clients: 16 });
  const before = process.cpuUsage();
  assertRight(checkRevisionOrder(operations, { log }).verdict);
  const { user, system } = process.cpuUsage(before);
  const ms = (user + system) / 1000;
  t.diagnostic(`${operations.length} operations in ${Math.round(ms)} ms of processor time`);
  assert.ok(ms < 1000 + count / 20, `${ms} ms for ${count} operations`);
});

function call(operation: Omit<Operation, "client">): Operation {
  return { client: "client x", ...operation };
}

function putAt(revision: number): Operation["answer"] {
  return { kind: "done", revision, result: { kind: "put", prevKv: undefined } };
}

function oldRead(request: Operation["request"]): boolean {
  return request.kind === "range" && request.revision > 0;
}

function isPlainRead({ request }: Operation): boolean {
  return request.kind === "range" && request.revision === 0 && !request.serializable && request.end === "";
}

/** The highest revision answered before the operation was called. */
function returnedBefore(operations: readonly Operation[], { calledMs }: Operation): number {
  return Math.max(
    0,
    ...operations
      .filter(isAnswered)
      .filter((one) => one.returnedMs < calledMs)
      .map((one) => one.answer.revision),
  );
}

function prevKvOf(answer: Operation["answer"]) {
  return answer?.kind === "done" && answer.result.kind === "put" ? answer.result.prevKv : undefined;
}

function chosen(
  operations: readonly Operation[],
  random: Prng,
  fits: (one: Operation) => boolean,
): Operation | undefined {
  const all = operations.filter(fits);
  return all.length === 0 ? undefined : random.pick(all);
}

function twoOf(operations: readonly Operation[], random: Prng, fits: (one: Operation) => boolean): Operation[] {
  const all = operations.filter(fits);
  const first = random.below(Math.max(1, all.length - 1));
  return all.slice(first, first + 2);
}
