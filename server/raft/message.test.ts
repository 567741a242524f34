import assert from "node:assert/strict";
import { test } from "node:test";
import { type Message, MessageType } from "../proto/raftpb.ts";
import { newMessage, withoutCovered } from "./message.ts";

function message(type: number, index: number, fields: Partial<Message> = {}): Message {
  return { ...newMessage(type, 1n), term: 3, index, ...fields };
}

const held = (index: number, fields: Partial<Message> = {}) => message(MessageType.APP_RESP, index, fields);

function kept(...messages: Message[]): Message[] {
  const given = messages.slice();
  const left = withoutCovered(messages);
  assert.deepEqual(messages, given, "what was given is left alone");
  return left.map((one) => one);
}

test("of acknowledgements that follow one another the one that covers them is kept", () => {
  const last = held(7);
  assert.deepEqual(kept(held(5), held(6), last), [last]);
  assert.deepEqual(kept(held(7), last), [last], "a repeated one as well");
  assert.deepEqual(kept(last), [last]);
  assert.deepEqual(kept(), []);
});

test("nothing is covered by what says less, goes to another, or is of another term", () => {
  for (const pair of [
    [held(7), held(6)],
    [held(5), held(6, { to: 2n })],
    [held(5), held(6, { term: 4 })],
  ] as [Message, Message][]) {
    assert.deepEqual(kept(...pair), pair);
  }
});

test("a refusal stays, and so does what was acknowledged before it", () => {
  const all = [held(5), held(9, { reject: true, rejectHint: 6 }), held(6)];
  assert.deepEqual(kept(...all), all);
  const vote = message(MessageType.VOTE_RESP, 0);
  const [, five, , seven] = [held(4), held(5), held(6), held(7)];
  assert.deepEqual(kept(held(4), five as Message, vote, held(6), seven as Message), [five, vote, seven]);
});
