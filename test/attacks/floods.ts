/** Frames that cost their sender nothing, as fast as they go. */
import { Flag, FrameType } from "../../server/http2/frame.ts";
import { type Attack, flood, NOTHING } from "./attack.ts";
import { block, call, frame, head, ping, repeated, settings, uint32, windowUpdate } from "./frames.ts";
import { WATCH_PATH } from "./messages.ts";

const AT_ONCE = 1000;
const GOAWAY = frame(FrameType.GOAWAY, 0, 0, Buffer.alloc(8));

/** Mute where it is in the middle of a header block. */
const options = (begin: Uint8Array) => ({ mute: begin === BEGUN });

function floodOf(name: string, one: Uint8Array, begin: Uint8Array = NOTHING, over: "plain" | "tls" = "plain"): Attack {
  const many = repeated(one, AT_ONCE);
  return {
    name,
    expect: "gone",
    over,
    run: (scene) =>
      flood(
        scene,
        options(begin),
        () => begin,
        () => many,
      ),
  };
}

/** A header block that is begun and never ended. */
const BEGUN = frame(FrameType.HEADERS, 0, 1, block(head(WATCH_PATH)));
const OPEN = call(1, WATCH_PATH);

export const FLOODS: readonly Attack[] = [
  {
    ...floodOf("CONTINUATION flood", NOTHING),
    run: (scene) =>
      flood(
        scene,
        options(BEGUN),
        () => BEGUN,
        () => repeated(frame(FrameType.CONTINUATION, 0, 1, Buffer.alloc(16_000, 0x82)), 20),
      ),
  },
  floodOf("empty CONTINUATION flood", frame(FrameType.CONTINUATION, 0, 1), BEGUN),
  floodOf("SETTINGS flood", settings([3, 100])),
  floodOf("SETTINGS acknowledgements", frame(FrameType.SETTINGS, Flag.ACK, 0)),
  floodOf("PING flood", ping()),
  floodOf("PING flood (TLS)", ping(), NOTHING, "tls"),
  floodOf("PING answers", frame(FrameType.PING, Flag.ACK, 0, Buffer.alloc(8))),
  floodOf("empty DATA flood", frame(FrameType.DATA, 0, 1), OPEN),
  floodOf("DATA of padding", frame(FrameType.DATA, Flag.PADDED, 1, Buffer.alloc(256, 255)), OPEN),
  floodOf(
    "PRIORITY shuffle",
    Buffer.concat(
      [1, 3, 5, 7].map((id) => frame(FrameType.PRIORITY, 0, id, Buffer.concat([uint32(id + 8), Buffer.of(9)]))),
    ),
  ),
  floodOf("window updates of nothing waiting", windowUpdate(1, 1), OPEN),
  floodOf("frames of unknown types", frame(77, 0, 1, Buffer.alloc(8)), OPEN),
  floodOf("GOAWAY flood", GOAWAY, OPEN),
];
