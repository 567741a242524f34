import assert from "node:assert/strict";
import { test } from "node:test";
import { limitOf, netstatOf, readProcessFacts } from "./process-facts.ts";

test("limitOf() reads a soft limit, and none where it is unlimited", () => {
  const text = [
    "Limit                     Soft Limit           Hard Limit           Units     ",
    "Max open files            20000                40000                files     ",
    "Max address space         unlimited            unlimited            bytes     ",
  ].join("\n");
  assert.equal(limitOf(text, "Max open files"), 20_000);
  assert.equal(limitOf(text, "Max address space"), undefined);
  assert.equal(limitOf("", "Max open files"), undefined);
});

test("netstatOf() pairs the names of a line with the values of the next", () => {
  const text = "TcpExt: A B\nTcpExt: 1 2\nIpExt: InNoRoutes InOctets OutOctets\nIpExt: 0 512 64\n";
  assert.deepEqual(
    [...netstatOf(text)],
    [
      ["InNoRoutes", 0],
      ["InOctets", 512],
      ["OutOctets", 64],
    ],
  );
  assert.equal(netstatOf("").size, 0);
});

test("readProcessFacts() knows this process", () => {
  const facts = readProcessFacts();
  assert.ok(facts.residentBytes > 1e6);
  assert.ok(facts.heap.usedBytes > 0 && facts.heap.usedBytes <= facts.heap.limitBytes);
  assert.ok(Math.abs(facts.startedAtSeconds - (Date.now() / 1000 - process.uptime())) < 5);
  if (process.platform === "linux") {
    assert.ok((facts.openFiles ?? 0) > 2);
    assert.ok((facts.threads ?? 0) > 1);
    assert.ok((facts.fileLimit ?? 0) > 0);
  }
});
