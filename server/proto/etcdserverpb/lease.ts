/** etcdserverpb: the requests and answers of Lease. TTLs in seconds; a lease id is an int64. */
import {
  bool,
  byteStrings,
  codec,
  int64,
  int64Id,
  type MessageCodec,
  message,
  string,
  submessage,
  submessages,
  type TypeOf,
} from "../codec.ts";
import { ResponseHeader, readHeader, writeHeader } from "./header.ts";

const header = submessage(1, ResponseHeader);

/** `id` 0n: the server chooses one. */
export const LeaseGrantRequest = message("etcdserverpb.LeaseGrantRequest", { ttl: int64(1), id: int64Id(2) });
export type LeaseGrantRequest = TypeOf<typeof LeaseGrantRequest>;

export const LeaseGrantResponse = message("etcdserverpb.LeaseGrantResponse", {
  header,
  id: int64Id(2),
  ttl: int64(3),
  error: string(4),
});
export type LeaseGrantResponse = TypeOf<typeof LeaseGrantResponse>;

export const LeaseRevokeRequest = message("etcdserverpb.LeaseRevokeRequest", { id: int64Id(1) });
export type LeaseRevokeRequest = TypeOf<typeof LeaseRevokeRequest>;

export const LeaseRevokeResponse = message("etcdserverpb.LeaseRevokeResponse", { header });
export type LeaseRevokeResponse = TypeOf<typeof LeaseRevokeResponse>;

export const LeaseCheckpoint = message("etcdserverpb.LeaseCheckpoint", { id: int64Id(1), remainingTtl: int64(2) });
export type LeaseCheckpoint = TypeOf<typeof LeaseCheckpoint>;

export const LeaseCheckpointRequest = message("etcdserverpb.LeaseCheckpointRequest", {
  checkpoints: submessages(1, LeaseCheckpoint),
});
export type LeaseCheckpointRequest = TypeOf<typeof LeaseCheckpointRequest>;

export const LeaseCheckpointResponse = message("etcdserverpb.LeaseCheckpointResponse", { header });
export type LeaseCheckpointResponse = TypeOf<typeof LeaseCheckpointResponse>;

export interface LeaseKeepAliveRequest {
  id: bigint;
}

export const LeaseKeepAliveRequest: MessageCodec<LeaseKeepAliveRequest> = codec("etcdserverpb.LeaseKeepAliveRequest", {
  empty: () => ({ id: 0n }),
  read(reader) {
    let id = 0n;
    while (reader.at < reader.end) {
      const tag = reader.tag();
      if (tag === 0x08) id = reader.int64Id();
      else reader.unknown(tag, 1);
    }
    return { id };
  },
  write(writer, request) {
    if (request.id === 0n) return;
    writer.byte(0x08);
    writer.id(request.id);
  },
});

export interface LeaseKeepAliveResponse {
  header: ResponseHeader | undefined;
  id: bigint;
  /** 0: there is no such lease. */
  ttl: number;
}

export const LeaseKeepAliveResponse: MessageCodec<LeaseKeepAliveResponse> = codec(
  "etcdserverpb.LeaseKeepAliveResponse",
  {
    empty: () => ({ header: undefined, id: 0n, ttl: 0 }),
    read(reader) {
      let header: ResponseHeader | undefined;
      let id = 0n;
      let ttl = 0;
      while (reader.at < reader.end) {
        const tag = reader.tag();
        switch (tag) {
          case 0x0a:
            header = readHeader(reader);
            break;
          case 0x10:
            id = reader.int64Id();
            break;
          case 0x18:
            ttl = reader.int64();
            break;
          default:
            reader.unknown(tag, 3);
        }
      }
      return { header, id, ttl };
    },
    write(writer, response) {
      writeHeader(writer, response.header);
      writer.idField(0x10, response.id);
      writer.number(0x18, response.ttl);
    },
  },
);

export const LeaseTimeToLiveRequest = message("etcdserverpb.LeaseTimeToLiveRequest", { id: int64Id(1), keys: bool(2) });
export type LeaseTimeToLiveRequest = TypeOf<typeof LeaseTimeToLiveRequest>;

/** `ttl` is what remains, -1 for a lease that does not exist. */
export const LeaseTimeToLiveResponse = message("etcdserverpb.LeaseTimeToLiveResponse", {
  header,
  id: int64Id(2),
  ttl: int64(3),
  grantedTtl: int64(4),
  keys: byteStrings(5),
});
export type LeaseTimeToLiveResponse = TypeOf<typeof LeaseTimeToLiveResponse>;

export const LeaseLeasesRequest = message("etcdserverpb.LeaseLeasesRequest", {});
export type LeaseLeasesRequest = TypeOf<typeof LeaseLeasesRequest>;

export const LeaseStatus = message("etcdserverpb.LeaseStatus", { id: int64Id(1) });
export type LeaseStatus = TypeOf<typeof LeaseStatus>;

export const LeaseLeasesResponse = message("etcdserverpb.LeaseLeasesResponse", {
  header,
  leases: submessages(2, LeaseStatus),
});
export type LeaseLeasesResponse = TypeOf<typeof LeaseLeasesResponse>;
