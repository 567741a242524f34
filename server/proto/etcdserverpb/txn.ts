/**
 * etcdserverpb: transactions. A transaction may hold transactions; the reader's bound on nesting keeps that from filling the
 * stack.
 */
import { EMPTY_BYTES } from "../../base/bytes.ts";
import { codec, type MessageCodec, readSubmessage, writeSubmessage } from "../codec.ts";
import type { Reader, Writer } from "../wire.ts";
import { type ResponseHeader, readHeader, writeHeader } from "./header.ts";
import { DeleteRangeRequest, DeleteRangeResponse, PutRequest, PutResponse, RangeRequest, RangeResponse } from "./kv.ts";

export const CompareResult = { EQUAL: 0, GREATER: 1, LESS: 2, NOT_EQUAL: 3 } as const;
export const CompareTarget = { VERSION: 0, CREATE: 1, MOD: 2, VALUE: 3, LEASE: 4 } as const;

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
