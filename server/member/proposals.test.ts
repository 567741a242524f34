import assert from "node:assert/strict";
import { test } from "node:test";
import type { EtcdError } from "../base/error.ts";
import { type Proposal, Proposals } from "./proposals.ts";

interface Waiting {
  readonly proposal: Proposal;
  readonly answers: unknown[];
}

function waiting(id: bigint, deadlineMs: number): Waiting {
  const answers: unknown[] = [];
  const proposal: Proposal = {
    id,
    request: { kind: "compaction", value: { revision: 1, physical: false } },
    data: new Uint8Array(10),
    deadlineMs,
    resolve: (response) => answers.push(response),
    reject: ({ code }: EtcdError) => answers.push(code),
  };
  return { proposal, answers };
}

test("an outcome reaches the one who waits for that id, once", () => {
  const proposals = new Proposals();
  const { proposal, answers } = waiting(7n, 100);
  proposals.add(proposal);
  proposals.finish(8n, { ok: true, response: undefined });
  assert.equal(proposals.size, 1);
  assert.equal(proposals.bytes, 10);
  assert.equal(proposals.find(7n)?.data, proposal.data);
  proposals.finish(7n, { ok: false, code: "LeaseNotFound", detail: undefined });
  proposals.finish(7n, { ok: true, response: undefined });
  assert.deepEqual(answers, ["LeaseNotFound"]);
  assert.deepEqual([proposals.size, proposals.bytes], [0, 0]);
});

test("ids that share a chain are told apart, in whatever order they end", () => {
  const proposals = new Proposals();
  const ids = [5n, 5n + 4096n, 5n + 8192n, (1n << 48n) | 5n, 6n];
  const all = ids.map((id) => waiting(id, 100));
  for (const { proposal } of all) proposals.add(proposal);
  for (const at of [1, 3, 0, 4, 2]) {
    proposals.finish(ids[at] as bigint, { ok: false, code: "KeyNotFound", detail: undefined });
    assert.deepEqual(all[at]?.answers, ["KeyNotFound"]);
    assert.equal(proposals.find(ids[at] as bigint), undefined);
  }
  assert.deepEqual(
    all.map(({ answers }) => answers.length),
    [1, 1, 1, 1, 1],
  );
});

test("whoever has waited long enough is told so, and the others go on waiting", () => {
  const proposals = new Proposals();
  const early = waiting(1n, 100);
  const late = waiting(2n, 300);
  proposals.add(early.proposal);
  proposals.add(late.proposal);
  assert.equal(proposals.expire(200), 1);
  assert.deepEqual(early.answers, ["Timeout"]);
  assert.deepEqual(late.answers, []);
  proposals.failAll("Stopped");
  assert.deepEqual(late.answers, ["Stopped"]);
  assert.equal(proposals.size, 0);
});

test("the oldest that waits is known by its bytes, whoever before it was answered, gave up or was never met", () => {
  const proposals = new Proposals();
  const all = [1n, 2n, 3n, 4n].map((id) => waiting(id, id === 2n ? 100 : 200));
  for (const { proposal } of all) proposals.add(proposal);
  const data = (at: number) => (all[at] as Waiting).proposal.data;
  assert.equal(proposals.oldestOf(data(0))?.id, 1n);
  assert.equal(proposals.oldestOf(data(1)), undefined, "another one is the oldest");
  proposals.finish(1n, { ok: true, response: undefined });
  assert.equal(proposals.expire(150), 1);
  assert.equal(proposals.oldestOf(data(2))?.id, 3n);
  proposals.finish(4n, { ok: true, response: undefined });
  assert.equal(proposals.oldestOf(data(2))?.id, 3n);
  proposals.failAll("Stopped");
  assert.equal(proposals.oldestOf(data(2)), undefined);
  const again = waiting(5n, 100);
  proposals.add(again.proposal);
  assert.equal(proposals.oldestOf(again.proposal.data)?.id, 5n);
});
