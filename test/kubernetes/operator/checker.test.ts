/** The judge of a load finds what is planted, and nothing in a load that went well. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { judge, longestGap } from "./checker.ts";
import { withLostWrite, withMissedEvent } from "./planted.ts";
import { type Batch, decode, encode, nameOf, type State, valueUnder } from "./records.ts";

const WATCHERS = ["0", "1"];

/** Twelve acknowledged writes and one of unknown outcome that took effect, seen by two watchers, looked at twice. */
function goodLoad(): Batch[] {
  const writes = Array.from({ length: 12 }, (_, index) => [`a/${index}`, 11 + index, index * 100] as const);
  const late = ["b/0", 23] as const;
  const keys = [...writes.map(([key, revision]) => [key, revision] as const), late];
  const events = WATCHERS.flatMap((watcher) => keys.map(([key, revision]) => [watcher, revision, key] as const));
  const first: State = { revision: 16, count: 6, since: 0, keys: keys.slice(0, 6) };
  return [
    { n: 0, began: { revision: 10, watchers: WATCHERS } },
    { n: 1, acked: writes.slice(0, 6), state: first },
    { n: 2, acked: writes.slice(6), failed: [["b/0", 1150, "timeout"]], events },
    { n: 3, state: { revision: 23, count: 13, since: 16, keys: keys.slice(6) } },
    { n: 4, state: { revision: 23, count: 13, since: 0, keys }, ended: true },
  ];
}

/** The batches with the one at `index` changed. */
function changed(index: number, change: (batch: Batch) => Batch): Batch[] {
  return goodLoad().map((batch, at) => (at === index ? change(batch) : batch));
}

test("a load that went well has nothing wrong, and is counted", () => {
  assert.deepEqual(judge(goodLoad()), { problems: [], acknowledged: 12, unknown: 1, events: 26, states: 3 });
});

test("an acknowledged write that is not in the state is lost, in a partial state and in the whole one", () => {
  const lose = (batch: Batch): Batch => {
    const state = batch.state as State;
    return { ...batch, state: { ...state, count: state.count - 1, keys: state.keys.filter(([key]) => key !== "a/7") } };
  };
  for (const batches of [
    changed(4, lose),
    goodLoad()
      .slice(0, 3)
      .concat(lose(goodLoad()[3] as Batch)),
  ])
    assert.match(judge(batches).problems.join("\n"), /acknowledged write is lost \(1\): a\/7 of revision 18/);
});

test("a write that was lost long ago shows in the number of keys, before the whole state is read", () => {
  const batches = changed(3, (batch) => ({ ...batch, state: { ...(batch.state as State), count: 12 } }));
  assert.match(judge(batches.slice(0, 4)).problems.join("\n"), /there are 12 keys, and 13 had been seen/);
});

test("an acknowledged write at another revision, and a key that nobody wrote, are told", () => {
  const problems = judge(
    changed(4, (batch) => {
      const state = batch.state as State;
      const keys = [...state.keys.map(([key, at]) => [key, key === "a/3" ? 15 : at] as const), ["c/0", 24] as const];
      return { ...batch, state: { ...state, keys, count: 14, revision: 24 } };
    }),
  ).problems.join("\n");
  assert.match(problems, /a\/3 was made at 14, and again at 15/);
  assert.match(problems, /a\/3 was said to be of 14 and is of 15/);
  assert.match(problems, /key is there that nobody wrote \(1\): c\/0/);
});

test("a missed event is told, also that of a write of unknown outcome that took effect", () => {
  for (const missing of ["a/5", "b/0"]) {
    const drop = (batch: Batch): Batch => ({
      ...batch,
      events: (batch.events ?? []).filter(([watcher, , key]) => watcher !== "1" || key !== missing),
    });
    const { problems } = judge(changed(2, drop));
    assert.equal(problems.length, 1);
    assert.match(problems[0] ?? "", new RegExp(`event was missed by watcher 1 \\(1\\): ${missing} of`));
  }
});

test("a watcher that was sent nothing has missed everything", () => {
  const { problems } = judge(changed(2, ({ events: _, ...rest }) => rest));
  assert.match(problems.join("\n"), /missed by watcher 0 \(13\)[\s\S]*missed by watcher 1 \(13\)/);
});

test("an event that comes twice, out of order, or of nothing is told", () => {
  const add = (...more: (readonly [string, number, string])[]) =>
    judge(changed(2, (batch) => ({ ...batch, events: [...(batch.events ?? []), ...more] }))).problems.join("\n");
  assert.match(add(["0", 23, "b/0"]), /twice or out of order to watcher 0 \(1\): b\/0 of 23 behind 23/);
  assert.match(add(["1", 12, "a/1"]), /out of order to watcher 1/);
  assert.match(add(["1", 23, "a/99"]), /of a write that is not there \(1\): a\/99/);
  assert.equal(add(["1", 24, "a/99"]), "", "what came after the last look is left to the next");
});

test("a log with a missing line, or without a look at the state, shows nothing", () => {
  assert.match(judge(goodLoad().filter(({ n }) => n !== 3)).problems.join("\n"), /line 3 of the load's log is missing/);
  assert.match(judge(goodLoad().slice(0, 1)).problems.join("\n"), /nobody has read the state/);
  assert.match(judge([]).problems.join("\n"), /nobody has read the state/);
});

test("the mistakes that the suite plants in its own load are caught", () => {
  assert.match(judge(withLostWrite(goodLoad())).problems.join("\n"), /acknowledged write is lost/);
  assert.match(judge(withMissedEvent(goodLoad())).problems.join("\n"), /event was missed by watcher/);
  assert.throws(() => withLostWrite([]), /no acknowledged write/);
  assert.throws(() => withMissedEvent([]), /no event/);
});

test("longestGap() counts from the last acknowledgement before, over all writers", () => {
  const acked = (...at: number[]): Batch => ({ n: 0, acked: at.map((time) => [`k/${time}`, time, time] as const) });
  const batches = [acked(100), { n: 0 }, acked(900, 400), acked(950), acked(5000)];
  assert.equal(longestGap(batches, 2, 4), 500);
  assert.equal(longestGap(batches, 1, 4), 500, "from 400 to 900");
  assert.equal(longestGap(batches, 1, 5), 4050);
  assert.equal(longestGap(batches, 0, 1), 0);
  assert.equal(longestGap(batches, 3, 4), 50);
  assert.equal(longestGap(batches, 1, 2), Number.POSITIVE_INFINITY);
});

test("a line survives being written and read, and what is no line is refused", () => {
  for (const batch of goodLoad()) assert.deepEqual(decode(encode(batch)), batch);
  assert.throws(() => decode('{"a":1}'), /no line of a load client/);
});

test("nameOf() shows a value that was not written", () => {
  assert.equal(nameOf("/load/", "/load/a/1", valueUnder("a/1")), "a/1");
  assert.match(nameOf("/load/", "/load/a/1", valueUnder("a/2")), /a\/1 with the value "value of a\/2"/);
});
