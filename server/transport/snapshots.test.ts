/** Whole states between members of ours: what arrives, and what happens when it breaks off. */
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { connect, type Socket } from "node:net";
import { test } from "node:test";
import { gunzipSync } from "node:zlib";
import { peerRecording } from "../../test/support/peer-recordings.ts";
import { Door } from "../../test/support/raw-members.ts";
import { Deferred } from "../../test/support/settling.ts";
import { eventually, TransportMember, withMembers } from "../../test/support/transport-member.ts";
import { Message, MessageType } from "../proto/raftpb.ts";
import { framed } from "./message-codec.ts";
import { SNAPSHOTS_MAX } from "./snapshot-receiver.ts";

function snapMessage(index = 1000): Message {
  const confState = { voters: [1n, 2n], learners: [], votersOutgoing: [], learnersNext: [], autoLeave: false };
  const snapshot = { data: new Uint8Array(10), metadata: { confState, index, term: 4 } };
  return Message.create({ type: MessageType.SNAP, to: 2n, from: 1n, term: 5, snapshot });
}

async function* pieces(count: number, bytes = 64 * 1024): AsyncGenerator<Uint8Array> {
  for (let n = 0; n < count; n++) yield new Uint8Array(bytes).fill(n);
}

test("a snapshot arrives whole, then its message, then the sender knows", async () => {
  await withMembers(2, async ([one, two]) => {
    assert.ok(one !== undefined && two !== undefined);
    one.network.sendSnapshot({ message: snapMessage(), sizeBytes: 0, body: pieces(100) });
    await eventually(() => one.snapshotsSent.length === 1, "it is reported");
    assert.deepEqual(one.snapshotsSent, [{ id: 2n, wasDelivered: true }]);
    assert.deepEqual(two.messages, [snapMessage()]);
    const [snapshot] = two.snapshots;
    assert.deepEqual(snapshot?.message, snapMessage());
    const expected = createHash("sha256");
    for await (const piece of pieces(100)) expected.update(piece);
    assert.equal(
      createHash("sha256")
        .update(snapshot?.body as Uint8Array)
        .digest("hex"),
      expected.digest("hex"),
    );
    assert.equal(one.series.network.snapshotSendSuccess.with("2").value, 1);
    assert.equal(two.series.network.snapshotReceiveSuccess.with("1").value, 1);
    assert.equal(one.series.network.snapshotSendInflight.with("2").value, 0);
    assert.equal(two.series.network.snapshotReceiveInflight.with("1").value, 0);
  });
});

for (const version of ["3.7", "3.6"]) {
  test(`a snapshot as etcd ${version} sends it is taken in`, async () => {
    const { head, messageGzip, fileBegins } = peerRecording(version).snapshot;
    const prefix = gunzipSync(Buffer.from(messageGzip, "base64"));
    const file = Buffer.from(fileBegins, "hex");
    const message = Message.decode(prefix.subarray(8));
    if (version === "3.6") assert.deepEqual(Buffer.from(framed(Message.encode(message))), prefix);
    const clusterId = BigInt(`0x${/X-Etcd-Cluster-Id: (\w+)/.exec(head)?.[1]}`);
    const member = await TransportMember.start(message.to, { clusterId });
    try {
      const socket = connect(Number(new URL(member.url).port), "127.0.0.1");
      socket.write(`${head}\r\nConnection: close\r\n\r\n`);
      for (const chunk of [prefix.subarray(0, 3000), Buffer.concat([prefix.subarray(3000), file]), Buffer.of()]) {
        socket.write(`${chunk.length.toString(16)}\r\n`);
        socket.write(Buffer.concat([chunk, Buffer.from("\r\n")]));
      }
      let answer = "";
      for await (const bytes of socket) answer += String(bytes);
      assert.match(answer, /^HTTP\/1.1 204 /);
      assert.deepEqual(Buffer.from(member.snapshots[0]?.body ?? []), file);
      assert.deepEqual(member.messages, [message]);
    } finally {
      await member.close();
    }
  });
}

test("the body is read no faster than the receiver stores it", async () => {
  await withMembers(2, async ([one, two]) => {
    assert.ok(one !== undefined && two !== undefined);
    const room = new Deferred();
    let stored = 0;
    two.openSnapshot = () => ({
      write: (bytes) => {
        stored += bytes.length;
        return room.promise;
      },
      end: async () => undefined,
      abort: () => undefined,
    });
    let read = 0;
    async function* counted(): AsyncGenerator<Uint8Array> {
      for await (const piece of pieces(1000)) {
        read++;
        yield piece;
      }
    }
    one.network.sendSnapshot({ message: snapMessage(), sizeBytes: 0, body: counted() });
    await eventually(() => stored > 0, "it begins");
    let before = -1;
    while (before !== read) {
      before = read;
      await new Promise((settle) => setTimeout(settle, 100));
    }
    assert.ok(read < 500, `${read} of 1000 pieces were read for a receiver that stores none`);
    room.resolve();
    await eventually(() => one.snapshotsSent.length === 1, "it goes on");
    assert.equal(stored, 1000 * 64 * 1024);
  });
});

test("a refusal, a body that fails and a member that is gone are failures, and the body is closed", async () => {
  await withMembers(2, async ([one, two]) => {
    assert.ok(one !== undefined && two !== undefined);
    const closed: string[] = [];
    async function* watched(name: string, failAt = Number.POSITIVE_INFINITY): AsyncGenerator<Uint8Array> {
      try {
        for (let n = 0; n < 10_000; n++) {
          if (n === failAt) throw new Error("the disk is gone");
          yield new Uint8Array(64 * 1024);
        }
      } finally {
        closed.push(name);
      }
    }
    two.openSnapshot = () => {
      throw new Error("no room for it");
    };
    one.network.sendSnapshot({ message: snapMessage(), sizeBytes: 0, body: watched("refused") });
    await eventually(() => one.snapshotsSent.length === 1 && closed.length === 1, "the refusal is reported");
    assert.ok(
      one.log.lines.some(({ fields }) => /500: failed to save KV snapshot \(no room/.test(`${fields["error"]}`)),
    );
    two.openSnapshot = undefined;
    one.network.sendSnapshot({ message: snapMessage(), sizeBytes: 0, body: watched("failed", 5) });
    await eventually(() => one.snapshotsSent.length === 2 && closed.length === 2, "the failure is reported");
    await eventually(() => two.aborted.length === 1, "the receiver forgets it");
    one.network.sendSnapshot({ message: { ...snapMessage(), to: 9n }, sizeBytes: 0, body: watched("nobody") });
    await eventually(() => one.snapshotsSent.length === 3, "a member that is not known is reported");
    assert.ok(one.snapshotsSent.every(({ wasDelivered }) => !wasDelivered));
    assert.deepEqual(two.messages, []);
    assert.deepEqual(two.snapshots, []);
    assert.equal(one.series.network.snapshotSendFailures.with("2").value, 2);
  });
});

test("failures in a row are logged less and less, and the first one after a success at once", async () => {
  await withMembers(2, async ([one, two]) => {
    assert.ok(one !== undefined && two !== undefined);
    let damaged = true;
    two.openSnapshot = (message) => ({
      write: () => undefined,
      end: async () => {
        if (damaged) throw new Error("record 7 is damaged");
        two.snapshots.push({ message, body: new Uint8Array() });
      },
      abort: () => undefined,
    });
    const send = async () => {
      const told = one.snapshotsSent.length;
      one.network.sendSnapshot({ message: snapMessage(), sizeBytes: 0, body: pieces(1) });
      await eventually(() => one.snapshotsSent.length > told, "it is reported");
    };
    const lines = () => two.log.lines.filter(({ message }) => message.startsWith("failed to save")).length;
    for (let n = 0; n < 25; n++) await send();
    assert.ok(one.snapshotsSent.every(({ wasDelivered }) => !wasDelivered));
    const logged = lines();
    assert.ok(logged >= 2 && logged <= 8, `${logged} of 25 were logged`);
    assert.match(
      String(two.log.lines.find(({ message }) => message.startsWith("failed"))?.fields["error"]),
      /record 7/,
    );
    damaged = false;
    await send();
    damaged = true;
    await send();
    assert.equal(lines(), logged + 1);
  });
});

test("a second snapshot to a member, while one is on its way, is a failure at once", async () => {
  await withMembers(2, async ([one, two]) => {
    assert.ok(one !== undefined && two !== undefined);
    one.network.sendSnapshot({ message: snapMessage(1), sizeBytes: 0, body: pieces(50) });
    one.network.sendSnapshot({ message: snapMessage(2), sizeBytes: 0, body: pieces(1) });
    await eventually(() => one.snapshotsSent.length === 2, "both are reported");
    assert.deepEqual(
      one.snapshotsSent.map(({ wasDelivered }) => wasDelivered),
      [false, true],
    );
    assert.deepEqual(
      two.messages.map(({ snapshot }) => snapshot?.metadata?.index),
      [1],
    );
  });
});

test("a connection cut in the middle leaves nothing behind on either side", async () => {
  const [one, two] = [await TransportMember.start(1n), await TransportMember.start(2n)];
  const door = await Door.open(Number(new URL(two.url).port));
  try {
    one.meet(two, door.url);
    two.openSnapshot = (message) => ({
      write: () => door.cut(),
      end: async () => void two.snapshots.push({ message, body: new Uint8Array() }),
      abort: ({ message: text }) => void two.aborted.push(text),
    });
    one.network.sendSnapshot({ message: snapMessage(), sizeBytes: 0, body: pieces(1000) });
    await eventually(() => one.snapshotsSent.length === 1 && two.aborted.length === 1, "both sides know");
    assert.equal(one.snapshotsSent[0]?.wasDelivered, false);
    assert.deepEqual([two.snapshots, two.messages], [[], []]);
    assert.ok(one.lost.includes(2n));
  } finally {
    await Promise.all([one.close(), two.close()]);
    await door.close();
  }
});

test("a snapshot that stops short, is none, or says nothing of itself, is refused in a sentence", async () => {
  const two = await TransportMember.start(2n);
  const post = (body: Uint8Array, length = body.length) => rawPost(two, body, length);
  try {
    const whole = framed(Message.encode(snapMessage()));
    assert.match(await post(whole.subarray(0, 20)), /^HTTP\/1.1 400 .*unexpected EOF/s);
    assert.match(await post(framed(Message.encode(two.heartbeat(2n, 1)))), /^HTTP\/1.1 400 .*wrong raft message type/s);
    assert.match(await post(Uint8Array.of(0, 0, 0, 0, 0xff, 0, 0, 0)), /^HTTP\/1.1 400 .*4278190080 bytes; at most/s);
    const empty = Message.create({ type: MessageType.SNAP, to: 2n, from: 1n, term: 5 });
    assert.match(await post(framed(Message.encode(empty))), /^HTTP\/1.1 400 .*says what index it is of/s);
    const other = framed(Message.encode({ ...snapMessage(), to: 9n }));
    assert.match(await post(other), /^HTTP\/1.1 500 .*mismatch member/s);
    two.removed.add(1n);
    assert.match(await post(whole), /^HTTP\/1.1 403 .*from removed member/s);
    assert.deepEqual([two.snapshots, two.messages, two.aborted], [[], [], []]);
  } finally {
    await two.close();
  }
});

test("a body shorter than its length is aborted, and so is one that a newer one of the same sender replaces", async () => {
  const two = await TransportMember.start(2n);
  try {
    const whole = framed(Message.encode(snapMessage()));
    const first = startPost(two, whole, whole.length + 100);
    await eventually(() => two.log.of("info").includes("receiving database snapshot"), "it begins");
    assert.match(await rawPost(two, whole, whole.length), /^HTTP\/1.1 204/);
    await eventually(() => two.aborted.length === 1, "the older one is given up");
    first.destroy();
    const second = startPost(two, whole, whole.length + 100);
    await eventually(
      () => two.log.of("info").filter((text) => text === "receiving database snapshot").length === 3,
      "the next begins",
    );
    second.destroy();
    await eventually(() => two.aborted.length === 2, "it is aborted");
    assert.equal(two.snapshots.length, 1);
    assert.equal(two.messages.length, 1);
  } finally {
    await two.close();
  }
});

test("only so many snapshots come in at a time, and a refused one takes no place", async () => {
  const two = await TransportMember.start(2n);
  const open: Socket[] = [];
  try {
    const from = (id: bigint) => framed(Message.encode({ ...snapMessage(), from: id }));
    two.openSnapshot = () => {
      throw new Error("not now");
    };
    for (let n = 0; n < SNAPSHOTS_MAX; n++)
      assert.match(await rawPost(two, from(BigInt(20 + n)), 10_000), /^HTTP\/1.1 500 /);
    two.openSnapshot = undefined;
    for (let n = 0; n < SNAPSHOTS_MAX; n++) open.push(startPost(two, from(BigInt(10 + n)), 100_000));
    const begun = () => two.log.of("info").filter((text) => text === "receiving database snapshot").length;
    await eventually(() => begun() === SNAPSHOTS_MAX, "they begin");
    assert.match(await rawPost(two, from(99n), 10_000), /^HTTP\/1.1 503 .*send it again later/s);
  } finally {
    for (const socket of open) socket.destroy();
    await two.close();
  }
});

test("a snapshot that comes in while the network is closed is given up", async () => {
  const [one, two] = [await TransportMember.start(1n), await TransportMember.start(2n)];
  one.meet(two);
  async function* endless(): AsyncGenerator<Uint8Array> {
    for (;;) yield new Uint8Array(64 * 1024);
  }
  one.network.sendSnapshot({ message: snapMessage(), sizeBytes: 0, body: endless() });
  await eventually(() => two.log.of("info").includes("receiving database snapshot"), "it begins");
  await two.close();
  await eventually(() => one.snapshotsSent.length === 1 && two.aborted.length === 1, "both sides know");
  assert.deepEqual([two.snapshots, two.messages, one.snapshotsSent[0]?.wasDelivered], [[], [], false]);
  await one.close();
});

test("a snapshot under way when the network is closed is a failure", async () => {
  const [one, two] = [await TransportMember.start(1n), await TransportMember.start(2n)];
  one.meet(two);
  const stuck = new Promise<void>(() => undefined);
  two.openSnapshot = () => ({ write: () => stuck, end: () => stuck, abort: () => undefined });
  one.network.sendSnapshot({ message: snapMessage(), sizeBytes: 0, body: pieces(1000) });
  await eventually(() => two.log.of("info").includes("receiving database snapshot"), "it begins");
  await one.close();
  assert.deepEqual(one.snapshotsSent, [{ id: 2n, wasDelivered: false }]);
  await two.close();
});

function startPost(member: TransportMember, body: Uint8Array, length: number): Socket {
  const socket = connect(Number(new URL(member.url).port), "127.0.0.1");
  socket.on("error", () => undefined);
  const head = [
    "POST /raft/snapshot HTTP/1.1",
    "Host: x",
    "X-Etcd-Cluster-ID: c0ffee",
    "X-Server-Version: 3.7.3",
    `Content-Length: ${length}`,
    "Connection: close",
    "",
    "",
  ];
  socket.write(head.join("\r\n"));
  socket.write(body);
  return socket;
}

async function rawPost(member: TransportMember, body: Uint8Array, length: number): Promise<string> {
  const socket = startPost(member, body, length);
  let text = "";
  for await (const bytes of socket) text += String(bytes);
  return text;
}
