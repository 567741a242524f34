/** Frames as an attacker writes them: whatever is asked for, right or wrong. */
import { Flag, FrameType } from "../../server/http2/frame.ts";
import { type FieldToSend, HpackEncoder } from "../../server/http2/hpack.ts";
import { frameOf as frame, uint32 } from "../support/raw-peer.ts";

export { frame, uint32 };

/** Frame number `count` times: one write of many frames. */
export function repeated(frame: Uint8Array, count: number): Buffer {
  const bytes = Buffer.alloc(frame.length * count);
  for (let at = 0; at < count; at++) bytes.set(frame, at * frame.length);
  return bytes;
}

export function windowUpdate(id: number, more: number): Buffer {
  return frame(FrameType.WINDOW_UPDATE, 0, id, uint32(more));
}

export function reset(id: number): Buffer {
  return frame(FrameType.RST_STREAM, 0, id, uint32(8));
}

export function settings(...pairs: readonly (readonly [name: number, value: number])[]): Buffer {
  const payload = Buffer.alloc(pairs.length * 6);
  for (const [index, [name, value]] of pairs.entries()) {
    payload.writeUInt16BE(name, index * 6);
    payload.writeUInt32BE(value, index * 6 + 2);
  }
  return frame(FrameType.SETTINGS, 0, 0, payload);
}

export function ping(): Buffer {
  return frame(FrameType.PING, 0, 0, Buffer.alloc(8));
}

/** HEADERS of a call, by a table of its own that never holds anything: each block is whole by itself. */
export function call(id: number, path: string, more: readonly FieldToSend[] = []): Buffer {
  return frame(FrameType.HEADERS, Flag.END_HEADERS, id, block([...head(path), ...more]));
}

export function head(path: string): FieldToSend[] {
  return [
    { name: ":method", value: "POST" },
    { name: ":scheme", value: "http" },
    { name: ":path", value: path },
    { name: ":authority", value: "attacked" },
    { name: "content-type", value: "application/grpc" },
    { name: "te", value: "trailers" },
  ];
}

export function block(fields: readonly FieldToSend[]): Buffer {
  const most = fields.reduce((sum, { name, value }) => sum + name.length + value.length + 12, 64);
  const into = Buffer.alloc(most);
  return into.subarray(0, new HpackEncoder().encode(fields, into, 0));
}

/** DATA with one message of gRPC in it. */
export function message(id: number, bytes: Uint8Array, end: boolean): Buffer {
  const payload = Buffer.alloc(5 + bytes.length);
  payload.writeUInt32BE(bytes.length, 1);
  payload.set(bytes, 5);
  return frame(FrameType.DATA, end ? Flag.END_STREAM : 0, id, payload);
}
