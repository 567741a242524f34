/** gzip on messages, as grpc-go has it: what is packed, and what is said of bytes that cannot be unpacked. */
import { gunzip, gunzipSync, gzipSync, constants as zlib } from "node:zlib";
import { GrpcCode, type Status } from "./status.ts";

/** Packed messages up to this size are unpacked at once, longer ones beside the loop. */
const UNPACK_AT_ONCE_BYTES = 4096;
/** Longer answers go unpacked, which a caller must take: packing them would hold the loop. */
const PACK_MAX_BYTES = 64 * 1024;

const HEAD_BYTES = 10;
const MAGIC = [0x1f, 0x8b, 8] as const;

/** The message packed, for a caller that packs; undefined: it goes as it is. */
export function pack(bytes: Uint8Array): Uint8Array | undefined {
  if (bytes.length === 0 || bytes.length > PACK_MAX_BYTES) return undefined;
  return gzipSync(bytes, { level: zlib.Z_BEST_SPEED });
}

/** Calls one of both, at once when the message is short. */
export function unpack(
  bytes: Uint8Array,
  maxBytes: number,
  unpacked: (message: Uint8Array) => void,
  failed: (fault: Status) => void,
): void {
  if (bytes.length > UNPACK_AT_ONCE_BYTES) {
    gunzip(bytes, { maxOutputLength: maxBytes }, (error, message) => {
      if (error === null) unpacked(message);
      else failed(faultOf(bytes, maxBytes, error));
    });
    return;
  }
  let message: Uint8Array;
  try {
    message = gunzipSync(bytes, { maxOutputLength: maxBytes });
  } catch (error) {
    failed(faultOf(bytes, maxBytes, error as Error));
    return;
  }
  unpacked(message);
}

function faultOf(bytes: Uint8Array, maxBytes: number, error: NodeJS.ErrnoException): Status {
  if (error.code === "ERR_BUFFER_TOO_LARGE") {
    const text = `grpc: received message after decompression larger than max ${maxBytes}`;
    return { grpc: GrpcCode.RESOURCE_EXHAUSTED, text };
  }
  const head = headFault(bytes);
  const text =
    head === undefined
      ? `grpc: failed to read decompressed data: ${dataFault(error)}`
      : `grpc: failed to decompress the message: ${head}`;
  return { grpc: GrpcCode.INTERNAL, text };
}

/** Go reads the head by itself first. */
function headFault(bytes: Uint8Array): string | undefined {
  if (bytes.length === 0) return "EOF";
  if (bytes.length < HEAD_BYTES) return "unexpected EOF";
  return MAGIC.every((byte, at) => bytes[at] === byte) ? undefined : "gzip: invalid header";
}

/** In Go's words, without the place, which zlib does not tell. */
function dataFault({ code, message }: NodeJS.ErrnoException): string {
  if (code === "Z_BUF_ERROR") return "unexpected EOF";
  if (message === "incorrect data check" || message === "incorrect length check") return "gzip: invalid checksum";
  if (message === "incorrect header check") return "gzip: invalid header";
  return "flate: corrupt input";
}
