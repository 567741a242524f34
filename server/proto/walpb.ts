/**
 * walpb and its neighbours: records of the write-ahead log, the metadata in its head, and the `.snap` file beside it. proto2:
 * zeros are written, as etcd does.
 */
import { always, bytes, int64, message, submessage, type TypeOf, uint32, uint64, uint64Id } from "./codec.ts";
import { ConfState } from "./raftpb.ts";

export const RecordType = { METADATA: 1, ENTRY: 2, STATE: 3, CRC: 4, SNAPSHOT: 5 } as const;

/** `type` is a `RecordType`; `crc` is rolled over the data of all records before it and its own. */
export const Record = message("walpb.Record", { type: always(int64(1)), crc: always(uint32(2)), data: bytes(3) });
export type Record = TypeOf<typeof Record>;

/** A snapshot that was taken; `confState` is there since etcd 3.5, but not in the first record of a log. */
export const Snapshot = message("walpb.Snapshot", {
  index: always(uint64(1)),
  term: always(uint64(2)),
  confState: submessage(3, ConfState),
});
export type Snapshot = TypeOf<typeof Snapshot>;

/** Whose log it is: the data of the record of type METADATA. */
export const Metadata = message("etcdserverpb.Metadata", {
  nodeId: always(uint64Id(1)),
  clusterId: always(uint64Id(2)),
});
export type Metadata = TypeOf<typeof Metadata>;

/** A `.snap` file: an encoded raftpb.Snapshot and the CRC-32C over it. */
export const SnapFile = message("snappb.snapshot", { crc: always(uint32(1)), data: bytes(2) });
export type SnapFile = TypeOf<typeof SnapFile>;
