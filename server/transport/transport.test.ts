/** Members of ours in one process, on real sockets: what arrives, and what is refused. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { peerRecording } from "../../test/support/peer-recordings.ts";
import { askPeer, peerRequests } from "../../test/support/peer-requests.ts";
import { connected, eventually, TransportMember, withMembers } from "../../test/support/transport-member.ts";
import { EtcdError } from "../base/error.ts";
import { type Entry, Message, MessageType } from "../proto/raftpb.ts";
import { PIPELINE_QUEUE_MAX, PIPELINE_WIDTH } from "./pipeline.ts";

function appendTo(to: bigint, from: bigint, index: number, dataBytes = 10): Message {
  const entry: Entry = { type: 0, term: 5, index: index + 1, data: new Uint8Array(dataBytes).fill(index) };
  return Message.create({ type: MessageType.APP, to, from, term: 5, logTerm: 5, index, entries: [entry], commit: 1 });
}

test("messages of every kind arrive as they were sent, each kind in order", async () => {
  await withMembers(2, async ([one, two]) => {
    assert.ok(one !== undefined && two !== undefined);
    await connected(one, two);
    const appends = Array.from({ length: 300 }, (_, n) => appendTo(2n, 1n, n + 1));
    const beats = Array.from({ length: 300 }, (_, n) => one.heartbeat(2n, n));
    one.network.send(appends.flatMap((message, n) => [message, beats[n] as Message]));
    two.network.send([two.heartbeat(1n, 42)]);
    await eventually(() => two.messages.length === 600 && one.messages.length === 1, "all arrive");
    assert.deepEqual(
      two.messages.filter(({ type }) => type === MessageType.APP),
      appends,
    );
    assert.deepEqual(
      two.messages.filter(({ type }) => type !== MessageType.APP),
      beats,
    );
    assert.equal(one.messages[0]?.commit, 42);
    assert.deepEqual([...one.lost, ...two.lost], []);
    assert.ok(one.network.activeSince(2n) !== undefined);
    assert.ok(two.series.network.peerReceivedBytes.with("1").value > 600 * 10);
  });
});

test("before streams stand, messages are posted one by one", async () => {
  const [one, two] = [await TransportMember.start(1n), await TransportMember.start(2n)];
  try {
    one.meet(two); // two does not know one, and so dials nobody
    one.network.send([one.heartbeat(2n, 7)]);
    await eventually(() => two.messages.length === 1, "it arrives");
    assert.deepEqual(two.messages, [one.heartbeat(2n, 7)]);
  } finally {
    await Promise.all([one.close(), two.close()]);
  }
});

test("one whom we do not know yet gets our answers, at the URL that it names", async () => {
  const [one, two] = [await TransportMember.start(1n), await TransportMember.start(2n)];
  try {
    one.meet(two);
    one.network.send([one.heartbeat(2n, 7)]);
    await eventually(() => two.messages.length === 1, "it arrives");
    two.network.send([Message.create({ type: MessageType.HEARTBEAT_RESP, to: 1n, from: 2n, term: 5 })]);
    await eventually(() => one.messages.length === 1, "the answer arrives");
    assert.equal(two.network.activeSince(1n), undefined);
  } finally {
    await Promise.all([one.close(), two.close()]);
  }
});

test("a member that is down is reported, and the queue to it is bounded", async () => {
  const one = await TransportMember.start(1n);
  try {
    one.network.addPeer(2n, ["http://127.0.0.1:1"]);
    const sent = PIPELINE_QUEUE_MAX + PIPELINE_WIDTH + 30;
    one.network.send(Array.from({ length: sent }, (_, n) => one.heartbeat(2n, n)));
    assert.deepEqual(one.lost, [], "not told inside the call");
    await eventually(() => one.series.network.peerSentFailures.with("2").value === sent, "all are lost");
    assert.ok(one.lost.length >= 1 && one.lost.every((id) => id === 2n));
    assert.equal(one.log.of("warn").filter((text) => text.startsWith("dropped internal Raft message")).length, 1);
  } finally {
    await one.close();
  }
});

test("a removed member is turned away with 410 and 403, and learns of it once", async () => {
  await withMembers(2, async ([one, two]) => {
    assert.ok(one !== undefined && two !== undefined);
    await connected(one, two);
    two.removed.add(1n);
    two.network.removePeer(1n);
    await eventually(() => one.selfRemovals > 0, "it learns of it by its streams");
    one.network.send([one.heartbeat(2n, 1)]);
    await eventually(() => one.lost.length > 0, "its message is refused");
    assert.equal(one.selfRemovals, 1);
    assert.deepEqual(two.messages, []);
  });
});

test("a member of another cluster, or of a version that cannot be, is refused with 412", async () => {
  const strangers = [
    await TransportMember.start(2n, { clusterId: 5n }),
    await TransportMember.start(2n, { serverVersion: "2.3.9" }),
    await TransportMember.start(2n, { minClusterVersion: "4.1.0" }),
    await TransportMember.start(2n, { serverVersion: "latest" }),
  ];
  const one = await TransportMember.start(1n);
  try {
    for (const two of strangers) {
      two.meet(one);
      two.network.send([two.heartbeat(1n, 1)]);
      await eventually(() => two.lost.length > 0, "its message is refused");
      await eventually(() => two.log.lines.some(({ fields }) => / 412: /.test(String(fields["error"]))), "with 412");
      assert.equal(two.selfRemovals, 0);
    }
    assert.deepEqual(one.messages, []);
    const reasons = one.log.lines.map(({ fields }) => String(fields["error"])).join("\n");
    assert.match(reasons, /member "2" is of cluster "5", and this is cluster "c0ffee"/);
    assert.match(reasons, /its version "2.3.9" is older than "3.0.0"; upgrade it/);
    assert.match(reasons, /it works with "4.1.0" and newer, and this is "3.7.3"/);
    assert.match(reasons, /its version "latest" is not one like "3.7.0"/);
  } finally {
    await Promise.all([one, ...strangers].map((member) => member.close()));
  }
});

test("a message for another member is not taken, and its sender does not think that it was removed", async () => {
  const [one, two] = [await TransportMember.start(1n), await TransportMember.start(2n)];
  try {
    one.network.addPeer(9n, [two.url]); // 9 moved away
    one.network.send([one.heartbeat(9n, 1)]);
    await eventually(() => one.lost.length > 0, "it is refused");
    assert.deepEqual(two.messages, []);
    assert.equal(one.selfRemovals, 0);
    const errors = one.log.lines.map(({ fields }) => String(fields["error"])).join("\n");
    assert.match(errors, /is its peer URL that of another member\?/);
  } finally {
    await Promise.all([one.close(), two.close()]);
  }
});

test("after it is closed nothing is called and nothing is open", async () => {
  const [one, two] = [await TransportMember.start(1n), await TransportMember.start(2n)];
  one.meet(two);
  two.meet(one);
  await connected(one, two);
  one.network.send(Array.from({ length: 100 }, (_, n) => one.heartbeat(2n, n)));
  await one.close();
  const { lost } = one;
  const before = lost.length;
  one.network.send([one.heartbeat(2n, 1)]);
  // Again and again: one that goes out before the other end's goodbye has come is lost in silence.
  await eventually(() => {
    two.network.send([two.heartbeat(1n, 1)]);
    return two.lost.length > 0;
  }, "the other sees that it is gone");
  assert.equal(lost.length, before);
  assert.equal(one.messages.length, 0);
  await two.close();
});

for (const version of ["3.7", "3.6"]) {
  test(`requests good and bad are answered as etcd ${version} answers them`, async () => {
    const recording = peerRecording(version);
    const clusterId = BigInt(`0x${recording.answers["members"]?.headers["x-etcd-cluster-id"]}`);
    const members = JSON.parse(recording.answers["members"]?.body ?? "[]") as { name: string; peerURLs: string[] }[];
    const ids = [...(recording.answers["members"]?.body ?? "").matchAll(/"id":(\d+)/g)].map(([, id = ""]) =>
      BigInt(id),
    );
    const at = members.findIndex(({ name }) => name === "etcd");
    const asked = await TransportMember.start(ids[at] as bigint, {
      clusterId,
      serverVersion: recording.version.split(" ").at(-1) as string,
      answers: {
        version: () => {
          const body = recording.answers["version"]?.body ?? "";
          const { etcdserver: server, etcdcluster: cluster, storage } = JSON.parse(body) as Record<string, string>;
          return { server: server ?? "", cluster: cluster ?? "", storage: storage ?? "" };
        },
        members: () => ({
          clusterId,
          members: members.map(({ name, peerURLs, ...rest }, n) => ({
            id: ids[n] as bigint,
            name,
            peerUrls: peerURLs,
            clientUrls: (rest as { clientURLs?: string[] }).clientURLs ?? [],
            isLearner: false,
          })),
        }),
        downgradeEnabled: () => false,
        promote: () => {
          throw new EtcdError("MemberNotFound");
        },
        leaseRenew: () => {
          throw new EtcdError("LeaseNotFound");
        },
      },
    });
    try {
      const from = ids[1 - at] as bigint;
      asked.network.addPeer(from, ["http://127.0.0.1:1"]);
      const requests = Object.entries(peerRequests({ from, clusterId }));
      assert.ok(requests.length > 20);
      for (const [name, request] of requests) {
        const ours = await askPeer(asked.url, request);
        const theirs = recording.answers[name];
        if (name === "probing") assert.match(ours.body ?? "", /^\{"OK":true,"Now":"[-0-9T:.]+Z"\}\n$/);
        else if (name === "postOtherMember")
          assert.equal(ours.status, theirs?.status); // etcd breaks off in the middle
        else assert.deepEqual(ours, theirs, name);
      }
    } finally {
      await asked.close();
    }
  });
}
