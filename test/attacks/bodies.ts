/** Messages that are more than they seem. */
import { gzipSync } from "node:zlib";
import { Flag, FrameType } from "../../server/http2/frame.ts";
import { type Attack, linger, together } from "./attack.ts";
import { call, frame } from "./frames.ts";
import { PUT_PATH } from "./messages.ts";

const UNPACKED_BYTES = 256 * 1024 * 1024;
const CALLS = 100;
const GZIP = [{ name: "grpc-encoding", value: "gzip" }];

/** One call whose message unpacks to a thousand times its size. */
function bomb(id: number, packed: Uint8Array): Buffer {
  const whole = Buffer.alloc(5 + packed.length);
  whole[0] = 1;
  whole.writeUInt32BE(packed.length, 1);
  whole.set(packed, 5);
  const frames = [call(id, PUT_PATH, GZIP)];
  for (let from = 0; from < whole.length; from += 16_384) {
    const last = from + 16_384 >= whole.length ? Flag.END_STREAM : 0;
    frames.push(frame(FrameType.DATA, last, id, whole.subarray(from, from + 16_384)));
  }
  return Buffer.concat(frames);
}

export const BODIES: readonly Attack[] = [
  {
    name: "gzip bomb, 256 MiB in 255 KiB",
    expect: "bounded",
    run: (scene) => {
      const packed = gzipSync(Buffer.alloc(UNPACKED_BYTES));
      return together(8, () =>
        linger(scene, {}, () => bomb(1, packed), {
          everyMs: 50,
          bytes: (_client, round) =>
            round % 10 === 0
              ? Buffer.concat(Array.from({ length: CALLS / 10 }, (_, at) => bomb((round * CALLS + at) * 2 + 3, packed)))
              : new Uint8Array(0),
        }),
      );
    },
  },
];
