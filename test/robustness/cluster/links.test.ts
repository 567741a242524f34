/** The gates between members: what a cut way holds back, and what comes of it. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { createConnection, createServer, type Server, type Socket } from "node:net";
import { type TestContext, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { Links } from "./links.ts";

const ADDRESS = { a: "127.0.78.1", b: "127.0.78.2", stranger: "127.0.78.3" } as const;
/** Long enough for a piece to come through, if anything lets it. */
const WAIT_MS = 50;

/** Member `b` behind a gate, and a connection to it from member `a`. */
async function joined(t: TestContext) {
  const links = new Links();
  await links.open("a", ADDRESS.a);
  const gate = await links.open("b", ADDRESS.b);
  const server: Server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  gate.port = (server.address() as { port: number }).port;
  const port = Number(new URL(gate.url).port);
  const dial = (localAddress: string) => createConnection({ host: "127.0.0.1", port, localAddress });
  const outer = dial(ADDRESS.a);
  const [inner] = (await once(server, "connection")) as [Socket];
  t.after(() => {
    for (const socket of [outer, inner]) socket.destroy();
    links.close();
    server.close();
  });
  return { links, dial, a: heard(outer), b: heard(inner) };
}

/** A socket with all that it has heard. */
function heard(socket: Socket) {
  const told = { socket, text: "", isClosed: false };
  socket.on("data", (piece: Buffer) => {
    told.text += piece.toString();
  });
  socket.on("error", () => undefined);
  socket.on("close", () => {
    told.isClosed = true;
  });
  return told;
}

test("a way that is cut holds what goes along it, the other way goes on, and afterwards all arrives", async (t) => {
  const { links, a, b } = await joined(t);
  a.socket.write("1");
  await sleep(WAIT_MS);
  assert.equal(b.text, "1");
  const mend = links.cut([{ from: "a", to: "b" }]);
  const again = links.cut([{ from: "a", to: "b" }]);
  a.socket.write("2");
  b.socket.write("x");
  await sleep(WAIT_MS);
  assert.deepEqual([a.text, b.text], ["x", "1"]);
  assert.equal(mend(false), 1, "something was held");
  await sleep(WAIT_MS);
  assert.equal(b.text, "1", "somebody else has cut it too");
  again(false);
  await sleep(WAIT_MS);
  assert.equal(b.text, "12");
  const both = links.cut([
    { from: "a", to: "b" },
    { from: "b", to: "a" },
  ]);
  await sleep(WAIT_MS);
  assert.equal(both(false), 0, "nobody said anything");
});

test("connections that were held may break instead, and nobody behind a cut hears of an end before", async (t) => {
  const { links, a, b } = await joined(t);
  const mend = links.cut([
    { from: "a", to: "b" },
    { from: "b", to: "a" },
  ]);
  a.socket.destroy();
  await sleep(WAIT_MS);
  assert.equal(b.isClosed, false);
  mend(true);
  await sleep(WAIT_MS);
  assert.equal(b.isClosed, true);
  assert.equal(b.text, "");
});

test("nobody but members gets through", async (t) => {
  const { dial, b } = await joined(t);
  const stranger = heard(dial(ADDRESS.stranger));
  stranger.socket.write("?");
  await sleep(WAIT_MS);
  assert.equal(stranger.isClosed, true);
  assert.equal(b.text, "");
});
