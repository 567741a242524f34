/** What the load generators' own words come to. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { middleOf, rateOf } from "./h2load.ts";
import { readMemory, readProcessorUs } from "./process.ts";

const OUTPUT = `finished in 2.00s, 48123.50 req/s, 5.01MB/s
requests: 96247 total, 96947 started, 96247 done, 96247 succeeded, 0 failed, 0 errored, 0 timeout
status codes: 96247 2xx, 0 3xx, 0 4xx, 0 5xx
`;

test("h2load's rate is read when nothing failed, and only then", () => {
  assert.equal(rateOf(OUTPUT), 48_123.5);
  for (const [from, to] of [
    ["0 failed", "1 failed"],
    ["0 errored", "7 errored"],
    ["0 timeout", "1 timeout"],
    ["0 5xx", "3 5xx"],
    ["status codes", "something else"],
    ["req/s", "things"],
  ] as const)
    assert.throws(() => rateOf(OUTPUT.replace(from, to)), /h2load failed/, to);
});

test("the middle latency is that of its log's third column", () => {
  assert.equal(middleOf("1\t200\t300\n2\t200\t100\n3\t200\t200\n"), 200);
  assert.throws(() => middleOf(""), /no latencies/);
});

test("memory is read as the system writes it", () => {
  const status =
    "Name:\tnode\nVmRSS:\t  204800 kB\nRssAnon:\t  102400 kB\nRssFile:\t   51200 kB\nRssShmem:\t   51200 kB\n";
  assert.deepEqual(readMemory(status), { totalMiB: 200, anonMiB: 100, fileMiB: 100 });
  assert.ok(Number.isNaN(readMemory("").totalMiB));
});

test("processor time is that of user and system, whatever the program is called", () => {
  const stat = "7 (a (b) c) S 1 7 7 0 -1 4194560 100 0 0 0 120 30 5 5 20 0 11 0 100";
  assert.equal(readProcessorUs(stat), 1_500_000);
});
