/** A log's files taken apart, for tests that look at records or write the same ones again. */
import type { Disk } from "../../server/ports/disk.ts";
import type { Entry, HardState } from "../../server/proto/raftpb.ts";
import { RecordType, type Snapshot } from "../../server/proto/walpb.ts";
import { readEntry, readSnapshot, readState } from "../../server/wal/payload.ts";
import { type LogRecord, parseSegmentName, readSegment } from "../../server/wal/segment.ts";
import type { EtcdLog } from "./etcd-logs.ts";

/** All records of the log in `folder`, file by file. */
export function recordsOf(disk: Disk, folder: string): LogRecord[][] {
  const names = disk.list(folder).filter((name) => parseSegmentName(name) !== undefined);
  let crc: number | undefined;
  return names.map((name) => {
    const file = disk.open(`${folder}/${name}`);
    const records: LogRecord[] = [];
    const end = readSegment(file, { last: name === names.at(-1), crc }, (record) => records.push(record));
    crc = end.crc;
    file.close();
    return records;
  });
}

export type Call =
  | { readonly call: "save"; readonly hardState: HardState | undefined; readonly entries: readonly Entry[] }
  | { readonly call: "saveSnapshot"; readonly snapshot: Snapshot };

/** The calls that make these records after `create`, every save ending with its hard state. */
export function callsFor(files: readonly (readonly LogRecord[])[]): Call[] {
  const calls: Call[] = [];
  let entries: Entry[] = [];
  files.forEach((records, file) => {
    // What begins a file was not saved by a call: checksum, metadata, and the first snapshot or the hard state again.
    for (const { type, data = new Uint8Array(0) } of records.slice(3)) {
      if (type === RecordType.ENTRY) entries.push(readEntry(data) as Entry);
      else if (type === RecordType.STATE) {
        calls.push({ call: "save", hardState: readState(data), entries });
        entries = [];
      } else calls.push({ call: "saveSnapshot", snapshot: readSnapshot(data) as Snapshot });
    }
    if (file === files.length - 1 && entries.length > 0) calls.push({ call: "save", hardState: undefined, entries });
  });
  return calls;
}

/** Bytes of a file that an etcd wrote. */
export function filesOf(log: EtcdLog): { name: string; bytes: Uint8Array }[] {
  return log.files.map(({ name, base64 }) => ({ name, bytes: new Uint8Array(Buffer.from(base64, "base64")) }));
}
