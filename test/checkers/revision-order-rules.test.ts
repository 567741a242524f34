/** Rules of the revision-ordered check in the smallest histories that break them. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { put, range } from "./generator.ts";
import {
  type Answer,
  assertRight,
  type Change,
  type ChangeLog,
  type Kv,
  type Operation,
  type Request,
} from "./history.ts";
import { checkRevisionOrder } from "./revision-order.ts";

const A: Kv = { key: "a", value: "1", createRevision: 2, modRevision: 2, version: 1, lease: 0n };
const NOTHING = { kind: "range", kvs: [], more: false, count: 0 } as const;

const putA = call(1, 0, put("a", "1"), { kind: "done", revision: 2, result: { kind: "put", prevKv: undefined } });

function refused(operations: readonly Operation[], message: RegExp, log?: ChangeLog): void {
  const { verdict } = checkRevisionOrder(operations, log === undefined ? {} : { log });
  assert.throws(() => assertRight(verdict), message);
}

test("a revision that nobody wrote is a gap when nobody can have", () => {
  const read = call(2, 10, range("a"), { kind: "done", revision: 3, result: { ...NOTHING, kvs: [A], count: 1 } });
  assertRight(
    checkRevisionOrder([putA, { ...read, answer: { ...(read.answer as Answer), revision: 2 } as Answer }]).verdict,
  );
  refused([putA, read], /gap: nobody wrote revision 3, but #2 of .* saw it/);
  refused([putA, read], /lost revision: the store ends at 2, but #2 of .* saw it/, logOf([[{ kind: "put", kv: A }]]));
});

test("a read at a revision that was not there yet must be refused, and one that was must not", () => {
  const early = call(2, 10, range("a", { revision: 5 }), { kind: "done", revision: 2, result: NOTHING });
  refused([putA, early], /read of the future: #2 of .*its header says that 2 was the present/);
  const late = call(2, 10, range("a", { revision: 2 }), { kind: "refused", why: "future revision" });
  refused([putA, late], /refused as future: #2 of .*it was the past already: #1 of/);
});

test("what the log holds is what was acknowledged", () => {
  const other = logOf([[{ kind: "put", kv: { ...A, value: "2" } }]]);
  refused(
    [putA],
    /other change in the log: #1 of .*revision 2 of the log is \[put "a" = "2".*instead of \[put "a" = "1"/,
    other,
  );
  const empty = { ...logOf([[{ kind: "put", kv: A }]]), last: 3 };
  refused([putA], /revision without a change: revision 3 changed nothing/, empty);
});

test("no key is put on a lease after the revision that ended it", () => {
  const grant = call(
    1,
    0,
    { kind: "grant", lease: 7n, ttlSeconds: 2 },
    { kind: "done", revision: 1, result: { kind: "grant", ttlSeconds: 2 } },
  );
  const putOn = (id: number, revision: number) =>
    call(id, id * 10, put("a", "1", { lease: 7n }), {
      kind: "done",
      revision,
      result: { kind: "put", prevKv: undefined },
    });
  const kv = (modRevision: number): Kv => ({ ...A, lease: 7n, createRevision: modRevision, modRevision });
  const ended: Change = { kind: "delete", key: "a", revision: 3 };
  const good = logOf([[{ kind: "put", kv: kv(2) }], [ended]]);
  assertRight(checkRevisionOrder([grant, putOn(2, 2)], { log: good }).verdict);
  const bad = logOf([[{ kind: "put", kv: kv(2) }], [ended], [{ kind: "put", kv: kv(4) }]]);
  refused([grant, putOn(2, 2), putOn(3, 4)], /key on a dead lease: #3 of .*lease 7 ended at revision 3/, bad);
});

test("a lease takes all of its keys with it: a part of them is explained by nobody", () => {
  const on = (id: number, key: string, revision: number) =>
    call(id, id * 10, put(key, "1", { lease: 7n }), {
      kind: "done",
      revision,
      result: { kind: "put", prevKv: undefined },
    });
  const grant = call(
    1,
    0,
    { kind: "grant", lease: 7n, ttlSeconds: 2 },
    { kind: "done", revision: 1, result: { kind: "grant", ttlSeconds: 2 } },
  );
  const kvs = ["a", "b"].map((key, at): Kv => ({ ...A, key, lease: 7n, createRevision: at + 2, modRevision: at + 2 }));
  const puts = kvs.map((kv): Change[] => [{ kind: "put", kv }]);
  const log = logOf([...puts, [{ kind: "delete", key: "a", revision: 4 }]]);
  refused([grant, on(2, "a", 2), on(3, "b", 3)], /nobody asked for: revision 4 of the log is \[delete "a"\]/, log);
});

/** A whole log, from revision 2 on. */
function logOf(revisions: readonly (readonly Change[])[]): ChangeLog {
  const changes = new Map(revisions.map((some, at) => [at + 2, some]));
  return { first: 2, last: revisions.length + 1, isWhole: true, changes };
}

function call(id: number, calledMs: number, request: Request, answer: Answer): Operation {
  return { id, client: "client x", calledMs, returnedMs: calledMs + 1, request, answer };
}
