/**
 * Every bound of the engine, and what a peer gets that goes beyond it. A bound on a rate is a bucket: so many at once, so
 * many a second after that. What cannot go beyond (frames, tables) is refused by RFC 9113's own codes.
 */
import { Http2Code } from "./errors.ts";

/** The frame size that we advertise, and the longest that we send. A longer one: FRAME_SIZE_ERROR. */
export const MAX_FRAME_BYTES = 16_384;
/** Advertised: names and values of one request with 32 bytes each. Beyond: the stream is reset. */
export const MAX_HEADER_LIST_BYTES = 64 * 1024;
/** A header block as it comes, over HEADERS and CONTINUATION. Beyond: ENHANCE_YOUR_CALM. */
export const MAX_HEADER_BLOCK_BYTES = 96 * 1024;
/** CONTINUATION frames of one block. Beyond: ENHANCE_YOUR_CALM. */
export const MAX_CONTINUATIONS = 32;
/** Our decoder's dynamic table. */
export const HEADER_TABLE_BYTES = 4096;
/** Pairs in one SETTINGS frame. Beyond: ENHANCE_YOUR_CALM. */
export const MAX_SETTINGS = 64;

/** What a peer may send ahead on one stream, and on a connection. Beyond: FLOW_CONTROL_ERROR. */
export const STREAM_WINDOW_BYTES = 1024 * 1024;
export const CONNECTION_WINDOW_BYTES = 4 * 1024 * 1024;

/** From the socket to a whole preface and SETTINGS. Beyond: the connection ends. */
export const PREFACE_MS = 10_000;
/** From the first frame of a header block to its last. Beyond: ENHANCE_YOUR_CALM. */
export const HEADER_BLOCK_MS = 10_000;
/** A connection whose peer takes less than `STALL_PROGRESS_BYTES` of what waits for it. Beyond: the connection ends. */
export const STALL_MS = 120_000;
/** The same while the engine has `ENGINE_UNSENT_BYTES`: whoever does not read makes room for those who do. */
export const CROWDED_STALL_MS = 10_000;
export const STALL_PROGRESS_BYTES = 64 * 1024;
/** How much must wait for a stall to count. */
export const STALL_BYTES = 256 * 1024;
/** How long the last words to a peer may take. */
export const GOODBYE_MS = 500;

/** Output that is framed and not yet taken by the system. From here on DATA waits in its streams. */
export const OUTPUT_AHEAD_BYTES = 1024 * 1024;
/** All output that is framed, answers to control frames too. Beyond: the connection ends. */
export const OUTPUT_MAX_BYTES = 4 * 1024 * 1024;
/** Queued data that leave in one turn of the loop: of one connection, and of all. The rest goes on in the next turn. */
export const CONNECTION_TURN_BYTES = 256 * 1024;
export const ENGINE_TURN_BYTES = 1024 * 1024;
/** How long frames of all connections are taken in within one turn of the loop, and what whoever comes late still has. */
export const READ_TURN_MS = 5;
export const LATE_READ_TURN_MS = 0.5;
/** Unsent bytes of a stream from which on its owner is held back. */
export const STREAM_UNSENT_BYTES = 64 * 1024;
/**
 * Unsent bytes of all streams of a connection, from which on new requests wait until the peer reads its answers. Its
 * longest answer in parts is not counted: one LIST that is read slowly is no reason to leave everything else undone.
 */
export const CONNECTION_UNSENT_BYTES = 16 * 1024 * 1024;
/** The same for all connections; then one may still have `SHARE_UNSENT_BYTES`. */
export const ENGINE_UNSENT_BYTES = 64 * 1024 * 1024;
export const SHARE_UNSENT_BYTES = 1024 * 1024;

/** Beyond either the answer that would be queued is dropped and its stream reset: ENHANCE_YOUR_CALM. */
export const CONNECTION_QUEUE_BYTES = 64 * 1024 * 1024;
export const ENGINE_QUEUE_BYTES = 128 * 1024 * 1024;

/**
 * Messages that have come in part, on one connection and on all. Beyond: the call whose message grows is refused with
 * RESOURCE_EXHAUSTED; a connection may always have `SHARE_PARTIAL_BYTES`.
 */
export const CONNECTION_PARTIAL_BYTES = 64 * 1024 * 1024;
export const ENGINE_PARTIAL_BYTES = 128 * 1024 * 1024;
export const SHARE_PARTIAL_BYTES = 2 * 1024 * 1024;

/** Connections for clients, fewer where the process may not open as many files. More are closed as they come. */
export const MAX_CONNECTIONS = 10_000;
/** The same on addresses for metrics, which thereby stay reachable. */
export const MAX_METRICS_CONNECTIONS = 200;
/** Files that are kept for the store, the log and the rest when connections are counted. */
export const RESERVED_FILES = 256;
/** From accepted to the first bytes of a protocol we speak, or to the end of the TLS handshake. Beyond: closed. */
export const HELLO_MS = 10_000;
/** Connections before that. More: the one that has waited longest is closed, so that silent ones keep nobody out. */
export const MAX_SILENT = 4096;
/** The head of a request over HTTP/1, and all of it. Beyond: 408, and closed. */
export const HTTP1_HEAD_MS = 10_000;
export const HTTP1_REQUEST_MS = 60_000;

/** Open streams of one connection when the settings say nothing of them. Beyond: REFUSED_STREAM. */
export const DEFAULT_STREAMS = 1000;
/** Open streams of one connection, whatever the settings say. Beyond: REFUSED_STREAM. */
export const MAX_STREAMS = 32_768;
/** Streams that have been answered and whose requests go on: more of them are reset at once, fewer after a second. */
export const EARLY_STREAMS = 256;
/** Streams of which we remember that we reset them: what was on its way for them is ignored, not an error. */
export const RESET_MEMORY = 1024;

/** So many at once, and so many a second after that. */
export interface Rate {
  readonly burst: number;
  readonly perSecond: number;
  /** Why the connection ends. */
  readonly why: string;
}

export const RATES = {
  /** Streams that the peer resets before they are over, or opens beyond the bound. Deadlines that pass together are many. */
  resets: { burst: 10_000, perSecond: 1000, why: "too many resets" },
  /** Streams that we must reset because of what the peer does ("MadeYouReset"). */
  faults: { burst: 200, perSecond: 20, why: "too many faulty streams" },
  settings: { burst: 100, perSecond: 10, why: "too many settings" },
  /** Pings with nothing sent in between: a client that measures a connection pings as fast as answers come. */
  pings: { burst: 20_000, perSecond: 2000, why: "too many pings" },
  /** Window updates beyond two for each frame of data that we send. */
  updates: { burst: 20_000, perSecond: 10_000, why: "too many window updates" },
  /** Frames of data that are short as the peer's window is, beyond one for each that is not. */
  dribbles: { burst: 2000, perSecond: 200, why: "windows too small to be of use" },
  /** Frames that change nothing: empty DATA, PRIORITY, unknown types, what comes for streams that are over. */
  idle: { burst: 20_000, perSecond: 10_000, why: "too many frames without effect" },
} as const satisfies Record<string, Rate>;

/** A frame of data that a window cut below this is short. */
export const SHORT_FRAME_BYTES = 256;
/** Frames of data for which updates, or short ones, may still come. */
export const MAX_CREDIT = 10_000;

/** A rate being watched. */
export class Bucket {
  readonly #rate: Rate;
  #left: number;
  #atMs: number;

  constructor(rate: Rate, nowMs: number) {
    this.#rate = rate;
    this.#left = rate.burst;
    this.#atMs = nowMs;
  }

  /** Takes one. The answer is undefined, or why the connection ends (with `FLOOD`). */
  take(nowMs: number): string | undefined {
    const { burst, perSecond, why } = this.#rate;
    this.#left = Math.min(burst, this.#left + ((nowMs - this.#atMs) * perSecond) / 1000);
    this.#atMs = nowMs;
    if (this.#left < 1) return why;
    this.#left--;
    return undefined;
  }
}

/** The code for whoever floods. */
export const FLOOD = Http2Code.ENHANCE_YOUR_CALM;
