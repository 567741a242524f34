/**
 * etcdserverpb: the requests and answers of KV but for transactions (txn.ts) and compaction (maintenance.ts), written out
 * by hand because nearly all traffic is these. KeyValues in answers travel as the bytes that the store holds.
 */
import { EMPTY_BYTES } from "../../base/bytes.ts";
import { codec, type MessageCodec, message, submessage, type TypeOf } from "../codec.ts";
import type { Reader, Writer } from "../wire.ts";
import { type ResponseHeader, readHeader, writeHeader } from "./header.ts";

export const SortOrder = { NONE: 0, ASCEND: 1, DESCEND: 2 } as const;
export const SortTarget = { KEY: 0, VERSION: 1, CREATE: 2, MOD: 3, VALUE: 4 } as const;

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
