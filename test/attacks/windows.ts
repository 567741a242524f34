/** Much is asked for and little is read: windows that stay shut, open by a byte, or a socket that nobody reads. */
import { FrameType } from "../../server/http2/frame.ts";
import { type Attack, flood, linger, NOTHING, type Scene, together } from "./attack.ts";
import { call, message, ping, settings, windowUpdate } from "./frames.ts";
import { EVERYTHING, EVERYTHING_LINEARIZABLE, RANGE_PATH, WATCH_EVERYTHING, WATCH_PATH } from "./messages.ts";
import type { RawOptions } from "./raw-client.ts";

const INITIAL_WINDOW = 4;
const MAX_WINDOW = 0x7fff_ffff;
const SHUT: RawOptions = { settings: [[INITIAL_WINDOW, 0]] };

function calls(count: number, path: string, bytes: Uint8Array, end: boolean): Buffer {
  const each = (at: number) => Buffer.concat([call(at * 2 + 1, path), message(at * 2 + 1, bytes, end)]);
  return Buffer.concat(Array.from({ length: count }, (_, at) => each(at)));
}

const WIDE: RawOptions = { settings: [[INITIAL_WINDOW, MAX_WINDOW]], deaf: true };
const WIDER = windowUpdate(0, MAX_WINDOW - 65_535);
const WATCHES = calls(500, WATCH_PATH, WATCH_EVERYTHING, false);

/** Opens each of so many windows by a byte, again and again. */
function dribble(scene: Scene, begin: Uint8Array, streams: number): Promise<void> {
  const ids = Array.from({ length: streams }, (_, at) => windowUpdate(at * 2 + 1, 1));
  const more = Buffer.concat([windowUpdate(0, streams), ...ids]);
  return flood(
    scene,
    { settings: [[INITIAL_WINDOW, 1]] },
    () => begin,
    () => more,
  );
}

export const WINDOWS: readonly Attack[] = [
  {
    name: "window 0 on 500 big ranges",
    expect: "bounded",
    run: (scene) => together(4, () => linger(scene, SHUT, () => calls(500, RANGE_PATH, EVERYTHING, true))),
  },
  {
    name: "window 0 on 500 big linearizable ranges, with pings",
    expect: "bounded",
    run: (scene) =>
      together(2, () =>
        linger(scene, SHUT, () => calls(500, RANGE_PATH, EVERYTHING_LINEARIZABLE, true), {
          everyMs: 1000,
          bytes: () => ping(),
        }),
      ),
  },
  {
    name: "window of 1 byte on big ranges",
    expect: "gone",
    run: (scene) => dribble(scene, calls(20, RANGE_PATH, EVERYTHING, true), 20),
  },
  {
    name: "window of 1 byte on watches",
    expect: "gone",
    run: (scene) => dribble(scene, calls(100, WATCH_PATH, WATCH_EVERYTHING, false), 100),
  },
  {
    name: "window 0 on 1,000 watches",
    expect: "bounded",
    run: (scene) => together(2, () => linger(scene, SHUT, () => WATCHES)),
  },
  {
    name: "watcher that never reads",
    expect: "bounded",
    run: (scene) => together(2, () => linger(scene, WIDE, () => Buffer.concat([WIDER, WATCHES]))),
  },
  {
    name: "big ranges that nobody reads",
    expect: "bounded",
    run: (scene) =>
      together(4, () => linger(scene, WIDE, () => Buffer.concat([WIDER, calls(500, RANGE_PATH, EVERYTHING, true)]))),
  },
  {
    name: "windows moved 64 times a frame",
    expect: "gone",
    run: (scene) => {
      const pairs = Array.from({ length: 64 }, (_, at) => [INITIAL_WINDOW, 1000 + at] as const);
      return flood(
        scene,
        {},
        () => calls(900, WATCH_PATH, WATCH_EVERYTHING, false),
        () => settings(...pairs),
      );
    },
  },
  {
    name: "a GOAWAY, and calls after it",
    expect: "bounded",
    run: (scene) =>
      linger(scene, {}, () => Buffer.concat([GOAWAY, calls(1000, WATCH_PATH, WATCH_EVERYTHING, false), NOTHING])),
  },
];

const GOAWAY = Buffer.concat([Buffer.of(0, 0, 8, FrameType.GOAWAY, 0, 0, 0, 0, 0), Buffer.alloc(8)]);
