/** SETTINGS (RFC 9113, section 6.5): what we say in them, and what the peer's mean. */
import { broken, ConnectionFailure, Http2Code } from "./errors.ts";
import { DEFAULT_WINDOW, MAX_WINDOW } from "./flow-control.ts";
import { FLOOD, MAX_FRAME_BYTES, MAX_HEADER_LIST_BYTES, MAX_SETTINGS, STREAM_WINDOW_BYTES } from "./limits.ts";

const Setting = {
  HEADER_TABLE_SIZE: 1,
  ENABLE_PUSH: 2,
  MAX_CONCURRENT_STREAMS: 3,
  INITIAL_WINDOW_SIZE: 4,
  MAX_FRAME_SIZE: 5,
  MAX_HEADER_LIST_SIZE: 6,
} as const;
const SETTING_BYTES = 6;

/** The largest number that the setting can say: no bound. */
export const STREAMS_UNBOUNDED = 0xffff_ffff;

/** Ours, each a name and a value. */
export function ownSettings(maxConcurrentStreams: number): [number, number][] {
  const settings: [number, number][] = [
    [Setting.INITIAL_WINDOW_SIZE, STREAM_WINDOW_BYTES],
    [Setting.MAX_HEADER_LIST_SIZE, MAX_HEADER_LIST_BYTES],
  ];
  if (maxConcurrentStreams < STREAMS_UNBOUNDED) settings.push([Setting.MAX_CONCURRENT_STREAMS, maxConcurrentStreams]);
  return settings;
}

/** Throws ConnectionFailure unless a SETTINGS frame may be as it is. */
export function checkSettings(id: number, isAck: boolean, bytes: number): void {
  if (id !== 0) throw broken("SETTINGS of a stream");
  if (isAck && bytes > 0) throw new ConnectionFailure(Http2Code.FRAME_SIZE_ERROR, "an acknowledgement with a payload");
  if (bytes % SETTING_BYTES !== 0) throw new ConnectionFailure(Http2Code.FRAME_SIZE_ERROR, "SETTINGS of a wrong size");
  if (bytes > MAX_SETTINGS * SETTING_BYTES) throw new ConnectionFailure(FLOOD, "too many settings");
}

/** What the peer has said so far, and what holds before it says anything. */
export class PeerSettings {
  /** Of each new stream, for what we send on it. */
  streamWindow = DEFAULT_WINDOW;
  readonly #setTableBytes: (bytes: number) => void;

  /** `setTableBytes`: the peer's table for header fields is so large. */
  constructor(setTableBytes: (bytes: number) => void) {
    this.#setTableBytes = setTableBytes;
  }

  /** Takes all of a frame in. Throws ConnectionFailure for a value out of its range. */
  read(bytes: Buffer, from: number, to: number): void {
    for (let at = from; at < to; at += SETTING_BYTES) this.#set(bytes.readUInt16BE(at), bytes.readUInt32BE(at + 2));
  }

  #set(name: number, value: number): void {
    switch (name) {
      case Setting.HEADER_TABLE_SIZE:
        this.#setTableBytes(value);
        return;
      case Setting.ENABLE_PUSH:
        if (value > 1) throw broken("ENABLE_PUSH is 0 or 1");
        return;
      case Setting.INITIAL_WINDOW_SIZE:
        if (value > MAX_WINDOW) {
          throw new ConnectionFailure(Http2Code.FLOW_CONTROL_ERROR, "INITIAL_WINDOW_SIZE out of its range");
        }
        this.streamWindow = value;
        return;
      case Setting.MAX_FRAME_SIZE:
        // A larger one is of no use: streams take turns frame by frame.
        if (value < MAX_FRAME_BYTES || value > 0xff_ffff) throw broken("MAX_FRAME_SIZE out of its range");
        return;
      default:
        return;
    }
  }
}
