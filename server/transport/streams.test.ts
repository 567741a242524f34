/** The streams between members of ours: what they cost, how much may wait, and what happens when they break. */
import assert from "node:assert/strict";
import type { Socket } from "node:net";
import { test } from "node:test";
import { Door, SlowReader, StubPeer } from "../../test/support/raw-members.ts";
import { connected, eventually, TransportMember, withMembers } from "../../test/support/transport-member.ts";
import { Prng } from "../base/prng.ts";
import { type Entry, Message, MessageType } from "../proto/raftpb.ts";
import { framed } from "./message-codec.ts";
import { STREAM_QUEUE_BYTES_MAX, STREAM_QUEUE_MAX } from "./outgoing-stream.ts";

function appendTo(to: bigint, from: bigint, index: number, dataBytes = 10): Message {
  const entry: Entry = { type: 0, term: 5, index: index + 1, data: new Uint8Array(dataBytes).fill(index) };
  return Message.create({ type: MessageType.APP, to, from, term: 5, logTerm: 5, index, entries: [entry], commit: 1 });
}

test("what is sent in one turn leaves in one write on each stream", async () => {
  await withMembers(2, async ([one, two]) => {
    assert.ok(one !== undefined && two !== undefined);
    await connected(one, two);
    const { Socket: SocketClass } = await import("node:net");
    const prototype = SocketClass.prototype as unknown as Record<"_write" | "_writev", (...args: unknown[]) => unknown>;
    const { _write: write, _writev: writev } = prototype;
    let writes = 0;
    const counted = (original: (...args: unknown[]) => unknown) =>
      function counting(this: Socket, ...args: unknown[]): unknown {
        if (this.localPort === Number(new URL(one.url).port)) writes++;
        return original.apply(this, args);
      };
    prototype._write = counted(write);
    prototype._writev = counted(writev);
    try {
      one.network.send(Array.from({ length: 50 }, (_, n) => appendTo(2n, 1n, n + 1)));
      one.network.send(Array.from({ length: 50 }, (_, n) => one.heartbeat(2n, n)));
      await eventually(() => two.messages.length === 100, "all arrive");
    } finally {
      prototype._write = write;
      prototype._writev = writev;
    }
    assert.ok(writes >= 2 && writes <= 4, `${writes} writes for 100 messages on two streams`); // a heartbeat may fall in
  });
});

test("a member that comes back is dialled again, and messages arrive by streams", async () => {
  const one = await TransportMember.start(1n);
  const first = await TransportMember.start(2n);
  const port = Number(new URL(first.url).port);
  const door = await Door.open(port);
  try {
    one.meet(first, door.url);
    first.meet(one);
    await connected(one, first);
    door.cut();
    await eventually(() => one.network.activeSince(2n) === undefined, "the loss is seen");
    assert.ok(one.series.network.disconnectedPeers.with("1", "2").value > 0);
    door.mend();
    await eventually(() => one.network.activeSince(2n) !== undefined, "it is active again");
    await eventually(() => {
      one.network.send([one.heartbeat(2n, 9)]);
      return first.messages.some(({ commit }) => commit === 9);
    }, "messages arrive again");
  } finally {
    await Promise.all([one.close(), first.close()]);
    await door.close();
  }
});

test("whatever is cut and whenever, what arrives is what was sent", async () => {
  const random = new Prng(7);
  const [one, two] = [await TransportMember.start(1n), await TransportMember.start(2n)];
  const door = await Door.open(Number(new URL(two.url).port));
  const back = await Door.open(Number(new URL(one.url).port));
  const sent = new Map<number, Message>();
  try {
    one.meet(two, door.url);
    two.meet(one, back.url);
    await connected(one, two);
    let index = 1;
    for (let round = 0; round < 40; round++) {
      for (let n = 0; n < 20; n++) {
        if (random.below(5) === 0) index = 1 + random.below(index); // as raft does when it probes
        const message = appendTo(2n, 1n, index, random.below(20_000));
        message.commit = sent.size;
        sent.set(message.commit, message);
        one.network.send([message]);
        index++;
        if (random.below(4) === 0) await new Promise((resolve) => setImmediate(resolve));
      }
      const cut = random.below(2) === 0 ? back : door; // that of the streams, or that of single messages
      cut.cut();
      cut.mend();
    }
    const last = one.heartbeat(2n, 10 ** 6);
    await eventually(() => {
      one.network.send([last]);
      return two.messages.some(({ commit }) => commit === last.commit);
    }, "they talk again");
    const appends = two.messages.filter(({ type }) => type === MessageType.APP);
    assert.ok(appends.length > 100, `${appends.length} of ${sent.size} arrived`);
    for (const message of appends) assert.deepEqual(message, sent.get(message.commit));
    assert.equal(new Set(appends.map(({ commit }) => commit)).size, appends.length, "none comes twice");
  } finally {
    await Promise.all([one.close(), two.close()]);
    await Promise.all([door.close(), back.close()]);
  }
});

test("a member that takes nothing holds up no other, and is given up", async () => {
  const one = await TransportMember.start(1n, { timing: { writeMs: 1000 } });
  const two = await TransportMember.start(2n);
  const slow = await SlowReader.dial(one, 3n);
  try {
    one.meet(two);
    two.meet(one);
    await connected(one, two);
    let index = 1;
    await eventually(() => {
      // 64 KB entries to the one that reads nothing; heartbeats to both.
      one.network.send(Array.from({ length: 64 }, () => appendTo(3n, 1n, index++, 64 * 1024)));
      one.network.send([one.heartbeat(2n, index)]);
      return one.lost.includes(3n);
    }, "the bound is met");
    await eventually(() => two.messages.at(-1)?.commit === index, "the other gets its heartbeats");
    assert.ok(!one.lost.includes(2n));
    const isStalled = (error: unknown) => String(error).startsWith("the member took nothing for");
    await eventually(() => one.log.lines.some(({ fields }) => isStalled(fields["error"])), "its connection is broken");
  } finally {
    slow.close();
    await Promise.all([one.close(), two.close()]);
  }
});

test("what may wait on a stream is bounded, in messages and in bytes; what is beyond is dropped and reported", async () => {
  for (const [count, bytes, dropped] of [
    [STREAM_QUEUE_MAX + 100, 10, 100],
    [STREAM_QUEUE_BYTES_MAX / 2 ** 20 + 10, 2 ** 20, 10],
  ] as const) {
    await withMembers(2, async ([one, two]) => {
      assert.ok(one !== undefined && two !== undefined);
      await connected(one, two);
      // In one call: nothing leaves before it returns.
      one.network.send(Array.from({ length: count }, (_, n) => appendTo(2n, 1n, n + 1, bytes)));
      assert.equal(one.series.network.peerSentFailures.with("2").value, dropped);
      await eventually(() => two.messages.length === count - dropped && one.lost.length === 1, "the others arrive");
    });
  }
});

test("heartbeats do not wait behind appends that are not taken", async () => {
  const one = await TransportMember.start(1n);
  const slow = await SlowReader.dial(one, 3n);
  try {
    const beats = await slow.readMessages(one);
    one.network.send(Array.from({ length: 200 }, (_, n) => appendTo(3n, 1n, n + 1, 256 * 1024)));
    one.network.send([one.heartbeat(3n, 77)]);
    await eventually(() => beats.some(({ commit }) => commit === 77), "the heartbeat arrives");
  } finally {
    slow.close();
    await one.close();
  }
});

test("signs of life go out on streams that carry nothing else", async () => {
  await withMembers(
    2,
    async ([one, two]) => {
      assert.ok(one !== undefined && two !== undefined);
      await connected(one, two);
      const heard = () => two.series.network.peerReceivedBytes.with("1").value;
      const before = heard();
      await eventually(() => heard() > before + 100, "they arrive");
      assert.deepEqual([one.messages, two.messages], [[], []]);
    },
    { timing: { readMs: 300 } },
  );
});

test("a stream may be idle for longer than a write may take", async () => {
  await withMembers(
    2,
    async ([one, two]) => {
      assert.ok(one !== undefined && two !== undefined);
      await connected(one, two);
      await new Promise((resolve) => setTimeout(resolve, 300));
      one.network.send([one.heartbeat(2n, 7)]);
      await eventually(() => two.messages.length === 1, "the stream still stands");
      assert.deepEqual([...one.log.of("warn"), ...two.log.of("warn")], []);
    },
    { timing: { writeMs: 50, readMs: 60_000 } },
  );
});

test("silence ends a stream, and it is dialled again", async () => {
  const one = await TransportMember.start(1n, { timing: { readMs: 200, redialMs: 20, redialMaxMs: 80 } });
  const silent = await StubPeer.start(() => "HTTP/1.1 200 OK\r\nX-Server-Version: 3.7.3\r\n\r\n");
  try {
    one.network.addPeer(2n, [silent.url]);
    await eventually(() => silent.requests.length >= 6, "it is dialled again and again");
    assert.ok(one.log.lines.some(({ fields }) => /nothing came or went for 200 ms/.test(String(fields["error"]))));
  } finally {
    await one.close();
    await silent.close();
  }
});

test("a half-written frame is lost with its connection, and nothing of it arrives", async () => {
  const one = await TransportMember.start(1n);
  const whole = framed(Message.encode(Message.create({ type: MessageType.HEARTBEAT, to: 1n, from: 2n, term: 5 })));
  const peer = await StubPeer.start((head, socket) => {
    const isMessages = head.includes("/raft/stream/message/");
    const bytes = isMessages ? Buffer.concat([whole, whole.subarray(0, 11)]) : Buffer.of(2, 0, 0);
    setTimeout(() => socket.end(), 50);
    return `HTTP/1.1 200 OK\r\n\r\n${bytes.toString("latin1")}`;
  });
  try {
    one.network.addPeer(2n, [peer.url]);
    await eventually(() => one.messages.length >= 1, "the whole one arrives");
    await eventually(
      () => one.log.lines.some(({ fields }) => String(fields["error"]).includes("in the middle of a message")),
      "the half one is told of",
    );
    assert.ok(one.messages.every(({ type }) => type === MessageType.HEARTBEAT));
  } finally {
    await one.close();
    await peer.close();
  }
});

test("an oversize frame, and bytes that are none, end the stream with the reason in the log", async () => {
  const one = await TransportMember.start(1n);
  const peer = await StubPeer.start((head) => {
    const bytes = head.includes("/message/") ? "\u0000\u0000\u0000\u0001\u0000\u0000\u0000\u0000" : "GARBAGE";
    return `HTTP/1.1 200 OK\r\n\r\n${bytes}`;
  });
  try {
    one.network.addPeer(2n, [peer.url]);
    const told = (pattern: RegExp) => one.log.lines.some(({ fields }) => pattern.test(String(fields["error"])));
    await eventually(() => told(/a frame of 4294967296 bytes; at most 536870912 are taken/), "the length is refused");
    await eventually(() => told(/a frame of type 71; 0, 1 and 2 are known/), "the type is refused");
    assert.deepEqual(one.messages, []);
    assert.ok(one.series.network.peerReceivedFailures.with("2").value >= 2);
  } finally {
    await one.close();
    await peer.close();
  }
});

test("a second connection for a stream takes the place of the first", async () => {
  const one = await TransportMember.start(1n);
  const first = await SlowReader.dial(one, 3n);
  const second = await SlowReader.dial(one, 3n);
  try {
    await eventually(() => first.isClosed, "the first is closed");
    assert.equal(second.isClosed, false);
  } finally {
    first.close();
    second.close();
    await one.close();
  }
});
