/** A bbolt file on disk: of a data directory of etcd's, or a saved snapshot, which has its SHA-256 at its end. */
import { closeSync, fstatSync, openSync, readFileSync, readSync } from "node:fs";
import { equalBytes } from "../../base/bytes.ts";
import { Sha256 } from "../../base/digest.ts";
import { WorldError } from "../../base/error.ts";
import { BoltError } from "../../bolt/format.ts";
import { BoltFile, type ByteSource } from "../../bolt/reader.ts";

const DIGEST_BYTES = 32;
/** A page is a multiple of it: what is left over tells a digest. */
const SECTOR_BYTES = 512;
const PIECE_BYTES = 2 ** 20;

export interface OpenBolt {
  readonly file: BoltFile;
  /** "right", or there is none: the file was copied from a data directory. */
  readonly digest: "right" | "none";
  close(): void;
}

/** Opens the file for reading. With `checkDigest`, a digest at its end must be right. */
export function openBolt(path: string, { checkDigest }: { readonly checkDigest: boolean }): OpenBolt {
  return reading(path, () => {
    const descriptor = openSync(path, "r");
    try {
      const { size } = fstatSync(descriptor);
      const hasDigest = size % SECTOR_BYTES === DIGEST_BYTES;
      const sizeBytes = hasDigest ? size - DIGEST_BYTES : size;
      const source: ByteSource = { sizeBytes, read: (position, length) => readAll(descriptor, position, length) };
      if (hasDigest && checkDigest) checkSha256(source, readAll(descriptor, sizeBytes, DIGEST_BYTES));
      const file = BoltFile.open(source);
      return { file, digest: hasDigest ? "right" : "none", close: () => closeSync(descriptor) };
    } catch (error) {
      closeSync(descriptor);
      throw error;
    }
  });
}

/** What is wrong with the file is said with its name. */
export function reading<T>(path: string, action: () => T): T {
  try {
    return action();
  } catch (error) {
    throw asWorldError(path, error);
  }
}

export function asWorldError(path: string, error: unknown): unknown {
  const known = error instanceof BoltError || (error instanceof Error && "code" in error);
  return known ? new WorldError(`read "${path}"`, error) : error;
}

/** The process that has locked the file, as etcd locks its own; undefined: none, or the system does not say. */
export function lockHolder(path: string): string | undefined {
  const descriptor = openSync(path, "r");
  try {
    const { ino } = fstatSync(descriptor);
    // 1: FLOCK  ADVISORY  WRITE 4711 fd:01:1234567 0 EOF
    const lines = readFileSync("/proc/locks", "latin1").split("\n");
    const line = lines.find((text) => text.includes(" FLOCK ") && text.includes(`:${ino} `));
    return line?.split(/\s+/)[4];
  } catch {
    return undefined;
  } finally {
    closeSync(descriptor);
  }
}

function checkSha256(source: ByteSource, expected: Uint8Array): void {
  const digest = new Sha256();
  for (let at = 0; at < source.sizeBytes; at += PIECE_BYTES) {
    digest.add(source.read(at, Math.min(PIECE_BYTES, source.sizeBytes - at)));
  }
  const found = digest.result();
  if (equalBytes(found, expected)) return;
  throw new BoltError(
    `its SHA-256 is ${hex(found)}, and the one at its end says ${hex(expected)}: it is damaged or was changed; ` +
      "take another copy (--skip-hash-check, of restore, reads it all the same)",
  );
}

function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString("hex");
}

function readAll(descriptor: number, position: number, length: number): Uint8Array {
  const bytes = Buffer.allocUnsafeSlow(length);
  for (let done = 0; done < length; ) {
    const count = readSync(descriptor, bytes, done, length - done, position + done);
    if (count === 0) throw new BoltError(`it ends at byte ${position + done}, where more was expected`);
    done += count;
  }
  return bytes;
}
