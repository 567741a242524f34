/**
 * What members ask each other by HTTP, kind by kind: path, how question and answer are written, and which refusals there
 * are. JSON and protobuf, paths, codes and texts are etcd's; both sides of a kind stand in one place, so that they agree.
 */
import { EMPTY_BYTES } from "../base/bytes.ts";
import type { ErrorCode } from "../base/error.ts";
import { memberIdText } from "../base/int64.ts";
import { asId, parseJsonWithIds, writeJsonWithIds } from "../base/json-ids.ts";
import type { Answers, PeerMember, QuestionKind, Questions } from "../ports/network.ts";
import {
  LeaseKeepAliveRequest,
  LeaseKeepAliveResponse,
  LeaseTimeToLiveRequest,
  LeaseTimeToLiveResponse,
  ResponseHeader,
} from "../proto/etcdserverpb.ts";
import { LeaseInternalRequest, LeaseInternalResponse } from "../proto/leasepb.ts";
import { CLUSTER_ID_MISMATCH, headerOf, parseId } from "./handshake.ts";

type Headers = Readonly<Record<string, string>>;

/** A question as it comes in. */
export interface Asked {
  /** Without what stands behind "?". */
  readonly path: string;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly body: Uint8Array;
}

/** An answer as it came back, with status 200. */
export interface Answered {
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly body: Uint8Array;
}

/** A way to say no that the other side understands. */
export interface KnownRefusal {
  readonly code: ErrorCode;
  readonly status: number;
  readonly text: string;
}

export interface Exchange<K extends QuestionKind> {
  readonly method: "GET" | "POST";
  readonly path: string;
  /** Whether the path goes on behind `path`. */
  readonly isPrefix?: boolean;
  /** The rest of the path, further headers and the body of a question. */
  ask(question: Questions[K], clusterId: bigint): { suffix?: string; headers?: Headers; body?: Uint8Array };
  /** The question in a request; throws `BadQuestion`. */
  read(asked: Asked): Questions[K];
  write(answer: Answers[K], question: Questions[K]): { contentType: string; body: string | Uint8Array };
  /** The answer in a response; throws anything when it makes no sense. */
  understand(answered: Answered, question: Questions[K]): Answers[K];
  readonly refusals: readonly KnownRefusal[];
  /** Of refusals that are not known. */
  readonly otherStatus: number;
  /** Whether answers carry our cluster's id. */
  readonly namesCluster: boolean;
}

/** A question that cannot be read. */
export class BadQuestion extends Error {
  readonly status: number;

  constructor(status: number, text: string) {
    super(text);
    this.status = status;
  }
}

const JSON_TYPE = "application/json";
const PROTOBUF_TYPE = "application/protobuf";
const toUtf8 = new TextEncoder();

const LEASE_REFUSALS: readonly KnownRefusal[] = [
  { code: "LeaseNotFound", status: 404, text: "lease not found" },
  { code: "Timeout", status: 408, text: "waiting for node to catch up its applied index has timed out" },
];
const NOT_PRIMARY = "not a primary lessor";

export const EXCHANGES: { readonly [K in QuestionKind]: Exchange<K> } = {
  version: {
    method: "GET",
    path: "/version",
    ask: () => ({}),
    read: () => undefined,
    write: ({ server, cluster, storage }) => json({ etcdserver: server, etcdcluster: cluster, storage }),
    understand({ body }) {
      const { etcdserver, etcdcluster, storage } = fieldsOf(body);
      return { server: textIn(etcdserver), cluster: textIn(etcdcluster), storage: textIn(storage) };
    },
    refusals: [],
    otherStatus: 500,
    namesCluster: false,
  },
  members: {
    method: "GET",
    path: "/members",
    ask: () => ({}),
    read: () => undefined,
    write: ({ members }) => json(members.map(memberJson), "\n"),
    understand({ headers, body }) {
      const clusterId = parseId(headerOf(headers, "x-etcd-cluster-id"));
      if (clusterId === undefined) throw new Error("the answer names no cluster");
      return { clusterId, members: membersIn(body) };
    },
    refusals: [],
    otherStatus: 500,
    namesCluster: true,
  },
  downgradeEnabled: {
    method: "GET",
    path: "/downgrade/enabled",
    ask: () => ({}),
    read: () => undefined,
    write: (isEnabled) => ({ contentType: "text/plain", body: String(isEnabled) }),
    understand({ body }) {
      const text = textOfBytes(body).trim();
      if (text !== "true" && text !== "false") throw new Error(`neither true nor false: ${JSON.stringify(text)}`);
      return text === "true";
    },
    refusals: [],
    otherStatus: 500,
    namesCluster: true,
  },
  hashKv: {
    method: "GET",
    path: "/members/hashkv",
    ask: ({ revision }, clusterId) => ({
      headers: { "Content-Type": JSON_TYPE, "X-Etcd-Cluster-ID": memberIdText(clusterId) },
      body: toUtf8.encode(revision === 0 ? "{}" : `{"revision":${revision}}`),
    }),
    read: ({ body }) => ({ revision: readQuestion(() => numberIn(fieldsOf(body)["revision"])) }),
    write: ({ revision, hash, compactRevision, hashRevision }) =>
      json({
        header: { revision: revision || undefined },
        hash: hash || undefined,
        compact_revision: compactRevision || undefined,
        hash_revision: hashRevision || undefined,
      }),
    understand({ body }) {
      const { header, hash, compact_revision, hash_revision } = fieldsOf(body);
      return {
        revision: numberIn((header as Record<string, unknown> | undefined)?.["revision"]),
        hash: numberIn(hash),
        compactRevision: numberIn(compact_revision),
        hashRevision: numberIn(hash_revision),
      };
    },
    refusals: [
      { code: "Compacted", status: 400, text: "mvcc: required revision has been compacted" },
      { code: "FutureRevision", status: 400, text: "mvcc: required revision is a future revision" },
      { code: "ClusterIdMismatch", status: 412, text: CLUSTER_ID_MISMATCH },
    ],
    otherStatus: 400,
    namesCluster: true,
  },
  leaseRenew: {
    method: "POST",
    path: "/leases",
    ask: ({ id }) => ({ headers: { "Content-Type": PROTOBUF_TYPE }, body: LeaseKeepAliveRequest.encode({ id }) }),
    read: ({ body }) => ({ id: readQuestion(() => LeaseKeepAliveRequest.decode(body)).id }),
    write: (ttl, { id }) => protobuf(LeaseKeepAliveResponse.encode(LeaseKeepAliveResponse.create({ id, ttl }))),
    understand({ body }, { id }) {
      const answer = LeaseKeepAliveResponse.decode(body);
      if (answer.id !== id) throw new Error("the answer is about another lease");
      return answer.ttl;
    },
    refusals: [...LEASE_REFUSALS, { code: "NotPrimaryLessor", status: 400, text: NOT_PRIMARY }],
    otherStatus: 400,
    namesCluster: false,
  },
  leaseTimeToLive: {
    method: "POST",
    path: "/leases/internal",
    ask: (question) => ({
      headers: { "Content-Type": PROTOBUF_TYPE },
      body: LeaseInternalRequest.encode({ leaseTimeToLiveRequest: LeaseTimeToLiveRequest.create(question) }),
    }),
    read({ body }) {
      const { leaseTimeToLiveRequest } = readQuestion(() => LeaseInternalRequest.decode(body));
      if (leaseTimeToLiveRequest === undefined) throw new BadQuestion(400, "error unmarshalling request");
      return { id: leaseTimeToLiveRequest.id, keys: leaseTimeToLiveRequest.keys };
    },
    write: ({ ttlSeconds, grantedTtlSeconds, keys }, { id }) =>
      protobuf(
        LeaseInternalResponse.encode({
          leaseTimeToLiveResponse: LeaseTimeToLiveResponse.create({
            header: ResponseHeader.create(), // etcd fills it in, and stops when there is none
            id,
            ttl: ttlSeconds,
            grantedTtl: grantedTtlSeconds,
            keys: [...keys],
          }),
        }),
      ),
    understand({ body }, { id }) {
      const { leaseTimeToLiveResponse: lease } = LeaseInternalResponse.decode(body);
      if (lease?.id !== id) throw new Error("the answer is about another lease");
      return { ttlSeconds: lease.ttl, grantedTtlSeconds: lease.grantedTtl, keys: lease.keys };
    },
    refusals: [...LEASE_REFUSALS, { code: "NotPrimaryLessor", status: 500, text: NOT_PRIMARY }],
    otherStatus: 400,
    namesCluster: false,
  },
  promote: {
    method: "POST",
    path: "/members/promote/",
    isPrefix: true,
    ask: ({ id, token }) => ({
      suffix: BigInt.asUintN(64, id).toString(),
      ...(token === "" ? {} : { headers: { Authorization: token } }),
    }),
    read({ path, headers }) {
      const text = path.slice("/members/promote/".length);
      const id = /^\d{1,20}$/.test(text) ? BigInt(text) : undefined;
      if (id === undefined || id > 0xffff_ffff_ffff_ffffn)
        throw new BadQuestion(404, `member ${text} not found in cluster`);
      return { id, token: headerOf(headers, "authorization") ?? "" };
    },
    write: (members) => json(members.map(memberJson), "\n"),
    understand: ({ body }) => membersIn(body),
    refusals: [
      { code: "MemberNotFound", status: 404, text: "membership: ID not found" },
      { code: "MemberNotLearner", status: 412, text: "membership: can only promote a learner member" },
      {
        code: "LearnerNotReady",
        status: 412,
        text: "etcdserver: can only promote a learner member which is in sync with leader",
      },
    ],
    otherStatus: 500,
    namesCluster: true,
  },
};

function json(value: unknown, end = ""): { contentType: string; body: string } {
  return { contentType: JSON_TYPE, body: writeJsonWithIds(value) + end };
}

function protobuf(body: Uint8Array): { contentType: string; body: Uint8Array } {
  return { contentType: PROTOBUF_TYPE, body };
}

/** A member as etcd writes it: what is empty is left out, but for the peer URLs. */
function memberJson({ id, name, peerUrls, clientUrls, isLearner }: PeerMember): object {
  return {
    id,
    peerURLs: peerUrls,
    isLearner: isLearner || undefined,
    name: name === "" ? undefined : name,
    clientURLs: clientUrls.length === 0 ? undefined : clientUrls,
  };
}

function membersIn(body: Uint8Array): PeerMember[] {
  const value = parseJsonWithIds(textOfBytes(body));
  if (!Array.isArray(value)) throw new Error("the answer is no list of members");
  return value.map((member: Record<string, unknown>) => ({
    id: asId(member["id"]),
    name: textIn(member["name"]),
    peerUrls: textsIn(member["peerURLs"]),
    clientUrls: textsIn(member["clientURLs"]),
    isLearner: member["isLearner"] === true,
  }));
}

function fieldsOf(body: Uint8Array): Record<string, unknown> {
  const value = body.length === 0 ? undefined : parseJsonWithIds(textOfBytes(body));
  if (typeof value !== "object" || value === null || Array.isArray(value)) throw new Error("no JSON object");
  return value as Record<string, unknown>;
}

function readQuestion<T>(read: () => T): T {
  try {
    return read();
  } catch {
    throw new BadQuestion(400, "error unmarshalling request");
  }
}

function textIn(value: unknown): string {
  if (value === undefined) return "";
  if (typeof value !== "string") throw new Error("a text is something else");
  return value;
}

function textsIn(value: unknown): string[] {
  if (value === undefined || value === null) return [];
  if (!Array.isArray(value)) throw new Error("a list is something else");
  return value.map(textIn);
}

function numberIn(value: unknown): number {
  if (value === undefined) return 0;
  if (typeof value !== "number" || !Number.isInteger(value)) throw new Error("a number is something else");
  return value;
}

function textOfBytes(bytes: Uint8Array): string {
  return new TextDecoder().decode(bytes.length === 0 ? EMPTY_BYTES : bytes);
}
