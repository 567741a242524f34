/** etcdserverpb.ResponseHeader: in nearly every answer, so it is written out by hand. */
import { codec, type MessageCodec, readSubmessage } from "../codec.ts";
import { type Reader, Writer } from "../wire.ts";

export interface ResponseHeader {
  clusterId: bigint;
  /** The member that answered. */
  memberId: bigint;
  /** The store's revision when the answer was made. */
  revision: number;
  raftTerm: number;
}

export const ResponseHeader: MessageCodec<ResponseHeader> = codec("etcdserverpb.ResponseHeader", {
  empty: () => ({ clusterId: 0n, memberId: 0n, revision: 0, raftTerm: 0 }),
  read(reader) {
    let clusterId = 0n;
    let memberId = 0n;
    let revision = 0;
    let raftTerm = 0;
    while (reader.at < reader.end) {
      const tag = reader.tag();
      switch (tag) {
        case 0x08:
          clusterId = reader.uint64Id();
          break;
        case 0x10:
          memberId = reader.uint64Id();
          break;
        case 0x18:
          revision = reader.int64();
          break;
        case 0x20:
          raftTerm = reader.uint64();
          break;
        default:
          reader.unknown(tag, 4);
      }
    }
    return { clusterId, memberId, revision, raftTerm };
  },
  write: writeFields,
});

/** A header that says a revision and leaves ids and term to who answers. By hand: every answer begins with one. */
export function revisionHeader(revision: number): ResponseHeader {
  return { clusterId: 0n, memberId: 0n, revision, raftTerm: 0 };
}

/** The two ids are those of this member in all but tests: their bytes, tags included, are kept from the last time. */
let lastClusterId = 0n;
let lastMemberId = 0n;
let idBytes: Uint8Array = new Uint8Array(0);

function writeFields(writer: Writer, header: ResponseHeader): void {
  // Answers inside a transaction have no ids: they must not push out those of the answer around them.
  if (header.clusterId !== 0n || header.memberId !== 0n) {
    if (header.clusterId !== lastClusterId || header.memberId !== lastMemberId) encodeIds(header);
    writer.raw(idBytes);
  }
  writer.number(0x18, header.revision);
  writer.number(0x20, header.raftTerm);
}

function encodeIds(header: ResponseHeader): void {
  const ids = new Writer(32);
  if (header.clusterId !== 0n) {
    ids.byte(0x08);
    ids.id(header.clusterId);
  }
  if (header.memberId !== 0n) {
    ids.byte(0x10);
    ids.id(header.memberId);
  }
  idBytes = ids.finish().slice();
  lastClusterId = header.clusterId;
  lastMemberId = header.memberId;
}

/** Field 1 of an answer. A header is shorter than 128 bytes, so its length takes one. */
export function writeHeader(writer: Writer, header: ResponseHeader | undefined): void {
  if (header === undefined) return;
  writer.byte(0x0a);
  const start = writer.begin();
  writeFields(writer, header);
  writer.end(start);
}

/** The header at `reader`, behind its tag. */
export function readHeader(reader: Reader): ResponseHeader {
  return readSubmessage(reader, ResponseHeader);
}
