import assert from "node:assert/strict";
import { test } from "node:test";
import { EtcdError } from "../base/error.ts";
import { ANSWERS_MAX, ANSWERS_SOFT_MAX, EVENT_BYTES_MAX, EVENT_RESPONSES_MAX, Outbox, type Parcel } from "./outbox.ts";
import { answerParcel, progressParcel } from "./shared-event.ts";

function eventsOf(bytes: number, pieces = 1): Parcel {
  const deliveries = Array.from({ length: pieces }, () => progressParcel(0, 1).deliveries[0] as never);
  return { deliveries, answer: false, events: 1, bytes };
}

const answer = answerParcel({ watchId: 1, created: true }, 1);

test("an outbox takes 128 event responses and no more, and answers beside them", () => {
  const outbox = new Outbox();
  for (let at = 0; at < EVENT_RESPONSES_MAX; at++) assert.equal(outbox.offer(eventsOf(1)), true);
  assert.equal(outbox.offer(eventsOf(1)), false);
  outbox.answer(answer);
  assert.equal(outbox.waiting, EVENT_RESPONSES_MAX + 1);
  outbox.next();
  assert.equal(outbox.offer(eventsOf(1)), true);
});

test("an outbox takes 16 MiB of events, and one response however large", () => {
  const outbox = new Outbox();
  assert.equal(outbox.offer(eventsOf(3 * EVENT_BYTES_MAX)), true);
  assert.equal(outbox.offer(eventsOf(1)), false);
  outbox.next();
  assert.equal(outbox.offer(eventsOf(EVENT_BYTES_MAX - 1)), true);
  assert.equal(outbox.offer(eventsOf(1)), true);
  assert.equal(outbox.offer(eventsOf(1)), false);
});

test("an outbox is settled again only at half of its bounds", () => {
  const outbox = new Outbox();
  for (let at = 0; at < EVENT_RESPONSES_MAX; at++) outbox.offer(eventsOf(1));
  for (let left = EVENT_RESPONSES_MAX; left > EVENT_RESPONSES_MAX / 2; left--) {
    assert.equal(outbox.settled, false);
    outbox.next();
  }
  assert.equal(outbox.settled, true);
});

test("an outbox is full at 16 answers, still takes what was read already, and refuses a flood", () => {
  const outbox = new Outbox();
  for (let at = 1; at < ANSWERS_SOFT_MAX; at++) outbox.answer(answer);
  assert.equal(outbox.full, false);
  outbox.answer(answer);
  assert.equal(outbox.full, true);
  for (let at = ANSWERS_SOFT_MAX; at < ANSWERS_MAX; at++) outbox.answer(answer);
  assert.throws(
    () => outbox.answer(answer),
    (error) => error instanceof EtcdError && error.code === "TooManyRequests",
  );
});

test("fragments come one after another and count as one message", () => {
  const outbox = new Outbox();
  outbox.offer(eventsOf(30, 3));
  outbox.answer(answer);
  assert.equal(outbox.waiting, 2);
  outbox.next();
  outbox.next();
  assert.deepEqual([outbox.waiting, outbox.bytes], [2, 30]);
  outbox.next();
  assert.deepEqual([outbox.waiting, outbox.bytes, outbox.events], [1, 0, 0]);
  assert.equal(outbox.next()?.response.created, true);
  assert.equal(outbox.next(), undefined);
});

test("a long life leaves no memory behind", () => {
  const outbox = new Outbox();
  for (let at = 0; at < 100; at++) outbox.offer(eventsOf(1));
  for (let at = 0; at < 100_000; at++) {
    assert.ok(outbox.next() !== undefined);
    assert.equal(outbox.offer(eventsOf(1)), true);
  }
  assert.equal(outbox.waiting, 100);
  outbox.clear();
  assert.deepEqual([outbox.waiting, outbox.bytes, outbox.events, outbox.full], [0, 0, 0, false]);
});
