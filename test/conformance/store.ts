/**
 * One server under the conformance suite and short words for its calls: text where the wire has bytes, answers decoded.
 * With CONFORMANCE_MEMBERS=3 it is one of three members of ours, and not the one that leads.
 */
import assert from "node:assert/strict";
import { utf8Bytes, utf8Text } from "../../server/base/bytes.ts";
import { type CallSettings, type Client, connect, StatusError } from "../../server/client/client.ts";
import type { Codec } from "../../server/proto/codec.ts";
import {
  type AlarmMember,
  AlarmRequest,
  CompactionRequest,
  type CompactionResponse,
  DeleteRangeRequest,
  type DeleteRangeResponse,
  type HashKVResponse,
  type LeaseGrantResponse,
  type LeaseTimeToLiveResponse,
  PutRequest,
  type PutResponse,
  RangeRequest,
  type RangeResponse,
  type RequestOp,
  type ResponseHeader,
  type StatusResponse,
  type TxnRequest,
  type TxnResponse,
} from "../../server/proto/etcdserverpb.ts";
import { KeyValue } from "../../server/proto/mvccpb.ts";
import { SERVICES } from "../../server/proto/services.ts";
import { GRPC_CODE_NAMES } from "../../server/rpc/status.ts";
import { ClusterProcess } from "../support/cluster-process.ts";
import { ServerProcess } from "../support/server-process.ts";

/** Of the cluster that the server under test is in. */
export const MEMBERS = Number(process.env["CONFORMANCE_MEMBERS"] ?? 1);

const { kv, lease, maintenance } = SERVICES;

/** Fields of a message, those of bytes as text where that reads better. */
export type Fields<T> = { readonly [K in keyof T]?: T[K] extends Uint8Array ? Uint8Array | string : T[K] };

export function made<T extends object>(codec: Codec<T>, fields: Fields<T>): T {
  const message = codec.create() as Record<string, unknown>;
  for (const [name, value] of Object.entries(fields)) {
    const isText = typeof value === "string" && message[name] instanceof Uint8Array;
    message[name] = isText ? utf8Bytes(value) : value;
  }
  return message as T;
}

/** A key and its value as text. */
export interface Kv {
  readonly key: string;
  readonly value: string;
  readonly createRevision: number;
  readonly modRevision: number;
  readonly version: number;
  readonly lease: bigint;
}

export function kvOf(bytes: Uint8Array | undefined): Kv | undefined {
  if (bytes === undefined) return undefined;
  const decoded = KeyValue.decode(bytes);
  return { ...decoded, key: utf8Text(decoded.key), value: utf8Text(decoded.value) };
}

export function kvsOf({ kvs }: { readonly kvs: readonly Uint8Array[] }): Kv[] {
  return kvs.map((bytes) => kvOf(bytes) as Kv);
}

export function keysOf(response: { readonly kvs: readonly Uint8Array[] }): string[] {
  return kvsOf(response).map(({ key }) => key);
}

/** The revision that an answer's header names. */
export function revisionOf({ header }: { readonly header: ResponseHeader | undefined }): number {
  assert.ok(header !== undefined, "an answer has a header");
  return header.revision;
}

/** How a call was refused: "InvalidArgument etcdserver: key is not provided"; "OK" when it was not. */
export async function refusal(answer: Promise<unknown>): Promise<string> {
  try {
    await answer;
    return "OK";
  } catch (error) {
    if (error instanceof StatusError) return statusText(error.status);
    throw error;
  }
}

export function statusText({ code, text }: { readonly code: number; readonly text: string }): string {
  // Go's protobuf writes a space that does not break in some of its builds, so that nobody relies on its texts.
  return `${GRPC_CODE_NAMES[code] ?? code} ${text}`.replaceAll("\u00a0", " ").trim();
}

export class Store {
  /** Program and leading arguments; ours when absent. */
  readonly command: readonly string[] | undefined;
  readonly #flags: readonly string[];
  readonly #ports: { readonly clientPort?: number };
  #server: ServerProcess | undefined;
  #cluster: ClusterProcess | undefined;
  #client: Client | undefined;
  #leases = 0;

  constructor(
    command: readonly string[] | undefined,
    flags: readonly string[],
    ports: { readonly clientPort?: number } = {},
  ) {
    this.command = command;
    this.#flags = flags;
    this.#ports = ports;
  }

  async start(): Promise<void> {
    const command = this.command === undefined ? {} : { command: this.command };
    if (MEMBERS > 1 && this.command === undefined) this.#server = await this.#follower();
    else this.#server = await ServerProcess.start({ ...command, ...this.#ports, flags: this.#flags });
    this.#client = connect(this.#server.url);
  }

  async remove(): Promise<void> {
    this.#client?.close();
    if (this.#cluster !== undefined) await this.#cluster.remove();
    else await this.#server?.remove();
  }

  async #follower(): Promise<ServerProcess> {
    const names = Array.from({ length: MEMBERS }, (_, at) => ({ name: `member-${at + 1}` }));
    const cluster = await ClusterProcess.start(names, this.#flags);
    this.#cluster = cluster;
    const leader = await cluster.leader();
    return (cluster.members.find((member) => member !== leader) ?? leader).server;
  }

  get server(): ServerProcess {
    assert.ok(this.#server !== undefined, "started");
    return this.#server;
  }

  get client(): Client {
    assert.ok(this.#client !== undefined, "started");
    return this.#client;
  }

  get isRunning(): boolean {
    try {
      return process.kill(this.server.pid, 0);
    } catch {
      return false;
    }
  }

  range(key: string | Uint8Array, fields: Fields<RangeRequest> = {}, settings?: CallSettings): Promise<RangeResponse> {
    return this.client.unary(kv.methods.range, made(RangeRequest, { key, ...fields }), settings);
  }

  /** The one key, undefined when there is none. */
  async get(key: string | Uint8Array, fields: Fields<RangeRequest> = {}): Promise<Kv | undefined> {
    return kvsOf(await this.range(key, fields))[0];
  }

  put(
    key: string | Uint8Array,
    value: string | Uint8Array = "",
    fields: Fields<PutRequest> = {},
  ): Promise<PutResponse> {
    return this.client.unary(kv.methods.put, made(PutRequest, { key, value, ...fields }));
  }

  /** Puts and answers the revision. */
  async write(key: string, value = ""): Promise<number> {
    return revisionOf(await this.put(key, value));
  }

  delete(key: string | Uint8Array, fields: Fields<DeleteRangeRequest> = {}): Promise<DeleteRangeResponse> {
    return this.client.unary(kv.methods.deleteRange, made(DeleteRangeRequest, { key, ...fields }));
  }

  txn(request: Partial<TxnRequest>): Promise<TxnResponse> {
    return this.client.unary(kv.methods.txn, request);
  }

  /** A transaction without conditions. */
  together(...success: RequestOp[]): Promise<TxnResponse> {
    return this.txn({ success });
  }

  compact(revision: number, fields: Fields<CompactionRequest> = {}): Promise<CompactionResponse> {
    return this.client.unary(kv.methods.compact, made(CompactionRequest, { revision, ...fields }));
  }

  /** The store's revision now. */
  async revision(): Promise<number> {
    return revisionOf(await this.range("no such key"));
  }

  grant(id: bigint, ttl: number): Promise<LeaseGrantResponse> {
    return this.client.unary(lease.methods.leaseGrant, { id, ttl });
  }

  /** A new lease that outlives the test. */
  async lease(): Promise<bigint> {
    this.#leases++;
    const { id } = await this.grant(BigInt(1000 + this.#leases), 3600);
    return id;
  }

  revoke(id: bigint): Promise<{ header: ResponseHeader | undefined }> {
    return this.client.unary(lease.methods.leaseRevoke, { id });
  }

  timeToLive(id: bigint, keys = false): Promise<LeaseTimeToLiveResponse> {
    return this.client.unary(lease.methods.leaseTimeToLive, { id, keys });
  }

  async leases(): Promise<bigint[]> {
    const { leases } = await this.client.unary(lease.methods.leaseLeases);
    return leases.map(({ id }) => id);
  }

  /** The ttl after each renewal of one stream, in the order of `ids`. */
  async renew(...ids: bigint[]): Promise<number[]> {
    const stream = this.client.bidi(lease.methods.leaseKeepAlive);
    for (const id of ids) stream.send({ id });
    const answers: number[] = [];
    for (const id of ids) {
      const answer = await stream.next();
      assert.equal(answer?.id, id);
      answers.push(answer?.ttl ?? Number.NaN);
    }
    stream.cancel();
    await stream.status;
    return answers;
  }

  status(): Promise<StatusResponse> {
    return this.client.unary(maintenance.methods.status);
  }

  hashKv(revision = 0): Promise<HashKVResponse> {
    return this.client.unary(maintenance.methods.hashKv, { revision });
  }

  async alarm(action: number, alarm = 0, memberId = 0n): Promise<AlarmMember[]> {
    const request = AlarmRequest.create({ action, alarm, memberId });
    return (await this.client.unary(maintenance.methods.alarm, request)).alarms;
  }
}
