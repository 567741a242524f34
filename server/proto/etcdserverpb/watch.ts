/** etcdserverpb: what goes up and down a Watch stream. Events travel as the bytes of mvccpb.Event. */
import { EMPTY_BYTES } from "../../base/bytes.ts";
import { codec, int64, type MessageCodec, message, readSubmessage, type TypeOf, writeSubmessage } from "../codec.ts";
import { type ResponseHeader, readHeader, writeHeader } from "./header.ts";

export const FilterType = { NOPUT: 0, NODELETE: 1 } as const;

export interface WatchCreateRequest {
  key: Uint8Array;
  /** Empty: one key; "\0": to the end. */
  rangeEnd: Uint8Array;
  /** 0: from now on. */
  startRevision: number;
  progressNotify: boolean;
  /** `FilterType`s. */
  filters: number[];
  prevKv: boolean;
  /** 0: the server chooses. Saturates like every number: one beyond 2^53-1 cannot be echoed and is to be refused. */
  watchId: number;
  /** Large answers may be cut into pieces. */
  fragment: boolean;
}

export const WatchCreateRequest: MessageCodec<WatchCreateRequest> = codec("etcdserverpb.WatchCreateRequest", {
  empty: () => ({
    key: EMPTY_BYTES,
    rangeEnd: EMPTY_BYTES,
    startRevision: 0,
    progressNotify: false,
    filters: [],
    prevKv: false,
    watchId: 0,
    fragment: false,
  }),
  read(reader) {
    let key = EMPTY_BYTES;
    let rangeEnd = EMPTY_BYTES;
    let startRevision = 0;
    let progressNotify = false;
    const filters: number[] = [];
    let prevKv = false;
    let watchId = 0;
    let fragment = false;
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
          startRevision = reader.int64();
          break;
        case 0x20:
          progressNotify = reader.bool();
          break;
        case 0x28:
          filters.push(reader.enumeration());
          break;
        case 0x2a: {
          const outer = reader.enter();
          while (reader.at < reader.end) filters.push(reader.enumeration());
          reader.leave(outer);
          break;
        }
        case 0x30:
          prevKv = reader.bool();
          break;
        case 0x38:
          watchId = reader.int64();
          break;
        case 0x40:
          fragment = reader.bool();
          break;
        default:
          reader.unknown(tag, 8);
      }
    }
    return { key, rangeEnd, startRevision, progressNotify, filters, prevKv, watchId, fragment };
  },
  write(writer, request) {
    writer.field(0x0a, request.key);
    writer.field(0x12, request.rangeEnd);
    writer.number(0x18, request.startRevision);
    writer.flag(0x20, request.progressNotify);
    if (request.filters.length > 0) {
      writer.byte(0x2a);
      const start = writer.begin();
      for (const filter of request.filters) writer.varint(filter);
      writer.end(start);
    }
    writer.flag(0x30, request.prevKv);
    writer.number(0x38, request.watchId);
    writer.flag(0x40, request.fragment);
  },
});

export const WatchCancelRequest = message("etcdserverpb.WatchCancelRequest", { watchId: int64(1) });
export type WatchCancelRequest = TypeOf<typeof WatchCancelRequest>;

export const WatchProgressRequest = message("etcdserverpb.WatchProgressRequest", {});
export type WatchProgressRequest = TypeOf<typeof WatchProgressRequest>;

export type WatchRequestUnion =
  | { kind: "create"; value: WatchCreateRequest }
  | { kind: "cancel"; value: WatchCancelRequest }
  | { kind: "progress"; value: WatchProgressRequest };

export interface WatchRequest {
  requestUnion: WatchRequestUnion | undefined;
}

export const WatchRequest: MessageCodec<WatchRequest> = codec("etcdserverpb.WatchRequest", {
  empty: () => ({ requestUnion: undefined }),
  read(reader) {
    let requestUnion: WatchRequestUnion | undefined;
    while (reader.at < reader.end) {
      const tag = reader.tag();
      switch (tag) {
        case 0x0a:
          requestUnion = { kind: "create", value: readSubmessage(reader, WatchCreateRequest) };
          break;
        case 0x12:
          requestUnion = { kind: "cancel", value: readSubmessage(reader, WatchCancelRequest) };
          break;
        case 0x1a:
          requestUnion = { kind: "progress", value: readSubmessage(reader, WatchProgressRequest) };
          break;
        default:
          reader.unknown(tag, 3);
      }
    }
    return { requestUnion };
  },
  write(writer, { requestUnion }) {
    switch (requestUnion?.kind) {
      case undefined:
        return;
      case "create":
        writer.byte(0x0a);
        writeSubmessage(writer, WatchCreateRequest, requestUnion.value);
        return;
      case "cancel":
        writer.byte(0x12);
        writeSubmessage(writer, WatchCancelRequest, requestUnion.value);
        return;
      case "progress":
        writer.byte(0x1a);
        writeSubmessage(writer, WatchProgressRequest, requestUnion.value);
    }
  },
});

export interface WatchResponse {
  header: ResponseHeader | undefined;
  watchId: number;
  created: boolean;
  canceled: boolean;
  /** Not 0: the watcher asked for revisions that are compacted, up to this one. */
  compactRevision: number;
  cancelReason: string;
  /** More pieces of this answer follow. */
  fragment: boolean;
  /** Encoded `Event`s. */
  events: Uint8Array[];
}

export const WatchResponse: MessageCodec<WatchResponse> = codec("etcdserverpb.WatchResponse", {
  empty: () => ({
    header: undefined,
    watchId: 0,
    created: false,
    canceled: false,
    compactRevision: 0,
    cancelReason: "",
    fragment: false,
    events: [],
  }),
  read(reader) {
    let header: ResponseHeader | undefined;
    let watchId = 0;
    let created = false;
    let canceled = false;
    let compactRevision = 0;
    let cancelReason = "";
    let fragment = false;
    const events: Uint8Array[] = [];
    while (reader.at < reader.end) {
      const tag = reader.tag();
      switch (tag) {
        case 0x0a:
          header = readHeader(reader);
          break;
        case 0x10:
          watchId = reader.int64();
          break;
        case 0x18:
          created = reader.bool();
          break;
        case 0x20:
          canceled = reader.bool();
          break;
        case 0x28:
          compactRevision = reader.int64();
          break;
        case 0x32:
          cancelReason = reader.string();
          break;
        case 0x38:
          fragment = reader.bool();
          break;
        case 0x5a:
          events.push(reader.view());
          break;
        default:
          reader.unknown(tag, tag >>> 3 === 11 ? 11 : 7);
      }
    }
    return { header, watchId, created, canceled, compactRevision, cancelReason, fragment, events };
  },
  write(writer, response) {
    writeHeader(writer, response.header);
    writer.number(0x10, response.watchId);
    writer.flag(0x18, response.created);
    writer.flag(0x20, response.canceled);
    writer.number(0x28, response.compactRevision);
    if (response.cancelReason !== "") {
      writer.byte(0x32);
      writer.string(response.cancelReason);
    }
    writer.flag(0x38, response.fragment);
    writer.items(0x5a, response.events);
  },
});
