/**
 * etcdserverpb: the requests and answers of KV, written out by hand because nearly all traffic is these. KeyValues in
 * answers travel as the bytes that the store holds.
 */
import { EMPTY_BYTES } from "../../base/bytes.ts";
import {
  codec,
  type MessageCodec,
  message,
  readSubmessage,
  submessage,
  type TypeOf,
  writeSubmessage,
} from "../codec.ts";
import type { Reader, Writer } from "../wire.ts";
import { type ResponseHeader, readHeader, writeHeader } from "./header.ts";

export const SortOrder = { NONE: 0, ASCEND: 1, DESCEND: 2 } as const;
export const SortTarget = { KEY: 0, VERSION: 1, CREATE: 2, MOD: 3, VALUE: 4 } as const;
export const CompareResult = { EQUAL: 0, GREATER: 1, LESS: 2, NOT_EQUAL: 3 } as const;
export const CompareTarget = { VERSION: 0, CREATE: 1, MOD: 2, VALUE: 3, LEASE: 4 } as const;

export interface RangeRequest {
  key: Uint8Array;
  /** Empty: one key; "\0": to the end. */
  rangeEnd: Uint8Array;
  /** 0: no limit. */
  limit: number;
  /** At most 0: the present one. */
  revision: number;
  /** A `SortOrder`. */
  sortOrder: number;
  /** A `SortTarget`. */
  sortTarget: number;
  /** Answered from what this member has applied, without asking the others. */
  serializable: boolean;
  keysOnly: boolean;
  countOnly: boolean;
  minModRevision: number;
  maxModRevision: number;
  minCreateRevision: number;
  maxCreateRevision: number;
}

export const RangeRequest: MessageCodec<RangeRequest> = codec("etcdserverpb.RangeRequest", {
  empty: () => ({
    key: EMPTY_BYTES,
    rangeEnd: EMPTY_BYTES,
    limit: 0,
    revision: 0,
    sortOrder: 0,
    sortTarget: 0,
    serializable: false,
    keysOnly: false,
    countOnly: false,
    minModRevision: 0,
    maxModRevision: 0,
    minCreateRevision: 0,
    maxCreateRevision: 0,
  }),
  read: readRangeRequest,
  write: writeRangeRequest,
});

function readRangeRequest(reader: Reader): RangeRequest {
  let key = EMPTY_BYTES;
  let rangeEnd = EMPTY_BYTES;
  let limit = 0;
  let revision = 0;
  let sortOrder = 0;
  let sortTarget = 0;
  let serializable = false;
  let keysOnly = false;
  let countOnly = false;
  let minModRevision = 0;
  let maxModRevision = 0;
  let minCreateRevision = 0;
  let maxCreateRevision = 0;
  while (reader.at < reader.end) {
    const tag = reader.tag();
    switch (tag) {
      case 0x0a:
        key = reader.view();
        break;
      case 0x12:
        rangeEnd = reader.view();
        break;
      case 0x18:
        limit = reader.int64();
        break;
      case 0x20:
        revision = reader.int64();
        break;
      case 0x28:
        sortOrder = reader.enumeration();
        break;
      case 0x30:
        sortTarget = reader.enumeration();
        break;
      case 0x38:
        serializable = reader.bool();
        break;
      case 0x40:
        keysOnly = reader.bool();
        break;
      case 0x48:
        countOnly = reader.bool();
        break;
      case 0x50:
        minModRevision = reader.int64();
        break;
      case 0x58:
        maxModRevision = reader.int64();
        break;
      case 0x60:
        minCreateRevision = reader.int64();
        break;
      case 0x68:
        maxCreateRevision = reader.int64();
        break;
      default:
        reader.unknown(tag, 13);
    }
  }
  return {
    key,
    rangeEnd,
    limit,
    revision,
    sortOrder,
    sortTarget,
    serializable,
    keysOnly,
    countOnly,
    minModRevision,
    maxModRevision,
    minCreateRevision,
    maxCreateRevision,
  };
}

function writeRangeRequest(writer: Writer, request: RangeRequest): void {
  writer.field(0x0a, request.key);
  writer.field(0x12, request.rangeEnd);
  writer.number(0x18, request.limit);
  writer.number(0x20, request.revision);
  writer.number(0x28, request.sortOrder);
  writer.number(0x30, request.sortTarget);
  writer.flag(0x38, request.serializable);
  writer.flag(0x40, request.keysOnly);
  writer.flag(0x48, request.countOnly);
  writer.number(0x50, request.minModRevision);
  writer.number(0x58, request.maxModRevision);
  writer.number(0x60, request.minCreateRevision);
  writer.number(0x68, request.maxCreateRevision);
}

export interface RangeResponse {
  header: ResponseHeader | undefined;
  /** Encoded `KeyValue`s. */
  kvs: Uint8Array[];
  /** The limit left some out. */
  more: boolean;
  /** Keys in the range, whatever the limit. */
  count: number;
}

export const RangeResponse: MessageCodec<RangeResponse> = codec("etcdserverpb.RangeResponse", {
  empty: () => ({ header: undefined, kvs: [], more: false, count: 0 }),
  read: readRangeResponse,
  write: writeRangeResponse,
});

function readRangeResponse(reader: Reader): RangeResponse {
  let header: ResponseHeader | undefined;
  const kvs: Uint8Array[] = [];
  let more = false;
  let count = 0;
  while (reader.at < reader.end) {
    const tag = reader.tag();
    switch (tag) {
      case 0x0a:
        header = readHeader(reader);
        break;
      case 0x12:
        kvs.push(reader.view());
        break;
      case 0x18:
        more = reader.bool();
        break;
      case 0x20:
        count = reader.int64();
        break;
      default:
        reader.unknown(tag, 4);
    }
  }
  return { header, kvs, more, count };
}

function writeRangeResponse(writer: Writer, response: RangeResponse): void {
  writeHeader(writer, response.header);
  writer.items(0x12, response.kvs);
  writer.flag(0x18, response.more);
  writer.number(0x20, response.count);
}

/** One piece of a RangeStream: together they are one RangeResponse. */
export const RangeStreamResponse = message("etcdserverpb.RangeStreamResponse", {
  rangeResponse: submessage(1, RangeResponse),
});
export type RangeStreamResponse = TypeOf<typeof RangeStreamResponse>;

export interface PutRequest {
  key: Uint8Array;
  value: Uint8Array;
  /** 0n: none. */
  lease: bigint;
  prevKv: boolean;
  ignoreValue: boolean;
  ignoreLease: boolean;
}

export const PutRequest: MessageCodec<PutRequest> = codec("etcdserverpb.PutRequest", {
  empty: () => ({
    key: EMPTY_BYTES,
    value: EMPTY_BYTES,
    lease: 0n,
    prevKv: false,
    ignoreValue: false,
    ignoreLease: false,
  }),
  read: readPutRequest,
  write: writePutRequest,
});

function readPutRequest(reader: Reader): PutRequest {
  let key = EMPTY_BYTES;
  let value = EMPTY_BYTES;
  let lease = 0n;
  let prevKv = false;
  let ignoreValue = false;
  let ignoreLease = false;
  while (reader.at < reader.end) {
    const tag = reader.tag();
    switch (tag) {
      case 0x0a:
        key = reader.view();
        break;
      case 0x12:
        value = reader.view();
        break;
      case 0x18:
        lease = reader.int64Id();
        break;
      case 0x20:
        prevKv = reader.bool();
        break;
      case 0x28:
        ignoreValue = reader.bool();
        break;
      case 0x30:
        ignoreLease = reader.bool();
        break;
      default:
        reader.unknown(tag, 6);
    }
  }
  return { key, value, lease, prevKv, ignoreValue, ignoreLease };
}

function writePutRequest(writer: Writer, request: PutRequest): void {
  writer.field(0x0a, request.key);
  writer.field(0x12, request.value);
  writer.idField(0x18, request.lease);
  writer.flag(0x20, request.prevKv);
  writer.flag(0x28, request.ignoreValue);
  writer.flag(0x30, request.ignoreLease);
}

export interface PutResponse {
  header: ResponseHeader | undefined;
  /** An encoded `KeyValue`. */
  prevKv: Uint8Array | undefined;
}

export const PutResponse: MessageCodec<PutResponse> = codec("etcdserverpb.PutResponse", {
  empty: () => ({ header: undefined, prevKv: undefined }),
  read: readPutResponse,
  write: writePutResponse,
});

function readPutResponse(reader: Reader): PutResponse {
  let header: ResponseHeader | undefined;
  let prevKv: Uint8Array | undefined;
  while (reader.at < reader.end) {
    const tag = reader.tag();
    switch (tag) {
      case 0x0a:
        header = readHeader(reader);
        break;
      case 0x12:
        prevKv = reader.view();
        break;
      default:
        reader.unknown(tag, 2);
    }
  }
  return { header, prevKv };
}

function writePutResponse(writer: Writer, response: PutResponse): void {
  writeHeader(writer, response.header);
  if (response.prevKv !== undefined) {
    writer.byte(0x12);
    writer.delimited(response.prevKv);
  }
}

export interface DeleteRangeRequest {
  key: Uint8Array;
  rangeEnd: Uint8Array;
  prevKv: boolean;
}

export const DeleteRangeRequest: MessageCodec<DeleteRangeRequest> = codec("etcdserverpb.DeleteRangeRequest", {
  empty: () => ({ key: EMPTY_BYTES, rangeEnd: EMPTY_BYTES, prevKv: false }),
  read: readDeleteRangeRequest,
  write: writeDeleteRangeRequest,
});

function readDeleteRangeRequest(reader: Reader): DeleteRangeRequest {
  let key = EMPTY_BYTES;
  let rangeEnd = EMPTY_BYTES;
  let prevKv = false;
  while (reader.at < reader.end) {
    const tag = reader.tag();
    switch (tag) {
      case 0x0a:
        key = reader.view();
        break;
      case 0x12:
        rangeEnd = reader.view();
        break;
      case 0x18:
        prevKv = reader.bool();
        break;
      default:
        reader.unknown(tag, 3);
    }
  }
  return { key, rangeEnd, prevKv };
}

function writeDeleteRangeRequest(writer: Writer, request: DeleteRangeRequest): void {
  writer.field(0x0a, request.key);
  writer.field(0x12, request.rangeEnd);
  writer.flag(0x18, request.prevKv);
}

export interface DeleteRangeResponse {
  header: ResponseHeader | undefined;
  deleted: number;
  /** Encoded `KeyValue`s. */
  prevKvs: Uint8Array[];
}

export const DeleteRangeResponse: MessageCodec<DeleteRangeResponse> = codec("etcdserverpb.DeleteRangeResponse", {
  empty: () => ({ header: undefined, deleted: 0, prevKvs: [] }),
  read: readDeleteRangeResponse,
  write: writeDeleteRangeResponse,
});

function readDeleteRangeResponse(reader: Reader): DeleteRangeResponse {
  let header: ResponseHeader | undefined;
  let deleted = 0;
  const prevKvs: Uint8Array[] = [];
  while (reader.at < reader.end) {
    const tag = reader.tag();
    switch (tag) {
      case 0x0a:
        header = readHeader(reader);
        break;
      case 0x10:
        deleted = reader.int64();
        break;
      case 0x1a:
        prevKvs.push(reader.view());
        break;
      default:
        reader.unknown(tag, 3);
    }
  }
  return { header, deleted, prevKvs };
}

function writeDeleteRangeResponse(writer: Writer, response: DeleteRangeResponse): void {
  writeHeader(writer, response.header);
  writer.number(0x10, response.deleted);
  writer.items(0x1a, response.prevKvs);
}

export type RequestOpUnion =
  | { kind: "range"; value: RangeRequest }
  | { kind: "put"; value: PutRequest }
  | { kind: "deleteRange"; value: DeleteRangeRequest }
  | { kind: "txn"; value: TxnRequest };

/** One operation of a transaction. */
export interface RequestOp {
  request: RequestOpUnion | undefined;
}

export const RequestOp: MessageCodec<RequestOp> = codec("etcdserverpb.RequestOp", {
  empty: () => ({ request: undefined }),
  read: readRequestOp,
  write: writeRequestOp,
});

function readRequestOp(reader: Reader): RequestOp {
  let request: RequestOpUnion | undefined;
  while (reader.at < reader.end) {
    const tag = reader.tag();
    switch (tag) {
      case 0x0a:
        request = { kind: "range", value: readSubmessage(reader, RangeRequest) };
        break;
      case 0x12:
        request = { kind: "put", value: readSubmessage(reader, PutRequest) };
        break;
      case 0x1a:
        request = { kind: "deleteRange", value: readSubmessage(reader, DeleteRangeRequest) };
        break;
      case 0x22:
        request = { kind: "txn", value: readSubmessage(reader, TxnRequest) };
        break;
      default:
        reader.unknown(tag, 4);
    }
  }
  return { request };
}

function writeRequestOp(writer: Writer, { request }: RequestOp): void {
  switch (request?.kind) {
    case undefined:
      return;
    case "range":
      writer.byte(0x0a);
      writeSubmessage(writer, RangeRequest, request.value);
      return;
    case "put":
      writer.byte(0x12);
      writeSubmessage(writer, PutRequest, request.value);
      return;
    case "deleteRange":
      writer.byte(0x1a);
      writeSubmessage(writer, DeleteRangeRequest, request.value);
      return;
    case "txn":
      writer.byte(0x22);
      writeSubmessage(writer, TxnRequest, request.value);
  }
}

export type ResponseOpUnion =
  | { kind: "range"; value: RangeResponse }
  | { kind: "put"; value: PutResponse }
  | { kind: "deleteRange"; value: DeleteRangeResponse }
  | { kind: "txn"; value: TxnResponse };

/** The answer to one operation of a transaction. */
export interface ResponseOp {
  response: ResponseOpUnion | undefined;
}

export const ResponseOp: MessageCodec<ResponseOp> = codec("etcdserverpb.ResponseOp", {
  empty: () => ({ response: undefined }),
  read: readResponseOp,
  write: writeResponseOp,
});

function readResponseOp(reader: Reader): ResponseOp {
  let response: ResponseOpUnion | undefined;
  while (reader.at < reader.end) {
    const tag = reader.tag();
    switch (tag) {
      case 0x0a:
        response = { kind: "range", value: readSubmessage(reader, RangeResponse) };
        break;
      case 0x12:
        response = { kind: "put", value: readSubmessage(reader, PutResponse) };
        break;
      case 0x1a:
        response = { kind: "deleteRange", value: readSubmessage(reader, DeleteRangeResponse) };
        break;
      case 0x22:
        response = { kind: "txn", value: readSubmessage(reader, TxnResponse) };
        break;
      default:
        reader.unknown(tag, 4);
    }
  }
  return { response };
}

function writeResponseOp(writer: Writer, { response }: ResponseOp): void {
  switch (response?.kind) {
    case undefined:
      return;
    case "range":
      writer.byte(0x0a);
      writeSubmessage(writer, RangeResponse, response.value);
      return;
    case "put":
      writer.byte(0x12);
      writeSubmessage(writer, PutResponse, response.value);
      return;
    case "deleteRange":
      writer.byte(0x1a);
      writeSubmessage(writer, DeleteRangeResponse, response.value);
      return;
    case "txn":
      writer.byte(0x22);
      writeSubmessage(writer, TxnResponse, response.value);
  }
}

export type CompareTargetUnion =
  | { kind: "version"; value: number }
  | { kind: "createRevision"; value: number }
  | { kind: "modRevision"; value: number }
  | { kind: "value"; value: Uint8Array }
  | { kind: "lease"; value: bigint };

/** A condition of a transaction. */
export interface Compare {
  /** A `CompareResult`. */
  result: number;
  /** A `CompareTarget`; it decides what is looked at, whatever `targetUnion` holds. */
  target: number;
  key: Uint8Array;
  targetUnion: CompareTargetUnion | undefined;
  rangeEnd: Uint8Array;
}

export const Compare: MessageCodec<Compare> = codec("etcdserverpb.Compare", {
  empty: () => ({ result: 0, target: 0, key: EMPTY_BYTES, targetUnion: undefined, rangeEnd: EMPTY_BYTES }),
  read: readCompare,
  write: writeCompare,
});

function readCompare(reader: Reader): Compare {
  let result = 0;
  let target = 0;
  let key = EMPTY_BYTES;
  let targetUnion: CompareTargetUnion | undefined;
  let rangeEnd = EMPTY_BYTES;
  while (reader.at < reader.end) {
    const tag = reader.tag();
    switch (tag) {
      case 0x08:
        result = reader.enumeration();
        break;
      case 0x10:
        target = reader.enumeration();
        break;
      case 0x1a:
        key = reader.view();
        break;
      case 0x20:
        targetUnion = { kind: "version", value: reader.int64() };
        break;
      case 0x28:
        targetUnion = { kind: "createRevision", value: reader.int64() };
        break;
      case 0x30:
        targetUnion = { kind: "modRevision", value: reader.int64() };
        break;
      case 0x3a:
        targetUnion = { kind: "value", value: reader.view() };
        break;
      case 0x40:
        targetUnion = { kind: "lease", value: reader.int64Id() };
        break;
      case 0x202:
        rangeEnd = reader.view();
        break;
      default:
        reader.unknown(tag, tag >>> 3 === 64 ? 64 : 8);
    }
  }
  return { result, target, key, targetUnion, rangeEnd };
}

function writeCompare(writer: Writer, compare: Compare): void {
  writer.number(0x08, compare.result);
  writer.number(0x10, compare.target);
  writer.field(0x1a, compare.key);
  if (compare.targetUnion !== undefined) writeCompareTarget(writer, compare.targetUnion);
  if (compare.rangeEnd.length > 0) {
    writer.tag(0x202);
    writer.delimited(compare.rangeEnd);
  }
}

/** A member of a oneof is written even when it is zero: that it is there is what it says. */
function writeCompareTarget(writer: Writer, target: CompareTargetUnion): void {
  switch (target.kind) {
    case "version":
      writer.byte(0x20);
      writer.varint(target.value);
      return;
    case "createRevision":
      writer.byte(0x28);
      writer.varint(target.value);
      return;
    case "modRevision":
      writer.byte(0x30);
      writer.varint(target.value);
      return;
    case "value":
      writer.byte(0x3a);
      writer.delimited(target.value);
      return;
    case "lease":
      writer.byte(0x40);
      writer.id(target.value);
  }
}

export interface TxnRequest {
  /** All must hold for `success` to be carried out; else `failure` is. */
  compare: Compare[];
  success: RequestOp[];
  failure: RequestOp[];
}

export const TxnRequest: MessageCodec<TxnRequest> = codec("etcdserverpb.TxnRequest", {
  empty: () => ({ compare: [], success: [], failure: [] }),
  read(reader) {
    const compare: Compare[] = [];
    const success: RequestOp[] = [];
    const failure: RequestOp[] = [];
    while (reader.at < reader.end) {
      const tag = reader.tag();
      switch (tag) {
        case 0x0a:
          compare.push(readSubmessage(reader, Compare));
          break;
        case 0x12:
          success.push(readSubmessage(reader, RequestOp));
          break;
        case 0x1a:
          failure.push(readSubmessage(reader, RequestOp));
          break;
        default:
          reader.unknown(tag, 3);
      }
    }
    return { compare, success, failure };
  },
  write(writer, request) {
    for (const compare of request.compare) {
      writer.byte(0x0a);
      writeSubmessage(writer, Compare, compare);
    }
    for (const operation of request.success) {
      writer.byte(0x12);
      writeSubmessage(writer, RequestOp, operation);
    }
    for (const operation of request.failure) {
      writer.byte(0x1a);
      writeSubmessage(writer, RequestOp, operation);
    }
  },
});

export interface TxnResponse {
  header: ResponseHeader | undefined;
  /** Whether `success` was carried out. */
  succeeded: boolean;
  responses: ResponseOp[];
}

export const TxnResponse: MessageCodec<TxnResponse> = codec("etcdserverpb.TxnResponse", {
  empty: () => ({ header: undefined, succeeded: false, responses: [] }),
  read(reader) {
    let header: ResponseHeader | undefined;
    let succeeded = false;
    const responses: ResponseOp[] = [];
    while (reader.at < reader.end) {
      const tag = reader.tag();
      switch (tag) {
        case 0x0a:
          header = readHeader(reader);
          break;
        case 0x10:
          succeeded = reader.bool();
          break;
        case 0x1a:
          responses.push(readSubmessage(reader, ResponseOp));
          break;
        default:
          reader.unknown(tag, 3);
      }
    }
    return { header, succeeded, responses };
  },
  write(writer, response) {
    writeHeader(writer, response.header);
    writer.flag(0x10, response.succeeded);
    for (const operation of response.responses) {
      writer.byte(0x1a);
      writeSubmessage(writer, ResponseOp, operation);
    }
  },
});
