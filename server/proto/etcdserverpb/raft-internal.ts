/**
 * etcdserverpb.InternalRaftRequest: what an entry of the log holds. One request of one kind, and who asked; nothing of our
 * own, for etcd stops at an entry in which it knows no request.
 */
import {
  codec,
  encodeWith,
  type MessageCodec,
  message,
  readSubmessage,
  string,
  type TypeOf,
  writeSubmessage,
} from "../codec.ts";
import { ClusterMemberAttrSetRequest, ClusterVersionSetRequest, DowngradeInfoSetRequest } from "../membershippb.ts";
import { Reader, type Writer } from "../wire.ts";
import {
  AuthDisableRequest,
  AuthEnableRequest,
  AuthRoleAddRequest,
  AuthRoleDeleteRequest,
  AuthRoleGetRequest,
  AuthRoleGrantPermissionRequest,
  AuthRoleListRequest,
  AuthRoleRevokePermissionRequest,
  AuthStatusRequest,
  AuthUserAddRequest,
  AuthUserChangePasswordRequest,
  AuthUserDeleteRequest,
  AuthUserGetRequest,
  AuthUserGrantRoleRequest,
  AuthUserListRequest,
  AuthUserRevokeRoleRequest,
} from "./auth.ts";
import { DeleteRangeRequest, PutRequest, RangeRequest } from "./kv.ts";
import { LeaseCheckpointRequest, LeaseGrantRequest, LeaseRevokeRequest } from "./lease.ts";
import { AlarmRequest, CompactionRequest, DowngradeVersionTestRequest } from "./maintenance.ts";
import { TxnRequest } from "./txn.ts";

/** Who asked, and under which state of the auth store. */
export interface RequestHeader {
  /** The proposer knows its entry again by this; unique among the members. */
  id: bigint;
  username: string;
  authRevision: number;
}

export const RequestHeader: MessageCodec<RequestHeader> = codec("etcdserverpb.RequestHeader", {
  empty: () => ({ id: 0n, username: "", authRevision: 0 }),
  read(reader) {
    let id = 0n;
    let username = "";
    let authRevision = 0;
    while (reader.at < reader.end) {
      const tag = reader.tag();
      switch (tag) {
        case 0x08:
          id = reader.uint64Id();
          break;
        case 0x12:
          username = reader.string();
          break;
        case 0x18:
          authRevision = reader.uint64();
          break;
        default:
          reader.unknown(tag, 3);
      }
    }
    return { id, username, authRevision };
  },
  write(writer, header) {
    writer.idField(0x08, header.id);
    if (header.username !== "") {
      writer.byte(0x12);
      writer.string(header.username);
    }
    writer.number(0x18, header.authRevision);
  },
});

export const EmptyResponse = message("etcdserverpb.EmptyResponse", {});
export type EmptyResponse = TypeOf<typeof EmptyResponse>;

/** Authenticate as the log has it: with the simple token that the proposer drew, so that all members know it. */
export const InternalAuthenticateRequest = message("etcdserverpb.InternalAuthenticateRequest", {
  name: string(1),
  password: string(2),
  simpleToken: string(3),
});
export type InternalAuthenticateRequest = TypeOf<typeof InternalAuthenticateRequest>;

/** Every kind of request that the log may hold, with its field. Field 2 was the v2 store's and stays unused. */
const requests = {
  range: { number: 3, type: RangeRequest },
  put: { number: 4, type: PutRequest },
  deleteRange: { number: 5, type: DeleteRangeRequest },
  txn: { number: 6, type: TxnRequest },
  compaction: { number: 7, type: CompactionRequest },
  leaseGrant: { number: 8, type: LeaseGrantRequest },
  leaseRevoke: { number: 9, type: LeaseRevokeRequest },
  alarm: { number: 10, type: AlarmRequest },
  leaseCheckpoint: { number: 11, type: LeaseCheckpointRequest },
  authEnable: { number: 1000, type: AuthEnableRequest },
  authDisable: { number: 1011, type: AuthDisableRequest },
  authenticate: { number: 1012, type: InternalAuthenticateRequest },
  authStatus: { number: 1013, type: AuthStatusRequest },
  authUserAdd: { number: 1100, type: AuthUserAddRequest },
  authUserDelete: { number: 1101, type: AuthUserDeleteRequest },
  authUserGet: { number: 1102, type: AuthUserGetRequest },
  authUserChangePassword: { number: 1103, type: AuthUserChangePasswordRequest },
  authUserGrantRole: { number: 1104, type: AuthUserGrantRoleRequest },
  authUserRevokeRole: { number: 1105, type: AuthUserRevokeRoleRequest },
  authUserList: { number: 1106, type: AuthUserListRequest },
  authRoleList: { number: 1107, type: AuthRoleListRequest },
  authRoleAdd: { number: 1200, type: AuthRoleAddRequest },
  authRoleDelete: { number: 1201, type: AuthRoleDeleteRequest },
  authRoleGet: { number: 1202, type: AuthRoleGetRequest },
  authRoleGrantPermission: { number: 1203, type: AuthRoleGrantPermissionRequest },
  authRoleRevokePermission: { number: 1204, type: AuthRoleRevokePermissionRequest },
  clusterVersionSet: { number: 1300, type: ClusterVersionSetRequest },
  clusterMemberAttrSet: { number: 1301, type: ClusterMemberAttrSetRequest },
  downgradeInfoSet: { number: 1302, type: DowngradeInfoSetRequest },
  downgradeVersionTest: { number: 9900, type: DowngradeVersionTestRequest },
} as const;

export type InternalRequestKind = keyof typeof requests;

/** One request as a union over its kind. */
export type InternalRequest = {
  [K in InternalRequestKind]: { kind: K; value: TypeOf<(typeof requests)[K]["type"]> };
}[InternalRequestKind];

export interface InternalRaftRequest {
  header: RequestHeader | undefined;
  /** The id before there was a header; 0n today. */
  id: bigint;
  /** Undefined: of a kind that we do not know, from a newer etcd. */
  request: InternalRequest | undefined;
}

/** A row of the table without its kind's own type. */
interface Row {
  readonly number: number;
  readonly type: MessageCodec<unknown>;
}

const rowOf = new Map<string, Row>(Object.entries(requests as unknown as Record<string, Row>));
const kindOf = new Map<number, readonly [string, Row]>([...rowOf].map((entry) => [entry[1].number, entry]));

const HEADER = 100;
const HEADER_TAG = (HEADER << 3) | 2;

export const InternalRaftRequest: MessageCodec<InternalRaftRequest> = codec("etcdserverpb.InternalRaftRequest", {
  empty: () => ({ header: undefined, id: 0n, request: undefined }),
  read(reader) {
    let header: RequestHeader | undefined;
    let id = 0n;
    let request: InternalRequest | undefined;
    while (reader.at < reader.end) {
      const tag = reader.tag();
      if (tag === HEADER_TAG) header = readSubmessage(reader, RequestHeader);
      else if (tag === 0x08) id = reader.uint64Id();
      else {
        const number = tag >>> 3;
        const known = kindOf.get(number);
        if (known === undefined) reader.unknown(tag, number === HEADER ? HEADER : 1);
        else if ((tag & 7) !== 2) reader.unknown(tag, number);
        else request = { kind: known[0], value: readSubmessage(reader, known[1].type) } as InternalRequest;
      }
    }
    return { header, id, request };
  },
  write(writer, { header, id, request }) {
    writer.idField(0x08, id);
    const row = request === undefined ? undefined : (rowOf.get(request.kind) as Row);
    if (row !== undefined && row.number < HEADER) writeRequest(writer, row, request?.value);
    writeRequestHeader(writer, header);
    if (row !== undefined && row.number > HEADER) writeRequest(writer, row, request?.value);
  },
});

function writeRequest(writer: Writer, { number, type }: Row, value: unknown): void {
  writer.tag((number << 3) | 2);
  writeSubmessage(writer, type, value);
}

function writeRequestHeader(writer: Writer, header: RequestHeader | undefined): void {
  if (header === undefined) return;
  writer.tag(HEADER_TAG);
  writeSubmessage(writer, RequestHeader, header);
}

/** The id under which an encoded InternalRaftRequest was proposed; the request itself is not read. 0n: none. */
export function requestIdOf(bytes: Uint8Array): bigint {
  const reader = new Reader(bytes);
  let id = 0n;
  while (reader.at < reader.end) {
    const tag = reader.tag();
    if (tag === HEADER_TAG) return readSubmessage(reader, RequestHeader).id;
    if (tag === 0x08) id = reader.uint64Id();
    else reader.skip(tag);
  }
  return id;
}

/**
 * An InternalRaftRequest around a request that is already encoded: the bytes that a client sent are copied once. They
 * must have been decoded before as that kind, or every member will meet the malformed entry.
 */
export function encodeInternal(header: RequestHeader, kind: InternalRequestKind, request: Uint8Array): Uint8Array {
  const { number } = requests[kind];
  return encodeWith((writer) => {
    writer.ensure(request.length + 64);
    if (number > HEADER) writeRequestHeader(writer, header);
    writer.tag((number << 3) | 2);
    writer.delimited(request);
    if (number < HEADER) writeRequestHeader(writer, header);
  });
}
