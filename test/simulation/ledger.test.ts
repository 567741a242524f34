/** A ledger is read as it was written, and what stands in it is not run again. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { LEDGER_HEAD, type LedgerLine, ledgerLine, rangesToRun, readLedger } from "./ledger.ts";

const LINE: LedgerLine = {
  date: "2026-01-02",
  level: "server",
  from: 11,
  to: 20,
  commit: "abc1234",
  passed: 7,
  void: 1,
  failed: [13, 19],
  operations: 12_345,
};

test("what is written in a ledger can be read", () => {
  const lines = [LINE, { ...LINE, from: 21, to: 30, failed: [] }];
  assert.deepEqual(readLedger(LEDGER_HEAD + lines.map((line) => `${ledgerLine(line)}\n`).join("")), lines);
  assert.deepEqual(readLedger(LEDGER_HEAD), []);
});

test("seeds that stand in the ledger are not run again", () => {
  assert.deepEqual(rangesToRun({ from: 1, count: 30, size: 8 }, [LINE]), [
    { from: 1, count: 8 },
    { from: 9, count: 2 },
    { from: 21, count: 8 },
    { from: 29, count: 2 },
  ]);
  assert.deepEqual(rangesToRun({ from: 11, count: 10, size: 8 }, [LINE]), []);
  assert.deepEqual(rangesToRun({ from: 1, count: 3, size: 8 }, []), [{ from: 1, count: 3 }]);
});
