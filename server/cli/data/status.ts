/** `snapshot status`: what a snapshot holds, after every page of it was looked at; hash and counts are etcdutl's. */
import { toByteString, utf8Text } from "../../base/bytes.ts";
import { crc32c } from "../../base/crc32c.ts";
import { BoltError } from "../../bolt/format.ts";
import type { BoltFile } from "../../bolt/reader.ts";
import { isRevisionKey, isTombstone, mainOf } from "../../mvcc/revision.ts";
import { KeyValue } from "../../proto/mvccpb.ts";
import { openBolt, reading } from "./bolt-source.ts";

export interface SnapshotStatus {
  /** CRC-32C of the names of the buckets and of their records. */
  readonly hash: number;
  readonly revision: number;
  readonly totalKey: number;
  readonly totalSize: number;
  /** The storage version; "" before etcd 3.6. */
  readonly version: string;
}

/** A digest at the end of the file must be right. */
export function snapshotStatus(path: string): SnapshotStatus {
  const bolt = openBolt(path, { checkDigest: true });
  try {
    return reading(path, () => statusOf(bolt.file));
  } finally {
    bolt.close();
  }
}

function statusOf(file: BoltFile): SnapshotStatus {
  const walk = file.walk();
  const alive = new Set<string>();
  let hash = 0;
  let revision = 0;
  let version = "";
  for (const bucket of walk.buckets) {
    const name = utf8Text(bucket.name);
    hash = crc32c(bucket.name, hash);
    for (const { key, value } of walk.rows(bucket)) {
      hash = crc32c(value, crc32c(key, hash));
      if (name === "meta" && utf8Text(key) === "storageVersion") version = utf8Text(value);
      if (name === "key") revision = note(alive, key, value);
    }
  }
  walk.finish();
  return { hash, revision, totalKey: alive.size, totalSize: file.sizeBytes, version };
}

function note(alive: Set<string>, key: Uint8Array, value: Uint8Array): number {
  if (!isRevisionKey(key)) throw new BoltError(`bucket "key" holds a key of ${key.length} bytes that is no revision`);
  const name = toByteString(keyOf(key, value));
  if (isTombstone(key)) alive.delete(name);
  else alive.add(name);
  return mainOf(key);
}

function keyOf(key: Uint8Array, value: Uint8Array): Uint8Array {
  try {
    return KeyValue.decode(value).key;
  } catch (error) {
    throw new BoltError(`the record of revision ${mainOf(key)} is no KeyValue: ${String(error)}`);
  }
}

/** As etcdutl prints it; undefined for a format that is not one of "simple", "json", "fields", "table". */
export function formatStatus(status: SnapshotStatus, format: string): string | undefined {
  const { hash, revision, totalKey, totalSize, version } = status;
  const cells = [hash.toString(16), String(revision), String(totalKey), sizeText(totalSize), version];
  switch (format) {
    case "simple":
      return cells.join(", ");
    case "json":
      return JSON.stringify({ hash, revision, totalKey, totalSize, version });
    case "fields":
      return `"Hash" : ${hash}\n"Revision" : ${revision}\n"Keys" : ${totalKey}\n"Size" : ${totalSize}\n"Version" : ${version}`;
    case "table":
      return table(["HASH", "REVISION", "TOTAL KEYS", "TOTAL SIZE", "VERSION"], cells);
    default:
      return undefined;
  }
}

/** Powers of a thousand, one digit behind the point below ten. */
function sizeText(bytes: number): string {
  if (bytes < 10) return `${bytes} B`;
  const power = Math.min(6, Math.floor(Math.log(bytes) / Math.log(1000)));
  const value = Math.floor((bytes / 1000 ** power) * 10 + 0.5) / 10;
  return `${value < 10 ? value.toFixed(1) : roundedToEven(value)} ${["B", "kB", "MB", "GB", "TB", "PB", "EB"][power]}`;
}

/** Go's rounding. */
function roundedToEven(value: number): number {
  const low = Math.floor(value);
  return value - low === 0.5 ? low + (low % 2) : Math.round(value);
}

function table(head: readonly string[], cells: readonly string[]): string {
  const widths = head.map((title, at) => Math.max(title.length, (cells[at] as string).length) + 2);
  const line = (left: string, middle: string, right: string) =>
    left + widths.map((width) => "─".repeat(width)).join(middle) + right;
  const centred = head.map((title, at) => {
    const space = (widths[at] as number) - title.length;
    return " ".repeat(Math.floor(space / 2)) + title + " ".repeat(Math.ceil(space / 2));
  });
  const values = cells.map((cell, at) => `${cell.padStart((widths[at] as number) - 1)} `);
  const rows = [centred, values].map((row) => `│${row.join("│")}│`);
  return [line("┌", "┬", "┐"), rows[0], line("├", "┼", "┤"), rows[1], line("└", "┴", "┘")].join("\n");
}
