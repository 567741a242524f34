/** Whatever is begun and not ended: prefaces, headers, messages. */
import { Flag, FrameType, PREFACE } from "../../server/http2/frame.ts";
import { type Attack, linger, NOTHING, together } from "./attack.ts";
import { block, call, frame, head, settings } from "./frames.ts";
import { PUT_PATH, WATCH_PATH } from "./messages.ts";

/** A deadline of 10 s, and who looks at it once a second. */
const DEADLINE_SECONDS = 13;
const MESSAGE_BYTES = 1024 * 1024;
const PIECE_BYTES = 16_379;

/** The first part of a message that claims to be long. */
function begun(id: number): Buffer {
  const payload = Buffer.alloc(5 + PIECE_BYTES);
  payload.writeUInt32BE(MESSAGE_BYTES, 1);
  return frame(FrameType.DATA, 0, id, payload);
}

const CALLS = 1000;
const WAVE_CALLS = 10;
const PIECES = 8;
const waves: Buffer[] = [];

/** The next ten calls of a connection, each with the first pieces of its message. The same for all connections. */
function wave(round: number): Buffer {
  if (round >= CALLS / WAVE_CALLS) return NOTHING_YET;
  waves[round] ??= Buffer.concat(
    Array.from({ length: WAVE_CALLS }, (_, at) => {
      const id = (round * WAVE_CALLS + at) * 2 + 1;
      const more = frame(FrameType.DATA, 0, id, Buffer.alloc(16_384));
      return Buffer.concat([call(id, PUT_PATH), begun(id), ...Array.from({ length: PIECES - 1 }, () => more)]);
    }),
  );
  return waves[round] as Buffer;
}

const NOTHING_YET = Buffer.alloc(0);

export const SLOW: readonly Attack[] = [
  {
    name: "slow preface on 1,000 connections",
    expect: "gone",
    leastSeconds: DEADLINE_SECONDS,
    run: (scene) =>
      together(1000, () =>
        linger(scene, { silent: true }, () => PREFACE.subarray(0, 4), {
          everyMs: 1000,
          bytes: (_client, round) => PREFACE.subarray(4 + round, 5 + round),
        }),
      ),
  },
  {
    name: "slow headers on 500 connections",
    expect: "gone",
    leastSeconds: DEADLINE_SECONDS,
    run: (scene) =>
      together(500, () =>
        linger(scene, { mute: true }, () => frame(FrameType.HEADERS, 0, 1, block(head(WATCH_PATH))), {
          everyMs: 2000,
          bytes: () => frame(FrameType.CONTINUATION, 0, 1, Buffer.of(0x82)),
        }),
      ),
  },
  {
    name: "slow bodies: 4,000 messages of 1 MiB, 128 KiB of each",
    expect: "bounded",
    run: (scene) =>
      together(4, () => linger(scene, {}, () => NOTHING, { everyMs: 20, bytes: (_client, round) => wave(round) })),
  },
  {
    name: "slow bodies: a byte a second on 1,000 calls",
    expect: "bounded",
    run: (scene) =>
      linger(scene, {}, () => Buffer.concat(Array.from({ length: 1000 }, (_, at) => call(at * 2 + 1, PUT_PATH))), {
        everyMs: 1000,
        bytes: () =>
          Buffer.concat(Array.from({ length: 1000 }, (_, at) => frame(FrameType.DATA, 0, at * 2 + 1, Buffer.of(0)))),
      }),
  },
  {
    name: "half-closed calls without a message",
    expect: "bounded",
    run: (scene) =>
      linger(
        scene,
        {},
        () => {
          const ended = (at: number) =>
            frame(FrameType.HEADERS, Flag.END_HEADERS | Flag.END_STREAM, at * 2 + 1, block(head(WATCH_PATH)));
          return Buffer.concat(Array.from({ length: 1000 }, (_, at) => ended(at)));
        },
        { everyMs: 1000, bytes: () => NOTHING },
      ),
  },
  {
    name: "HTTP/1 headers a byte a second on 500 connections",
    expect: "gone",
    leastSeconds: DEADLINE_SECONDS,
    run: (scene) =>
      together(500, () =>
        linger(scene, { silent: true }, () => Buffer.from("GET /version HTTP/1.1\r\nx: "), {
          everyMs: 1000,
          bytes: () => Buffer.from("y"),
        }),
      ),
  },
  {
    name: "settings, and then a frame that is never whole, on 1,000 connections",
    expect: "bounded",
    run: (scene) =>
      together(1000, () => linger(scene, {}, () => Buffer.concat([settings(), Buffer.of(0, 0x40, 0, 0, 0)]))),
  },
];
