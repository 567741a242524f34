/** Header blocks: empty, long, many, or small ones that become large (RFC 7541, section 7.3). */
import { Flag, FrameType } from "../../server/http2/frame.ts";
import { type Attack, flood, linger, NOTHING } from "./attack.ts";
import { block, call, frame, head } from "./frames.ts";
import { RANGE_PATH, WATCH_PATH } from "./messages.ts";

const FRAME_BYTES = 16_384;
const AT_ONCE = 50;

/** HEADERS and as many CONTINUATIONs as the block needs. */
function longHeaders(id: number, bytes: Uint8Array): Buffer {
  const frames: Buffer[] = [];
  for (let from = 0; from < bytes.length; from += FRAME_BYTES) {
    const last = from + FRAME_BYTES >= bytes.length ? Flag.END_HEADERS : 0;
    const type = from === 0 ? FrameType.HEADERS : FrameType.CONTINUATION;
    frames.push(frame(type, last, id, bytes.subarray(from, from + FRAME_BYTES)));
  }
  return Buffer.concat(frames);
}

/** Streams without end, each with the block that `make` gives. */
function blocks(name: string, make: (round: number) => Uint8Array, atOnce: number = AT_ONCE): Attack {
  return {
    name,
    expect: "gone",
    run: (scene) =>
      flood(
        scene,
        {},
        () => NOTHING,
        (_client, round) =>
          Buffer.concat(
            Array.from({ length: atOnce }, (_, at) => {
              const number = round * atOnce + at;
              return longHeaders(number * 2 + 1, make(number));
            }),
          ),
      ),
  };
}

const text = (length: number) => "v".repeat(length);
/** A field of almost 4 KiB, put into the table: `x: vvvv...`. */
const INTO_TABLE = Buffer.concat([Buffer.of(0x40, 1, 0x78, 0x7f, 0xc1, 0x1e), Buffer.from(text(4032))]);
/** The newest of the table, as often as a block has room. */
const BOMB = Buffer.alloc(FRAME_BYTES - 200, 0x80 | 62);
const LARGE = block([...head(RANGE_PATH), { name: "x", value: text(100 * 1024) }]);
const MANY = block([
  ...head(RANGE_PATH),
  ...Array.from({ length: 10_000 }, (_, at) => ({ name: `x${at}`, value: "" })),
]);
const METADATA = Array.from({ length: 40 }, (_, at) => ({ name: `x-${at}`, value: text(1200) }));

export const HEADERS: readonly Attack[] = [
  {
    ...blocks("empty HEADERS", () => NOTHING),
    run: (scene) =>
      flood(
        scene,
        {},
        () => NOTHING,
        (_client, round) =>
          Buffer.concat(
            Array.from({ length: 200 }, (_, at) =>
              frame(FrameType.HEADERS, Flag.END_HEADERS, (round * 200 + at) * 2 + 1),
            ),
          ),
      ),
  },
  blocks("HPACK bomb", (number) => Buffer.concat([block(head(RANGE_PATH)), number === 0 ? INTO_TABLE : NOTHING, BOMB])),
  blocks("HPACK table thrash", () => Buffer.concat([Buffer.of(0x20, 0x3f, 0xe1, 0x1f), INTO_TABLE, INTO_TABLE])),
  blocks("header of 100 KiB", () => LARGE, 5),
  blocks("10,000 header fields", () => MANY, 5),
  {
    name: "huge metadata on 5,000 calls",
    expect: "bounded",
    run: (scene) =>
      linger(scene, {}, () => {
        const bytes = block([...head(RANGE_PATH), ...METADATA]);
        return Buffer.concat(Array.from({ length: 1000 }, (_, at) => longHeaders(at * 2 + 1, bytes)));
      }),
  },
  {
    name: "more streams than allowed",
    expect: "gone",
    run: (scene) =>
      flood(
        scene,
        {},
        () => NOTHING,
        (_client, round) =>
          Buffer.concat(Array.from({ length: 500 }, (_, at) => call((round * 500 + at) * 2 + 1, WATCH_PATH))),
      ),
  },
  {
    name: "the last stream number first",
    expect: "bounded",
    run: (scene) => linger(scene, {}, () => Buffer.concat([call(0x7fff_ffff, WATCH_PATH)])),
  },
];
