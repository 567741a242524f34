import assert from "node:assert/strict";
import { test } from "node:test";
import { peerRecording } from "../../test/support/peer-recordings.ts";
import { concatBytes } from "../base/bytes.ts";
import { Message, MessageType } from "../proto/raftpb.ts";
import { FrameError, framed, isLinkHeartbeat, PlainDecoder, PlainEncoder } from "./message-codec.ts";

const HEARTBEAT = Message.create({ type: MessageType.HEARTBEAT, to: 1n, from: 2n, term: 3, commit: 4 });

function decodeAll(decoder: PlainDecoder): Message[] {
  const messages: Message[] = [];
  for (let next = decoder.next(); next !== undefined; next = decoder.next()) messages.push(next);
  return messages;
}

for (const version of ["3.7", "3.6"]) {
  test(`the frames of etcd ${version} are read`, () => {
    for (const [name, hex] of Object.entries(peerRecording(version).messageStream)) {
      const decoder = new PlainDecoder();
      decoder.push(Buffer.from(hex, "hex"));
      const [message, ...more] = decodeAll(decoder);
      assert.ok(message !== undefined && more.length === 0);
      assert.equal(isLinkHeartbeat(message), name === "link");
      if (name !== "link") assert.equal(message.type, Number(name));
    }
  });
}

test("our frames are those of etcd 3.6, byte for byte", () => {
  const { messageStream } = peerRecording("3.6");
  const encoder = new PlainEncoder();
  assert.ok(Object.keys(messageStream).length >= 4);
  for (const [name, hex] of Object.entries(messageStream)) {
    const decoder = new PlainDecoder();
    decoder.push(Buffer.from(hex, "hex"));
    const message = decoder.next() as Message;
    const ours = name === "link" ? encoder.linkHeartbeat() : concatBytes(encoder.encode(message));
    assert.equal(Buffer.from(ours).toString("hex"), hex);
  }
});

test("a frame is whole however the bytes come", () => {
  const frames = concatBytes([...new PlainEncoder().encode(HEARTBEAT), new PlainEncoder().linkHeartbeat()]);
  for (let cut = 0; cut <= frames.length; cut++) {
    const decoder = new PlainDecoder();
    decoder.push(frames.subarray(0, cut));
    const first = decodeAll(decoder);
    assert.equal(decoder.pendingBytes > 0, cut > 0 && first.length < 2 && cut !== frames.length - 28);
    decoder.push(frames.subarray(cut));
    assert.deepEqual([...first, ...decodeAll(decoder)].map(isLinkHeartbeat), [false, true]);
  }
});

test("a frame that is too long is refused with its length, before it has come", () => {
  const decoder = new PlainDecoder(1000);
  decoder.push(framed(new Uint8Array(1001)).subarray(0, 8));
  assert.throws(() => decoder.next(), { name: "FrameError", message: "a frame of 1001 bytes; at most 1000 are taken" });
});

test("a length of 2^63 and more is refused as too long", () => {
  const decoder = new PlainDecoder();
  decoder.push(Uint8Array.of(0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff));
  assert.throws(() => decoder.next(), FrameError);
});

test("what is no message is refused", () => {
  const decoder = new PlainDecoder();
  decoder.push(framed(Uint8Array.of(0x0a, 0xff)));
  assert.throws(() => decoder.next(), /a message of 2 bytes that cannot be read/);
});
