import assert from "node:assert/strict";
import { test } from "node:test";
import { peerRecording } from "../../test/support/peer-recordings.ts";
import { concatBytes, utf8Bytes } from "../base/bytes.ts";
import { Prng } from "../base/prng.ts";
import { type Entry, Message, MessageType } from "../proto/raftpb.ts";
import { FrameError, isLinkHeartbeat } from "./message-codec.ts";
import { MsgAppDecoder, MsgAppEncoder, SharedEntries } from "./msgapp-codec.ts";

const ENDS = { local: 7n, remote: 9n };

function entry(index: number, term = 2, data = utf8Bytes(`entry ${index}`)): Entry {
  return { type: 0, term, index, data };
}

/** An append of a leader in `term`, its entries following on `index`. */
function append(index: number, entries: Entry[], { term = 2, logTerm = 2, commit = 1 } = {}): Message {
  return Message.create({ type: MessageType.APP, to: 7n, from: 9n, term, logTerm, index, entries, commit });
}

function encoded(encoder: MsgAppEncoder, ...messages: Message[]): Uint8Array {
  return concatBytes(messages.flatMap((message) => encoder.encode(message)));
}

function decodeAll(decoder: MsgAppDecoder, bytes: Uint8Array): Message[] {
  decoder.push(bytes);
  const messages: Message[] = [];
  for (let next = decoder.next(); next !== undefined; next = decoder.next()) messages.push(next);
  return messages;
}

for (const version of ["3.7", "3.6"]) {
  test(`the stream of etcd ${version} is read`, () => {
    for (const hex of peerRecording(version).appendStream) {
      const messages = decodeAll(new MsgAppDecoder(ENDS), Buffer.from(hex, "hex"));
      const appends = messages.filter((message) => !isLinkHeartbeat(message));
      assert.ok(appends.length > 8 && appends.length < messages.length);
      let last = appends[0]?.index ?? 0;
      for (const { index, logTerm, term, entries } of appends) {
        assert.equal(index, last);
        assert.equal(term, 2);
        assert.ok(logTerm === 2 || last === 2, "only the first follows on an entry of an older term");
        for (const one of entries) assert.equal(one.index, ++last);
      }
      assert.equal(appends.at(-1)?.commit, last);
      assert.ok(appends.some(({ entries }) => entries.some(({ data }) => Buffer.from(data).includes("key 2"))));
    }
  });
}

test("what etcd 3.6 wrote we write, byte for byte", () => {
  const [hex = ""] = peerRecording("3.6").appendStream;
  const bytes = Buffer.from(hex, "hex");
  const encoder = new MsgAppEncoder(new SharedEntries());
  const again = decodeAll(new MsgAppDecoder(ENDS), bytes).flatMap((message) =>
    isLinkHeartbeat(message) ? [encoder.linkHeartbeat()] : encoder.encode(message),
  );
  assert.equal(Buffer.from(concatBytes(again)).toString("hex"), hex);
});

test("after the first append of a term, frames hold entries and a commit index alone", () => {
  const encoder = new MsgAppEncoder(new SharedEntries());
  const first = encoded(encoder, append(4, [entry(5)], { logTerm: 1 }));
  assert.equal(first[0], 2);
  const second = encoded(encoder, append(5, [entry(6), entry(7)]));
  assert.equal(second[0], 1);
  const commit = encoded(encoder, append(7, [], { commit: 7 }));
  assert.deepEqual(Uint8Array.from(commit), Uint8Array.of(1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 7));
  const probing = encoded(encoder, append(3, [entry(4)]));
  assert.equal(probing[0], 2, "one that does not follow on the last says all of it");
});

test("what is encoded comes out again, however the bytes are cut", () => {
  const random = new Prng(5);
  const encoder = new MsgAppEncoder(new SharedEntries());
  const sent: Message[] = [];
  let index = 10;
  for (let n = 0; n < 200; n++) {
    if (random.below(10) === 0) index = 5 + random.below(20);
    const entries = Array.from({ length: random.below(4) }, (_, at) => entry(index + 1 + at));
    sent.push(append(index, entries, { commit: random.below(9), logTerm: random.below(8) === 0 ? 1 : 2 }));
    index += entries.length;
  }
  const bytes = encoded(encoder, ...sent);
  const decoder = new MsgAppDecoder(ENDS);
  const received: Message[] = [];
  for (let at = 0; at < bytes.length; ) {
    const length = 1 + random.below(40);
    received.push(...decodeAll(decoder, bytes.subarray(at, at + length)));
    at += length;
  }
  assert.equal(decoder.pendingBytes, 0);
  assert.deepEqual(received, sent);
});

test("entries that go to several followers are encoded once", () => {
  const shared = new SharedEntries();
  const encoders = [1, 2, 3, 4].map(() => new MsgAppEncoder(shared));
  for (const encoder of encoders) encoder.encode(append(1, [], { logTerm: 1 }));
  const log = [entry(2), entry(3), entry(4)];
  const before = shared.encodings;
  const frames = encoders.map((encoder) => encoded(encoder, append(1, log.slice(0, 2))));
  assert.equal(shared.encodings - before, 1);
  for (const frame of frames) assert.deepEqual(frame, frames[0]);
  const other = encoded(encoders[0] as MsgAppEncoder, append(3, log.slice(2)));
  assert.deepEqual(decodeAll(primed(1), concatBytes([frames[0] as Uint8Array, other])).at(-1)?.entries, [entry(4)]);
});

/** A decoder that has come to `index` in term 2. */
function primed(index: number): MsgAppDecoder {
  const decoder = new MsgAppDecoder(ENDS);
  decodeAll(decoder, encoded(new MsgAppEncoder(new SharedEntries()), append(index, [], { logTerm: 1 })));
  return decoder;
}

test("an entry that does not follow on the stream is refused with both indexes", () => {
  const frame = concatBytes([new SharedEntries().frame([entry(9)]), new Uint8Array(8)]);
  assert.throws(() => decodeAll(primed(4), frame), {
    name: "FrameError",
    message: "entry 9 where the stream has come to 5",
  });
});

test("a frame of an unknown type, an entry or a count that is too long are refused", () => {
  assert.throws(() => decodeAll(new MsgAppDecoder(ENDS), Uint8Array.of(3)), /a frame of type 3; 0, 1 and 2 are known/);
  const oversize = Uint8Array.of(1, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 1, 0, 0);
  assert.throws(() => decodeAll(new MsgAppDecoder(ENDS, 1000), oversize), /a frame of 65544 bytes/);
  const countless = Uint8Array.of(1, 0, 0, 0, 0, 0x10, 0, 0, 0);
  assert.throws(() => decodeAll(new MsgAppDecoder(ENDS), countless), FrameError);
  const message = Uint8Array.of(2, 0, 0, 0, 1, 0, 0, 0, 0);
  assert.throws(() => decodeAll(new MsgAppDecoder(ENDS), message), FrameError);
});

test("entries together may not be longer than one frame", () => {
  const entries = Array.from({ length: 20 }, (_, at) => entry(2 + at, 2, new Uint8Array(100)));
  const frame = new SharedEntries().frame(entries);
  const decoder = new MsgAppDecoder(ENDS, 1000);
  decodeAll(decoder, encoded(new MsgAppEncoder(new SharedEntries()), append(1, [], { logTerm: 1 })));
  assert.throws(() => decodeAll(decoder, frame), FrameError);
});
