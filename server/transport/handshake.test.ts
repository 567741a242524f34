import assert from "node:assert/strict";
import { test } from "node:test";
import { peerRecording } from "../../test/support/peer-recordings.ts";
import { StubPeer } from "../../test/support/raw-members.ts";
import { eventually, TransportMember } from "../../test/support/transport-member.ts";
import { Message, MessageType } from "../proto/raftpb.ts";
import { type Identity, parseId, refusalOf, requestHeaders } from "./handshake.ts";

const IDENTITY: Identity = {
  memberId: 2n ** 64n - 1n,
  clusterId: 0xabcn,
  peerUrls: ["http://a:2380", "http://b:2380"],
  serverVersion: "3.7.3",
  minClusterVersion: "3.0.0",
};

/** What is asked for, and header names with what their values look like; without those of the HTTP client itself. */
function shapeOf(head: string): string[] {
  const [first = "", ...lines] = head.split("\r\n").filter((line) => line !== "");
  const shapes = lines.map((line) => {
    const [name = "", value = ""] = line.split(/: (.*)/s);
    const shape = value.replace(/^\d+\.\d+\.\d+$/, "VERSION").replace(/\b[0-9a-f]{5,16}\b/g, "ID");
    return `${name.toLowerCase()}: ${shape.replace(/(http:\/\/)?127\.0\.0\.1:\w+/, "URL").replace(/^\d+$/, "N")}`;
  });
  const own = /^(user-agent|accept-encoding|connection|host)/;
  const path = first.replace(/\/[0-9a-f]+ HTTP/, "/ID HTTP");
  return [path, ...shapes.filter((shape) => !own.test(shape)).sort()];
}

test("our requests have the headers of etcd's", async () => {
  const one = await TransportMember.start(0xabcdef12n);
  const stub = await StubPeer.start(() => "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n");
  try {
    one.network.addPeer(0x123456789n, [stub.url]);
    one.network.send([one.heartbeat(0x123456789n, 1)]);
    const snapshot = { data: new Uint8Array(), metadata: { index: 5, term: 1, confState: undefined } };
    const message = Message.create({ type: MessageType.SNAP, to: 0x123456789n, from: one.id, snapshot });
    one.network.sendSnapshot({ message, sizeBytes: 0, body: (async function* () {})() });
    const find = (start: string) => stub.requests.find((text) => text.startsWith(start));
    const starts = ["GET /raft/stream/message/", "GET /raft/stream/msgapp/", "POST /raft ", "POST /raft/snapshot "];
    await eventually(() => starts.every((start) => find(start) !== undefined), "every kind is seen");
    const { streamRequests, pipelineRequest, snapshot: snapshotRequest } = peerRecording("3.7");
    const theirs = [...streamRequests, pipelineRequest, snapshotRequest.head];
    for (const start of starts) {
      const head = find(start)?.split("\r\n\r\n")[0] as string;
      const etcds = theirs.find((text) => text.startsWith(start)) as string;
      assert.deepEqual(shapeOf(head), shapeOf(etcds));
    }
  } finally {
    await one.close();
    await stub.close();
  }
});

test("headers name us in hex, and all our URLs", () => {
  assert.deepEqual(requestHeaders(IDENTITY), {
    "X-Server-From": "ffffffffffffffff",
    "X-Server-Version": "3.7.3",
    "X-Min-Cluster-Version": "3.0.0",
    "X-Etcd-Cluster-ID": "abc",
    "X-PeerURLs": "http://a:2380,http://b:2380",
  });
});

test("versions are compared by major and minor number, and a missing one is 2.0", () => {
  const headers = (server: string | undefined, minCluster: string | undefined) => ({
    "x-etcd-cluster-id": "abc",
    ...(server === undefined ? {} : { "x-server-version": server }),
    ...(minCluster === undefined ? {} : { "x-min-cluster-version": minCluster }),
  });
  for (const [server, minCluster, status] of [
    ["3.7.3", "3.0.0", undefined],
    ["3.0.99", "3.0.0", undefined],
    ["3.10.0", "3.0.0", undefined],
    ["3.8.0-alpha.0", "3.7.99", undefined],
    ["2.3.8", "2.0.0", 412],
    [undefined, undefined, 412],
    ["3.7.3", "3.8.0", 412],
    ["3.7.3", "not one", 412],
    ["3.7", "3.0.0", 412],
  ] as const) {
    assert.equal(refusalOf(headers(server, minCluster), IDENTITY)?.status, status, `${server} ${minCluster}`);
  }
});

test("an id is up to sixteen hex digits", () => {
  assert.equal(parseId("ffffffffffffffff"), 2n ** 64n - 1n);
  assert.equal(parseId("0"), 0n);
  for (const text of ["", "xyz", "1ffffffffffffffff", "-1", "0x1", undefined]) assert.equal(parseId(text), undefined);
});
