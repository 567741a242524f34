/**
 * The checkers' model and the server agree: random requests to the server's own state, recorded through its messages,
 * are a right history, and one wrong field in them is seen. Written apart, both would have to be wrong in the same way.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { fromByteString } from "../../server/base/bytes.ts";
import {
  Compare as CompareMessage,
  DeleteRangeRequest,
  type InternalRequest,
  PutRequest,
  RangeRequest,
  RequestOp,
  type RequestOpUnion,
  type ResponseOpUnion,
  TxnRequest,
} from "../../server/proto/etcdserverpb.ts";
import { compaction, Entries, grant, openState, revoke } from "../support/apply-state.ts";
import { goodHistory } from "./generator.ts";
import { type Answer, assertRight, type Compare, type KvRequest, type Operation, type Request } from "./history.ts";
import { logOf, refusalOf, requestOf, resultOf, type StoredChange } from "./messages.ts";
import { checkRevisionOrder } from "./revision-order.ts";

const SEEDS = Array.from({ length: 10 }, (_, seed) => seed);

test("what the server answers to random requests is right by the model, field by field", () => {
  let txns = 0;
  for (const seed of SEEDS) {
    const { operations, log } = recorded(seed);
    txns += operations.filter(({ request, answer }) => request.kind === "txn" && answer?.kind === "done").length;
    assertRight(checkRevisionOrder(operations, { log }).verdict);
  }
  assert.ok(txns > 100, `only ${txns} transactions`);
});

test("requests come back from their messages as they were", () => {
  for (const { request } of goodHistory({ seed: 5, operations: 300 }).operations)
    if (isKv(request)) assert.deepEqual(requestOf(messageOf(request)), request);
});

test("what the checkers have no words for is refused", () => {
  const sorted = RangeRequest.create({ key: fromByteString("a"), sortOrder: 2 });
  assert.throws(
    () => requestOf({ kind: "range", value: sorted }),
    /no range that is sorted, filtered or of keys only: "a"/,
  );
  const odd = CompareMessage.create({ key: fromByteString("a"), result: 9 });
  const value = TxnRequest.create({ compare: [odd] });
  assert.throws(() => requestOf({ kind: "txn", value }), /no compare with result 9 and target 0 of "a"/);
});

/** The requests of a generated history, one after the other, to the server's own state. */
function recorded(seed: number) {
  const state = openState();
  const entries = new Entries(state);
  const changes: StoredChange[] = [];
  const operations: Operation[] = [];
  for (const { request } of goodHistory({ seed, operations: 400 }).operations) {
    const message = entryOf(request);
    if (message === undefined) continue;
    const { outcome, changes: made } = entries.apply(message, message);
    changes.push(...made);
    const answer: Answer = outcome.ok
      ? { kind: "done", revision: state.store.currentRevision, result: answerOf(request, outcome.response) }
      : { kind: "refused", why: refusalOf(outcome.code) };
    const id = operations.length + 1;
    operations.push({ id, client: "the only one", calledMs: id, returnedMs: id + 0.5, request, answer });
  }
  return { operations, log: logOf(changes, { first: 2, last: state.store.currentRevision, isWhole: true }) };
}

function answerOf(request: Request, response: unknown) {
  switch (request.kind) {
    case "compact":
    case "revoke":
      return { kind: request.kind };
    case "grant":
      return { kind: request.kind, ttlSeconds: request.ttlSeconds };
    default: {
      const kind = request.kind === "delete" ? "deleteRange" : request.kind;
      return resultOf({ kind, value: response } as ResponseOpUnion);
    }
  }
}

/** Undefined: a renewal, which is no entry. */
function entryOf(request: Request): InternalRequest | undefined {
  if (isKv(request)) return messageOf(request);
  if (request.kind === "compact") return compaction(request.revision);
  if (request.kind === "grant") return grant(request.lease, request.ttlSeconds);
  return request.kind === "revoke" ? revoke(request.lease) : undefined;
}

function isKv(request: Request): request is KvRequest {
  return request.kind === "put" || request.kind === "range" || request.kind === "delete" || request.kind === "txn";
}

function messageOf(request: KvRequest): RequestOpUnion {
  const key = fromByteString(request.kind === "txn" ? "" : request.key);
  switch (request.kind) {
    case "put": {
      const { lease, prevKv, ignoreValue, ignoreLease } = request;
      const value = fromByteString(request.value);
      return { kind: "put", value: PutRequest.create({ key, value, lease, prevKv, ignoreValue, ignoreLease }) };
    }
    case "range": {
      const { revision, limit, countOnly, serializable } = request;
      const rangeEnd = fromByteString(request.end);
      return { kind: "range", value: RangeRequest.create({ key, rangeEnd, revision, limit, countOnly, serializable }) };
    }
    case "delete": {
      const rangeEnd = fromByteString(request.end);
      return { kind: "deleteRange", value: DeleteRangeRequest.create({ key, rangeEnd, prevKv: request.prevKv }) };
    }
    case "txn": {
      const operations = (all: readonly KvRequest[]) => all.map((one) => RequestOp.create({ request: messageOf(one) }));
      const compare = request.compares.map(compareMessage);
      const value = TxnRequest.create({
        compare,
        success: operations(request.success),
        failure: operations(request.failure),
      });
      return { kind: "txn", value };
    }
  }
}

function compareMessage({ key, end, target, relation, operand }: Compare): CompareMessage {
  const kinds = {
    version: "version",
    create: "createRevision",
    mod: "modRevision",
    value: "value",
    lease: "lease",
  } as const;
  const value = typeof operand === "string" ? fromByteString(operand) : operand;
  return CompareMessage.create({
    key: fromByteString(key),
    rangeEnd: fromByteString(end),
    result: ["=", ">", "<", "!="].indexOf(relation),
    target: ["version", "create", "mod", "value", "lease"].indexOf(target),
    targetUnion: { kind: kinds[target], value } as CompareMessage["targetUnion"],
  });
}
