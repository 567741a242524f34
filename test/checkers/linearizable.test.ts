/** The search without revisions passes good histories, catches what no order explains, and says when it gives up. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { Prng } from "../../server/base/prng.ts";
import { answering, type GoodHistory, goodHistory, onlyKv, put, range, replaced } from "./generator.ts";
import { assertRight, type Kv, type Operation } from "./history.ts";
import { checkLinearizable } from "./linearizable.ts";

const SEEDS = Array.from({ length: 20 }, (_, seed) => seed);

test("good histories of 500 operations pass, with operations that nobody knows the end of", () => {
  for (const seed of SEEDS)
    assertRight(
      checkLinearizable(goodHistory({ seed, operations: 500, clients: 4, unknown: 0.01, mix: "plain" }).operations),
    );
});

test("good histories with leases that end, old reads and compactions pass", () => {
  for (const seed of SEEDS)
    assertRight(checkLinearizable(goodHistory({ seed, operations: 300, clients: 3 }).operations));
});

test("an operation without an answer may take effect at any time after its call, or never", () => {
  const lost = call({ id: 1, calledMs: 0, returnedMs: 1, request: put("a", "1"), answer: undefined });
  const read = (id: number, atMs: number, value: string | undefined) =>
    call({ id, calledMs: atMs, returnedMs: atMs + 1, request: range("a"), answer: read1(value) });
  assertRight(checkLinearizable([lost, read(2, 10, undefined), read(3, 20, undefined)]));
  assertRight(checkLinearizable([lost, read(2, 10, undefined), read(3, 20, "1")]));
  const back = checkLinearizable([lost, read(2, 10, "1"), read(3, 20, undefined)]);
  assert.throws(
    () => assertRight(back),
    /#2 of .*; then none of these fits:\n {2}#3 of .*range "a".*for then it had to answer \["a" = "1"/,
  );
  const early = checkLinearizable([{ ...lost, calledMs: 15, returnedMs: 16 }, read(2, 10, "1")]);
  assert.throws(() => assertRight(early), /no operation can be the first; then none of these fits:\n {2}#2 of/);
});

test("what takes too many steps is unknown, and not right", () => {
  const { operations } = goodHistory({ seed: 3, operations: 200, mix: "plain" });
  const verdict = checkLinearizable(operations, { stepsMax: 50 });
  assert.equal(verdict.verdict, "unknown");
  assert.throws(() => assertRight(verdict), /not decided: \d+ steps were not enough for \d+ operations/);
});

type Mistake = (good: GoodHistory, random: Prng) => { operations: Operation[]; message: RegExp } | undefined;

const MISTAKES: Readonly<Record<string, Mistake>> = {
  "a value that nobody wrote": ({ operations }, random) => {
    const reader = chosen(operations, random, (one) => onlyKv(one) !== undefined && one.request.kind === "range");
    return withFirstKv(operations, reader, (kv) => ({ ...kv, value: "foreign" }));
  },
  "a version that is one too high": ({ operations }, random) => {
    const reader = chosen(operations, random, (one) => onlyKv(one) !== undefined);
    return withFirstKv(operations, reader, (kv) => ({ ...kv, version: kv.version + 1 }));
  },
  "a read of what was overwritten long ago": ({ operations }, random) => {
    const reader = chosen(
      operations,
      random,
      (one) => isSingleRead(one) && (onlyKv(one)?.version ?? 0) > 1 && one.calledMs > 500,
    );
    const key = reader?.request.kind === "range" ? reader.request.key : "";
    const first = operations.find(
      ({ request, answer, returnedMs }) =>
        request.kind === "put" &&
        request.key === key &&
        answer?.kind === "done" &&
        returnedMs < (reader?.calledMs ?? 0) - 300,
    );
    if (first?.request.kind !== "put" || onlyKv(reader as Operation)?.value === first.request.value) return undefined;
    const { value } = first.request;
    return withFirstKv(operations, reader, (kv) => ({ ...kv, value }));
  },
  "a key that a list leaves out": ({ operations }, random) => {
    const reader = chosen(operations, random, (one) => isWholeList(one) && !overlapsDeletion(operations, one));
    if (reader?.answer?.kind !== "done" || reader.answer.result.kind !== "range") return undefined;
    const { kvs, count } = reader.answer.result;
    const left = kvs.findIndex(({ version }) => version > 1);
    if (left < 0) return undefined;
    const result = { kind: "range", kvs: kvs.filter((_, at) => at !== left), more: false, count: count - 1 } as const;
    return {
      operations: replaced(operations, reader.id, answering(reader, result)),
      message: new RegExp(`  #${reader.id} of .*it had to answer .*count ${count}`),
    };
  },
  "a transaction that takes the wrong branch": ({ operations }, random) => {
    const txn = chosen(operations, random, ({ request, answer }) => request.kind === "txn" && answer?.kind === "done");
    if (txn?.answer?.kind !== "done" || txn.answer.result.kind !== "txn") return undefined;
    const { result } = txn.answer;
    return {
      operations: replaced(operations, txn.id, answering(txn, { ...result, succeeded: !result.succeeded })),
      message: new RegExp(`  #${txn.id} of .*txn`),
    };
  },
  "a deletion that counts one key too many": ({ operations }, random) => {
    const one = chosen(
      operations,
      random,
      ({ request, answer }) => request.kind === "delete" && request.end === "" && answer?.kind === "done",
    );
    if (one?.answer?.kind !== "done" || one.answer.result.kind !== "delete") return undefined;
    if (one.answer.result.deleted !== 1) return undefined;
    const { result } = one.answer;
    return {
      operations: replaced(operations, one.id, answering(one, { ...result, deleted: result.deleted + 1 })),
      message: new RegExp(`  #${one.id} of .*deleted ${result.deleted + 1}`),
    };
  },
};

for (const [name, mistake] of Object.entries(MISTAKES))
  test(`caught from every seed: ${name}`, () => {
    let planted = 0;
    for (const seed of SEEDS) {
      const bad = mistake(goodHistory({ seed, operations: 150, clients: 3, mix: "plain" }), new Prng(seed));
      if (bad === undefined) continue;
      planted++;
      const verdict = checkLinearizable(bad.operations);
      assert.equal(verdict.verdict, "wrong", `seed ${seed}`);
      assert.throws(() => assertRight(verdict), bad.message, `seed ${seed}`);
    }
    assert.ok(planted >= 5, `only ${planted} histories had a place for it`);
  });

const NOTHING = { kind: "range", kvs: [], more: false, count: 0 } as const;

function withFirstKv(operations: readonly Operation[], reader: Operation | undefined, change: (kv: Kv) => Kv) {
  if (reader?.answer?.kind !== "done" || reader.answer.result.kind !== "range") return undefined;
  const [kv, ...rest] = reader.answer.result.kvs;
  if (kv === undefined) return undefined;
  const result = { ...reader.answer.result, kvs: [change(kv), ...rest] };
  return {
    operations: replaced(operations, reader.id, answering(reader, result)),
    message: new RegExp(`  #${reader.id} of`),
  };
}

function call(operation: Omit<Operation, "client">): Operation {
  return { client: "client x", ...operation };
}

function read1(value: string | undefined): Operation["answer"] {
  const kv = { key: "a", value: value ?? "", createRevision: 2, modRevision: 2, version: 1, lease: 0n };
  return {
    kind: "done",
    revision: 2,
    result: value === undefined ? NOTHING : { kind: "range", kvs: [kv], more: false, count: 1 },
  };
}

function isSingleRead({ request }: Operation): boolean {
  return request.kind === "range" && request.end === "";
}

function isWholeList({ request }: Operation): boolean {
  return request.kind === "range" && request.end !== "" && request.limit === 0 && !request.countOnly;
}

function overlapsDeletion(operations: readonly Operation[], { calledMs, returnedMs }: Operation): boolean {
  return operations.some(
    (one) =>
      (one.request.kind === "delete" || one.request.kind === "txn") &&
      one.calledMs <= returnedMs &&
      one.returnedMs >= calledMs,
  );
}

function chosen(
  operations: readonly Operation[],
  random: Prng,
  fits: (one: Operation) => boolean,
): Operation | undefined {
  const all = operations.filter(fits);
  return all.length === 0 ? undefined : random.pick(all);
}
