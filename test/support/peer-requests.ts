/**
 * Requests that a member gets from others, good and bad, and what of an answer must be as etcd's: sent to real etcd when
 * its answers are recorded, and to ours when it is compared with them.
 */
import { memberIdText } from "../../server/base/int64.ts";
import { Message, MessageType } from "../../server/proto/raftpb.ts";

export interface PeerRequest {
  readonly method: string;
  readonly path: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: Uint8Array;
}

export interface PeerAnswer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  /** Absent: the connection broke off before its end. */
  readonly body?: string;
}

/** Whom the requests pretend to come from: a member of the cluster. */
export interface Pretended {
  readonly from: bigint;
  readonly clusterId: bigint;
}

/** By name. The member asked is never the one with id 1. */
export function peerRequests({ from, clusterId }: Pretended): Record<string, PeerRequest> {
  const good = {
    "X-Server-From": memberIdText(from),
    "X-Server-Version": "3.7.3",
    "X-Min-Cluster-Version": "3.0.0",
    "X-Etcd-Cluster-ID": memberIdText(clusterId),
  };
  const message = Message.encode(Message.create({ type: MessageType.APP_RESP, to: 1n, from, term: 1 }));
  const cut = Uint8Array.of(0, 0, 0, 0, 0, 0, 0, 0x14, ...message.subarray(0, 12));
  const get = (path: string, headers: Readonly<Record<string, string>> = {}) => ({ method: "GET", path, headers });
  const post = (path: string, headers: Readonly<Record<string, string>>, body: Uint8Array = new Uint8Array()) => {
    return { method: "POST", path, headers, body };
  };
  const stream = `/raft/stream/message/${memberIdText(from)}`;
  return {
    version: get("/version"),
    members: get("/members"),
    probing: get("/raft/probing"),
    downgradeEnabled: get("/downgrade/enabled"),
    promoteUnknown: post("/members/promote/42", good),
    promoteNoNumber: post("/members/promote/xyz", good),
    leaseUnknown: post("/leases", {}, Uint8Array.of(0x08, 0x2a)),
    leaseMalformed: post("/leases", {}, Uint8Array.of(0x0a, 0xff)),
    unknownPath: get("/nothing"),
    postWrongMethod: get("/raft", good),
    postOtherCluster: post("/raft", { ...good, "X-Etcd-Cluster-ID": "abc" }, message),
    postOldVersion: post("/raft", { ...good, "X-Server-Version": "2.3.0" }, message),
    postNewVersion: post("/raft", { ...good, "X-Min-Cluster-Version": "4.0.0" }, message),
    postOtherMember: post("/raft", good, message),
    postMalformed: post("/raft", good, Uint8Array.of(0x0a, 0xff)),
    streamWrongMethod: post(stream, good),
    streamUnknownPath: get("/raft/stream/other/1", good),
    streamNoId: get("/raft/stream/message/xyz", good),
    streamUnknownSender: get("/raft/stream/message/99", good),
    streamOtherMember: get(stream, { ...good, "X-Raft-To": "1" }),
    snapshotWrongMethod: get("/raft/snapshot", good),
    snapshotCut: post("/raft/snapshot", good, cut),
  };
}

const KEPT_HEADERS = ["content-type", "allow", "x-etcd-cluster-id", "x-server-version", "x-content-type-options"];

export async function askPeer(url: string, { method, path, headers = {}, body }: PeerRequest): Promise<PeerAnswer> {
  const response = await fetch(url + path, { method, headers, ...(body === undefined ? {} : { body }) });
  const kept = KEPT_HEADERS.flatMap((name) => {
    const value = response.headers.get(name);
    return value === null ? [] : [[name, value]];
  });
  const text = await response.text().catch(() => undefined);
  return {
    status: response.status,
    headers: Object.fromEntries(kept),
    ...(text === undefined ? {} : { body: text }),
  };
}
