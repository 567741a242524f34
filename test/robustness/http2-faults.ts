/**
 * What a client must not do, each with the code that RFC 9113 has for it. Each may come after any lawful beginning.
 */
import { Http2Code } from "../../server/http2/errors.ts";
import { Flag, FrameType } from "../../server/http2/frame.ts";
import { frameOf, settingsOf, uint32 } from "../support/raw-peer.ts";
import { type Field, integer } from "./header-blocks.ts";
import { HOLD, type LawfulClient } from "./lawful-client.ts";

const { DATA, HEADERS, PRIORITY, RST_STREAM, SETTINGS, PUSH_PROMISE, PING, GOAWAY, WINDOW_UPDATE, CONTINUATION } =
  FrameType;
const { END_STREAM, END_HEADERS, PADDED, ACK } = Flag;
const { PROTOCOL_ERROR, FLOW_CONTROL_ERROR, STREAM_CLOSED, FRAME_SIZE_ERROR, COMPRESSION_ERROR, ENHANCE_YOUR_CALM } =
  Http2Code;
const NO_BYTES = new Uint8Array(0);
const WINDOW_MAX = 2 ** 31 - 1;

/** Which frames, and on which stream when that alone is to be reset. */
interface Wrong {
  readonly bytes: Buffer;
  readonly stream?: number;
}

export interface Fault {
  readonly what: string;
  /** Any of these. */
  readonly codes: readonly number[];
  make(client: LawfulClient): Wrong;
}

/** The client's bytes so far go first; then what `make` gives. */
function ofConnection(what: string, codes: number | readonly number[], make: (client: LawfulClient) => Buffer): Fault {
  return { what, codes: [codes].flat(), make: (client) => ({ bytes: Buffer.concat([client.take(), make(client)]) }) };
}

/** On a stream that is open and whose request is not answered. */
function ofStream(what: string, code: number, make: (client: LawfulClient, id: number) => Buffer): Fault {
  return {
    what,
    codes: [code],
    make: (client) => {
      const { id } = client.request({ path: HOLD, announced: false });
      const wrong = make(client, id) ?? NO_BYTES;
      return { bytes: Buffer.concat([client.take(), wrong]), stream: id };
    },
  };
}

/** A request whose head is not allowed. */
function ofHead(what: string, fields: readonly Field[]): Fault {
  return {
    what,
    codes: [PROTOCOL_ERROR],
    make: (client) => {
      const { id } = client.request({ path: HOLD, announced: false });
      const wrongId = id + 100;
      client.headers(wrongId, fields, client.prng.chance(0.5));
      return { bytes: client.take(), stream: wrongId };
    },
  };
}

const HEAD: readonly Field[] = [
  [":method", "POST"],
  [":scheme", "http"],
  [":path", "/x"],
];

const COMPRESSED: readonly (readonly [what: string, block: (client: LawfulClient) => Buffer])[] = [
  ["the number 0", () => integer(0x80, 7, 0)],
  ["a number beyond the table", ({ blocks, prng }) => integer(0x80, 7, blocks.known + 1 + prng.below(1000))],
  ["a name beyond the table", ({ blocks }) => Buffer.concat([integer(0x40, 6, blocks.known + 1), Buffer.of(1, 0x61)])],
  ["an integer without an end", ({ prng }) => Buffer.alloc(6 + prng.below(10), 0xff)],
  ["a string cut short", ({ prng }) => Buffer.concat([Buffer.of(0x40, 10 + prng.below(90)), prng.bytes(9)])],
  ["a table too large", ({ prng }) => integer(0x20, 5, 4097 + prng.below(100_000))],
  ["a change of the table behind a field", () => Buffer.of(0x82, 0x20)],
  ["the symbol of the end in a string", () => Buffer.concat([Buffer.of(0, 1, 0x61, 0x84), Buffer.alloc(4, 0xff)])],
  ["padding of zeros", () => Buffer.of(0, 1, 0x61, 0x81, 0)],
  ["padding of a whole byte", () => Buffer.of(0, 1, 0x61, 0x82, 0x1f, 0xff)],
];

export const FAULTS: readonly Fault[] = [
  ofConnection("DATA on stream 0", PROTOCOL_ERROR, ({ prng }) => frameOf(DATA, 0, 0, prng.bytes(5))),
  ofConnection("DATA on an idle stream", PROTOCOL_ERROR, (client) => frameOf(DATA, 0, client.idleId, Buffer.of(1))),
  ofConnection("DATA padded beyond its end", PROTOCOL_ERROR, (client) => {
    return begun(client, (id) => frameOf(DATA, PADDED, id, Buffer.of(5, 1, 2, 3, 4)));
  }),
  ofConnection("DATA padded, and empty", FRAME_SIZE_ERROR, (client) =>
    begun(client, (id) => frameOf(DATA, PADDED, id)),
  ),
  ofConnection("HEADERS on stream 0", PROTOCOL_ERROR, ({ blocks }) => {
    return frameOf(HEADERS, END_HEADERS, 0, blocks.block(HEAD));
  }),
  ofConnection("HEADERS on an even stream", PROTOCOL_ERROR, ({ blocks, idleId }) => {
    return frameOf(HEADERS, END_HEADERS, idleId + 1, blocks.block(HEAD));
  }),
  ofConnection("HEADERS on a number that was passed over", [PROTOCOL_ERROR, STREAM_CLOSED], (client) => {
    const { id } = client.request({ path: HOLD, announced: false });
    client.headers(id + 4, HEAD, true);
    client.headers(id + 2, HEAD, true);
    return client.take();
  }),
  ofConnection("HEADERS padded beyond its end", PROTOCOL_ERROR, ({ idleId }) => {
    return frameOf(HEADERS, PADDED | END_HEADERS, idleId, Buffer.of(200, 0x82));
  }),
  ofConnection("HEADERS too short for its priority", FRAME_SIZE_ERROR, ({ idleId }) => {
    return frameOf(HEADERS, Flag.PRIORITY | END_HEADERS, idleId, Buffer.alloc(4));
  }),
  ofConnection("PRIORITY on stream 0", PROTOCOL_ERROR, () => frameOf(PRIORITY, 0, 0, Buffer.alloc(5, 1))),
  ofConnection("PRIORITY of another size", FRAME_SIZE_ERROR, ({ idleId, prng }) => {
    return frameOf(PRIORITY, 0, idleId, Buffer.alloc(prng.pick([0, 4, 6, 100])));
  }),
  ofConnection("RST_STREAM on stream 0", PROTOCOL_ERROR, () => frameOf(RST_STREAM, 0, 0, uint32(8))),
  ofConnection("RST_STREAM on an idle stream", PROTOCOL_ERROR, ({ idleId }) =>
    frameOf(RST_STREAM, 0, idleId, uint32(8)),
  ),
  ofConnection("RST_STREAM of another size", FRAME_SIZE_ERROR, (client) => {
    return begun(client, (id) => frameOf(RST_STREAM, 0, id, Buffer.alloc(client.prng.pick([0, 3, 5, 8]))));
  }),
  ofConnection("SETTINGS of a stream", PROTOCOL_ERROR, ({ prng }) => frameOf(SETTINGS, 0, 1 + prng.below(9))),
  ofConnection("SETTINGS of another size", FRAME_SIZE_ERROR, ({ prng }) => {
    return frameOf(SETTINGS, 0, 0, Buffer.alloc(6 * prng.below(3) + 1 + prng.below(5)));
  }),
  ofConnection("an acknowledgement with settings", FRAME_SIZE_ERROR, () => frameOf(SETTINGS, ACK, 0, Buffer.alloc(6))),
  ofConnection("ENABLE_PUSH", PROTOCOL_ERROR, ({ prng }) => settingsOf([[2, 2 + prng.below(1000)]])),
  ofConnection("INITIAL_WINDOW_SIZE", FLOW_CONTROL_ERROR, ({ prng }) =>
    settingsOf([[4, 2 ** 31 + prng.below(2 ** 31)]]),
  ),
  ofConnection("MAX_FRAME_SIZE", PROTOCOL_ERROR, ({ prng }) => settingsOf([[5, prng.pick([0, 16_383, 2 ** 24])]])),
  ofConnection("PUSH_PROMISE", PROTOCOL_ERROR, (client) => {
    return frameOf(PUSH_PROMISE, END_HEADERS, client.idleId, Buffer.alloc(4 + client.prng.below(9)));
  }),
  ofConnection("PING of a stream", PROTOCOL_ERROR, ({ idleId }) => frameOf(PING, 0, idleId, Buffer.alloc(8))),
  ofConnection("PING of another size", FRAME_SIZE_ERROR, ({ prng }) => {
    return frameOf(PING, prng.pick([0, ACK]), 0, Buffer.alloc(prng.pick([0, 7, 9, 16])));
  }),
  ofConnection("GOAWAY of a stream", PROTOCOL_ERROR, ({ idleId }) => frameOf(GOAWAY, 0, idleId, Buffer.alloc(8))),
  ofConnection("GOAWAY cut short", FRAME_SIZE_ERROR, ({ prng }) => frameOf(GOAWAY, 0, 0, Buffer.alloc(prng.below(8)))),
  ofConnection("WINDOW_UPDATE of another size", FRAME_SIZE_ERROR, ({ prng }) => {
    return frameOf(WINDOW_UPDATE, 0, 0, Buffer.alloc(prng.pick([0, 3, 5, 8]), 1));
  }),
  ofConnection("WINDOW_UPDATE of nothing", PROTOCOL_ERROR, () => frameOf(WINDOW_UPDATE, 0, 0, uint32(0))),
  ofConnection("WINDOW_UPDATE beyond the range", FLOW_CONTROL_ERROR, () => {
    const most = frameOf(WINDOW_UPDATE, 0, 0, uint32(WINDOW_MAX));
    return Buffer.concat([most, most]);
  }),
  ofConnection("WINDOW_UPDATE of an idle stream", PROTOCOL_ERROR, ({ idleId }) => {
    return frameOf(WINDOW_UPDATE, 0, idleId, uint32(1));
  }),
  ofConnection("CONTINUATION of nothing", PROTOCOL_ERROR, ({ idleId, blocks }) => {
    return frameOf(CONTINUATION, END_HEADERS, idleId, blocks.block(HEAD));
  }),
  ofConnection("CONTINUATION of another stream", PROTOCOL_ERROR, ({ idleId }) => {
    return Buffer.concat([frameOf(HEADERS, 0, idleId), frameOf(CONTINUATION, END_HEADERS, idleId + 2)]);
  }),
  ofConnection("another frame inside of a header block", PROTOCOL_ERROR, ({ idleId, prng }) => {
    const other = frameOf(prng.pick([DATA, HEADERS, PRIORITY, PING, SETTINGS, WINDOW_UPDATE, 77]), 0, idleId);
    return Buffer.concat([frameOf(HEADERS, 0, idleId), other]);
  }),
  ofConnection("CONTINUATION without an end", ENHANCE_YOUR_CALM, ({ idleId }) => {
    const more = Array.from({ length: 200 }, () => frameOf(CONTINUATION, 0, idleId));
    return Buffer.concat([frameOf(HEADERS, 0, idleId), ...more]);
  }),
  ofConnection("a frame that is too long", FRAME_SIZE_ERROR, ({ idleId, prng }) => {
    return frameOf(prng.pick([DATA, HEADERS, 200]), 0, idleId, Buffer.alloc(16_385 + prng.below(100)));
  }),
  ofConnection("HEADERS for a stream that is over", STREAM_CLOSED, (client) => {
    const { id } = client.request({ end: true, path: "/" });
    client.headers(id, HEAD, true);
    return client.take();
  }),
  ...COMPRESSED.map(([what, block]) =>
    ofConnection(`a header block with ${what}`, COMPRESSION_ERROR, (client) => {
      client.headerBlock(client.idleId, block(client), true);
      return client.take();
    }),
  ),

  ofStream("WINDOW_UPDATE of nothing", PROTOCOL_ERROR, (_, id) => frameOf(WINDOW_UPDATE, 0, id, uint32(0))),
  ofStream("WINDOW_UPDATE beyond the range", FLOW_CONTROL_ERROR, (_, id) => {
    const most = frameOf(WINDOW_UPDATE, 0, id, uint32(WINDOW_MAX));
    return Buffer.concat([most, most]);
  }),
  ofStream("DATA behind the end", STREAM_CLOSED, ({ prng }, id) => {
    return Buffer.concat([frameOf(DATA, END_STREAM, id), frameOf(DATA, 0, id, prng.bytes(prng.below(50)))]);
  }),
  ofStream("HEADERS behind the end", STREAM_CLOSED, (client, id) => {
    client.headers(id, [["x", "1"]], true);
    client.headers(id, [["x", "1"]], true);
    return client.take();
  }),
  ofStream("trailers that are not the end", PROTOCOL_ERROR, (client, id) => {
    client.headers(id, [["x", "1"]], false);
    return client.take();
  }),
  ofStream("a pseudo-header field in trailers", PROTOCOL_ERROR, (client, id) => {
    client.headers(id, HEAD, true);
    return client.take();
  }),
  ofHead("no method", HEAD.slice(1)),
  ofHead("no scheme", [HEAD[0] as Field, HEAD[2] as Field]),
  ofHead("no path", HEAD.slice(0, 2)),
  ofHead("an empty path", [...HEAD.slice(0, 2), [":path", ""]]),
  ofHead("two methods", [...HEAD, [":method", "GET"]]),
  ofHead("a pseudo-header field of answers", [...HEAD, [":status", "200"]]),
  ofHead("a pseudo-header field that nobody knows", [...HEAD, [":x", "y"]]),
  ofHead("a pseudo-header field behind others", [["x", "y"], ...HEAD]),
  ofHead("a name in capitals", [...HEAD, ["X-Y", "z"]]),
  ofHead("an empty name", [...HEAD, ["", "z"]]),
  ofHead("a line feed in a value", [...HEAD, ["x", "a\nb"]]),
  ofHead("connection", [...HEAD, ["connection", "close"]]),
  ofHead("transfer-encoding", [...HEAD, ["transfer-encoding", "chunked"]]),
  ofHead("te", [...HEAD, ["te", "gzip"]]),
  ofHead("a length that is no number", [...HEAD, ["content-length", "x"]]),
  ofHead("two lengths", [...HEAD, ["content-length", "1"], ["content-length", "2"]]),
  {
    what: "more than the length that was announced",
    codes: [PROTOCOL_ERROR],
    make: (client) => {
      const { id } = client.request({ path: HOLD, announced: false });
      client.headers(id + 100, [...HEAD, ["content-length", "3"]], false);
      return { bytes: Buffer.concat([client.take(), frameOf(DATA, 0, id + 100, Buffer.alloc(4))]), stream: id + 100 };
    },
  },
  {
    what: "less than the length that was announced",
    codes: [PROTOCOL_ERROR],
    make: (client) => {
      const { id } = client.request({ path: HOLD, announced: false });
      client.headers(id + 100, [...HEAD, ["content-length", "3"]], false);
      const bytes = Buffer.concat([client.take(), frameOf(DATA, END_STREAM, id + 100, Buffer.alloc(2))]);
      return { bytes, stream: id + 100 };
    },
  },
];

function begun(client: LawfulClient, frame: (id: number) => Buffer): Buffer {
  const { id } = client.request({ path: HOLD, announced: false });
  return Buffer.concat([client.take(), frame(id)]);
}
