/** The raw client before a server that says exactly what a test wants. */
import assert from "node:assert/strict";
import { type AddressInfo, createServer, type Socket } from "node:net";
import { test } from "node:test";
import { Flag, FrameReader, FrameType } from "../../../server/http2/frame.ts";
import { frameOf, settingsOf, uint32 } from "../../support/raw-peer.ts";
import { RawConnection } from "./connection.ts";
import { SHAPES } from "./shapes.ts";
import { Template } from "./template.ts";
import { runUnary } from "./unary-load.ts";

const WINDOW_BYTES = 65_535;
const PING = new Uint8Array(8);
const NOBODY = { data: () => {}, done: () => {}, room: () => {} };

/** What a server does with a frame. */
type Take = (socket: Socket, type: number, flags: number, bytes: number) => void;

async function serving(take: Take): Promise<{ url: string; close: () => void }> {
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    const reader = new FrameReader({
      frame: (type, flags, _stream, _bytes, from, to) => take(socket, type, flags, to - from),
      deaf: false,
      pauses: () => false,
    });
    socket.on("data", (bytes: Buffer) => reader.read(bytes));
    socket.on("error", () => {});
    socket.write(settingsOf([]));
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const close = () => {
    for (const socket of sockets) socket.destroy();
    server.close();
  };
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, close };
}

test("no more is sent than the server's window allows, and the rest when it grows", async () => {
  const template = new Template(new Uint8Array(20_000), new Uint8Array(1).fill(9));
  let came = 0;
  const atPings: number[] = [];
  const { url, close } = await serving((socket, type, flags, bytes) => {
    if (type === FrameType.DATA) came += bytes;
    // The first request has come; a ping is answered behind whatever was sent with it.
    if (type === FrameType.SETTINGS && (flags & Flag.ACK) !== 0) socket.write(frameOf(FrameType.PING, 0, 0, PING));
    if (type !== FrameType.PING) return;
    atPings.push(came);
    if (atPings.length === 4) socket.write(frameOf(FrameType.GOAWAY, 0, 0, Buffer.concat([uint32(0), uint32(2)])));
    else {
      if (atPings.length === 2) socket.write(frameOf(FrameType.WINDOW_UPDATE, 0, 0, uint32(WINDOW_BYTES)));
      socket.write(frameOf(FrameType.PING, 0, 0, PING));
    }
  });
  const { method } = SHAPES.put;
  const load = { target: { url }, path: method.path, template, connections: 1, inFlight: 100, keys: 1, seed: 1 };
  await assert.rejects(runUnary({ ...load, seconds: 20 }), /goodbye with code 2/);
  close();
  assert.ok((atPings[1] as number) <= WINDOW_BYTES, `${atPings}`);
  assert.ok((atPings[3] as number) > WINDOW_BYTES && (atPings[3] as number) <= 2 * WINDOW_BYTES, `${atPings}`);
});

test("a server that hangs up, resets or sends what it may not ends the run with a sentence", async () => {
  const cases: [Buffer | undefined, RegExp][] = [
    [undefined, /closed the connection/],
    [frameOf(FrameType.RST_STREAM, 0, 1, uint32(11)), /reset stream 1 with code 11/],
    [frameOf(FrameType.DATA, Flag.END_STREAM, 1, new Uint8Array(5)), /ended without a status/],
    [frameOf(FrameType.PUSH_PROMISE, 0, 1, uint32(2)), /a frame of type 5/],
  ];
  for (const [answer, text] of cases) {
    const { url, close } = await serving((socket, type) => {
      if (type !== FrameType.HEADERS) return;
      if (answer === undefined) socket.end();
      else socket.write(answer);
    });
    const connection = await RawConnection.open({ url }, NOBODY);
    connection.request(connection.head("/s/m"), new Uint8Array(5));
    connection.flush();
    await assert.rejects(connection.failed, text);
    close();
  }
});
