/**
 * The members of a fake etcd on addresses of their own, spoken to over gRPC as real ones are: each Pod of a fake
 * Kubernetes answers on port 2379 of an address below 127.0.0.0/8, all of them from this one process.
 *
 *   const members = new Members(etcd);
 *   await members.open("127.31.0.1");     // answers what `etcd` says of the member at that address
 *   members.close("127.31.0.1");
 *
 * It answers the calls that an operator makes and no others, without TLS. Needs Linux, where every such address is there.
 */
import {
  createServer as createHttp2Server,
  type Http2Server,
  type IncomingHttpHeaders,
  type ServerHttp2Stream,
} from "node:http2";
import { createServer, type Server, type Socket } from "node:net";
import { PORTS } from "../../../operator/api/names.ts";
import { type Endpoint, type EtcdMember, EtcdRefusal } from "../../../operator/etcd/etcd-admin.ts";
import { AlarmAction, AlarmType, type Member } from "../../../server/proto/etcdserverpb.ts";
import { type Method, SERVICES } from "../../../server/proto/services.ts";
import type { FakeEtcd } from "../fake-etcd.ts";

/** gRPC's: what every refusal of etcd's that the operator knows by its text comes with, and no answer. */
const FAILED_PRECONDITION = 9;
const UNAVAILABLE = 14;
const UNIMPLEMENTED = 12;

/** Longer than any request of an operator. */
const MAX_REQUEST = 65_536;
/** The fake waits for nothing; it only says the limit in its refusals. */
const LIMIT_MS = 1000;

type Handler = (etcd: FakeEtcd, endpoint: Endpoint, request: Buffer) => Promise<Uint8Array>;

const { kv, cluster, maintenance } = SERVICES;

const HANDLERS: ReadonlyMap<string, Handler> = new Map([
  handler(kv.methods.range, async (etcd, at) => {
    await etcd.probe(at, LIMIT_MS);
    return {};
  }),
  handler(cluster.methods.memberList, async (etcd, at, { linearizable }) => {
    const { clusterId, memberId, members } = await etcd.members(at, LIMIT_MS, !linearizable);
    return { header: headerOf(clusterId, memberId), members: members.map(memberOf) };
  }),
  handler(cluster.methods.memberAdd, async (etcd, at, { peerUrls }) => {
    return { member: memberOf(await etcd.addLearner(at, peerUrls[0] ?? "", LIMIT_MS)) };
  }),
  handler(cluster.methods.memberPromote, async (etcd, at, { id }) => {
    await etcd.promote(at, textOf(id), LIMIT_MS);
    return {};
  }),
  handler(cluster.methods.memberRemove, async (etcd, at, { id }) => {
    await etcd.remove(at, textOf(id), LIMIT_MS);
    return {};
  }),
  handler(maintenance.methods.status, async (etcd, at) => {
    const {
      clusterId,
      memberId,
      leaderId,
      appliedIndex,
      storageVersion: _storage,
      ...same
    } = await etcd.status(at, LIMIT_MS);
    const leader = leaderId === "" ? 0n : idOf(leaderId);
    return {
      ...same,
      errors: [...same.errors],
      header: headerOf(clusterId, memberId),
      leader,
      raftAppliedIndex: appliedIndex,
    };
  }),
  handler(maintenance.methods.alarm, async (etcd, at, { action, memberId, alarm }) => {
    if (action === AlarmAction.DEACTIVATE)
      await etcd.disarm(at, textOf(memberId), alarm === AlarmType.CORRUPT ? "CORRUPT" : "NOSPACE", LIMIT_MS);
    const alarms = await etcd.alarms(at, LIMIT_MS);
    return { alarms: alarms.map((one) => ({ memberId: idOf(one.memberId), alarm: AlarmType[one.alarm] })) };
  }),
  handler(maintenance.methods.moveLeader, async (etcd, at, { targetId }) => {
    await etcd.moveLeader(at, textOf(targetId), LIMIT_MS);
    return {};
  }),
  handler(maintenance.methods.defragment, async (etcd, at) => {
    await etcd.defragment(at, LIMIT_MS);
    return {};
  }),
]);

export class Members {
  readonly #etcd: FakeEtcd;
  readonly #http2: Http2Server = createHttp2Server();
  readonly #listeners = new Map<string, { readonly server: Server; readonly sockets: Set<Socket> }>();
  /** Calls that were answered so far. */
  calls = 0;

  constructor(etcd: FakeEtcd) {
    this.#etcd = etcd;
    this.#http2.on("stream", (stream, headers) => void this.#answer(stream, headers));
    this.#http2.on("sessionError", () => undefined);
  }

  /** Rejects when the address cannot be listened at. */
  async open(host: string): Promise<void> {
    if (this.#listeners.has(host)) return;
    const sockets = new Set<Socket>();
    const server = createServer((socket) => {
      sockets.add(socket);
      socket.setNoDelay(true);
      socket.on("error", () => undefined);
      socket.once("close", () => sockets.delete(socket));
      this.#http2.emit("connection", socket);
    });
    this.#listeners.set(host, { server, sockets });
    await new Promise<void>((resolve, reject) => {
      server.once("error", reject);
      server.listen(PORTS.client, host, resolve);
    });
  }

  /** Nobody answers there any more. */
  close(host: string): void {
    const listener = this.#listeners.get(host);
    this.#listeners.delete(host);
    listener?.server.close();
    for (const socket of listener?.sockets ?? []) socket.destroy();
  }

  closeAll(): void {
    for (const host of [...this.#listeners.keys()]) this.close(host);
  }

  async #answer(stream: ServerHttp2Stream, headers: IncomingHttpHeaders): Promise<void> {
    stream.on("error", () => undefined);
    const host = stream.session?.socket.localAddress;
    const handle = HANDLERS.get(String(headers[":path"]));
    this.calls++;
    try {
      const request = await bodyOf(stream);
      if (handle === undefined) return refuse(stream, UNIMPLEMENTED, `unknown method ${headers[":path"]}`);
      const message: Promise<Uint8Array> = handle(this.#etcd, { url: `http://${host}:${PORTS.client}` }, request);
      respond(stream, await message);
    } catch (error) {
      const isKnown = error instanceof EtcdRefusal && error.kind !== "unknown";
      refuse(stream, isKnown ? FAILED_PRECONDITION : UNAVAILABLE, (error as Error).message);
    }
  }
}

function handler<Req, Res>(
  { path, request, response }: Method<"unary", Req, Res>,
  answer: (etcd: FakeEtcd, at: Endpoint, request: Req) => Promise<Partial<Res>>,
): readonly [string, Handler] {
  return [
    path,
    async (etcd, at, bytes) => response.encode(response.create(await answer(etcd, at, request.decode(bytes)))),
  ];
}

/** The one message of a request, without the five bytes before it. */
async function bodyOf(stream: ServerHttp2Stream): Promise<Buffer> {
  const parts: Buffer[] = [];
  let size = 0;
  for await (const part of stream as AsyncIterable<Buffer>) {
    size += part.length;
    if (size > MAX_REQUEST) throw new Error(`a request of more than ${MAX_REQUEST} bytes`);
    parts.push(part);
  }
  return Buffer.concat(parts).subarray(5);
}

function respond(stream: ServerHttp2Stream, message: Uint8Array): void {
  if (stream.destroyed) return;
  const prefix = Buffer.alloc(5);
  prefix.writeUInt32BE(message.length, 1);
  stream.respond({ ":status": 200, "content-type": "application/grpc" }, { waitForTrailers: true });
  stream.once("wantTrailers", () => stream.sendTrailers({ "grpc-status": "0" }));
  stream.end(Buffer.concat([prefix, message]));
}

function refuse(stream: ServerHttp2Stream, code: number, text: string): void {
  if (stream.destroyed) return;
  const end = { "grpc-status": String(code), "grpc-message": encodeURIComponent(text) };
  stream.respond({ ":status": 200, "content-type": "application/grpc", ...end }, { endStream: true });
}

function headerOf(clusterId: string, memberId: string) {
  return { clusterId: idOf(clusterId), memberId: idOf(memberId), revision: 1, raftTerm: 1 };
}

function memberOf({ id, name, peerUrls, clientUrls, isLearner }: EtcdMember): Member {
  return { id: idOf(id), name, peerUrls: [...peerUrls], clientUrls: [...clientUrls], isLearner };
}

function idOf(text: string): bigint {
  return BigInt(`0x${text}`);
}

/** 16 digits of lower-case hex. */
function textOf(id: bigint): string {
  return id.toString(16).padStart(16, "0");
}
